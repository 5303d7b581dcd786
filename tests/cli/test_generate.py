import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from avatargan import read_recipe
from avatargan.latents import Latents
from avatargan.recipe import save_png


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_consecutive_seeds_with_the_chosen_attributes(run_small, tmp_path):
    outcome = run_small(
        "generate", "--hair", "pink", "--seed", 7, "--count", 3, "--size", 64, "--out", tmp_path
    )
    assert outcome.code == 0
    assert names(tmp_path) == ["avatar-7.png", "avatar-8.png", "avatar-9.png"]
    for seed in (7, 8, 9):
        recipe = read_recipe(tmp_path / f"avatar-{seed}.png")
        assert (recipe.seed, recipe.attributes["hair"], recipe.size) == (seed, "pink", 64)
        assert f"avatar-{seed}.png" in outcome.stdout


def test_lists_of_seeds(run_small, tmp_path):
    run_small("generate", "--seeds", "3,1-2,2", "--out", tmp_path, "--quiet")
    assert names(tmp_path) == ["avatar-1.png", "avatar-2.png", "avatar-3.png"]


def test_a_random_seed_is_told_and_draws_the_same_again(run_small, tmp_path):
    outcome = run_small("generate", "--size", 32, "--out", tmp_path / "a")
    told = outcome.stderr.removeprefix("drawn at random: --seed ").strip()
    run_small("generate", "--size", 32, "--out", tmp_path / "b", "--seed", told)
    name = f"avatar-{told}.png"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_json_is_the_only_thing_on_stdout(run_small, tmp_path):
    outcome = run_small("generate", "--count", 2, "--size", 32, "--out", tmp_path, "--json")
    avatars = outcome.json["avatars"]
    assert [avatar["file"] for avatar in avatars] == [
        str(tmp_path / f"avatar-{avatar['recipe']['seed']}.png") for avatar in avatars
    ]
    assert outcome.stderr.startswith("drawn at random: --seed")


def test_quiet_says_nothing(run_small, tmp_path):
    outcome = run_small("generate", "--size", 32, "--out", tmp_path, "--quiet")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "")


def test_a_dry_run_shows_the_same_and_writes_nothing(run_small, tmp_path):
    arguments = ["generate", "--seeds", "1-3", "--size", 32, "--out", tmp_path / "out", "--json"]
    planned = run_small(*arguments, "--dry-run").json
    assert not (tmp_path / "out").exists()
    drawn = run_small(*arguments).json
    assert planned.pop("dry_run") is True
    assert drawn.pop("dry_run") is False
    assert planned == drawn


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_existing_files_are_refused_before_anything_is_drawn(run_small, tmp_path, dry):
    existing = tmp_path / "avatar-3.png"
    existing.write_bytes(b"mine")
    error = run_small("generate", "--seeds", "1-3", "--out", tmp_path, *dry).error
    assert str(existing) in error
    assert "--overwrite" in error
    assert names(tmp_path) == ["avatar-3.png"]
    assert existing.read_bytes() == b"mine"


def test_overwriting_on_request(run_small, tmp_path):
    (tmp_path / "avatar-3.png").write_bytes(b"old")
    run_small("generate", "--seed", 3, "--size", 32, "--out", tmp_path, "--overwrite")
    assert read_recipe(tmp_path / "avatar-3.png").seed == 3


def test_variations_around_a_seed(run_small, tmp_path):
    run_small("generate", "--seed", 7, "--vary", 0.3, "--count", 2, "--size", 32, "--out", tmp_path)
    assert names(tmp_path) == ["avatar-7-v1.png", "avatar-7-v2.png"]
    first, second = (read_recipe(tmp_path / name) for name in names(tmp_path))
    assert first.variation != second.variation
    assert first.variation[0].strength == 0.3


def test_a_recipe_is_drawn_again_with_changes(run_small, tmp_path):
    run_small("generate", "--seed", 7, "--hair", "pink", "--size", 32, "--out", tmp_path)
    original = tmp_path / "avatar-7.png"
    run_small("generate", "--from-recipe", original, "--out", tmp_path / "same")
    assert (tmp_path / "same" / "avatar-7.png").read_bytes() == original.read_bytes()
    changes = ["--hair", "blue", "--size", 64, "--psi", 0.5]
    run_small("generate", "--from-recipe", original, *changes, "--out", tmp_path / "other")
    before, after = (read_recipe(path) for path in (original, tmp_path / "other" / "avatar-7.png"))
    assert after.attributes == before.attributes | {"hair": "blue"}
    assert (after.seed, after.size, after.psi) == (7, 64, 0.5)


def test_variations_around_a_variation(run_small, tmp_path):
    arguments = ["generate", "--vary", 0.2, "--out", tmp_path]
    run_small(*arguments, "--seed", 7, "--size", 32)
    run_small(*arguments, "--from-recipe", tmp_path / "avatar-7-v1.png")
    assert len(read_recipe(tmp_path / "avatar-7-v1-v1.png").variation) == 2


def test_latents_come_back_as_the_same_pictures(run_small, tmp_path):
    latents = tmp_path / "cast.npz"
    arguments = ["--size", 32, "--out", tmp_path]
    run_small("generate", "--seeds", "5-6", "--save-latents", latents, *arguments)
    assert Latents.load(latents).seeds.tolist() == [5, 6]
    outcome = run_small("generate", "--from-latents", latents, *arguments, "--json")
    for row, seed in enumerate((5, 6)):
        original, redrawn = tmp_path / f"avatar-{seed}.png", tmp_path / f"cast-{row + 1}.png"
        assert np.array_equal(pixels(original), pixels(redrawn))
        assert outcome.json["avatars"][row]["recipe"] == read_recipe(original).model_dump(
            mode="json"
        )


def test_latents_without_a_recipe_are_drawn_without_one(run_small, tmp_path):
    latents = tmp_path / "cast.npz"
    arguments = ["--size", 32, "--out", tmp_path]
    run_small("generate", "--seed", 5, "--vary", 0.5, "--save-latents", latents, *arguments)
    outcome = run_small("generate", "--from-latents", latents, *arguments, "--json")
    assert outcome.json["avatars"] == [{"file": str(tmp_path / "cast-1.png"), "recipe": None}]
    assert np.array_equal(pixels(tmp_path / "avatar-5-v1.png"), pixels(tmp_path / "cast-1.png"))


def test_a_contact_sheet_of_all(run_small, tmp_path):
    sheet = tmp_path / "sheet.png"
    run_small(
        "generate", "--seeds", "1-4", "--size", 32, "--out", tmp_path / "out", "--sheet", sheet
    )
    height, width, _ = pixels(sheet).shape
    assert width > 2 * 256
    assert height > 2 * 256


def test_an_attribute_may_have_the_name_of_an_option(run_small, tmp_path):
    arguments = ["generate", "--seed", 1, "--attribute-count", "two", "--count", 2]
    outcome = run_small(*arguments, "--out", tmp_path, "--json", "--dry-run")
    assert [each["recipe"]["attributes"]["count"] for each in outcome.json["avatars"]] == [
        "two",
        "two",
    ]


def test_help_lists_the_attributes_of_the_weights_that_are_named(run_small, run):
    own = run_small("generate", "--help").stdout
    assert "--glasses CHOICE" in own
    assert "yes, no" in own
    assert "unknown" not in own
    shipped = run("generate", "--help").stdout
    assert "--eyes CHOICE" in shipped
    assert "--glasses" not in shipped


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hair", "pinc"], "hair has no choice 'pinc'; did you mean 'pink'? (choices: pink"),
        (["--hair", "unknown"], "hair has no choice 'unknown'"),
        (["--glases", "yes"], "no such option: --glases; did you mean '--glasses'?"),
        (["--seed", "abc"], "a seed is an integer from 0 to 2^63-1"),
        (["--seed", "-1"], "a seed is an integer from 0 to 2^63-1"),
        (["--seed", "1.5"], "a seed is an integer from 0 to 2^63-1"),
        (["--seed", str(2**63)], "a seed is an integer from 0 to 2^63-1"),
        (["--seed", "9" * 5000], "a seed is an integer from 0 to 2^63-1"),
        (["--seed", str(2**63 - 1), "--count", "2"], "go beyond the largest"),
        (["--seeds", "4-1"], "'4-1' runs backwards"),
        (["--seeds", "1-"], "'1-' is not a range of seeds"),
        (["--seeds", "1-999999999"], "more than 100000 seeds"),
        (["--seeds", "1,,2"], "a seed is an integer from 0 to 2^63-1"),
        (["--seeds", "1", "--seed", "1"], "--seeds and --seed cannot be combined"),
        (["--seeds", "1-4", "--count", "2"], "it needs --vary"),
        (["--count", "0"], "invalid value for '--count'"),
        (["--size", "100"], "there is no size 100 (sizes: 32, 64, 128)"),
        (["--psi", "3"], "psi: "),
        (["--psi", "nan"], "psi: "),
        (["--vary", "1.5"], "the strength of a variation must be from 0 to 1"),
        (["--device", "gpu"], "there is no device 'gpu'; did you mean 'cpu'?"),
        (["--engine", "ncn"], "there is no engine 'ncn'; did you mean 'ncnn'?"),
        (["--from-recipe", "missing.png"], "missing.png: there is no such file"),
        (["--from-recipe", "text.png"], "text.png: not a readable picture"),
        (["--from-recipe", "plain.png"], "plain.png: no recipe in this picture"),
        (["--from-recipe", "huge.png"], "more than the limit of 25 megapixels"),
        (["--from-recipe", "bomb.png"], "more than the limit of 25 megapixels"),
        (["--from-recipe", "plain.png", "--seed", "1"], "cannot be combined"),
        (["--from-latents", "text.png"], "text.png: not a latents file"),
        (["--from-latents", "missing.npz"], "missing.npz: there is no such latents file"),
        (["--from-latents", "text.png", "--hair", "pink"], "cannot be combined"),
        (["--sheet", "sheet.jpg"], "should end in .png"),
        (["--sheet", "sheet.png", "--count", "5000"], "a contact sheet takes 1000 avatars"),
        (["--sheet", "plain.png"], "plain.png exists already"),
        (["--out", "text.png"], "text.png is a file; --out names a folder"),
        (["extra"], "got unexpected extra argument"),
    ],
)
def test_bad_input_is_one_line_that_names_it(run_small, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    Image.new("1", (5001, 5000)).save(tmp_path / "huge.png")
    Image.new("1", (10000, 10000)).save(tmp_path / "bomb.png")
    before = names(tmp_path)
    assert message in run_small("generate", "--quiet", *arguments).error
    assert names(tmp_path) == before


def test_a_recipe_that_cannot_be_drawn_is_one_line_in_every_command(run_small, tmp_path):
    run_small("generate", "--seed", 7, "--out", tmp_path)
    recipe = read_recipe(tmp_path / "avatar-7.png")
    bad = recipe.model_copy(update={"attributes": recipe.attributes | {"hair": "any"}})
    path = tmp_path / "any.png"
    save_png(path, Image.new("RGB", (8, 8)), bad)
    before = names(tmp_path)
    redraw = ("generate", "--from-recipe", path, "--out", tmp_path / "again")
    for command in (
        redraw,
        (*redraw, "--dry-run"),
        (*redraw, "--hair", "pink", "--vary", "0.2"),
        ("morph", 3, path, "--out", tmp_path / "morph.webp"),
    ):
        assert f"{path}: this recipe cannot be drawn: hair is 'any'" in run_small(*command).error
    assert names(tmp_path) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such weights file"),
        (b"", "truncated, or not a safetensors weights file"),
        (b"PK\x03\x04" + bytes(100), "truncated, or not a safetensors weights file"),
    ],
)
@pytest.mark.parametrize("command", ["generate", "grid", "info"])
def test_weights_that_cannot_be_used(run, tmp_path, command, content, message):
    path = tmp_path / "bad.safetensors"
    if content is not None:
        path.write_bytes(content)
    assert f"{path}: {message}" in run(command, f"--weights={path}").error


def test_weights_of_another_role(run, tmp_path):
    from avatargan.weights_header import SHIPPED_UPSCALER, shipped_weights

    error = run("generate", "--weights", shipped_weights(SHIPPED_UPSCALER)).error
    assert "expected weights of a generator, found those of a x4 upscaler" in error


def test_as_a_program(weights, tmp_path):
    command = [sys.executable, "-m", "avatargan", "generate", "--weights", weights]
    options = ["--seed", "7", "--size", "32", "--out", tmp_path, "--json"]
    first = subprocess.run([*command, *options], capture_output=True, text=True)
    assert (first.returncode, first.stderr) == (0, "")
    assert json.loads(first.stdout)["avatars"][0]["file"] == str(tmp_path / "avatar-7.png")
    second = subprocess.run([*command, *options], capture_output=True, text=True)
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr.startswith(f"error: {tmp_path}/avatar-7.png exists already")
