"""Lets ``python -m face_crop`` start the command line."""

import sys

from face_crop.cli import main

if __name__ == "__main__":
    sys.exit(main())
