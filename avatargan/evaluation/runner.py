"""An evaluation from beginning to end: what is looked at, by what, and what is found."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatargan.dataset import TEST, TRAIN, Dataset
from avatargan.errors import DatasetError, OptionError, did_you_mean
from avatargan.evaluation.attribute_accuracy import AttributeAccuracy, attribute_accuracy
from avatargan.evaluation.changes import Change, changeable, count_changes, draw_changes
from avatargan.evaluation.features import (
    AttributeJudge,
    FeatureExtractor,
    Floats,
    InceptionFeatures,
    PixelFeatures,
    Pixels,
    TaggerFeatures,
)
from avatargan.evaluation.frechet import FeatureStatistics, frechet_distance
from avatargan.evaluation.gallery import Gallery, Pair
from avatargan.evaluation.identity import edge_drift, edge_map, identity_drift
from avatargan.evaluation.kernel import kernel_distance
from avatargan.evaluation.leakage import leakage, total_variation
from avatargan.evaluation.lpips import LpipsDistance
from avatargan.evaluation.memorisation import memorisation, nearest_training
from avatargan.evaluation.metrics import (
    ACCURACY,
    CHANGES,
    COMPARISONS,
    DEFAULT_SAMPLES,
    FID,
    IDENTITY,
    KID,
    LEAKAGE,
    LEAST_REAL,
    MEMORISATION,
    METRICS,
    PATH_LENGTH,
    PRECISION_RECALL,
    check_metrics,
    counts_for,
)
from avatargan.evaluation.path_length import SPACES, draw_steps, path_length
from avatargan.evaluation.precision_recall import precision_recall
from avatargan.evaluation.progress import Progress, no_progress
from avatargan.evaluation.real_features import real_features, real_pictures
from avatargan.evaluation.results import (
    EDGES,
    Accuracy,
    Comparison,
    Findings,
    Measure,
    Subject,
)
from avatargan.evaluation.samples import (
    batches,
    fitted,
    plan_samples,
    unknown_tags,
)
from avatargan.pipeline import AvatarPipeline

#: The whole dataset, beside its two splits.
ALL = "all"
SPLITS = (TEST, TRAIN, ALL)
#: Pictures whose size is looked at to learn how large those of a dataset are.
_MEASURED_PICTURES = 32
#: Samples on the page, and pairs of a sample and its nearest training picture.
_SHOWN_SAMPLES = 32
_SHOWN_NEIGHBOURS = 16
#: Keeps the choice of real pictures apart from other randomness.
_REAL = 3
_TIMED_PICTURES = 16

Probabilities = Mapping[str, Floats]


@dataclass(frozen=True)
class EvaluationOptions:
    """What to evaluate, and on how much.

    Attributes:
        samples: how many pictures of the generator.
        seed: of everything random.
        psi: truncation; 1, none, is what the field reports.
        split: which real pictures to compare with: test, train or all.
        metrics: by name; all that can be had by default.
        fixed: choices that all samples have.
        resolution: side at which samples and real pictures are compared; by default the smaller
            of the generator's and of the real pictures'.
        cache_folder: where features of real pictures are kept.
    """

    samples: int = DEFAULT_SAMPLES
    seed: int = 0
    psi: float = 1.0
    split: str = TEST
    metrics: tuple[str, ...] | None = None
    fixed: Mapping[str, str] = field(default_factory=dict)
    resolution: int | None = None
    cache_folder: Path | None = None


@dataclass(frozen=True)
class Work:
    """What an evaluation will do.

    Attributes:
        drawn: pictures of the generator.
        looks: pictures, or pairs of them, by what looks at them; those whose features are in the
            cache already included.
        seconds: about how long that takes on this machine.
    """

    drawn: int
    looks: Mapping[str, int]
    seconds: float


class Evaluation:
    """A generator, real pictures, and all that is to be measured.

    Args:
        pipeline: what draws.
        weights: the file of the generator, for the results.
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
        weights: Path,
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
        self.judge = judge
        self.lpips = lpips
        self.options = options
        self.notes: list[str] = []
        self.judged = self._judged_attributes()
        self.splits = {TEST: dataset.split(TEST), TRAIN: dataset.split(TRAIN), ALL: dataset}
        reference = self.splits[options.split]
        self._check_reference(reference)
        self._leave_out_what_cannot_be()
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
        self.extractors: list[FeatureExtractor] = [TaggerFeatures(judge)]
        if inception is not None:
            self.extractors.append(inception)
        # Inception on every training picture would take an hour where no graphics card is.
        self.copy_finders: list[FeatureExtractor] = [PixelFeatures(), TaggerFeatures(judge)]
        self.subject = Subject(
            weights=str(weights),
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

    def work(self) -> Work:
        """Draw and look at a few pictures, and tell what the whole will take."""
        looks = dict(self._looks())
        recipes = [self.plan.recipe(index) for index in range(_TIMED_PICTURES)]
        pictures = np.stack(list(self.plan.pictures(recipes)))  # once for what is made ready
        seconds_to_draw = _seconds(lambda: list(self.plan.pictures(recipes))) / len(recipes)
        small = fitted(pictures, self.resolution)
        calls: dict[str, Callable[[], object]] = {
            extractor.name: lambda extractor=extractor: extractor.features(small)  # type: ignore[misc]
            for extractor in (*self.extractors, *self.copy_finders)
        }
        calls["judge"] = lambda: self.judge.probabilities(pictures)
        if self.lpips is not None:
            lpips = self.lpips
            calls["lpips"] = lambda: lpips.distances(pictures, pictures)
        drawn = self._drawn()
        seconds = drawn * seconds_to_draw
        for name, count in looks.items():
            seconds += count * _seconds(calls[name]) / len(pictures)
        return Work(drawn, looks, seconds)

    def run(self, progress: Progress = no_progress) -> tuple[Findings, Gallery]:
        """Draw, look and measure; return what was found, and pictures to look at.

        Raises:
            DatasetError: a picture cannot be read.
            OutputError: the cache of features cannot be written.
        """
        findings = Findings(self.subject, Measure("tagger", self.judge.sha256))
        findings.notes = list(self.notes)
        gallery = Gallery()
        views, wanted, probabilities = self._look_at_samples(gallery, progress)
        if self._any(COMPARISONS):
            self._compare(views, findings, progress)
        if ACCURACY in self.metrics:
            self._judge_accuracy(wanted, probabilities, findings, progress)
        if self._any(CHANGES):
            self._look_at_changes(findings, gallery, progress)
        if PATH_LENGTH in self.metrics:
            self._measure_paths(findings, progress)
        if MEMORISATION in self.metrics:
            self._find_copies(views, findings, gallery, progress)
        return findings, gallery

    # What there is to do.

    def _any(self, metrics: Iterable[str]) -> bool:
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

    def _check_reference(self, reference: Dataset) -> None:
        needed = [name for name in (*COMPARISONS,) if name in self.metrics]
        if needed and len(reference) < LEAST_REAL:
            everything = self.splits[ALL]
            part = "" if self.options.split == ALL else f"the {self.options.split} split of "
            remedy = "; --split all takes every picture" if part else ""
            raise DatasetError(
                f"{part}{everything.path} has {len(reference)} pictures, {needed[0]} needs at "
                f"least {LEAST_REAL}{remedy}"
            )

    def _leave_out_what_cannot_be(self) -> None:
        """Drop metrics that cannot be had.

        Raises:
            OptionError: one of them was asked for by name.
        """
        reasons = {}
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

    def _views(self) -> dict[tuple[str, bool], FeatureExtractor]:
        """Return what looks at the samples, by name and whether they are mirrored first."""
        views: dict[tuple[str, bool], FeatureExtractor] = {}
        if self._any(COMPARISONS):
            views |= {(extractor.name, False): extractor for extractor in self.extractors}
        if MEMORISATION in self.metrics:
            for mirrored in (False, True):
                views |= {(finder.name, mirrored): finder for finder in self.copy_finders}
        return views

    def _drawn(self) -> int:
        drawn = 0
        if self._views() or ACCURACY in self.metrics:
            drawn += self.counts.samples
        if self._any(CHANGES):
            drawn += self.counts.characters * count_changes(self.plan, changeable(self.plan))
        if PATH_LENGTH in self.metrics:
            drawn += self.counts.paths * len(SPACES) * 2
        return drawn

    def _looks(self) -> dict[str, int]:
        looks: dict[str, int] = {}

        def add(name: str, count: int) -> None:
            looks[name] = looks.get(name, 0) + count

        for name, _ in self._views():
            add(name, self.counts.samples)
        changes = self.counts.characters * count_changes(self.plan, changeable(self.plan))
        steps = self.counts.paths * len(SPACES)
        for extractor in self.extractors:
            if self._any(COMPARISONS):
                add(extractor.name, len(self.real) + len(self.training))
            if PATH_LENGTH in self.metrics:
                add(extractor.name, 2 * steps)
        if MEMORISATION in self.metrics:
            for finder in self.copy_finders:
                add(finder.name, len(self.splits[TRAIN]) + 2 * len(self.splits[TEST]))
        if ACCURACY in self.metrics:
            add("judge", self.counts.samples + len(self.real))
        if LEAKAGE in self.metrics:
            add("judge", changes)
        if self.lpips is not None:
            if IDENTITY in self.metrics:
                add("lpips", changes)
            if PATH_LENGTH in self.metrics:
                add("lpips", steps)
        return looks

    # Doing it.

    def _look_at_samples(
        self, gallery: Gallery, progress: Progress
    ) -> tuple[dict[tuple[str, bool], "_Seen"], dict[str, list[str]], dict[str, Floats]]:
        """Return features of the samples, what was asked of each, and what the judge saw."""
        views = self._views()
        keep = self._any((KID, PRECISION_RECALL, MEMORISATION))
        seen = {view: _Seen(extractor, view[1], keep) for view, extractor in views.items()}
        judged: dict[str, list[Floats]] = {name: [] for name in self.judged}
        if not seen and ACCURACY not in self.metrics:
            return {}, {}, {}
        recipes = (self.plan.recipe(index) for index in range(len(self.plan)))
        drawn = progress(self.plan.pictures(recipes), len(self.plan), unit="sample")
        for batch in batches(drawn):
            small = fitted(batch, self.resolution) if seen else np.zeros((0, 1, 1, 3), np.uint8)
            for view in seen.values():
                view.take(small)
            if ACCURACY in self.metrics:
                found = self.judge.probabilities(np.stack(batch))
                for name, rows in judged.items():
                    rows.append(found[name])
            for picture in batch[: _SHOWN_SAMPLES - len(gallery.samples)]:
                caption = " ".join(self.plan.choices(len(gallery.samples)).values())
                gallery.samples.append((picture, caption))
        wanted = {name: list(self.plan.labels[name]) for name in self.judged}
        return seen, wanted, {name: np.concatenate(rows) for name, rows in judged.items() if rows}

    def _real_features(
        self,
        dataset: Dataset,
        extractor: FeatureExtractor,
        progress: Progress,
        *,
        mirrored: bool = False,
    ) -> Floats:
        return real_features(
            dataset,
            extractor,
            self.resolution,
            progress,
            mirrored=mirrored,
            cache_folder=self.options.cache_folder,
        )

    def _compare(
        self, views: dict[tuple[str, bool], "_Seen"], findings: Findings, progress: Progress
    ) -> None:
        for extractor in self.extractors:
            measure = Measure(extractor.name, extractor.sha256)
            real = self._real_features(self.real, extractor, progress)
            statistics = FeatureStatistics.of(real)
            seen = views[extractor.name, False]
            findings.comparisons[measure] = self._comparison(
                seen.statistics, seen.rows, statistics, real
            )
            if FID in self.metrics and min(len(real), len(self.plan)) <= real.shape[1]:
                findings.notes.append(
                    f"With no more pictures than there are {extractor.name} features "
                    f"({real.shape[1]}), the Fréchet distance is biased upwards: compare it only "
                    "with figures of the same counts."
                )
            # Training pictures against themselves would say nothing.
            if self.options.split == TEST and len(self.training) >= LEAST_REAL:
                training = self._real_features(self.training, extractor, progress)
                findings.among_real[measure] = self._comparison(
                    FeatureStatistics.of(training), training, statistics, real
                )

    def _comparison(
        self,
        own_statistics: FeatureStatistics,
        own: Floats,
        real_statistics: FeatureStatistics,
        real: Floats,
    ) -> Comparison:
        overlap = None
        if PRECISION_RECALL in self.metrics:
            equal = min(len(own), len(real))
            overlap = precision_recall(real[:equal], own[:equal])
        return Comparison(
            pictures=own_statistics.count,
            real=len(real),
            frechet=frechet_distance(own_statistics, real_statistics)
            if FID in self.metrics
            else None,
            kernel=kernel_distance(real, own) if KID in self.metrics else None,
            overlap=overlap,
        )

    def _judge_accuracy(
        self,
        wanted: dict[str, list[str]],
        probabilities: dict[str, Floats],
        findings: Findings,
        progress: Progress,
    ) -> None:
        on_real = self._judge_real(progress)
        for name, seen in self.judged.items():
            findings.accuracy[name] = Accuracy(
                attribute_accuracy(
                    wanted[name], probabilities[name], seen, self.pipeline.attributes.offered(name)
                ),
                on_real.get(name),
            )

    def _judge_real(self, progress: Progress) -> dict[str, AttributeAccuracy]:
        """Return how often the judge sees what real pictures are tagged with."""
        tagged = [name for name in self.judged if name in self.real.attributes]
        if not tagged:
            return {}
        judged: dict[str, list[Floats]] = {name: [] for name in tagged}
        pictures = real_pictures(self.real, self.resolution)
        for batch in batches(progress(pictures, len(self.real), unit="real picture")):
            found = self.judge.probabilities(np.stack(batch))
            for name, rows in judged.items():
                rows.append(found[name])
        result = {}
        for name, rows in judged.items():
            choices = self.real.attributes[name]
            tags = [choices[index] for index in self.real.labels[name]]
            offered = self.real.attributes.offered(name)
            result[name] = attribute_accuracy(
                tags, np.concatenate(rows), self.judged[name], offered
            )
        return result

    def _look_at_changes(self, findings: Findings, gallery: Gallery, progress: Progress) -> None:
        attributes = changeable(self.plan)
        characters = self.counts.characters
        meter = _ChangeMeter(self, attributes)
        for change in draw_changes(self.plan, characters, attributes, progress):
            meter.take(change, gallery)
        findings.characters = characters
        settings = {name: self.pipeline.attributes.offered(name) for name in attributes}
        if LEAKAGE in self.metrics:
            probabilities = {
                changed: {seen: np.stack(rows) for seen, rows in per_attribute.items()}
                for changed, per_attribute in meter.probabilities.items()
            }
            own = {name: np.array(rows) for name, rows in meter.own.items()}
            findings.leakage = leakage(probabilities, own, settings, self.judged)
        if IDENTITY in self.metrics:
            for measure, distances in meter.distances.items():
                findings.identity[measure] = identity_drift(
                    {name: np.stack(rows) for name, rows in distances.items()},
                    settings,
                    np.array(meter.other_characters[measure]),
                )

    def _measure_paths(self, findings: Findings, progress: Progress) -> None:
        for space in SPACES:
            squared: dict[Measure, list[NDArray[np.floating]]] = {}
            steps = draw_steps(self.plan, space, self.counts.paths, self.options.seed, progress)
            for batch in batches(steps):
                one, other = (np.stack([step[end] for step in batch]) for end in (0, 1))
                for extractor in self.extractors:
                    ends = [
                        np.asarray(extractor.features(fitted(each, self.resolution)), np.float64)
                        for each in (one, other)
                    ]
                    measure = Measure(extractor.name, extractor.sha256)
                    distances = np.square(ends[0] - ends[1]).sum(1)
                    squared.setdefault(measure, []).append(distances)
                if self.lpips is not None:
                    # LPIPS is a squared distance already, and the paper takes it as such.
                    measure = Measure(self.lpips.name, self.lpips.sha256)
                    squared.setdefault(measure, []).append(self.lpips.distances(one, other))
            for measure, found in squared.items():
                length = path_length(space, np.concatenate(found))
                findings.path_lengths.setdefault(measure, {})[space] = length

    def _find_copies(
        self,
        views: dict[tuple[str, bool], "_Seen"],
        findings: Findings,
        gallery: Gallery,
        progress: Progress,
    ) -> None:
        training, unseen = self.splits[TRAIN], self.splits[TEST]
        for finder in self.copy_finders:
            known = self._real_features(training, finder, progress)
            of_unseen = nearest_training(
                [
                    self._real_features(unseen, finder, progress, mirrored=mirrored)
                    for mirrored in (False, True)
                ],
                known,
            )
            of_samples = nearest_training(
                [views[finder.name, mirrored].rows for mirrored in (False, True)], known
            )
            findings.memorisation[Measure(finder.name, finder.sha256)] = memorisation(
                of_samples.distances, of_unseen.distances, len(training)
            )
            gallery.distances[finder.name] = (
                of_samples.distances.tolist(),
                of_unseen.distances.tolist(),
            )
            closest = np.argsort(of_samples.distances, kind="stable")[:_SHOWN_NEIGHBOURS].tolist()
            drawn = self.plan.pictures(self.plan.recipe(index) for index in closest)
            gallery.neighbours[finder.name] = [
                Pair(
                    picture,
                    training.picture(int(of_samples.indices[index])),
                    (
                        f"seed {self.plan.seeds[index]}",
                        f"at {of_samples.distances[index]:.3g}",
                    ),
                )
                for index, picture in zip(closest, drawn, strict=True)
            ]


class _Seen:
    """The features of pictures that come in batches."""

    def __init__(self, extractor: FeatureExtractor, mirrored: bool, keep: bool) -> None:
        self._extractor = extractor
        self._mirrored = mirrored
        self._keep = keep
        self._rows: list[Floats] = []
        self._statistics: FeatureStatistics | None = None

    def take(self, pictures: Pixels) -> None:
        """Look at pictures."""
        features = self._extractor.features(pictures[:, :, ::-1] if self._mirrored else pictures)
        if not self._mirrored:
            if self._statistics is None:
                self._statistics = FeatureStatistics(features.shape[1])
            self._statistics.update(features)
        if self._keep:
            self._rows.append(features)

    @property
    def statistics(self) -> FeatureStatistics:
        """Of all pictures that came, as they are."""
        assert self._statistics is not None
        return self._statistics

    @property
    def rows(self) -> Floats:
        """The features of all pictures ``[N, F]``; none where only statistics are wanted."""
        return np.concatenate(self._rows) if self._rows else np.zeros((0, 0), np.float32)


class _ChangeMeter:
    """Takes in changed characters one after the other."""

    def __init__(self, evaluation: Evaluation, attributes: tuple[str, ...]) -> None:
        self._judge = evaluation.judge if LEAKAGE in evaluation.metrics else None
        self._judged = evaluation.judged
        self._lpips = evaluation.lpips
        palette = evaluation.pipeline.attributes.palette
        self._colours = [
            name for name in attributes if name in palette and IDENTITY in evaluation.metrics
        ]
        self._last: tuple[int, Pixels, NDArray[np.bool_]] | None = None
        self.own: dict[str, list[int]] = {name: [] for name in attributes}
        self.probabilities: dict[str, dict[str, list[Floats]]] = {
            name: {seen: [] for seen in evaluation.judged} for name in attributes
        }
        self.distances: dict[Measure, dict[str, list[NDArray[np.floating]]]] = {}
        self.other_characters: dict[Measure, list[float]] = {}

    def take(self, change: Change, gallery: Gallery) -> None:
        """Look at a character in all choices of an attribute."""
        self.own[change.attribute].append(change.own)
        if self._judge is not None:
            found = self._judge.probabilities(change.pictures)
            for name, rows in self.probabilities[change.attribute].items():
                rows.append(found[name])
            self._offer_leaks(change, found, gallery)
        if change.attribute in self._colours:
            self._measure_identity(change, gallery)

    def _offer_leaks(self, change: Change, found: Probabilities, gallery: Gallery) -> None:
        for name, choices in self._judged.items():
            if name == change.attribute:
                continue
            moved = total_variation(found[name], found[name][change.own])
            answers = found[name].argmax(1)
            before = choices[answers[change.own]]
            for index, to in enumerate(change.choices):
                after = choices[answers[index]]
                if after != before:
                    captions = (
                        f"{change.attribute} {change.choices[change.own]}: {name} {before}",
                        f"{change.attribute} {to}: {name} {after}",
                    )
                    gallery.leaks.offer(float(moved[index]), _pair(change, index, captions))

    def _measure_identity(self, change: Change, gallery: Gallery) -> None:
        edges = [edge_map(picture) for picture in change.pictures]
        drift = np.array([edge_drift(edges[change.own], each) for each in edges])
        drift[change.own] = np.nan
        self._add(Measure(EDGES, None), change, drift)
        for index, to in enumerate(change.choices):
            if index != change.own:
                captions = (
                    f"{change.attribute} {change.choices[change.own]}",
                    f"{to}: {drift[index]:.0%} of edges",
                )
                gallery.moved.offer(float(drift[index]), _pair(change, index, captions))
        own = change.pictures[change.own]
        if self._lpips is not None:
            measure = Measure(self._lpips.name, self._lpips.sha256)
            ours = np.repeat(own[None], len(change.pictures), axis=0)
            moved = self._lpips.distances(ours, change.pictures)
            moved[change.own] = np.nan
            self._add(measure, change, moved)
        if self._last is not None and self._last[0] != change.character:
            _, other, other_edges = self._last
            self._add_other(Measure(EDGES, None), edge_drift(edges[change.own], other_edges))
            if self._lpips is not None:
                distance = self._lpips.distances(own[None], other[None])
                self._add_other(Measure(self._lpips.name, self._lpips.sha256), float(distance[0]))
        self._last = change.character, own, edges[change.own]

    def _add(self, measure: Measure, change: Change, values: NDArray[np.floating]) -> None:
        per_attribute = self.distances.setdefault(measure, {})
        per_attribute.setdefault(change.attribute, []).append(values)

    def _add_other(self, measure: Measure, value: float) -> None:
        self.other_characters.setdefault(measure, []).append(value)


def _pair(change: Change, index: int, captions: tuple[str, str]) -> Pair:
    return Pair(change.pictures[change.own], change.pictures[index], captions)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
