"""GIF: read everywhere, 256 colours, alpha that is on or off.

Format: "Graphics Interchange Format, Version 89a", CompuServe 1990.
"""

import io
import struct
from typing import BinaryIO

from PIL import Image

from avatargan.errors import OptionError
from avatargan.morph.clip import Clip
from avatargan.morph.encoders.palette import choose_palette, palette_image, visible_pixels
from avatargan.morph.parallel import map_ahead

CENTISECONDS = 100
#: Browsers slow frames of less than two centiseconds down to ten.
LARGEST_FPS = 50
#: Frames that the colours are chosen from.
SAMPLES = 24
#: Alpha from here on is opaque.
OPAQUE_FROM = 128
#: With transparency, the last of the 256 colours stands for it.
TRANSPARENT_INDEX = 255
RESTORE_BACKGROUND, KEEP = 2, 1

SCREEN_BYTES, DESCRIPTOR_BYTES = 7, 10
EXTENSION, TRAILER = 0x21, b"\x3b"


def check_gif(clip: Clip) -> None:
    """Refuse what GIF players cannot play.

    Raises:
        OptionError: there are more than 50 frames a second.
    """
    if clip.fps > LARGEST_FPS:
        raise OptionError(
            f"players slow GIFs of more than {LARGEST_FPS} frames a second down; "
            "choose fewer, or .webp"
        )


def encode_gif(clip: Clip, out: BinaryIO) -> None:
    """Write a clip as a GIF: one palette for all frames, with Floyd-Steinberg dithering."""
    visible = visible_pixels(clip.samples(SAMPLES), OPAQUE_FROM)
    colours = choose_palette(visible, TRANSPARENT_INDEX if clip.transparent else 256)
    palette = palette_image(colours)
    out.write(b"GIF89a" + struct.pack("<HHBBB", clip.size, clip.size, 0b1_111_0_111, 0, 0))
    out.write(colours.tobytes().ljust(3 * 256, b"\0"))
    if clip.loop:
        out.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", 0) + b"\0")
    out.write(b"\x21\xfe" + _sub_blocks(clip.metadata.encode("ascii")))
    disposal = RESTORE_BACKGROUND if clip.transparent else KEEP

    def encode_frame(frame: Image.Image) -> bytes:
        return _compress(_to_palette(frame, palette))

    delays = clip.delays(CENTISECONDS)
    for delay, pixels in zip(delays, map_ahead(encode_frame, clip.frames), strict=True):
        flags = disposal << 2 | clip.transparent
        out.write(struct.pack("<BBBBHBB", 0x21, 0xF9, 4, flags, delay, TRANSPARENT_INDEX, 0))
        out.write(struct.pack("<BHHHHB", 0x2C, 0, 0, clip.size, clip.size, 0))
        out.write(pixels)
    out.write(TRAILER)


def _to_palette(frame: Image.Image, palette: Image.Image) -> Image.Image:
    indexed = frame.convert("RGB").quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    if frame.mode == "RGBA":
        hidden = frame.getchannel("A").point(lambda alpha: 255 * (alpha < OPAQUE_FROM))
        indexed.paste(TRANSPARENT_INDEX, mask=hidden)
    return indexed


def _compress(indexed: Image.Image) -> bytes:
    """Return the code size and the LZW data of a frame, out of a GIF of its own."""
    buffer = io.BytesIO()
    indexed.save(buffer, "gif", optimize=False, interlace=False)
    gif = buffer.getvalue()
    position = len("GIF89a") + SCREEN_BYTES + _table_bytes(gif[len("GIF89a") + 4])
    while gif[position] == EXTENSION:
        position += 2
        while gif[position]:  # sub-blocks, each behind its length
            position += 1 + gif[position]
        position += 1
    position += DESCRIPTOR_BYTES + _table_bytes(gif[position + DESCRIPTOR_BYTES - 1])
    return gif[position : -len(TRAILER)]


def _table_bytes(flags: int) -> int:
    """Return how long the colour table is that the flags of a screen or an image announce."""
    return 3 * 2 ** ((flags & 0b111) + 1) if flags & 0b1000_0000 else 0


def _sub_blocks(content: bytes) -> bytes:
    blocks = [content[start : start + 255] for start in range(0, len(content), 255)]
    return b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
