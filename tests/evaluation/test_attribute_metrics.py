"""Accuracy, leakage, identity drift and path length, on cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatargan.evaluation.attribute_accuracy import Share, attribute_accuracy
from avatargan.evaluation.identity import edge_drift, edge_map, identity_drift
from avatargan.evaluation.leakage import leakage, total_variation
from avatargan.evaluation.path_length import STEP, path_length


def test_accuracy_counts_per_choice_and_leaves_out_what_the_judge_does_not_know():
    seen = ("blue", "green", "pink")
    answers = np.eye(3)[[2, 0, 0, 1, 1]]
    wanted = ["pink", "pink", "blue", "blue", "teal"]
    found = attribute_accuracy(wanted, answers, seen, ("pink", "blue", "teal"))
    assert found.overall == Share(2, 4)
    assert found.by_choice == {"pink": Share(1, 2), "blue": Share(1, 2)}
    assert found.confusion.tolist() == [[1, 0, 1], [1, 1, 0]]


def test_the_interval_is_wilsons():
    # From the formula: (p + z2/2n +- z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n), z = 1.95996.
    low, high = Share(45, 50).interval
    assert (low, high) == (pytest.approx(0.7864, abs=1e-4), pytest.approx(0.9565, abs=1e-4))
    assert np.isnan(Share(0, 0).value)


def test_leakage_by_hand():
    # Two characters, whose hair is set to pink and to blue; the judge sees hair and eyes.
    hair = np.array([[[1, 0], [0, 1]], [[1, 0], [0, 1]]], float)
    eyes = np.array([[[0.9, 0.1], [0.4, 0.6]], [[0.8, 0.2], [0.8, 0.2]]])
    found = leakage(
        {"hair": {"hair": hair, "eyes": eyes}},
        {"hair": np.array([0, 1])},
        {"hair": ("pink", "blue")},
        {"hair": ("pink", "blue"), "eyes": ("red", "green")},
    )
    assert found.drift["hair"] == {"hair": 1.0, "eyes": pytest.approx((0.5 + 0) / 2)}
    assert found.verdicts["hair"] == {"hair": 1.0, "eyes": 0.5}
    # To blue only the first character was changed, to pink only the second.
    assert found.by_choice["hair"]["blue"]["eyes"] == pytest.approx(0.5)
    assert found.by_choice["hair"]["pink"]["eyes"] == 0
    assert found.pull["hair"]["blue"]["eyes"]["green"] == pytest.approx(0.4 - (0.15 + 0.4) / 2)
    strongest = found.strongest_pulls(1)[0]
    assert strongest[:4] in {("hair", "blue", "eyes", "green"), ("hair", "pink", "eyes", "red")}


def test_a_setting_that_every_character_had_before_has_no_drift():
    probabilities = {"hair": {"hair": np.array([[[1.0, 0], [0, 1]]])}}
    found = leakage(
        probabilities, {"hair": np.array([0])}, {"hair": ("a", "b")}, {"hair": ("a", "b")}
    )
    assert np.isnan(found.by_choice["hair"]["a"]["hair"])
    assert found.by_choice["hair"]["b"]["hair"] == 1


@given(st.lists(st.floats(0.01, 1), min_size=4, max_size=4))
def test_total_variation_is_a_distance_of_distributions(weights):
    p, q = np.array(weights), np.array(weights[::-1])
    p, q = p / p.sum(), q / q.sum()
    assert total_variation(p, p) == 0
    assert total_variation(p, q) == pytest.approx(np.clip(p - q, 0, None).sum())
    assert 0 <= total_variation(p, q) <= 1


def drawing(colour, moved=0):
    """A face of one colour on white."""
    picture = np.full((32, 32, 3), 255, np.uint8)
    picture[8 + moved : 24 + moved, 8:24] = colour
    picture[12 + moved : 14 + moved, 11:13] = 0
    return picture


def test_another_colour_moves_no_edges():
    one, other = edge_map(drawing((200, 40, 40))), edge_map(drawing((90, 140, 220)))
    assert one.any()
    assert edge_drift(one, other) < 0.02
    assert edge_drift(one, edge_map(drawing((200, 40, 40), moved=1))) < 0.1
    assert edge_drift(one, edge_map(drawing((200, 40, 40), moved=6))) > 0.3


def test_plain_pictures_have_no_edges():
    plain = edge_map(np.full((32, 32, 3), 90, np.uint8))
    assert not plain.any()
    assert edge_drift(plain, plain) == 0
    assert edge_drift(plain, edge_map(drawing((200, 40, 40)))) == 1


def test_identity_drift_leaves_out_what_was_not_changed():
    distances = {"hair": np.array([[np.nan, 0.2], [0.4, np.nan]])}
    found = identity_drift(distances, {"hair": ("a", "b")}, np.array([0.9, 0.7]))
    assert found.by_attribute["hair"] == pytest.approx(0.3)
    assert found.by_choice["hair"] == {"a": 0.4, "b": 0.2}
    assert found.other_characters == pytest.approx(0.8)


def test_path_length_is_the_squared_distance_per_squared_step():
    found = path_length("w", np.full(50, 3.0))
    assert found.value == pytest.approx(3 / STEP**2)
    assert found.paths == 50
    # The extremes of a hundredth on each side are left out.
    skewed = np.ones(1000)
    skewed[:5], skewed[-5:] = 0, 1e6
    assert path_length("w", skewed).value == pytest.approx(1 / STEP**2)
