"""Recipes travel inside PNGs, survive the round trip, and never trust what they read."""

import base64
import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from avatargan.errors import OptionError, OutputError, PictureError, RecipeError
from avatargan.latents import LARGEST_SEED
from avatargan.recipe import (
    DEEPEST_RECIPE,
    LONGEST_VARIATION,
    Recipe,
    SeedStep,
    SliderStep,
    TowardsStep,
    Variation,
    decode_w,
    encode_png,
    encode_w,
    read_recipe,
    recipe_from,
    save_png,
    vary,
    with_steps,
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


W = np.linspace(-2, 2, 24, dtype=np.float32)
OLD_JSON = (
    '{"seed": 7, "attributes": {"hair": "pink"}, "psi": 0.7, "variation": [], "size": 128, '
    f'"weights_sha256": "{"ab" * 32}", "version": "0.1.0"}}'
)


def newer(**fields):
    return Recipe.model_validate(json.loads(OLD_JSON) | fields)


def test_recipes_of_the_first_format_keep_every_byte():
    assert RECIPE.to_json() == OLD_JSON
    assert Recipe.from_json(OLD_JSON) == RECIPE


def test_a_recipe_with_everything_new_survives_its_json():
    from_w = newer(seed=None, w=encode_w(W), transparent=True)
    recipe = with_steps(
        from_w,
        SeedStep(seed=5, strength=0.2),
        SliderStep(slider="hair length", amount=-1.5, directions="0a" * 32),
        TowardsStep(towards=RECIPE, strength=0.5, layers=(0, 2)),
        TowardsStep(towards=encode_w(W), strength=1),
    )
    assert json.loads(recipe.to_json())["format"] == 2
    assert Recipe.from_json(recipe.to_json()) == recipe
    np.testing.assert_array_equal(decode_w(from_w.w), W.astype(np.float16))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=4), st.integers(1, 5))
def test_variations_of_a_character_with_steps_are_steps(strengths, n):
    recipe = with_steps(RECIPE, *(SeedStep(seed=3, strength=one) for one in strengths))
    variations = vary(recipe, 0.3, n)
    assert variations == vary(recipe, 0.3, n)
    assert len({one.steps[-1].seed for one in variations}) == n
    assert all(one.steps[:-1] == recipe.steps and not one.variation for one in variations)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seed": None}, "a seed or from a w"),
        ({"w": encode_w(W)}, "a seed or from a w"),
        ({"seed": None, "w": "!"}, "base64"),
        ({"seed": None, "w": base64.b64encode(b"\x00\x7c").decode()}, "finite"),
        ({"seed": None, "w": encode_w(W), "variation": [{"seed": 1, "strength": 0}]}, "use steps"),
        ({"format": 3}, "newer avatargan"),
        ({"steps": [{"strength": 1}]}, "a step has a seed, a slider"),
        ({"steps": [{"seed": 1, "strength": 2}]}, r"steps\.0\.seed\.strength"),
        ({"steps": [{"towards": "?", "strength": 1}]}, "base64"),
        ({"steps": [{"towards": encode_w(W), "strength": 1, "layers": [3, 1]}]}, "first layer"),
        ({"steps": [{"seed": 1, "strength": 0}] * 65}, "64"),
        ({"steps": [{"towards": encode_w(W), "strength": 1}] * 9}, "8 other characters"),
    ],
)
def test_recipes_that_contradict_themselves_are_refused(fields, message):
    with pytest.raises(RecipeError, match=message):
        Recipe.from_json(json.dumps(json.loads(OLD_JSON) | fields))


def test_recipes_stand_inside_each_other_a_few_times_only():
    recipe = RECIPE
    for _ in range(DEEPEST_RECIPE - 1):
        recipe = with_steps(RECIPE, TowardsStep(towards=recipe, strength=0.5))
    with pytest.raises(OptionError, match="deep"):
        with_steps(RECIPE, TowardsStep(towards=recipe, strength=0.5))
