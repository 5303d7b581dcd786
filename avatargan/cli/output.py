"""What commands print: results on stdout, chatter on stderr."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import typer

from avatargan.errors import OutputError

Item = TypeVar("Item")

#: Work of fewer pieces shows no bar where nobody watches it (a pipe, a log file).
LONG_WORK = 200


def show(text: str) -> None:
    """Print a part of the result on stdout.

    Raises:
        OutputError: the output went to a file, and the disk is full.
    """
    try:
        typer.echo(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write the output: {error.strerror}") from error


def show_json(document: Any) -> None:
    """Print the result as one JSON document on stdout; errors as above."""
    show(json.dumps(document, indent=2, ensure_ascii=False))


def note(text: str, *, quiet: bool = False) -> None:
    """Tell the user something on stderr that is not the result."""
    if not quiet:
        typer.echo(text, err=True)


def progress(
    items: Iterable[Item], total: int, *, unit: str, quiet: bool = False
) -> Iterator[Item]:
    """Yield the items behind a progress bar on stderr.

    There is none with ``quiet``, for work that is over in half a second, or for short work that
    nobody watches.

    Args:
        items: what is worked through.
        total: how many there are.
        unit: what one of them is called.
        quiet: no bar.
    """
    watched = sys.stderr.isatty()
    if quiet or (not watched and total < LONG_WORK):
        yield from items
        return
    from tqdm import tqdm

    # A log file gets a line every ten seconds instead of one that moves.
    interval = 0.1 if watched else 10.0
    with tqdm(items, total=total, unit=f" {unit}", delay=0.5, mininterval=interval) as bar:
        yield from bar
