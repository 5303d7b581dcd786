"""Distances between sets of features, against closed forms, brute force and naive loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from avatargan.evaluation.frechet import FeatureStatistics, frechet_distance
from avatargan.evaluation.memorisation import are_copies, memorisation, nearest_training
from avatargan.evaluation.precision_recall import precision_recall
from avatargan.kernel_distance import kernel_distance

seeds = st.integers(0, 2**32 - 1)


def points(seed, count, dimension, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1.0, (count, dimension))


def exact_statistics(mean, covariance):
    """Points whose sample mean and covariance are just these."""
    raw = points(0, 50, len(mean))
    raw -= raw.mean(0)
    raw = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False)).T)
    return FeatureStatistics.of(raw @ np.linalg.cholesky(covariance).T + mean)


def test_frechet_distance_of_gaussians_in_closed_form():
    one = exact_statistics(np.array([0.0, 1.0, 2.0]), np.diag([1.0, 4.0, 9.0]))
    other = exact_statistics(np.array([3.0, 1.0, 1.0]), np.diag([16.0, 4.0, 1.0]))
    # Axes agree, so that the distance is that of the means and of the standard deviations.
    expected = (9 + 0 + 1) + (1 - 4) ** 2 + 0 + (3 - 1) ** 2
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, dimension=st.integers(1, 12), count=st.integers(20, 60))
def test_frechet_distance_agrees_with_the_root_of_the_product(seed, dimension, count):
    x, y = points(seed, count, dimension), points(seed + 1, count, dimension, 0.5) * 1.5
    covariances = [np.atleast_2d(np.cov(each, rowvar=False)) for each in (x, y)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    means = x.mean(0) - y.mean(0)
    expected = means @ means + np.trace(covariances[0] + covariances[1] - 2 * root)
    found = frechet_distance(FeatureStatistics.of(x), FeatureStatistics.of(y))
    assert found == pytest.approx(expected, abs=1e-6)


def test_frechet_distance_is_finite_with_fewer_pictures_than_features():
    x, y = points(1, 10, 40), points(2, 12, 40)
    one, other = FeatureStatistics.of(x), FeatureStatistics.of(y)
    assert 0 < frechet_distance(one, other) < 1e3
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-5)


@given(seed=seeds, cuts=st.lists(st.integers(0, 80), max_size=6))
@settings(max_examples=40, deadline=None)
def test_statistics_do_not_depend_on_the_batches(seed, cuts):
    x = points(seed, 80, 5, shift=1000.0)  # far from 0, where one-pass sums lose digits
    statistics = FeatureStatistics(5)
    for part in np.split(x, sorted(cuts)):
        statistics.update(part)
    assert statistics.count == 80
    assert statistics.mean == pytest.approx(x.mean(0))
    assert statistics.covariance == pytest.approx(np.cov(x, rowvar=False), rel=1e-7, abs=1e-9)


def naive_mmd(x, y):
    """The unbiased estimate, term by term."""

    def kernel(a, b):
        return (a @ b / len(a) + 1) ** 3

    within_x = [kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
    within_y = [kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j]
    between = [kernel(a, b) for a in x for b in y]
    return np.mean(within_x) + np.mean(within_y) - 2 * np.mean(between)


def naive_jackknife(x, y):
    variance = 0.0
    for points_, left_out in (
        (x, lambda i: naive_mmd(np.delete(x, i, 0), y)),
        (y, lambda i: naive_mmd(x, np.delete(y, i, 0))),
    ):
        values = np.array([left_out(i) for i in range(len(points_))])
        variance += (len(points_) - 1) / len(points_) * np.square(values - values.mean()).sum()
    return np.sqrt(variance)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, m=st.integers(3, 9), n=st.integers(3, 9), dimension=st.integers(1, 6))
def test_kernel_distance_agrees_with_a_naive_loop(seed, m, n, dimension):
    x, y = points(seed, m, dimension), points(seed + 1, n, dimension, 0.7)
    found = kernel_distance(x, y)
    assert found.value == pytest.approx(naive_mmd(x, y), rel=1e-9, abs=1e-9)
    assert found.standard_error == pytest.approx(naive_jackknife(x, y), rel=1e-6, abs=1e-9)


def test_kernel_distance_needs_no_whole_matrix_in_memory():
    x, y = points(1, 600, 4), points(2, 513, 4)  # more rows than a block, and not a multiple
    d = 4
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    np.fill_diagonal(xx, 0)
    np.fill_diagonal(yy, 0)
    expected = xx.sum() / (600 * 599) + yy.sum() / (513 * 512) - 2 * xy.mean()
    assert kernel_distance(x, y).value == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_standard_error_of_the_kernel_distance_is_what_it_varies_by():
    found = [kernel_distance(points(s, 60, 3), points(s + 999, 60, 3, 0.5)) for s in range(60)]
    spread = np.std([each.value for each in found])
    claimed = np.mean([each.standard_error for each in found])
    assert 0.7 < claimed / spread < 1.5


def brute_share_inside(points_, centres, k):
    inside = 0
    for point in points_:
        for index, centre in enumerate(centres):
            others = np.delete(centres, index, 0)
            radius = np.sort(np.linalg.norm(others - centre, axis=1))[k - 1]
            if np.linalg.norm(point - centre) <= radius:
                inside += 1
                break
    return inside / len(points_)


@settings(max_examples=8, deadline=None)
@given(seed=seeds, m=st.integers(5, 20), n=st.integers(5, 20), k=st.integers(1, 3))
def test_precision_and_recall_agree_with_brute_force(seed, m, n, k):
    real, fake = points(seed, m, 3), points(seed + 1, n, 3, 0.8)
    found = precision_recall(real, fake, k)
    assert found.precision == brute_share_inside(fake, real, k)
    assert found.recall == brute_share_inside(real, fake, k)


def test_a_collapsed_generator_is_precise_and_has_no_recall():
    real = points(1, 200, 4)
    collapsed = np.repeat(real[:1], 200, 0) + 1e-3 * points(2, 200, 4)
    found = precision_recall(real, collapsed)
    assert found.precision == 1
    assert found.recall < 0.02


def test_the_nearest_training_picture_may_be_a_mirror_image():
    training = points(1, 30, 6)
    as_they_are = points(2, 5, 6)
    mirrored = as_they_are.copy()
    mirrored[3] = training[17]
    found = nearest_training([as_they_are, mirrored], training)
    assert found.indices[3] == 17
    assert found.distances[3] == pytest.approx(0, abs=1e-9)
    expected = np.linalg.norm(as_they_are[:, None] - training, axis=2)
    others = [0, 1, 2, 4]
    assert found.distances[others] == pytest.approx(expected.min(1)[others])


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_memorisation_counts_pairs(seed):
    random = np.random.default_rng(seed)
    samples, unseen = random.integers(0, 6, 30) / 2, random.integers(0, 6, 40) / 2  # many ties
    expected = np.mean([(s < u) + 0.5 * (s == u) for s in samples for u in unseen])
    found = memorisation(samples, unseen, 100)
    assert found.nearer_than_unseen == pytest.approx(expected)
    assert found.median_of_samples == np.median(samples)


def test_copying_shows_and_unseen_pictures_do_not():
    random = np.random.default_rng(0)
    unseen = random.normal(5, 1, 500)
    assert memorisation(np.full(100, 0.1), unseen, 9).nearer_than_unseen == 1
    assert memorisation(np.full(100, 0.1), unseen, 9).suspicious == 1
    alike = memorisation(random.normal(5, 1, 2000), unseen, 9)
    assert alike.nearer_than_unseen == pytest.approx(0.5, abs=0.05)
    assert alike.suspicious < 0.04


def test_copies_are_what_correlates():
    # Distances of unit vectors with correlations 1, 0.995, 0.98 and 0.
    distances = np.sqrt(2 - 2 * np.array([1, 0.995, 0.98, 0]))
    assert are_copies(distances).tolist() == [True, True, False, False]
