"""The judge behind ``--min-confidence``."""

import pytest

from avatargan.attributes import Taxonomy
from avatargan.errors import OptionError
from avatargan.export import create_plan
from avatargan.export.judge import TaggerJudge, least_confidence
from avatargan.tagging import load_judge


@pytest.fixture(scope="module")
def judge(pipe) -> TaggerJudge:
    return TaggerJudge.load(pipe.attributes)


def test_it_is_surer_of_the_colour_that_was_drawn(pipe, judge):
    (avatar,) = pipe.generate([3], size=128, hair="pink", eyes="blue")
    drawn = judge.confidence(avatar.image, avatar.recipe.attributes)
    other = judge.confidence(avatar.image, avatar.recipe.attributes | {"hair": "green"})
    assert drawn.keys() == {"hair", "eyes"}
    assert drawn["hair"] > 0.9 > 0.1 > other["hair"]
    assert other["eyes"] == drawn["eyes"]
    assert least_confidence(judge, avatar.image, avatar.recipe.attributes) == min(drawn.values())


def test_larger_pictures_are_judged_alike(pipe, judge):
    (small,) = pipe.generate([3], size=128, hair="pink", eyes="blue")
    (large,) = pipe.generate([3], size=256, hair="pink", eyes="blue")
    one, other = (judge.confidence(a.image, a.recipe.attributes) for a in (small, large))
    assert one["hair"] == pytest.approx(other["hair"], abs=0.1)


def test_weights_with_other_attributes_have_no_judge(small):
    with pytest.raises(OptionError, match="trained for other attributes"):
        TaggerJudge.load(small.attributes)


def test_only_attributes_whose_choices_the_tagger_knows_are_judged(pipe):
    (avatar,) = pipe.generate([3], size=128, hair="pink", eyes="blue")
    drawn = {"hair": "pink", "eyes": "blue", "ears": "cat"}
    attributes = Taxonomy(
        {"ears": ("cat", "fox"), "hair": ("pink", "blue"), "eyes": ("blue", "tartan", "unknown")}
    )
    confidence = TaggerJudge(load_judge(), attributes).confidence(avatar.image, drawn)
    assert confidence.keys() == {"hair"}
    assert confidence["hair"] > 0.9


def test_a_judge_is_known_by_the_weights_it_judges_with(pipe, judge):
    assert judge.sha256 == load_judge().sha256
    assert create_plan(pipe, min_confidence=0.5).judge_sha256 == judge.sha256
