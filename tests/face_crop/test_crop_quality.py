"""Blurred and grey crops are told from good ones; copies from other pictures."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from avatargan.errors import OptionError
from face_crop.duplicates import Look, SeenLooks, look_of
from face_crop.quality import QualityLimits, colourfulness, sharpness

LIMITS = QualityLimits()


@pytest.fixture(scope="module")
def faces(pipe):
    return [avatar.image for avatar in pipe.generate(range(12), size=128)]


def test_good_crops_pass_and_spoilt_ones_do_not(faces):
    for face in faces:
        assert sharpness(face) > LIMITS.sharpness
        assert colourfulness(face) > LIMITS.colourfulness
        blurred = face.filter(ImageFilter.GaussianBlur(2.5))
        assert sharpness(blurred) < LIMITS.sharpness
        assert colourfulness(face.convert("L").convert("RGB")) == 0
        nearly_grey = Image.blend(face.convert("L").convert("RGB"), face, 0.05)
        assert colourfulness(nearly_grey) < LIMITS.colourfulness


def test_an_empty_crop_is_neither_sharp_nor_colourful():
    grey = Image.new("RGB", (128, 128), (128, 128, 128))
    assert sharpness(grey) == 0
    assert colourfulness(grey) == 0


def test_colourfulness_is_that_of_the_paper():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0] = (255, 0, 0)  # red-green 255, yellow-blue 127.5
    pixels[1] = (0, 0, 255)  # 0, -255
    spread = np.hypot(127.5, 191.25)
    assert colourfulness(Image.fromarray(pixels)) == pytest.approx(
        spread + 0.3 * np.hypot(127.5, -63.75)
    )


@pytest.mark.parametrize("limit", [{"sharpness": -1}, {"most_outside": 1.5}])
def test_limits_out_of_range(limit):
    with pytest.raises(OptionError, match=f"{next(iter(limit))} must be from 0"):
        QualityLimits(**limit)


def compressed(image, side, quality):
    content = io.BytesIO()
    image.resize((side, side), Image.Resampling.LANCZOS).save(content, "JPEG", quality=quality)
    return Image.open(content).resize((128, 128), Image.Resampling.BICUBIC)


def test_copies_are_found_whatever_their_size_and_compression(faces):
    seen = SeenLooks()
    for number, face in enumerate(faces):
        assert seen.find_near(look_of(face)) is None
        seen.add(str(number), look_of(face))
    found = [
        seen.find_near(look_of(compressed(face, side, quality))) == str(number)
        for number, face in enumerate(faces)
        for side, quality in ((128, 60), (96, 80), (200, 40))
    ]
    assert all(found)


def test_a_recoloured_character_is_another_picture(pipe):
    hair = pipe.attributes.offered("hair")
    seen = SeenLooks()
    for avatar in pipe.generate([3] * len(hair), size=128, hair=list(hair), eyes="blue"):
        assert seen.find_near(look_of(avatar.image)) is None
        seen.add(avatar.recipe.attributes["hair"], look_of(avatar.image))


def test_the_first_of_several_is_named_and_the_limit_counts():
    seen = SeenLooks(most_bits=2)
    grey = bytes([100] * 12)
    seen.add("first", Look(0b0000, grey))
    seen.add("second", Look(0b0111, grey))
    assert seen.find_near(Look(0b0011, grey)) == "first"
    assert seen.find_near(Look(0b1111, grey)) == "second"
    assert seen.find_near(Look(0b11111111, grey)) is None
    assert seen.find_near(Look(0b0000, bytes([106] * 12))) is None
    # Crops of one picture may differ in more bits.
    assert seen.find_near(Look(0b11111111, grey), ["second"]) == "second"
    assert seen.find_near(Look(0b11111111, grey), ["other"]) is None


def test_nothing_is_near_where_duplicates_are_kept():
    seen = SeenLooks(most_bits=-1)
    seen.add("first", Look(5, bytes(12)))
    assert seen.find_near(Look(5, bytes(12))) is None


def test_many_looks_are_remembered():
    seen = SeenLooks(most_bits=0)
    for number in range(3000):
        seen.add(str(number), Look(number, bytes(12)))
    assert seen.find_near(Look(2999, bytes(12))) == "2999"
