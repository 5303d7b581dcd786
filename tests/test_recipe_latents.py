"""Recipes become w in one place: starts, steps in order, and some blocks apart from others."""

import numpy as np
import pytest
import torch

from avatargan.editing.directions import Directions, Slider, w_space_sha256
from avatargan.errors import OptionError, RecipeError
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import (
    SeedStep,
    SliderStep,
    TowardsStep,
    changed,
    encode_w,
    vary,
    with_steps,
)

BLOCKS, W_DIM = 4, 24
HASH = "ab" * 32


@pytest.fixture(scope="module")
def tiny(other_weights):
    pipeline = AvatarPipeline.load(other_weights, device="cpu")
    rows = np.zeros((BLOCKS, W_DIM), np.float32)
    rows[:2, 0] = 1  # the coarse blocks move along the first axis
    bend_in = np.zeros((1, W_DIM), np.float32)
    bend_in[0, 1] = 1
    slider = Slider(
        name="hair length",
        minimum=-2,
        maximum=2,
        changes="the hair",
        names={"en": "Hair length"},
        effect={},
        direction=rows,
        bend_in=bend_in,
        bend_out=rows[None],
        centre=np.zeros(W_DIM, np.float32),
    )
    pipeline.directions = Directions([slider], HASH, w_space_sha256(pipeline.generator))
    return pipeline


@pytest.fixture
def recipe(tiny):
    return tiny.recipes([1], size=32)[0]


def w_of(pipeline, recipe):
    pipeline.check_recipe(recipe)
    return pipeline.recipe_latents.w_of(recipe)


def picture(pipeline, recipe):
    return np.asarray(next(iter(pipeline.draw([recipe]))).image)


def test_a_character_is_the_same_from_its_seed_and_from_its_w(tiny, recipe):
    again = changed(recipe, seed=None, w=encode_w(tiny.recipe_latents.start_of(recipe)))
    np.testing.assert_allclose(w_of(tiny, again), w_of(tiny, recipe), atol=2e-3)


def test_a_step_towards_a_seed_turns_and_keeps_the_length(tiny, recipe):
    mean = tiny.generator.w_mean[0].numpy()
    start, end = w_of(tiny, recipe), w_of(tiny, tiny.recipes([9], size=32)[0])
    halfway = w_of(tiny, with_steps(recipe, SeedStep(seed=9, strength=0.5)))
    lengths = [np.linalg.norm(w - mean) for w in (start, end, halfway)]
    assert lengths[2] == pytest.approx((lengths[0] + lengths[1]) / 2, rel=1e-4)
    arrived = w_of(tiny, with_steps(recipe, SeedStep(seed=9, strength=1)))
    np.testing.assert_allclose(arrived, end, atol=1e-5)


def test_a_step_towards_a_character_can_take_some_blocks_only(tiny, recipe):
    other = tiny.recipes([9], size=32)[0]
    step = TowardsStep(towards=other, strength=0.25, layers=(1, 2))
    w, a, b = w_of(tiny, with_steps(recipe, step)), w_of(tiny, recipe), w_of(tiny, other)
    assert w.shape == (BLOCKS, W_DIM)
    np.testing.assert_array_equal(w[[0, 3]], [a, a])
    np.testing.assert_allclose(w[[1, 2]], [a + (b - a) / 4] * 2, atol=1e-6)
    whole = w_of(tiny, with_steps(recipe, TowardsStep(towards=other, strength=0.25)))
    np.testing.assert_allclose(whole, a + (b - a) / 4, atol=1e-6)


def test_two_vectors_of_w_are_for_the_coarse_and_the_fine_half(tiny, recipe):
    rows = np.stack([np.zeros(W_DIM), np.ones(W_DIM)])
    w = w_of(tiny, changed(recipe, seed=None, w=encode_w(rows), psi=1.0))
    np.testing.assert_array_equal(w, np.repeat(rows, 2, axis=0))


def test_a_slider_moves_its_blocks_and_bends_with_the_character(tiny, recipe):
    def walked(amount):
        step = SliderStep(slider="hair length", amount=amount, directions=HASH)
        return w_of(tiny, with_steps(recipe, step)) - w_of(tiny, recipe)

    assert not walked(0).any()
    moved = walked(1.5)
    assert not moved[2:].any()
    assert not moved[:, 1:].any()
    # Where the bend reads is not where the slider moves: the speed stays what it is at the start.
    speed = 1 + w_of(tiny, recipe)[1]
    np.testing.assert_allclose(moved[:2, 0], 1.5 * speed, rtol=1e-4)


def test_what_cannot_be_walked_is_refused_before_it_is_drawn(tiny, recipe):
    steps = {
        "is one of the directions with": SliderStep(
            slider="hair length", amount=1, directions="cd" * 32
        ),
        "no slider 'mood'": SliderStep(slider="mood", amount=1, directions=HASH),
        "takes a slider too far: hair length goes from": SliderStep(
            slider="hair length", amount=99, directions=HASH
        ),
        "layers 0 to 3": TowardsStep(towards=recipe, strength=1, layers=(0, 4)),
        "has 23 numbers": TowardsStep(towards=encode_w(np.zeros(23)), strength=1),
    }
    for message, step in steps.items():
        with pytest.raises(RecipeError, match=message):
            tiny.check_recipe(with_steps(recipe, step))
    inner = changed(recipe, weights_sha256="cd" * 32)
    with pytest.raises(RecipeError, match="needs the weights"):
        tiny.check_recipe(with_steps(recipe, TowardsStep(towards=inner, strength=1)))


def test_weights_without_sliders_say_so(other_weights):
    with pytest.raises(OptionError, match="no sliders for these weights"):
        _ = AvatarPipeline.load(other_weights, device="cpu").directions


def test_both_engines_draw_one_w_for_each_block(tiny, recipe, other_weights):
    other = tiny.recipes([9], size=32)[0]
    mixed = with_steps(recipe, TowardsStep(towards=other, strength=1, layers=(2, 3)))
    by_torch = AvatarPipeline.load(other_weights, device="cpu", engine="torch")
    plain, blocks = picture(tiny, recipe), picture(tiny, mixed)
    assert np.abs(plain.astype(int) - blocks).max() > 2
    assert np.abs(picture(by_torch, mixed).astype(int) - blocks).max() <= 1
    # In one portion with others, and from latents, it is the same to the byte.
    drawn = [np.asarray(each.image) for each in tiny.draw([recipe, mixed])]
    latents = tiny.latents([recipe, mixed])
    from_latents = [np.asarray(each) for each in tiny.draw_latents(latents, 32)]
    for portion in (drawn, from_latents):
        np.testing.assert_array_equal(portion[0], plain)
        np.testing.assert_array_equal(portion[1], blocks)


def test_one_w_and_the_same_for_each_block_are_the_same_picture(tiny):
    w = torch.from_numpy(tiny.latents(tiny.recipes([1])).w)
    palette = torch.zeros(1, tiny.generator.palette_dim)
    blocks = w[:, None].expand(-1, BLOCKS, -1)
    one, each = tiny.render(w, palette, 32), tiny.render(blocks, palette, 32)
    np.testing.assert_array_equal(np.asarray(next(one)), np.asarray(next(each)))


def test_edited_characters_morph_through_w(tiny, recipe):
    from avatargan.morph import plan_morph
    from avatargan.morph.latent_path import LatentPath

    slid = with_steps(recipe, SliderStep(slider="hair length", amount=1, directions=HASH))
    morph = plan_morph(tiny, [slid, 5], seconds=1, fps=5, size=32, psi=None)
    w, _ = LatentPath(tiny, morph).at(np.array([0.0, 1.0]))
    np.testing.assert_array_equal(w[0].numpy(), w_of(tiny, slid))
    np.testing.assert_array_equal(w[1, 0].numpy(), w_of(tiny, morph.keyframes[1]))
    (family,) = vary(slid, 0.2, 1)
    assert picture(tiny, family).shape == (32, 32, 3)
