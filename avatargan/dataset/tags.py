"""``tags.csv``: which file has which choice of each attribute.

Columns: ``file``, one per attribute, and optionally ``source`` (what the picture was cut from),
``split`` ("train" or "test"), ``tagger`` (the SHA-256 of the tagger that made the row), ``reason``
(why it could not be told) and a probability ``<attribute>_p`` per attribute; the last two are not
read here. An empty value and "unknown" both say that nobody knows. How tables are read, and which
spellings mean the same, says
:mod:`avatargan.tables`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatargan.attributes import RESERVED, UNKNOWN, Taxonomy, check_attribute_name, is_name
from avatargan.errors import DatasetError, TableError, TaxonomyError, did_you_mean
from avatargan.tables import FileNames, Table, folded, read_table

TAGS_FILE = "tags.csv"
FILE, SOURCE, SPLIT, TAGGER, REASON = "file", "source", "split", "tagger", "reason"
PROBABILITY_ENDING = "_p"
#: Columns that are no attributes.
OTHER_COLUMNS = (FILE, SOURCE, SPLIT, TAGGER, REASON)
#: Beyond this a column holds something else, such as captions.
MOST_CHOICES = 200
#: Spellings of one choice that a note lists.
_MOST_SPELLINGS = 5


@dataclass(frozen=True)
class Tags:
    """The rows of a ``tags.csv``.

    Attributes:
        attributes: the taxonomy; choices are sorted and end with "unknown".
        files: the pictures.
        labels: for each attribute, an index into its choices per picture.
        sources: what each picture was cut from; the file itself where the column is missing.
        splits: "train", "test" or "" (decided by the source) per picture.
        notes: what was read otherwise than it is written, one line each.
        taggers: the SHA-256 of each tagger that made some of the tags.
    """

    attributes: Taxonomy
    files: tuple[str, ...]
    labels: Mapping[str, NDArray[np.int64]]
    sources: tuple[str, ...]
    splits: tuple[str, ...]
    notes: tuple[str, ...] = ()
    taggers: frozenset[str] = frozenset()


def read_tags(
    content: bytes, place: str, known_files: Collection[str], taxonomy: Taxonomy | None = None
) -> Tags:
    """Read a ``tags.csv``.

    A column that holds no tag at all is left out, with a note, unless the taxonomy lists it.

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
    try:
        table = read_table(content, place)
    except TableError as error:
        raise DatasetError(str(error)) from error
    columns = {name: index for index, name in enumerate(table.columns)}
    attribute_columns = _attribute_columns(table, taxonomy)
    readers = {name: _ChoiceReader(name, taxonomy) for name in attribute_columns}
    names = FileNames(known_files)
    files: dict[str, int] = {}
    values: dict[str, list[str]] = {name: [] for name in attribute_columns}
    sources, splits, taggers = [], [], set()
    for line, cells in table.rows:
        written = cells[columns[FILE]]
        file = names.find(written)
        if file is None:
            raise DatasetError(
                f"{table.at(line)}: there is no picture '{written}' beside it"
                f"{names.suggestion(written)}"
            )
        if file in files:
            raise DatasetError(f"{table.at(line)}: '{written}' is in line {files[file]} already")
        files[file] = line
        sources.append((cells[columns[SOURCE]] if SOURCE in columns else "") or file)
        split = cells[columns[SPLIT]] if SPLIT in columns else ""
        splits.append(_split(split, table.at(line)))
        if TAGGER in columns:
            taggers.add(cells[columns[TAGGER]].strip())
        for name, column in attribute_columns.items():
            values[name].append(readers[name].read(cells[columns[column]], table.at(line)))
    if not files:
        raise DatasetError(f"{place}: there are no rows in it")
    notes = [f"{place}: {note}" for reader in readers.values() for note in reader.notes()]
    if taxonomy is None:
        for name in [name for name, found in values.items() if set(found) == {UNKNOWN}]:
            notes.append(f"{place}: the column '{name}' holds no tag at all; it is left out")
            del values[name]
    attributes = taxonomy or _found_choices(values, place)
    return Tags(
        attributes,
        tuple(files),
        {name: _indices(attributes[name], values.get(name), len(files)) for name in attributes},
        tuple(sources),
        tuple(splits),
        tuple(notes),
        frozenset(taggers - {""}),
    )


def with_unknown(attributes: Taxonomy) -> Taxonomy:
    """Return the taxonomy with "unknown" as the last choice of each attribute."""
    return Taxonomy({name: (*attributes.offered(name), UNKNOWN) for name in attributes})


def _attribute_columns(table: Table, taxonomy: Taxonomy | None) -> dict[str, str]:
    """Return the columns that are attributes, by the name of the attribute."""
    place = table.at(table.first_line)
    if FILE not in table.columns:
        raise DatasetError(f"{place}: there is no column 'file'")
    known = frozenset(table.columns)
    listed = {folded(name): name for name in taxonomy or ()}
    attributes = {}
    for column in table.columns:
        if column in OTHER_COLUMNS or (
            column.endswith(PROBABILITY_ENDING) and column.removesuffix(PROBABILITY_ENDING) in known
        ):
            continue
        if taxonomy is not None and column not in listed:
            raise DatasetError(
                f"{place}: the column '{column}' is no attribute of attributes.json"
                f"{did_you_mean(column, taxonomy)} (attributes: {', '.join(taxonomy)})"
            )
        name = listed.get(column, column)
        try:
            check_attribute_name(name)
        except TaxonomyError as error:
            raise DatasetError(f"{place}: {error}") from error
        attributes[name] = column
    return attributes


class _ChoiceReader:
    """Reads the cells of an attribute: one choice for all spellings of it.

    Args:
        name: of the attribute.
        taxonomy: the choices that are allowed, as they are spelt there; by default any.
    """

    def __init__(self, name: str, taxonomy: Taxonomy | None) -> None:
        self._name = name
        self._taxonomy = taxonomy
        self._choices = {cell: cell for cell in taxonomy[name]} if taxonomy is not None else {}
        listed = list(self._choices)
        self._folded = {folded(choice): choice for choice in listed} | {UNKNOWN: UNKNOWN}
        self._choices[""] = UNKNOWN
        self._spellings: defaultdict[str, set[str]] = defaultdict(set)

    def read(self, cell: str, place: str) -> str:
        """Return the choice that a cell means.

        Raises:
            DatasetError: it means none.
        """
        cell = cell.strip()
        choice = self._choices.get(cell)
        if choice is None:
            choice = self._choices[cell] = self._find(cell, place)
            if cell != choice:
                self._spellings[choice].add(cell)
        return choice

    def _find(self, cell: str, place: str) -> str:
        choice = self._folded.get(folded(cell))
        if choice is not None:
            return choice
        if self._taxonomy is not None:
            offered = self._taxonomy.offered(self._name)
            raise DatasetError(
                f"{place}: {self._name} has no choice '{cell}'{did_you_mean(cell, offered)} "
                f"(choices: {', '.join(offered)})"
            )
        choice = folded(cell)
        if not is_name(choice) or choice in RESERVED:
            raise DatasetError(
                f"{place}: '{cell[:60]}' cannot be a choice of {self._name} (up to 40 letters and "
                "digits, with dashes and underscores)"
            )
        self._folded[choice] = choice
        return choice

    def notes(self) -> Iterable[str]:
        """Yield which spellings were read as which choices."""
        for choice, spellings in sorted(self._spellings.items()):
            shown = [f"'{cell}'" for cell in sorted(spellings)[:_MOST_SPELLINGS]]
            more = ", ..." if len(spellings) > _MOST_SPELLINGS else ""
            yield f"in the column '{self._name}', {', '.join(shown)}{more} is read as '{choice}'"


def _split(text: str, place: str) -> str:
    split = folded(text)
    if split not in ("train", "test", ""):
        raise DatasetError(f"{place}: the split is train, test or empty, not '{text}'")
    return split


def _found_choices(values: Mapping[str, Sequence[str]], place: str) -> Taxonomy:
    choices = {name: sorted(set(found) - {UNKNOWN}) for name, found in values.items()}
    for name, found in choices.items():
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
