"""CSV files of wanted characters, one row each.

The columns, all optional and in any order, are the attributes of the weights, ``seed``, ``psi``
and ``name`` (free text, for the field ``{name}`` of file names).
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from avatargan.attributes import Taxonomy
from avatargan.errors import AvatarGanError, OptionError, did_you_mean
from avatargan.latents import LARGEST_SEED, check_seed
from avatargan.recipe import LARGEST_PSI

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
    """Read a CSV file (UTF-8; commas, semicolons or tabs).

    Raises:
        OptionError: the file cannot be read or is empty, or a value is wrong; the message names
            the file and the line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise OptionError(f"{path}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise OptionError(f"{path}: not a CSV file in UTF-8 ({error.reason})") from error
    except OSError as error:
        raise OptionError(f"{path}: cannot be read: {error.strerror or error}") from error
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    wanted: list[WantedCharacter] = []
    columns: list[str] = []
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                if not columns:
                    columns = _check_columns(cells, attributes)
                else:
                    wanted.append(_read_row(columns, cells, attributes))
                if len(wanted) > MOST_ROWS:
                    raise OptionError(f"more than {MOST_ROWS} rows")
            line = reader.line_num + 1
    except (csv.Error, AvatarGanError) as error:
        raise OptionError(f"{path}, line {line}: {error}") from error
    if not wanted:
        raise OptionError(f"{path}: no rows; the first line names the columns, characters follow")
    return tuple(wanted)


def _check_columns(cells: list[str], attributes: Taxonomy) -> list[str]:
    known = [*attributes, *COLUMNS]
    columns = [cell.strip() for cell in cells]
    for column in columns:
        if column not in known:
            raise OptionError(
                f"there is no column '{column}'{did_you_mean(column, known)} "
                f"(columns: {', '.join(known)})"
            )
        if columns.count(column) > 1:
            raise OptionError(f"the column '{column}' appears more than once")
    return columns


def _read_row(columns: list[str], cells: list[str], attributes: Taxonomy) -> WantedCharacter:
    if len(cells) != len(columns):
        raise OptionError(f"{len(cells)} cells for {len(columns)} columns")
    values: Mapping[str, str] = {
        column: cell.strip() for column, cell in zip(columns, cells, strict=True) if cell.strip()
    }
    return WantedCharacter(
        attributes={
            name: attributes.check(name, values[name]) for name in attributes if name in values
        },
        seed=_read_seed(values["seed"]) if "seed" in values else None,
        psi=_read_psi(values["psi"]) if "psi" in values else None,
        name=values.get("name"),
    )


def _read_seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise OptionError(f"the seed must be an integer from 0 to 2^63-1, got '{text}'")
    return check_seed(int(text))


def _read_psi(text: str) -> float:
    try:
        psi = float(text)
    except ValueError:
        psi = -1.0
    if not 0 <= psi <= LARGEST_PSI:
        raise OptionError(f"psi must be a number from 0 to {LARGEST_PSI}, got '{text}'")
    return psi
