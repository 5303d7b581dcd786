"""What an evaluation found, and the JSON that says so: no figure without what it was made from."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from avatargan.attributes import Taxonomy
from avatargan.evaluation.attribute_accuracy import AttributeAccuracy, Share
from avatargan.evaluation.identity import IdentityDrift
from avatargan.evaluation.leakage import Leakage
from avatargan.evaluation.memorisation import COPY_CORRELATION, Copies, Memorisation
from avatargan.evaluation.path_length import STEP, PathLength
from avatargan.evaluation.precision_recall import NEIGHBOURS, PrecisionRecall
from avatargan.kernel_distance import KernelDistance
from avatargan.version import __version__

FORMAT = "avatargan evaluation"
FORMAT_VERSION = 1
#: Distances between pictures that are not those of features.
EDGES = "edges"
LPIPS = "lpips"


@dataclass(frozen=True)
class Measure:
    """What pictures were compared or judged by.

    Attributes:
        name: of the features, the judge or the distance.
        sha256: of the file of its network; None where there is none.
    """

    name: str
    sha256: str | None


@dataclass(frozen=True)
class Comparison:
    """How far one set of pictures is from the real ones, in one kind of features.

    Attributes:
        pictures: how many are compared.
        real: with how many real ones.
        frechet: the Fréchet distance, where it was asked for; so are the next two.
        kernel: the kernel distance.
        overlap: precision and recall.
    """

    pictures: int
    real: int
    frechet: float | None = None
    kernel: KernelDistance | None = None
    overlap: PrecisionRecall | None = None


@dataclass(frozen=True)
class Accuracy:
    """Attribute accuracy on samples, and of the judge itself on tagged real pictures."""

    samples: AttributeAccuracy
    real: AttributeAccuracy | None


@dataclass(frozen=True)
class Subject:
    """What was evaluated, against what, and how.

    Attributes:
        weights: the file of the generator.
        weights_sha256: identifies it.
        attributes: its taxonomy.
        generator_resolution: side of its pictures.
        dataset: what the samples were compared with.
        dataset_sha256: identifies it.
        split: which part of it.
        resolution: side at which samples and real pictures were compared.
        samples: how many samples were drawn.
        seed: of everything random.
        psi: truncation.
        fixed: choices that all samples have.
    """

    weights: str
    weights_sha256: str
    attributes: Taxonomy
    generator_resolution: int
    dataset: str
    dataset_sha256: str
    split: str
    resolution: int
    samples: int
    seed: int
    psi: float
    fixed: Mapping[str, str]


@dataclass
class Findings:
    """What an evaluation found; what was not asked for is empty.

    Attributes:
        subject: what was evaluated and how.
        judge: what judged attributes.
        comparisons: samples against real pictures, by features.
        among_real: training pictures against the same real pictures, by features: what a perfect
            generator would get with as many pictures.
        accuracy: by attribute.
        leakage: what else changes with an attribute.
        identity: what moves when a colour is changed, by kind of distance.
        path_lengths: by what distances are measured in, then by space.
        copies: copies of training pictures.
        memorisation: by features.
        characters: how many were drawn again with attributes changed.
        notes: what was left out, and why.
    """

    subject: Subject
    judge: Measure
    comparisons: dict[Measure, Comparison] = field(default_factory=dict)
    among_real: dict[Measure, Comparison] = field(default_factory=dict)
    accuracy: dict[str, Accuracy] = field(default_factory=dict)
    leakage: Leakage | None = None
    identity: dict[Measure, IdentityDrift] = field(default_factory=dict)
    path_lengths: dict[Measure, dict[str, PathLength]] = field(default_factory=dict)
    copies: Copies | None = None
    memorisation: dict[Measure, Memorisation] = field(default_factory=dict)
    characters: int = 0
    notes: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return everything as JSON; each figure has its measure, its counts and its seed."""
        subject = asdict(self.subject)
        subject["attributes"] = {name: list(own) for name, own in self.subject.attributes.items()}
        document: dict[str, Any] = _finite(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "version": __version__,
                **subject,
                "metrics": {name: found for name, found in self._metrics() if found},
                "notes": self.notes,
            }
        )
        return document

    def _metrics(self) -> list[tuple[str, Any]]:
        return [
            ("fid", self._compared(_frechet)),
            ("kid", self._compared(_kernel)),
            ("precision_recall", self._compared(_overlap)),
            ("accuracy", self._accuracy()),
            ("leakage", self._leakage()),
            (
                "identity",
                [
                    {"distance": asdict(measure), "seed": self.subject.seed, **asdict(drift)}
                    for measure, drift in self.identity.items()
                ],
            ),
            (
                "path_length",
                [
                    {
                        "features": asdict(measure),
                        "seed": self.subject.seed,
                        "step": STEP,
                        **asdict(length),
                    }
                    for measure, lengths in self.path_lengths.items()
                    for length in lengths.values()
                ],
            ),
            ("memorisation", self._memorisation()),
        ]

    def _compared(self, figures: Any) -> list[dict[str, Any]]:
        rows = []
        for measure, comparison in self.comparisons.items():
            own = figures(comparison)
            if own is None:
                continue
            row = {
                "features": asdict(measure),
                **own,
                "samples": comparison.pictures,
                "real": comparison.real,
                "seed": self.subject.seed,
            }
            among_real = self.among_real.get(measure)
            if among_real is not None:
                row["training_pictures_instead"] = {
                    **figures(among_real),
                    "pictures": among_real.pictures,
                }
            rows.append(row)
        return rows

    def _accuracy(self) -> dict[str, Any]:
        if not self.accuracy:
            return {}
        return {
            "judge": asdict(self.judge),
            "seed": self.subject.seed,
            "attributes": {
                name: {
                    "samples": _shares(accuracy.samples),
                    "real_pictures": _shares(accuracy.real) if accuracy.real else None,
                }
                for name, accuracy in self.accuracy.items()
            },
        }

    def _leakage(self) -> dict[str, Any]:
        if self.leakage is None:
            return {}
        return {
            "judge": asdict(self.judge),
            "characters": self.characters,
            "seed": self.subject.seed,
            **asdict(self.leakage),
        }

    def _memorisation(self) -> dict[str, Any]:
        if self.copies is None:
            return {}
        return {
            "copies": {**asdict(self.copies), "correlation_above": COPY_CORRELATION},
            "neighbours": [
                {"features": asdict(measure), "seed": self.subject.seed, **asdict(found)}
                for measure, found in self.memorisation.items()
            ],
        }


def _frechet(comparison: Comparison) -> dict[str, Any] | None:
    return None if comparison.frechet is None else {"value": comparison.frechet}


def _kernel(comparison: Comparison) -> dict[str, Any] | None:
    return None if comparison.kernel is None else asdict(comparison.kernel)


def _overlap(comparison: Comparison) -> dict[str, Any] | None:
    if comparison.overlap is None:
        return None
    return {**asdict(comparison.overlap), "neighbours": NEIGHBOURS}


def _shares(accuracy: AttributeAccuracy) -> dict[str, Any]:
    return {
        **_share(accuracy.overall),
        "choices": {choice: _share(share) for choice, share in accuracy.by_choice.items()},
        "seen": list(accuracy.seen),
        "confusion": accuracy.confusion.tolist(),
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "accuracy": share.value,
        "interval_95": list(share.interval),
        "right": share.right,
        "count": share.count,
    }


def _finite(value: Any) -> Any:
    """Return a document in which what there is no number for is null: JSON has no NaN."""
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
