"""Animated PNG: every colour, soft alpha, large files.

Format: Portable Network Graphics (PNG) Specification, third edition, W3C 2025.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from avatargan.morph.clip import Clip
from avatargan.morph.metadata import PNG_KEYWORD
from avatargan.morph.parallel import map_ahead
from avatargan.recipe import encode_png

SIGNATURE = b"\x89PNG\r\n\x1a\n"


DISPOSE_NONE = 0
BLEND_SOURCE = 0  # a frame replaces the one before it, alpha and all
FOREVER, ONCE = 0, 1


def encode_apng(clip: Clip, out: BinaryIO) -> None:
    """Write a clip as an animated PNG; viewers without animation show the first frame."""
    delay = clip.frame_rate
    sequence = 0  # counts fcTL and fdAT chunks together
    for number, png in enumerate(map_ahead(encode_png, clip.frames)):
        chunks = _contents_by_chunk(png)
        if number == 0:
            out.write(SIGNATURE)
            out.write(_chunk(b"IHDR", chunks[b"IHDR"]))
            plays = FOREVER if clip.loop else ONCE
            out.write(_chunk(b"acTL", struct.pack(">II", clip.count, plays)))
            text = PNG_KEYWORD.encode() + b"\0" + clip.metadata.encode("ascii")
            out.write(_chunk(b"tEXt", text))
        control = struct.pack(
            ">IIIIIHHBB",
            sequence,
            clip.size,
            clip.size,
            0,
            0,
            delay.denominator,
            delay.numerator,
            DISPOSE_NONE,
            BLEND_SOURCE,
        )
        out.write(_chunk(b"fcTL", control))
        sequence += 1
        if number == 0:
            out.write(_chunk(b"IDAT", chunks[b"IDAT"]))
        else:
            out.write(_chunk(b"fdAT", struct.pack(">I", sequence) + chunks[b"IDAT"]))
            sequence += 1
    out.write(_chunk(b"IEND", b""))


def _contents_by_chunk(png: bytes) -> dict[bytes, bytes]:
    """Return the contents of a PNG's chunks by type, those of one type joined."""
    chunks: dict[bytes, bytes] = {}
    for name, content in _chunks(png):
        chunks[name] = chunks.get(name, b"") + content
    return chunks


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(SIGNATURE)
    while position < len(png):
        (length,) = struct.unpack_from(">I", png, position)
        yield png[position + 4 : position + 8], png[position + 8 : position + 8 + length]
        position += length + 12


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
