"""The page of an evaluation: figures, charts, and pictures to look at."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from avatargan.errors import MissingExtraError
from avatargan.evaluation.gallery import Gallery, Pair
from avatargan.evaluation.identity import IdentityDrift
from avatargan.evaluation.leakage import Leakage
from avatargan.evaluation.memorisation import SUSPICIOUS
from avatargan.evaluation.neighbours import Array
from avatargan.evaluation.path_length import STEP
from avatargan.evaluation.results import Accuracy, Findings, Measure
from avatargan.evaluation.summary import percent, summary_rows
from avatargan.grids import contact_sheet
from avatargan.reports import Report, bar_chart, line_chart, matrix_chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL = 152
_COLUMNS = 6
#: Pulls of one attribute on another that are listed.
_LISTED_PULLS = 12


def evaluation_page(findings: Findings, gallery: Gallery) -> Report:
    """Return the page of an evaluation, not yet written."""
    subject = findings.subject
    report = Report(
        f"Evaluation of {'/'.join(Path(subject.weights).parts[-2:])}",
        f"{subject.samples:,} samples at psi {subject.psi:g}, seed {subject.seed}, against the "
        f"{subject.split} split of {Path(subject.dataset).name}",
    )
    page = _Page(report, findings, gallery)
    page.summary()
    page.samples()
    page.accuracy()
    page.leakage()
    page.identity()
    page.path_lengths()
    page.memorisation()
    page.method()
    return report


class _Page:
    """Writes the sections; those about what was not asked for stay out."""

    def __init__(self, report: Report, findings: Findings, gallery: Gallery) -> None:
        self.report = report
        self.findings = findings
        self.gallery = gallery

    def summary(self) -> None:
        rows = summary_rows(self.findings)
        if rows:
            self.report.table(("figure", "by", "value", "to compare with", "better"), rows)

    def samples(self) -> None:
        if not self.gallery.samples:
            return
        self.report.heading("Samples")
        pictures = [Image.fromarray(picture) for picture, _ in self.gallery.samples]
        captions = [caption for _, caption in self.gallery.samples]
        sheet = contact_sheet(pictures, captions, columns=_COLUMNS, cell=_CELL)
        self.report.picture(sheet, "The first samples, not chosen by anybody.")

    def accuracy(self) -> None:
        if not self.findings.accuracy:
            return
        self.report.heading("Attribute accuracy")
        self.report.text(
            "How often the tagger sees in a sample what was asked for. On real pictures it shows "
            "how often it agrees with their tags: it cannot judge better than that."
        )
        for name, accuracy in self.findings.accuracy.items():
            columns = (name, "samples", "right", "95 % interval", "real pictures", "right")
            self.report.table(columns, _accuracy_rows(accuracy))
            self._chart(
                f"What the tagger sees where a choice of {name} was asked for, in percent of the "
                "samples that asked for it.",
                partial(_confusion_chart, accuracy, name),
            )

    def leakage(self) -> None:
        leakage = self.findings.leakage
        if leakage is None:
            return
        self.report.heading("Leakage")
        self.report.text(
            f"{self.findings.characters} characters were drawn in every choice of each attribute "
            "with all else held. Drift is how far the tagger's probabilities of an attribute "
            "moved: 0 not at all, 1 to another choice for sure. What was changed should be near "
            "1, everything else near 0."
        )
        self._chart(
            "Mean drift by changed and by seen attribute.", partial(_leakage_chart, leakage)
        )
        self.report.table(
            ("changed", "seen", "drift", "tagger names another choice"),
            [
                (changed, name, drift, percent(leakage.verdicts[changed][name]))
                for changed, per_attribute in leakage.drift.items()
                for name, drift in per_attribute.items()
            ],
        )
        for changed, per_attribute in leakage.drift.items():
            others = [name for name in per_attribute if name != changed]
            if others:
                self._chart(
                    f"Drift of all else when {changed} is changed, by what it is changed to.",
                    partial(_drift_chart, leakage, changed, others),
                )
        pulls = leakage.strongest_pulls(_LISTED_PULLS)
        if pulls:
            self.report.text("Where the drift goes, the strongest first:")
            self.report.table(
                ("set", "to", "raises", "choice", "probability by"),
                [(*row[:4], f"{row[4]:+.3f}") for row in pulls],
            )
        self._pairs(
            self.gallery.leaks.pairs(),
            "The changes after which the tagger names another choice of what was not changed; "
            "before on the left, after on the right, the largest drift first.",
        )

    def identity(self) -> None:
        if not self.findings.identity:
            return
        self.report.heading("Identity drift")
        self.report.text(
            "What moves when only a colour changes: the share of edges that are not within a "
            "pixel of where they were, and LPIPS where its network was given. Two different "
            "characters are what it would be if nothing were held."
        )
        for measure, drift in self.findings.identity.items():
            rows = [(measure.name, name, value) for name, value in drift.by_attribute.items()]
            rows.append((measure.name, "two different characters", drift.other_characters))
            self.report.table(("distance", "changed", "drift"), rows)
            self._chart(
                f"Drift by {measure.name}, by what the colour is changed to.",
                partial(_identity_chart, measure.name, drift),
            )
        self._pairs(
            self.gallery.moved.pairs(),
            "The changes of a colour that moved most edges; before on the left, after on the "
            "right.",
        )

    def path_lengths(self) -> None:
        if not self.findings.path_lengths:
            return
        self.report.heading("Perceptual path length")
        self.report.text(
            f"Mean squared distance per squared step along paths between two samples, with steps "
            f"of {STEP:g} of a path. Lower is smoother. It has the scale of the features: compare "
            "it with figures in the same ones only."
        )
        self.report.table(
            ("by", "space", "length", "paths"),
            [
                (measure.name, length.space, length.value, length.paths)
                for measure, lengths in self.findings.path_lengths.items()
                for length in lengths.values()
            ],
        )

    def memorisation(self) -> None:
        if not self.findings.memorisation:
            return
        self.report.heading("Memorisation")
        copies = self.findings.copies
        assert copies is not None
        self.report.text(
            f"{copies.samples:,} of {self.findings.subject.samples:,} samples are copies of a "
            "training picture, as it is or mirrored. Below is how far the nearest training "
            "picture is. Test pictures that are no copies themselves say how near one comes by "
            "chance: where nothing is memorised a sample is no nearer than they are half of the "
            "time, and hardly any sample is nearer than all but 1 % of them."
        )
        rows = []
        for measure, found in self.findings.memorisation.items():
            rows.append(
                (
                    measure.name,
                    found.median_of_samples,
                    found.median_of_unseen,
                    percent(found.nearer_than_unseen),
                    percent(found.suspicious),
                )
            )
        self.report.table(
            ("by", "median, samples", "median, unseen", "nearer than an unseen one",
             f"than all but {SUSPICIOUS:.0%}"),
            rows,
        )  # fmt: skip
        for name, (samples, unseen) in self.gallery.distances.items():
            self._chart(
                f"Share of pictures whose nearest training picture is no farther, by {name}.",
                partial(_distances_chart, samples, unseen, name),
            )
            self._pairs(
                self.gallery.neighbours[name],
                f"The samples nearest to a training picture by {name}: the sample on the left, "
                "the training picture on the right.",
            )

    def method(self) -> None:
        subject = self.findings.subject
        self.report.heading("How it was measured")
        rows = [
            ("weights", subject.weights),
            ("weights' SHA-256", subject.weights_sha256),
            ("dataset", f"{subject.dataset}, split {subject.split}"),
            ("dataset's SHA-256", subject.dataset_sha256),
            ("compared at", f"{subject.resolution} px; drawn at {subject.generator_resolution} px"),
            ("samples", f"{subject.samples:,} at psi {subject.psi:g}, seed {subject.seed}"),
        ]
        if subject.fixed:
            fixed = ", ".join(f"{name} {choice}" for name, choice in subject.fixed.items())
            rows.append(("fixed", fixed))
        for measure in self._measures():
            if measure.sha256 is not None:
                rows.append((f"{measure.name}'s SHA-256", measure.sha256))
        self.report.table(("", ""), rows)
        for note in self.findings.notes:
            self.report.text(note)

    def _measures(self) -> list[Measure]:
        found = [self.findings.judge]
        groups: list[Iterable[Measure]] = [
            self.findings.comparisons,
            self.findings.identity,
            self.findings.path_lengths,
            self.findings.memorisation,
        ]
        for group in groups:
            found += [measure for measure in group if measure not in found]
        return found

    def _pairs(self, pairs: Sequence[Pair], caption: str) -> None:
        if not pairs:
            return
        pictures = [Image.fromarray(each) for pair in pairs for each in (pair.first, pair.second)]
        captions = [text for pair in pairs for text in pair.captions]
        sheet = contact_sheet(pictures, captions, columns=_COLUMNS, cell=_CELL)
        self.report.picture(sheet, caption)

    def _chart(self, caption: str, draw: "Callable[[], Figure]") -> None:
        try:
            figure = draw()
        except MissingExtraError as error:
            self.report.text(f"There is no chart of this: {error}.")
            return
        self.report.chart(figure, caption)


def _accuracy_rows(accuracy: Accuracy) -> list[tuple[object, ...]]:
    real = accuracy.real
    rows: list[tuple[object, ...]] = []
    choices = {**accuracy.samples.by_choice}
    for choice, share in [*choices.items(), ("all", accuracy.samples.overall)]:
        own = None
        if real is not None:
            own = real.overall if choice == "all" else real.by_choice.get(choice)
        low, high = share.interval
        rows.append(
            (
                choice,
                share.count,
                percent(share.value),
                f"{100 * low:.1f} to {100 * high:.1f}" if share.count else "",
                own.count if own else "",
                percent(own.value) if own else "",
            )
        )
    return rows


def _confusion_chart(accuracy: Accuracy, name: str) -> "Figure":
    confusion = accuracy.samples.confusion.astype(float)
    counts = confusion.sum(1, keepdims=True)
    shares = 100 * np.divide(confusion, counts, out=np.full_like(confusion, np.nan),
                             where=counts > 0)  # fmt: skip
    shares[shares == 0] = np.nan  # an empty cell is easier to read than a nought
    return matrix_chart(
        shares,
        rows=list(accuracy.samples.by_choice),
        columns=accuracy.samples.seen,
        row_label=f"{name} asked for",
        column_label="seen",
        number_format="{:.1f}",
    )


def _leakage_chart(leakage: Leakage) -> "Figure":
    changed = list(leakage.drift)
    seen = list(leakage.drift[changed[0]])
    return matrix_chart(
        [[leakage.drift[row][name] for name in seen] for row in changed],
        rows=changed,
        columns=seen,
        row_label="changed",
        column_label="drift of",
        number_format="{:.3f}",
    )


def _drift_chart(leakage: Leakage, changed: str, others: Sequence[str]) -> "Figure":
    settings = leakage.by_choice[changed]
    return bar_chart(
        {
            # To a choice that all characters had before, none was changed.
            name: {to: drift[name] for to, drift in settings.items() if np.isfinite(drift[name])}
            for name in others
        },
        value_label=f"drift of {' and '.join(others)}",
        number_format="{:.3f}",
    )


def _identity_chart(measure: str, drift: IdentityDrift) -> "Figure":
    bars = {
        f"{name} {to}": value
        for name, by_choice in drift.by_choice.items()
        for to, value in by_choice.items()
    }
    label = f"drift by {measure}"
    return bar_chart({label: bars}, value_label=label, number_format="{:.3f}")


def _distances_chart(samples: Array, unseen: Array, name: str) -> "Figure":
    series = {}
    for title, distances in (("samples", samples), ("unseen real pictures", unseen)):
        ordered = np.sort(distances)
        places = np.linspace(0, len(ordered) - 1, min(len(ordered), 200)).astype(int)
        series[title] = (ordered[places], (places + 1) / len(ordered))
    return line_chart(
        series, x_label=f"distance to the nearest training picture ({name})", y_label="share"
    )
