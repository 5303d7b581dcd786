"""Clearing away the files of a killed process."""

import re

from crawler.ledger import PICTURES_NAME, Ledger

# Only what the crawler itself names like this is ever swept away.
_OWN_FILE = re.compile(r"[0-9a-f]{64}\.(jpg|png|webp|gif)|\.[0-9a-f]{64}\..*\.tmp")


def sweep(ledger: Ledger) -> None:
    """Remove files that a killed process left without a record; the ledger must be writable."""
    kept = {picture.file for picture in ledger.pictures()}
    for path in (ledger.folder / PICTURES_NAME).glob("*/*"):
        if (
            _OWN_FILE.fullmatch(path.name)
            and path.relative_to(ledger.folder).as_posix() not in kept
        ):
            path.unlink()
