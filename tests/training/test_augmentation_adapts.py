"""Augmentation that grows with overfitting."""

import pytest
import torch

from avatargan.dataset import open_dataset
from avatargan.training import trainer
from avatargan.training.adaptation import adapted, overfitting
from avatargan.training.augmentation import Augmentation, AugmentationSettings, resampled
from avatargan.training.checkpoints import list_checkpoints, read_checkpoint
from avatargan.training.data import Source, TrainingData, positions_of_step
from avatargan.training.randomness import StepRandom
from avatargan.training.run_folder import RunFolder
from tests.training.test_resume import StoppedError, stop_after
from tests.training.tiny import train_tiny


def number(value):
    return torch.tensor(value, dtype=torch.float64)


def test_overfitting_is_where_held_out_pictures_score_between_trained_and_fake():
    assert overfitting(number(2.0), number(2.0), number(-1.0)) == 0
    assert overfitting(number(2.0), number(-1.0), number(-1.0)) == 1
    assert overfitting(number(2.0), number(1.0), number(-2.0)) == pytest.approx(0.25)
    assert overfitting(number(-1.0), number(1.0), number(0.0)) == 0  # tells nothing apart


def test_strength_follows_overfitting_to_its_target():
    strength = adapted(number(0.5), number(0.9), 0.6, images=1000, run=10_000_000)
    assert strength == pytest.approx(0.5 + 1000 / 500_000)
    assert adapted(number(0.5), number(0.1), 0.6, 1000, 10_000_000) < 0.5
    assert adapted(number(0.0), number(0.1), 0.6, 1000, 10_000_000) == 0
    assert adapted(number(0.999), number(0.9), 0.6, 1000, 40_000) == 1


def test_pictures_are_resampled_by_places_and_differentiable_twice():
    images = torch.rand(2, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    same = torch.tensor([[1.0, 0, 0], [0, 1, 0]], dtype=torch.float64).repeat(2, 1, 1)
    torch.testing.assert_close(resampled(images, same), images)
    mirrored = same * torch.tensor([[-1.0], [1]], dtype=torch.float64)
    torch.testing.assert_close(resampled(images, mirrored), images.flip(3))
    turned = same + 0.1 * torch.randn(2, 2, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: resampled(x, turned), (images,))
    assert torch.autograd.gradgradcheck(lambda x: resampled(x, turned), (images,))


def test_strength_decides_how_many_pictures_change_and_never_their_colours():
    settings = AugmentationSettings(shift=0, cutout_probability=0)
    images = torch.tensor([0.9, -0.2, 0.4])[None, :, None, None].expand(200, 3, 16, 16).clone()
    changed = {}
    for strength in (0.0, 0.25, 1.0):
        change = Augmentation.draw(settings, 200, 16, StepRandom((1,)), torch.tensor(strength))
        same = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
        changed[strength] = (change.matrices != same).flatten(1).any(1).float().mean().item()
        middle = change(images)[:, :, 8, 8]  # never comes from outside by much
        kept = middle.abs().sum(1) > 0.1
        ratio = middle[kept] / middle[kept][:, :1]
        torch.testing.assert_close(ratio, (images[0, :, 0, 0] / 0.9).expand_as(ratio))
    assert changed[0.0] == 0
    assert changed[0.25] == pytest.approx(1 - 0.75**4, abs=0.1)
    assert changed[1.0] == 1


def test_held_out_pictures_are_those_that_are_never_trained_on(faces, cache):
    data = TrainingData([Source(open_dataset(faces))], 16, 1, cache_folder=cache, flips=False)
    assert data.holds_out
    (held_out,), (rows,) = data.held_out_rows, data.rows
    assert sorted([*held_out, *rows]) == list(range(40))
    positions = positions_of_step(0, 8)
    batch = data.with_held_out(data.batch(positions), positions)
    pictures = torch.from_numpy(data.pictures[0][held_out].copy()).permute(0, 3, 1, 2)
    assert all((pictures == picture).flatten(1).all(1).any() for picture in batch.held_out)
    everything = TrainingData([Source(open_dataset(faces))], 16, 1, cache_folder=cache, split="all")
    assert not everything.holds_out


def test_a_run_goes_on_with_the_strength_it_had(tmp_path, faces, cache, monkeypatch):
    """Killed and continued it ends as one that was never disturbed; with all choices of losses."""
    monkeypatch.setattr(trainer, "overfitting", lambda *scores: torch.tensor(1.0))
    changes = {"adapt": True, "loss": "relativistic", "regularizer": "r1r2", "freeze_critic": 1}
    folders = [RunFolder(tmp_path / name) for name in ("whole", "cut")]
    train_tiny(folders[0].path, faces, cache, **changes)
    with monkeypatch.context() as patched:
        stop_after(patched, 152)
        with pytest.raises(StoppedError):
            train_tiny(folders[1].path, faces, cache, **changes)
    train_tiny(folders[1].path, faces, cache, **changes)
    ends = [folder.newest_checkpoint().read_bytes() for folder in folders]
    assert ends[0] == ends[1]
    end, first = (
        read_checkpoint(list_checkpoints(folders[0].checkpoints)[place]).tensors
        for place in (-1, 0)
    )
    assert end["augmentation/strength"] == 1  # two looks in a run as short as this
    assert {"score_held_out", "overfitting"} <= folders[0].read_metrics()[0].keys()
    learnt = "critic_optimizer/blocks.8.conv0.weight/step"
    assert end[learnt] > first[learnt]
    assert not any(name.startswith("critic_optimizer/from_rgb") for name in end)  # frozen
