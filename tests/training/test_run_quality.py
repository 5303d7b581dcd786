"""A run measures its averages on held-out pictures and keeps the best; pairs can be left out."""

import numpy as np
import pytest
import torch

from avatargan.dataset import open_dataset
from avatargan.errors import OptionError
from avatargan.networks import load_generator
from avatargan.training.data import Pair, Source, TrainingData
from avatargan.training.quality import Judges, best_of
from avatargan.training.run_folder import RunFolder
from avatargan.weights_header import GENERATOR_ROLE, read_header
from tests.training.test_resume import StoppedError, everything, stop_after
from tests.training.tiny import train_tiny, write_faces

PAIR = "hair=red,eyes=light"
CHANGES = {"images": 64, "quality_pictures": 12, "without": PAIR}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Enough pictures that eight and more are held out."""
    return write_faces(tmp_path_factory.mktemp("many") / "faces", count=160)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, many, cache):
    out = tmp_path_factory.mktemp("runs") / "whole"
    train_tiny(out, many, cache, **CHANGES)
    return out


def test_each_checkpoint_is_measured_and_the_best_average_is_kept(whole):
    folder = RunFolder(whole)
    entries = folder.read_quality()
    assert [entry["images_seen"] for entry in entries] == [24, 48, 64]
    best = best_of(entries)
    header = read_header(folder.best, GENERATOR_ROLE)
    assert int(header.metadata["images_seen"]) == best["images_seen"]
    assert float(header.metadata["kid"]) == min(entry["kid"] for entry in entries)
    assert load_generator(folder.best).attributes["hair"][:3] == ("blue", "green", "red")
    assert all(0 <= entry["as_asked_hair"] <= 1 for entry in entries)


def test_a_run_that_is_cut_short_and_continued_measures_the_same(
    tmp_path, many, cache, whole, monkeypatch
):
    with monkeypatch.context() as patched:
        stop_after(patched, 56)  # between two checkpoints
        with pytest.raises(StoppedError):
            train_tiny(tmp_path / "cut", many, cache, **CHANGES)
    train_tiny(tmp_path / "cut", many, cache, **CHANGES)
    assert everything(tmp_path / "cut") == everything(whole)


def test_pictures_of_a_pair_are_neither_trained_on_nor_held_out(many, cache):
    data = TrainingData(
        [Source(open_dataset(many))], 16, 1, cache_folder=cache, without=Pair.read_all(PAIR)
    )
    labels, (rows,), (held_out,) = data.labels[0], data.rows, data.held_out_rows
    both = np.flatnonzero(
        (labels["hair"] == data.attributes.index("hair", "red"))
        & (labels["eyes"] == data.attributes.index("eyes", "light"))
    )
    assert len(both) > 10
    assert not set(both) & {*rows, *held_out}
    assert len(both) + len(rows) + len(held_out) == 160
    # Each of its choices is still there with others.
    assert (labels["hair"][rows] == data.attributes.index("hair", "red")).any()


def test_the_judge_sees_what_is_drawn_as_asked(many, cache):
    """A generator that fills each picture with the hair colour of its label, and one that errs."""
    data = TrainingData([Source(open_dataset(many))], 16, 1, cache_folder=cache)
    judge = Judges(data, 12, 1).judge()
    pictures, labels = data.held_out(12)
    copies = pictures.float() / 127.5 - 1

    class Copying(torch.nn.Module):
        attributes, z_dim = data.attributes, 4

        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def draw(self, z, labels, psi=1.0):
            return copies[: len(z)]

    class Empty(Copying):
        def draw(self, z, labels, psi=1.0):
            return torch.zeros(len(z), 3, 16, 16)

    same, empty = judge.measure(Copying()), judge.measure(Empty())
    assert same["kid"] < 0.1 * empty["kid"]
    own = judge.tagger.probabilities(pictures.permute(0, 2, 3, 1).contiguous().numpy())["hair"]
    known = judge.tagger.attributes.offered("hair")
    asked = [data.attributes["hair"][label] for label in labels["hair"]]
    right = np.mean([known[row.argmax()] == choice for row, choice in zip(own, asked, strict=True)])
    assert same["as_asked_hair"] == pytest.approx(right)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hair=red", "is ATTRIBUTE=CHOICE,ATTRIBUTE=CHOICE"),
        ("hair=red,nose=big", "no attribute 'nose'"),
        ("hair=red,eyes=golden", "eyes has no choice 'golden'"),
    ],
)
def test_pairs_that_are_not_in_the_set_are_refused(faces, cache, text, message):
    with pytest.raises(OptionError, match=message):
        TrainingData(
            [Source(open_dataset(faces))], 16, 1, cache_folder=cache, without=Pair.read_all(text)
        )
