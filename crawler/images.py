"""Checking that a downloaded body is a picture, before and while it is decoded."""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import imagehash
import numpy as np
from PIL import Image, UnidentifiedImageError

from avatargan.ancillary import pixels_alone
from avatargan.errors import PictureError

Seen = TypeVar("Seen")

MAX_PIXELS = 25_000_000

# The formats that are taken, each with the suffix of its files. Pillow reads many more, most of
# them rare on the web and little tested against hostile content.
_SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif"}
_FORMATS = ["JPEG", "PNG", "WEBP", "GIF"]
# What the perceptual hash is computed from needs no more detail than this.
_DRAFT_SIZE = (256, 256)
_PATCHES = 16


@dataclass(frozen=True)
class PictureHeader:
    """What the header of a picture says, before anything is decoded."""

    suffix: str
    width: int
    height: int


def read_header(body: bytes, *, min_side: int) -> PictureHeader:
    """Read format and size from the header of ``body`` without decoding it.

    Must not run beside other threads that filter warnings.

    Raises:
        PictureError: not a JPEG, PNG, WebP or GIF, a size over 25 megapixels or under ``min_side``.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures; the limit here is lower and checked below.
            warnings.simplefilter("ignore")
            (width, height), kind = _with_pixels_of(body, lambda image: (image.size, image.format))
    except Image.DecompressionBombError:
        raise PictureError("larger than 25 megapixels") from None
    # Pillow's decoders raise many types on malformed content; each means the same here.
    except Exception as error:
        raise PictureError(f"not a JPEG, PNG, WebP or GIF picture ({_brief(error)})") from None
    if width * height > MAX_PIXELS:
        raise PictureError(f"{width}x{height} is larger than 25 megapixels")
    if min(width, height) < min_side:
        raise PictureError(f"{width}x{height} is smaller than {min_side} pixels on a side")
    return PictureHeader(_SUFFIXES[kind or ""], width, height)


@dataclass(frozen=True)
class Signature:
    """How a picture looks: near duplicates have nearly the same in both parts."""

    phash: int
    """64-bit perceptual hash (pHash): shapes, without colour."""
    colours: bytes
    """Cb and Cr of 16 x 16 patches: one drawing in two colours is two pictures."""


def perceptual_signature(body: bytes) -> Signature:
    """Return the signature of a picture whose header has been checked.

    The whole picture is decoded (of an animation, the first frame), transparency over white.

    Raises:
        PictureError: it is truncated or otherwise cannot be decoded.
    """
    try:
        return _with_pixels_of(body, _signature)
    except Exception as error:
        raise PictureError(f"the picture is damaged ({_brief(error)})") from None


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Return a picture of 16-bit grey in 8 bits; Pillow's own conversion would cut it off."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))


def _with_pixels_of(body: bytes, look: Callable[[Image.Image], Seen]) -> Seen:
    """Return what ``look`` makes of a picture, without what is damaged beside its pixels."""
    try:
        with Image.open(io.BytesIO(body), formats=_FORMATS) as image:
            return look(image)
    except Image.DecompressionBombError:
        raise
    except Exception:
        plain = pixels_alone(body)
        if plain is None:
            raise
        with Image.open(io.BytesIO(plain), formats=_FORMATS) as image:
            return look(image)


def _signature(image: Image.Image) -> Signature:
    image.draft("RGB", _DRAFT_SIZE)  # JPEG only: decodes at a fraction of the size
    image.load()
    coloured = _over_white(_in_8_bits(image))
    phash = int(str(imagehash.phash(coloured.convert("L"))), 16)
    patches = coloured.resize((_PATCHES, _PATCHES), Image.Resampling.BOX).convert("YCbCr")
    return Signature(phash, np.asarray(patches)[..., 1:].tobytes())


def _over_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    coloured = image.convert("RGBA")
    background = Image.new("RGBA", coloured.size, "white")
    return Image.alpha_composite(background, coloured)


def _brief(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # its message is the address of an object
        return "no known signature or header"
    return (str(error) or type(error).__name__).splitlines()[0][:80]
