"""Judges: networks that say whether a picture shows the attributes it was asked for."""

from collections.abc import Mapping
from typing import Protocol

from PIL import Image

from avatargan.attributes import Taxonomy
from avatargan.errors import OptionError
from avatargan.pictures import rgb_pixels
from avatargan.tagging import Tagger, load_judge


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


class TaggerJudge:
    """Judges with a tagger, which has never seen the generator's pictures.

    Args:
        tagger: reads the attributes.
        attributes: the taxonomy of the weights that draw. Judged are those of its attributes
            that the tagger has with all their choices.

    Raises:
        OptionError: there are none of those.
    """

    def __init__(self, tagger: Tagger, attributes: Taxonomy) -> None:
        self.sha256 = tagger.sha256
        self._tagger = tagger
        self._names = [
            name
            for name in attributes
            if name in tagger.attributes
            and set(attributes.offered(name)) <= set(tagger.attributes.offered(name))
        ]
        if not self._names:
            raise OptionError(
                "the tagger that judges was trained for other attributes than these weights "
                "have; leave the minimum confidence out"
            )

    @classmethod
    def load(cls, attributes: Taxonomy) -> "TaggerJudge":
        """Load the shipped judge.

        Raises:
            WeightsError: its file is missing or damaged.
            OptionError: it was trained for other attributes.
        """
        return cls(load_judge(), attributes)

    def confidence(self, image: Image.Image, attributes: Mapping[str, str]) -> dict[str, float]:
        """See :meth:`AttributeJudge.confidence`."""
        probabilities = self._tagger.probabilities(rgb_pixels(image)[None])
        sure = {}
        for name in self._names:
            choice = self._tagger.attributes.offered(name).index(attributes[name])
            sure[name] = float(probabilities[name][0, choice])
        return sure


def least_confidence(judge: AttributeJudge, image: Image.Image, wanted: Mapping[str, str]) -> float:
    """Return how sure a judge is of the attribute that it is least sure of; 1 if it knows none."""
    return min(judge.confidence(image, wanted).values(), default=1.0)
