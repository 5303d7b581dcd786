"""Characters drawn from shapes, with exactly known alpha: a check that no network had a hand in.

Every shape is drawn at four times the size into the picture and into the mask, so that averaging
both down gives alpha and colours as a renderer would know them.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from avatargan.latents import FloatArray

_OVERSAMPLING = 4

Point = tuple[float, float]


@dataclass(frozen=True)
class DrawnCharacter:
    """Colours ``[3, S, S]`` multiplied by alpha, and alpha ``[1, S, S]``, in [0, 1]."""

    premultiplied: Tensor
    alpha: Tensor

    def over(self, background: Tensor) -> Tensor:
        """Return the picture over a background ``[3, S, S]``."""
        return self.premultiplied + (1 - self.alpha) * background


class _Canvas:
    def __init__(self, size: int, ink: tuple[int, ...], line: float) -> None:
        self.side = size * _OVERSAMPLING
        self.picture = Image.new("RGB", (self.side, self.side))
        self.mask = Image.new("L", (self.side, self.side))
        self.ink, self.line = ink, max(1, round(line * self.side))

    def shape(self, points: list[Point], colour: tuple[int, ...], outlined: bool = True) -> None:
        """Fill a polygon, given in parts of the side."""
        pixels = [(x * self.side, y * self.side) for x, y in points]
        for image, fill, stroke in (
            (self.picture, colour, self.ink),
            (self.mask, 255, 255),
        ):
            draw = ImageDraw.Draw(image)
            draw.polygon(pixels, fill=fill)
            if outlined:
                draw.line([*pixels, pixels[0]], fill=stroke, width=self.line, joint="curve")

    def finish(self) -> DrawnCharacter:
        mask = _average(np.asarray(self.mask)[..., None])
        covered = np.asarray(self.picture) * (np.asarray(self.mask)[..., None] > 0)
        return DrawnCharacter(_average(covered), mask)


def _average(pixels: NDArray[np.uint8]) -> Tensor:
    side = pixels.shape[0] // _OVERSAMPLING
    blocks = pixels.reshape(side, _OVERSAMPLING, side, _OVERSAMPLING, -1).mean((1, 3)) / 255
    return torch.from_numpy(blocks).float().permute(2, 0, 1)


def draw_character(
    seed: int, size: int = 512, hair: tuple[int, int, int] | None = None
) -> DrawnCharacter:
    """Draw a head with strands of hair, gaps between them, neck and shoulders.

    Args:
        seed: decides everything but what is given.
        size: side in pixels.
        hair: RGB; random by default.
    """
    random = np.random.Generator(np.random.Philox(seed))
    hair = hair or _hair_colour(random)
    skin = _shade((255, 226, 205), random.uniform(0.85, 1.0))
    ink = _shade(hair, random.uniform(0.15, 0.55))
    canvas = _Canvas(size, ink, random.uniform(0.003, 0.007))
    head = random.uniform(0.24, 0.31)  # half the width of the face
    x, y = 0.5 + random.uniform(-0.06, 0.06), random.uniform(0.5, 0.56)
    _draw_back_hair(canvas, x, y, head, hair, random)
    _draw_body(canvas, x, y, head, skin, random)
    canvas.shape(_face(x, y, head), skin)
    _draw_eyes(canvas, x, y, head, random)
    _draw_front_hair(canvas, x, y, head, hair, random)
    return canvas.finish()


def _hair_colour(random: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = random.integers(30, 250, 3)
    return int(red), int(green), int(blue)


def _shade(colour: tuple[int, ...], factor: float) -> tuple[int, ...]:
    return tuple(round(channel * factor) for channel in colour)


def _face(x: float, y: float, head: float) -> list[Point]:
    points = []
    for angle in np.linspace(0, 2 * math.pi, 60, endpoint=False):
        chin = max(math.sin(angle), 0) ** 3
        width = head * (1 - 0.45 * chin)
        points.append((x + width * math.cos(angle), y + head * 1.08 * math.sin(angle)))
    return points


def _strand(root: Point, tip: Point, width: float, bend: float) -> list[Point]:
    """A tapered, bent strand."""
    (x0, y0), (x1, y1) = root, tip
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    normal_x, normal_y = -(y1 - y0) / length, (x1 - x0) / length
    left, right = [], []
    for t in np.linspace(0, 1, 24):
        swing = bend * math.sin(math.pi * t)
        cx, cy = x0 + (x1 - x0) * t + normal_x * swing, y0 + (y1 - y0) * t + normal_y * swing
        half = width / 2 * (1 - t**1.5)
        left.append((cx + normal_x * half, cy + normal_y * half))
        right.append((cx - normal_x * half, cy - normal_y * half))
    return left + right[::-1]


def _draw_back_hair(
    canvas: _Canvas,
    x: float,
    y: float,
    head: float,
    hair: tuple[int, ...],
    random: np.random.Generator,
) -> None:
    shadow = _shade(hair, 0.85)
    length = random.uniform(0.25, 0.75)
    for _ in range(int(random.integers(10, 18))):
        side = random.uniform(-1.15, 1.15)
        root = (x + head * side * 0.9, y - head * 0.6)
        tip = (
            x + head * side * random.uniform(1.2, 1.75),
            y + head * 0.2 + length * random.random(),
        )
        canvas.shape(_strand(root, tip, random.uniform(0.06, 0.13), random.normal(0, 0.03)), shadow)
    # Fine strands that stand off, with background between them and the rest.
    for _ in range(int(random.integers(4, 10))):
        side = random.choice([-1, 1])
        root = (x + side * head * 0.8, y - head * random.uniform(0.2, 1.0))
        tip = (x + side * head * random.uniform(1.4, 2.0), y + random.uniform(-0.1, 0.4))
        canvas.shape(_strand(root, tip, random.uniform(0.012, 0.035), side * 0.08), hair)


def _draw_body(
    canvas: _Canvas,
    x: float,
    y: float,
    head: float,
    skin: tuple[int, ...],
    random: np.random.Generator,
) -> None:
    clothes = tuple(int(channel) for channel in random.integers(20, 240, 3))
    shoulder = y + head * random.uniform(1.3, 1.45)
    width = head * random.uniform(1.1, 1.7)
    neck = head * 0.28
    canvas.shape(
        [
            (x - neck, shoulder - 0.02),
            (x + neck, shoulder - 0.02),
            (x + width, shoulder + 0.08),
            (x + width * 1.15, 1.1),
            (x - width * 1.15, 1.1),
            (x - width, shoulder + 0.08),
        ],
        clothes,
    )
    canvas.shape(
        [(x - neck, y + head * 0.7), (x + neck, y + head * 0.7), (x + neck, shoulder + 0.02),
         (x, shoulder + 0.09), (x - neck, shoulder + 0.02)],
        _shade(skin, 0.93),
    )  # fmt: skip


def _draw_eyes(
    canvas: _Canvas, x: float, y: float, head: float, random: np.random.Generator
) -> None:
    iris = tuple(int(channel) for channel in random.integers(20, 200, 3))
    for side in (-1, 1):
        centre = (x + side * head * 0.45, y + head * 0.15)
        canvas.shape(_oval(centre, head * 0.22, head * 0.24), (252, 252, 252))
        canvas.shape(_oval(centre, head * 0.15, head * 0.21), iris)
        canvas.shape(_oval(centre, head * 0.07, head * 0.11), (20, 20, 30), outlined=False)
        shine = (centre[0] - head * 0.05, centre[1] - head * 0.1)
        canvas.shape(_oval(shine, head * 0.05, head * 0.05), (255, 255, 255), outlined=False)
    mouth = [
        (x - head * 0.12, y + head * 0.68),
        (x, y + head * 0.7),
        (x + head * 0.12, y + head * 0.68),
    ]
    canvas.shape([*mouth, (x, y + head * 0.73)], (190, 90, 90), outlined=False)


def _oval(centre: Point, width: float, height: float) -> list[Point]:
    angles: FloatArray = np.linspace(0, 2 * math.pi, 40, endpoint=False, dtype=np.float32)
    return [
        (centre[0] + width * math.cos(angle), centre[1] + height * math.sin(angle))
        for angle in angles.tolist()
    ]


def _draw_front_hair(
    canvas: _Canvas,
    x: float,
    y: float,
    head: float,
    hair: tuple[int, ...],
    random: np.random.Generator,
) -> None:
    top = y - head * random.uniform(1.2, 1.4)
    cap = [
        (
            x + head * 1.12 * math.cos(angle),
            y - head * 0.25 + (y - head * 0.25 - top) * -math.sin(angle),
        )
        for angle in np.linspace(0, math.pi, 40)
    ]
    fringe = [(x + head * t, y - head * 0.35) for t in np.linspace(-0.95, 0.95, 5)]
    canvas.shape([*cap, *fringe], hair)
    for t in np.linspace(-0.95, 0.95, int(random.integers(6, 10))):
        root = (x + head * t * 0.7, y - head * 0.85)
        tip = (x + head * t * 1.1, y + head * random.uniform(-0.25, 0.05))
        canvas.shape(_strand(root, tip, head * 0.45, random.normal(0, 0.02)), hair)
    for side in (-1, 1):
        root = (x + side * head * 0.95, y - head * 0.6)
        tip = (x + side * head * random.uniform(0.95, 1.3), y + head * random.uniform(0.6, 1.8))
        canvas.shape(_strand(root, tip, head * 0.4, -side * random.uniform(0, 0.05)), hair)
    shine = _strand(
        (x - head * 0.5, top + head * 0.45), (x + head * 0.5, top + head * 0.45), 0.03, -0.03
    )
    lighter = tuple(min(255, channel + 40) for channel in hair)
    canvas.shape(shine, lighter, outlined=False)
