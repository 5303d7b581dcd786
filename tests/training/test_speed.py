"""How long a run will take is said before it starts."""

import dataclasses

import pytest

from avatargan.attributes import Taxonomy
from avatargan.training.settings import TrainingSettings
from avatargan.training.speed import duration_lines, measured_speed
from tests.training.tiny import TINY


def test_the_speed_of_this_machine_is_measured_on_the_shapes_of_the_run():
    settings = TrainingSettings.from_values(TINY)
    attributes = Taxonomy({"hair": ["red", "blue", "unknown"]})
    assert 0.1 < measured_speed(settings, attributes) < 1e6


@pytest.mark.parametrize(
    ("images", "seen", "expected"),
    [
        (1200, 0, "about 2 minutes at the 10 images a second"),
        (1200, 1000, "about 20 seconds"),
        (36_000, 0, "about 1.0 hours"),
        (36_000 * 72, 0, "about 3.0 days"),
    ],
)
def test_the_duration_follows_from_the_speed(images, seen, expected):
    settings = dataclasses.replace(TrainingSettings.from_values(TINY), images=images)
    assert duration_lines(settings, 10.0, seen)[0].startswith(expected)


def test_of_a_long_run_it_is_said_what_would_shorten_it():
    settings = TrainingSettings.from_values({"images": 5_000_000, "batch": 64})
    _, ways = duration_lines(settings, 10.0)
    assert "--images 288000 (8.0 hours)" in ways
    assert "--network dcgan64" in ways
    assert "graphics card" in ways
