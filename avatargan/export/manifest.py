"""Manifests: what every picture was drawn from, for programs (JSONL) and spreadsheets (CSV)."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from avatargan.export.plan import ExportPlan, PlannedPicture
from avatargan.export.renpy import image_name
from avatargan.export.templates import SUFFIX

#: Columns on the left and on the right of those of the attributes.
LEFT = ("file", "seed")
RIGHT = (
    "psi",
    "size",
    "transparent",
    "rolled_by_quality",
    "weights_sha256",
    "version",
    "licence",
)
#: What makes a spreadsheet compute a cell.
_FORMULAS = ("=", "+", "-", "@")
#: Only for Ren'Py characters.
RENPY = "renpy"


def lines(plan: ExportPlan, pictures: Iterable[PlannedPicture]) -> Iterator[bytes]:
    """Yield a JSON object and a line feed for each picture."""
    for picture in pictures:
        recipe = picture.recipe
        entry: dict[str, Any] = {
            "file": picture.file,
            "seed": recipe.seed,
            "attributes": recipe.attributes,
            "psi": recipe.psi,
            "size": recipe.size,
            "transparent": plan.transparent,
            "rolled_by_quality": plan.quality_sha256 is not None,
            "weights_sha256": recipe.weights_sha256,
            "version": recipe.version,
            "licence": plan.licence,
        }
        if plan.renpy is not None:
            entry[RENPY] = image_name(picture.file.removesuffix(SUFFIX))
        yield (json.dumps(entry, ensure_ascii=False) + "\n").encode()


def table(plan: ExportPlan, pictures: Iterable[PlannedPicture]) -> Iterator[bytes]:
    """Yield the rows of a CSV file (RFC 4180), one column for each attribute.

    No cell is a formula or has line breaks: a spreadsheet would compute the first, and many readers
    split at the second. The lines of JSON hold the same without any change.
    """
    attributes = list(plan.attributes)
    yield _row([*LEFT, *attributes, *RIGHT, *([RENPY] if plan.renpy is not None else [])])
    for picture in pictures:
        recipe = picture.recipe
        cells: list[object] = [
            picture.file,
            recipe.seed,
            *(recipe.attributes[name] for name in attributes),
            recipe.psi,
            recipe.size,
            _yes_or_no(plan.transparent),
            _yes_or_no(plan.quality_sha256 is not None),
            recipe.weights_sha256,
            recipe.version,
            plan.licence,
        ]
        if plan.renpy is not None:
            cells.append(image_name(picture.file.removesuffix(SUFFIX)))
        yield _row(cells)


def _yes_or_no(value: bool) -> str:
    return "true" if value else "false"


def _row(cells: Iterable[object]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(_plain(cell) for cell in cells)
    return buffer.getvalue().encode()


def _plain(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    text = " ".join(cell.split()) if not cell.isprintable() else cell
    return f"'{text}" if text.startswith(_FORMULAS) else text
