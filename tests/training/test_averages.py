"""The learning rate, and the average of the generator."""

import copy

import pytest
import torch

from avatargan.attributes import Taxonomy
from avatargan.networks.dcgan import DcganGenerator
from avatargan.training.ema import Ema, ema_decay
from avatargan.training.schedule import learning_rate_factor


@pytest.mark.parametrize(
    ("part", "factor"), [(0, 1), (0.3, 1), (0.6, 1), (0.8, 0.525), (1, 0.05), (1.2, 0.05)]
)
def test_learning_rate_falls_to_5_percent_over_the_last_40_percent(part, factor):
    assert learning_rate_factor(round(part * 1000), 1000) == pytest.approx(factor)


def test_learning_rate_never_rises():
    factors = [learning_rate_factor(seen, 1000) for seen in range(0, 1100, 10)]
    assert factors == sorted(factors, reverse=True)


def test_the_average_halves_the_past_in_a_half_life():
    assert ema_decay(500, 10**9, 500) == 0.5
    assert ema_decay(250, 10**9, 500) ** 2 == pytest.approx(0.5)


def test_the_average_reaches_back_no_further_than_a_20th_of_what_was_seen():
    assert ema_decay(64, 0, 10_000) == 0
    assert ema_decay(64, 2_000, 10_000) == ema_decay(64, 10**9, 100)


def test_the_average_moves_towards_the_weights_by_that_much():
    torch.manual_seed(0)
    generator = DcganGenerator.for_training(Taxonomy({"hair": ["a", "b"]}), 64, 0.05)
    ema = Ema(generator, half_life=100)
    before = copy.deepcopy(ema.generator)
    with torch.no_grad():
        for values in generator.parameters():
            values.add_(1)
    ema.update(generator, batch=50, images_seen=10**9)
    kept = 0.5**0.5
    for average, old in zip(ema.generator.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(average, old + (1 - kept))
