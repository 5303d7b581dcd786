"""Clips to files: the extension says which format; a file appears when it is whole."""

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from avatargan.errors import OptionError, OutputError, did_you_mean
from avatargan.files import atomic_writer
from avatargan.morph.clip import Clip
from avatargan.morph.encoders.apng import encode_apng
from avatargan.morph.encoders.folder import check_folder, write_folder
from avatargan.morph.encoders.gif import check_gif, encode_gif
from avatargan.morph.encoders.mp4 import check_mp4, encode_mp4
from avatargan.morph.encoders.strip import check_strip, write_strip
from avatargan.morph.encoders.webp import encode_webp


@dataclass(frozen=True)
class Encoder:
    """How a format is written.

    Attributes:
        encode: writes a clip to an open, seekable file.
        check: refuses clips that the format cannot hold, before anything is drawn.
    """

    encode: Callable[[Clip, BinaryIO], None]
    check: Callable[[Clip], None] = lambda clip: None


#: By extension.
ENCODERS: Mapping[str, Encoder] = {
    ".webp": Encoder(encode_webp),
    ".gif": Encoder(encode_gif, check_gif),
    ".apng": Encoder(encode_apng),
    ".png": Encoder(encode_apng),
    ".mp4": Encoder(encode_mp4, check_mp4),
}


def check_output(
    clip: Clip, path: str | os.PathLike[str], *, strip: bool = False, overwrite: bool = False
) -> list[Path]:
    """Return what :func:`write_animation` would, without drawing or writing; errors as there."""
    target = Path(path)
    if strip:
        files = check_strip(clip, target)
    elif _is_folder(target):
        check_folder(target, overwrite=overwrite)
        return [target]
    else:
        _encoder_for(target.suffix).check(clip)
        files = [target]
    for file in files:
        if file.is_dir():
            raise OutputError(f"{file} is a folder, not a file; choose another name")
        if file.exists() and not overwrite:
            raise OutputError(f"{file} exists already; choose another name or ask to overwrite it")
    return files


def write_animation(
    clip: Clip, path: str | os.PathLike[str], *, strip: bool = False, overwrite: bool = False
) -> list[Path]:
    """Write a clip as .webp, .gif, .png or .apng (animated PNG), .mp4, or a folder of PNG frames.

    The frames go from the pipeline to the file one by one: memory does not grow with their
    number. Nothing is left behind if the work is broken off.

    Args:
        clip: from :func:`avatargan.morph.animate`; its frames can be written once.
        path: the extension decides the format; without one it is a folder.
        strip: write a sprite sheet (.png) with its atlas (.json) instead.
        overwrite: replace a file (or a folder of earlier frames) of that name.

    Returns:
        What was written: the file, the folder, or the sheet and its atlas.

    Raises:
        OptionError: there is no format of that extension, or it cannot hold the clip.
        OutputError: the file exists already, or cannot be written.
        MissingExtraError: MP4 was asked for and ffmpeg is not installed.
    """
    files = check_output(clip, path, strip=strip, overwrite=overwrite)
    target = Path(path)
    if strip:
        write_strip(clip, target, overwrite=overwrite)
    elif _is_folder(target):
        write_folder(clip, target)
    else:
        with atomic_writer(target, overwrite=overwrite) as file:
            _encoder_for(target.suffix).encode(clip, file)
    return files


def encode_animation(clip: Clip, extension: str) -> bytes:
    """Return a clip as the bytes of a file, such as ".webp"; errors as for a file on disk."""
    encoder = _encoder_for(extension)
    encoder.check(clip)
    buffer = io.BytesIO()
    encoder.encode(clip, buffer)
    return buffer.getvalue()


def _is_folder(target: Path) -> bool:
    return not target.suffix or (target.is_dir() and target.suffix.lower() not in ENCODERS)


def _encoder_for(extension: str) -> Encoder:
    extension = extension.lower()
    if extension not in ENCODERS:
        raise OptionError(
            f"there is no animation format '{extension}'"
            f"{did_you_mean(extension, ENCODERS)} "
            f"(formats: {', '.join(ENCODERS)}, or a folder without an extension)"
        )
    return ENCODERS[extension]
