"""Which samples are drawn: labels of the dataset's own pairs, the same for every count."""

import numpy as np
import pytest

from avatargan.dataset import open_dataset
from avatargan.errors import DatasetError, OptionError
from avatargan.evaluation.progress import no_progress
from avatargan.evaluation.real_features import real_features, real_pictures
from avatargan.evaluation.samples import plan_samples, unknown_tags
from avatargan.pipeline import AvatarPipeline


@pytest.fixture(scope="module")
def small_pipe(generator_weights):
    return AvatarPipeline.load(generator_weights, device="cpu")


@pytest.fixture(scope="module")
def data(faces):
    return open_dataset(faces)


def plan_of(pipe, data, count=200, **options):
    return plan_samples(pipe, data, **{"count": count, "seed": 3, "psi": 1.0, **options})


def test_the_first_samples_are_the_same_for_every_count(small_pipe, data):
    few, many = plan_of(small_pipe, data, 10), plan_of(small_pipe, data, 300)
    assert few.seeds == many.seeds[:10]
    assert all(few.choices(index) == many.choices(index) for index in range(10))
    assert plan_of(small_pipe, data, 10, seed=4).seeds != few.seeds


def test_labels_come_in_the_pairs_of_the_dataset(small_pipe, faces, tmp_path):
    # Pink hair only with glasses, blue hair only without.
    lines = ["file,hair,glasses"]
    for index in range(240):
        lines.append(f"{index:03}.png,{('pink,yes', 'blue,no')[index % 2]}")
    tags = tmp_path / "tags.csv"
    tags.write_text("\n".join(lines) + "\n")
    plan = plan_of(small_pipe, open_dataset(faces, tags=tags))
    pairs = {(plan.labels["hair"][i], plan.labels["glasses"][i]) for i in range(len(plan))}
    assert pairs == {("pink", "yes"), ("blue", "no")}


def test_tags_that_are_missing_or_cannot_be_drawn_are_replaced_by_others(small_pipe, data):
    plan = plan_of(small_pipe, data, 400)
    counts = {name: plan.labels["hair"].count(name) for name in set(plan.labels["hair"])}
    assert counts.keys() == {"pink", "blue"}  # teal is nowhere, green cannot be drawn
    assert all(150 < count < 250 for count in counts.values())
    assert unknown_tags(small_pipe, data) == {"hair": ["green"]}


def test_what_the_dataset_does_not_tag_takes_its_default_or_what_is_fixed(small_pipe, data):
    assert set(plan_of(small_pipe, data).labels["style"]) == {"round"}
    fixed = plan_of(small_pipe, data, fixed={"style": "square", "hair": "teal"})
    assert set(fixed.labels["style"]) == {"square"}
    assert set(fixed.labels["hair"]) == {"teal"}
    assert set(fixed.labels["glasses"]) == {"yes", "no"}


def test_wrong_wishes_are_named(small_pipe, data):
    with pytest.raises(OptionError, match="no attribute 'hat'"):
        plan_of(small_pipe, data, fixed={"hat": "red"})
    with pytest.raises(OptionError, match="did you mean 'pink'"):
        plan_of(small_pipe, data, fixed={"hair": "pinc"})
    with pytest.raises(OptionError, match="psi"):
        plan_of(small_pipe, data, psi=3.0)


def test_pictures_without_tags_are_refused(small_pipe, faces, tmp_path):
    folder = tmp_path / "untagged"
    folder.mkdir()
    (folder / "a.png").write_bytes((faces / "000.png").read_bytes())
    with pytest.raises(DatasetError, match=r"untagged: no picture has a tag that these weights"):
        plan_of(small_pipe, open_dataset(folder))


class CountingFeatures:
    """Mean colours; counts the pictures it was shown."""

    name = "counting"

    def __init__(self, sha256="a"):
        self.sha256 = sha256
        self.shown = 0

    def features(self, pictures):
        self.shown += len(pictures)
        halves = pictures[:, :, : pictures.shape[2] // 2]
        return halves.mean((1, 2)).astype(np.float32)


def test_features_of_real_pictures_are_computed_once(data, tmp_path):
    extractor = CountingFeatures()

    def look(extractor=extractor, pictures=data, resolution=16, **options):
        cache = tmp_path / "features"
        return np.array(
            real_features(
                pictures, extractor, resolution, no_progress, cache_folder=cache, **options
            )
        )

    first = look()
    assert extractor.shown == len(data)
    assert (look() == first).all()
    assert extractor.shown == len(data)
    assert not (look(mirrored=True) == first).all()
    look(resolution=12)
    look(CountingFeatures("b"))
    some = look(pictures=data.subset([5, 2]))
    assert (some == first[[5, 2]]).all()
    assert len(list((tmp_path / "features").iterdir())) == 5


def test_a_damaged_cache_is_made_again(data, tmp_path):
    extractor = CountingFeatures()
    first = np.array(real_features(data, extractor, 16, no_progress, cache_folder=tmp_path))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:150])
    again = real_features(data, extractor, 16, no_progress, cache_folder=tmp_path)
    assert (again == first).all()
    assert extractor.shown == 2 * len(data)


def test_real_pictures_come_in_order_at_one_size(data):
    pictures = list(real_pictures(data, 8))
    assert len(pictures) == len(data)
    assert {picture.shape for picture in pictures} == {(8, 8, 3)}
