import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatargan.morph.easing import EASINGS, hold, linear
from avatargan.morph.schedule import even_times, spline_weights, straight_weights

STOPS = st.integers(1, 9)
WEIGHINGS = st.sampled_from([straight_weights, spline_weights])


def stop_times(stops: int, loop: bool) -> np.ndarray:
    return np.arange(stops) / (stops if loop else max(stops - 1, 1))


@pytest.mark.parametrize("easing", EASINGS.values(), ids=EASINGS)
def test_easings_go_from_0_to_1_and_never_back(easing):
    u = easing(np.linspace(0, 1, 101))
    assert (u[0], u[-1]) == (0, 1)
    assert np.all(np.diff(u) >= 0)


def test_hold_rests_at_both_ends():
    u = hold(np.array([0.0, 0.1, 0.2, 0.5, 0.8, 0.9, 1.0]))
    assert u.tolist() == pytest.approx([0, 0, 0, 0.5, 1, 1, 1])


def test_the_last_frame_of_a_loop_is_one_step_before_the_first():
    assert even_times(4, loop=True).tolist() == [0, 0.25, 0.5, 0.75]


def test_without_a_loop_the_last_frame_is_the_end():
    assert even_times(5, loop=False).tolist() == [0, 0.25, 0.5, 0.75, 1]


@given(WEIGHINGS, STOPS, st.booleans(), st.sampled_from(list(EASINGS)), st.floats(0, 1))
def test_weights_sum_to_1(weigh, stops, loop, easing, time):
    weights = weigh(np.array([time]), stops, loop, EASINGS[easing])
    assert weights.sum() == pytest.approx(1)


@given(STOPS, st.booleans(), st.sampled_from(list(EASINGS)), st.floats(0, 1))
def test_straight_weights_are_of_two_stops_and_never_negative(stops, loop, easing, time):
    weights = straight_weights(np.array([time]), stops, loop, EASINGS[easing])
    assert (weights >= 0).all()
    assert np.count_nonzero(weights) <= 2


@given(WEIGHINGS, STOPS, st.booleans(), st.sampled_from(list(EASINGS)))
def test_every_stop_is_reached_exactly(weigh, stops, loop, easing):
    weights = weigh(stop_times(stops, loop), stops, loop, EASINGS[easing])
    assert np.array_equal(weights, np.eye(stops))


@given(WEIGHINGS, STOPS, st.sampled_from(list(EASINGS)))
def test_a_loop_closes_where_it_began(weigh, stops, easing):
    weights = weigh(np.array([0.0, 1.0]), stops, True, EASINGS[easing])
    assert np.array_equal(weights[0], weights[1])


@given(st.integers(2, 9), st.booleans())
def test_a_spline_passes_its_stops_without_a_jolt(stops, loop):
    step = 1e-6
    inner = stop_times(stops, loop)[0 if loop else 1 : None if loop else -1]
    before, at, after = (
        spline_weights((inner + offset) % 1, stops, loop, linear) for offset in (-step, 0, step)
    )
    assert (at - before) / step == pytest.approx((after - at) / step, abs=1e-3)


def test_a_straight_path_at_linear_speed_has_jolts():
    """The comparison that shows what the test above would catch."""
    step = 1e-6
    before, at, after = straight_weights(np.array([0.5 - step, 0.5, 0.5 + step]), 3, False, linear)
    assert np.abs((at - before) - (after - at)).max() / step > 1
