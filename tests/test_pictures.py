"""Pictures from anywhere are decoded as they are meant to be seen, or refused with a reason."""

import contextlib
import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from avatargan.errors import PictureError
from avatargan.pictures import open_picture, rgb_pixels
from avatargan.recipe import encode_png

RED, GREEN, BLUE = (250, 10, 20), (15, 240, 30), (20, 40, 230)


def picture(size=(4, 4)):
    return Image.new("RGB", size, RED)


def test_what_is_not_a_picture_is_named(tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("dear diary")
    with pytest.raises(PictureError, match=r"notes\.png: not a readable picture"):
        open_picture(path)
    with pytest.raises(PictureError, match="no such file"):
        open_picture(tmp_path / "nowhere.png")
    with pytest.raises(PictureError):
        open_picture(tmp_path)


def png_header(width, height):
    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [5001, 9000, 50_000])
def test_pictures_above_25_megapixels_are_refused_before_decoding(side):
    with pytest.raises(PictureError, match="25 megapixels"):
        open_picture(png_header(side, side))


@pytest.mark.parametrize("kind", [b"gAMA", b"tRNS", b"cHRM", b"iCCP"])
def test_chunks_that_are_too_short_for_pillow_are_damage(kind):
    png = encode_png(picture())
    end = png.index(b"IEND") - 4
    bad = b"\0\0\0\1" + kind + b"\1" + struct.pack(">I", zlib.crc32(kind + b"\1"))
    with contextlib.suppress(PictureError):
        open_picture(png[:end] + bad + png[end:])


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match="a pipe or a device"):
        open_picture(tmp_path / "pipe.png")


def rows_of(*colours):
    """A picture of wide rows, which survive lossy coding."""
    image = Image.new("RGB", (64, 32 * len(colours)))
    for index, colour in enumerate(colours):
        image.paste(colour, (0, 32 * index, 64, 32 * index + 32))
    return image


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "LA", "L", "1", "I;16"])
def test_every_colour_mode_becomes_rgb(mode):
    gray = rows_of((0, 0, 0), (255, 255, 255))
    image = gray.convert("L").convert("I").point(lambda v: v * 257) if mode == "I;16" else gray
    pixels = rgb_pixels(image.convert(mode))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (64, 64, 3)
    assert abs(pixels.astype(int) - np.asarray(gray)).max() <= 1


def test_what_is_transparent_is_seen_over_white():
    pixels = rgb_pixels(Image.new("RGBA", (2, 2), (0, 0, 0, 0)))
    assert (pixels == 255).all()
    palette = picture().convert("P")
    palette.info["transparency"] = 0
    assert rgb_pixels(palette).shape == (4, 4, 3)


def test_pictures_are_turned_as_their_camera_was():
    stored = rows_of(RED, BLUE)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    file = io.BytesIO()
    stored.save(file, "jpeg", exif=exif, quality=95)
    pixels = rgb_pixels(open_picture(file.getvalue())).astype(int)
    assert abs(pixels[5, 5] - BLUE).max() < 12
    assert abs(pixels[-5, 5] - RED).max() < 12
