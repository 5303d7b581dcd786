"""Sprite sheets and their atlas files."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from avatargan.export import Exporter, ExportFolder, SheetOptions, create_plan
from avatargan.export.atlas import array_form, hash_form
from avatargan.export.packing import pack
from avatargan.export.sheets import lay_out
from avatargan.export.studio import Finisher, LocalStudio
from avatargan.pictures import open_picture

SCHEMAS = json.loads(Path(__file__).with_name("texturepacker.schema.json").read_text())


VALIDATORS = {
    form: jsonschema.Draft202012Validator({**SCHEMAS, "$ref": f"#/$defs/{form}"})
    for form in ("hash", "array")
}


def validate(document: object, form: str) -> None:
    VALIDATORS[form].validate(document)


@pytest.fixture(scope="module")
def a_plan(small):
    return create_plan(small, size=32, sheet=SheetOptions(columns=1, rows=1))


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


class Speck:
    """Leaves a rectangle of each picture, of another size and place each time."""

    def cut_out(self, image: Image.Image) -> Image.Image:
        width, height, left, top = (1 + int(x) for x in np.asarray(image)[9, 9:13, 0] % 15)
        alpha = Image.new("L", image.size)
        alpha.paste(255, (left, top, left + width, top + height))
        cut = image.convert("RGBA")
        cut.putalpha(alpha)
        return cut


@pytest.mark.parametrize("rotate", [False, True])
def test_trimmed_pictures_are_put_together_again_from_their_atlas(small, tmp_path, rotate):
    sheet = SheetOptions(
        **{"columns": 6, "rows": 6, "padding": 1, "extrude": 2, "trim": True, "rotate": rotate},
        **{"atlas": True, "multiatlas": not rotate},
    )
    plan = create_plan(
        small, count=40, size=32, psi=2.0, transparent=True, sheet=sheet, allow_duplicates=True
    )
    for _ in range(2):  # carried on, it is found to be finished
        list(Exporter(plan, ExportFolder(tmp_path), LocalStudio(small, Finisher(Speck()))).run())
    frames = {}
    for number in range(2):
        atlas = json.loads((tmp_path / f"sheets/sheet-{number}.json").read_text())
        validate(atlas, "hash")
        canvas = open_picture(tmp_path / "sheets" / atlas["meta"]["image"])
        frames |= atlas["frames"]
        for name, entry in atlas["frames"].items():
            at, place = entry["frame"], entry["spriteSourceSize"]
            across, down = (at["h"], at["w"]) if entry["rotated"] else (at["w"], at["h"])
            rim = canvas.crop((at["x"] - 2, at["y"] - 2, at["x"] + across + 2, at["y"] + down + 2))
            assert rim.getpixel((0, 0)) == rim.getpixel((2, 2))  # the corner, repeated
            part = rim.crop((2, 2, 2 + across, 2 + down))
            if entry["rotated"]:
                part = part.transpose(Image.Transpose.ROTATE_90)
            whole = Image.new("RGBA", (32, 32))
            whole.paste(part, (place["x"], place["y"]))
            kept = np.asarray(open_picture(tmp_path / name))
            visible = kept[..., 3] > 0
            assert np.array_equal(np.asarray(whole)[..., 3] > 0, visible)
            assert np.array_equal(np.asarray(whole)[visible], kept[visible])
    assert len(frames) == 40
    assert any(entry["rotated"] for entry in frames.values()) == rotate
    # Tightly: untrimmed, the 36 on the first sheet take 223 x 223.
    assert open_picture(tmp_path / "sheets/sheet-0.png").width < 120
    if not rotate:
        together = json.loads((tmp_path / "sheets/multiatlas.json").read_text())
        listed = {f.pop("filename"): f for t in together["textures"] for f in t["frames"]}
        assert listed == frames
        assert [t["image"] for t in together["textures"]] == ["sheet-0.png", "sheet-1.png"]


@given(
    sizes=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=40),
    rotate=st.booleans(),
    power_of_two=st.booleans(),
)
def test_packed_rectangles_lie_inside_and_apart(sizes, rotate, power_of_two):
    packing = pack(sizes, rotate=rotate, most=500, power_of_two=power_of_two)
    covered = np.zeros((packing.height, packing.width), dtype=int)
    for (width, height), place in zip(sizes, packing.places, strict=True):
        assert rotate or not place.rotated
        across, down = (height, width) if place.rotated else (width, height)
        area = covered[place.y : place.y + down, place.x : place.x + across]
        assert area.shape == (down, across)
        area += 1
    assert covered.max() == 1


def test_packing_is_tight():
    random = np.random.default_rng(0)
    sizes = [(int(w), int(h)) for w, h in random.integers(40, 130, (64, 2))]
    packing = pack(sizes, rotate=False, most=8192)
    assert sum(w * h for w, h in sizes) / (packing.width * packing.height) > 0.85


@settings(deadline=None, max_examples=25)
@given(
    count=st.integers(1, 20),
    columns=st.integers(1, 5),
    rows=st.integers(1, 4),
    padding=st.integers(0, 9),
    power_of_two=st.booleans(),
)
def test_pictures_lie_inside_their_sheet_and_apart(
    a_plan, count, columns, rows, padding, power_of_two
):
    options = SheetOptions(
        columns=columns, rows=rows, padding=padding, power_of_two=power_of_two, atlas=True
    )
    plan = a_plan.model_copy(update={"sheet": options})
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
