"""Drawings to learn from have exact tags, and glasses sit on eyes."""

import numpy as np

from avatargan.tagging.drawings import draw, with_glasses


def test_each_character_comes_in_three_colours(pipe):
    drawings = list(draw(pipe, 3, first_seed=40))
    assert [each.source for each in drawings] == ["40"] * 3 + ["41"] * 3 + ["42"] * 3
    for plain, hair, eyes in zip(drawings[::3], drawings[1::3], drawings[2::3], strict=True):
        assert plain.tags["hair"] != hair.tags["hair"]
        assert plain.tags["eyes"] == hair.tags["eyes"] != eyes.tags["eyes"]
        assert plain.picture.shape == (128, 128, 3)
    again = list(draw(pipe, 1, first_seed=41))
    assert again[0].tags == drawings[3].tags
    np.testing.assert_array_equal(again[0].picture, drawings[3].picture)


def test_glasses_change_what_is_around_the_eyes_alone():
    picture = np.full((128, 128, 3), 200, np.uint8)
    worn = with_glasses(picture, ((48.0, 64.0), (80.0, 64.0)), np.random.default_rng(0))
    changed = (np.abs(worn.astype(int) - 200).max(-1) > 30).nonzero()
    assert len(changed[0]) > 60
    assert 40 < changed[0].min() < changed[0].max() < 90
    assert 20 < changed[1].min() < changed[1].max() < 108
