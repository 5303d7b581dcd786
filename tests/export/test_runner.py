"""Exports from start to end: what lies in the folder, and carrying on."""

import json

import numpy as np
import pytest
from PIL import Image

from avatargan.errors import OutputError
from avatargan.export import Exporter, ExportFolder, SheetOptions, create_plan, create_studio
from avatargan.export import runner as runner_module
from avatargan.export.similarity import NEAR_DUPLICATE_BITS, fingerprint
from avatargan.export.studio import Finisher, LocalStudio
from avatargan.export.wanted import WantedCharacter
from avatargan.pictures import open_picture
from avatargan.recipe import read_recipe
from tests.export.conftest import tree


def test_every_picture_is_what_its_recipe_says(export, small, tmp_path):
    exporter = export(tmp_path, count=5, name="{ears}_{seed}")
    assert exporter.written == [picture.file for picture in exporter.pictures()]
    for picture in exporter.pictures():
        recipe = read_recipe(tmp_path / picture.file)
        assert recipe == picture.recipe
        (drawn,) = small.draw([recipe])
        saved = open_picture(tmp_path / picture.file)
        assert saved.mode == "RGB"
        assert np.array_equal(np.asarray(saved), np.asarray(drawn.image))


def test_the_folder_holds_what_was_asked_for_and_nothing_else(export, tmp_path):
    export(tmp_path / "all", count=2, sheet=SheetOptions(columns=2, rows=1, atlas=True))
    export(tmp_path / "least", count=2, with_manifest=False, with_preview=False)
    pictures = {
        "avatar_0.png",
        "avatar_1.png",
        ".avatargan/plan.json",
        ".avatargan/lock",
        "LICENSE.txt",
    }
    assert tree(tmp_path / "least").keys() == pictures
    assert tree(tmp_path / "all").keys() == pictures | {
        "manifest.jsonl",
        "manifest.csv",
        "index.html",
        "sheets/sheet-0.png",
        "sheets/sheet-0.json",
        "sheets/sheet-0.array.json",
    }


def test_the_same_export_twice_is_the_same_bytes(export, tmp_path):
    for name in ("one", "two"):
        export(tmp_path / name, count=6, sheet=SheetOptions(columns=2, rows=2))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_carrying_on_draws_what_is_missing_and_nothing_twice(export, tmp_path, monkeypatch):
    export(tmp_path, count=8)
    whole = tree(tmp_path)
    for name in ("avatar_2.png", "avatar_7.png", "manifest.csv"):
        (tmp_path / name).unlink()
    drawn = []
    draw = LocalStudio.draw
    monkeypatch.setattr(
        LocalStudio, "draw", lambda self, recipes: drawn.extend(recipes) or draw(self, recipes)
    )
    export(tmp_path, count=8)
    assert sorted(recipe.seed for recipe in drawn) == [2, 7]
    assert tree(tmp_path) == whole
    drawn.clear()
    export(tmp_path, count=8)
    assert drawn == []


def test_finished_files_are_not_written_again(export, tmp_path):
    options = {"count": 4, "sheet": SheetOptions(columns=2, rows=2, atlas=True)}
    export(tmp_path, **options)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    export(tmp_path, **options)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_leftovers_of_a_killed_process_are_cleared_and_other_hidden_files_kept(export, tmp_path):
    export(tmp_path, count=2)
    for name in (".avatar_1.png.ab_12xyz.tmp", ".manifest.csv.00000000.tmp"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / ".notes.tmp").write_text("mine")
    export(tmp_path, count=2)
    assert sorted(p.name for p in tmp_path.glob(".*")) == [".avatargan", ".notes.tmp"]


def test_near_duplicates_are_replaced_by_the_next_seed(export, pipe, tmp_path):
    # The same face every time at psi 0: only colours can tell these apart.
    exporter = export(tmp_path, pipeline=pipe, count=10, psi=0, wanted={"eyes": "blue"})
    assert exporter.redrawn > 0
    prints = [fingerprint(open_picture(tmp_path / p.file)) for p in exporter.pictures()]
    for index, one in enumerate(prints):
        for other in prints[:index]:
            assert np.bitwise_count(one ^ other).sum() > NEAR_DUPLICATE_BITS
    hair = [picture.recipe.attributes["hair"] for picture in exporter.pictures()]
    assert len(set(hair)) == 10
    seeds = [picture.recipe.seed for picture in exporter.pictures()]
    assert [seed % 10 for seed in seeds] == list(range(10))
    replaced = [seed for seed in seeds if seed >= 10]
    assert replaced

    whole = tree(tmp_path)
    for picture in list(exporter.pictures())[::2]:
        (tmp_path / picture.file).unlink()
    again = export(tmp_path, pipeline=pipe, count=10, psi=0, wanted={"eyes": "blue"})
    assert tree(tmp_path) == whole
    assert again.redrawn < exporter.redrawn


def test_when_no_seed_gives_another_picture_the_export_says_so(export, pipe, tmp_path, monkeypatch):
    monkeypatch.setattr("avatargan.export.plan.MOST_TRIES", 5)
    monkeypatch.setattr(runner_module, "MOST_TRIES", 5)
    wanted = {"hair": "pink", "eyes": "blue"}
    with pytest.raises(OutputError, match="picture 1 was given up after 5 seeds"):
        export(tmp_path, pipeline=pipe, count=2, psi=0, wanted=wanted)
    # The same again, with them allowed, is another export.
    with pytest.raises(OutputError, match="holds another export"):
        export(tmp_path, pipeline=pipe, count=2, psi=0, wanted=wanted, allow_duplicates=True)


def test_rows_that_name_their_seed_are_kept_as_they_are(export, pipe, tmp_path):
    same = {"hair": "pink", "eyes": "blue"}
    rows = [WantedCharacter(seed=5, attributes=same), WantedCharacter(seed=5, attributes=same)]
    exporter = export(tmp_path, pipeline=pipe, characters=rows)
    assert [p.recipe.seed for p in exporter.pictures()] == [5, 5]


class Picky:
    """A judge that dislikes seeds that are no multiples of three, by a picture's pixels."""

    sha256 = "0" * 64

    def __init__(self, liked):
        self.liked = {image.tobytes() for image in liked}

    def confidence(self, image, attributes):
        return {name: 0.9 if image.tobytes() in self.liked else 0.1 for name in attributes}


def test_what_the_judge_does_not_see_is_drawn_again(small, tmp_path):
    liked = [avatar.image for avatar in small.generate(range(0, 300, 3), size=32)]
    plan = create_plan(small, count=4, size=32, allow_duplicates=True)
    studio = LocalStudio(small, Finisher(judge=Picky(liked), min_confidence=0.5))
    exporter = Exporter(plan, ExportFolder(tmp_path), studio)
    list(exporter.run())
    # Character 1 of 4 tries 1, 5 and 9, and so on.
    assert [picture.recipe.seed for picture in exporter.pictures()] == [0, 9, 6, 3]
    assert exporter.redrawn == 2 + 1


def test_a_palette_is_one_character_in_all_colours(export, small, tmp_path):
    exporter = export(tmp_path, count=2, palette=["glasses"], renpy="eileen")
    files = [picture.file for picture in exporter.pictures()]
    assert files == [
        "eileen_{}_0_none.png".format(ears := next(exporter.pictures()).recipe.attributes["ears"]),
        f"eileen_{ears}_0_thin.png",
        *files[2:],
    ]
    (tmp_path / files[1]).unlink()
    export(tmp_path, count=2, palette=["glasses"], renpy="eileen")
    assert (tmp_path / files[1]).exists()
    script = (tmp_path / "eileen.rpy").read_text().splitlines()
    assert script[1] == f'image eileen {ears} 0 none = "{files[0]}"'
    assert len(script) == 1 + len(files)
    entries = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert entries[0]["renpy"] == f"eileen {ears} 0 none"


class Cutter:
    """Cuts the left half of a picture away."""

    def cut_out(self, image: Image.Image) -> Image.Image:
        cut = image.convert("RGBA")
        cut.paste((0, 0, 0, 0), (0, 0, image.width // 2, image.height))
        return cut


def test_transparent_pictures_stay_transparent_on_sheets(small, tmp_path):
    plan = create_plan(
        small,
        count=2,
        size=32,
        transparent=True,
        allow_duplicates=True,
        sheet=SheetOptions(columns=2, rows=1, padding=4),
    )
    studio = LocalStudio(small, Finisher(remover=Cutter()))
    list(Exporter(plan, ExportFolder(tmp_path), studio).run())
    for name in ("avatar_0.png", "avatar_1.png"):
        alpha = np.asarray(open_picture(tmp_path / name))[..., 3]
        assert (alpha[:, :16] == 0).all()
        assert (alpha[:, 16:] == 255).all()
    alpha = np.asarray(open_picture(tmp_path / "sheets/sheet-0.png"))[..., 3]
    assert alpha.shape == (40, 76)
    assert (alpha[4:36, 20:36] == 255).all()
    assert alpha[:, 36:40].max() == 0


def test_memory_does_not_hold_the_pictures(export, small, tmp_path):
    plan = create_plan(small, count=300, size=32, allow_duplicates=True, with_preview=False)
    studio = create_studio(plan, small)
    running = most = 0
    draw = studio.drawer.draw

    def counting(recipes):
        nonlocal running, most
        for avatar in draw(recipes):
            running += 1
            most = max(most, running)
            yield avatar

    studio.drawer = type("Counting", (), {"draw": staticmethod(counting)})()
    exporter = Exporter(plan, ExportFolder(tmp_path), studio)
    for _ in exporter.run():
        running -= 1
    assert most <= 4 * studio.window < 300
