"""Judges: networks that say whether a picture shows the attributes it was asked for."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from PIL import Image

from avatargan.attributes import Taxonomy
from avatargan.errors import OptionError
from avatargan.networks import ConditionalCritic, load_critic
from avatargan.weights import read_weights
from avatargan.weights_header import CRITIC_ROLE, SHIPPED_CRITIC, shipped_weights


class AttributeJudge(Protocol):
    """Says how sure it is that a picture has given attributes."""

    #: Identifies the judge's weights: decisions are only repeatable with the same ones.
    sha256: str

    def confidence(self, image: Image.Image, attributes: Mapping[str, str]) -> dict[str, float]:
        """Return, for each of the attributes that the judge knows, a probability.

        It depends on the picture alone, not on what was judged before.

        Args:
            image: as it was drawn, RGB.
            attributes: the choice of each attribute.
        """
        ...


class CriticJudge:
    """Judges with the auxiliary classifiers of the critic that the generator was trained against.

    They read palette attributes only, and are a lenient judge: the generator learned to please
    them. It takes pictures one at a time, so that the critic's minibatch statistic (which is 0
    then) cannot carry anything over from one picture to the next.
    """

    def __init__(self, critic: ConditionalCritic, sha256: str) -> None:
        self.critic = critic
        self.sha256 = sha256

    @classmethod
    def load(cls, attributes: Taxonomy) -> "CriticJudge":
        """Load the shipped critic.

        Raises:
            WeightsError: its file is missing or damaged.
            OptionError: it was trained for other attributes.
        """
        path = shipped_weights(SHIPPED_CRITIC)
        critic = load_critic(path)
        if dict(critic.attributes) != dict(attributes):
            raise OptionError(
                "the judge that comes with avatargan was trained for other attributes than these "
                "weights have; leave the minimum confidence out"
            )
        return cls(critic, read_weights(path, CRITIC_ROLE).sha256)

    @torch.inference_mode()
    def confidence(self, image: Image.Image, attributes: Mapping[str, str]) -> dict[str, float]:
        """See :meth:`AttributeJudge.confidence`."""
        side = self.critic.resolution
        if image.size != (side, side):
            image = image.resize((side, side), Image.Resampling.BOX)
        pixels = torch.from_numpy(np.array(image.convert("RGB")))
        unit = pixels.permute(2, 0, 1)[None].float().div(127.5).sub(1)  # [1, 3, side, side]
        taxonomy = self.critic.attributes
        labels = {name: torch.tensor([taxonomy.index(name, attributes[name])]) for name in taxonomy}
        _, classes = self.critic(unit, labels)
        return {
            name: float(scores.softmax(1)[0, taxonomy.offered(name).index(attributes[name])])
            for name, scores in classes.items()
        }


def least_confidence(judge: AttributeJudge, image: Image.Image, wanted: Mapping[str, str]) -> float:
    """Return how sure a judge is of the attribute that it is least sure of; 1 if it knows none."""
    return min(judge.confidence(image, wanted).values(), default=1.0)
