"""Sets of pictures become one set with one taxonomy."""

import numpy as np
import pytest
from PIL import Image

from avatargan.dataset import open_dataset
from avatargan.errors import DatasetError, OptionError
from avatargan.training.data import Source, TrainingData, made_ahead, style_from
from tests.training.tiny import write_faces


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A second set, with a colour and an attribute of its own and without eyes."""
    folder = tmp_path_factory.mktemp("other") / "Ink Drawings"
    folder.mkdir()
    rows = ["file,hair,ears"]
    for index in range(20):
        Image.new("RGB", (20, 16), (index * 10, 0, 99)).save(folder / f"{index}.png")
        rows.append(f"{index}.png,{'pink' if index % 2 else 'red'},{'cat' if index % 3 else ''}")
    (folder / "tags.csv").write_text("\n".join(rows))
    return folder


def training(cache, *sources, **options):
    return TrainingData(list(sources), 16, 1, cache_folder=cache, **options)


def test_two_sets_become_styles_with_their_weights(faces, other, cache):
    data = training(
        cache, Source(open_dataset(faces), "flat", 3), Source(open_dataset(other), "ink", 1)
    )
    assert data.attributes["style"] == ("flat", "ink")
    assert data.attributes["hair"] == ("blue", "green", "red", "pink", "unknown")
    assert data.attributes["ears"] == ("cat", "unknown")
    batch = data.batch(np.arange(64))
    style = batch.labels["style"]
    assert (style == 0).sum() == 48
    unknown = {name: data.attributes.index(name, "unknown") for name in ("eyes", "ears")}
    assert (batch.labels["eyes"][style == 1] == unknown["eyes"]).all()
    assert (batch.labels["ears"][style == 0] == unknown["ears"]).all()


def test_labels_belong_to_their_pictures(faces, cache):
    """The pictures' colours say what their hair is."""
    data = training(cache, Source(open_dataset(faces)))
    batch = data.batch(np.arange(100))
    brightest = batch.real.float().mean(dim=(2, 3)).argmax(dim=1)  # red, green, blue
    colours = np.array(["red", "green", "blue"])[brightest.numpy()]
    choices = np.array(data.attributes["hair"])
    assert (choices[batch.labels["hair"].numpy()] == colours).all()


def test_fakes_get_pairs_of_labels_that_the_data_has(faces, cache):
    data = training(cache, Source(open_dataset(faces)))
    rows = data.rows[0]
    there = set(
        zip(*(data.labels[0][name][rows].tolist() for name in data.attributes), strict=True)
    )
    fake = data.fake_labels(np.arange(200))
    asked = set(zip(*(fake[name].tolist() for name in data.attributes), strict=True))
    assert asked == there


def test_a_tenth_is_left_for_evaluation_unless_all_are_asked_for(faces, cache):
    dataset = open_dataset(faces)
    data = training(cache, Source(dataset))
    assert len(data) == (dataset.splits == "train").sum() < len(dataset)
    assert len(training(cache, Source(dataset), split="all")) == len(dataset)


def test_mirroring_can_be_left_out(faces, cache):
    dataset = open_dataset(faces)
    plain = training(cache, Source(dataset), flips=False).batch(np.arange(60)).real
    mirrored = training(cache, Source(dataset)).batch(np.arange(60)).real
    flipped = plain.flip(3)
    same = [(mirrored[i] == plain[i]).all().item() for i in range(60)]
    turned = [(mirrored[i] == flipped[i]).all().item() for i in range(60)]
    assert all(a or b for a, b in zip(same, turned, strict=True))
    assert any(same)
    assert any(turned)


def test_pictures_without_tags_are_a_style_named_after_their_folder(tmp_path, cache):
    folder = write_faces(tmp_path / "My Drawings!")
    (folder / "tags.csv").unlink()
    data = training(cache, Source(open_dataset(folder)))
    assert dict(data.attributes) == {"style": ("my-drawings",)}


@pytest.mark.parametrize(
    ("name", "style"), [("TV (1).tar", "tv-1"), ("___", "pictures"), ("x" * 60, "x" * 40)]
)
def test_names_of_files_become_names_of_styles(tmp_path, name, style):
    assert style_from(tmp_path / name) == style


def test_of_several_sets_each_needs_a_style(faces, other, cache):
    with pytest.raises(OptionError, match="each needs a --style"):
        training(cache, Source(open_dataset(faces), "flat"), Source(open_dataset(other)))


def test_a_set_with_styles_of_its_own_takes_no_other(tmp_path, cache):
    folder = write_faces(tmp_path / "faces")
    tags = (folder / "tags.csv").read_text().replace("file,hair,eyes", "file,style,eyes")
    (folder / "tags.csv").write_text(tags)
    assert training(cache, Source(open_dataset(folder))).attributes["style"] == (
        "blue",
        "green",
        "red",
    )
    with pytest.raises(OptionError, match="a style of their own"):
        training(cache, Source(open_dataset(folder), "flat"))


def test_nothing_to_train_on_is_said(cache, tmp_path):
    with pytest.raises(OptionError, match="nothing to train on"):
        training(cache)
    folder = write_faces(tmp_path / "faces", count=1)
    (folder / "tags.csv").write_text("file,hair,split\n000.png,red,test\n")
    with pytest.raises(DatasetError, match="no picture is left to train on"):
        training(cache, Source(open_dataset(folder)))


def test_batches_are_made_in_order_ahead_of_their_use():
    assert list(made_ahead(lambda item: item * 2, iter(range(5)))) == [0, 2, 4, 6, 8]
    assert list(made_ahead(lambda item: item, iter([]))) == []
