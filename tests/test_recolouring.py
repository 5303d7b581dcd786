"""The recolouring generator: each colour reaches its own part of the picture and nothing else."""

import numpy as np
import pytest
import torch

from avatargan.attributes import Taxonomy
from avatargan.networks import load_upscaler
from avatargan.networks.generator import Generator
from avatargan.networks.loading import load_generator
from avatargan.networks.recolouring import RecolouringGenerator
from avatargan.rendering.torch_renderer import TorchRenderer
from avatargan.training.recolouring.colours import lab_to_rgb, middle, pulled, rgb_to_lab
from avatargan.training.recolouring.teacher import Teacher, part_masks
from avatargan.training.recolouring.training import Lessons, TrainingOptions, learn
from avatargan.weights import write_weights

ATTRIBUTES = {
    "style": ["ink"],
    "hair": ["red", "blue", "green", "unknown"],
    "eyes": ["red", "blue"],
}


@pytest.fixture(scope="module")
def old() -> Generator:
    torch.manual_seed(0)
    generator = Generator(
        Taxonomy(ATTRIBUTES),
        z_dim=16,
        w_dim=24,
        channels={4: 16, 8: 16, 16: 16, 32: 8},
        embedding_dims=dict.fromkeys(ATTRIBUTES, 6),
    )
    return generator.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def teacher(old) -> Teacher:
    return Teacher(old, TorchRenderer(old, load_upscaler(), "cpu"))


@pytest.fixture
def student(teacher) -> RecolouringGenerator:
    return teacher.student(part_channels=8).requires_grad_(False)


def some_w(generator, count=2):
    z = torch.randn(count, generator.z_dim, generator=torch.Generator().manual_seed(1))
    return generator.mapping(z, torch.zeros(count, dtype=torch.long))


def test_the_body_draws_what_the_teacher_draws_in_the_mean_colours(teacher, student):
    w = some_w(student)
    image, _ = student.body(w, w.new_zeros(1, 0))
    expected = teacher.generator.synthesis_from_embedding(w, teacher.mean_palette())
    torch.testing.assert_close(image, expected, atol=1e-4, rtol=0)


def test_the_space_of_w_is_the_teachers(old, student):
    kept = student.state_dict()
    for name, tensor in old.state_dict().items():
        if name.split(".")[0] in ("mapping", "embed", "w_mean", "const"):
            assert torch.equal(kept[name], tensor), name


def test_a_colour_changes_nothing_where_its_part_is_not(student):
    w = some_w(student)
    student.painter.find.bias[1] = -50  # no eyes are found
    assert student.parts(w)[:, 1].max() < 1e-12
    hair = torch.tensor([0, 1])
    drawn = [student.synthesis(w, hair, torch.full((2,), eyes)) for eyes in (0, 1)]
    assert torch.equal(*drawn)
    other_hair = student.synthesis(w, hair.flip(0), torch.tensor([0, 0]))
    moved = (other_hair - drawn[0]).abs()
    assert moved.max() > 0.01
    assert (moved[student.parts(w)[:, :1].expand_as(moved) < 1e-6] < 1e-4).all()


def test_parts_do_not_depend_on_the_batch_and_take_a_w_for_each_block(student):
    w = some_w(student, 3)
    together = student.parts(w)
    assert together.shape == (3, 2, 32, 32)
    torch.testing.assert_close(student.parts(w[1:2])[0], together[1], atol=1e-5, rtol=0)
    per_block = w[:, None].expand(-1, len(student.blocks), -1)
    torch.testing.assert_close(student.parts(per_block), together)


def test_mixed_colours_lie_between(student):
    w = some_w(student, 1)
    eyes = torch.tensor([0])
    red, blue = student.embed["hair"].weight[:2, None]
    steps = [student.synthesis(w, torch.lerp(red, blue, t), eyes) for t in (0.0, 0.5, 0.51, 1.0)]
    assert torch.equal(steps[0], student.synthesis(w, torch.tensor([0]), eyes))
    whole = (steps[3] - steps[0]).abs().mean()
    assert (steps[2] - steps[1]).abs().mean() < 0.1 * whole


def test_weights_are_read_back_and_ncnn_draws_them_as_torch_does(student, tmp_path):
    ncnn_renderer = pytest.importorskip("avatargan.rendering.ncnn_renderer")
    path = tmp_path / "recolouring.safetensors"
    write_weights(path, student.state_dict(), student.metadata())
    again = load_generator(path)
    assert isinstance(again, RecolouringGenerator)
    w, upscaler = some_w(again), load_upscaler()
    palette = again.embed_palette(torch.tensor([0, 2]), torch.tensor([1, 0]))
    drawn = ncnn_renderer.NcnnRenderer(again, upscaler).draw(w, palette, 32).astype(int)
    expected = TorchRenderer(again, upscaler, "cpu").draw(w, palette, 32).astype(int)
    assert np.abs(drawn - expected).max() <= 1


def test_a_part_is_where_the_hue_moves():
    """Hair in three colours, lips that get darker with it, two irises inside the hair."""
    hair = torch.full((3, 3, 32, 32), 128, dtype=torch.uint8)
    for picture, colour in zip(hair, ([220, 40, 40], [40, 40, 220], [40, 220, 40]), strict=True):
        picture[:, :16] = torch.tensor(colour, dtype=torch.uint8)[:, None, None]
        picture[:, 24:] = 40 + colour[0] // 2  # lightness only
    eyes = torch.full((2, 3, 32, 32), 90, dtype=torch.uint8)
    for picture, colour in zip(eyes, ([200, 30, 30], [30, 30, 200]), strict=True):
        picture[:, 6:12, 6:12] = torch.tensor(colour, dtype=torch.uint8)[:, None, None]
    masks = part_masks({"hair": hair, "eyes": eyes})
    assert masks[0, 2, 2] > 0.95
    assert masks[0, 22, 5] < 0.05
    assert masks[0, 28, 5] < 0.05
    assert masks[1, 9, 9] > 0.95
    assert masks[0, 9, 9] < 0.05, "what is an iris is no hair"


def test_pulling_brings_the_middle_to_the_colour_and_leaves_black_and_white():
    torch.manual_seed(4)
    picture = torch.rand(3, 16, 16) * 0.4 - 0.2
    picture[:, 0] = -1
    picture[:, 1] = 1
    wanted = torch.tensor([60.0, 20.0, -25.0])
    moved = pulled(picture, torch.ones(16, 16), wanted)
    lab = rgb_to_lab((moved.permute(1, 2, 0) + 1) / 2).permute(2, 0, 1)
    torch.testing.assert_close(middle(lab, torch.ones(16, 16)), wanted, atol=4, rtol=0)
    assert moved[:, 0].max() < -0.95
    assert moved[:, 1].min() > 0.95
    torch.testing.assert_close(
        pulled(picture, torch.ones(16, 16), wanted, 0), picture, atol=0.02, rtol=0
    )


def test_colours_survive_the_way_to_lab_and_back():
    rgb = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(lab_to_rgb(rgb_to_lab(rgb)), rgb, atol=1e-3, rtol=0)
    white = rgb_to_lab(torch.ones(3))
    torch.testing.assert_close(white, torch.tensor([100.0, 0, 0]), atol=0.1, rtol=0)


def test_the_parts_learn(teacher, student):
    student.painter.requires_grad_(True)
    palette = {
        "hair": [(50, 60, 40), (40, 20, -50), (50, -40, 40)],
        "eyes": [(50, 60, 40), (40, 20, -50)],
    }
    lessons = Lessons(teacher.lessons(student, 2), palette, strength=0.8)
    losses = [
        sum(each.values())
        for each in learn(student, lessons, TrainingOptions(steps=40, batch=2, learning_rate=0.02))
    ]
    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:8])
