"""``tags.csv``: which file has which choice of each attribute.

Columns: ``file``, one per attribute, and optionally ``source`` (what the picture was cut from),
``split`` ("train" or "test") and a probability ``<attribute>_p`` per attribute, which is not read
here. An empty value and "unknown" both say that nobody knows.
"""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from avatargan.attributes import RESERVED, UNKNOWN, Taxonomy, check_attribute_name, is_name
from avatargan.errors import DatasetError, TaxonomyError, did_you_mean

FILE, SOURCE, SPLIT = "file", "source", "split"
PROBABILITY_ENDING = "_p"
#: Beyond this a column holds something else, such as captions.
MOST_CHOICES = 200


@dataclass(frozen=True)
class Tags:
    """The rows of a ``tags.csv``.

    Attributes:
        attributes: the taxonomy; choices are sorted and end with "unknown".
        files: the pictures.
        labels: for each attribute, an index into its choices per picture.
        sources: what each picture was cut from; the file itself where the column is missing.
        splits: "train", "test" or "" (decided by the source) per picture.
    """

    attributes: Taxonomy
    files: tuple[str, ...]
    labels: Mapping[str, NDArray[np.int64]]
    sources: tuple[str, ...]
    splits: tuple[str, ...]


def read_tags(
    content: bytes, place: str, known_files: Collection[str], taxonomy: Taxonomy | None = None
) -> Tags:
    """Read a ``tags.csv``.

    Args:
        content: of the file.
        place: its name, for messages.
        known_files: the pictures that are there.
        taxonomy: the attributes and choices that are allowed, and their order; by default those
            that occur.

    Raises:
        DatasetError: it is not a table, or has an unknown file, column or value; the message
            names the line.
    """
    rows = _rows(content, place)
    columns = next(rows, (0, []))[1]
    names = _attribute_columns(columns, place, taxonomy)
    files: dict[str, int] = {}
    values: dict[str, list[str]] = {name: [] for name in names}
    sources, splits = [], []
    known = frozenset(known_files)
    for line, row in rows:
        if len(row) != len(columns):
            raise DatasetError(
                f"{place}, line {line}: {len(row)} values do not fit {len(columns)} columns"
            )
        cells = dict(zip(columns, row, strict=True))
        file = cells[FILE]
        if file in files:
            raise DatasetError(f"{place}, line {line}: '{file}' is in line {files[file]} already")
        if file not in known:
            raise DatasetError(
                f"{place}, line {line}: there is no picture '{file}' beside it"
                f"{did_you_mean(file, known) if len(known) < 1000 else ''}"
            )
        files[file] = line
        sources.append(cells.get(SOURCE) or file)
        splits.append(_split(cells.get(SPLIT, ""), f"{place}, line {line}"))
        for name in names:
            value = cells[name] or UNKNOWN
            _check_value(name, value, f"{place}, line {line}", taxonomy)
            values[name].append(value)
    if not files:
        raise DatasetError(f"{place}: there are no rows in it")
    attributes = taxonomy or _found_choices(values, place)
    return Tags(
        attributes,
        tuple(files),
        {name: _indices(attributes[name], values.get(name), len(files)) for name in attributes},
        tuple(sources),
        tuple(splits),
    )


def write_tags(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return the text of a ``tags.csv``."""
    text = io.StringIO()
    writer = TableWriter(text)
    writer.add(columns)
    for row in rows:
        writer.add(row)
    return text.getvalue()


class TableWriter:
    """Writes the rows of a table, whatever the names of files are.

    Args:
        text: takes them.
    """

    def __init__(self, text: TextIO) -> None:
        self._plain = csv.writer(text, lineterminator="\n")
        self._quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def add(self, row: Sequence[str]) -> None:
        """Write a row."""
        # Before Python 3.13 a carriage return alone is not quoted, and cannot be read again.
        writer = self._quoted if any("\r" in value for value in row) else self._plain
        writer.writerow(row)


def is_utf8(name: str) -> bool:
    """Tell whether a name can be written into a table; not all names of files can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def with_unknown(attributes: Taxonomy) -> Taxonomy:
    """Return the taxonomy with "unknown" as the last choice of each attribute."""
    return Taxonomy({name: (*attributes.offered(name), UNKNOWN) for name in attributes})


def _rows(content: bytes, place: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, with their line numbers."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DatasetError(f"{place}, line {line}: not UTF-8 text") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise DatasetError(f"{place}, line {reader.line_num}: {error}") from error


def _attribute_columns(
    columns: Sequence[str], place: str, taxonomy: Taxonomy | None
) -> tuple[str, ...]:
    """Return the columns that are attributes."""
    if FILE not in columns:
        raise DatasetError(f"{place}, line 1: there is no column 'file'")
    known = set()
    for name in columns:
        if name in known:
            raise DatasetError(f"{place}, line 1: the column '{name}' is there twice")
        known.add(name)
    names = tuple(
        name
        for name in columns
        if name not in (FILE, SOURCE, SPLIT)
        and not (
            name.endswith(PROBABILITY_ENDING) and name.removesuffix(PROBABILITY_ENDING) in known
        )
    )
    for name in names:
        if taxonomy is not None and name not in taxonomy:
            raise DatasetError(
                f"{place}, line 1: the column '{name}' is no attribute of attributes.json"
                f"{did_you_mean(name, taxonomy)} (attributes: {', '.join(taxonomy)})"
            )
        try:
            check_attribute_name(name)
        except TaxonomyError as error:
            raise DatasetError(f"{place}, line 1: {error}") from error
    return names


def _check_value(name: str, value: str, place: str, taxonomy: Taxonomy | None) -> None:
    if taxonomy is not None and value not in taxonomy[name]:
        offered = taxonomy.offered(name)
        raise DatasetError(
            f"{place}: {name} has no choice '{value}'{did_you_mean(value, offered)} "
            f"(choices: {', '.join(offered)})"
        )
    if not is_name(value) or value in RESERVED:
        raise DatasetError(
            f"{place}: '{value[:60]}' cannot be a choice of {name} (up to 40 letters and digits, "
            "with dashes and underscores)"
        )


def _split(text: str, place: str) -> str:
    if text not in ("train", "test", ""):
        raise DatasetError(f"{place}: the split is train, test or empty, not '{text}'")
    return text


def _found_choices(values: Mapping[str, Sequence[str]], place: str) -> Taxonomy:
    choices = {name: sorted(set(found) - {UNKNOWN}) for name, found in values.items()}
    for name, found in choices.items():
        if not found:
            raise DatasetError(f"{place}: the column '{name}' holds no tag at all")
        if len(found) > MOST_CHOICES:
            raise DatasetError(
                f"{place}: the column '{name}' holds {len(found)} different values; an attribute "
                f"has at most {MOST_CHOICES} choices"
            )
    return Taxonomy({name: (*found, UNKNOWN) for name, found in choices.items()})


def _indices(choices: Sequence[str], values: Sequence[str] | None, count: int) -> NDArray[np.int64]:
    index = {choice: number for number, choice in enumerate(choices)}
    if values is None:
        return np.full(count, index[UNKNOWN], dtype=np.int64)
    return np.array([index[value] for value in values], dtype=np.int64)
