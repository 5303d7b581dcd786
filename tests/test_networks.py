"""The networks compute what the specification of the weights says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from avatargan.networks import load_critic, load_generator, load_upscaler
from avatargan.networks.critic import minibatch_statistic
from avatargan.networks.layers import ModulatedConv2d
from avatargan.weights_header import FIRST_GENERATOR, shipped_weights

SLICE = Path(__file__).parent / "data" / "reference_slice.npz"
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def generator():
    return load_generator(shipped_weights(FIRST_GENERATOR))


def tensors(arrays):
    return {name: torch.from_numpy(np.asarray(arrays[name])) for name in arrays.files}


def close(actual, expected):
    return torch.testing.assert_close(actual, expected.float(), atol=TOLERANCE, rtol=0)


def draw(generator, reference):
    style = reference["style"]
    w = generator.mapping(reference["z"], style)
    truncated = generator.truncate(w, style, reference["psi"][:, None])
    return w, generator.synthesis(truncated, reference["hair"], reference["eyes"])


def test_generator_and_upscaler_match_the_reference_slice(generator):
    reference = tensors(np.load(SLICE))
    w, image = draw(generator, reference)
    close(w[:, ::8], reference["w"])
    close(image[:, :, 4::16, 4::16], reference["image"])
    upscaled = load_upscaler()((image[:1].clamp(-1, 1) + 1) / 2)
    close(upscaled[:, :, 8::64, 8::64], reference["upscaled"])


def test_all_networks_match_the_whole_reference(generator, shared):
    reference = tensors(np.load(shared / "reference" / "avatar128.npz"))
    w, image = draw(generator, reference)
    close(w, reference["w"])
    close(image, reference["image"])
    close(load_upscaler()((image[:1].clamp(-1, 1) + 1) / 2), reference["upscaled"])

    labels = {name: reference[name] for name in ("style", "hair", "eyes")}
    score, classes = load_critic()(reference["image"], labels)
    close(score, reference["score"].flatten())
    close(classes["hair"], reference["classify_hair"])
    close(classes["eyes"], reference["classify_eyes"])


def test_loaded_generator_tells_its_taxonomy_and_mean(generator):
    assert list(generator.attributes) == ["style", "hair", "eyes"]
    assert "pink" in generator.attributes["hair"]
    assert generator.w_mean.shape == (2, generator.w_dim)


def test_indices_and_embeddings_draw_the_same(generator):
    w = generator.mapping(torch.randn(1, generator.z_dim), torch.tensor([0]))
    hair, eyes = torch.tensor([3]), torch.tensor([4])
    by_index = generator.synthesis(w, hair, eyes)
    by_embedding = generator.synthesis(
        w, hair=generator.embed["hair"](hair), eyes=generator.embed["eyes"](eyes)
    )
    torch.testing.assert_close(by_embedding, by_index)


@pytest.mark.parametrize(
    ("positional", "named"),
    [((), {}), ((0, 0, 0), {}), ((0,), {"hair": 0}), ((0,), {"eye": 0})],
    ids=["none", "too many", "twice", "misspelt"],
)
def test_each_palette_attribute_is_wanted_once(generator, positional, named):
    index = torch.tensor([0])
    w = torch.zeros(1, generator.w_dim)
    with pytest.raises(TypeError, match="hair, eyes"):
        generator.synthesis(w, *(index for _ in positional), **dict.fromkeys(named, index))


def test_palette_cannot_change_what_is_decided_below_16_pixels(generator):
    """The features at 8 px, which carry the identity, are computed from w alone."""
    seen = []
    hook = generator.blocks["8"].register_forward_hook(lambda *call: seen.append(call[2][0]))
    w = generator.mapping(torch.randn(1, generator.z_dim), torch.tensor([0]))
    for colour in (0, 5):
        generator.synthesis(w, torch.tensor([colour]), torch.tensor([colour]))
    hook.remove()
    torch.testing.assert_close(seen[0], seen[1], rtol=0, atol=0)


def test_noise_is_added_while_training_only(generator):
    z, style = torch.randn(2, generator.z_dim), torch.tensor([0, 1])
    draws = [generator(z, style, style, style) for _ in range(2)]
    torch.testing.assert_close(draws[0], draws[1], rtol=0, atol=0)
    generator.train()
    try:
        noisy = generator(z, style, style, style)
    finally:
        generator.eval()
    assert not torch.equal(noisy, draws[0])


def test_modulated_convolution_equals_one_convolution_per_picture():
    """Scaling activations is the same as scaling kernels, computed here the slow way."""
    torch.manual_seed(1)
    conv = ModulatedConv2d(5, 7, 3, style_dim=4).double()
    torch.nn.init.normal_(conv.bias)
    x, style = torch.randn(3, 5, 6, 6).double(), torch.randn(3, 4).double()
    scale = conv.affine(style)
    for picture in range(3):
        kernel = conv.weight * conv.weight_gain * scale[picture][None, :, None, None]
        kernel = kernel / torch.sqrt(kernel.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8)
        expected = functional.conv2d(x[picture : picture + 1], kernel, conv.bias, padding=1)
        torch.testing.assert_close(conv(x, style)[picture : picture + 1], expected)


def test_minibatch_statistic_equals_a_plain_computation():
    torch.manual_seed(2)
    x = torch.randn(16, 3, 4, 4).double()
    statistic = minibatch_statistic(x)
    for sample in range(16):
        members = x[[i for i in range(16) if i % 2 == sample % 2]].numpy()
        expected = np.sqrt(members.var(axis=0) + 1e-8).mean()
        assert statistic[sample].unique().numel() == 1
        assert statistic[sample, 0, 0, 0].item() == pytest.approx(expected)


def test_real_and_fake_keep_their_statistics_to_themselves():
    critic = load_critic()
    torch.manual_seed(3)
    real, fake = torch.randn(2, 8, 3, 128, 128).unbind()
    labels = {name: torch.zeros(8, dtype=torch.long) for name in critic.attributes}
    both = {name: rows.repeat(2) for name, rows in labels.items()}
    apart, _ = critic(real, labels)
    together, _ = critic(torch.cat([real, fake]), both, groups=2)
    torch.testing.assert_close(together[:8], apart, atol=1e-4, rtol=1e-4)


def test_a_batch_that_is_no_multiple_of_the_group_is_refused():
    with pytest.raises(ValueError, match="12"):
        minibatch_statistic(torch.zeros(12, 1, 4, 4))
