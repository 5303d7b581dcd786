"""The plain DCGAN: its statistics, its files, and how it is drawn."""

import pytest
import torch

from avatargan import AvatarPipeline
from avatargan.attributes import Taxonomy
from avatargan.devices import choose_engine
from avatargan.errors import OptionError, WeightsError
from avatargan.networks import load_critic, load_generator
from avatargan.networks.dcgan import BatchNorm, DcganCritic, DcganGenerator
from avatargan.weights import write_weights

ATTRIBUTES = Taxonomy({"style": ["a", "b"], "hair": ["red", "blue", "unknown"]})


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    generator = DcganGenerator.for_training(ATTRIBUTES, 64, width=0.1)
    for values in generator.parameters():
        values.data.add_(0.05 * torch.randn_like(values))
    generator.update_statistics(batches())
    return generator.eval().requires_grad_(False)


def batches(count=6, size=32):
    random = torch.Generator().manual_seed(3)
    for _ in range(count):
        labels = {
            name: torch.randint(len(choices), (size,), generator=random)
            for name, choices in ATTRIBUTES.items()
        }
        yield torch.randn(size, 100, generator=random), labels


def test_the_full_network_has_the_sizes_of_the_plain_one():
    generator = DcganGenerator.for_training(ATTRIBUTES, 64)
    assert generator.dense.out_features == 3 * 3 * 512
    assert generator.conv1.weight.shape[1:] == (256, 3, 3)
    assert generator.conv2.weight.shape[1:] == (128, 5, 5)
    assert generator.conv3.weight.shape[1:] == (3, 4, 4)
    assert sum(p.numel() for p in DcganCritic.for_training(ATTRIBUTES, 64).parameters()) < 1.1e6


def test_statistics_are_the_means_over_the_batches(generator):
    """Computed here from what the first normalisation sees."""
    seen = []
    hook = generator.norm0.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    for z, labels in batches():
        generator.draw(z, labels)
    hook.remove()
    mean = torch.stack([x.mean(dim=(0, 2, 3)) for x in seen]).mean(0)
    variance = torch.stack([x.var(dim=(0, 2, 3)) for x in seen]).mean(0)
    torch.testing.assert_close(generator.norm0.running_mean, mean, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(generator.norm0.running_var, variance, atol=1e-5, rtol=1e-4)


def test_statistics_can_be_brought_up_to_date_again_and_again(generator):
    before = {name: values.clone() for name, values in generator.state_dict().items()}
    generator.update_statistics(batches())
    for name, values in generator.state_dict().items():
        torch.testing.assert_close(values, before[name])
    assert not generator.training
    assert generator.norm0.momentum == BatchNorm.MOMENTUM


def test_truncation_scales_z_and_keeps_the_style(generator):
    z, style = torch.randn(2, 100), torch.tensor([0, 1])
    w = generator.truncate(generator.mapping(z, style), style, 0.5)
    torch.testing.assert_close(w, generator.mapping(0.5 * z, style))


def test_real_and_fake_are_normalised_apart():
    torch.manual_seed(1)
    critic = DcganCritic.for_training(ATTRIBUTES, 64, 0.1).train()
    real, fake = torch.rand(8, 3, 64, 64), torch.rand(8, 3, 64, 64) - 1
    labels = {name: torch.zeros(8, dtype=torch.long) for name in ATTRIBUTES}
    both = {name: rows.repeat(2) for name, rows in labels.items()}
    together, _ = critic(torch.cat([real, fake]), both, groups=2)
    torch.testing.assert_close(together[:8], critic(real, labels)[0])
    torch.testing.assert_close(together[8:], critic(fake, labels)[0])


def written(network, path, **changes):
    write_weights(path, network.state_dict(), network.metadata() | changes)
    return path


def test_weights_are_read_back_and_draw(generator, tmp_path):
    path = written(generator, tmp_path / "g.safetensors")
    assert isinstance(load_generator(path), DcganGenerator)
    pipeline = AvatarPipeline.load(path, device="cpu")
    red, blue = pipeline.generate([5, 5], style="b", hair=["red", "blue"], size=64)
    assert red.image.size == (64, 64)
    assert red.image.tobytes() != blue.image.tobytes()
    critic = DcganCritic.for_training(ATTRIBUTES, 64, 0.1)
    assert isinstance(load_critic(written(critic, tmp_path / "c.safetensors")), DcganCritic)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "unet"}, "names the architecture 'unet', which this version does not"),
        ({"architecture": "avatar"}, "is missing"),
        ({"resolution": "128"}, "a dcgan has 64"),
    ],
)
def test_headers_that_do_not_fit_are_refused(generator, tmp_path, changes, message):
    with pytest.raises(WeightsError, match=message):
        load_generator(written(generator, tmp_path / "bad.safetensors", **changes))


def test_ncnn_is_for_the_shipped_architecture():
    assert choose_engine("cpu", "auto", "dcgan") == ("cpu", "torch")
    with pytest.raises(OptionError, match="cannot draw weights of the architecture dcgan"):
        choose_engine("cpu", "ncnn", "dcgan")
