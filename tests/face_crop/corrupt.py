"""Files that are broken in every way that disks, downloads and people break them."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

KINDS = ("truncated", "flipped", "wrong type", "empty", "enormous", "half a header", "zeroed tail")


def write_corrupted(folder: Path, count: int, seed: int = 0) -> None:
    """Write ``count`` broken files; those of one kind all differ, but for the empty ones."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(seed)
    whole = [_encoded(kind, chance) for kind in ("PNG", "JPEG", "WEBP", "GIF") for _ in range(3)]
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        content = _broken(kind, whole[chance.integers(len(whole))], number, chance)
        ending = ("png", "jpg", "webp", "gif", "jpeg")[number % 5]
        (folder / f"{number:05d}-{kind.replace(' ', '-')}.{ending}").write_bytes(content)


def _encoded(kind: str, chance: np.random.Generator) -> bytes:
    patches = chance.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(patches).resize((160, 120), Image.Resampling.BICUBIC)
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()


def _broken(kind: str, whole: bytes, number: int, chance: np.random.Generator) -> bytes:
    match kind:
        case "truncated":
            return whole[: int(chance.integers(8, len(whole) - 16))]
        case "flipped":  # in a PNG, whose checksums leave no doubt
            damaged = bytearray(_png(40, 30, number))
            for _ in range(8):
                damaged[int(chance.integers(16, len(damaged) - 16))] ^= 0x5A
            return bytes(damaged)
        case "wrong type":
            return b"<!DOCTYPE html><title>404</title>" + str(number).encode() * 50
        case "empty":
            return b""
        case "enormous":
            return _png(50_000, 50_000, number)
        case "half a header":
            return whole[: int(chance.integers(1, 20))] + str(number).encode()
    whole = _png(160, 120, number)  # a JPEG that ends in zeros decodes without a word
    return whole[: len(whole) // 3] + bytes(len(whole) - len(whole) // 3)


def _png(width: int, height: int, number: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes([number % 251] * 120) for _ in range(30)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    )
