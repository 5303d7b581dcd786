"""Augmentation moves and hides, the same for whatever batch it is given, with gradients."""

import torch

from avatargan.training.augmentation import Augmentation, AugmentationSettings
from avatargan.training.randomness import StepRandom

SETTINGS = AugmentationSettings()


def augmentation(batch=16, side=16, settings=SETTINGS, seed=3):
    return Augmentation.draw(settings, batch, side, StepRandom((seed,)))


def test_shifts_and_cut_outs_agree_with_a_plain_computation():
    images = torch.rand(16, 3, 16, 16) + 1  # nowhere 0
    change = augmentation()
    changed = change(images)
    for index in range(16):
        expected = torch.zeros(3, 16, 16)
        rows, columns = int(change.rows[index]), int(change.columns[index])
        for row in range(16):
            for column in range(16):
                if 0 <= row - rows < 16 and 0 <= column - columns < 16:
                    expected[:, row, column] = images[index, :, row - rows, column - columns]
        side = int(change.sides[index])
        top, left = int(change.tops[index]), int(change.lefts[index])
        expected[:, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = 0
        torch.testing.assert_close(changed[index], expected, rtol=0, atol=0)


def test_draws_stay_within_what_is_asked_for_and_vary():
    change = augmentation(batch=400)
    assert set(change.rows.tolist()) == set(range(-2, 3))
    assert set(change.columns.tolist()) == set(range(-2, 3))
    assert set(change.sides.tolist()) == {0, 8}
    assert 0.4 < (change.sides > 0).float().mean() < 0.6


def test_nothing_changes_where_nothing_is_asked_for():
    images = torch.rand(4, 3, 16, 16)
    change = augmentation(4, settings=AugmentationSettings(0, 0, 0))
    assert torch.equal(change(images), images)


def test_gradients_agree_with_finite_differences():
    images = torch.rand(3, 2, 6, 6, dtype=torch.float64, requires_grad=True)
    change = augmentation(3, 6)
    assert torch.autograd.gradcheck(change, (images,))


def test_colours_stay_as_they_are():
    """What is visible keeps its values: colour is the label."""
    images = torch.full((8, 3, 16, 16), 0.3)
    assert set(augmentation(8)(images).unique().tolist()) <= {0.0, images[0, 0, 0, 0].item()}
