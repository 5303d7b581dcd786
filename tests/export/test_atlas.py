"""Sprite sheets and their atlas files."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatargan.export import SheetOptions, create_plan
from avatargan.export.atlas import array_form, hash_form
from avatargan.export.sheets import lay_out
from avatargan.pictures import open_picture

SCHEMAS = json.loads(Path(__file__).with_name("texturepacker.schema.json").read_text())


def validate(document: object, form: str) -> None:
    jsonschema.validate(document, {**SCHEMAS, "$ref": f"#/$defs/{form}"})


@pytest.mark.parametrize("form", ["hash", "array"])
def test_every_picture_is_where_its_atlas_says(export, tmp_path, form):
    exporter = export(tmp_path, count=5, sheet=SheetOptions(columns=2, rows=2, atlas=True))
    ending = {"hash": ".json", "array": ".array.json"}[form]
    found = []
    for number in range(2):
        atlas = json.loads((tmp_path / f"sheets/sheet-{number}{ending}").read_text())
        validate(atlas, form)
        sheet = open_picture(tmp_path / "sheets" / atlas["meta"]["image"])
        assert sheet.size == (atlas["meta"]["size"]["w"], atlas["meta"]["size"]["h"])
        frames = atlas["frames"]
        if form == "array":
            frames = {frame["filename"]: frame for frame in frames}
        for name, entry in frames.items():
            found.append(name)
            at = entry["frame"]
            cut = sheet.crop((at["x"], at["y"], at["x"] + at["w"], at["y"] + at["h"]))
            picture = open_picture(tmp_path / name)
            assert np.array_equal(np.asarray(cut.convert("RGB")), np.asarray(picture))
        assert atlas["meta"]["related_multi_packs"] == [f"sheet-{1 - number}{ending}"]
        assert (tmp_path / "sheets" / atlas["meta"]["related_multi_packs"][0]).exists()
    assert found == [picture.file for picture in exporter.pictures()]


def test_one_sheet_is_related_to_none(export, tmp_path):
    export(tmp_path, count=2, sheet=SheetOptions(columns=2, rows=2, atlas=True))
    atlas = json.loads((tmp_path / "sheets/sheet-0.json").read_text())
    validate(atlas, "hash")
    assert "related_multi_packs" not in atlas["meta"]


@settings(deadline=None, max_examples=25)
@given(
    count=st.integers(1, 20),
    columns=st.integers(1, 5),
    rows=st.integers(1, 4),
    padding=st.integers(0, 9),
    power_of_two=st.booleans(),
)
def test_pictures_lie_inside_their_sheet_and_apart(
    small, count, columns, rows, padding, power_of_two
):
    options = SheetOptions(
        columns=columns, rows=rows, padding=padding, power_of_two=power_of_two, atlas=True
    )
    plan = create_plan(small, count=count, size=32, sheet=options)
    sheets = list(lay_out(plan, (f"{index}.png" for index in range(count))))
    assert len(sheets) == -(-count // (columns * rows))
    assert [f.file for sheet in sheets for f in sheet.frames] == [f"{i}.png" for i in range(count)]
    for sheet in sheets:
        validate(json.loads(hash_form(sheet, len(sheets))), "hash")
        validate(json.loads(array_form(sheet, len(sheets))), "array")
        covered = np.zeros((sheet.height, sheet.width), dtype=int)
        for frame in sheet.frames:
            area = covered[
                max(0, frame.y - padding) : frame.y + 32 + padding,
                max(0, frame.x - padding) : frame.x + 32 + padding,
            ]
            assert area.shape == (32 + 2 * padding, 32 + 2 * padding)
            covered[frame.y : frame.y + 32, frame.x : frame.x + 32] += 1
        assert covered.max() == 1
        assert covered.sum() == len(sheet.frames) * 32 * 32
        sides = {sheet.width, sheet.height}
        assert not power_of_two or all(side & (side - 1) == 0 for side in sides)
