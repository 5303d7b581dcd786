"""Curves as SVG, for pages that load nothing from elsewhere."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 520, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 26
#: Curves have no more points than this; more would not be seen.
MOST_POINTS = 400
#: Half of what a smoothed point is comes from this part of the curve before it.
SMOOTHING = 0.02


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    Attributes:
        name: in the legend.
        points: x and y, by rising x.
    """

    name: str
    points: Sequence[tuple[float, float]]


def chart(title: str, curves: Sequence[Curve]) -> str:
    """Return a figure with a legend, or nothing where there is no point to draw.

    Args:
        title: what the values are.
        curves: up to four.
    """
    curves = [Curve(curve.name, _thinned(curve.points)) for curve in curves if curve.points]
    if not curves:
        return ""
    xs = [x for curve in curves for x, _ in curve.points]
    ys = [y for curve in curves for _, y in curve.points]
    right, ticks = max(max(xs), 1.0), _ticks(min(ys), max(ys))
    low, high = min(min(ys), ticks[0]), max(max(ys), ticks[-1])

    def place(x: float, y: float) -> str:
        across = LEFT + x / right * (WIDTH - LEFT - RIGHT)
        up = (y - low) / ((high - low) or 1)
        return f"{across:.1f},{HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM):.1f}"

    parts = []
    for tick in ticks:
        y = place(0, tick).split(",")[1]
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(
            f'<text x="{LEFT - 6}" y="{float(y) + 4:.1f}" text-anchor="end">{_short(tick)}</text>'
        )
    for x in _ticks(0, right):
        if x > right:
            continue
        across = place(x, ys[0]).split(",")[0]
        parts.append(f'<text x="{across}" y="{HEIGHT - 8}" text-anchor="middle">{_short(x)}</text>')
    for index, curve in enumerate(curves):
        colour = f"stroke: var(--c{index})"
        raw = " ".join(place(x, y) for x, y in curve.points)
        smooth = " ".join(place(x, y) for x, y in _smoothed(curve.points))
        parts.append(f'<polyline class="raw" style="{colour}" points="{raw}"/>')
        parts.append(f'<polyline class="smooth" style="{colour}" points="{smooth}"/>')
    legend = "".join(
        f'<i style="--c: var(--c{index})">{html.escape(curve.name)}</i>'
        for index, curve in enumerate(curves)
    )
    return (
        f"<figure><figcaption><b>{html.escape(title)}</b>{legend if len(curves) > 1 else ''}"
        f'</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{html.escape(title)}">{"".join(parts)}</svg></figure>'
    )


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return means of neighbours where there are too many points."""
    size = math.ceil(len(points) / MOST_POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]


def _smoothed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    kept = 0.5 ** (1 / max(SMOOTHING * len(points), 0.1))
    smooth, weight, level = [], 0.0, 0.0
    for x, y in points:
        # Divided by the weights so far, so that the start is not drawn towards 0.
        level, weight = kept * level + (1 - kept) * y, kept * weight + (1 - kept)
        smooth.append((x, level / weight))
    return smooth


def _ticks(low: float, high: float) -> list[float]:
    """Return three to seven round numbers that span the values."""
    span = (high - low) or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span / 3))
    step *= next((factor for factor in (1, 2, 5) if span / (step * factor) <= 5), 10)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, last + 1)]


def _short(number: float) -> str:
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if abs(number) >= limit:
            return f"{number / limit:g}{unit}"
    return f"{number:.3g}"
