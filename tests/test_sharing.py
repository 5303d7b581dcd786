"""Share links: short ones for seeds, whole recipes for the rest, nothing hostile comes through."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatargan.errors import AvatarGanError, OptionError, RecipeError
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import TowardsStep, encode_w, vary, with_steps
from avatargan.sharing import LONGEST_LINK, recipe_from_fragment, share_fragment


@pytest.fixture(scope="module")
def tiny(other_weights):
    return AvatarPipeline.load(other_weights, device="cpu")


def test_a_seed_and_attributes_are_written_out(tiny):
    (recipe,) = tiny.recipes(7, size=64, ears="fox", glasses="thin")
    assert share_fragment(recipe) == "seed=7&style=ink&ears=fox&glasses=thin&psi=0.7&size=64"
    assert recipe_from_fragment(tiny, "#" + share_fragment(recipe)) == recipe


def test_any_other_character_travels_whole(tiny):
    (recipe,) = tiny.recipes(7, size=64)
    w = encode_w(tiny.recipe_latents.start_of(recipe))
    others = [*vary(recipe, 0.2, 1), with_steps(recipe, TowardsStep(towards=w, strength=0.4))]
    for other in others:
        fragment = share_fragment(other)
        assert fragment.startswith("r=")
        assert len(fragment) <= LONGEST_LINK
        assert recipe_from_fragment(tiny, fragment) == other


def test_what_is_left_out_takes_its_default(tiny):
    assert recipe_from_fragment(tiny, "seed=3") == tiny.recipes(3)[0]


def test_too_much_for_a_link_is_said(tiny):
    (recipe,) = tiny.recipes(7, size=64)
    other = tiny.recipes(9, size=64)[0]
    recipe = with_steps(recipe, *[TowardsStep(towards=other, strength=0.5)] * 6)
    with pytest.raises(OptionError, match="share its PNG"):
        share_fragment(recipe)


@pytest.mark.parametrize(
    ("fragment", "message"),
    [
        ("", "names no seed"),
        ("seed=-1", "names no seed"),
        ("seed=9223372036854775808", "names no seed"),
        ("seed=1&psi=much", "not a number"),
        ("seed=1&psi=9", "psi"),
        ("seed=1&ears=dog", "no choice 'dog'"),
        ("seed=1&run=this", "no attribute 'run'"),
        ("r=!", "not base64"),
        ("r=e30", "not a recipe"),
        ("r=" + "A" * LONGEST_LINK, "at most"),
    ],
)
def test_links_that_name_nobody_are_refused(tiny, fragment, message):
    with pytest.raises((RecipeError, OptionError), match=message):
        recipe_from_fragment(tiny, fragment)


@given(st.text(max_size=60))
def test_any_text_is_a_character_or_an_error_of_ours(tiny, text):
    with contextlib.suppress(AvatarGanError):
        tiny.check_recipe(recipe_from_fragment(tiny, text))
