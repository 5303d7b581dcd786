"""Tables, as people and programs write them: the one reader and the one writer of CSV files.

A table is text with a line of column names first. Read are UTF-8 and UTF-16, with or without a
byte order mark; commas, semicolons or tabs between the cells; quotes; any line ends; and the
decimal comma of the countries that put semicolons between cells. Names of columns and of choices
are told apart by their letters, not by whether those are capital, nor by how Unicode composes
them: see :func:`folded`.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from avatargan.errors import TableError, did_you_mean

_SEPARATORS = ",;\t"
#: What Excel puts first to say which separator follows.
_SEPARATOR_LINE = re.compile(r"sep=([,;\t])\r?\n?", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
#: Longest first: that of UTF-32 begins like that of UTF-16.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Names are suggested among so many at most: comparing with each takes time.
_MOST_COMPARED = 1000


@dataclass(frozen=True)
class Table:
    """A table that was read.

    Attributes:
        place: the name of the file, for messages.
        columns: their names, folded.
        first_line: where they stand.
        rows: the line in which each row begins, and its cells, one per column.
    """

    place: str
    columns: tuple[str, ...]
    first_line: int
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def at(self, line: int) -> str:
        """Return how messages name a line."""
        return f"{self.place}, line {line}"


def read_table(content: bytes, place: str) -> Table:
    """Read a table.

    Rows and columns without any content are left out. Cells come as they are, with the spaces
    around them.

    Args:
        content: of the file.
        place: its name, for messages.

    Raises:
        TableError: it is no table; the message names the line.
    """
    text = _decoded(content, place)
    lines = _records(text, place)
    first_line, header = next(lines, (1, []))
    names = [folded(name) for name in header]
    while names and not names[-1]:
        names.pop()
    rows = []
    for line, cells in lines:
        extra = cells[len(names) :]
        if len(cells) < len(names) or any(cell.strip() for cell in extra):
            raise TableError(
                f"{place}, line {line}: {len(cells)} values do not fit {len(names)} columns"
            )
        rows.append((line, cells[: len(names)]))
    used = [
        index
        for index, name in enumerate(names)
        if name or any(cells[index].strip() for _, cells in rows)
    ]
    columns = tuple(names[index] for index in used)
    for index, name in zip(used, columns, strict=True):
        if not name:
            raise TableError(f"{place}, line {first_line}: column {index + 1} has no name")
    seen = set()
    for name in columns:
        if name in seen:
            raise TableError(f"{place}, line {first_line}: the column '{name}' is there twice")
        seen.add(name)
    return Table(
        place,
        columns,
        first_line,
        tuple((line, tuple(cells[index] for index in used)) for line, cells in rows),
    )


def folded(word: str) -> str:
    """Return a name without what does not tell names apart: case, composition, spaces around."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", word.strip()).casefold())


def read_number(text: str) -> float | None:
    """Return a number with a decimal point or comma, None for what is no number."""
    text = text.strip()
    if len(text) > 60 or _NUMBER.fullmatch(text) is None:
        return None
    return float(text.replace(",", "."))


class FileNames:
    """Finds the files that cells of a table mean.

    A name is taken as it stands where there is such a file. Otherwise the way it was written on
    another system counts: composed or decomposed letters, backslashes, ``./`` before it.

    Args:
        known: the names of the files, with forward slashes.
    """

    def __init__(self, known: Collection[str]) -> None:
        self._known = frozenset(known)
        self._plain: dict[str, str | None] | None = None

    def find(self, cell: str) -> str | None:
        """Return the name of the one file that a cell means, None where there is none."""
        if cell in self._known:
            return cell
        if self._plain is None:
            self._plain = {}
            for name in self._known:
                plain = _plain_path(name)
                self._plain[plain] = None if plain in self._plain else name
        return self._plain.get(_plain_path(cell))

    def suggestion(self, cell: str) -> str:
        """Return ``"; did you mean 'x'?"`` or an empty string."""
        return did_you_mean(cell, self._known) if len(self._known) < _MOST_COMPARED else ""


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


def write_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return the text of a table."""
    text = io.StringIO()
    writer = TableWriter(text)
    writer.add(columns)
    for row in rows:
        writer.add(row)
    return text.getvalue()


def is_utf8(name: str) -> bool:
    """Tell whether a name can be written into a table; not all names of files can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain_path(name: str) -> str:
    plain = unicodedata.normalize("NFC", name.strip()).replace("\\", "/")
    while plain.startswith("./"):
        plain = plain[2:]
    return plain


def _decoded(content: bytes, place: str) -> str:
    encoding, start = _encoding(content)
    try:
        text = content[start:].decode(encoding)
    except UnicodeDecodeError as error:
        before = content[start : start + error.start].decode(encoding, errors="ignore")
        name = encoding.upper().removesuffix("-LE").removesuffix("-BE")
        raise TableError(
            f"{place}, line {before.count(chr(10)) + 1}: not {name} text; save it as CSV in UTF-8"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TableError(f"{place}, line {line}: holds a NUL character; save it as CSV in UTF-8")
    return text


def _encoding(content: bytes) -> tuple[str, int]:
    """Return the encoding of a table, and the length of its byte order mark."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return encoding, len(mark)
    # Names of columns are mostly ASCII, of which every other byte is zero in UTF-16.
    first = [byte == 0 for byte in content[:4]]
    if first == [False, True, False, True]:
        return "utf-16-le", 0
    if first == [True, False, True, False]:
        return "utf-16-be", 0
    return "utf-8", 0


def _records(text: str, place: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that hold anything, with the lines in which they begin."""
    said = _SEPARATOR_LINE.match(text)
    skipped = 0
    if said is not None:
        text, skipped = text[said.end() :], 1
    separator = said[1] if said is not None else _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = skipped + 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + skipped + 1
    except csv.Error as error:
        raise TableError(f"{place}, line {line}: {error}") from error


def _separator(text: str) -> str:
    """Return what stands between the names of the columns, outside of quotes."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_SEPARATORS, key=bare.count)
