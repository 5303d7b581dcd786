"""Decoding pictures that may come from anywhere."""

import io
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from avatargan.ancillary import JPEG_SIGNATURE, jpeg_facts, orientation, pixels_alone, png_facts
from avatargan.colour_spaces import bmp_profile, in_srgb
from avatargan.errors import PictureError
from avatargan.files import is_special

#: Pictures above this are refused before they are decoded.
LARGEST_PICTURE_PIXELS = 25_000_000
#: What is decoded. Not all that Pillow knows: some formats start other programs.
PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF")
#: The endings under which pictures of those formats are looked for in folders and archives.
PICTURE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif"})
#: How the keywords of notes begin that this program writes into PNGs.
NOTE_KEYWORD = "avatargan"
#: Bytes of a file that are looked through for its pixels apart from what stands beside them.
LARGEST_MENDED = 128 * 2**20
#: What Pillow raises about files that are not as they should be.
_DAMAGE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    OverflowError,
    LookupError,  # Pillow, about chunks that are shorter than they should be
    struct.error,
    RuntimeError,  # AVIF's decoder
    UserWarning,  # Pillow, about animations that are none; an error where warnings are
    ImageCms.PyCMSError,
)
#: What brings a picture of an EXIF orientation upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _reason(error: Exception) -> str:
    """Return what Pillow says of a file, without the object that it read from."""
    return str(error).partition(" <_io.")[0]


def open_picture(source: str | os.PathLike[str] | bytes | BinaryIO) -> Image.Image:
    """Decode a picture from a path, bytes or an open file.

    Its ``info`` has what Pillow found, and a recipe wherever in a PNG it stands. What stands beside
    the pixels and is damaged, or too large, is left out.

    Raises:
        PictureError: it cannot be read, is not an image, is damaged, or has more than 25
            megapixels (which is found out from the header, before anything is decoded).
    """
    name = str(source) if isinstance(source, str | os.PathLike) else "the picture"
    try:
        if isinstance(source, str | os.PathLike):
            if is_special(source):
                raise PictureError(
                    f"{name}: not a readable picture (a pipe or a device, not a file)"
                )
            with Path(source).open("rb") as file:
                return _open(file, name)
        return _open(io.BytesIO(source) if isinstance(source, bytes) else source, name)
    except FileNotFoundError:
        raise PictureError(f"{name}: there is no such file") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(f"{name}: more pixels than the limit of 25 megapixels") from None
    except UnidentifiedImageError as error:  # its message is the place of an object, or of a file
        raise PictureError(
            f"{name}: not a readable picture (nothing that is known begins like this)"
        ) from error
    except _DAMAGE as error:
        raise PictureError(f"{name}: not a readable picture ({_reason(error)})") from error


def rgb_pixels(image: Image.Image) -> NDArray[np.uint8]:
    """Return a decoded picture as it is meant to be seen, ``[H, W, 3]`` RGB.

    Turned as its EXIF orientation says, in sRGB whatever colour space it is stored in, with what
    is transparent over white.

    Raises:
        PictureError: its colours cannot be converted.
    """
    try:
        colours, alpha = _colours_and_alpha(image)
        colours = in_srgb(colours, image.info).convert("RGB")
        if alpha is not None:
            ground = Image.new("RGB", image.size, "white")
            ground.paste(colours, mask=alpha)
            colours = ground
        turn = _TURNS.get(orientation(image.info))
        if turn is not None:
            colours = colours.transpose(turn)
        return np.asarray(colours)
    except _DAMAGE as error:
        raise PictureError(f"not a readable picture ({error})") from error


def _open(file: BinaryIO, name: str) -> Image.Image:
    start = file.tell()
    facts: dict[str, Any] = {}
    is_jpeg = file.read(2) == JPEG_SIGNATURE
    file.seek(start)
    try:
        if is_jpeg:  # always: Pillow warns of odd EXIF, which is read here instead
            content = file.read(LARGEST_MENDED)
            image = _decode(io.BytesIO(pixels_alone(content) or b""), name)
            facts = jpeg_facts(content)
        else:
            image = _decode(file, name)
    except _DAMAGE as error:
        # Perhaps it is not the pixels that are damaged.
        file.seek(start)
        content = file.read(LARGEST_MENDED)
        plain = None if is_jpeg else pixels_alone(content)
        if plain is None:
            raise
        try:
            image = _decode(io.BytesIO(plain), name)
        except _DAMAGE:
            raise error from None
        file = io.BytesIO(content)
    if image.format == "PNG":
        facts = png_facts(file, NOTE_KEYWORD)
    elif image.format == "BMP":
        facts = {"icc_profile": bmp_profile(file)}
    for key, value in facts.items():
        image.info.setdefault(key, value)
    return image


def _decode(file: BinaryIO, name: str) -> Image.Image:
    with Image.open(file, formats=PICTURE_FORMATS) as image:
        width, height = image.size
        if width * height > LARGEST_PICTURE_PIXELS:
            raise PictureError(
                f"{name}: {width} x {height} pixels are more than the limit of 25 megapixels"
            )
        image.load()
    return image


def _colours_and_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return the colours of a picture, of mode RGB, L or CMYK, and its transparency."""
    if image.mode.startswith("I"):  # Pillow would clip the 16 bits instead of scaling them
        values = np.asarray(image).astype(np.uint32)
        key = image.info.get("transparency")
        alpha = Image.fromarray(np.uint8(255) * (values != key)) if isinstance(key, int) else None
        scaled = (values.clip(0, 65535) * 255 + 32767) // 65535
        return Image.fromarray(scaled.astype(np.uint8)), alpha
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    if image.mode in ("1", "L", "LA"):
        return image.convert("L"), alpha
    if image.mode == "CMYK":
        return image, alpha
    if alpha is not None:  # palettes with transparency go to RGB by way of RGBA
        image = image.convert("RGBA")
    return image.convert("RGB"), alpha
