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
    frames = {frame.file: _frame(frame, sheet.side) for frame in sheet.frames}
    return _document(frames, sheet, sheets, layout.atlas_hash)


def array_form(sheet: Sheet, sheets: int) -> str:
    """Return the JSON whose frames are a list, each with its file name; arguments as above."""
    frames = [{"filename": frame.file, **_frame(frame, sheet.side)} for frame in sheet.frames]
    return _document(frames, sheet, sheets, layout.atlas_array)


def _frame(frame: Frame, side: int) -> dict[str, Any]:
    return {
        "frame": {"x": frame.x, "y": frame.y, "w": side, "h": side},
        "rotated": False,
        "trimmed": False,
        "spriteSourceSize": {"x": 0, "y": 0, "w": side, "h": side},
        "sourceSize": {"w": side, "h": side},
    }


def _document(frames: Any, sheet: Sheet, sheets: int, path_of: Callable[[int], str]) -> str:
    meta: dict[str, Any] = {
        "app": "avatargan",
        "version": __version__,
        "image": PurePosixPath(layout.sheet_image(sheet.number)).name,
        "format": "RGBA8888",
        "size": {"w": sheet.width, "h": sheet.height},
        "scale": "1",
    }
    if sheets > 1:
        meta["related_multi_packs"] = [
            PurePosixPath(path_of(other)).name for other in range(sheets) if other != sheet.number
        ]
    return json.dumps({"frames": frames, "meta": meta}, indent=1, ensure_ascii=False) + "\n"
