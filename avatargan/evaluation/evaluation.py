"""What is to be measured, checked before anything is drawn."""

import os
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from avatargan.dataset import TEST, TRAIN, Dataset
from avatargan.errors import DatasetError, OptionError, did_you_mean
from avatargan.evaluation.features import (
    AttributeJudge,
    FeatureExtractor,
    InceptionFeatures,
    PixelFeatures,
    TaggerFeatures,
)
from avatargan.evaluation.lpips import LpipsDistance
from avatargan.evaluation.metrics import (
    ACCURACY,
    COMPARISONS,
    IDENTITY,
    LEAKAGE,
    LEAST_REAL,
    MEMORISATION,
    METRICS,
    PRECISION_RECALL,
    check_metrics,
    counts_for,
)
from avatargan.evaluation.options import ALL, SPLITS, EvaluationOptions
from avatargan.evaluation.results import Subject
from avatargan.evaluation.samples import plan_samples, unknown_tags
from avatargan.evaluation.threads import ThreadedJudge
from avatargan.pipeline import AvatarPipeline

#: Pictures whose size is looked at to learn how large those of a dataset are.
_MEASURED_PICTURES = 32
#: Keeps the choice of real pictures apart from other randomness.
_REAL = 3


class View(NamedTuple):
    """A way to look at the samples.

    Attributes:
        features: the name of the features.
        mirrored: whether pictures are turned left to right first.
    """

    features: str
    mirrored: bool = False


class Evaluation:
    """A generator, real pictures, and all that is to be measured.

    Args:
        pipeline: what draws.
        weights: what the results call the generator.
        dataset: the real pictures, with tags.
        judge: the tagger.
        options: what to evaluate.
        inception: FID's Inception network, where the user has it.
        lpips: LPIPS, where the user has it.

    Raises:
        OptionError: an option is out of range, or a metric cannot be had.
        DatasetError: the dataset has too few pictures, or no tags.
    """

    def __init__(
        self,
        pipeline: AvatarPipeline,
        weights: str | os.PathLike[str],
        dataset: Dataset,
        judge: AttributeJudge,
        options: EvaluationOptions,
        *,
        inception: InceptionFeatures | None = None,
        lpips: LpipsDistance | None = None,
    ) -> None:
        self.counts = counts_for(options.samples)
        self.metrics = check_metrics(METRICS if options.metrics is None else options.metrics)
        if options.split not in SPLITS:
            raise OptionError(
                f"there is no split '{options.split}'{did_you_mean(options.split, SPLITS)} "
                f"(splits: {', '.join(SPLITS)})"
            )
        self.pipeline = pipeline
        self.judge = ThreadedJudge(judge)
        self.lpips = lpips
        self.options = options
        self.notes: list[str] = []
        self.judged = self._judged_attributes()
        self.splits = {TEST: dataset.split(TEST), TRAIN: dataset.split(TRAIN), ALL: dataset}
        reference = self.splits[options.split]
        self._leave_out_what_cannot_be(reference)
        self.circular = self.judge.sha256 in dataset.taggers
        if self.circular and ACCURACY in self.metrics:
            self.notes.append(
                "The judge made the tags of these pictures itself: it would agree with them by "
                "construction, so its accuracy on real pictures is left out, and that on samples "
                "tells how well the generator follows this judge. Another --tagger, or tags by "
                "people, would tell more."
            )
        if PRECISION_RECALL in self.metrics and inception is None:
            self.notes.append(
                "Precision and recall in the tagger's features see what its attributes are told "
                "by, colours above all, and hardly shapes: blurred faces of the right colours "
                "score well. --inception gives features that see shapes."
            )
        self.plan = plan_samples(
            pipeline,
            reference if len(reference) else dataset,
            count=self.counts.samples,
            seed=options.seed,
            psi=options.psi,
            fixed=options.fixed,
        )
        for name, tags in unknown_tags(pipeline, dataset).items():
            self.notes.append(
                f"Tags of {name} that the generator does not know were not asked for: "
                f"{', '.join(tags)}."
            )
        self.real = self._some(reference, self.counts.samples)
        self.training = self._some(self.splits[TRAIN], len(self.real))
        self.resolution = self._comparison_resolution(reference if len(reference) else dataset)
        self.extractors: list[FeatureExtractor] = [TaggerFeatures(self.judge)]
        if inception is not None:
            self.extractors.append(inception)
        # Inception on every training picture would take an hour where no graphics card is.
        self.pixels = PixelFeatures()
        self.copy_finders: list[FeatureExtractor] = [self.pixels, TaggerFeatures(self.judge)]
        self.subject = Subject(
            weights=os.fspath(weights),
            weights_sha256=pipeline.weights_sha256,
            attributes=pipeline.attributes,
            generator_resolution=pipeline.generator.resolution,
            dataset=str(dataset.path),
            dataset_sha256=dataset.sha256,
            split=options.split,
            resolution=self.resolution,
            samples=self.counts.samples,
            seed=options.seed,
            psi=options.psi,
            fixed=dict(options.fixed),
        )

    def any_of(self, metrics: Iterable[str]) -> bool:
        """Tell whether one of some metrics is to be measured."""
        return any(name in self.metrics for name in metrics)

    def _judged_attributes(self) -> dict[str, tuple[str, ...]]:
        """Return the judge's choices of each attribute of the generator that it knows."""
        own, known = self.pipeline.attributes, self.judge.attributes
        judged = {}
        for name in own:
            choices = known.offered(name) if name in known else ()
            strange = [choice for choice in own.offered(name) if choice not in choices]
            if len(strange) == len(own.offered(name)):
                self.notes.append(f"The judge does not know {name}: it is not judged.")
                continue
            if strange:
                self.notes.append(
                    f"The judge does not know these choices of {name}, which are not judged: "
                    f"{', '.join(strange)}."
                )
            judged[name] = choices
        return judged

    def _leave_out_what_cannot_be(self, reference: Dataset) -> None:
        """Drop metrics that cannot be had.

        Raises:
            OptionError: one of them was asked for by name.
            DatasetError: one that needs more pictures was.
        """
        reasons = {}
        compared = [name for name in COMPARISONS if name in self.metrics]
        if compared and len(reference) < LEAST_REAL:
            everything = self.splits[ALL]
            part = "" if self.options.split == ALL else f"the {self.options.split} split of "
            enough = bool(part) and len(everything) >= LEAST_REAL
            remedy = "; --split all takes every picture" if enough else ""
            count = f"{part}{everything.path} has {len(reference)} pictures"
            if self.options.metrics is not None:
                raise DatasetError(f"{count}, {compared[0]} needs at least {LEAST_REAL}{remedy}")
            self.metrics = tuple(name for name in self.metrics if name not in compared)
            self.notes.append(
                f"There is no {', '.join(compared)}: {count}, and they need at least "
                f"{LEAST_REAL}{remedy}."
            )
        if not self.judged:
            for name in (ACCURACY, LEAKAGE):
                reasons[name] = "the judge knows none of the attributes of these weights"
        attributes = self.pipeline.attributes
        if not any(len(attributes.offered(name)) > 1 for name in attributes.palette):
            reasons[IDENTITY] = "no attribute of the palette has more than one choice"
        if not any(len(attributes.offered(name)) > 1 for name in attributes):
            reasons[LEAKAGE] = "no attribute has more than one choice"
        for split in (TRAIN, TEST):
            if len(self.splits[split]) < LEAST_REAL:
                reasons[MEMORISATION] = (
                    f"the {split} split has {len(self.splits[split])} pictures, and it takes at "
                    f"least {LEAST_REAL}"
                )
        for name, reason in reasons.items():
            if name not in self.metrics:
                continue
            if self.options.metrics is not None:
                raise OptionError(f"{name} cannot be measured: {reason}")
            self.notes.append(f"There is no {name}: {reason}.")
        self.metrics = tuple(name for name in self.metrics if name not in reasons)

    def _some(self, dataset: Dataset, count: int) -> Dataset:
        """Return at most so many pictures of a dataset, in their order."""
        if len(dataset) <= count:
            return dataset
        entropy = np.random.SeedSequence([self.options.seed, _REAL])
        random = np.random.Generator(np.random.Philox(entropy))
        return dataset.subset(np.sort(random.permutation(len(dataset))[:count]))

    def _comparison_resolution(self, dataset: Dataset) -> int:
        own = self.pipeline.generator.resolution
        if self.options.resolution is not None:
            if not 16 <= self.options.resolution <= own:
                raise OptionError(
                    f"pictures are compared at 16 to {own} px, not {self.options.resolution}"
                )
            return self.options.resolution
        step = max(1, len(dataset) // _MEASURED_PICTURES)
        sides = [min(dataset.picture(i).shape[:2]) for i in range(0, len(dataset), step)]
        return max(16, min(own, int(np.median(sides))))

    def views(self) -> dict[View, FeatureExtractor]:
        """Return what looks at the samples, and how."""
        views: dict[View, FeatureExtractor] = {}
        if self.any_of(COMPARISONS):
            views |= {View(extractor.name): extractor for extractor in self.extractors}
        if MEMORISATION in self.metrics:
            for mirrored in (False, True):
                views |= {View(finder.name, mirrored): finder for finder in self.copy_finders}
        return views
