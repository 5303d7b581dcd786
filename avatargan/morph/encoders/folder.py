"""A folder of PNG frames, for video editors and engines."""

import re
from pathlib import Path

from avatargan.errors import OutputError
from avatargan.files import atomic_folder
from avatargan.morph.clip import Clip
from avatargan.morph.metadata import FOLDER_FILE
from avatargan.morph.parallel import map_ahead
from avatargan.recipe import encode_png

#: At least four digits, so that frames sort by name; editors and ffmpeg know the pattern.
FRAME_NAME = "frame_{:04d}.png"
_OURS = re.compile(r"frame_\d{4,}\.png")


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder whose files are not ours to replace.

    Raises:
        OutputError: the folder is not empty (with ``overwrite``: holds anything but the frames
            of an earlier morph), or is a file.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder} is a file; choose another name for the folder of frames")
    names = sorted(entry.name for entry in folder.iterdir())
    if names and not overwrite:
        raise OutputError(
            f"{folder} exists already and is not empty; choose another name or ask to overwrite it"
        )
    strangers = [name for name in names if name != FOLDER_FILE and not _OURS.fullmatch(name)]
    if strangers:
        raise OutputError(
            f"{folder} holds '{strangers[0]}', which is no frame of a morph; choose another name"
        )


def write_folder(clip: Clip, folder: Path) -> None:
    """Write frames as PNG files and the plan as ``morph.json``; the folder appears when whole.

    Raises:
        OutputError: a file cannot be written.
    """
    with atomic_folder(folder) as unfinished:
        for number, png in enumerate(map_ahead(encode_png, clip.frames)):
            (unfinished / FRAME_NAME.format(number)).write_bytes(png)
        (unfinished / FOLDER_FILE).write_text(clip.metadata + "\n", encoding="utf-8")
