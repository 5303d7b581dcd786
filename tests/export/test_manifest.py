"""Manifests and the licence note."""

import csv
import json

import pytest

from avatargan.errors import OptionError
from avatargan.export import create_plan
from avatargan.export.wanted import WantedCharacter
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import read_recipe
from avatargan.version import __version__
from tests.conftest import write_generator

FIELDS = {
    "file",
    "seed",
    "attributes",
    "psi",
    "size",
    "transparent",
    "rolled_by_quality",
    "weights_sha256",
    "version",
    "licence",
}


def test_both_manifests_say_what_every_picture_was_drawn_from(export, small, tmp_path):
    export(tmp_path, count=4, first_seed=2**63 - 4, psi=0.35)
    entries = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    with (tmp_path / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(entries) == len(rows) == 4
    for entry, row in zip(entries, rows, strict=True):
        recipe = read_recipe(tmp_path / entry["file"])
        assert entry.keys() == FIELDS
        assert entry["seed"] == recipe.seed
        assert entry["attributes"] == recipe.attributes
        assert (entry["psi"], entry["size"]) == (recipe.psi, recipe.size) == (0.35, 32)
        assert entry["weights_sha256"] == small.weights_sha256
        assert entry["version"] == __version__
        assert row.keys() == (FIELDS - {"attributes"}) | set(recipe.attributes)
        flat = {
            **entry,
            **entry["attributes"],
            "transparent": "false",
            "rolled_by_quality": "false",
        }
        assert row == {column: str(flat[column]) for column in row}


def test_the_licence_follows_from_the_weights_or_from_what_is_given(export, pipe, tmp_path):
    export(tmp_path / "shipped", pipeline=pipe, count=1)
    export(tmp_path / "other", count=1)
    export(tmp_path / "given", count=1, licence_name="CC-BY-4.0, Studio Neko")
    licences = {}
    for name in ("shipped", "other", "given"):
        entry = json.loads((tmp_path / name / "manifest.jsonl").read_text())
        licences[name] = entry["licence"]
        note = (tmp_path / name / "LICENSE.txt").read_text()
        assert note.startswith(f"Licence of these pictures: {entry['licence']}\n")
        assert entry["weights_sha256"] in note
    assert licences == {
        "shipped": "research-and-personal-use",
        "other": "unstated",
        "given": "CC-BY-4.0, Studio Neko",
    }


def test_cells_are_no_formulas_and_have_no_line_breaks(export, tmp_path):
    rows = [WantedCharacter(name=f"{sign}cmd") for sign in "=+@"]
    export(tmp_path, characters=rows, licence_name="-mine\r\nonly")
    with (tmp_path / "manifest.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["file"] for row in table] == ["'=cmd.png", "'+cmd.png", "'@cmd.png"]
    assert all(row["licence"] == "'-mine only" for row in table)
    lines = (tmp_path / "manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["file"] for line in lines] == ["=cmd.png", "+cmd.png", "@cmd.png"]
    assert (tmp_path / "manifest.csv").read_bytes().count(b"\r\n") == 4


@pytest.mark.parametrize("licence", ["", "  ", "\n"])
def test_an_empty_licence_is_an_error(small, licence):
    with pytest.raises(OptionError, match="the licence is empty"):
        create_plan(small, licence_name=licence)


@pytest.mark.parametrize("name", ["file", "index", "name", "renpy", "licence"])
def test_weights_whose_attributes_hide_a_field_are_refused(tmp_path, name):
    write_generator(tmp_path / "odd.safetensors", {name: ["low", "high"]})
    pipeline = AvatarPipeline.load(tmp_path / "odd.safetensors", device="cpu")
    with pytest.raises(OptionError, match=f"a field '{name}' of their own"):
        create_plan(pipeline)
