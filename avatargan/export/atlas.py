"""Atlas files in the hash and array forms of TexturePacker's JSON, and Phaser's multiatlas.

Phaser, PixiJS, Godot and Unity importers read one or both of the first two; the third is one file
for all sheets.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from avatargan.export import layout
from avatargan.export.sheets import Frame, Sheet
from avatargan.version import __version__

APP = "avatargan"


def hash_form(sheet: Sheet, sheets: int) -> str:
    """Return the JSON whose frames are an object by file name.

    Args:
        sheet: the sheet it describes.
        sheets: how many there are; each file names the others, so that PixiJS loads all of them
            from the first.
    """
    return _document({"frames": _by_name(sheet)}, sheet, *_names(sheet, sheets, layout.atlas_hash))


def array_form(sheet: Sheet, sheets: int) -> str:
    """Return the JSON whose frames are a list, each with its file name; arguments as above."""
    return _document(
        {"frames": _in_order(sheet)}, sheet, *_names(sheet, sheets, layout.atlas_array)
    )


def multiatlas_form(sheets: Sequence[Sheet]) -> str:
    """Return the one JSON that Phaser's ``load.multiatlas`` reads for all sheets."""
    textures = [
        {**_picture(sheet, _image_of(sheet)), "frames": _in_order(sheet)} for sheet in sheets
    ]
    return _written({"textures": textures, "meta": {"app": APP, "version": __version__}})


def animation_form(sheet: Sheet, image: str, name: str) -> str:
    """Return the hash form of a sheet that holds the frames of one animation, in order.

    Args:
        sheet: the sheet it describes.
        image: the name of the sheet's picture, beside the atlas.
        name: what the animation is called, under the key that PixiJS reads.
    """
    animations = {name: [frame.file for frame in sheet.frames]}
    return _document({"frames": _by_name(sheet), "animations": animations}, sheet, image, [])


def _by_name(sheet: Sheet) -> dict[str, dict[str, Any]]:
    return {frame.file: _frame(frame, sheet.side) for frame in sheet.frames}


def _in_order(sheet: Sheet) -> list[dict[str, Any]]:
    return [{"filename": frame.file, **_frame(frame, sheet.side)} for frame in sheet.frames]


def _image_of(sheet: Sheet) -> str:
    return PurePosixPath(layout.sheet_image(sheet.number)).name


def _names(sheet: Sheet, sheets: int, path_of: Callable[[int], str]) -> tuple[str, list[str]]:
    """Return the name of a sheet's picture, and of the atlas files of all other sheets."""
    others = [
        PurePosixPath(path_of(other)).name for other in range(sheets) if other != sheet.number
    ]
    return _image_of(sheet), others


def _frame(frame: Frame, side: int) -> dict[str, Any]:
    whole = (0, 0, side, side)
    left, top, right, bottom = frame.part or whole
    size = {"w": right - left, "h": bottom - top}  # as it is before it is turned
    return {
        "frame": {"x": frame.x, "y": frame.y, **size},
        "rotated": frame.rotated,
        "trimmed": (frame.part or whole) != whole,
        "spriteSourceSize": {"x": left, "y": top, **size},
        "sourceSize": {"w": side, "h": side},
    }


def _document(content: dict[str, Any], sheet: Sheet, image: str, other_atlases: list[str]) -> str:
    meta = {"app": APP, "version": __version__, **_picture(sheet, image)}
    if other_atlases:
        meta["related_multi_packs"] = other_atlases
    return _written({**content, "meta": meta})


def _picture(sheet: Sheet, image: str) -> dict[str, Any]:
    return {
        "image": image,
        "format": "RGBA8888",
        "size": {"w": sheet.width, "h": sheet.height},
        "scale": "1",
    }


def _written(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
