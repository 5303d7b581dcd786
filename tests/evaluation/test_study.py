"""Studies: figures of a generator's own pictures, the same ones for the same seed."""

import numpy as np
import pytest

from avatargan.attributes import Taxonomy
from avatargan.errors import OptionError
from avatargan.evaluation.study import study
from avatargan.pipeline import AvatarPipeline


class BrightnessJudge:
    """Knows ears only, and calls dark pictures cats."""

    sha256 = "ab" * 32
    attributes = Taxonomy({"ears": ["cat", "fox"]})

    def features(self, pictures):
        return pictures.mean((1, 2)).astype(np.float32)

    def probabilities(self, pictures):
        bright = pictures.mean((1, 2, 3)) / 255
        return {"ears": np.stack([1 - bright, bright], axis=1)}


@pytest.fixture(scope="module")
def tiny(other_weights):
    return AvatarPipeline.load(other_weights, device="cpu")


def test_leakage_is_told_for_each_pair_of_attributes(tiny):
    found = study(tiny, "leakage", BrightnessJudge(), characters=3)
    assert set(found["drift"]) == {"ears", "glasses"}
    assert 0 < found["drift"]["glasses"]["ears"] < 1
    assert found == study(tiny, "leakage", BrightnessJudge(), characters=3)
    assert found != study(tiny, "leakage", BrightnessJudge(), characters=3, seed=1)


def test_identity_is_compared_with_other_characters(tiny):
    found = study(tiny, "identity", BrightnessJudge(), characters=4)
    assert set(found["by_attribute"]) == {"ears", "glasses"}
    assert 0 <= found["by_attribute"]["ears"] <= 1
    assert found["other_characters"] > 0


def test_path_lengths_are_those_of_both_spaces(tiny):
    found = study(tiny, "path", BrightnessJudge(), characters=4)
    assert set(found["length"]) == {"z", "w"}
    assert all(value > 0 for value in found["length"].values())


def test_what_cannot_be_studied_is_refused(tiny):
    with pytest.raises(OptionError, match="did you mean 'leakage'"):
        study(tiny, "leakag", BrightnessJudge())
    with pytest.raises(OptionError, match="from 2 to"):
        study(tiny, "path", BrightnessJudge(), characters=1)
