"""What stands beside the pixels in the files of pictures: found, bounded, or left out.

Notes, thumbnails and camera data are written by many programs and damaged by some. None of it is a
reason to refuse the pixels: :func:`pixels_alone` gives a file without it, and the functions beside
it find the little that matters.
"""

import binascii
import io
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8"
#: Bytes of a note or of camera data that are read, unpacked.
LARGEST_TEXT = 2**20
#: Those of printers are the largest.
LARGEST_PROFILE = 16 * 2**20
#: A picture of 25 megapixels in chunks of 8 KiB has a quarter of it.
_MOST_CHUNKS = 100_000
#: PNG: what decoding needs, with the chunks of animations.
_PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"})
#: JPEG: segments that say how pixels are coded (JFIF, Adobe); those of profiles are kept as well.
_JPEG_PIXELS = frozenset({0xE0, 0xEE})
_JPEG_PROFILE = b"ICC_PROFILE\0"
_EXIF_PREFIX = b"Exif\0\0"
_ORIENTATION_TAG = 0x0112
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])\b")
#: EXIF: how whole numbers are stored, by the number of their type.
_EXIF_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}


def png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, offset and length of each chunk of a PNG; it ends where the file is damaged."""
    file.seek(0)
    if file.read(8) != PNG_SIGNATURE:
        return
    position = 8
    for _ in range(_MOST_CHUNKS):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = int.from_bytes(head[:4]), head[4:]
        if length > 2**31 or not kind.isalpha():
            return
        yield kind, position + 8, length
        position += length + 12
        if kind == b"IEND":
            return


def png_facts(file: BinaryIO, keyword: str) -> dict[str, Any]:
    """Return what a PNG holds that Pillow does not tell, or not always.

    Args:
        file: of the picture.
        keyword: how the notes begin that are wanted, wherever in the file they stand.

    Returns:
        The notes by their keyword; "cicp", four numbers, where there are some; "icc_profile";
        "exif"; "xmp".
    """
    facts: dict[str, Any] = {}
    for kind, position, length in png_chunks(file):
        if kind not in (b"tEXt", b"zTXt", b"iTXt", b"cICP", b"iCCP", b"eXIf"):
            continue
        file.seek(position)
        content = file.read(min(length, LARGEST_PROFILE))
        if kind == b"cICP":
            if length == 4:
                facts["cicp"] = tuple(content)
        elif kind == b"eXIf":
            facts["exif"] = content[:LARGEST_TEXT]
        elif kind == b"iCCP":
            packed = content.partition(b"\0")[2]
            if packed[:1] == b"\0":
                facts["icc_profile"] = _unpacked(packed[1:], LARGEST_PROFILE)
        else:
            name = content.partition(b"\0")[0].decode("latin-1")
            if name.startswith(keyword):
                facts[name] = _text(kind, content[len(name) + 1 :])
            elif name == "XML:com.adobe.xmp":
                text = _text(kind, content[len(name) + 1 :])
                facts["xmp"] = text.encode() if text is not None else None
    return {name: value for name, value in facts.items() if value is not None}


def pixels_alone(content: bytes) -> bytes | None:
    """Return a PNG or JPEG with nothing but what decoding needs; None for other files."""
    if content.startswith(PNG_SIGNATURE):
        return _png_pixels(content)
    if content.startswith(JPEG_SIGNATURE):
        kept = [
            (position, end)
            for marker, position, end in _jpeg_segments(content)
            if marker in _JPEG_PIXELS
            or not (0xE0 <= marker <= 0xEF or marker == 0xFE)
            or content[position + 4 :].startswith(_JPEG_PROFILE)
        ]
        return JPEG_SIGNATURE + b"".join(content[start:end] for start, end in kept)
    return None


def jpeg_facts(content: bytes) -> dict[str, Any]:
    """Return "exif" and "xmp" of a JPEG, as they stand there."""
    facts: dict[str, Any] = {}
    for marker, position, end in _jpeg_segments(content):
        segment = content[position + 4 : end]
        if marker == 0xE1 and segment.startswith(_EXIF_PREFIX):
            facts.setdefault("exif", segment)
        elif marker == 0xE1 and segment.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            facts.setdefault("xmp", segment.partition(b"\0")[2])
    return facts


def orientation(info: Mapping[Any, Any]) -> int:
    """Return how a picture is to be turned, 1 to 8 as EXIF counts, from what it carries.

    EXIF counts before XMP. Of both nothing but this one number is looked at.
    """
    exif = info.get("exif")
    if not isinstance(exif, bytes):
        exif = _exif_as_text(info.get("Raw profile type exif"))
    found = _exif_orientation(exif[:LARGEST_TEXT]) if exif else None
    if found is not None:
        return found
    xmp = info.get("xmp", info.get("XML:com.adobe.xmp", b""))
    if isinstance(xmp, str):
        xmp = xmp.encode(errors="replace")
    match = _XMP_ORIENTATION.search(xmp[:LARGEST_TEXT]) if isinstance(xmp, bytes) else None
    return int(match[1]) if match is not None else 1


def _exif_orientation(exif: bytes) -> int | None:
    """Return the orientation in the first directory of TIFF data, None where there is none."""
    tiff = exif.removeprefix(_EXIF_PREFIX)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return None
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    if start + 2 > len(tiff):
        return None
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    for position in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", tiff, position)
        if tag != _ORIENTATION_TAG or values < 1:
            continue
        if kind in _EXIF_INTEGERS:
            (value,) = struct.unpack_from(order + _EXIF_INTEGERS[kind], tiff, position + 8)
        elif kind == 2:  # written out as text
            digit = tiff[position + 8 : position + 9]
            value = int(digit) if digit.isdigit() else 0
        else:
            continue
        if 1 <= value <= 8:
            return int(value)
    return None


def _exif_as_text(text: object) -> bytes | None:
    """Return EXIF data that ImageMagick wrote into a note, in hexadecimal."""
    if not isinstance(text, str) or len(text) > 2 * LARGEST_TEXT:
        return None
    try:
        return binascii.unhexlify("".join(text.split("\n")[3:]))
    except ValueError:
        return None


def _png_pixels(content: bytes) -> bytes:
    kept = [PNG_SIGNATURE]
    for kind, position, length in png_chunks(io.BytesIO(content)):
        if kind in _PNG_PIXELS:
            kept.append(content[position - 8 : position + length + 4])
    return b"".join(kept)


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment; the last one holds the pixels."""
    position = 2
    while position + 4 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        if marker == 0xDA:
            break
        end = position + 2 + int.from_bytes(content[position + 2 : position + 4])
        yield marker, position, end
        position = end
    yield 0xDA, position, len(content)


def _text(kind: bytes, content: bytes) -> str | None:
    """Return the text of a note from what follows its keyword."""
    if kind == b"tEXt":
        return content.decode("latin-1") if len(content) <= LARGEST_TEXT else None
    if kind == b"zTXt":
        text = _unpacked(content[1:], LARGEST_TEXT)
        return text.decode("latin-1") if text is not None else None
    packed = content[:1] == b"\1"
    text = content[2:].partition(b"\0")[2].partition(b"\0")[2]
    if packed:
        text = _unpacked(text, LARGEST_TEXT)
    try:
        return text.decode() if text is not None and len(text) <= LARGEST_TEXT else None
    except UnicodeDecodeError:
        return None


def _unpacked(packed: bytes, limit: int) -> bytes | None:
    """Return what was compressed, None where it is damaged or larger than the limit."""
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(packed, limit)
    except zlib.error:
        return None
    return content if unpacker.eof else None
