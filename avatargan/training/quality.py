"""How good the average draws during a run, on pictures that are never learnt from.

The kernel distance (arXiv 1801.01401) between held-out pictures and as many drawn with their
labels, in the features of the shipped tagger: they know hair and eyes, where Inception's, which
``avatargan evaluate`` uses, know photographs. And how often the tagger sees what was asked for.
A measure to compare moments of one run by; weights are judged by ``avatargan evaluate``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatargan.attributes import UNKNOWN, Taxonomy
from avatargan.errors import OptionError, WeightsError
from avatargan.kernel_distance import kernel_distance
from avatargan.networks import ConditionalGenerator
from avatargan.tagging import Look, Tagger, load_tagger
from avatargan.training.data import Pair, TrainingData
from avatargan.training.randomness import StepRandom

#: Fewer held-out pictures tell nothing.
LEAST_PICTURES = 8
#: Pictures of each pair that was left out of the training.
OF_A_PAIR = 32
_BATCH = 16
_QUALITY, _PAIRS = 14, 15


class QualityJudge:
    """Measures averages of a run's generator, all on the same pictures and latents.

    Args:
        data: of the run.
        tagger: whose features and eyes are used.
        most: how many held-out pictures to use at most.
        seed: of the run.

    Raises:
        OptionError: too few pictures are held out.
    """

    def __init__(self, data: TrainingData, tagger: Tagger, most: int, seed: int) -> None:
        pictures, labels = data.held_out(most)
        if len(pictures) < LEAST_PICTURES:
            raise OptionError(
                f"only {len(pictures)} pictures are held out; quality needs {LEAST_PICTURES}"
            )
        self.tagger, self.seed = tagger, seed
        self.labels = labels
        self.pairs = data.without
        self.real = tagger.features(pictures.permute(0, 2, 3, 1).contiguous().numpy())

    def measure(self, generator: ConditionalGenerator) -> dict[str, float]:
        """Return ``kid``, and by attribute how often it is drawn ``as_asked``, from 0 to 1.

        Args:
            generator: ready to draw; of the attributes of the run.
        """
        look = self._look(generator, self.labels, _QUALITY)
        entry = {"kid": kernel_distance(self.real, look.features).value}
        for name in generator.attributes.palette:
            right = self._as_asked(look, generator.attributes, name, self.labels[name])
            if len(right):
                entry[f"as_asked_{name}"] = float(right.mean())
        for number, pair in enumerate(self.pairs):
            share = self._pair_as_asked(generator, pair, number)
            if share is not None:
                entry[f"as_asked_{pair}"] = share
        return entry

    def _pair_as_asked(
        self, generator: ConditionalGenerator, pair: Pair, number: int
    ) -> float | None:
        """Return how often both colours of a pair are seen that the run never saw together."""
        attributes = generator.attributes
        rows = torch.arange(OF_A_PAIR) % len(next(iter(self.labels.values())))
        labels = {name: values[rows] for name, values in self.labels.items()}
        for name, choice in pair.choices:
            labels[name] = torch.full((OF_A_PAIR,), attributes.index(name, choice))
        look = self._look(generator, labels, _PAIRS + number)
        right = [self._as_asked(look, attributes, name, labels[name]) for name, _ in pair.choices]
        if any(len(each) != OF_A_PAIR for each in right):
            return None  # colours that the tagger does not know
        return float(np.logical_and.reduce(right).mean())

    def _as_asked(
        self, look: Look, attributes: Taxonomy, name: str, labels: Tensor
    ) -> NDArray[np.bool_]:
        """Return for each picture whose label the tagger knows whether it sees it."""
        if name not in self.tagger.attributes:
            return np.zeros(0, np.bool_)
        known = self.tagger.attributes.offered(name)
        choices = [attributes[name][label] for label in labels.tolist()]
        seen = look.probabilities[name].argmax(1)
        return np.array(
            [
                known[index] == choice
                for index, choice in zip(seen, choices, strict=True)
                if choice != UNKNOWN and choice in known
            ],
            np.bool_,
        )

    @torch.no_grad()
    def _look(
        self, generator: ConditionalGenerator, labels: Mapping[str, Tensor], stream: int
    ) -> Look:
        """Draw with labels, at psi 1, and let the tagger look."""
        device = next(generator.parameters()).device
        count = len(next(iter(labels.values())))
        drawn: list[Tensor] = []
        for start in range(0, count, _BATCH):
            random = StepRandom((self.seed, stream, start), device=device)
            part = {name: rows[start : start + _BATCH].to(device) for name, rows in labels.items()}
            z = random.normal(len(next(iter(part.values()))), generator.z_dim)
            images = generator.draw(z, part).float().clamp(-1, 1)
            drawn.append(((images + 1) * 127.5 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).cpu())
        return self.tagger.look(torch.cat(drawn).contiguous().numpy())


class Judges:
    """Whoever can measure the averages of a run, called when first wanted.

    Args:
        data: of the run.
        most: held-out pictures to use at most; 0: nobody is wanted.
        seed: of the run.
    """

    def __init__(self, data: TrainingData, most: int, seed: int) -> None:
        self.data, self.most, self.seed = data, most, seed
        self._judge: QualityJudge | None = None
        self._failed = min(most, data.held_out_count) < LEAST_PICTURES

    def judge(self) -> QualityJudge | None:
        """Return the judge; None without held-out pictures, or without the shipped tagger."""
        if self._judge is None and not self._failed:
            try:
                self._judge = QualityJudge(self.data, load_tagger(), self.most, self.seed)
            except WeightsError:  # a bare machine that has the code alone
                self._failed = True
        return self._judge


def best_of(entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the measurement with the smallest distance, or None where there is none."""
    return min(entries, key=lambda entry: entry["kid"], default=None)
