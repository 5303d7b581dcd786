"""CSV files of wanted characters, one row each.

The columns, all optional and in any order, are the attributes of the weights, ``seed``, ``psi``
and ``name`` (free text, for the field ``{name}`` of file names).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from avatargan.attributes import ANY, Taxonomy
from avatargan.errors import AvatarGanError, OptionError, TableError, did_you_mean
from avatargan.files import read_regular
from avatargan.latents import LARGEST_SEED, check_seed
from avatargan.recipe import LARGEST_PSI
from avatargan.tables import folded, read_number, read_table

COLUMNS = ("seed", "psi", "name")
#: Far above any cast of characters; more is the wrong file.
MOST_ROWS = 1_000_000


class WantedCharacter(BaseModel):
    """What a row asks for; what it leaves out is ``None`` or not there.

    Attributes:
        attributes: the choices it names.
        seed: the seed, where the row names one.
        psi: the truncation, where the row names one.
        name: free text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attributes: dict[str, str] = {}
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] | None = None
    psi: Annotated[float, Field(ge=0, le=LARGEST_PSI, allow_inf_nan=False)] | None = None
    name: str | None = None


def read_wanted(path: str | Path, attributes: Taxonomy) -> tuple[WantedCharacter, ...]:
    """Read a table; see :mod:`avatargan.tables`.

    Raises:
        OptionError: the file cannot be read or is empty, or a value is wrong; the message names
            the file and the line.
    """
    path = Path(path)
    try:
        table = read_table(read_regular(path), str(path))
    except FileNotFoundError:
        raise OptionError(f"{path}: there is no such file") from None
    except OSError as error:
        raise OptionError(f"{path}: cannot be read: {error.strerror or error}") from error
    except TableError as error:
        raise OptionError(str(error)) from error
    if len(table.rows) > MOST_ROWS:
        raise OptionError(f"{path}: more than {MOST_ROWS} rows")
    place = table.at(table.first_line)
    wanted = []
    try:
        columns = _check_columns(table.columns, attributes)
        for line, cells in table.rows:
            place = table.at(line)
            wanted.append(_read_row(columns, cells, attributes))
    except AvatarGanError as error:
        raise OptionError(f"{place}: {error}") from error
    if not wanted:
        raise OptionError(f"{path}: no rows; the first line names the columns, characters follow")
    return tuple(wanted)


def _check_columns(columns: Sequence[str], attributes: Taxonomy) -> list[str]:
    """Return what the columns are called here."""
    known = {folded(name): name for name in (*attributes, *COLUMNS)}
    for column in columns:
        if column not in known:
            raise OptionError(
                f"there is no column '{column}'{did_you_mean(column, known.values())} "
                f"(columns: {', '.join(known.values())})"
            )
    return [known[column] for column in columns]


def _read_row(
    columns: Sequence[str], cells: Sequence[str], attributes: Taxonomy
) -> WantedCharacter:
    values: Mapping[str, str] = {
        column: cell.strip() for column, cell in zip(columns, cells, strict=True) if cell.strip()
    }
    return WantedCharacter(
        attributes={
            name: _read_choice(name, values[name], attributes)
            for name in attributes
            if name in values
        },
        seed=_read_seed(values["seed"]) if "seed" in values else None,
        psi=_read_psi(values["psi"]) if "psi" in values else None,
        name=values.get("name"),
    )


def _read_choice(name: str, text: str, attributes: Taxonomy) -> str:
    if text not in attributes[name]:
        for choice in (*attributes.offered(name), ANY):
            if folded(choice) == folded(text):
                return choice
    return attributes.check(name, text)


def _read_seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise OptionError(f"the seed must be an integer from 0 to 2^63-1, got '{text}'")
    return check_seed(int(text))


def _read_psi(text: str) -> float:
    psi = read_number(text)
    if psi is None or not 0 <= psi <= LARGEST_PSI:
        raise OptionError(f"psi must be a number from 0 to {LARGEST_PSI}, got '{text}'")
    return psi
