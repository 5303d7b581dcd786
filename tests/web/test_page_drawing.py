"""What the page draws without a server is what Python draws."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from avatargan.editing.mixing import mix
from avatargan.latents import LARGEST_SEED
from avatargan.onnx_export import export_onnx
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import (
    Recipe,
    SeedStep,
    SliderStep,
    TowardsStep,
    changed,
    encode_w,
    read_recipe,
    vary,
    with_steps,
)
from avatargan.web.site import add_sliders

HERE = Path(__file__).parent
NODE_MODULES = HERE.parent / "js" / "node_modules" / "onnxruntime-web"
#: Engines may be apart by that much, of 255.
TOLERANCE = 2

Wish = dict[str, Any]


def draw_in_node(models: Path, wishes: list[Wish], out: Path) -> list[Recipe]:
    """Draw wishes, variations and recolourings with the page's modules; return the recipes."""
    if shutil.which("node") is None or not NODE_MODULES.is_dir():
        pytest.skip("Node.js or onnxruntime-web is not installed ('npm ci --prefix tests/js')")
    out.mkdir()
    command = ["node", str(HERE / "draw_recipes.mjs"), str(models), str(out)]
    subprocess.run(
        command,
        input=json.dumps([as_the_page_has_it(wish) for wish in wishes]),
        text=True,
        check=True,
    )
    rows = json.loads((out / "recipes.json").read_text())
    return [Recipe.from_json(json.dumps(row)) for row in rows]


def as_the_page_has_it(wish: Wish) -> Wish:
    """Seeds of a wish as text: JavaScript's numbers would lose digits."""
    return wish | {"seeds": [str(seed) for seed in wish["seeds"]]} if "seeds" in wish else wish


def check_pictures(pipe: AvatarPipeline, folder: Path, recipes: list[Recipe]) -> None:
    for number, avatar in enumerate(pipe.draw(recipes)):
        path = folder / f"{number}.png"
        assert read_recipe(path) == avatar.recipe
        drawn = np.asarray(Image.open(path), dtype=np.int16)
        apart = np.abs(drawn - np.asarray(avatar.image, dtype=np.int16)).max()
        assert apart <= TOLERANCE, avatar.recipe


def walked(pipe: AvatarPipeline) -> list[Wish]:
    """Characters that start from a w, and that walk towards seeds and other characters."""
    numbers = np.random.default_rng(2)
    w = encode_w(numbers.standard_normal(pipe.generator.w_dim).astype(np.float32))
    two = encode_w(numbers.standard_normal((2, pipe.generator.w_dim)).astype(np.float32))
    (first, other) = pipe.recipes([5, LARGEST_SEED], psi=0.5, size=pipe.sizes[0])
    blocks = pipe.generator.blocks_of_w
    leaning = with_steps(
        first,
        SeedStep(seed=2**60 + 1, strength=0.25),
        TowardsStep(towards=vary(other, 0.00003, 1)[0], strength=0.5, layers=(1, blocks - 2)),
        TowardsStep(towards=w, strength=1.0, layers=(blocks - 1, blocks - 1)),
    )
    fitted = changed(first, seed=None, w=two)
    recipes = [fitted, *vary(fitted, 0.2, 2), leaning, *vary(leaning, 0.125, 1, start=3)]
    return [json.loads(recipe.to_json()) for recipe in recipes]


def slid(pipe: AvatarPipeline) -> list[Wish]:
    """Characters at the end of each slider, and one moved along all of them."""
    (recipe,) = pipe.recipes([11], size=128)
    sha256 = pipe.directions.sha256
    steps = [
        SliderStep(slider=name, amount=slider.maximum, directions=sha256)
        for name, slider in pipe.directions.items()
    ]
    recipes = [*(with_steps(recipe, step) for step in steps), with_steps(recipe, *steps)]
    return [json.loads(recipe.to_json()) for recipe in recipes]


def recipes_of_python(pipe: AvatarPipeline, wishes: list[Wish]) -> list[Recipe]:
    recipes = [
        recipe
        for wish in wishes
        for recipe in (
            [Recipe.from_json(json.dumps(wish))]
            if "weights_sha256" in wish
            else pipe.recipes(
                wish["seeds"],
                psi=wish.get("psi", 0.7),
                size=wish.get("size"),
                **wish.get("attributes", {}),
            )
        )
    ]
    recipes += vary(recipes[0], 0.3, 2, start=1)
    recipes += vary(recipes[-1], 0.5, 1)
    recipes += pipe.recolourings(recipes[0], pipe.attributes.palette[0])
    alone = list(recipes)
    recipes += mix(pipe.recipe_latents, alone[:3], 3)
    recipes += mix(pipe.recipe_latents, alone[-3:], 2, shape=2, strength=0.75, start=5)
    return recipes + mix(pipe.recipe_latents, [recipes[-1], alone[1]], 2, shape=1, colours=2)


def test_recipes_and_pictures_are_those_of_python(other_weights: Path, tmp_path: Path) -> None:
    pipe = AvatarPipeline.load(other_weights, device="cpu")
    export_onnx(tmp_path / "models", other_weights, only=["mapping", "synthesis", "upscaler"])
    wishes = [
        {"seeds": [7, 0, 2**53 + 1, LARGEST_SEED], "size": 32},
        {"seeds": [1, 2], "attributes": {"ears": "fox"}, "psi": 1.2, "size": 64},
        {"seeds": [3]},
        *walked(pipe),
    ]
    recipes = draw_in_node(tmp_path / "models", wishes, tmp_path / "drawn")
    assert recipes == recipes_of_python(pipe, wishes)
    check_pictures(pipe, tmp_path / "drawn", recipes)


@pytest.mark.slow
def test_fifty_characters_of_the_shipped_weights_are_those_of_python(
    pipe: AvatarPipeline, tmp_path: Path
) -> None:
    export_onnx(tmp_path / "models", only=["mapping", "synthesis", "upscaler"])
    add_sliders(tmp_path / "models", pipe)
    numbers = np.random.default_rng(5).integers(0, LARGEST_SEED, 50, endpoint=True)
    seeds = [int(seed) for seed in numbers]
    wishes = [
        {"seeds": seeds[start::3], "psi": psi, "size": size}
        for start, (psi, size) in enumerate([(0.7, 128), (1.0, 256), (0.5, 512)])
    ]
    wishes += [*walked(pipe), *slid(pipe)]
    recipes = draw_in_node(tmp_path / "models", wishes, tmp_path / "drawn")
    assert recipes == recipes_of_python(pipe, wishes)
    check_pictures(pipe, tmp_path / "drawn", recipes)
