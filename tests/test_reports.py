"""Reports are single pages that need no network and trust no text."""

import re
import sys

import numpy as np
import pytest
from PIL import Image

from avatargan.errors import MissingExtraError
from avatargan.reports import Report, bar_chart, line_chart, matrix_chart


def full_report():
    report = Report("A <run>", "seed 1 & more")
    report.heading("Curves </h2>")
    report.text("<script>alert(1)</script>")
    report.table(["name", "count"], [["<b>", 12_000], ["none", 0.25]])
    steps = np.arange(10)
    report.chart(
        line_chart({"one": (steps, steps**2), "two": (steps, steps)}, x_label="x", y_label="y"),
        'a "curve"',
    )
    report.chart(bar_chart({"all": {"pink": 3, "blue": 4}}, value_label="pictures"), "bars")
    matrix = [[1, np.nan], [0.5, 0]]
    names = {"rows": ["a", "b"], "columns": ["c", "d"], "row_label": "r", "column_label": "c"}
    report.chart(matrix_chart(matrix, **names), "matrix")
    report.picture(Image.new("RGB", (8, 6), "red"), "red <i>")
    return report


def test_text_stays_text():
    html = full_report().html()
    assert "<script" not in html
    assert "A &lt;run&gt;" in html
    assert "&lt;script&gt;alert(1)" in html
    assert 'aria-label="a &quot;curve&quot;"' in html


def test_numbers_are_written_to_be_read():
    html = full_report().html()
    assert '<td class="number">12,000</td>' in html
    assert '<td class="number">0.25</td>' in html


def test_nothing_is_fetched():
    html = full_report().html()
    assert "default-src 'none'" in html
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert sources
    assert all(source.startswith(("#", "data:")) for source in sources)


def test_charts_do_not_share_names():
    names = re.findall(r'\bid="([^"]+)"', full_report().html())
    assert names
    assert len(names) == len(set(names))


def test_the_same_report_has_the_same_bytes(tmp_path):
    full_report().write(tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text() == full_report().html()


def test_without_matplotlib_charts_say_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match="pip install matplotlib"):
        line_chart({"a": ([0], [0])}, x_label="x", y_label="y")
