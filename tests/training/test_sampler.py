"""The sampler shows every picture of a source once an epoch, wherever it starts."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatargan.errors import OptionError
from avatargan.training.data import positions_of_step
from avatargan.training.sampler import Sampler


def take(sampler, positions):
    sample = sampler.take(positions)
    columns = (sample.sources, sample.pictures, sample.flips)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@given(size=st.integers(1, 50), seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 3))
def test_every_epoch_is_a_permutation(size, seed, epoch):
    sampler = Sampler([size], [1], seed)
    pictures = sampler.take(np.arange(epoch * size, (epoch + 1) * size)).pictures
    assert sorted(pictures.tolist()) == list(range(size))


@given(
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
    batch=st.sampled_from([4, 8, 12]),
    processes=st.sampled_from([1, 2, 4]),
    start=st.integers(0, 500),
)
def test_what_is_shown_depends_on_neither_batch_nor_processes_nor_where_a_run_began(
    sizes, seed, batch, processes, start
):
    weights = [3, 1, 2][: len(sizes)]
    alone = take(Sampler(sizes, weights, seed), range(start, start + 24))
    together = {}
    for first in range(start, start + 24, batch):
        for rank in range(processes):
            positions = positions_of_step(first, batch, rank, processes)
            rows = take(Sampler(sizes, weights, seed), positions)
            together |= dict(zip(positions.tolist(), rows, strict=True))
    assert [together[position] for position in range(start, start + 24)] == alone


@given(
    weights=st.lists(st.integers(1, 9), min_size=2, max_size=4),
    seed=st.integers(0, 1000),
    period=st.integers(0, 100),
)
def test_sources_are_mixed_in_exact_proportion(weights, seed, period):
    total = sum(weights)
    sampler = Sampler([7] * len(weights), weights, seed)
    sources = sampler.take(np.arange(period * total, (period + 1) * total)).sources
    assert Counter(sources.tolist()) == dict(enumerate(weights))


@given(seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_a_source_is_seen_whole_before_any_of_it_is_seen_again(seed):
    sampler = Sampler([5, 11], [1, 3], seed)
    sample = sampler.take(np.arange(400))
    for source, size in enumerate((5, 11)):
        pictures = sample.pictures[sample.sources == source]
        whole = len(pictures) // size * size
        for epoch in pictures[:whole].reshape(-1, size):
            assert sorted(epoch.tolist()) == list(range(size))


def test_half_of_the_pictures_are_mirrored_and_seeds_differ():
    flips = Sampler([100], [1], 0).take(np.arange(4000)).flips
    assert 0.45 < flips.mean() < 0.55
    assert take(Sampler([100], [1], 0), range(50)) != take(Sampler([100], [1], 1), range(50))


def test_streams_are_independent():
    assert take(Sampler([100], [1], 0, 0), range(50)) != take(Sampler([100], [1], 0, 1), range(50))


@pytest.mark.parametrize("weights", [[1, 0], [1, -2], [1, float("nan")], [1, 0.33333]])
def test_weights_without_a_simple_proportion_are_refused(weights):
    with pytest.raises(OptionError, match="weights"):
        Sampler([1, 1], weights, 0)
