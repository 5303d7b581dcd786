"""What commands print: results on stdout, chatter on stderr."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import typer

from avatargan.errors import OptionError, OutputError

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
    """Yield the items behind a progress bar; arguments as for :func:`progress_counter`."""
    with progress_counter(total, unit=unit, quiet=quiet) as advance:
        for item in items:
            yield item
            advance(1)


@contextmanager
def progress_counter(
    total: int, *, unit: str, quiet: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on stderr, and give the function that moves it on by a number.

    There is none with ``quiet``, for work that is over in half a second, or for short work that
    nobody watches.

    Args:
        total: how many pieces of work there are.
        unit: what one of them is called.
        quiet: no bar.
    """
    watched = sys.stderr.isatty()
    if quiet or (not watched and total < LONG_WORK):
        yield lambda count: None
        return
    from tqdm import tqdm

    # A log file gets a line every ten seconds instead of one that moves.
    interval = 0.1 if watched else 10.0
    with tqdm(total=total, unit=f" {unit}", delay=0.5, mininterval=interval) as bar:

        def advance(count: int) -> None:
            bar.update(count)

        yield advance


def check_output_file(path: Path, ending: str, *, overwrite: bool) -> None:
    """Find out before any work is done that a file cannot be written.

    Raises:
        OptionError: its name does not end as it should.
        OutputError: it exists already and is not to be overwritten, or is a folder.
    """
    if path.suffix.lower() != ending:
        raise OptionError(f"{path}: the name of this file should end in {ending}")
    if path.is_dir():
        raise OutputError(f"{path} is a folder, not a file")
    refuse_existing([path], overwrite=overwrite)


def refuse_existing(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Find out before any work is done that files exist already.

    Raises:
        OutputError: one of them does, and is not to be overwritten.
    """
    if overwrite:
        return
    existing = [path for path in paths if os.path.lexists(path)]
    if existing:
        others = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise OutputError(
            f"{existing[0]} exists already{others}; choose another place with --out, "
            "or replace with --overwrite"
        )
