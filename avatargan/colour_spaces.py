"""Colours as they are meant to be seen: pictures of any colour space to sRGB.

What counts is what a profile does to colours, never what it is called. What a file says in other
ways than by a profile (gamma and chromaticities of PNG and BMP, the code points of PNG's cICP)
becomes a profile first, so that one program, LittleCMS, does all the arithmetic.
"""

import io
import struct
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Matrix = NDArray[np.float64]

#: x and y of white, red, green and blue.
_SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
#: By the code points of ITU-T H.273 that PNG's cICP holds.
_PRIMARIES = {
    1: _SRGB,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (0.3127, 0.3290, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
#: Gammas by code point; 0 stands for sRGB's curve, which video's is shown with as well. Those of
#: high dynamic range (16, 18) are left out: they need more than a curve.
_TRANSFERS = {1: 0.0, 4: 2.2, 5: 2.8, 6: 0.0, 8: 1.0, 13: 0.0, 14: 0.0, 15: 0.0}
#: The gamma of files that stands for sRGB's curve in old files, give or take 5 % as in libpng.
_USUAL_GAMMA, _USUAL_WITHIN = 1 / 2.2, 0.05
_D50 = np.array([0.9642, 1.0, 0.8249])
#: Bradford's cone responses, by which ICC profiles adapt white.
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
#: Profiles of what pictures come from; links between devices and named colours are none.
_CLASSES = frozenset({"mntr", "scnr", "prtr", "spac"})
_SPACE_OF_MODE = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
#: A profile that moves no colour by more than this is sRGB, but for rounding.
_ROUNDING = 1


def in_srgb(colours: Image.Image, info: Mapping[Any, Any]) -> Image.Image:
    """Return colours in sRGB.

    A profile that is damaged or does not fit the picture is left out, as browsers do.

    Args:
        colours: of mode RGB, L or CMYK.
        info: what the file says of them: Pillow's, and that of :func:`bmp_profile` and
            :func:`avatargan.ancillary.png_facts`.
    """
    profile = _profile_of(info)
    if profile is not None:
        if colours.mode == "L" and _space(profile) == "RGB":
            colours = colours.convert("RGB")
        transform = _transform(profile, colours.mode)
        if transform is not None:
            return transform.apply(colours)
    return colours if colours.mode in ("RGB", "L") else colours.convert("RGB")


def bmp_profile(file: BinaryIO) -> bytes | None:
    """Return the profile of a BMP: embedded, or made of its primaries and gamma."""
    file.seek(14)
    header = file.read(124)
    if len(header) < 108 or int.from_bytes(header[:4], "little") < 108:
        return None
    kind = header[56:60][::-1]
    if kind == b"MBED" and len(header) == 124:
        offset, length = struct.unpack_from("<II", header, 112)
        file.seek(14 + offset)
        return file.read(min(length, 2**24)) or None
    if kind != bytes(4):
        return None
    ends = np.array(struct.unpack_from("<9i", header, 60), float).reshape(3, 3)
    gammas = np.array(struct.unpack_from("<3I", header, 96), float) / 2**16
    sums = ends.sum(axis=1)
    if not (np.all(sums > 0) and np.all((gammas >= 1) & (gammas <= 4))):
        return None
    points = (ends[:, :2] / sums[:, None]).ravel()
    return _matrix_profile((*_SRGB[:2], *points.tolist()), gammas.tolist())


def _profile_of(info: Mapping[Any, Any]) -> bytes | None:
    """Return the profile that says most, in the order that PNG gives its chunks."""
    cicp = info.get("cicp")
    if cicp is not None and cicp[2] == 0 and cicp[3] == 1:
        primaries, gamma = _PRIMARIES.get(cicp[0]), _TRANSFERS.get(cicp[1])
        if primaries is not None and gamma is not None:
            return _matrix_profile(primaries, [gamma] * 3)
    profile = info.get("icc_profile")
    if isinstance(profile, bytes) and profile:
        return profile
    encoding = info.get("gamma")
    if "srgb" in info or not isinstance(encoding, float) or not 0.1 <= encoding <= 2:
        return None
    usual = abs(encoding / _USUAL_GAMMA - 1) <= _USUAL_WITHIN
    points = info.get("chromaticity", _SRGB)
    return _matrix_profile(tuple(points), [0.0 if usual else 1 / encoding] * 3)


def _space(profile: bytes) -> str:
    """Return the colour space of a profile's data, from its header."""
    return profile[16:20].decode("latin-1").strip()


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what brings colours of a profile to sRGB; None where there is nothing to do."""
    fits = _space(profile) == _SPACE_OF_MODE[mode] and profile[12:16].decode("latin-1") in _CLASSES
    if not fits:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        intent = ImageCms.getDefaultIntent(source)
        if intent not in (0, 1, 2, 3):
            intent = 0
        transform = ImageCms.buildTransform(
            source, _srgb_profile(), mode, "RGB", ImageCms.Intent(intent)
        )
        if mode == "RGB" and _changes_nothing(transform):
            return None
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    after = np.asarray(transform.apply(Image.fromarray(colours)), int)
    return bool(abs(after - colours).max() <= _ROUNDING)


@cache
def _srgb_profile() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@lru_cache(maxsize=32)
def _cached_matrix_profile(points: tuple[float, ...], gammas: tuple[float, ...]) -> bytes | None:
    white, *primaries = (
        np.array([x / y, 1, (1 - x - y) / y]) if y > 0 else np.zeros(3)
        for x, y in zip(points[::2], points[1::2], strict=True)
    )
    try:
        basis = np.stack(primaries, axis=1)
        colorants = basis * np.linalg.solve(basis, white)
    except np.linalg.LinAlgError:
        return None
    cones = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) if white.all() else np.eye(3)
    adapted = np.linalg.solve(_BRADFORD, cones @ _BRADFORD @ colorants)
    if not (np.isfinite(adapted).all() and abs(adapted).max() < 4):
        return None
    tags = {b"wtpt": _xyz(_D50)}
    tags |= {name: _xyz(adapted[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    tags |= {name: _curve(gammas[i]) for i, name in enumerate((b"rTRC", b"gTRC", b"bTRC"))}
    return _profile_file(tags)


def _matrix_profile(points: Sequence[float], gammas: Sequence[float]) -> bytes | None:
    """Return an ICC profile of three primaries (ICC.1:2010, 8.3.3).

    Args:
        points: x and y of white, red, green and blue.
        gammas: of red, green and blue; 0 stands for sRGB's curve.
    """
    return _cached_matrix_profile(tuple(points), tuple(gammas)) if len(points) == 8 else None


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _xyz(values: Sequence[float] | Matrix) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _curve(gamma: float) -> bytes:
    if gamma:
        return b"para\0\0\0\0" + struct.pack(">HH", 0, 0) + _fixed(gamma)
    srgb = _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + srgb


def _profile_file(tags: Mapping[bytes, bytes]) -> bytes:
    texts = {b"desc": "from the file", b"cprt": "none"}
    for name, text in texts.items():
        words = text.encode("utf-16-be")
        record = struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(words), 28)
        tags = {**tags, name: b"mluc\0\0\0\0" + record + words}
    start, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(data), len(content))
        data += content + b"\0" * (-len(content) % 4)
    body = struct.pack(">I", len(tags)) + table + data
    header = struct.pack(
        ">I4sI4s4s4s", 128 + len(body), b"none", 0x04200000, b"mntr", b"RGB ", b"XYZ "
    )
    header += (
        struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(*_D50) + bytes(48)
    )
    return header + body
