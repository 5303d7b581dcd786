"""Starting from weights of another taxonomy, resolution or width."""

import dataclasses

import pytest
import torch

from avatargan.attributes import Taxonomy
from avatargan.errors import WeightsError
from avatargan.networks import Critic, Generator, load_critic, load_generator
from avatargan.networks.dcgan import DcganGenerator
from avatargan.networks.layers import leaky_relu
from avatargan.training.finetuning import start_from
from avatargan.training.refitting import averaged_down, refit_critic, refit_generator
from avatargan.weights import read_weights, shipped_weights, write_weights
from avatargan.weights_header import CRITIC_ROLE, FIRST_GENERATOR, GENERATOR_ROLE, SHIPPED_CRITIC

OLD = {"style": ["ink", "tv"], "hair": ["red", "green", "blue", "unknown"], "hat": ["no", "yes"]}


def small(kind, attributes, resolution=32):
    return kind.for_training(Taxonomy(attributes), resolution, 0.05)


def written(network, path, role):
    write_weights(path, network.state_dict(), network.metadata())
    return read_weights(path, role)


@pytest.fixture
def old(tmp_path):
    torch.manual_seed(0)
    generator, critic = small(Generator, OLD), small(Critic, OLD)
    for network in (generator, critic):
        for values in network.parameters():
            values.data.add_(0.1 * torch.randn_like(values))
    return (
        written(generator, tmp_path / "g.safetensors", GENERATOR_ROLE),
        written(critic, tmp_path / "c.safetensors", CRITIC_ROLE),
    )


def picture(generator, count=3, **labels):
    torch.manual_seed(5)
    z = torch.randn(count, generator.z_dim)
    index = {
        name: torch.full((count,), generator.attributes.index(name, choice))
        for name, choice in labels.items()
    }
    with torch.no_grad():
        return generator.eval().draw(z, index)


def test_the_same_taxonomy_in_another_order_draws_the_same(old):
    new = small(
        Generator,
        {"hat": ["yes", "no"], "hair": ["unknown", "blue", "red", "green"], "style": ["tv", "ink"]},
    )
    report = start_from(new, old[0])
    before = load_generator(old[0].path)
    for labels in (
        {"style": "tv", "hair": "red", "hat": "no"},
        {"style": "ink", "hair": "blue", "hat": "yes"},
    ):
        torch.testing.assert_close(
            picture(new, **labels), picture(before, **labels), atol=2e-4, rtol=1e-3
        )
    assert report.new == []


def test_new_choices_start_from_the_mean_and_are_reported(old):
    new = small(Generator, OLD | {"hair": ["red", "pink", "unknown"]})
    report = start_from(new, old[0])
    before, after = old[0].tensors["embed.hair.weight"].float(), new.embed["hair"].weight
    torch.testing.assert_close(after[0], before[0])
    torch.testing.assert_close(after[1], before[:3].mean(0))  # not that of "unknown"
    torch.testing.assert_close(after[2], before[3])
    assert report.shared_choices["hair"] == ["red"]
    assert report.new_choices["hair"] == ["pink"]
    assert report.dropped_choices["hair"] == ["green", "blue"]
    assert "hair: 1 choices kept; new, from the mean: pink; dropped: green, blue" in report.lines()


def test_a_new_attribute_changes_nothing_at_first_but_can_learn(old):
    new = small(Generator, OLD | {"ears": ["round", "cat"]})
    report = start_from(new, old[0])
    labels = {"style": "tv", "hair": "red", "hat": "no"}
    expected = picture(load_generator(old[0].path), **labels)
    for ears in ("round", "cat"):
        torch.testing.assert_close(
            picture(new, **labels, ears=ears), expected, atol=2e-4, rtol=1e-3
        )
    assert report.new_attributes == ["ears"]
    z = torch.randn(2, new.z_dim)
    new.draw(
        z, {name: torch.zeros(2, dtype=torch.long) for name in new.attributes}
    ).sum().backward()
    columns = new.blocks["32"].conv0.affine.weight.grad[:, -48:]
    assert columns.abs().sum() > 0


def test_a_dropped_attribute_leaves_behind_what_it_did_in_the_mean(old):
    new = small(Generator, {name: OLD[name] for name in ("style", "hair")}).eval()
    report = start_from(new, old[0])
    before = load_generator(old[0].path)
    w, red = (
        before.mapping(torch.randn(3, before.z_dim), torch.ones(3).long()),
        torch.zeros(3).long(),
    )
    mean_hat = before.embed["hat"].weight.mean(0).expand(3, -1)
    expected = before.synthesis(w, hair=red, hat=mean_hat)
    torch.testing.assert_close(new.synthesis(w, hair=red), expected, atol=2e-4, rtol=1e-3)
    assert report.dropped_attributes == ["hat"]


def test_weights_without_a_style_start_a_run_with_styles(tmp_path):
    torch.manual_seed(0)
    plain = small(Generator, {"hair": ["red", "blue"]})
    file = written(plain, tmp_path / "plain.safetensors", GENERATOR_ROLE)
    new = small(Generator, {"style": ["mine"], "hair": ["red", "blue"]})
    start_from(new, file)
    torch.testing.assert_close(
        picture(new, style="mine", hair="red"),
        picture(load_generator(file.path), hair="red"),
        atol=2e-4,
        rtol=1e-3,
    )


def test_a_smaller_resolution_draws_what_the_lower_blocks_draw(old):
    new = small(Generator, OLD, resolution=16)
    report = start_from(new, old[0])
    assert report.new == []
    before = load_generator(old[0].path)
    drawn = []
    block = before.blocks["16"]
    hook = block.register_forward_hook(lambda _, __, result: drawn.append(result[1]))
    labels = {"style": "tv", "hair": "red", "hat": "no"}
    picture(before, **labels)
    hook.remove()
    assert picture(new, **labels).shape[-1] == drawn[0].shape[-1] == 16


def test_a_larger_resolution_starts_as_an_enlarged_picture(old):
    new = small(Generator, OLD, resolution=64)
    report = start_from(new, old[0])
    assert all(name.startswith("blocks.64.") for name in report.new)
    labels = {"style": "tv", "hair": "red", "hat": "no"}
    expected = torch.nn.functional.interpolate(
        picture(load_generator(old[0].path), **labels), scale_factor=2, mode="bilinear"
    )
    torch.testing.assert_close(picture(new, **labels), expected, atol=2e-4, rtol=1e-3)


def test_the_critic_keeps_its_tables_and_classifiers_by_name(old):
    new = small(Critic, OLD | {"hair": ["blue", "pink", "unknown"]})
    report = start_from(new, old[1])
    before = old[1].tensors
    torch.testing.assert_close(
        new.classify["hair"].weight[0], before["classify.hair.weight"][2].float()
    )
    torch.testing.assert_close(
        new.classify["hair"].bias[1], before["classify.hair.bias"].float().mean()
    )
    torch.testing.assert_close(
        new.project["hair"].weight[2], before["project.hair.weight"][3].float()
    )
    assert report.new == []


def test_shipped_weights_start_the_64_px_configuration():
    attributes = load_generator().attributes
    generator, critic = Generator.for_training(attributes, 64), Critic.for_training(attributes, 64)
    weights = read_weights(shipped_weights(FIRST_GENERATOR), GENERATOR_ROLE)
    assert start_from(generator, weights).new == []
    report = start_from(critic, read_weights(shipped_weights(SHIPPED_CRITIC), CRITIC_ROLE))
    assert report.new == ["from_rgb.weight", "from_rgb.bias"]
    assert dataclasses.asdict(report)["shared_choices"]["hair"] == list(attributes.offered("hair"))
    assert load_critic().resolution == 128


def test_weights_of_another_architecture_are_refused(old):
    new = DcganGenerator.for_training(Taxonomy(OLD), 64, 0.05)
    with pytest.raises(WeightsError, match="of the architecture avatar cannot start one of dcgan"):
        start_from(new, old[0])


def test_dcgan_weights_start_a_dcgan_with_another_taxonomy(tmp_path):
    torch.manual_seed(0)
    plain = DcganGenerator.for_training(Taxonomy({"hair": ["red", "blue"]}), 64, 0.05)
    file = written(plain, tmp_path / "plain.safetensors", GENERATOR_ROLE)
    new = DcganGenerator.for_training(
        Taxonomy({"style": ["mine"], "hair": ["blue", "red"], "ears": ["cat"]}), 64, 0.05
    )
    start_from(new, file)
    torch.testing.assert_close(
        picture(new, style="mine", hair="red", ears="cat"),
        picture(plain, hair="red"),
        atol=2e-4,
        rtol=1e-2,
    )


def test_a_smaller_network_is_fitted_to_what_the_larger_one_draws(old):
    """Here what the block above adds is one colour, which the smaller network has to learn."""
    larger = load_generator(old[0].path)
    larger.blocks["32"].to_rgb.weight.zero_()
    larger.blocks["32"].to_rgb.bias.copy_(torch.tensor([0.7, -0.3, 0.2]))
    # A taxonomy that the labels of the larger one do not fit.
    new = small(Generator, {"style": ["ink"], "hair": ["red"], "hat": ["yes"]}, resolution=16)
    start_from(new, old[0])
    torch.manual_seed(6)
    z = torch.randn(32, larger.z_dim)
    red = {"style": 0, "hair": 0, "hat": 1}  # in the larger one's taxonomy
    labels = {name: torch.full((32,), index) for name, index in red.items()}
    own = dict.fromkeys(red, torch.zeros(32, dtype=torch.long))

    def error():
        with torch.no_grad():
            wanted = averaged_down(larger.draw(z, labels), 16)
            return (new.eval().draw(z, own) - wanted).square().mean().item()

    before = error()
    refit_generator(new, larger)
    assert error() < 0.25 * before


def test_a_smaller_critic_is_fitted_to_the_features_of_the_larger_one(old):
    larger, generator = load_critic(old[1].path), load_generator(old[0].path)
    new = small(Critic, OLD, resolution=16)
    start_from(new, old[1])
    images = picture(generator, count=8, style="tv", hair="red", hat="no")
    with torch.no_grad():
        wanted = larger.blocks["32"](leaky_relu(larger.from_rgb(images)))

        def error():
            features = leaky_relu(new.from_rgb(averaged_down(images, 16)))
            return (features - wanted).square().mean().item()

        before = error()
        refit_critic(new, larger, generator)
        assert error() < 0.5 * before
