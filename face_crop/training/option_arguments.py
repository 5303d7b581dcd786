"""Command line arguments from a dataclass of options, one for each field."""

import argparse
import dataclasses
import re
from typing import Any, TypeVar

Options = TypeVar("Options")


def add_options(parser: argparse.ArgumentParser, kind: type[Any]) -> None:
    """Add an argument for each field, described by the "Attributes:" of the class's docstring."""
    described = _descriptions(kind.__doc__ or "")
    for field in dataclasses.fields(kind):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=type(field.default),
            default=field.default,
            metavar="N",
            help=f"{described[field.name]} (default: {field.default})",
        )


def options_of(given: argparse.Namespace, kind: type[Options]) -> Options:
    """Return the options that were given.

    Raises:
        OptionError: one is out of range, as the class says.
    """
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: getattr(given, name) for name in names})


def _descriptions(docstring: str) -> dict[str, str]:
    """Return the text after each ``name:`` of a docstring, on one line."""
    found = re.findall(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", docstring, re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text).rstrip(".") for name, text in found}
