"""One step: who learns, at which rate, and from what."""

import pytest
import torch

from avatargan.dataset import open_dataset
from avatargan.errors import CheckpointError, OptionError
from avatargan.networks import Critic, Generator
from avatargan.training.checkpoints import read_checkpoint, state_of, write_checkpoint
from avatargan.training.data import Source, TrainingData, positions_of_step
from avatargan.training.distributed import Processes
from avatargan.training.run import FINE_TUNING_FACTOR, Initial, settings_with_initial
from avatargan.training.settings import TrainingSettings
from avatargan.training.trainer import Networks, Trainer
from avatargan.weights import write_weights
from tests.training.tiny import TINY


@pytest.fixture
def data(faces, cache):
    return TrainingData([Source(open_dataset(faces))], 16, 1, cache_folder=cache)


def trained(data, steps, **changes):
    settings = TrainingSettings.from_values({**TINY, **changes})
    trainer = Trainer(settings, Networks.new(settings, data.attributes), Processes())
    for step in range(steps):
        trainer.step(data.batch(positions_of_step(8 * step, 8)))
    return trainer


def test_the_lazy_penalty_has_steps_of_its_own_with_corrected_rates(data):
    trainer = trained(data, 2)  # a penalty at every 4th step: at the first
    counted = trainer.critic_optimizer.state[trainer.critic.blocks["16"].conv0.weight]["step"]
    assert counted == 3
    (critic,), (generator,) = (
        trainer.critic_optimizer.param_groups,
        trainer.generator_optimizer.param_groups,
    )
    assert critic["lr"] == pytest.approx(0.8 * generator["lr"])
    assert critic["betas"] == pytest.approx((0.0, 0.99**0.8))
    assert generator["betas"] == (0.0, 0.99)


def test_a_penalty_at_every_step_is_part_of_it(data):
    trainer = trained(data, 2, penalty_interval=1)
    counted = trainer.critic_optimizer.state[trainer.critic.blocks["16"].conv0.weight]["step"]
    assert counted == 2
    assert trainer.critic_optimizer.param_groups[0]["betas"] == (0.0, 0.99)


def test_a_larger_critic_sees_enlarged_pictures(data):
    settings = TrainingSettings.from_values({**TINY, "critic_resolution": 32})
    trainer = Trainer(settings, Networks.new(settings, data.attributes), Processes())
    sides = set()
    trainer.critic.register_forward_pre_hook(lambda _, inputs: sides.add(inputs[0].shape[-1]))
    trainer.step(data.batch(positions_of_step(0, 8)))
    assert sides == {32}
    assert trainer.generator.resolution == 16


def test_starting_from_weights_lowers_the_rate_and_keeps_the_critic_large(data, tmp_path):
    paths = {}
    for part, kind in (("generator", Generator), ("critic", Critic)):
        network = kind.for_training(data.attributes, 32, 0.03)
        paths[part] = tmp_path / f"{part}.safetensors"
        write_weights(paths[part], network.state_dict(), network.metadata())
    settings = TrainingSettings.from_values(TINY)
    begun = settings_with_initial(settings, Initial(**paths))
    assert begun.critic_resolution == 32
    assert begun.learning_rate == pytest.approx(0.0025 * FINE_TUNING_FACTOR)
    asked = TrainingSettings.from_values({**TINY, "critic_resolution": 16, "learning_rate": 0.001})
    assert settings_with_initial(asked, Initial(**paths)) == asked
    assert settings_with_initial(settings, Initial()) == settings


@pytest.mark.parametrize("size", [8, 24])
def test_critics_of_impossible_sizes_are_refused(size):
    with pytest.raises(OptionError, match="--critic-resolution must be one of 16, 32"):
        TrainingSettings.from_values({**TINY, "critic_resolution": size})


def test_what_bf16_would_lose_is_computed_in_float32(data):
    critic = Critic.for_training(data.attributes, 16, 0.05)
    seen = []
    critic.final_conv.register_forward_hook(lambda _, inputs, result: seen.append(result.dtype))
    labels = {name: torch.zeros(8, dtype=torch.long) for name in data.attributes}
    with torch.autocast("cpu", torch.bfloat16):
        first = critic.from_rgb(torch.rand(8, 3, 16, 16))
        score, classes = critic(torch.rand(8, 3, 16, 16), labels)
    assert first.dtype == torch.bfloat16
    assert {*seen, score.dtype, classes["hair"].dtype} == {torch.float32}


def test_checkpoints_of_before_say_that_they_cannot_go_on(data, tmp_path):
    state = state_of(trained(data, 0))
    old = type(state)(0, state.tensors, {**state.metadata, "version": "1"})
    path = write_checkpoint(tmp_path, old, keep=1)
    with pytest.raises(CheckpointError, match=r"earlier version.*with --init RUN"):
        read_checkpoint(path)
