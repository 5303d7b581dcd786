"""Reports: pages of headings, tables, charts and pictures in one file that needs no network.

The page needs nothing but Pillow. The charts are matplotlib's, which is imported when the first
one is drawn: training machines do without.
"""

import base64
import io
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from avatargan.errors import MissingExtraError
from avatargan.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colour-blind safe, after Okabe and Ito, in an order whose neighbours differ most.
COLOURS = ("#d9487d", "#0f8f86", "#e69f00", "#5b6fd6", "#8c564b", "#56b4e9", "#7f7f7f")
#: Stands for the colour of the page's text, which is another one by night.
_INK = "#010203"

_STYLE = """
:root { color-scheme: light dark;
  --page: light-dark(#f6f5f8, #17161c); --card: light-dark(#fff, #211f29);
  --line: light-dark(#e2dfe9, #34313f); --text: light-dark(#232029, #eceaf2);
  --soft: light-dark(#6d6878, #9d97ab); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 28px 20px 60px; background: var(--page);
  color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0; }
h2 { font-size: 18px; margin: 36px 0 10px; }
p { max-width: 72ch; }
.soft, figcaption { color: var(--soft); font-size: 13.5px; }
figure { margin: 14px 0; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; padding: 14px; width: fit-content; max-width: 100%; }
figure img, figure svg { display: block; max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 12px 0; font-size: 14px;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; }
td.number { text-align: right; }
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


class Report:
    """A page that is written part by part.

    Args:
        title: what it is about.
        subtitle: a line below the title.
    """

    def __init__(self, title: str, subtitle: str = "") -> None:
        self._title = title
        self._parts = [f"<h1>{escape(title)}</h1>"]
        if subtitle:
            self._parts.append(f'<p class="soft">{escape(subtitle)}</p>')

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._parts.append(f"<h2>{escape(text)}</h2>")

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self._parts.append(f"<p>{escape(text)}</p>")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add a table; numbers are set to the right."""
        head = "".join(f"<th>{escape(column)}</th>" for column in columns)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
        self._parts.append(
            f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def picture(self, image: Image.Image, caption: str) -> None:
        """Add a picture, kept in the page as WebP."""
        buffer = io.BytesIO()
        image.save(buffer, "webp", quality=88, method=4)
        source = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        self._figure(
            f'<img src="{source}" width="{image.width}" height="{image.height}" '
            f'alt="{escape(caption)}">',
            caption,
        )

    def chart(self, figure: "Figure", caption: str) -> None:
        """Add a chart, in the colours of the page."""
        self._figure(_svg(figure, caption), caption)

    def html(self) -> str:
        """Return the page."""
        return _PAGE.format(title=escape(self._title), style=_STYLE, body="\n".join(self._parts))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the page.

        Raises:
            OutputError: it cannot be written.
        """
        write_atomically(path, self.html())

    def _figure(self, content: str, caption: str) -> None:
        self._parts.append(f"<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>")


def line_chart(
    series: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    x_label: str,
    y_label: str,
    logarithmic: bool = False,
) -> "Figure":
    """Return curves.

    Args:
        series: x and y of each curve, by its name in the legend.
        x_label: what x is.
        y_label: what y is.
        logarithmic: whether y is.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, axes = _figure(7.2, 3.2)
    for (name, (x, y)), colour in zip(series.items(), _cycle(len(series)), strict=True):
        axes.plot(np.asarray(x), np.asarray(y), label=name, color=colour, linewidth=1.5)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    if logarithmic:
        axes.set_yscale("log")
    axes.grid(axis="y", color=_INK, alpha=0.12, linewidth=0.8)
    _add_legend(figure, len(series))
    return figure


def bar_chart(
    series: Mapping[str, Mapping[str, float]], *, value_label: str, number_format: str = "{:g}"
) -> "Figure":
    """Return horizontal bars, one group per name and in it one bar per series.

    Args:
        series: value by name, by what the legend calls the series.
        value_label: what the values are.
        number_format: how the number at the end of a bar is written.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    names = list(dict.fromkeys(name for values in series.values() for name in values))
    figure, axes = _figure(7.2, 0.9 + 0.26 * len(names) * max(1, len(series) * 0.8))
    places = np.arange(len(names))
    thickness = 0.8 / len(series)
    for index, ((label, values), colour) in enumerate(
        zip(series.items(), _cycle(len(series)), strict=True)
    ):
        offset = (index - (len(series) - 1) / 2) * thickness
        heights = [values.get(name, 0) for name in names]
        bars = axes.barh(places + offset, heights, thickness * 0.9, label=label, color=colour)
        axes.bar_label(bars, fmt=number_format, padding=3, fontsize=8, color=_INK)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel(value_label)
    _add_legend(figure, len(series))
    return figure


def matrix_chart(
    values: ArrayLike,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    row_label: str,
    column_label: str,
    number_format: str = "{:.2f}",
) -> "Figure":
    """Return a table of numbers, the larger the darker, such as a confusion matrix.

    Args:
        values: ``[rows, columns]``; NaN stays empty.
        rows: names of the rows.
        columns: names of the columns.
        row_label: what the rows are.
        column_label: what the columns are.
        number_format: how a number is written.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    table = np.asarray(values, dtype=float)
    figure, axes = _figure(1.6 + 0.52 * len(columns), 1.2 + 0.4 * len(rows))
    largest = np.nanmax(np.abs(table)) if np.isfinite(table).any() else 1
    axes.imshow(table, cmap="RdPu", vmin=0, vmax=largest or 1, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        if np.isfinite(value):
            colour = "white" if value > 0.55 * largest else "#232029"
            text = number_format.format(value)
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xlabel(column_label)
    axes.set_ylabel(row_label)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def _cell(value: object) -> str:
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        text = f"{value:,}" if isinstance(value, int | np.integer) else f"{value:.4g}"
        return f'<td class="number">{escape(text)}</td>'
    return f"<td>{escape(str(value))}</td>"


def _cycle(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]


def _figure(width: float, height: float) -> "tuple[Figure, Axes]":
    """Return an empty chart, width and height in inches."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("charts need matplotlib; pip install matplotlib") from error
    # Made without pyplot, which would look for a screen and keep every figure alive.
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_color(_INK)
    axes.spines[:].set_alpha(0.35)
    axes.tick_params(colors=_INK, labelsize=9)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    return figure, axes


def _add_legend(figure: "Figure", series: int) -> None:
    """Name the series above the chart, where nothing can be hidden."""
    if series > 1:
        figure.legend(loc="outside upper right", ncols=series, frameon=False, labelcolor=_INK)


def _svg(figure: "Figure", caption: str) -> str:
    """Return a chart as an element of the page, the same bytes for the same chart."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": caption}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    # Names inside a chart are known to the whole page: each chart gets its own.
    salt = f"c{zlib.crc32(svg.encode()):x}-"
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{salt}", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(caption)}" ', 1)
