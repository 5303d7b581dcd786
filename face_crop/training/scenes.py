"""Scenes to learn from: whole small pictures, and where every face in them is."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from face_crop.boxes import Box, BoxArray, boxes_to_array
from face_crop.pyramid import Pyramid
from face_crop.training import painting
from face_crop.training.painting import Picture
from face_crop.training.portraits import Placement, Portrait, paste, warped
from face_crop.training.styles import restyled


@dataclass(frozen=True)
class BoxedPicture:
    """A picture whose faces somebody boxed.

    Attributes:
        name: the file.
        picture: uint8 RGB ``[H, W, 3]``.
        boxes: the faces, all of them.
        angles: by how many degrees each is tilted, clockwise.
        ignored: what may or may not count as a face.
    """

    name: str
    picture: Picture
    boxes: tuple[Box, ...]
    angles: tuple[float, ...]
    ignored: tuple[Box, ...] = ()


def without_fold(pictures: list[BoxedPicture], fold: int, folds: int) -> list[BoxedPicture]:
    """Return the pictures but every ``folds``-th, from the ``fold``-th on."""
    return [picture for index, picture in enumerate(pictures) if index % folds != fold]


@dataclass(frozen=True)
class Scene:
    """A picture to learn from.

    Attributes:
        picture: uint8 RGB ``[S, S, 3]``.
        boxes: its faces ``[N, 4]``.
        angles: by how many degrees each is tilted, clockwise, ``[N]``.
        ignored: what is too much cut off or turned away to be a face for sure, ``[N, 4]``.
    """

    picture: Picture
    boxes: BoxArray
    angles: NDArray[np.float32]
    ignored: BoxArray


class SceneMaker:
    """Makes scenes of a size from portraits and boxed pictures, as many as are wanted.

    Args:
        portraits: groups of portraits; each group is drawn from equally often.
        boxed: pictures boxed by hand, may be none.
        size: side of the scenes in pixels.
        boxed_share: share of the scenes that show a part of a boxed picture.
    """

    def __init__(
        self,
        portraits: Sequence[Sequence[Portrait]],
        boxed: Sequence[BoxedPicture] = (),
        size: int = 256,
        boxed_share: float = 0.4,
    ) -> None:
        self._portraits = [group for group in portraits if len(group)]
        self._boxed = list(boxed)
        self._pyramids = [Pyramid(whole.picture) for whole in self._boxed]
        self._size = size
        self._boxed_share = boxed_share if self._boxed else 0.0

    def make(self, random: np.random.Generator) -> Scene:
        """Return one scene."""
        if random.random() < self._boxed_share:
            scene = self._part_of_boxed(random)
        else:
            scene = self._composed(random)
        return dataclasses.replace(scene, picture=restyled(scene.picture, random))

    def _portrait(self, random: np.random.Generator) -> Portrait:
        group = self._portraits[int(random.integers(len(self._portraits)))]
        portrait = group[int(random.integers(len(group)))]
        if random.random() < 0.5:
            portrait = portrait.mirrored()
        return warped(portrait, random) if random.random() < 0.6 else portrait

    def _composed(self, random: np.random.Generator) -> Scene:
        size = self._size
        canvas = self._ground(random)
        for _ in range(int(random.integers(0, 4))):
            self._distract(canvas, random)
        placed: list[Placement] = []
        covered = np.zeros((size, size), bool)
        for _ in range(int(random.choice([0, 1, 1, 1, 2, 2, 3]))):
            side = size * np.exp(random.uniform(np.log(0.08), np.log(0.62)))
            place = Placement(
                x=random.uniform(0.35 * side, size - 0.35 * side),
                y=random.uniform(0.35 * side, size - 0.35 * side),
                side=side,
                angle=float(np.clip(random.normal(0, 13), -45, 45)),
                stretch=float(np.exp(random.normal(0, 0.13))),
            )
            around = place.box.enlarged(1.5)
            top, left = max(int(around.y), 0), max(int(around.x), 0)
            if covered[top : int(around.bottom) + 1, left : int(around.right) + 1].any():
                continue
            portrait = self._portrait(random)
            if portrait.alpha is not None and random.random() < 0.7:
                chin = (place.x, place.y + side * 0.5)
                painting.body(canvas, chin, side, random, covered)
            got = paste(canvas, portrait, place)
            covered |= got > 0
            placed.append(place)
            if random.random() < 0.15:
                painting.cover(canvas, place.x, place.y, side, random)
        return Scene(
            canvas,
            boxes_to_array([place.box for place in placed]),
            np.array([place.angle for place in placed], np.float32),
            boxes_to_array([]),
        )

    def _ground(self, random: np.random.Generator) -> Picture:
        """Return a canvas without faces, drawn or from a boxed picture."""
        size = self._size
        if self._boxed and random.random() < 0.6:
            for _ in range(8):
                part = self._part_of_boxed(random, faces=False)
                if not len(part.boxes) and not len(part.ignored):
                    return part.picture
        return painting.background((size, size), random)

    def _distract(self, canvas: Picture, random: np.random.Generator) -> None:
        """Paste what has the colours of a portrait and shows no face."""
        portrait = self._portrait(random)
        side = portrait.picture.shape[0]
        if random.random() < 0.5:
            piece = painting.shuffled(portrait.picture, random, int(random.choice([3, 4])))
        else:
            low = int(side * random.uniform(0.68, 0.8))
            piece = np.ascontiguousarray(portrait.picture[low:])
        target = int(self._size * random.uniform(0.1, 0.5))
        height = max(target * piece.shape[0] // piece.shape[1], 2)
        piece = np.asarray(
            cv2.resize(piece, (target, height), interpolation=cv2.INTER_AREA), np.uint8
        )
        x, y = (int(random.integers(0, max(self._size - s, 1))) for s in (target, height))
        canvas[y : y + height, x : x + target] = piece[: self._size - y, : self._size - x]

    def _part_of_boxed(self, random: np.random.Generator, faces: bool = True) -> Scene:
        """Return a turned, scaled and perhaps mirrored part of a boxed picture."""
        size = self._size
        number = int(random.integers(len(self._boxed)))
        whole = self._boxed[number]
        height, width = whole.picture.shape[:2]
        longest = max(height, width)
        if whole.boxes and faces and random.random() < 0.75:
            box = whole.boxes[random.integers(len(whole.boxes))]
            face = (box.width * box.height) ** 0.5
            side = size * np.exp(random.uniform(np.log(0.085), np.log(0.6)))
            # Neither enlarged beyond recognition nor much smaller than the whole picture.
            scale = float(np.clip(side / face, 0.6 * size / longest, 2.0))
            x, y = box.centre
            reach = max(size / 2 - 0.4 * face * scale, 0)
            to_x, to_y = (size / 2 + random.uniform(-reach, reach) for _ in range(2))
        else:
            scale = size / longest * np.exp(random.uniform(np.log(0.9), np.log(4.0)))
            x, y = random.uniform(0, width), random.uniform(0, height)
            to_x = to_y = size / 2
        tilt = float(random.normal(0, 10))
        angle = np.radians(tilt)
        mirror = -1.0 if random.random() < 0.5 else 1.0
        stretch = float(np.exp(random.normal(0, 0.08)))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn @ np.diag([mirror * scale * stretch, scale / stretch])
        shift = np.array([to_x, to_y]) - matrix @ (x, y)
        level, pixels = self._pyramids[number].for_scale(scale)
        part = cv2.warpAffine(
            level,
            np.concatenate([matrix @ np.diag(pixels), shift[:, None]], 1),
            (size, size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT if random.random() < 0.5 else cv2.BORDER_REPLICATE,
            borderValue=(255, 255, 255) if random.random() < 0.5 else (0, 0, 0),
        )
        inside: list[Box] = []
        angles: list[float] = []
        unsure: list[Box] = []
        known = len(whole.boxes)
        for index, box in enumerate((*whole.boxes, *whole.ignored)):
            middle = matrix @ box.centre + shift
            side = float((box.width * box.height) ** 0.5 * scale)
            face = Box(float(middle[0] - side / 2), float(middle[1] - side / 2), side, side)
            seen = _seen_share(face, size)
            if index < known and seen > 0.6:
                inside.append(face)
                angles.append(tilt + mirror * whole.angles[index])
            elif seen > 0:
                unsure.append(face)
        picture = np.asarray(part, np.uint8)
        if inside and random.random() < 0.4:
            face = inside[int(random.integers(len(inside)))]
            picture = warped(Portrait(picture, None, face), random).picture
        return Scene(
            picture,
            boxes_to_array(inside),
            np.array(angles, np.float32),
            boxes_to_array(unsure),
        )


def _seen_share(box: Box, size: int) -> float:
    """Return the share of a box that is inside a square canvas."""
    width = min(box.right, size) - max(box.x, 0)
    height = min(box.bottom, size) - max(box.y, 0)
    return max(width, 0) * max(height, 0) / box.area
