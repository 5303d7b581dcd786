"""Running an evaluation: drawing, looking, measuring."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatargan.dataset import TEST, TRAIN, Dataset
from avatargan.evaluation.attribute_accuracy import AttributeAccuracy, attribute_accuracy
from avatargan.evaluation.change_meter import ChangeMeter
from avatargan.evaluation.changes import changeable, draw_changes
from avatargan.evaluation.collected import CollectedFeatures
from avatargan.evaluation.evaluation import Evaluation, View
from avatargan.evaluation.features import AttributeJudge, FeatureExtractor, Floats, Pixels
from avatargan.evaluation.frechet import FeatureStatistics, frechet_distance
from avatargan.evaluation.gallery import SHOWN_PAIRS, Gallery, Pair
from avatargan.evaluation.identity import identity_drift
from avatargan.evaluation.leakage import leakage
from avatargan.evaluation.memorisation import (
    Copies,
    Neighbours,
    are_copies,
    memorisation,
    nearest_training,
)
from avatargan.evaluation.metrics import (
    ACCURACY,
    CHANGES,
    COMPARISONS,
    FID,
    IDENTITY,
    KID,
    LEAKAGE,
    LEAST_REAL,
    MEMORISATION,
    PATH_LENGTH,
    PRECISION_RECALL,
)
from avatargan.evaluation.path_length import SPACES, draw_steps, path_length
from avatargan.evaluation.precision_recall import precision_recall
from avatargan.evaluation.progress import Progress, no_progress
from avatargan.evaluation.real_features import real_features, real_pictures
from avatargan.evaluation.results import Accuracy, Comparison, Findings, Measure
from avatargan.evaluation.samples import batches, fitted
from avatargan.evaluation.threads import one_torch_thread
from avatargan.kernel_distance import kernel_distance

#: Samples on the page.
_SHOWN_SAMPLES = 24


def run_evaluation(
    evaluation: Evaluation, progress: Progress = no_progress
) -> tuple[Findings, Gallery]:
    """Draw, look and measure; return what was found, and pictures to look at.

    Raises:
        DatasetError: a picture cannot be read.
        OutputError: the cache of features cannot be written.
    """
    with one_torch_thread():
        return _Run(evaluation, progress).result()


class _Run:
    """One evaluation on its way: each method adds what it measures to findings and gallery."""

    def __init__(self, evaluation: Evaluation, progress: Progress) -> None:
        self.evaluation = evaluation
        self.plan = evaluation.plan
        self.metrics = evaluation.metrics
        self.progress = progress
        self.findings = Findings(
            evaluation.subject,
            Measure("tagger", evaluation.judge.sha256),
            notes=list(evaluation.notes),
        )
        self.gallery = Gallery()
        keep_rows = evaluation.any_of((KID, PRECISION_RECALL, MEMORISATION))
        self.collected = {
            view: CollectedFeatures(extractor, mirrored=view.mirrored, keep_rows=keep_rows)
            for view, extractor in evaluation.views().items()
        }

    def result(self) -> tuple[Findings, Gallery]:
        if self.collected or ACCURACY in self.metrics:
            self._look_at_samples()
        if self.evaluation.any_of(COMPARISONS):
            for extractor in self.evaluation.extractors:
                self._compare(extractor)
        if self.evaluation.any_of(CHANGES):
            self._look_at_changes()
        if PATH_LENGTH in self.metrics:
            for space in SPACES:
                self._measure_paths(space)
        if MEMORISATION in self.metrics:
            self._find_copies()
        return self.findings, self.gallery

    def _look_at_samples(self) -> None:
        judged: dict[str, list[Floats]] = {name: [] for name in self.evaluation.judged}
        recipes = (self.plan.recipe(index) for index in range(len(self.plan)))
        drawn = self.progress(self.plan.pictures(recipes), len(self.plan), unit="sample")
        for batch in batches(drawn):
            if self.collected:
                pictures = fitted(batch, self.evaluation.resolution)
                for collected in self.collected.values():
                    collected.take(pictures)
            if ACCURACY in self.metrics:
                _judge(self.evaluation.judge, np.stack(batch), judged)
            for picture in batch[: _SHOWN_SAMPLES - len(self.gallery.samples)]:
                caption = self._caption(len(self.gallery.samples))
                self.gallery.samples.append((picture, caption))
        if ACCURACY in self.metrics:
            on_real = self._judge_real_pictures()
            for name, seen in self.evaluation.judged.items():
                self.findings.accuracy[name] = Accuracy(
                    attribute_accuracy(
                        self.plan.labels[name],
                        np.concatenate(judged[name]),
                        seen,
                        self.evaluation.pipeline.attributes.offered(name),
                    ),
                    on_real.get(name),
                )

    def _caption(self, index: int) -> str:
        """Return the choices of a sample that are not those of all."""
        varied = [values[index] for values in self.plan.labels.values() if len(set(values)) > 1]
        return " / ".join(varied) or f"seed {self.plan.seeds[index]}"

    def _judge_real_pictures(self) -> dict[str, AttributeAccuracy]:
        """Return how often the judge sees what real pictures are tagged with."""
        real = self.evaluation.real
        judged: dict[str, list[Floats]] = {
            name: [] for name in self.evaluation.judged if name in real.attributes
        }
        if not judged or not len(real) or self.evaluation.circular:
            return {}
        pictures = real_pictures(real, self.evaluation.resolution)
        for batch in batches(self.progress(pictures, len(real), unit="real picture")):
            _judge(self.evaluation.judge, np.stack(batch), judged)
        return {
            name: attribute_accuracy(
                [real.attributes[name][index] for index in real.labels[name]],
                np.concatenate(rows),
                self.evaluation.judged[name],
                real.attributes.offered(name),
            )
            for name, rows in judged.items()
        }

    def _compare(self, extractor: FeatureExtractor) -> None:
        measure = Measure(extractor.name, extractor.sha256)
        real = self._real_features(self.evaluation.real, extractor)
        samples = self.collected[View(extractor.name)]
        statistics = FeatureStatistics.of(real)
        self.findings.comparisons[measure] = self._comparison(
            samples.statistics, samples.rows, statistics, real
        )
        if FID in self.metrics and min(len(real), len(self.plan)) <= real.shape[1]:
            self.findings.notes.append(
                f"With no more pictures than there are {extractor.name} features "
                f"({real.shape[1]}), the Fréchet distance is biased upwards: compare it only "
                "with figures of the same counts."
            )
        # Training pictures against themselves would say nothing.
        if self.evaluation.options.split == TEST and len(self.evaluation.training) >= LEAST_REAL:
            training = self._real_features(self.evaluation.training, extractor)
            self.findings.among_real[measure] = self._comparison(
                FeatureStatistics.of(training), training, statistics, real
            )

    def _comparison(
        self,
        own_statistics: FeatureStatistics,
        own: Floats,
        real_statistics: FeatureStatistics,
        real: Floats,
    ) -> Comparison:
        frechet = kernel = overlap = None
        if FID in self.metrics:
            frechet = frechet_distance(own_statistics, real_statistics)
        if KID in self.metrics:
            kernel = kernel_distance(real, own)
        if PRECISION_RECALL in self.metrics:
            equal = min(len(own), len(real))
            overlap = precision_recall(real[:equal], own[:equal])
        return Comparison(own_statistics.count, len(real), frechet, kernel, overlap)

    def _look_at_changes(self) -> None:
        evaluation = self.evaluation
        attributes = changeable(self.plan)
        palette = evaluation.pipeline.attributes.palette
        meter = ChangeMeter(
            attributes,
            colours=[name for name in attributes if name in palette and IDENTITY in self.metrics],
            judge=evaluation.judge if LEAKAGE in self.metrics else None,
            judged=evaluation.judged,
            lpips=evaluation.lpips,
        )
        characters = evaluation.counts.characters
        for change in draw_changes(self.plan, characters, attributes, self.progress):
            meter.take(change, self.gallery)
        self.findings.characters = characters
        settings = {name: evaluation.pipeline.attributes.offered(name) for name in attributes}
        if LEAKAGE in self.metrics:
            probabilities = {
                changed: {seen: np.stack(rows) for seen, rows in per_attribute.items()}
                for changed, per_attribute in meter.probabilities.items()
            }
            own = {name: np.array(rows) for name, rows in meter.own.items()}
            self.findings.leakage = leakage(probabilities, own, settings, evaluation.judged)
        for measure, distances in meter.distances.items():
            self.findings.identity[measure] = identity_drift(
                {name: np.stack(rows) for name, rows in distances.items()},
                settings,
                np.array(meter.other_characters[measure]),
            )

    def _measure_paths(self, space: str) -> None:
        evaluation = self.evaluation
        squared: dict[Measure, list[NDArray[Any]]] = {}
        paths, seed = evaluation.counts.paths, evaluation.options.seed
        for batch in batches(draw_steps(self.plan, space, paths, seed, self.progress)):
            starts, ends = (np.stack([step[end] for step in batch]) for end in (0, 1))
            for extractor in evaluation.extractors:
                before, after = (
                    extractor.features(fitted(pictures, evaluation.resolution)).astype(np.float64)
                    for pictures in (starts, ends)
                )
                measure = Measure(extractor.name, extractor.sha256)
                squared.setdefault(measure, []).append(np.square(before - after).sum(1))
            if evaluation.lpips is not None:
                # LPIPS is a squared distance already, and the paper takes it as such.
                measure = Measure(evaluation.lpips.name, evaluation.lpips.sha256)
                squared.setdefault(measure, []).append(evaluation.lpips.distances(starts, ends))
        for measure, found in squared.items():
            length = path_length(space, np.concatenate(found))
            self.findings.path_lengths.setdefault(measure, {})[space] = length

    def _find_copies(self) -> None:
        training, unseen = self.evaluation.splits[TRAIN], self.evaluation.splits[TEST]
        found = {finder: self._nearest_training(finder) for finder in self.evaluation.copy_finders}
        copied_samples, copied_unseen = (
            are_copies(each.distances) for each in found[self.evaluation.pixels]
        )
        self.findings.copies = Copies(int(copied_samples.sum()), int(copied_unseen.sum()))
        known = copied_unseen
        if copied_unseen.any():
            self.findings.notes.append(
                f"{copied_unseen.sum():,} of the {len(unseen):,} test pictures are copies of "
                "training pictures, as they are or mirrored: what compares with the test split "
                "flatters a generator that saw the others, and they do not count as unseen."
            )
        if (~copied_unseen).sum() < LEAST_REAL:
            self.findings.notes.append(
                "Too few test pictures are no copies: memorisation is measured beside all of them."
            )
            known = np.zeros_like(copied_unseen)
        for finder, (of_samples, of_unseen) in found.items():
            distances = of_unseen.distances[~known]
            self.findings.memorisation[Measure(finder.name, finder.sha256)] = memorisation(
                of_samples.distances, distances, len(training)
            )
            self.gallery.distances[finder.name] = (of_samples.distances, distances)
            self.gallery.neighbours[finder.name] = self._nearest_pairs(of_samples, training)

    def _nearest_training(self, finder: FeatureExtractor) -> tuple[Neighbours, Neighbours]:
        """Return the nearest training picture of each sample, and of each test picture."""
        known = self._real_features(self.evaluation.splits[TRAIN], finder)
        both = (False, True)
        samples = [self.collected[View(finder.name, mirrored)].rows for mirrored in both]
        unseen = [
            self._real_features(self.evaluation.splits[TEST], finder, mirrored=mirrored)
            for mirrored in both
        ]
        return nearest_training(samples, known), nearest_training(unseen, known)

    def _nearest_pairs(self, found: Neighbours, training: Dataset) -> list[Pair]:
        """Return the samples that are nearest to a training picture, each with that picture."""
        closest = np.argsort(found.distances, kind="stable")[:SHOWN_PAIRS].tolist()
        drawn = self.plan.pictures(self.plan.recipe(index) for index in closest)
        return [
            Pair(
                sample,
                training.picture(int(found.indices[index])),
                (f"seed {self.plan.seeds[index]}", f"distance {found.distances[index]:.3g}"),
            )
            for index, sample in zip(closest, drawn, strict=True)
        ]

    def _real_features(
        self, dataset: Dataset, extractor: FeatureExtractor, *, mirrored: bool = False
    ) -> Floats:
        return real_features(
            dataset,
            extractor,
            self.evaluation.resolution,
            self.progress,
            mirrored=mirrored,
            cache_folder=self.evaluation.options.cache_folder,
        )


def _judge(judge: AttributeJudge, pictures: Pixels, rows: dict[str, list[Floats]]) -> None:
    """Add the judge's probabilities of each attribute to its rows."""
    found = judge.probabilities(pictures)
    for name, own in rows.items():
        own.append(found[name])
