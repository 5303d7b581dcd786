"""The report of a trained tagger: accuracy and confusions as a page and as pictures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from avatargan.files import atomic_writer
from avatargan.reports import Report, matrix_chart
from avatargan.tagging.evaluation import AttributeFigures

REPORT_FILE = "report.html"


def report_files(names: list[str], folder: Path) -> list[Path]:
    """Return what :func:`write_report` will write about attributes of these names."""
    return [folder / REPORT_FILE, *(folder / f"confusion-{name}.png" for name in names)]


def write_report(folder: Path, figures: Mapping[str, AttributeFigures]) -> list[Path]:
    """Write ``report.html`` and a confusion matrix for each attribute as ``.png``.

    Args:
        folder: where they go; it is made where it is missing.
        figures: from :func:`avatargan.tagging.evaluation.evaluate`.

    Returns:
        The files.

    Raises:
        OutputError: a file cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    page, *pictures = report_files(list(figures), folder)
    report = Report("Tagger", "On pictures that it was neither trained nor calibrated on")
    report.table(
        ["attribute", "pictures", "right, %", "calibration error"],
        [
            [name, own.count, 100 * own.accuracy, own.calibration_error]
            for name, own in figures.items()
        ],
    )
    for (name, own), picture in zip(figures.items(), pictures, strict=True):
        rows = own.confusion.sum(axis=1, keepdims=True)
        shares = np.where(own.confusion > 0, 100 * own.confusion / np.maximum(rows, 1), np.nan)
        chart = matrix_chart(
            shares,
            rows=[
                f"{choice} ({count})" for choice, count in zip(own.choices, rows[:, 0], strict=True)
            ],
            columns=own.choices,
            row_label=f"{name}: what it is",
            column_label="what it is told as, %",
            number_format="{:.1f}",
        )
        report.heading(name.capitalize())
        report.chart(chart, f"Confusions of {name}, in % of the pictures of a row")
        with atomic_writer(picture) as file:
            chart.savefig(file, format="png", dpi=110, facecolor="white")
    report.write(page)
    return [page, *pictures]
