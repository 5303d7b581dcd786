"""Composes the sketches of ``sketches.json``: ``python tests/sketching/compose.py``.

Each is drawn stroke by stroke as on the board, by one of several hands: how much a hand trembles,
how smooth its curves are, how hard it presses, what it leaves out. The points are what the board
keeps of a mouse.
"""

import json
import math
import random
from pathlib import Path

FILE = Path(__file__).with_name("sketches.json")

Point = tuple[float, float]
#: Tremble in boards, points per stroke, thickness, chance to leave a detail out, drift of a stroke.
HANDS = {
    "steady": (0.0015, 16, 0.012, 0.0, 0.004),
    "mouse": (0.0045, 22, 0.010, 0.1, 0.010),
    "child": (0.0080, 10, 0.018, 0.25, 0.022),
    "marker": (0.0030, 12, 0.028, 0.15, 0.010),
    "hasty": (0.0060, 8, 0.009, 0.3, 0.018),
}


class Hand:
    """Draws strokes with the tremble of somebody's hand."""

    def __init__(self, name: str, seed: int) -> None:
        self.tremble, self.points, self.width, self.lazy, self.drift = HANDS[name]
        self.random = random.Random(seed)
        self.actions: list[dict[str, object]] = []
        self.turn = 0.0  # shifts the features to a side
        self.tilt = 0.0

    def stroke(self, *control: Point, detail: bool = False, width: float = 1.0) -> None:
        """Draw a smooth curve through some points."""
        if detail and self.random.random() < self.lazy:
            return
        shift = [self.random.gauss(0, self.drift) for _ in range(2)]
        points = []
        for x, y in curve(list(control), self.points):
            x, y = self._tilted(x + shift[0], y + shift[1])
            points.append(
                [
                    round(x + self.random.gauss(0, self.tremble), 3),
                    round(y + self.random.gauss(0, self.tremble), 3),
                    round(min(1, max(0.1, self.random.gauss(0.5, 0.05))), 2),
                ]
            )
        self._add({"tool": "pencil", "points": points, "width": round(self.width * width, 4)})

    def ellipse(self, x: float, y: float, across: float, down: float) -> None:
        """Draw a closed curve by hand."""
        start = self.random.uniform(0, 6)
        around = [
            (x + across * math.cos(start + t), y + down * math.sin(start + t))
            for t in (0, 1.05, 2.1, 3.15, 4.2, 5.25, 6.4)
        ]
        self.stroke(*around)

    def dab(self, x: float, y: float, colour: str, part: str, width: float = 0.06) -> None:
        """Dab a colour on the layer below."""
        points = [[round(x, 3), round(y, 3), 0.5], [round(x + 0.03, 3), round(y + 0.04, 3), 0.5]]
        self.actions.append(
            {
                "kind": "stroke",
                "layer": "colours",
                "tool": "pencil",
                "points": points,
                "width": width,
                "colour": colour,
                "part": part,
                "mirror": False,
            }
        )

    def _tilted(self, x: float, y: float) -> Point:
        sine, cosine = math.sin(self.tilt), math.cos(self.tilt)
        return 0.5 + (x - 0.5) * cosine - (y - 0.5) * sine, 0.5 + (x - 0.5) * sine + (
            y - 0.5
        ) * cosine

    def _add(self, stroke: dict[str, object]) -> None:
        self.actions.append({"kind": "stroke", "layer": "lines", "mirror": False, **stroke})


def curve(control: list[Point], count: int) -> list[Point]:
    """Return points of a Catmull-Rom curve through control points."""
    ends = [control[0], *control, control[-1]]
    points = []
    pieces = len(control) - 1
    each = max(2, count // pieces)
    for piece in range(pieces):
        a, b, c, d = ends[piece : piece + 4]
        for step in range(each + (piece == pieces - 1)):
            t = step / each
            points.append(
                tuple(
                    0.5
                    * (
                        2 * b[k]
                        + (c[k] - a[k]) * t
                        + (2 * a[k] - 5 * b[k] + 4 * c[k] - d[k]) * t**2
                        + (3 * b[k] - a[k] - 3 * c[k] + d[k]) * t**3
                    )
                    for k in (0, 1)
                )
            )
    return points  # type: ignore[return-value]


def face(hand: Hand, wide: float, chin: float) -> None:
    t = hand.turn
    hand.stroke(
        (0.5 - wide + t / 3, 0.4),
        (0.5 - wide * 0.95 + t / 3, 0.58),
        (0.5 - wide * 0.5 + t, chin - 0.06),
        (0.5 + t, chin),
    )
    hand.stroke(
        (0.5 + t, chin),
        (0.5 + wide * 0.5 + t, chin - 0.06),
        (0.5 + wide * 0.95 + t / 3, 0.58),
        (0.5 + wide + t / 3, 0.4),
    )


def eyes(hand: Hand, kind: str, apart: float, y: float, size: float) -> None:
    t = hand.turn
    for side in (-1, 1):
        near = 1 - side * t * 1.5
        x, w = 0.5 + t * 1.5 + side * apart, size * near
        if kind == "closed":
            hand.stroke((x - w, y), (x, y + w * 0.5), (x + w, y))
            continue
        if kind == "dots":
            hand.ellipse(x, y, 0.022, 0.03)
            continue
        hand.stroke(
            (x - w, y + 0.01),
            (x - w * 0.4, y - w * 0.6),
            (x + w * 0.5, y - w * 0.6),
            (x + w, y),
            width=1.6,
        )
        hand.ellipse(x, y + w * 0.35, w * 0.55, w * 0.85 if kind == "big" else w * 0.6)
        hand.stroke((x - w * 0.6, y + w * 1.1), (x + w * 0.6, y + w * 1.1), detail=True)
        hand.stroke((x - w, y - w * 1.5), (x, y - w * 1.8), (x + w, y - w * 1.5), detail=True)


def mouth(hand: Hand, kind: str, y: float) -> None:
    x = 0.5 + hand.turn * 1.6
    hand.stroke((x, y - 0.09), (x - 0.006, y - 0.07), detail=True)
    if kind == "smile":
        hand.stroke((x - 0.06, y), (x, y + 0.022), (x + 0.06, y))
    elif kind == "open":
        hand.ellipse(x, y + 0.01, 0.045, 0.035)
    elif kind == "flat":
        hand.stroke((x - 0.04, y), (x + 0.04, y))
    else:
        hand.stroke((x - 0.05, y + 0.012), (x, y - 0.008), (x + 0.05, y + 0.012))


def fringe(hand: Hand, kind: str, wide: float) -> None:
    t = hand.turn
    if kind == "straight":
        hand.stroke(
            (0.5 - wide, 0.38),
            (0.5 - wide * 0.5, 0.35),
            (0.5, 0.36),
            (0.5 + wide * 0.5, 0.35),
            (0.5 + wide, 0.38),
        )
        for place in (-0.6, -0.2, 0.2, 0.6):
            hand.stroke((0.5 + place * wide * 0.9, 0.16), (0.5 + place * wide, 0.35), detail=True)
    elif kind == "parted":
        hand.stroke((0.5 + t, 0.12), (0.5 - wide * 0.6 + t, 0.24), (0.5 - wide, 0.45))
        hand.stroke((0.5 + t, 0.12), (0.5 + wide * 0.6 + t, 0.24), (0.5 + wide, 0.45))
    elif kind == "side":
        hand.stroke((0.34 + t, 0.1), (0.5 + t, 0.28), (0.5 + wide, 0.4))
        hand.stroke((0.34 + t, 0.1), (0.5 - wide * 0.9, 0.26), (0.5 - wide, 0.42))
    else:  # spikes
        at = [0.5 - wide + 2 * wide * k / 6 for k in range(7)]
        for k in range(6):
            hand.stroke((at[k], 0.26), ((at[k] + at[k + 1]) / 2 + 0.01, 0.4), (at[k + 1], 0.26))


def hair(hand: Hand, kind: str, wide: float) -> None:
    side = wide + 0.13
    top = 0.03
    hand.stroke(
        (0.5 - side, 0.42),
        (0.5 - side * 0.85, 0.16),
        (0.5, top),
        (0.5 + side * 0.85, 0.16),
        (0.5 + side, 0.42),
    )
    if kind == "long":
        for s in (-1, 1):
            hand.stroke(
                (0.5 + s * side, 0.42),
                (0.5 + s * (side + 0.03), 0.7),
                (0.5 + s * (side + 0.01), 0.98),
            )
            hand.stroke(
                (0.5 + s * wide, 0.42),
                (0.5 + s * (wide + 0.01), 0.68),
                (0.5 + s * (wide - 0.03), 0.97),
            )
            hand.stroke(
                (0.5 + s * (wide + 0.07), 0.45), (0.5 + s * (wide + 0.08), 0.9), detail=True
            )
    elif kind == "bob":
        for s in (-1, 1):
            hand.stroke(
                (0.5 + s * side, 0.42),
                (0.5 + s * (side + 0.03), 0.62),
                (0.5 + s * (side - 0.05), 0.78),
                (0.5 + s * (wide - 0.04), 0.7),
            )
    elif kind == "short":
        for s in (-1, 1):
            hand.stroke(
                (0.5 + s * side, 0.42),
                (0.5 + s * (side - 0.02), 0.56),
                (0.5 + s * (wide - 0.01), 0.6),
            )
    elif kind == "tails":
        for s in (-1, 1):
            hand.stroke(
                (0.5 + s * side, 0.3),
                (0.5 + s * (side + 0.12), 0.36),
                (0.5 + s * (side + 0.13), 0.7),
                (0.5 + s * (side + 0.05), 0.92),
            )
            hand.stroke(
                (0.5 + s * side, 0.42),
                (0.5 + s * (side + 0.04), 0.65),
                (0.5 + s * (side + 0.05), 0.92),
            )
    elif kind == "wild":
        for s in (-1, 1):
            for y in (0.3, 0.42, 0.54, 0.66):
                hand.stroke(
                    (0.5 + s * side, y - 0.06),
                    (0.5 + s * (side + 0.11), y + 0.04),
                    (0.5 + s * side, y + 0.06),
                )


def body(hand: Hand, chin: float) -> None:
    x = 0.5 + hand.turn / 2
    for s in (-1, 1):
        hand.stroke(
            (x + s * 0.08, chin - 0.04),
            (x + s * 0.085, chin + 0.06),
            (x + s * 0.2, chin + 0.1),
            (x + s * 0.38, 0.98),
            detail=True,
        )


def sketch(number: int) -> dict[str, object]:
    """Return the sketch of a number."""
    pick = random.Random(1000 + number)
    name = list(HANDS)[number % len(HANDS)]
    hand = Hand(name, number)
    hand.turn = (0.0, -0.05, 0.05, 0.0, 0.03, -0.03)[number % 6]
    hand.tilt = pick.choice((0.0, 0.0, 0.0, -0.12, 0.12))
    wide, chin = pick.uniform(0.22, 0.28), pick.uniform(0.74, 0.82)
    style = ("long", "bob", "short", "tails", "long", "wild", "bob")[number % 7]
    front = ("straight", "parted", "side", "spikes")[number % 4]
    look = ("big", "big", "narrow", "closed", "big", "dots", "big", "narrow")[number % 8]
    lips = ("smile", "flat", "open", "smile", "frown")[(number // 2) % 5]
    hair(hand, style, wide)
    face(hand, wide, chin)
    fringe(hand, front, wide)
    eyes(hand, look, 0.15, pick.uniform(0.43, 0.47), pick.uniform(0.055, 0.075))
    mouth(hand, lips, chin - 0.14)
    body(hand, chin)
    if number % 3 == 0:
        colour = ("#f58fb8", "#3d7be8", "#85543a", "#45b25a", "#f3cf6b", "#8d58d6")[
            (number // 3) % 6
        ]
        hand.dab(0.5 - wide - 0.07, 0.4, colour, "hair")
        hand.dab(0.45, 0.12, colour, "hair")
    return {"name": f"{name}-{number:02d}", "version": 1, "actions": hand.actions}


def main() -> None:
    """Write all sketches."""
    sketches = [sketch(number) for number in range(40)]
    lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in sketches)
    FILE.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
