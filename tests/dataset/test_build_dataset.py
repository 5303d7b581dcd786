"""Built sets hold what the crops held, at the size that was asked for, with nothing twice."""

import json

import numpy as np
import pytest
from PIL import Image

from avatargan.dataset import open_dataset
from avatargan.dataset.building import CropFacts, Upscaling, build_dataset, upscale
from avatargan.dataset.crops import read_crop_facts
from avatargan.dataset.inspection import count_choices, sheet_by_attribute
from avatargan.dataset.synthesis import draw_dataset, draw_pictures
from avatargan.errors import AttributeChoiceError, DatasetError, OptionError, OutputError
from avatargan.networks import load_upscaler
from avatargan.pipeline import AvatarPipeline


@pytest.fixture(scope="module")
def small(other_weights):
    return AvatarPipeline.load(other_weights, device="cpu")


@pytest.fixture
def crops(small, tmp_path):
    draw_pictures(small, 12, tmp_path / "crops", size=32)
    return tmp_path / "crops"


def built(crops, out, **options):
    summary = build_dataset(open_dataset(crops), out, **options)
    return open_dataset(out), summary


def test_pictures_and_tags_survive(crops, tmp_path):
    before = open_dataset(crops)
    after, summary = built(crops, tmp_path / "set", resolution=32, upscaling=Upscaling.NEVER)
    assert summary.pictures == len(after) == 12
    assert after.names == before.names
    assert dict(after.attributes) == dict(before.attributes)
    for name in after.attributes:
        assert after.labels[name].tolist() == before.labels[name].tolist()
    for index in range(12):
        assert (after.picture(index) == before.picture(index)).all()
    assert isinstance(after.decoded(32), np.memmap)


def test_the_same_crops_give_the_same_bytes(crops, tmp_path):
    for name in ("a", "b"):
        built(crops, tmp_path / name, resolution=32)
    files = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert files == sorted(file.name for file in (tmp_path / "b").iterdir())
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_small_crops_are_upscaled_by_the_network(crops, tmp_path):
    data, summary = built(crops, tmp_path / "set", resolution=128)
    assert summary.upscaled == 12
    original = open_dataset(crops).picture(0)
    assert (data.picture(0) == upscale(load_upscaler(), original)).all()
    _, plain = built(crops, tmp_path / "plain", resolution=40)
    assert plain.upscaled == 0


def test_crops_that_were_enlarged_go_back_to_their_own_pixels_first(crops, tmp_path):
    for file in crops.glob("*.png"):
        with Image.open(file) as picture:
            picture.resize((128, 128), Image.Resampling.NEAREST).save(file)
    facts = {file.name: CropFacts("source", 32.0) for file in crops.glob("*.png")}
    data, summary = built(crops, tmp_path / "set", resolution=128, facts=facts)
    assert summary.upscaled == 12
    assert set(data.sources) == {"source"}
    assert len(set(data.splits.tolist())) == 1
    small = open_dataset(crops).picture(0)[::4, ::4]
    assert (data.picture(0) == upscale(load_upscaler(), small)).all()


def test_copies_and_unreadable_files_are_left_out_and_listed(crops, tmp_path):
    names = sorted(file.name for file in crops.glob("*.png"))
    (crops / names[1]).write_bytes((crops / names[0]).read_bytes())
    (crops / names[2]).write_bytes(b"nothing")
    data, summary = built(crops, tmp_path / "set", resolution=32)
    left_out = json.loads((tmp_path / "set" / "dataset.json").read_text())["summary"]["left_out"]
    assert summary.left_out == left_out
    assert len(data) == 10
    assert any("a copy of" in why for why in left_out.values())
    assert any("not a readable picture" in why for why in left_out.values())
    report = (tmp_path / "set" / "report.html").read_text()
    assert names[2] in report


def test_a_set_of_nothing_readable_is_no_set(crops, tmp_path):
    for file in crops.glob("*.png"):
        file.write_bytes(b"nothing")
    with pytest.raises(DatasetError, match="not one of its pictures"):
        built(crops, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_only_sets_are_replaced_and_only_when_asked(crops, tmp_path):
    built(crops, tmp_path / "set", resolution=32)
    with pytest.raises(OutputError, match="--overwrite"):
        built(crops, tmp_path / "set", resolution=16)
    assert (
        built(crops, tmp_path / "set", resolution=16, overwrite=True)[0].picture(0).shape[0] == 16
    )
    with pytest.raises(OutputError, match="not a set"):
        built(crops, crops, overwrite=True)
    with pytest.raises(OptionError, match="from 16 to 1024"):
        built(crops, tmp_path / "other", resolution=8)


def test_large_sets_have_several_shards(crops, tmp_path, monkeypatch):
    monkeypatch.setattr("avatargan.dataset.writing.SHARD_BYTES", 5 * 3 * 32 * 32)
    data, _ = built(crops, tmp_path / "set", resolution=32)
    assert len(list((tmp_path / "set").glob("pictures-*.npy"))) == 3
    before = open_dataset(crops)
    assert all((data.picture(index) == before.picture(index)).all() for index in range(12))
    assert (data.decoded(32, tmp_path / "cache")[11] == before.picture(11)).all()


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("dataset.json", lambda text: text[:50], "not JSON"),
        ("dataset.json", lambda text: text.replace('"version": 1', '"version": 9'), "version 9"),
        (
            "dataset.json",
            lambda text: text.replace('"resolution": 32', '"resolution": 64'),
            "64 px",
        ),
        ("dataset.json", lambda text: text.replace('"resolution"', '"size"'), "damaged"),
        ("tags.csv", lambda text: text.replace("0.png", "nowhere.png", 1), "no picture"),
    ],
)
def test_damaged_sets_say_what_to_do(crops, tmp_path, file, change, message):
    built(crops, tmp_path / "set", resolution=32)
    path = tmp_path / "set" / file
    path.write_text(change(path.read_text()))
    with pytest.raises(DatasetError, match=message):
        open_dataset(tmp_path / "set")


def test_shards_that_were_cut_short_are_named(crops, tmp_path):
    built(crops, tmp_path / "set", resolution=32)
    shard = tmp_path / "set" / "pictures-00000.npy"
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(DatasetError, match=r"pictures-00000\.npy: missing or damaged"):
        open_dataset(tmp_path / "set")


def test_a_drawn_set_shows_what_its_tags_say(small, tmp_path):
    draw_dataset(small, 20, tmp_path / "set", resolution=32, ears="fox")
    data = open_dataset(tmp_path / "set")
    assert len(data) == 20
    fox = data.attributes.index("ears", "fox")
    assert set(data.labels["ears"].tolist()) == {fox}
    assert len(set(data.labels["glasses"].tolist())) == 2
    recipe = small.recipes(7, psi=1.0, size=32, ears="fox", glasses="any", style="any")
    drawn = np.asarray(next(iter(small.draw(recipe))).image)
    assert (data.picture(7) == drawn).all()


def test_counts_are_those_of_the_tags(small, tmp_path):
    draw_dataset(small, 30, tmp_path / "set", resolution=32)
    data = open_dataset(tmp_path / "set")
    counts = count_choices(data, "ears")
    for index, choice in enumerate(data.attributes["ears"]):
        assert sum(split[choice] for split in counts.values()) == sum(data.labels["ears"] == index)


def test_sheets_have_a_row_for_each_choice(small, tmp_path):
    draw_dataset(small, 30, tmp_path / "set", resolution=32)
    data = open_dataset(tmp_path / "set")
    ears = sheet_by_attribute(data, "ears", columns=4, cell=32)
    glasses = sheet_by_attribute(data, "glasses", columns=4, cell=32)
    assert ears.height > glasses.height
    with pytest.raises(AttributeChoiceError, match="did you mean 'ears'"):
        sheet_by_attribute(data, "ear")


def test_the_manifest_of_the_cropper_tells_sources_and_sizes(tmp_path):
    lines = [
        {"file": "a_0.png", "source_sha256": "aa", "crop_box": [1.5, 2, 40.5, 40.5]},
        {"file": "a_1.png", "source_sha256": "aa", "crop_box": [-3, 2, 90, 90]},
    ]
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text("\n".join(map(json.dumps, lines)))
    assert read_crop_facts(tmp_path) == {
        "a_0.png": CropFacts("aa", 40.5),
        "a_1.png": CropFacts("aa", 90.0),
    }
    manifest.write_text(json.dumps(lines[0]) + '\n{"file": "b"}\n')
    with pytest.raises(DatasetError, match=r"manifest\.jsonl, line 2"):
        read_crop_facts(tmp_path)
