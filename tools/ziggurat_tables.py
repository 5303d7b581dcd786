"""Writes the tables of the ziggurat that NumPy's `standard_normal` uses, for the page's port of it.

    python tools/ziggurat_tables.py avatargan/web/page/ziggurat.js

The layers follow from one number, the start of the tail (Marsaglia and Tsang, "The ziggurat
method for generating random variables", 2000): all have the same area. They are computed with 60
digits and rounded once. NumPy's own widths are up to 76 last bits away from that, and a number is
a draw of 52 bits times the width of its layer: so each width is the neighbour of the computed one
that gives the very numbers that NumPy draws.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from mpmath import erfc, exp, floor, log, mp, mpf, pi, sqrt

LAYERS = 256
MANTISSA = 2**52
#: Where the tail begins for 256 layers of equal area.
TAIL = "3.6541528853610087963519472518"
HEAD = """// The layers of NumPy's ziggurat. Written by tools/ziggurat_tables.py; do not edit.

/** Where the tail begins. */
export const TAIL = {tail};
/** 1 / TAIL, as NumPy rounds it. */
export const INVERSE_TAIL = {inverse};
"""


def layers() -> tuple[list[int], list[float], list[float]]:
    """Return the thresholds, widths and heights of the layers, in NumPy's order."""
    mp.dps = 60
    tail = mpf(TAIL)
    area = tail * exp(-tail * tail / 2) + sqrt(pi / 2) * erfc(tail / sqrt(2))
    # From the tail upwards: x[255] is where it begins, x[0] the width of the base's rectangle.
    x = [mpf(0)] * LAYERS
    x[LAYERS - 1] = tail
    for i in range(LAYERS - 2, 0, -1):
        x[i] = sqrt(-2 * log(area / x[i + 1] + exp(-(x[i + 1] ** 2) / 2)))
    base = area / exp(-tail * tail / 2)
    thresholds = [int(floor(tail / base * MANTISSA)), 0]
    thresholds += [int(floor(x[i - 1] / x[i] * MANTISSA)) for i in range(2, LAYERS)]
    widths = [float(base / MANTISSA)] + [float(x[i] / MANTISSA) for i in range(1, LAYERS)]
    heights = [1.0] + [float(exp(-(x[i] ** 2) / 2)) for i in range(1, LAYERS)]
    return thresholds, widths, heights


def as_numpy_has_them(widths: list[float], draws: int = 100_000) -> list[float]:
    """Return the widths, moved by the last bits that NumPy's are away."""
    seen: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for seed in range(draws):
        bits = int(np.random.Philox(seed).random_raw())
        number = float(np.random.Generator(np.random.Philox(seed)).standard_normal())
        layer, magnitude = bits & 0xFF, bits >> 9 & MANTISSA - 1
        if abs(abs(number) - magnitude * widths[layer]) < 1e-12:  # else another draw was taken
            seen[layer].append((magnitude, abs(number)))
    exact = []
    for layer, width in enumerate(widths):
        near = [width]
        for _ in range(200):
            near = [np.nextafter(near[0], 0), *near, np.nextafter(near[-1], 1)]
        fitting = [
            float(candidate)
            for candidate in near
            if all(magnitude * candidate == number for magnitude, number in seen[layer])
        ]
        if len(seen[layer]) < 20 or len(fitting) != 1:
            raise SystemExit(f"layer {layer}: {len(fitting)} widths fit {len(seen[layer])} draws")
        exact += fitting
    return exact


def main(path: str) -> None:
    """Write the module."""
    thresholds, widths, heights = layers()
    widths = as_numpy_has_them(widths)
    lines = [HEAD.format(tail=repr(float(mpf(TAIL))), inverse=repr(float(1 / mpf(TAIL))))]
    for comment, name, values in (
        ("Below it a draw of 52 bits is inside the layer.", "THRESHOLDS", map(str, thresholds)),
        ("The width of each layer, over 2^52.", "WIDTHS", map(repr, widths)),
        ("The density at the edge of each layer.", "HEIGHTS", map(repr, heights)),
    ):
        lines.append(f"/** {comment} */\nexport const {name} = [")
        lines += [f"  {value}," for value in values]
        lines.append("];\n")
    Path(path).write_text("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1])
