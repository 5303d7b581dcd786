"""Training learns what is tagged, and what is not tagged costs nothing."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from avatargan.attributes import Taxonomy
from avatargan.dataset import open_dataset
from avatargan.errors import DatasetError, OptionError, WeightsError
from avatargan.tagging.checkpoint import checkpoint_path, resume, save_checkpoint
from avatargan.tagging.evaluation import evaluate, figures_from
from avatargan.tagging.material import MISSING, gather, mirrored_choices
from avatargan.tagging.tagger import load_tagger, save_tagger, to_unit
from avatargan.tagging.training import TaggerTrainer, TrainingOptions, _epochs
from tests.tagging.conftest import write_faces

SHORT = TrainingOptions(steps=4, batch=8)


@pytest.fixture(scope="module")
def material(faces, tmp_path_factory):
    return gather([open_dataset(faces)], cache_folder=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def trainer(material):
    def make(options=SHORT, **more):
        return TaggerTrainer(
            material.train,
            material.attributes,
            options,
            calibration=material.calibration,
            **more,
        )

    return make


def run(trainer, steps=None):
    for done, _ in enumerate(trainer.run(), 1):
        if done == steps:
            break
    return trainer


@pytest.mark.slow
def test_colours_are_learnt_in_a_few_steps(trainer, material, tmp_path):
    trained = run(trainer(TrainingOptions(steps=60, batch=16)))
    network, temperatures = trained.finish()
    path = tmp_path / "tagger.safetensors"
    save_tagger(path, network, trained.attributes, temperatures)
    (part,) = material.parts
    figures = evaluate(load_tagger(path), part.data, part.decoded)
    assert figures["coat"].accuracy > 0.95
    assert figures["coat"].count == 120
    assert figures["gem"].count == 60  # of the others nobody knows


def test_no_picture_is_in_two_parts_and_the_test_split_is_kept(material):
    (part,) = material.parts
    together = np.concatenate([part.train.places, part.calibration.places, part.test])
    assert sorted(together) == list(range(120))
    assert set(part.test) == set(np.flatnonzero(part.data.splits == "test"))
    assert len(part.calibration) > 3


def test_a_tagger_begins_with_what_another_knows(trainer, shipped_judge, faces, tmp_path):
    data = open_dataset(faces)
    data = replace(
        data,
        attributes=Taxonomy({"hair": ("red", "green", "unknown")}),
        labels={"hair": np.arange(len(data)) % 2},
    )
    material = gather([data], cache_folder=tmp_path / "cache")
    made = TaggerTrainer(material.train, material.attributes, SHORT, start=shipped_judge)
    pictures = to_unit(
        torch.from_numpy(np.array(material.parts[0].decoded[:4])).permute(0, 3, 1, 2)
    )
    known = shipped_judge.network(functional.avg_pool2d(pictures, 2))[1][0]
    choices = shipped_judge.attributes.offered("hair")
    wanted = known[:, [choices.index("green"), choices.index("red")]]
    assert torch.allclose(made._network(pictures)[1], wanted, atol=1e-4)


def test_missing_tags_are_told_where_the_tagger_is_sure(trainer):
    options = TrainingOptions(steps=2, batch=8, tell_at=(0.5,), tell_above=0.0)
    told = []
    made = run(trainer(options, told=told.append))
    (own,) = made.sets
    missing = int((made._given[0][0] == MISSING).sum())
    assert told == [missing]
    assert not (own.labels == MISSING).any()
    assert own.certainty[made._given[0][0] == MISSING].max() < 1


def test_sets_share_every_batch_and_pictures_without_tags_wait(faces, tmp_path):
    untagged = tmp_path / "untagged"
    untagged.mkdir()
    for file in sorted(faces.glob("*.png"))[:30]:
        (untagged / file.name).write_bytes(file.read_bytes())
    sets = [open_dataset(faces), open_dataset(untagged), open_dataset(faces)]
    material = gather(sets, cache_folder=tmp_path / "cache")
    made = TaggerTrainer(material.train, material.attributes, SHORT)
    assert made._counts.tolist() == [4, 0, 4]
    assert len(made._batch(0).images) == 8


def test_left_and_right_change_places_in_a_mirror(faces, tmp_path):
    data = open_dataset(faces)
    data = replace(
        data,
        attributes=Taxonomy({"turn": ("front", "left", "right", "unknown")}),
        labels={"turn": np.full(len(data), 1)},
    )
    data.labels["turn"][::2] = 0
    material = gather([data], cache_folder=tmp_path / "cache")
    mirrored = mirrored_choices(material.attributes)
    options = TrainingOptions(steps=4, batch=32)
    made = TaggerTrainer(material.train, material.attributes, options, mirrored=mirrored)
    labels = set(made._batch(0).labels[0].tolist())
    assert labels == {0, 1, 2}  # of those looking left some were mirrored


def test_a_missing_tag_has_no_loss(trainer):
    made = trainer()
    batch = made._batch(0)
    batch.labels[1] = MISSING
    made._network.train()
    made._learn(batch)
    first = len(made.attributes.offered("coat"))
    gradient = made._network.scores.weight.grad
    assert gradient[:first].abs().max() > 0
    assert not gradient[first:].any()


def test_interrupted_training_ends_as_if_it_had_not_been(trainer, material, tmp_path):
    whole = run(trainer()).state()
    interrupted = run(trainer(), 2)
    path = checkpoint_path(tmp_path / "tagger.safetensors")
    save_checkpoint(path, interrupted, material.sha256)
    resumed = trainer()
    resume(path, resumed, material.sha256)
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


def test_a_checkpoint_of_another_training_is_refused(trainer, material, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, run(trainer(), 1), material.sha256)
    with pytest.raises(OptionError, match="other options or other pictures"):
        resume(path, trainer(TrainingOptions(steps=5, batch=8)), material.sha256)
    with pytest.raises(WeightsError, match="there is no such weights file"):
        resume(tmp_path / "nothing.safetensors", trainer(), material.sha256)


def test_every_picture_is_seen_once_in_each_epoch():
    seen = np.concatenate([_epochs(50, step * 16, 16, [0]) for step in range(10)])
    for epoch in range(3):
        assert sorted(seen[epoch * 50 : (epoch + 1) * 50]) == list(range(50))
    assert not np.array_equal(seen[:50], seen[50:100])


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
        gather([open_dataset(folder)], cache_folder=tmp_path / "cache")


def test_an_attribute_with_one_choice_is_left_out(tmp_path):
    folder = write_faces(tmp_path / "set", 30)
    rows = list(csv.reader((folder / "tags.csv").read_text().splitlines()))
    with (folder / "tags.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [[*row, "series" if index == 0 else "one"] for index, row in enumerate(rows)]
        )
    made = gather([open_dataset(folder)], cache_folder=tmp_path / "cache")
    assert list(made.attributes) == ["coat", "gem"]


def test_figures_count_what_was_said_of_what():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]], np.float32)
    figures = figures_from(("a", "b"), probabilities, np.array([0, 0, 1, -1]))
    assert figures.confusion.tolist() == [[1, 1], [0, 1]]
    assert figures.count == 3
    assert figures.accuracy == pytest.approx(2 / 3)
    assert figures.recall == {"a": 0.5, "b": 1.0}
