"""Probabilities mean what they say."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avatargan.tagging.calibration import (
    calibrated,
    expected_calibration_error,
    fit_temperature,
)


def error_by_hand(probabilities, labels, bins):
    """The definition, bin by bin."""
    total = 0.0
    for index in range(bins):
        low, high = index / bins, (index + 1) / bins
        own = [
            (max(row), int(np.argmax(row)) == label)
            for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True)
            if low < max(row) <= high
        ]
        if own:
            sure = sum(p for p, _ in own) / len(own)
            right = sum(r for _, r in own) / len(own)
            total += len(own) / len(labels) * abs(right - sure)
    return total


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(2, 12), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_the_calibration_error_is_that_of_the_definition(count, choices, bins, seed):
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(choices, 0.4), count).astype(np.float32)
    labels = random.integers(0, choices, count)
    found = expected_calibration_error(probabilities, labels, bins)
    assert found == pytest.approx(error_by_hand(probabilities, labels, bins), abs=1e-6)


def test_certainty_that_is_right_has_no_error_and_without_pictures_there_is_none():
    certain = np.eye(3, dtype=np.float32)
    assert expected_calibration_error(certain, np.arange(3)) == 0
    assert expected_calibration_error(certain, np.array([1, 2, 0])) == 1
    assert np.isnan(expected_calibration_error(certain[:0], np.arange(0)))


@pytest.mark.parametrize("truth", [0.3, 1.0, 2.5])
def test_the_temperature_that_scores_were_made_with_is_found_again(truth):
    random = torch.Generator().manual_seed(0)
    scores = torch.randn(20_000, 6, generator=random) * 3
    labels = torch.multinomial(calibrated(scores, truth), 1, generator=random)[:, 0]
    assert fit_temperature(scores, labels) == pytest.approx(truth, rel=0.05)


def test_nothing_to_fit_to_leaves_probabilities_alone():
    assert fit_temperature(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)) == 1
