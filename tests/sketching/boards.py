"""Board documents as pictures, the way the board's own canvas draws them."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

SKETCHES = Path(__file__).with_name("sketches.json")
_FINER = 4


def read_sketches() -> list[dict[str, Any]]:
    """Return the 40 sketches: a name and the board's actions each."""
    sketches: list[dict[str, Any]] = json.loads(SKETCHES.read_text())
    return sketches


def layer(sketch: dict[str, Any], name: str, size: int = 256) -> Image.Image | None:
    """Return the layer "lines" on white or "colours" on transparency; None if it is empty."""
    strokes = [each for each in sketch["actions"] if each["layer"] == name]
    if not strokes:
        return None
    side = size * _FINER
    ground = (255, 255, 255, 255) if name == "lines" else (0, 0, 0, 0)
    image = Image.new("RGBA", (side, side), ground)
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        colour = stroke.get("colour", "#1b1720")
        points = stroke["points"]
        for start, end in pairwise(points):
            width = stroke["width"] * (0.4 + 0.6 * (start[2] + end[2])) * side
            ends = [(x * side, y * side) for x, y, _ in (start, end)]
            draw.line(ends, fill=colour, width=max(1, round(width)))
            for x, y in ends:
                radius = width / 2
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return image.resize((size, size), Image.Resampling.LANCZOS)
