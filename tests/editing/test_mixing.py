"""Mixing: reproducible children, whose parts come from whom one says, again and again."""

import json

import numpy as np
import pytest

from avatargan.cli import main
from avatargan.errors import OptionError, RecipeError
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import LONGEST_W, changed, read_recipe


@pytest.fixture(scope="module")
def tiny(other_weights):
    return AvatarPipeline.load(other_weights, device="cpu")


@pytest.fixture
def parents(tiny):
    return tiny.recipes([1, 2, 3], size=32, ears=["cat", "fox", "round"], glasses="thin")


def w_of(tiny, recipe):
    tiny.check_recipe(recipe)
    return tiny.recipe_latents.w_of(recipe)


def test_a_family_is_reproducible_and_its_members_differ(tiny, parents):
    family = tiny.children(parents, 5)
    assert family[2:] == tiny.children(parents, 3, start=2)
    assert len({child.to_json() for child in family}) == 5
    assert family != tiny.children(parents[::-1], 5)
    # The size and the version that drew a parent do not decide who its children are.
    larger = [changed(parent, size=64) for parent in parents]
    steps = [child.steps[-1] for child in tiny.children(larger, 5)]
    assert steps == [child.steps[-1] for child in family]
    assert {child.attributes["ears"] for child in tiny.children(parents, 12)} == {
        "cat",
        "fox",
        "round",
    }


def test_shape_and_colours_come_from_whom_one_says(tiny, parents):
    for child in tiny.children(parents, 3, shape=1, colours=2):
        without_own = changed(child, steps=child.steps[:-1])
        w = w_of(tiny, without_own)
        np.testing.assert_allclose(w[:2], [w_of(tiny, parents[0])] * 2, atol=1e-5)
        np.testing.assert_allclose(w[2:], [w_of(tiny, parents[1])] * 2, atol=1e-5)
        assert child.attributes["ears"] == "fox"


def test_without_strength_children_are_their_parents(tiny, parents):
    own = [w_of(tiny, parent) for parent in parents]
    for child in tiny.children(parents, 4, strength=0):
        distances = [np.abs(w_of(tiny, child) - w).max() for w in own]
        assert min(distances) < 1e-6


def test_a_child_between_all_is_a_weighted_mean_and_a_step_of_its_own(tiny, parents):
    basis = np.stack([w_of(tiny, parent) for parent in parents]).T
    for child in tiny.children(parents, 4):
        w = w_of(tiny, changed(child, steps=child.steps[:-1]))
        shares, *_ = np.linalg.lstsq(basis, w, rcond=None)
        np.testing.assert_allclose(basis @ shares, w, atol=1e-4)
        assert shares.min() > 0
        assert shares.sum() == pytest.approx(1, abs=1e-3)


def test_families_go_on_for_generations(tiny, parents):
    generation = parents
    for _ in range(12):
        generation = tiny.children(generation, 3, shape=1)
    assert all(len(child.to_json()) < 10 * LONGEST_W for child in generation)
    assert np.isfinite(w_of(tiny, generation[0])).all()


def test_what_cannot_be_mixed_is_refused(tiny, parents):
    for recipes, options, message in [
        (parents[:1], {}, "from 2 to 4"),
        (parents * 2, {}, "from 2 to 4"),
        (parents, {"shape": 4}, "shape comes from one of the 3"),
        (parents, {"colours": -1}, "colours comes from"),
        (parents, {"strength": 1.5}, "from 0 to 1"),
    ]:
        with pytest.raises(OptionError, match=message):
            tiny.children(recipes, **options)
    with pytest.raises(RecipeError, match="needs the weights"):
        tiny.children([parents[0], changed(parents[1], weights_sha256="ab" * 32)])


def test_the_command_draws_a_family_with_recipes(tiny, parents, other_weights, tmp_path, capsys):
    files = []
    for number, avatar in enumerate(tiny.draw(parents)):
        files.append(str(tmp_path / f"{number}.png"))
        avatar.save(files[-1])
    out = tmp_path / "family"
    command = ["mix", *files, "--count", "2", "--out", str(out), "--weights", str(other_weights)]
    assert main([*command, "--sheet", str(tmp_path / "sheet.png"), "--json"]) == 0
    children = json.loads(capsys.readouterr().out)["children"]
    kept = [read_recipe(child["file"]) for child in children]
    assert kept == tiny.children(parents, 2)
    assert (tmp_path / "sheet.png").exists()
    assert main(command) == 2
    assert "exists already" in capsys.readouterr().err
