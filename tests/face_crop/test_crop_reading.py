"""Files become pixels as they are meant to be seen, or a reason why they do not."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from face_crop.reading import LARGEST_FILE, UnreadableError, decode, read_content


def encoded(image, kind="PNG", **more):
    content = io.BytesIO()
    image.save(content, kind, **more)
    return content.getvalue()


def drawn(size=(40, 30)):
    left = Image.new("RGB", size, (200, 40, 30))
    left.paste((20, 60, 220), (size[0] // 2, 0, *size))
    return left


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF"])
def test_the_usual_kinds(kind):
    pixels = decode(encoded(drawn(), kind))
    assert pixels.shape == (30, 40, 3)
    assert np.abs(pixels[15, 5].astype(int) - (200, 40, 30)).max() < 12


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("L", (87, 87, 87)),
        ("1", None),
        ("P", (204, 51, 0)),  # the nearest of the web palette
        ("RGBA", (200, 40, 30)),
        ("LA", (87, 87, 87)),
    ],
)
def test_modes_of_png(mode, expected):
    pixels = decode(encoded(drawn().convert(mode)))
    assert pixels.shape == (30, 40, 3)
    if expected is not None:
        assert np.abs(pixels[15, 5].astype(int) - expected).max() < 8


def test_cmyk_jpeg():
    pixels = decode(encoded(drawn().convert("CMYK"), "JPEG", quality=95))
    assert np.abs(pixels[15, 5].astype(int) - (200, 40, 30)).max() < 12


def test_sixteen_bits_are_scaled_and_not_cut_off():
    ramp = np.linspace(0, 65535, 40).astype(np.uint16)[None].repeat(30, 0)
    pixels = decode(encoded(Image.fromarray(ramp)))
    assert abs(int(pixels[0, 20, 0]) - 131) < 3
    assert pixels[0, 39, 0] > 250


def test_transparency_is_white():
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert (decode(encoded(clear)) == 255).all()
    palette = Image.new("P", (8, 8), 3)
    palette.putpalette([0] * 768)
    assert (decode(encoded(palette, transparency=3)) == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_picture(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decode(encoded(drawn(), "JPEG", exif=exif, quality=95))
    assert pixels.shape == ((30, 40, 3) if orientation < 5 else (40, 30, 3))


def test_of_an_animation_the_first_frame():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert tuple(decode(content)[4, 4]) == (255, 0, 0)


def test_a_colour_profile_is_applied_and_a_damaged_one_left_out():
    plain = decode(encoded(drawn()))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert (decode(encoded(drawn(), icc_profile=srgb)) == plain).all()
    assert (decode(encoded(drawn(), icc_profile=b"no profile at all")) == plain).all()
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # The same profile with the primaries of red and blue exchanged, and another name.
    swapped = swapped.replace(b"rXYZ", b"tmp!").replace(b"bXYZ", b"rXYZ").replace(b"tmp!", b"bXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))
    pixels = decode(encoded(drawn(), icc_profile=swapped))
    assert np.abs(pixels[15, 5].astype(int) - (30, 40, 200)).max() < 12


def claims(width, height):
    """A PNG whose header claims a size, with hardly any data."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 99)), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


def a_bomb():
    """25 megapixels of nothing in a few kilobytes, and one more row."""
    return encoded(Image.new("1", (5000, 5001)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"hello, I am a text file", "not a picture"),
        (b"\xff\xd8\xff", "not a picture"),
        (b"%PDF-1.7 ...", "not a picture"),
        (encoded(drawn())[:60], "damaged"),
        (encoded(drawn((400, 300)), "JPEG")[:900], "damaged"),
        (claims(50_000, 50_000), "too large"),
        (claims(5_001, 5_000), "too large"),
        (claims(1000, 1000), "damaged"),
        (a_bomb(), "too large"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
    ],
)
def test_what_is_no_picture_says_why(content, reason):
    with pytest.raises(UnreadableError) as raised:
        decode(content)
    assert raised.value.reason == reason
    assert raised.value.detail
    assert "\n" not in raised.value.detail
    assert "0x" not in raised.value.detail


def test_flipped_bits_give_pixels_or_a_reason(tmp_path):
    chance = np.random.default_rng(1)
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP"):
        whole = encoded(drawn((60, 60)), kind)
        for _ in range(40):
            damaged = bytearray(whole)
            for _ in range(3):
                damaged[chance.integers(len(damaged))] ^= 1 << int(chance.integers(8))
            try:
                pixels = decode(bytes(damaged))
            except UnreadableError as error:
                assert error.detail
            else:
                assert pixels.ndim == 3
                assert pixels.dtype == np.uint8


def test_a_file_is_read_with_its_time(tmp_path):
    path = tmp_path / "1.png"
    path.write_bytes(b"content")
    content = read_content(path)
    assert content.data == b"content"
    assert content.modified_ns == path.stat().st_mtime_ns
    assert content.sha256.startswith("ed7002b4")


def test_what_is_no_file_says_so_and_keeps_nobody_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "device").symlink_to("/dev/zero")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    for name, reason in (
        ("pipe", "not a file"),
        ("device", "not a file"),
        ("gone", "cannot be read"),
        ("loop", "cannot be read"),
        ("huge", "too large"),
    ):
        with pytest.raises(UnreadableError) as raised:
            read_content(tmp_path / name)
        assert raised.value.reason == reason, name


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(path, flags):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("face_crop.reading.os.open", refuse)
    with pytest.raises(UnreadableError, match="cannot be read: Permission denied"):
        read_content(tmp_path / "1.png")
