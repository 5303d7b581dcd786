"""The report of a built set: how many pictures there are of what."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from avatargan.dataset.dataset import TEST, TRAIN, Dataset
from avatargan.dataset.inspection import balance, sheet_by_attribute, sheet_of_all
from avatargan.dataset.opening import open_dataset
from avatargan.reports import Report, bar_chart

REPORT_FILE = "report.html"
#: Reasons beyond these are summed up.
MOST_REASONS = 20


def write_report(folder: Path, left_out: Mapping[str, str]) -> None:
    """Write ``report.html`` into the folder of a set.

    Args:
        folder: of the set, complete but for its report.
        left_out: why pictures are not in it, by file.

    Raises:
        OutputError: it cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    dataset = open_dataset(folder)
    side = dataset.picture(0).shape[0]
    report = Report("Training set", f"{len(dataset):,} pictures of {side} px")
    _add_counts(report, dataset)
    for attribute, counts in balance(dataset).items():
        report.heading(attribute.capitalize())
        known = {split: _without_empty(found, counts) for split, found in counts.items()}
        report.chart(
            bar_chart(known, value_label="pictures", number_format="{:,.0f}"),
            f"Pictures of each choice of {attribute}",
        )
        report.picture(sheet_by_attribute(dataset, attribute), "Drawn at random")
    if not dataset.attributes:
        report.picture(sheet_of_all(dataset), "Drawn at random")
    if left_out:
        _add_left_out(report, left_out)
    report.write(folder / REPORT_FILE)


def _add_counts(report: Report, dataset: Dataset) -> None:
    report.table(
        ["split", "pictures", "sources"],
        [
            [name, len(split), len(set(split.sources))]
            for name, split in ((name, dataset.split(name)) for name in (TRAIN, TEST))
        ],
    )


def _without_empty(
    found: Mapping[str, int], counts: Mapping[str, Mapping[str, int]]
) -> dict[str, float]:
    """Leave out what no split has, which is mostly "unknown"."""
    return {
        choice: count
        for choice, count in found.items()
        if any(split[choice] for split in counts.values())
    }


def _add_left_out(report: Report, left_out: Mapping[str, str]) -> None:
    report.heading("Left out")
    kinds = Counter(
        "a copy" if why.startswith("a copy") else "unreadable" for why in left_out.values()
    )
    report.text(", ".join(f"{count:,} because {kind}" for kind, count in kinds.most_common()))
    report.table(["file", "why"], list(left_out.items())[:MOST_REASONS])
    if len(left_out) > MOST_REASONS:
        report.text(f"The other {len(left_out) - MOST_REASONS:,} are in dataset.json.")
