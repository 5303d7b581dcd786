import numpy as np
import pytest
from PIL import Image

from avatargan import read_recipe
from avatargan.recipe import save_png


@pytest.fixture
def drawn(run_small, tmp_path):
    folder = tmp_path / "drawn"
    run_small("generate", "--seeds", "9-11", "--size", 64, "--out", folder)
    return folder


def pixels(path):
    with Image.open(path) as image:
        return np.array(image)


def change(path, amount, **fields):
    """Move one channel of one pixel, or change the recipe."""
    recipe = read_recipe(path)
    changed = pixels(path)
    before = int(changed[5, 5, 1])
    changed[5, 5, 1] = before + amount if before < 128 else before - amount
    save_png(path, Image.fromarray(changed), recipe.model_copy(update=fields), overwrite=True)


def test_untouched_pictures_verify_in_the_order_of_their_numbers(run_small, drawn):
    outcome = run_small("verify", drawn, "--json")
    assert outcome.code == 0
    assert outcome.json["summary"] == {"identical": 3}
    assert [each["file"] for each in outcome.json["files"]] == [
        str(drawn / f"avatar-{seed}.png") for seed in (9, 10, 11)
    ]


@pytest.mark.parametrize(
    ("amount", "verdict", "code"), [(1, "close", 0), (2, "close", 0), (3, "differs", 1)]
)
def test_how_far_pixels_may_be_off(run_small, drawn, amount, verdict, code):
    change(drawn / "avatar-10.png", amount)
    outcome = run_small("verify", drawn / "avatar-10.png", "--json")
    assert outcome.code == code
    (found,) = outcome.json["files"]
    assert (found["verdict"], found["difference"]) == (verdict, amount)


def test_the_other_engine_verifies(run_small, drawn):
    outcome = run_small("verify", drawn, "--engine", "torch", "--json")
    assert outcome.code == 0
    assert set(outcome.json["summary"]) <= {"identical", "close"}


def test_cut_outs_verify_with_their_transparency(run_small, tmp_path):
    folder = tmp_path / "cut"
    made = ("export", "--seeds", "9-10", "--size", 64, "--transparent", "--out", folder)
    assert run_small(*made, "--no-preview").code == 0
    assert read_recipe(folder / "avatar_9.png").transparent
    assert run_small("verify", folder, "--json").json["summary"] == {"identical": 2}
    path = folder / "avatar_9.png"
    changed = pixels(path)
    changed[..., 3] //= 2
    save_png(path, Image.fromarray(changed), read_recipe(path), overwrite=True)
    filled = pixels(folder / "avatar_10.png")[..., :3]
    recipe = read_recipe(folder / "avatar_10.png")
    save_png(folder / "avatar_10.png", Image.fromarray(filled), recipe, overwrite=True)
    outcome = run_small("verify", folder, "--json")
    assert outcome.json["summary"] == {"differs": 2}
    assert "no transparent background" in outcome.json["files"][1]["reason"]


@pytest.mark.parametrize(
    ("fields", "verdict", "code"),
    [
        ({"seed": 12}, "differs", 1),
        ({"size": 128}, "differs", 1),
        ({"weights_sha256": "0" * 64}, "other weights", 2),
        ({"size": 65}, "bad recipe", 2),
        ({"attributes": {"hair": "pink"}}, "bad recipe", 2),
        ({"psi": 9.0}, "bad recipe", 2),
        ({"hair": "any"}, "bad recipe", 2),
        ({"hair": "unknown"}, "bad recipe", 2),
        ({"style": ""}, "bad recipe", 2),
    ],
)
def test_recipes_of_other_pictures(run_small, drawn, fields, verdict, code):
    own = read_recipe(drawn / "avatar-10.png").attributes
    if fields.keys() <= own.keys():
        fields = {"attributes": own | fields}
    change(drawn / "avatar-10.png", 0, **fields)
    outcome = run_small("verify", drawn, "--json")
    assert outcome.code == code
    assert outcome.json["summary"] == {"identical": 2, verdict: 1}


def test_files_that_cannot_be_verified(run_small, drawn):
    Image.new("RGB", (64, 64)).save(drawn / "plain.png")
    (drawn / "text.png").write_text("no picture")
    outcome = run_small("verify", drawn, drawn / "missing.png")
    assert outcome.code == 2
    assert f"no recipe      {drawn / 'plain.png'}" in outcome.stdout
    assert f"unreadable     {drawn / 'text.png'} (not a readable picture" in outcome.stdout
    assert f"unreadable     {drawn / 'missing.png'} (there is no such file)" in outcome.stdout
    assert outcome.stdout.endswith("3 identical, 2 unreadable, 1 no recipe\n")


def test_a_transparent_background_does_not_verify(run_small, drawn):
    path = drawn / "avatar-9.png"
    recipe, image = read_recipe(path), Image.fromarray(pixels(path))
    image.putalpha(128)
    save_png(path, image, recipe, overwrite=True)
    outcome = run_small("verify", path)
    assert outcome.code == 1
    assert "transparent background" in outcome.stdout


def test_quiet_tells_problems_only(run_small, drawn):
    change(drawn / "avatar-10.png", 9)
    outcome = run_small("verify", drawn, "--quiet")
    assert outcome.stdout == f"differs        {drawn / 'avatar-10.png'} (up to 9/255 apart)\n"


def test_a_folder_without_pictures(run_small, tmp_path):
    assert "there is no PNG in this folder" in run_small("verify", tmp_path).error


def test_no_files(run):
    assert "missing argument" in run("verify").error


def test_names_and_recipes_break_neither_the_line_nor_the_terminal(run_small, drawn):
    hostile = drawn / "two\nlines\x1b[31m.png"
    (drawn / "avatar-9.png").rename(hostile)
    change(hostile, 50, version="\x1b[2J\n0")
    outcome = run_small("verify", hostile)
    assert outcome.code == 1
    assert outcome.stdout.count("\n") == 1
    assert "\x1b" not in outcome.stdout


def test_any_digits_may_be_in_a_name(run_small, drawn):
    (drawn / "avatar-9.png").rename(drawn / "9²7.png")
    assert run_small("verify", drawn).code == 0


def test_a_name_that_the_system_does_not_take_is_one_line(run_small):
    assert "too long" in run_small("verify", "a" * 300).error
