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


def png_chunk(kind, content, *, crc=None):
    sealed = zlib.crc32(kind + content) if crc is None else crc
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", sealed)


def with_chunks(png, *chunks, at_end=False):
    """Put chunks behind the header of a PNG, or before its end."""
    place = png.index(b"IEND") - 4 if at_end else 33
    return png[:place] + b"".join(chunks) + png[place:]


def profile(primaries, gamma, name=b"sRGB IEC61966-2.1", space=b"RGB "):
    """A small ICC profile: three primaries adapted to D50, or gray, and a gamma."""

    def fixed(*values):
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(gamma * 256), 0)
    text = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + b"\0" * 79
    tags = {b"desc": text, b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1, 0.8249)}
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        tags |= {kind: b"XYZ \0\0\0\0" + fixed(*xyz) for kind, xyz in primaries.items()}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    start, table, data = 132 + 12 * len(tags), b"", b""
    for kind, content in tags.items():
        table += kind + struct.pack(">II", start + len(data), len(content))
        data += content + b"\0" * (-len(content) % 4)
    body = struct.pack(">I", len(tags)) + table + data
    head = struct.pack(">I4sI4s4s4s", 128 + len(body), b"none", 0x02400000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642, 1, 0.8249) + bytes(48)
    return head + body


SRGB_PRIMARIES = {
    b"rXYZ": (0.4361, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7141),
}
P3_PRIMARIES = {
    b"rXYZ": (0.5151, 0.2412, -0.0011),
    b"gXYZ": (0.2920, 0.6922, 0.0419),
    b"bXYZ": (0.1571, 0.0666, 0.7841),
}
LINEAR = profile(SRGB_PRIMARIES, 1.0, b"GIMP built-in Linear sRGB")
P3 = profile(P3_PRIMARIES, 2.2, b"sRGB, says the name")
STORED, LINEAR_IN_SRGB = (147, 173, 202), (200, 215, 230)
#: What Display P3 with a gamma of 2.2 means by that colour, computed by hand from the matrices.
P3_STORED, P3_IN_SRGB = (200, 100, 100), (217, 94, 98)


def saved(image, kind="png", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def colour_of(content):
    pixels = rgb_pixels(open_picture(content)).astype(int)
    assert np.ptp(pixels, axis=(0, 1)).max() <= 1
    return pixels[0, 0]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "transparent palette"])
@pytest.mark.parametrize("kind", ["png", "webp"])
def test_colours_are_read_by_what_their_profile_does_in_every_mode(mode, kind):
    cases = [(LINEAR, STORED, LINEAR_IN_SRGB), (P3, P3_STORED, P3_IN_SRGB)]
    for icc, stored, meant in cases:
        image = Image.new("RGB", (16, 16), stored)
        options = {"icc_profile": icc}
        if mode == "RGBA":
            image.putalpha(255)
        elif mode != "RGB":
            if kind == "webp":
                return
            image = image.convert("P", palette=Image.Palette.ADAPTIVE)
            options |= {"transparency": bytes([255])} if mode != "P" else {}
        if kind == "webp":
            options |= {"lossless": True}
        assert abs(colour_of(saved(image, kind, **options)) - meant).max() <= 2


def test_a_profile_that_changes_nothing_leaves_every_value_alone():
    from PIL import ImageCms

    same = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    content = saved(Image.fromarray(pixels), icc_profile=same)
    assert (rgb_pixels(open_picture(content)) == pixels).all()


def test_transparency_goes_over_white_after_its_colours_were_converted():
    image = Image.new("RGBA", (4, 4), (*STORED, 128))
    expected = np.array(LINEAR_IN_SRGB) * 128 / 255 + 127
    assert abs(colour_of(saved(image, icc_profile=LINEAR)) - expected).max() <= 2


def test_gray_pictures_have_gray_profiles():
    gray = profile({}, 1.0, space=b"GRAY")
    for image in (Image.new("L", (4, 4), 147), Image.new("LA", (4, 4), (147, 255))):
        assert abs(colour_of(saved(image, icc_profile=gray)) - 200).max() <= 1
    deep = Image.fromarray(np.full((4, 4), 147 * 257, np.uint16))
    assert abs(colour_of(saved(deep, icc_profile=gray)) - 200).max() <= 1
    assert abs(colour_of(saved(Image.new("L", (4, 4), 147), icc_profile=LINEAR)) - 200).max() <= 1


def test_profiles_that_do_not_fit_are_left_out():
    gray = profile({}, 1.0, space=b"GRAY")
    for bad in (gray, LINEAR[:200], b"x" * 500, b""):
        assert colour_of(saved(Image.new("RGB", (4, 4), STORED), icc_profile=bad)).tolist() == [
            *STORED
        ]


def test_sixteen_bits_are_scaled_and_their_transparent_value_is_seen_over_white():
    values = np.array([[0, 65535, 32896, 300]], np.uint16)
    deep = saved(Image.fromarray(values))
    assert rgb_pixels(open_picture(deep))[0, :, 0].tolist() == [0, 255, 128, 1]
    keyed = with_chunks(deep, png_chunk(b"tRNS", struct.pack(">H", 300)))
    assert rgb_pixels(open_picture(keyed))[0, :, 0].tolist() == [0, 255, 128, 255]


CHROMATICITIES = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)


@pytest.mark.parametrize(
    ("chunks", "stored", "meant"),
    [
        ([png_chunk(b"gAMA", struct.pack(">I", 100_000))], STORED, LINEAR_IN_SRGB),
        ([png_chunk(b"gAMA", struct.pack(">I", 45_455))], STORED, STORED),
        ([png_chunk(b"gAMA", struct.pack(">I", 45_455)),
          png_chunk(b"cHRM", struct.pack(">8I", *(round(x * 1e5) for x in CHROMATICITIES)))],
         P3_STORED, P3_IN_SRGB),
        ([png_chunk(b"gAMA", struct.pack(">I", 100_000)), png_chunk(b"sRGB", b"\0")],
         STORED, STORED),
        ([png_chunk(b"gAMA", struct.pack(">I", 0))], STORED, STORED),
        ([png_chunk(b"gAMA", struct.pack(">I", 45_455)), png_chunk(b"cHRM", bytes(32))],
         STORED, STORED),
        ([png_chunk(b"cICP", bytes([12, 13, 0, 1]))], P3_STORED, P3_IN_SRGB),
        ([png_chunk(b"cICP", bytes([1, 8, 0, 1]))], STORED, LINEAR_IN_SRGB),
        ([png_chunk(b"cICP", bytes([1, 13, 0, 1])), png_chunk(b"gAMA", struct.pack(">I", 10**5))],
         STORED, STORED),
        ([png_chunk(b"cICP", bytes([200, 99, 0, 1]))], STORED, STORED),
    ],
)  # fmt: skip
def test_what_a_png_says_of_its_colours_without_a_profile(chunks, stored, meant):
    content = with_chunks(encode_png(Image.new("RGB", (4, 4), stored)), *chunks)
    assert abs(colour_of(content) - meant).max() <= 2


def test_a_bmp_says_by_its_header_what_its_colours_are():
    stored = Image.new("RGB", (4, 4), STORED)
    rows = saved(stored, "bmp")[54:]

    def bmp(kind, points=(0,) * 9, gamma=0, embedded=b""):
        size = 124
        head = struct.pack("<IiiHHIIiiII", size, 4, 4, 1, 24, 0, len(rows), 0, 0, 0, 0)
        head += bytes(16) + kind[::-1] + struct.pack("<9i", *points)
        head += struct.pack("<3I", *[round(gamma * 65536)] * 3)
        head += struct.pack("<4I", 4, size + len(rows), len(embedded), 0)
        start = 14 + size
        whole = head + rows + embedded
        return b"BM" + struct.pack("<IHHI", 14 + len(whole), 0, 0, start) + whole

    srgb = [0.64, 0.33, 0.03, 0.30, 0.60, 0.10, 0.15, 0.06, 0.79]
    points = [round(value * 2**30) for value in srgb]
    assert abs(colour_of(bmp(b"MBED", embedded=LINEAR)) - LINEAR_IN_SRGB).max() <= 2
    assert abs(colour_of(bmp(bytes(4), points, 1.0)) - LINEAR_IN_SRGB).max() <= 2
    assert colour_of(bmp(bytes(4))).tolist() == [*STORED]
    assert colour_of(bmp(b"sRGB")).tolist() == [*STORED]


def note(keyword, size, *, kind=b"zTXt"):
    text = b"x" * size
    if kind == b"zTXt":
        return png_chunk(kind, keyword + b"\0\0" + zlib.compress(text))
    return png_chunk(kind, keyword + b"\0" + text)


RECIPE_CHUNKS = {
    "tEXt": png_chunk(b"tEXt", b"avatargan\0{}"),
    "zTXt": png_chunk(b"zTXt", b"avatargan\0\0" + zlib.compress(b"{}")),
    "iTXt": png_chunk(b"iTXt", b"avatargan\0\0\0\0\0{}"),
    "packed iTXt": png_chunk(b"iTXt", b"avatargan\0\1\0en\0word\0" + zlib.compress(b"{}")),
}
DAMAGED = {
    "a long note": note(b"note", 2**20 + 1),
    "many notes": note(b"note", 2**20 - 1) * 70,
    "a huge profile": png_chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(2**20 + 1))),
    "a strange profile": png_chunk(b"iCCP", b"x\0\5abc"),
    "a short chunk": png_chunk(b"gAMA", b"\1"),
    "a wrong sum": png_chunk(b"tEXt", b"note\0x", crc=1),
    "a note that is no text": png_chunk(b"iTXt", b"note\0\0\0\0\0\xff\xfe"),
    "broken EXIF": png_chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("at_end", [False, True])
def test_what_stands_beside_the_pixels_of_a_png_costs_neither_them_nor_the_recipe(damage, at_end):
    plain = encode_png(rows_of(RED, GREEN))
    for recipe in RECIPE_CHUNKS.values():
        for both in ([DAMAGED[damage], recipe], [recipe, DAMAGED[damage]]):
            image = open_picture(with_chunks(plain, *both, at_end=at_end))
            assert image.info["avatargan"] == "{}"
            assert (rgb_pixels(image) == np.asarray(rows_of(RED, GREEN))).all()


def test_a_large_profile_beside_a_png_is_applied_all_the_same():
    padded = LINEAR[:128] + LINEAR[128:] + bytes(2**20)
    padded = struct.pack(">I", len(padded)) + padded[4:]
    chunk = png_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(padded))
    content = with_chunks(encode_png(Image.new("RGB", (4, 4), STORED)), chunk)
    assert abs(colour_of(content) - LINEAR_IN_SRGB).max() <= 2


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif", "bmp", "avif"])
def test_any_bytes_of_a_picture_may_be_wrong(kind):
    random = np.random.default_rng(3)
    content = saved(Image.effect_noise((16, 16), 60).convert("RGB"), kind)
    for _ in range(100):
        changed = bytearray(content)
        for place in random.integers(0, min(len(changed), 200), 3):
            changed[place] = random.integers(256)
        with contextlib.suppress(PictureError):
            rgb_pixels(open_picture(bytes(changed)))
    apng = with_chunks(encode_png(picture()), png_chunk(b"acTL", b"\0" * 9))
    assert rgb_pixels(open_picture(apng)).shape == (4, 4, 3)


def test_pixels_that_are_damaged_stay_damaged():
    png = encode_png(rows_of(RED, GREEN))
    jpeg = saved(rows_of(RED, GREEN), "jpeg")
    for content in (png[: len(png) // 2], png[:33], jpeg[: len(jpeg) // 2], jpeg[:20]):
        with pytest.raises(PictureError):
            open_picture(content)


def exif(order, entries):
    """EXIF of some tags: number, type, count and four bytes each."""
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    body = b"".join(struct.pack(f"{order}HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0" + mark + struct.pack(f"{order}IH", 8, len(entries)) + body + bytes(4)


ODD_TAGS = [
    (282, 10, 1, b"\xff\xff\xff\x7f"),  # a rational beyond the end
    (305, 2, 2**31, b"\xff\xff\xff\x7f"),  # a text of gigabytes
    (306, 99, 1, b"abcd"),  # a type that there is not
    (34665, 4, 1, b"\xff\xff\xff\xff"),  # a directory elsewhere
]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["H", "I"])
@pytest.mark.parametrize("file", ["jpeg", "png", "webp"])
def test_a_picture_is_turned_whatever_else_its_exif_holds(order, kind, file):
    number = {"H": 3, "I": 4}[kind]
    value = struct.pack(order + kind, 6).ljust(4, b"\0")
    upright = rows_of(RED, BLUE)
    for odd in ([], ODD_TAGS):
        data = exif(order, [(274, number, 1, value), *odd])
        options = {"quality": 95} if file == "jpeg" else {}
        content = saved(upright.rotate(90, expand=True), file, exif=data, **options)
        pixels = rgb_pixels(open_picture(content)).astype(int)
        assert pixels.shape == (64, 64, 3)
        assert abs(pixels[5, 32] - RED).max() < 16
        assert abs(pixels[-5, 32] - BLUE).max() < 16


@pytest.mark.parametrize("turn", range(1, 9))
def test_all_eight_orientations_are_undone(turn):
    pixels = np.random.default_rng(1).integers(0, 256, (3, 5, 3), np.uint8)
    stored = {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1],
        5: pixels.swapaxes(0, 1), 6: np.rot90(pixels), 7: np.rot90(pixels, 2).swapaxes(0, 1),
        8: np.rot90(pixels, -1),
    }[turn]  # fmt: skip
    data = exif("<", [(274, 3, 1, struct.pack("<HH", turn, 0))])
    content = saved(Image.fromarray(np.ascontiguousarray(stored)), exif=data)
    assert (rgb_pixels(open_picture(content)) == pixels).all()


def test_a_picture_that_says_only_in_xmp_how_it_stands_is_turned():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'
    stored = rows_of(RED, BLUE)
    note = png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    for content in (
        saved(stored, "jpeg", xmp=xmp, quality=95),
        with_chunks(encode_png(stored), note),
        with_chunks(encode_png(stored), note, DAMAGED["a long note"]),
    ):
        assert abs(rgb_pixels(open_picture(content)).astype(int)[5, 5] - BLUE).max() < 12
