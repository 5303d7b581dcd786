"""Decoding pictures that may come from anywhere."""

import io
import os
import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from avatargan.errors import PictureError
from avatargan.files import is_special

#: Pictures above this are refused before they are decoded.
LARGEST_PICTURE_PIXELS = 25_000_000
#: What is decoded. Not all that Pillow knows: some formats start other programs.
PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF")
#: The endings under which pictures of those formats are looked for in folders and archives.
PICTURE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif"})


def open_picture(source: str | os.PathLike[str] | bytes | BinaryIO) -> Image.Image:
    """Decode a picture from a path, bytes or an open file.

    Raises:
        PictureError: it cannot be read, is not an image, is damaged, or has more than 25
            megapixels (which is found out from the header, before anything is decoded).
    """
    name = str(source) if isinstance(source, str | os.PathLike) else "the picture"
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        if isinstance(source, str | os.PathLike) and is_special(source):
            raise PictureError(f"{name}: not a readable picture (a pipe or a device, not a file)")
        with Image.open(stream, formats=PICTURE_FORMATS) as image:
            width, height = image.size
            if width * height > LARGEST_PICTURE_PIXELS:
                raise PictureError(
                    f"{name}: {width} x {height} pixels are more than the limit of 25 megapixels"
                )
            image.load()
    except FileNotFoundError:
        raise PictureError(f"{name}: there is no such file") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(f"{name}: more pixels than the limit of 25 megapixels") from None
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        OverflowError,
        LookupError,  # these two: Pillow, about chunks that are shorter than they should be
        struct.error,
    ) as error:
        raise PictureError(f"{name}: not a readable picture ({error})") from error
    return image


def rgb_pixels(image: Image.Image) -> NDArray[np.uint8]:
    """Return a decoded picture as it is meant to be seen, ``[H, W, 3]`` RGB.

    Turned as its EXIF orientation says, in sRGB where it has a colour profile, with what is
    transparent over white.

    Raises:
        PictureError: its colours cannot be converted.
    """
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16"):  # Pillow would clip the 16 bits instead of scaling them
            image = image.point(lambda value: value / 256).convert("L")
        image = _in_srgb(image)
        if image.has_transparency_data:
            ground = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(ground, image.convert("RGBA"))
        return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, LookupError, struct.error) as error:
        raise PictureError(f"not a readable picture ({error})") from error


def _in_srgb(image: Image.Image) -> Image.Image:
    """Apply a colour profile; one that is damaged or fits nothing is left out, as browsers do."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        mode = "RGB" if image.mode == "CMYK" else image.mode
        converted = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return image if converted is None else converted
