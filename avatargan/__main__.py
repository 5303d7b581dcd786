"""Lets ``python -m avatargan`` stand for the command ``avatargan``."""

import sys

from avatargan.cli import main

sys.exit(main())
