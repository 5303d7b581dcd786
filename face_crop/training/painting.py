"""Drawn surroundings for faces: backgrounds, bodies, distractors and covers.

All drawing is OpenCV's on uint8 RGB arrays ``[H, W, 3]`` and depends on the generator alone.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def random_colour(random: np.random.Generator) -> tuple[int, int, int]:
    """Return any colour."""
    red, green, blue = random.integers(0, 256, 3).tolist()
    return red, green, blue


def skin_colour(random: np.random.Generator) -> tuple[int, int, int]:
    """Return a colour that faces have in drawings."""
    light = random.uniform(0.55, 1)
    red, green, blue = (np.array([255, 224, 200]) * light + random.normal(0, 8, 3)).clip(0, 255)
    return int(red), int(green), int(blue)


def background(size: tuple[int, int], random: np.random.Generator) -> Picture:
    """Return a drawn background of ``(height, width)``: flat, shaded, cloudy, patterned, busy."""
    kind = random.choice(
        ["flat", "shaded", "cloudy", "patterned", "busy"], p=[0.2, 0.2, 0.2, 0.15, 0.25]
    )
    if kind == "flat":
        colour = (255, 255, 255) if random.random() < 0.4 else random_colour(random)
        return np.full((*size, 3), colour, np.uint8)
    if kind == "patterned":
        return _patterned(size, random)
    shades = _shaded(size, random)
    if kind != "shaded":
        shades = shades + np.float32(random.uniform(20, 90)) * _clouds(size, random)
    picture = _to_uint8(shades)
    if kind == "busy":
        for _ in range(int(random.integers(4, 25))):
            scribble(picture, random)
    return picture


def scribble(picture: Picture, random: np.random.Generator) -> None:
    """Draw one shape somewhere: a disc, polygon, curve, box, text or a row of spots."""
    height, width = picture.shape[:2]
    side = float(min(height, width))
    x, y = random.uniform(0, width), random.uniform(0, height)
    radius = side * random.uniform(0.02, 0.3)
    colour = random_colour(random) if random.random() < 0.8 else skin_colour(random)
    ink = (30, 25, 25) if random.random() < 0.6 else random_colour(random)
    line = int(random.integers(1, 2 + int(side / 80)))
    kind = random.integers(6)
    if kind == 0:
        axes = (int(radius) + 1, int(radius * random.uniform(0.3, 1)) + 1)
        angle = random.uniform(0, 180)
        cv2.ellipse(picture, (int(x), int(y)), axes, angle, 0, 360, colour, -1, cv2.LINE_AA)
        cv2.ellipse(picture, (int(x), int(y)), axes, angle, 0, 360, ink, line, cv2.LINE_AA)
    elif kind == 1:
        count = int(random.integers(3, 9))
        angles = np.sort(random.uniform(0, 2 * np.pi, count))
        reach = radius * random.uniform(0.4, 1.3, count)
        points = np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], 1)
        cv2.fillPoly(picture, [points.astype(np.int32)], colour, cv2.LINE_AA)
        cv2.polylines(picture, [points.astype(np.int32)], True, ink, line, cv2.LINE_AA)
    elif kind == 2:
        steps = random.normal(0, radius / 3, (12, 2)).cumsum(0)
        points = (steps.cumsum(0) / 3 + (x, y)).astype(np.int32)
        cv2.polylines(picture, [points], False, ink, line, cv2.LINE_AA)
    elif kind == 3:
        corner = (int(x + radius), int(y + radius * random.uniform(0.2, 1.5)))
        cv2.rectangle(
            picture, (int(x), int(y)), corner, colour, -1 if random.random() < 0.6 else line
        )
    elif kind == 4:
        letters = "".join(chr(c) for c in random.integers(33, 126, int(random.integers(2, 9))))
        font = int(random.integers(0, 8))
        cv2.putText(
            picture, letters, (int(x), int(y)), font, radius / 30, colour, line, cv2.LINE_AA
        )
    else:
        spots = int(random.integers(2, 7))
        step = radius * random.uniform(0.5, 1.2)
        spot = max(int(radius / 4), 1)
        for i in range(spots):
            cv2.circle(picture, (int(x + i * step), int(y)), spot, colour, -1, cv2.LINE_AA)
            cv2.circle(picture, (int(x + i * step), int(y)), spot, ink, line, cv2.LINE_AA)


def body(
    picture: Picture,
    chin: tuple[float, float],
    side: float,
    random: np.random.Generator,
    in_front: NDArray[np.bool_],
) -> None:
    """Draw a neck, shoulders and clothes under a face.

    Args:
        picture: is drawn on.
        chin: x and y of the chin.
        side: of the face.
        random: decides shape and colours.
        in_front: ``[H, W]``, which pixels stay as they are: a body painted over a face that is
            there already would hide what the truth says can be seen.
    """
    before = picture[in_front]
    x, y = chin
    skin = skin_colour(random)
    ink = (40, 30, 30)
    line = max(int(side / 40), 1)
    neck, drop = side * random.uniform(0.12, 0.25), side * random.uniform(0.2, 0.45)
    throat = np.array(
        [
            (x - neck, y - side / 8),
            (x + neck, y - side / 8),
            (x + neck, y + drop),
            (x - neck, y + drop),
        ]
    )
    cv2.fillPoly(picture, [throat.astype(np.int32)], skin, cv2.LINE_AA)
    wide, hem = side * random.uniform(0.6, 1.1), side * random.uniform(1.5, 5)
    slope, waist = side * random.uniform(0.1, 0.4), side * random.uniform(0.4, 1.0)
    left = [
        (x - neck, y + drop * 0.6),
        (x - wide, y + drop + slope),
        (x - wide * 1.15, y + hem / 2),
    ]
    right = [(2 * x - px, py + random.normal(0, side / 10)) for px, py in reversed(left)]
    outline = [*left, (x - waist, y + hem), (x + waist, y + hem), *right]
    cloth = np.array(outline).astype(np.int32)
    cv2.fillPoly(picture, [cloth], random_colour(random), cv2.LINE_AA)
    cv2.polylines(picture, [cloth], True, ink, line, cv2.LINE_AA)
    collar = np.array(
        [(x - neck, y + drop * 0.6), (x, y + drop + side * 0.3), (x + neck, y + drop * 0.6)]
    )
    cv2.fillPoly(picture, [collar.astype(np.int32)], random_colour(random), cv2.LINE_AA)
    for _ in range(int(random.integers(0, 6))):
        start = (int(x + random.uniform(-wide, wide)), int(y + drop + random.uniform(0, hem)))
        end = (int(start[0] + random.normal(0, side / 3)), int(start[1] + random.uniform(0, side)))
        cv2.line(picture, start, end, ink, line, cv2.LINE_AA)
    picture[in_front] = before


def cover(picture: Picture, x: float, y: float, side: float, random: np.random.Generator) -> None:
    """Lay a hand-sized shape over the edge of a face whose middle is at a point."""
    angle = random.uniform(0, 2 * np.pi)
    away = side * random.uniform(0.45, 0.6)
    centre = (int(x + away * np.cos(angle)), int(y + away * np.sin(angle)))
    colour = skin_colour(random) if random.random() < 0.5 else random_colour(random)
    axes = (
        max(int(side * random.uniform(0.1, 0.3)), 1),
        max(int(side * random.uniform(0.2, 0.45)), 1),
    )
    turn = random.uniform(0, 180)
    cv2.ellipse(picture, centre, axes, turn, 0, 360, colour, -1, cv2.LINE_AA)
    cv2.ellipse(
        picture, centre, axes, turn, 0, 360, (40, 30, 30), max(int(side / 50), 1), cv2.LINE_AA
    )


def shuffled(piece: Picture, random: np.random.Generator, blocks: int = 4) -> Picture:
    """Return a square picture with its blocks in another order: colours of a face, but no face."""
    side = piece.shape[0] // blocks * blocks
    tiles = piece[:side, :side].reshape(blocks, side // blocks, blocks, side // blocks, 3)
    tiles = tiles.transpose(0, 2, 1, 3, 4).reshape(
        blocks * blocks, side // blocks, side // blocks, 3
    )
    tiles = tiles[random.permutation(len(tiles))]
    tiles = tiles.reshape(blocks, blocks, side // blocks, side // blocks, 3).transpose(
        0, 2, 1, 3, 4
    )
    return np.ascontiguousarray(tiles.reshape(side, side, 3))


def _shaded(size: tuple[int, int], random: np.random.Generator) -> NDArray[np.float32]:
    corners = random.uniform(0, 255, (2, 2, 3)).astype(np.float32)
    if random.random() < 0.4:  # most painted grounds are of one hue
        corners = corners.mean((0, 1), keepdims=True) + 0.4 * (corners - corners.mean((0, 1)))
    shaded = cv2.resize(corners, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(shaded, np.float32)


def _clouds(size: tuple[int, int], random: np.random.Generator) -> NDArray[np.float32]:
    total = np.zeros((*size, 3), np.float32)
    for cells, weight in ((3, 1.0), (8, 0.6), (24, 0.4), (64, 0.25)):
        noise = random.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        noise = 0.7 * noise.mean(-1, keepdims=True) + 0.5 * noise
        total += weight * cv2.resize(noise, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return total


def _patterned(size: tuple[int, int], random: np.random.Generator) -> Picture:
    across, down = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    period = random.uniform(8, 60)
    angle = random.uniform(0, np.pi)
    u = (across * np.cos(angle) + down * np.sin(angle)) / period
    v = (-across * np.sin(angle) + down * np.cos(angle)) / period
    kind = random.integers(3)
    if kind == 0:
        mask = u % 1 < random.uniform(0.2, 0.8)
    elif kind == 1:
        mask = (u % 1 < 0.5) ^ (v % 1 < 0.5)
    else:
        mask = (u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < random.uniform(0.03, 0.2)
    first, second = np.array([random_colour(random), random_colour(random)], np.uint8)
    return np.asarray(np.where(mask[..., None], first, second), np.uint8)


def _to_uint8(values: NDArray[np.float32]) -> Picture:
    return values.clip(0, 255).astype(np.uint8)
