"""The pipeline draws what a recipe says, the same every time, whatever else is drawn."""

import hashlib
import itertools
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from avatargan import AvatarPipeline
from avatargan.errors import AvatarGanError, OptionError, OutputError, RecipeError
from avatargan.latents import Latents
from avatargan.morph import plan_morph
from avatargan.recipe import Recipe, read_recipe
from avatargan.weights_header import FIRST_GENERATOR, shipped_weights
from tests.conftest import write_generator

MANY = range(64)


def digest(avatar):
    return hashlib.sha256(avatar.image.tobytes()).hexdigest()


def difference(first, second):
    return int(np.abs(np.asarray(first, int) - np.asarray(second, int)).max())


@pytest.fixture(scope="module")
def other_pipe(other_weights):
    return AvatarPipeline.load(other_weights, device="cpu")


@pytest.fixture(scope="module")
def plain_pipe():
    return AvatarPipeline.load(device="cpu", engine="torch")


def test_the_call_of_the_readme(pipe):
    avatars = pipe.generate(
        seeds=[1, 2, 3],
        hair="pink",
        eyes=["blue", "red", "any"],
        style="visual-novel",
        psi=0.7,
        size=512,
    )
    assert [avatar.image.size for avatar in avatars] == [(512, 512)] * 3
    assert [avatar.recipe.attributes["eyes"] for avatar in avatars][:2] == ["blue", "red"]
    assert avatars[2].recipe.attributes["eyes"] != "any"
    assert avatars[0].recipe.seed == 1


def test_a_picture_is_the_same_bytes_at_batch_size_1_7_and_64(pipe):
    together = [digest(avatar) for avatar in pipe.generate(MANY, size=128)]
    in_sevens = [digest(a) for batch in batches(MANY, 7) for a in pipe.generate(batch, size=128)]
    alone = [digest(pipe.generate(seed, size=128)[0]) for seed in MANY]
    assert together == in_sevens == alone


def test_the_plain_engine_keeps_pictures_apart_too(plain_pipe):
    together = [digest(avatar) for avatar in plain_pipe.generate(range(3), size=128)]
    assert together == [digest(plain_pipe.generate(seed, size=128)[0]) for seed in range(3)]


def test_chunks_filled_up_with_copies_return_what_was_asked_for(plain_pipe, monkeypatch):
    """How accelerators draw: chunks of one size, whatever the count."""
    alone = plain_pipe.generate(range(6), size=128)
    monkeypatch.setattr(plain_pipe.renderer, "chunk", 4)
    chunked = plain_pipe.generate(range(6), size=128)
    assert len(chunked) == 6
    for ours, reference in zip(chunked, alone, strict=True):
        assert difference(ours.image, reference.image) <= 1


def batches(items, n):
    iterator = iter(items)
    while batch := tuple(itertools.islice(iterator, n)):
        yield batch


def test_large_pictures_do_not_depend_on_their_neighbours_either(pipe):
    together = [digest(avatar) for avatar in pipe.generate(range(5), size=512)]
    assert together == [digest(pipe.generate(seed, size=512)[0]) for seed in range(5)]


def test_another_process_draws_the_same_bytes(pipe):
    code = (
        "import hashlib; from avatargan import AvatarPipeline\n"
        "a = AvatarPipeline.load(device='cpu').generate(11, size=256)[0]\n"
        "print(hashlib.sha256(a.image.tobytes()).hexdigest())"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == digest(pipe.generate(11, size=256)[0])


@pytest.mark.parametrize("size", [128, 256, 512])
def test_engines_agree_within_2_of_255(pipe, plain_pipe, size):
    recipes = pipe.recipes(range(4), size=size, style=["visual-novel", "tv"] * 2, psi=1.0)
    for ours, reference in zip(pipe.draw(recipes), plain_pipe.draw(recipes), strict=True):
        assert difference(ours.image, reference.image) <= 2


def test_sizes_between_are_the_area_average_of_the_largest(pipe):
    large, between = (np.asarray(pipe.generate(5, size=s)[0].image, float) for s in (512, 256))
    averaged = large.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(averaged - between).max() <= 1.01


def test_a_recipe_out_of_a_png_draws_the_same_picture(pipe):
    avatar = pipe.generate(3, hair="any", size=256)[0]
    (again,) = pipe.draw([read_recipe(avatar.to_png())])
    assert digest(again) == digest(avatar)


def test_recipes_of_several_sizes_come_back_in_order(pipe):
    sizes = [128, 256, 128, 128, 512]
    recipes = [pipe.recipes(seed, size=size)[0] for seed, size in enumerate(sizes)]
    avatars = list(pipe.draw(recipes))
    assert [avatar.recipe for avatar in avatars] == recipes
    assert [avatar.image.width for avatar in avatars] == sizes


def test_drawing_streams(pipe):
    """The first picture is there before the last recipe was asked for."""
    endless = (pipe.recipes(seed, size=128)[0] for seed in itertools.count())
    assert next(pipe.draw(endless)).recipe.seed == 0


def test_psi_0_gives_the_mean_face_to_every_seed(pipe):
    first, second = pipe.generate([1, 2], psi=0, size=128, hair="red", eyes="red")
    assert digest(first) == digest(second)


def test_variations_stay_nearer_the_weaker_they_are(pipe):
    original = pipe.generate(9, size=128)[0]
    distances = [
        np.mean(
            [
                np.abs(np.asarray(one.image, float) - np.asarray(original.image, float)).mean()
                for one in pipe.vary(original.recipe, strength, 4)
            ]
        )
        for strength in (0, 0.1, 0.3, 0.7)
    ]
    assert distances[0] == 0
    assert distances == sorted(distances)


def test_recolouring_draws_every_choice_and_holds_the_identity(pipe):
    original = pipe.generate(4, size=128, hair="blonde", eyes="blue")[0]
    strip = pipe.recolour(original.recipe, "hair")
    assert [one.recipe.attributes["hair"] for one in strip] == list(pipe.attributes.offered("hair"))
    same = next(one for one in strip if one.recipe.attributes["hair"] == "blonde")
    assert digest(same) == digest(original)
    w = pipe.latents([one.recipe for one in strip]).w
    assert np.all(w == w[0])
    with pytest.raises(OptionError, match="hair, eyes"):
        pipe.recolour(original.recipe, "style")


def test_latents_draw_the_same_pictures_as_their_recipes(pipe, tmp_path):
    recipes = pipe.recipes([1, 2, 3], size=128, psi=0.8)
    pipe.latents(recipes).save(tmp_path / "latents.npz")
    loaded = Latents.load(tmp_path / "latents.npz")
    images = list(pipe.draw_latents(loaded, 128))
    assert [i.tobytes() for i in images] == [a.image.tobytes() for a in pipe.draw(recipes)]


def test_a_z_that_does_not_give_its_w_is_refused_instead_of_ignored(pipe):
    latents = pipe.latents(pipe.recipes([1, 2, 3]))
    moved = replace(latents, z=latents.z[[0, 2, 1]])
    with pytest.raises(OptionError, match=r"row 1: its z does not give its w .*with_w"):
        list(pipe.draw_latents(moved, 128))
    rounded = replace(latents, w=latents.w.astype(np.float16).astype(np.float32))
    assert len(list(pipe.draw_latents(rounded, 128))) == 3
    assert len(list(pipe.draw_latents(replace(moved, z=None, seeds=None), 128))) == 3
    with pytest.raises(OptionError, match="z of 7 numbers"):
        list(pipe.draw_latents(replace(latents, z=latents.z[:, :7]), 128))


def test_latents_do_not_replace_a_file_unless_asked(pipe, tmp_path):
    latents = pipe.latents(pipe.recipes([1]))
    latents.save(tmp_path / "a.npz")
    with pytest.raises(OutputError, match="exists already"):
        latents.save(tmp_path / "a.npz")
    latents.save(tmp_path / "a.npz", overwrite=True)


def test_latents_of_other_weights_are_refused(pipe, other_pipe):
    latents = other_pipe.latents(other_pipe.recipes([1]))
    with pytest.raises(OptionError, match="other attributes"):
        list(pipe.draw_latents(latents))


def test_weights_with_other_attributes_and_sizes_work(other_pipe):
    avatars = other_pipe.generate([1, 2], ears="fox", glasses="thin")
    assert avatars[0].image.size == (128, 128)
    assert avatars[0].recipe.attributes == {"style": "ink", "ears": "fox", "glasses": "thin"}
    with pytest.raises(AvatarGanError, match="no attribute 'hair'"):
        other_pipe.generate(1, hair="pink")


def test_recipes_of_other_weights_are_refused(pipe, other_pipe):
    recipe = other_pipe.recipes(1)[0]
    with pytest.raises(RecipeError, match="needs the weights with SHA-256"):
        list(pipe.draw([recipe]))


def test_recipes_of_the_first_weights_draw_what_they_drew(pipe):
    """And their characters share the space of w with those of the newest."""
    first = AvatarPipeline.load(shipped_weights(FIRST_GENERATOR), device="cpu")
    new, old = (
        pipe.recipes([5, 6], size=128, hair="pink"),
        first.recipes([5, 6], size=128, hair="pink"),
    )
    drawn = list(pipe.draw([new[0], old[0], old[1], new[1]]))
    assert [avatar.recipe for avatar in drawn] == [new[0], old[0], old[1], new[1]]
    expected = list(first.draw(old))
    assert [digest(avatar) for avatar in drawn[1:3]] == [digest(avatar) for avatar in expected]
    assert digest(drawn[0]) != digest(drawn[1])
    assert np.array_equal(pipe.latents(new).w, first.latents(old).w)
    assert np.array_equal(pipe.latents(old).w, first.latents(old).w)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weights_sha256": "0" * 64}, "needs the weights with SHA-256 000000000000"),
        ({"size": 100}, r"no size 100 \(sizes: 128, 256, 512\)"),
        ({"attributes": {}}, "has the attributes none; the weights want style, hair, eyes"),
        ({"attributes": {"style": "tv", "x": "y"}}, "has the attributes style, x"),
        ({"hair": "any"}, r"hair is 'any' \(choices: aqua, .*, white\)"),
        ({"hair": "unknown"}, "hair is 'unknown'"),
        ({"hair": ""}, "hair is ''"),
        ({"hair": "Pink"}, "hair is 'Pink'; did you mean 'pink'"),
        ({"style": "any"}, "style is 'any'"),
    ],
)
def test_a_recipe_that_cannot_be_drawn_is_one_kind_of_error_everywhere(pipe, fields, message):
    [recipe] = pipe.recipes(1)
    fields = {**fields}
    changed = {name: fields.pop(name) for name in [*fields] if name in recipe.attributes}
    recipe = recipe.model_copy(update={"attributes": recipe.attributes | changed, **fields})
    recipe = Recipe.from_json(recipe.to_json())
    assert not pipe.can_draw(recipe)
    for call in (
        lambda: pipe.check_recipe(recipe),
        lambda: list(pipe.draw([recipe])),
        lambda: pipe.vary(recipe, n=1),
        lambda: pipe.recolourings(recipe, "hair"),
        lambda: pipe.latents([recipe]),
        lambda: plan_morph(pipe, [1, recipe], size=128),
    ):
        with pytest.raises(RecipeError, match=message):
            call()
    with pytest.raises(RecipeError, match=f"^a.png: .*{message}"):
        pipe.check_recipe(recipe, "a.png")


def test_rows_whose_labels_are_unknown_have_no_recipe(pipe):
    latents = pipe.latents(pipe.recipes([1, 2]))
    labels = latents.labels.copy()
    labels[0, 1] = pipe.attributes.index("hair", "unknown")
    behind = list(pipe.recipes_behind(replace(latents, labels=labels)))
    assert behind[0] is None
    assert behind[1] == pipe.recipes(2)[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seeds": -1}, "from 0 to 2\\^63-1"),
        ({"seeds": [1, "2"]}, "must be an integer"),
        ({"seeds": 1.5}, "must be an integer"),
        ({"seeds": 1, "psi": -0.1}, "psi"),
        ({"seeds": 1, "psi": "wild"}, "psi"),
        ({"seeds": 1, "size": 100}, r"no size 100 \(sizes: 128, 256, 512\)"),
        ({"seeds": 1, "size": "128"}, "no size '128'"),
        ({"seeds": 1, "hair": "pnik"}, "did you mean 'pink'"),
        ({"seeds": 1, "hiar": "pink"}, "did you mean 'hair'"),
        ({"seeds": [1, 2, 3], "hair": ["pink", "red"]}, "2 choices for 3 seeds"),
        ({"seeds": [1], "hair": [7]}, "no choice '7'"),
        ({"seeds": 1, "hair": 7}, "hair"),
    ],
)
def test_bad_arguments_are_named(pipe, arguments, message):
    with pytest.raises(OptionError, match=message):
        pipe.generate(**arguments)


def test_no_seeds_draw_nothing(pipe):
    assert pipe.generate([]) == []
    assert len(pipe.latents([])) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "gpu"}, "no device 'gpu'"),
        ({"device": "cdua"}, "did you mean 'cuda'"),
        ({"engine": "nccn"}, "did you mean 'ncnn'"),
    ],
)
def test_unknown_devices_and_engines_are_named(options, message):
    with pytest.raises(OptionError, match=message):
        AvatarPipeline.load(**options)


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr("avatargan.devices.available_devices", lambda: ["cpu"])
    with pytest.raises(OptionError, match="no usable cuda device"):
        AvatarPipeline.load(device="cuda")


def test_drawing_works_without_ncnn(monkeypatch):
    monkeypatch.setitem(sys.modules, "ncnn", None)
    monkeypatch.delitem(sys.modules, "avatargan.rendering.ncnn_renderer", raising=False)
    assert "PyTorch" in AvatarPipeline.load(device="cpu").renderer.description
    with pytest.raises(AvatarGanError, match="pip install ncnn"):
        AvatarPipeline.load(device="cpu", engine="ncnn")


def test_what_trains_imports_with_little():
    """Training machines have torch, numpy, pillow and safetensors, and no more."""
    code = (
        "import sys\n"
        "for name in ('gradio', 'cv2', 'pydantic', 'typer', 'tqdm', 'ncnn', 'fastapi'):\n"
        "    sys.modules[name] = None\n"
        "import avatargan.networks, avatargan.latents, avatargan.attributes, avatargan.weights\n"
        "avatargan.networks.load_critic()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("engine", ["ncnn", "torch"])
def test_weights_with_a_style_alone_draw(tmp_path, engine):
    write_generator(tmp_path / "style.safetensors", {"style": ["round", "square"]})
    pipeline = AvatarPipeline.load(tmp_path / "style.safetensors", device="cpu", engine=engine)
    together = pipeline.generate([1, 2], style=["round", "square"])
    assert together[1].to_png() == pipeline.generate(2, style="square")[0].to_png()
    pair = pipeline.generator.synthesis(torch.zeros(2, pipeline.generator.w_dim))
    assert len(pair) == 2
