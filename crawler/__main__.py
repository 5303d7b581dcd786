"""Lets ``python -m crawler`` start the command line."""

from crawler.cli import main

if __name__ == "__main__":
    main()
