"""Shapes are seen whatever their colours."""

import numpy as np
import pytest
import torch

from avatargan.tagging.gradients import DIRECTIONS, LENGTH, oriented_gradients


def stripes(degrees):
    """Stripes whose gradients point in a direction."""
    y, x = np.mgrid[:64, :64]
    angle = np.radians(degrees)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 0.8)
    return torch.from_numpy(wave)[None, None].expand(1, 3, 64, 64).float()


@pytest.mark.parametrize("index", range(DIRECTIONS))
def test_stripes_fill_the_histogram_of_their_direction(index):
    blocks = oriented_gradients(stripes((index + 0.5) * 180 / DIRECTIONS)).reshape(-1, 49)
    by_direction = blocks.reshape(DIRECTIONS, 4, 49).sum((1, 2))
    assert by_direction.argmax() == index


def test_lengths_and_plain_pictures():
    plain = oriented_gradients(torch.zeros(2, 3, 64, 64))
    assert plain.shape == (2, LENGTH)
    assert not plain.any()


def test_brightness_and_contrast_change_little():
    one = stripes(30)
    torch.testing.assert_close(
        oriented_gradients(one), oriented_gradients(one * 0.4 + 0.3), atol=0.01, rtol=0
    )
