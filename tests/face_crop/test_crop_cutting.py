"""Crops show what they should, from the place where they should, upright."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from avatargan.errors import OptionError
from face_crop.boxes import Box, rotated_about
from face_crop.cropping import check_edge, crop_square, cut, outside_share

WIDTH, HEIGHT = 240, 200


def map_of_places() -> np.ndarray:
    """A picture whose red is the column and whose green is the row."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[..., 0] = np.arange(WIDTH)
    picture[..., 1] = np.arange(HEIGHT)[:, None]
    return picture


MAP = map_of_places()


def places(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel of a crop of the map comes from, column and row of its middle."""
    pixels = np.asarray(image).astype(float)
    return pixels[..., 0] + 0.5, pixels[..., 1] + 0.5


def expected_places(square: Box, angle: float, size: int):
    steps = (np.arange(size) + 0.5) / size
    columns, rows = np.zeros((size, size)), np.zeros((size, size))
    for i, down in enumerate(square.y + steps * square.height):
        for j, across in enumerate(square.x + steps * square.width):
            columns[i, j], rows[i, j] = rotated_about(across, down, square.centre, angle)
    return columns, rows


@given(
    x=st.floats(90, 120),
    y=st.floats(70, 100),
    side=st.floats(8, 80),
    angle=st.sampled_from([0.0, 0.0, -40.0, -15.0, 7.5, 25.0, 90.0, 180.0]),
    size=st.sampled_from([16, 33, 64]),
)
@settings(max_examples=60, deadline=None)
def test_every_pixel_comes_from_its_place(x, y, side, angle, size):
    square = Box(x - side / 2, y - side / 2, side, side)
    image = cut(MAP, square, angle, size)
    assert image.size == (size, size)
    assert image.mode == "RGB"
    for found, expected in zip(places(image), expected_places(square, angle, size), strict=True):
        assert np.abs(found - expected).max() < 1.3  # of values that are whole numbers


@given(
    x=st.floats(-30, WIDTH + 30),
    y=st.floats(-30, HEIGHT + 30),
    side=st.floats(4, 300),
    angle=st.floats(-180, 180),
    edge=st.sampled_from(["reflect", "pad"]),
)
@settings(max_examples=60, deadline=None)
def test_a_square_anywhere_gives_a_crop(x, y, side, angle, edge):
    if outside_share(Box(x - side / 2, y - side / 2, side, side), angle, WIDTH, HEIGHT) > 0.9:
        return
    image = cut(MAP, Box(x - side / 2, y - side / 2, side, side), angle, 32, edge)
    assert image.size == (32, 32)


@given(
    x=st.floats(-50, 150),
    y=st.floats(-50, 150),
    side=st.floats(10, 100),
)
def test_the_share_outside_is_that_of_the_areas(x, y, side):
    square = Box(x, y, side, side)
    inside_width = max(min(x + side, WIDTH) - max(x, 0), 0)
    inside_height = max(min(y + side, HEIGHT) - max(y, 0), 0)
    expected = 1 - inside_width * inside_height / side**2
    assert outside_share(square, 0, WIDTH, HEIGHT) == pytest.approx(expected, abs=0.04)


def test_a_turned_square_sticks_out_with_its_corners():
    square = Box(0, 0, HEIGHT, HEIGHT)
    assert outside_share(square, 0, HEIGHT, HEIGHT) == 0
    # A square over the same square at 45 degrees: 4 corners of side a (2 - sqrt 2) / 2.
    assert outside_share(square, 45, HEIGHT, HEIGHT) == pytest.approx(0.1716, abs=0.01)


def test_a_crop_is_half_as_large_again_as_its_face():
    assert crop_square(Box(100, 50, 40, 40)) == Box(90, 40, 60, 60)
    assert crop_square(Box(100, 50, 40, 60)) == Box(75, 35, 90, 90)


def test_a_tilted_face_comes_out_upright():
    # An arrow upwards, painted tilted clockwise by 30 degrees.
    upright = Image.new("RGB", (200, 200), "white")
    upright.paste((255, 0, 0), (90, 40, 110, 160))
    upright.paste((0, 0, 255), (70, 40, 130, 60))
    tilted = np.asarray(upright.rotate(-30, Image.Resampling.BICUBIC, fillcolor="white"))
    square = Box(50, 50, 100, 100)
    straight = np.asarray(cut(np.asarray(upright), square, 0, 100)).astype(int)
    turned = np.asarray(cut(tilted, square, 30, 100)).astype(int)
    assert np.abs(straight - turned).mean() < 6


def test_edges():
    square = Box(-20, 60, 80, 80)
    reflected = np.asarray(cut(MAP, square, 0, 80, "reflect"))
    assert reflected[40, :20, 0].tolist() == list(range(19, -1, -1))
    padded = np.asarray(cut(MAP, square, 0, 80, "pad"))
    assert (padded[:, :20] == 255).all()
    assert (padded[:, 20:] == reflected[:, 20:]).all()


def test_shrinking_averages_what_it_leaves_out():
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    for angle in (0, 45):
        crop = np.asarray(cut(stripes, Box(32, 32, 64, 64), angle, 16)).astype(int)
        assert np.abs(crop - 127.5).max() < 14, angle


def test_an_unknown_edge_gets_the_nearest_name():
    with pytest.raises(OptionError, match="'refelct'; did you mean 'reflect'"):
        check_edge("refelct")
