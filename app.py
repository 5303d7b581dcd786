"""Starts the app in the browser: ``python app.py``, the same as ``avatargan serve``."""

import sys

from avatargan.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
