"""Folders of all kinds are tagged, and what cannot be read is named."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from avatargan.attributes import Taxonomy
from avatargan.errors import DatasetError, OptionError
from avatargan.tagging import load_tagger
from avatargan.tagging.folder import FolderTagger, SkippedPicture, TaggedPicture, TagTable
from avatargan.tagging.regions import RegionNetwork
from avatargan.tagging.tagger import save_tagger


@pytest.fixture
def tagger(untrained):
    return load_tagger(untrained)


def save(path, seed=0, size=(20, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def tags(folder, tagger, **options):
    return list(FolderTagger(folder, tagger, **options).run())


def test_names_in_any_script_in_folders_of_folders_in_order(tmp_path, tagger):
    names = ["b/顔.png", "a, b.webp", "ё.jpg", "b/c/😀.png", "UPPER.PNG"]
    for name in names:
        save(tmp_path / name)
    save(tmp_path / ".hidden.png")
    (tmp_path / "notes.txt").write_text("no picture")
    found = tags(tmp_path, tagger)
    assert [each.file for each in found] == sorted(names)
    assert all(set(each.choices) == {"ears", "mood"} for each in found)


def test_files_that_cannot_be_read_are_skipped_with_a_reason(tmp_path, tagger):
    save(tmp_path / "good.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("this is no picture")
    content = (tmp_path / "good.png").read_bytes()
    (tmp_path / "short.png").write_bytes(content[: len(content) // 2])
    by_name = {each.file: each for each in tags(tmp_path, tagger)}
    assert isinstance(by_name["good.png"], TaggedPicture)
    for name in ("empty.png", "text.jpg", "short.png"):
        assert isinstance(by_name[name], SkippedPicture)
        assert "not a readable picture" in by_name[name].reason
        assert str(tmp_path) not in by_name[name].reason


def test_links_that_lead_in_circles_and_links_to_files(tmp_path, tagger):
    save(tmp_path / "a" / "one.png")
    (tmp_path / "a" / "around").symlink_to(tmp_path)
    assert [each.file for each in tags(tmp_path, tagger)] == ["a/one.png"]


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_a_name_that_no_table_can_hold_is_skipped(tmp_path, tagger):
    save(tmp_path / "good.png")
    (tmp_path / os.fsdecode(b"bad-\xff.png")).write_bytes((tmp_path / "good.png").read_bytes())
    bad, good = tags(tmp_path, tagger)
    assert isinstance(good, TaggedPicture)
    assert isinstance(bad, SkippedPicture)
    assert "UTF-8" in bad.reason


def test_below_the_threshold_nobody_knows(tmp_path, tagger):
    for index in range(6):
        save(tmp_path / f"{index}.png", seed=index)
    all_known = tags(tmp_path, tagger, threshold=0)
    none_known = tags(tmp_path, tagger, threshold=1)
    for known, unknown in zip(all_known, none_known, strict=True):
        assert "unknown" not in known.choices.values()
        assert set(unknown.choices.values()) == {"unknown"}
        assert known.probabilities == unknown.probabilities
        assert max(known.probabilities.values()) < 1


def test_a_picture_gets_the_same_tags_in_any_company(tmp_path, tagger):
    for index in range(70):  # more than are looked at together
        save(tmp_path / f"{index:02d}.png", seed=index)
    together = tags(tmp_path, tagger)
    for index in range(69):
        (tmp_path / f"{index:02d}.png").unlink()
    (alone,) = tags(tmp_path, tagger)
    assert alone == together[69]


def test_counts_and_the_set_to_look_at(tmp_path, tagger):
    for index in range(5):
        save(tmp_path / f"{index}.png", seed=index)
    (tmp_path / "bad.png").touch()
    tagging = FolderTagger(tmp_path, tagger, threshold=0)
    table = TagTable(tagging)
    columns = ("file", "ears", "ears_p", "mood", "mood_p", "tagger", "reason")
    assert table.columns == columns
    rows = [table.add(each) for each in tagging.run() if isinstance(each, TaggedPicture)]
    assert {row[5] for row in rows} == {tagger.sha256}
    assert sum(table.counts("ears").values()) == 5
    assert set(table.counts("mood")) == {"a", "b", "c", "unknown"}
    data = table.dataset()
    assert len(data) == 5
    assert data.names == tuple(row[0] for row in rows)
    place = data.names.index("3.png")
    assert data.attributes["ears"][data.labels["ears"][place]] == rows[place][1]
    np.testing.assert_array_equal(data.picture(place), np.asarray(Image.open(tmp_path / "3.png")))


def test_closed_eyes_have_no_colour_and_what_is_no_face_has_nothing(tmp_path):
    weights = tmp_path / "tagger.safetensors"
    attributes = Taxonomy(
        {"eyes": ("red", "blue"), "eyelids": ("open", "closed"), "face": ("yes", "no")}
    )
    network = RegionNetwork([2, 2, 2], widths=(8, 8, 8, 8), fine=8, regions=2, feature_dim=12)
    torch.nn.init.zeros_(network.scores.weight)
    network.scores.bias.data = torch.tensor([0.0, 9, 0, 9, 9, 0])
    silences = {"eyelids": {"closed": ["eyes"]}, "face": {"no": ["eyes", "eyelids"]}}
    save_tagger(
        weights,
        network,
        attributes,
        dict.fromkeys(attributes, 1.0),
        silences=silences,
        internal=["face"],
    )
    save(tmp_path / "faces" / "a.png")
    (found,) = tags(tmp_path / "faces", load_tagger(weights))
    assert found.choices == {"eyes": "unknown", "eyelids": "closed"}
    assert found.reason == "eyelids: closed"
    assert found.probabilities["eyes"] > 0.9


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_is_a_probability(tmp_path, tagger, threshold):
    save(tmp_path / "a.png")
    with pytest.raises(OptionError, match="from 0 to 1"):
        FolderTagger(tmp_path, tagger, threshold=threshold)


def test_nothing_to_tag(tmp_path, tagger):
    with pytest.raises(DatasetError, match="no pictures"):
        FolderTagger(tmp_path, tagger)
    with pytest.raises(DatasetError, match="there is no such folder"):
        FolderTagger(tmp_path / "nowhere", tagger)
    save(tmp_path / "a.png")
    with pytest.raises(DatasetError, match="not a folder"):
        FolderTagger(tmp_path / "a.png", tagger)
