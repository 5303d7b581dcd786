"""Training learns what is tagged, and what is not tagged costs nothing."""

import csv

import numpy as np
import pytest
import torch

from avatargan.dataset import open_dataset
from avatargan.errors import DatasetError, OptionError, WeightsError
from avatargan.tagging.checkpoint import checkpoint_path, resume, save_checkpoint
from avatargan.tagging.evaluation import evaluate, figures_from
from avatargan.tagging.tagger import load_tagger, save_tagger
from avatargan.tagging.training import MISSING, TaggerTrainer, TrainingOptions
from tests.tagging.conftest import write_faces

SHORT = TrainingOptions(steps=4, batch=8)


@pytest.fixture
def trainer(faces, tmp_path):
    return lambda options=SHORT: TaggerTrainer(
        open_dataset(faces), options, cache_folder=tmp_path / "cache"
    )


def run(trainer, steps=None):
    for done, _ in enumerate(trainer.run(), 1):
        if done == steps:
            break
    return trainer


@pytest.mark.slow
def test_colours_are_learnt_in_a_few_steps(trainer, tmp_path):
    trained = run(trainer(TrainingOptions(steps=60, batch=16)))
    network, temperatures = trained.finish()
    path = tmp_path / "tagger.safetensors"
    save_tagger(path, network, trained.attributes, temperatures)
    figures = evaluate(load_tagger(path), trained.data, trained.decoded)
    assert figures["coat"].accuracy > 0.95
    assert figures["coat"].count == 120
    assert figures["gem"].count == 60  # of the others nobody knows


def test_no_picture_is_in_two_parts_and_the_test_split_is_kept(trainer):
    made = trainer()
    parts = made.parts
    together = np.concatenate([parts.train, parts.calibration, parts.test])
    assert sorted(together) == list(range(120))
    assert set(parts.test) == set(np.flatnonzero(made.data.splits == "test"))
    assert len(parts.calibration) > 3


def test_a_missing_tag_has_no_loss(trainer):
    made = trainer()
    images, labels = made._batch(0)
    labels[1] = MISSING
    made._network.train()
    made._learn(images, labels)
    first = len(made.attributes.offered("coat"))
    gradient = made._network.scores.weight.grad
    assert gradient[:first].abs().max() > 0
    assert not gradient[first:].any()


def test_interrupted_training_ends_as_if_it_had_not_been(trainer, tmp_path):
    whole = run(trainer()).state()
    interrupted = run(trainer(), 2)
    path = checkpoint_path(tmp_path / "tagger.safetensors")
    save_checkpoint(path, interrupted)
    resumed = trainer()
    resume(path, resumed)
    assert resumed.step == 2
    state = run(resumed).state()
    assert state.keys() == whole.keys()
    for name, tensor in whole.items():
        assert torch.equal(state[name], tensor), name


def test_another_seed_gives_another_tagger(trainer):
    one, other = (run(trainer(TrainingOptions(steps=1, batch=8, seed=seed))) for seed in (0, 1))
    assert not torch.equal(
        one.state()["network.scores.weight"], other.state()["network.scores.weight"]
    )


def test_a_checkpoint_of_another_training_is_refused(trainer, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, run(trainer(), 1))
    with pytest.raises(OptionError, match="other options or other pictures"):
        resume(path, trainer(TrainingOptions(steps=5, batch=8)))
    with pytest.raises(WeightsError, match="there is no such weights file"):
        resume(tmp_path / "nothing.safetensors", trainer())


def test_every_picture_is_seen_once_in_each_epoch(trainer):
    made = trainer(TrainingOptions(steps=60, batch=16))
    train = made.parts.train
    seen = np.concatenate([made._batch_indices(step) for step in range(3 * len(train) // 16)])
    for epoch in range(2):
        own = seen[epoch * len(train) : (epoch + 1) * len(train)]
        assert sorted(own) == sorted(train)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "1 or more"),
        ({"batch": 1}, "2 pictures"),
        ({"seed": -1}, r"from 0 to 2\^63-1"),
    ],
)
def test_options_out_of_range(trainer, options, message):
    with pytest.raises(OptionError, match=message):
        trainer(TrainingOptions(**{"steps": 4, "batch": 8, **options}))


def test_a_set_without_tags_cannot_be_learnt_from(faces, tmp_path):
    folder = tmp_path / "untagged"
    folder.mkdir()
    for file in list(faces.glob("*.png"))[:5]:
        (folder / file.name).write_bytes(file.read_bytes())
    with pytest.raises(DatasetError, match="no attribute with two choices"):
        TaggerTrainer(open_dataset(folder), SHORT, cache_folder=tmp_path / "cache")


def test_an_attribute_with_one_choice_is_left_out(tmp_path):
    folder = write_faces(tmp_path / "set", 30)
    rows = list(csv.reader((folder / "tags.csv").read_text().splitlines()))
    with (folder / "tags.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [[*row, "series" if index == 0 else "one"] for index, row in enumerate(rows)]
        )
    made = TaggerTrainer(open_dataset(folder), SHORT, cache_folder=tmp_path / "cache")
    assert list(made.attributes) == ["coat", "gem"]


def test_figures_count_what_was_said_of_what():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]], np.float32)
    figures = figures_from(("a", "b"), probabilities, np.array([0, 0, 1, -1]))
    assert figures.confusion.tolist() == [[1, 1], [0, 1]]
    assert figures.count == 3
    assert figures.accuracy == pytest.approx(2 / 3)
    assert figures.recall == {"a": 0.5, "b": 1.0}
