"""Recipes travel inside PNGs, survive the round trip, and never trust what they read."""

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from avatargan.errors import OptionError, OutputError, PictureError, RecipeError
from avatargan.latents import LARGEST_SEED
from avatargan.recipe import (
    LONGEST_VARIATION,
    Recipe,
    Variation,
    encode_png,
    read_recipe,
    recipe_from,
    save_png,
    vary,
)

SEEDS = st.integers(0, LARGEST_SEED)
STEPS = st.builds(Variation, seed=SEEDS, strength=st.floats(0, 1))
RECIPES = st.builds(
    Recipe,
    seed=SEEDS,
    attributes=st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4),
    psi=st.floats(0, 2),
    variation=st.lists(STEPS, max_size=3).map(tuple),
    size=st.sampled_from([128, 256, 512]),
    weights_sha256=st.just("0f" * 32),
    version=st.just("1.2.3"),
)
RECIPE = Recipe(
    seed=7,
    attributes={"hair": "pink"},
    psi=0.7,
    size=128,
    weights_sha256="ab" * 32,
    version="0.1.0",
)


def picture(size=(8, 8)):
    return Image.new("RGB", size, "pink")


@given(RECIPES)
def test_a_recipe_survives_its_png(recipe):
    assert read_recipe(encode_png(picture(), recipe)) == recipe


def test_a_saved_picture_keeps_its_pixels_and_recipe(tmp_path):
    image = Image.effect_noise((64, 64), 90).convert("RGB")
    save_png(tmp_path / "avatar.png", image, RECIPE)
    with Image.open(tmp_path / "avatar.png") as loaded:
        assert loaded.tobytes() == image.tobytes()
    assert read_recipe(tmp_path / "avatar.png") == RECIPE


def test_saving_never_overwrites_unless_asked(tmp_path):
    path = tmp_path / "avatar.png"
    path.write_bytes(b"somebody's file")
    with pytest.raises(OutputError, match="exists already"):
        save_png(path, picture(), RECIPE)
    assert path.read_bytes() == b"somebody's file"
    save_png(path, picture(), RECIPE, overwrite=True)
    assert read_recipe(path) == RECIPE


@given(RECIPES, st.floats(0, 1), st.integers(1, 5))
def test_variations_are_reproducible_and_differ(recipe, strength, n):
    variations = vary(recipe, strength, n)
    assert variations == vary(recipe, strength, n)
    assert len({one.variation[-1].seed for one in variations}) == n
    assert all(one.variation[:-1] == recipe.variation for one in variations)
    assert vary(recipe, strength, 2, start=n) == vary(recipe, strength, n + 2)[n:]


def test_variations_of_different_characters_lean_different_ways():
    other = RECIPE.model_copy(update={"seed": 8})
    assert vary(RECIPE, 0.3, 1)[0].variation != vary(other, 0.3, 1)[0].variation


@pytest.mark.parametrize(("strength", "n"), [(-0.1, 1), (1.1, 1), (float("nan"), 1), (0.5, -1)])
def test_impossible_variations_are_refused(strength, n):
    with pytest.raises(OptionError):
        vary(RECIPE, strength, n)


def test_variations_of_variations_end_somewhere():
    deep = RECIPE
    for _ in range(LONGEST_VARIATION):
        (deep,) = vary(deep, 0.1, 1)
    with pytest.raises(OptionError, match="steps deep"):
        vary(deep, 0.1, 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seed": -1}, "seed"),
        ({"psi": 3}, r"psi: .*\(got 3\)"),
        ({"psi": float("nan")}, "psi"),
        ({"psi": "much"}, "psi"),
        ({"size": 0}, "size"),
    ],
)
def test_values_out_of_range_are_named(fields, message):
    values = {**RECIPE.model_dump(), **fields}
    with pytest.raises(OptionError, match=message):
        recipe_from(values.pop("seed"), **values)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "{}",
        "[1]",
        RECIPE.to_json().replace('"seed": 7', '"seed": "7"'),
        RECIPE.to_json().replace('"seed": 7', '"seed": 9223372036854775808'),
        RECIPE.to_json().replace('"seed": 7', '"seed": 7, "run": "this"'),
        RECIPE.to_json().replace("0.7", "NaN"),
        RECIPE.to_json().replace("ab", "zz"),
    ],
)
def test_a_malformed_recipe_in_a_png_is_named(text):
    info = PngImagePlugin.PngInfo()
    info.add_text("avatargan", text)
    buffer = io.BytesIO()
    picture().save(buffer, "png", pnginfo=info)
    with pytest.raises(RecipeError, match="recipe"):
        read_recipe(buffer.getvalue())


@given(st.binary(max_size=300))
def test_any_bytes_are_a_recipe_or_a_recipe_error(text):
    with pytest.raises(RecipeError):
        Recipe.from_json(text)


def test_a_picture_without_a_recipe_says_what_to_do():
    with pytest.raises(RecipeError, match="use a PNG as avatargan saved it"):
        read_recipe(encode_png(picture()))


@given(st.data())
def test_damaged_pngs_give_typed_errors_only(data):
    content = bytearray(encode_png(picture((16, 16)), RECIPE))
    for _ in range(data.draw(st.integers(0, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PictureError, RecipeError):
        read_recipe(bytes(content[: data.draw(st.integers(0, len(content)))]))
