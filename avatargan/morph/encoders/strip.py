"""A sprite sheet of the frames, with its atlas, for game engines."""

from pathlib import Path

from PIL import Image, PngImagePlugin

from avatargan.errors import OptionError
from avatargan.export.atlas import animation_form
from avatargan.export.sheets import Frame, Sheet
from avatargan.files import atomic_writer, write_atomically
from avatargan.morph.clip import Clip
from avatargan.morph.metadata import PNG_KEYWORD

#: What a row may be wide: many phones load no larger textures.
LARGEST_WIDTH = 4096
#: Graphics cards of ten years ago load textures of this side; many of today load no larger ones.
LARGEST_SIDE = 8192


def check_strip(clip: Clip, target: Path) -> list[Path]:
    """Return the sheet and the atlas that would be written.

    Raises:
        OptionError: the name does not end in .png, or the frames do not fit on one sheet.
    """
    if target.suffix.lower() != ".png":
        raise OptionError(f"{target}: the name of a strip should end in .png")
    most = (LARGEST_WIDTH // clip.size) * (LARGEST_SIDE // clip.size)
    if clip.count > most:
        raise OptionError(
            f"a sheet of {LARGEST_WIDTH} x {LARGEST_SIDE} px holds {most} frames of "
            f"{clip.size} px, not {clip.count}; choose a smaller size, or fewer frames"
        )
    return [target, target.with_suffix(".json")]


def write_strip(clip: Clip, target: Path, *, overwrite: bool) -> None:
    """Write the frames in one row, or in as many as keep the sheet's width within the limit.

    Frames are called ``NAME_0000`` and so on, NAME being that of the sheet, in the order that
    engines sort and play them in.

    Raises:
        OutputError: a file exists already (unless ``overwrite``), or cannot be written.
    """
    sheet = _lay_out(clip, target.stem)
    info = PngImagePlugin.PngInfo()
    info.add_text(PNG_KEYWORD, clip.metadata)
    with atomic_writer(target, overwrite=overwrite) as file:
        canvas = Image.new("RGBA" if clip.transparent else "RGB", (sheet.width, sheet.height))
        for place, frame in zip(sheet.frames, clip.frames, strict=True):
            canvas.paste(frame, (place.x, place.y))
        canvas.save(file, "png", pnginfo=info, compress_level=4)
    atlas = animation_form(sheet, target.name, target.stem)
    write_atomically(target.with_suffix(".json"), atlas, overwrite=overwrite)


def _lay_out(clip: Clip, name: str) -> Sheet:
    columns = min(clip.count, LARGEST_WIDTH // clip.size)
    rows = -(-clip.count // columns)
    frames = tuple(
        Frame(f"{name}_{number:04d}", number % columns * clip.size, number // columns * clip.size)
        for number in range(clip.count)
    )
    return Sheet(0, columns * clip.size, rows * clip.size, clip.size, frames)
