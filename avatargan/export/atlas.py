"""Atlas files in the hash and array forms of TexturePacker's JSON.

Phaser, PixiJS, Godot and Unity importers read one or both of them.
"""

import json
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from avatargan.export import layout
from avatargan.export.sheets import Frame, Sheet
from avatargan.version import __version__


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
    frames = [{"filename": frame.file, **_frame(frame, sheet.side)} for frame in sheet.frames]
    return _document({"frames": frames}, sheet, *_names(sheet, sheets, layout.atlas_array))


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


def _names(sheet: Sheet, sheets: int, path_of: Callable[[int], str]) -> tuple[str, list[str]]:
    """Return the name of a sheet's picture, and of the atlas files of all other sheets."""
    others = [
        PurePosixPath(path_of(other)).name for other in range(sheets) if other != sheet.number
    ]
    return PurePosixPath(layout.sheet_image(sheet.number)).name, others


def _frame(frame: Frame, side: int) -> dict[str, Any]:
    return {
        "frame": {"x": frame.x, "y": frame.y, "w": side, "h": side},
        "rotated": False,
        "trimmed": False,
        "spriteSourceSize": {"x": 0, "y": 0, "w": side, "h": side},
        "sourceSize": {"w": side, "h": side},
    }


def _document(content: dict[str, Any], sheet: Sheet, image: str, other_atlases: list[str]) -> str:
    meta: dict[str, Any] = {
        "app": "avatargan",
        "version": __version__,
        "image": image,
        "format": "RGBA8888",
        "size": {"w": sheet.width, "h": sheet.height},
        "scale": "1",
    }
    if other_atlases:
        meta["related_multi_packs"] = other_atlases
    return json.dumps({**content, "meta": meta}, indent=1, ensure_ascii=False) + "\n"
