"""What a morph was drawn from, carried inside its file, and read back."""

import os
from pathlib import Path

from avatargan.errors import PictureError, RecipeError
from avatargan.morph.plan import Morph
from avatargan.pictures import open_picture

#: Keyword of the PNG text chunk.
PNG_KEYWORD = "avatargan-morph"
#: WebP keeps it in EXIF's image description.
EXIF_DESCRIPTION = 0x010E
#: Beside the frames in a folder.
FOLDER_FILE = "morph.json"


def read_morph(path: str | os.PathLike[str]) -> Morph:
    """Return the morph inside a GIF, PNG, WebP or folder of frames.

    Raises:
        PictureError: the file cannot be read, or is none of these.
        RecipeError: there is no morph in it, or a malformed one.
    """
    path = Path(path)
    text = _read_folder(path) if path.is_dir() else _read_picture(path)
    try:
        return Morph.from_json(text)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def _read_folder(folder: Path) -> str:
    try:
        return (folder / FOLDER_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(f"{folder}: no {FOLDER_FILE} in this folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PictureError(f"{folder / FOLDER_FILE}: cannot be read ({error})") from error


def _read_picture(path: Path) -> str:
    with open_picture(path) as image:
        found = (
            image.info.get(PNG_KEYWORD)
            or image.info.get("comment")
            or image.getexif().get(EXIF_DESCRIPTION)
        )
    if isinstance(found, bytes):
        found = found.decode("utf-8", errors="replace")
    if not isinstance(found, str):
        raise RecipeError(
            f"{path}: no morph in this file; use it as avatargan saved it "
            "(chats and editors strip such notes out)"
        )
    return found
