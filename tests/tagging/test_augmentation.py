"""Pictures are changed in every way but their colours."""

from collections import deque

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from avatargan.tagging.augmentation import Augmenter, paper_background
from tests.tagging.conftest import face


def flooded(white):
    """What reaches the upper, left or right border, step by step."""
    height, width = white.shape
    starts = [(0, x) for x in range(width)]
    starts += [(y, x) for y in range(height) for x in (0, width - 1)]
    found = np.zeros_like(white)
    queue = deque(place for place in starts if white[place])
    while queue:
        y, x = queue.popleft()
        if found[y, x]:
            continue
        found[y, x] = True
        for place in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
            if 0 <= place[0] < height and 0 <= place[1] < width and white[place]:
                queue.append(place)
    return found


@settings(max_examples=60, deadline=None)
@given(arrays(bool, (12, 10), elements=st.booleans()))
def test_paper_is_the_white_that_reaches_the_border(white):
    picture = np.where(white, 255, 90).astype(np.uint8)[..., None].repeat(3, axis=-1)
    expected = flooded(white)
    (found,) = paper_background(picture[None])
    if expected[4:9, 2:7].mean() > 0.02:  # too far in: it is not background
        assert not found.any()
    else:
        np.testing.assert_array_equal(found, expected)


def test_white_inside_a_face_is_no_paper():
    picture = np.full((1, 64, 64, 3), 90, np.uint8)
    picture[:, :6] = 255
    picture[:, 30:40, 30:40] = 255
    (found,) = paper_background(picture)
    assert found[:6].all()
    assert not found[6:].any()


def batch(count=32):
    random = np.random.default_rng(0)
    pixels = np.stack([face("red", "blue", random) for _ in range(count)])
    pictures = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    return pictures, torch.from_numpy(paper_background(pixels))


def test_the_same_seed_and_step_give_the_same_pictures_and_others_do_not():
    pictures, paper = batch(8)
    first = Augmenter(1)(pictures, paper, 5).images
    assert first.shape == (8, 3, 64, 64)
    assert -1 <= first.min() < first.max() <= 1
    assert torch.equal(first, Augmenter(1)(pictures, paper, 5).images)
    assert not torch.equal(first, Augmenter(1)(pictures, paper, 6).images)
    assert not torch.equal(first, Augmenter(2)(pictures, paper, 5).images)


def test_pictures_change_and_the_colour_of_the_hair_does_not():
    pictures, paper = batch()
    before = pictures.clone()
    changed = (Augmenter(0, tones=False)(pictures, paper, 0).images + 1) * 127.5
    assert torch.equal(pictures, before)
    assert (changed - pictures).abs().mean() > 10
    for picture in changed.permute(0, 2, 3, 1).reshape(len(changed), -1, 3):
        distance = (picture - torch.tensor([220.0, 60, 60])).abs().amax(1)
        assert (distance < 24).float().mean() > 0.05


def test_backgrounds_differ_where_there_was_paper():
    pictures, paper = batch(64)
    corners = Augmenter(0)(pictures, paper, 0).images[:, :, 0, 0]
    still_white = (corners > 0.95).all(1).float().mean()
    assert 0.2 < still_white < 0.8
