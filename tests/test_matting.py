"""Cutting characters out of their backgrounds."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file

from avatargan import AvatarPipeline
from avatargan.errors import OptionError, WeightsError
from avatargan.matting import Matter, load_matter
from avatargan.matting.edges import tighten
from avatargan.matting.evaluation import (
    KnownAlpha,
    drawn_composites,
    fringe,
    intersection_over_union,
    mean_absolute_error,
)
from avatargan.matting.foreground import estimate_foreground
from avatargan.matting.gaps import find_gaps, open_gaps
from avatargan.matting.labels import cut_outs
from avatargan.matting.loading import load_network
from avatargan.matting.masks import flood
from avatargan.matting.training import TrainingOptions, train
from avatargan.weights import shipped_weights

SHIPPED = shipped_weights("matting.safetensors")


@pytest.fixture(scope="module")
def matter() -> Matter:
    return load_matter()


@pytest.fixture(scope="module")
def pipeline() -> AvatarPipeline:
    return AvatarPipeline.load(device="cpu")


@pytest.fixture(scope="module")
def drawn() -> list[KnownAlpha]:
    return list(drawn_composites(24, size=256))


def test_alpha_of_drawn_characters_is_near_the_truth(matter, drawn):
    errors = [mean_absolute_error(matter.alpha(item.image), item.alpha) for item in drawn]
    overlaps = [intersection_over_union(matter.alpha(item.image), item.alpha) for item in drawn]

    assert np.mean(errors) < 0.03
    assert np.mean(overlaps) > 0.95


def strands(hair: int, ground: int = 255) -> tuple[np.ndarray, np.ndarray]:
    """A head of flat colour whose strands end on white, and alpha that sees no gaps there."""
    picture = np.full((256, 256, 3), ground, np.uint8)
    alpha = np.zeros((256, 256), np.float32)
    picture[:180, 20:230] = hair
    alpha[:180, 20:230] = 1
    for x in range(30, 220, 20):  # gaps from below, which the network takes for hair
        picture[140:180, x : x + 5] = ground
        picture[60:66, x : x + 5] = 255  # highlights: white, and not joined to the ground
    return picture.astype(np.float32) / 255, alpha


def test_white_between_strands_is_opened_and_highlights_are_not():
    picture, alpha = strands(hair=70)
    gaps = find_gaps(picture, alpha)
    expected = (picture.min(-1) > 0.9) & (alpha > 0) & (np.arange(256)[:, None] > 100)
    assert np.array_equal(gaps, expected)
    opened = open_gaps(torch.from_numpy(picture).permute(2, 0, 1), torch.from_numpy(alpha))
    assert (opened.numpy()[gaps] == 0).all()
    assert opened.numpy()[65, 32] == 1


@pytest.mark.parametrize(("hair", "ground"), [(225, 255), (70, 120)])
def test_pale_hair_and_other_grounds_than_white_are_left_alone(hair, ground):
    assert not find_gaps(*strands(hair, ground)).any()


def test_white_hair_on_white_survives(matter, drawn):
    known = [item for item in drawn if item.character == "drawn, white hair"]
    assert len(known) >= 6

    for item in known:
        lost = (matter.alpha(item.image) < 0.5) & (item.alpha > 0.5)
        assert lost.mean() / item.alpha.mean() < 0.05


def test_white_hair_that_the_generator_draws_on_white_survives(matter, pipeline):
    """The same character with black hair says where the hair of the white one must be."""
    seeds = list(range(20_000_000, 20_000_016))
    options = {"style": "visual-novel", "size": 128}
    white = pipeline.generate(seeds, hair="white", **options)
    brown = pipeline.generate(seeds, hair="brown", **options)

    kept = [
        intersection_over_union(matter.alpha(one.image), matter.alpha(other.image))
        for one, other in zip(white, brown, strict=True)
    ]

    # Hair of another colour is not quite of the same shape.
    assert np.mean(kept) > 0.93


def test_over_black_less_of_the_white_ground_shines_through_than_in_the_picture(matter, drawn):
    on_white = [item for item in drawn if item.background == "white"]
    cut_outs = [matter.cut_out(item.image) for item in on_white]

    cleaned = [fringe(cut, item) for cut, item in zip(cut_outs, on_white, strict=True)]
    uncleaned = [
        fringe(_with_alpha(item.image, cut.getchannel("A")), item)
        for cut, item in zip(cut_outs, on_white, strict=True)
    ]

    assert np.mean(cleaned) < 0.8 * np.mean(uncleaned)


def _with_alpha(image: Image.Image, alpha: Image.Image) -> Image.Image:
    result = image.convert("RGBA")
    result.putalpha(alpha)
    return result


def test_with_the_true_alpha_nothing_of_the_ground_is_left_in_the_colours(drawn):
    ours, plain = [], []
    for item in drawn:
        picture = torch.from_numpy(np.array(item.image)).permute(2, 0, 1) / 255
        colours = estimate_foreground(picture, torch.from_numpy(item.alpha))
        soft = (item.alpha > 0.02) & (item.alpha < 0.98)
        for errors, found in ((ours, colours), (plain, picture)):
            difference = found.permute(1, 2, 0).numpy() - item.colours
            errors.append(np.abs(difference * item.alpha[..., None])[soft].mean())

    assert np.mean(ours) < 0.025
    assert np.mean(ours) < 0.25 * np.mean(plain)


def test_transparent_pixels_carry_the_colour_of_the_nearest_edge():
    """A filter that mixes neighbours must not find the old background there."""
    image = torch.ones(3, 64, 64)
    alpha = torch.zeros(64, 64)
    image[:, 16:48, 16:48] = torch.tensor([0.8, 0.1, 0.2])[:, None, None]
    alpha[16:48, 16:48] = 1

    colours = estimate_foreground(image, alpha)

    assert torch.allclose(colours[:, 8, 30], torch.tensor([0.8, 0.1, 0.2]), atol=0.02)


def test_opaque_pixels_keep_their_colours(matter, drawn):
    image = drawn[0].image
    rgba = np.asarray(matter.cut_out(image))
    opaque = rgba[..., 3] == 255

    assert opaque.mean() > 0.2
    assert np.array_equal(rgba[opaque][:, :3], np.asarray(image)[opaque])


@pytest.mark.parametrize("size", [128, 256, 512])
def test_each_size_of_picture_comes_back_as_rgba_of_that_size(matter, pipeline, size):
    image = pipeline.generate(5, size=size)[0].image

    cut_out = matter.cut_out(image)

    assert cut_out.mode == "RGBA"
    assert cut_out.size == (size, size)
    low, high = cut_out.getchannel("A").getextrema()
    assert (low, high) == (0, 255)


def test_a_picture_comes_out_the_same_alone_and_beside_others(matter, drawn):
    images = [item.image for item in drawn[:8]]
    alone = [matter.cut_out(image).tobytes() for image in images]

    with ThreadPoolExecutor(4) as pool:
        together = [cut.tobytes() for cut in pool.map(matter.cut_out, images[::-1])][::-1]

    assert together == alone
    assert load_matter().cut_out(images[0]).tobytes() == alone[0]


def test_engines_agree(drawn):
    pytest.importorskip("ncnn")
    fast, reference = load_matter(engine="ncnn"), load_matter(engine="torch")

    for size in (128, 256, 512):
        image = drawn[0].image.resize((size, size))
        assert np.abs(fast.alpha(image) - reference.alpha(image)).max() < 1e-3


def test_tightening_follows_a_clear_edge_and_leaves_a_faint_one():
    """A dark disc on white under an alpha that is a pixel too wide, then a pale one."""
    across = torch.linspace(-32, 32, 65)
    distance = (across[:, None].square() + across[None].square()).sqrt()
    true = (20.5 - distance).clamp(0, 1)
    wide = ((22.5 - distance) / 3.1).clamp(0, 1)

    for colour, follows in ((0.1, True), (0.97, False)):
        picture = (true * colour + (1 - true)).expand(3, -1, -1)
        tightened = tighten(picture, wide)
        assert (tightened <= wide).all()
        assert torch.allclose(tightened, true, atol=0.1) == follows
        assert torch.equal(tightened, wide) != follows


def test_an_unknown_engine_is_refused_with_the_nearest_name():
    with pytest.raises(OptionError, match="did you mean 'ncnn'"):
        load_matter(engine="ncn")


@settings(max_examples=20, deadline=None)
@given(
    width=st.integers(1, 700),
    height=st.integers(1, 300),
    mode=st.sampled_from(["RGB", "RGBA", "L", "P", "1"]),
)
def test_pictures_of_any_size_and_mode_are_cut(matter, width, height, mode):
    image = Image.new(mode, (width, height))

    cut_out = matter.cut_out(image)

    assert (cut_out.mode, cut_out.size) == ("RGBA", (width, height))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda content: content[: len(content) // 2], "truncated"),
        (lambda content: b"", "truncated"),
        (lambda content: b"not weights at all", "truncated"),
    ],
)
def test_broken_weights_are_named(tmp_path, break_it, message):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(break_it(SHIPPED.read_bytes()))

    with pytest.raises(WeightsError, match=message):
        load_matter(path)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(WeightsError, match="no such weights file"):
        load_matter(tmp_path / "nothing.safetensors")


def test_weights_of_another_kind_are_refused():
    with pytest.raises(WeightsError, match="expected weights of a matting"):
        load_matter(shipped_weights("upscaler-x4.safetensors"))


@pytest.mark.parametrize("name", ["look.0.weight", "refinements.2.head.weight", "leave.bias"])
def test_a_missing_tensor_is_named(tmp_path, name):
    tensors = load_file(SHIPPED)
    del tensors[name]
    _save(tmp_path / "missing.safetensors", tensors)

    with pytest.raises(WeightsError, match=name.replace(".", r"\.")):
        load_matter(tmp_path / "missing.safetensors")


def test_a_tensor_that_is_not_finite_is_named(tmp_path):
    tensors = load_file(SHIPPED)
    tensors["leave.bias"][0] = float("nan")
    _save(tmp_path / "nan.safetensors", tensors)

    with pytest.raises(WeightsError, match=r"leave\.bias"):
        load_matter(tmp_path / "nan.safetensors")


def _save(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, path, {"format": "avatargan", "role": "matting"})


def test_the_shipped_network_is_small():
    network = load_network()

    assert sum(parameter.numel() for parameter in network.parameters()) <= 310_000
    assert SHIPPED.stat().st_size < 1_000_000


def test_flood_goes_around_corners_but_not_through_walls():
    free = torch.ones(1, 1, 9, 9, dtype=torch.bool)
    free[..., 4, :8] = False  # a wall with a gap at the right
    start = torch.zeros_like(free)
    start[..., 0, 0] = True

    assert flood(start, free)[..., 8, 0].item()
    free[..., 4, 8] = False
    assert not flood(start, free)[..., 5:, :].any()


def test_cut_outs_for_training_follow_from_their_seeds(pipeline):
    style = pipeline.attributes.index("style", "visual-novel")
    seeds = range(100, 112)

    first = list(cut_outs(pipeline.generator, pipeline.renderer, seeds, style))
    again = list(cut_outs(pipeline.generator, pipeline.renderer, [first[0].seed], style))

    assert first
    assert torch.equal(first[0].alpha, again[0].alpha)
    assert torch.equal(first[0].foreground, again[0].foreground)


@pytest.mark.slow
def test_training_from_the_command_line_writes_weights_that_load(tmp_path):
    out = tmp_path / "tiny.safetensors"
    command = [sys.executable, "-m", "avatargan.matting.train", "--out", str(out)]
    amounts = (
        "--seeds 12 --mixed-seeds 8 --corner-seeds 2 --drawn 3 --body-steps 4 --refinement-steps 2"
    )

    subprocess.run([*command, *amounts.split(), "--batch", "4"], check=True)

    assert load_matter(out).alpha(Image.new("RGB", (128, 128))).shape == (128, 128)


def test_training_refuses_seeds_that_are_held_out(pipeline):
    with pytest.raises(OptionError, match="held out"):
        train(
            pipeline.generator,
            pipeline.renderer,
            TrainingOptions(seeds=20_000_001),
            lambda steps, _: steps,
        )
