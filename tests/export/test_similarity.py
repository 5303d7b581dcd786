"""Near-duplicates."""

import numpy as np
import pytest
from PIL import Image

from avatargan.export.similarity import SeenPictures, fingerprint
from avatargan.recipe import vary


def is_near(first: Image.Image, second: Image.Image) -> bool:
    seen = SeenPictures(1)
    seen.add(fingerprint(first))
    return seen.has_near(fingerprint(second))


def test_a_fingerprint_is_what_the_docstring_says():
    pixels = np.zeros((8, 9, 3), dtype=np.uint8)
    pixels[0, 1:, 0] = [10, 20, 30, 40, 50, 60, 70, 80]  # red: brighter all along the first row
    pixels[7, 8, 1] = 255  # green: brighter at the last step of the last row
    red, green, blue, *colours = map(int, fingerprint(Image.fromarray(pixels)))
    assert (red, green, blue) == (0xFF << 56, 1, 0)
    more_red = 0x7F << 56  # 20 and more, of which 16 are needed
    assert colours == [more_red, 1, 0, more_red]


def test_transparency_counts_and_what_lies_under_it_does_not():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    pixels[..., 3] = 0
    hidden = Image.fromarray(pixels.copy())
    assert (fingerprint(hidden) == 0).all()
    pixels[..., 3] = 255
    assert not is_near(Image.fromarray(pixels), hidden)


@pytest.fixture(scope="module")
def faces(pipe):
    return pipe.generate(range(30), size=128)


def test_characters_are_told_apart(faces):
    seen = SeenPictures(len(faces))
    for avatar in faces:
        assert not seen.has_near(fingerprint(avatar.image))
        seen.add(fingerprint(avatar.image))


def test_clearly_other_hair_makes_another_picture(pipe):
    seen = SeenPictures(4)
    for avatar in pipe.generate([0] * 4, size=128, hair=["pink", "black", "green", "blonde"]):
        assert not seen.has_near(fingerprint(avatar.image))
        seen.add(fingerprint(avatar.image))


def test_pictures_that_nobody_can_tell_apart_count_as_one(pipe, faces):
    hardly = [vary(avatar.recipe, 0.01, 1)[0] for avatar in faces[:10]]
    near = [
        is_near(avatar.image, other.image)
        for avatar, other in zip(faces, pipe.draw(hardly), strict=False)
    ]
    assert sum(near) >= 9
