"""An attribute is taught from examples, with an honest measure of how well."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file
from safetensors.torch import safe_open
from scipy.stats import binomtest

from avatargan.attributes import Taxonomy
from avatargan.errors import DatasetError, OptionError, TaxonomyError, WeightsError
from avatargan.tagging import load_tagger
from avatargan.tagging.examples import read_examples
from avatargan.tagging.folder import FolderTagger
from avatargan.tagging.heads import load_head, save_head
from avatargan.tagging.network import TaggerNetwork
from avatargan.tagging.tagger import save_tagger
from avatargan.tagging.teaching import teach, wilson_interval
from tests.tagging.conftest import with_glasses


@pytest.fixture(scope="session")
def lesson(glasses, shipped):
    return teach("glasses", read_examples(glasses), shipped)


def test_glasses_are_taught_from_thirty_examples_each(lesson, glasses, shipped, pipe):
    assert lesson.figures.count == 60
    assert lesson.figures.accuracy > 0.85
    low, high = lesson.interval
    assert low < lesson.figures.accuracy <= high + 1e-9
    # Thirty of each, all told right, are no certainty.
    assert 0.8 < lesson.probabilities.max(1).mean() < 0.995
    fresh = np.stack(
        [
            np.asarray(avatar.image)
            for avatar in pipe.generate(range(900, 920), size=128, style="visual-novel")
        ]
    )
    random = np.random.default_rng(1)
    worn = np.stack([with_glasses(pixels, random) for pixels in fresh])
    told_without = lesson.head.probabilities(shipped.look(fresh)).argmax(1)
    told_with = lesson.head.probabilities(shipped.look(worn)).argmax(1)
    assert np.mean(np.concatenate([told_without == 0, told_with == 1])) > 0.8


def test_what_cannot_be_seen_is_not_claimed_to_be_known(drawn, shipped, tmp_path):
    random = np.random.default_rng(4)
    for index, pixels in enumerate(drawn[0]):
        path = tmp_path / str(random.integers(2)) / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    chance = teach("coin", read_examples(tmp_path), shipped)
    assert chance.figures.accuracy < 0.72
    assert chance.probabilities.max(1).mean() < 0.8


@pytest.mark.slow
def test_more_than_two_choices(faces, shipped, tmp_path):
    rows = [line.split(",") for line in (faces / "tags.csv").read_text().splitlines()[1:]]
    for file, coat, _ in rows:
        (tmp_path / coat).mkdir(exist_ok=True)
        (tmp_path / coat / file).write_bytes((faces / file).read_bytes())
    three = teach("coat", read_examples(tmp_path), shipped)
    assert three.head.choices == ("blue", "green", "red")
    assert three.figures.accuracy > 0.9
    sums = three.head.probabilities(shipped.look(read_examples(tmp_path).pictures)).sum(1)
    np.testing.assert_allclose(sums, 1, atol=1e-5)


def test_mistakes_come_with_the_surest_first(lesson, glasses):
    labels = read_examples(glasses).labels
    wrong = lesson.mistakes(labels)
    assert len(wrong) == lesson.figures.count - np.trace(lesson.figures.confusion)
    assert all(lesson.probabilities[wrong].argmax(1) != labels[wrong])
    sure = lesson.probabilities[wrong].max(1)
    assert all(sure[:-1] >= sure[1:])


@pytest.mark.parametrize(("right", "count"), [(0, 10), (7, 10), (59, 60), (60, 60), (480, 1000)])
def test_intervals_are_wilsons(right, count):
    expected = binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert wilson_interval(right / count, count) == pytest.approx(tuple(expected), abs=1e-4)


def test_a_head_is_the_same_after_it_was_saved(lesson, shipped, drawn, tmp_path):
    path = tmp_path / "glasses.safetensors"
    save_head(path, lesson.head)
    loaded = load_head(path)
    look = shipped.look(drawn[0])
    assert loaded.attribute == "glasses"
    assert loaded.choices == ("no", "yes")
    np.testing.assert_array_equal(loaded.probabilities(look), lesson.head.probabilities(look))
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["role"] == "attribute head"


def test_a_head_says_the_same_of_a_picture_in_any_company(lesson, shipped, drawn):
    together = lesson.head.probabilities(shipped.look(drawn[0]))
    alone = lesson.head.probabilities(shipped.look(drawn[0][7:8]))
    np.testing.assert_array_equal(alone[0], together[7])
    assert lesson.head.probabilities(shipped.look(drawn[0][:0])).shape == (0, 2)


def test_a_head_is_for_its_tagger_alone(lesson, untrained, glasses):
    with pytest.raises(OptionError, match="taught on another tagger"):
        FolderTagger(glasses, load_tagger(untrained), heads=[lesson.head])


def test_an_attribute_cannot_be_there_twice(lesson, shipped, glasses):
    with pytest.raises(OptionError, match="'glasses' would be there twice"):
        FolderTagger(glasses, shipped, heads=[lesson.head, lesson.head])


def test_heads_add_their_tags(lesson, shipped, glasses):
    tagging = FolderTagger(glasses, shipped, heads=[lesson.head])
    assert list(tagging.attributes) == ["hair", "eyes", "glasses"]
    told = {each.file: each.choices["glasses"] for each in tagging.run()}
    right = [choice == file.partition("/")[0] for file, choice in told.items()]
    assert np.mean(right) > 0.85


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coefficients": np.zeros((3, 2020), np.float32)}, "expected"),
        ({"scale": np.zeros(2020, np.float32)}, "cannot be used"),
        ({"mean": np.full(2020, np.nan, np.float32)}, "cannot be used"),
        ({"intercepts": np.zeros((1, 2), np.float32)}, "dimensions"),
    ],
)
def test_damaged_heads_are_refused(lesson, tmp_path, changes, message):
    path = tmp_path / "head.safetensors"
    save_head(path, lesson.head)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file({**load_file(path), **changes}, path, metadata)
    with pytest.raises(WeightsError, match=message):
        load_head(path)


def test_a_tagger_is_no_head(untrained):
    with pytest.raises(WeightsError, match="expected weights of a attribute head"):
        load_head(untrained)


def test_heads_of_a_wider_tagger_are_refused_before_they_are_used(lesson, tmp_path, drawn):
    path = tmp_path / "narrow.safetensors"
    torch.manual_seed(0)
    network = TaggerNetwork([2], widths=(8, 8, 8, 8), feature_dim=4)
    save_tagger(path, network, Taxonomy({"ears": ("cat", "fox", "unknown")}), {"ears": 1.0})
    with pytest.raises(OptionError, match="another tagger"):
        lesson.head.require_tagger(load_tagger(path))


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("hair", OptionError, "knows an attribute 'hair' already"),
        ("file", OptionError, "name of a column"),
        ("smile_p", OptionError, "name of a column"),
        ("two words", TaxonomyError, "cannot be the name"),
        ("seed", TaxonomyError, "cannot be the name"),
    ],
)
def test_names_that_are_taken(shipped, glasses, name, error, message):
    with pytest.raises(error, match=message):
        teach(name, read_examples(glasses), shipped)


def make_examples(folder, **counts):
    random = np.random.default_rng(0)
    for choice, count in counts.items():
        (folder / choice).mkdir(parents=True)
        for index in range(count):
            pixels = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / choice / f"{index}.png")
    return folder


def test_too_few_examples(tmp_path):
    with pytest.raises(DatasetError, match="9 different examples of 'few' are too few"):
        read_examples(make_examples(tmp_path, few=9, many=20))


def test_one_choice_alone(tmp_path):
    with pytest.raises(DatasetError, match="there is only 'yes'"):
        read_examples(make_examples(tmp_path, yes=20))


def test_examples_beside_the_folders(tmp_path):
    make_examples(tmp_path, yes=10, no=10)
    (tmp_path / "loose.png").write_bytes((tmp_path / "yes" / "0.png").read_bytes())
    with pytest.raises(DatasetError, match=r"'loose\.png' is in no choice's folder"):
        read_examples(tmp_path)


def test_one_picture_as_an_example_of_two_choices(tmp_path):
    make_examples(tmp_path, yes=12, no=12)
    (tmp_path / "no" / "copy.png").write_bytes((tmp_path / "yes" / "3.png").read_bytes())
    with pytest.raises(DatasetError, match=r"'yes/3\.png' and 'no/copy\.png' are the same"):
        read_examples(tmp_path)


def test_copies_within_a_choice_count_once(tmp_path):
    make_examples(tmp_path, yes=12, no=12)
    (tmp_path / "no" / "copy.png").write_bytes((tmp_path / "no" / "3.png").read_bytes())
    found = read_examples(tmp_path)
    assert (len(found.files), found.repeated) == (24, 1)


def test_an_unreadable_example_is_named(tmp_path):
    make_examples(tmp_path, yes=12, no=12)
    (tmp_path / "no" / "broken.png").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match=r"broken\.png: not a readable picture"):
        read_examples(tmp_path)


def test_a_folder_whose_name_cannot_be_a_choice(tmp_path):
    with pytest.raises(DatasetError, match="'not sure' cannot be a choice"):
        read_examples(make_examples(tmp_path / "a", yes=10, **{"not sure": 10}))
    with pytest.raises(DatasetError, match="'unknown' cannot be a choice"):
        read_examples(make_examples(tmp_path / "b", yes=10, unknown=10))


def test_no_examples(tmp_path):
    with pytest.raises(DatasetError, match="there are no pictures"):
        read_examples(tmp_path)
    with pytest.raises(DatasetError, match="there is no such folder"):
        read_examples(tmp_path / "nowhere")
