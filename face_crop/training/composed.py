"""Composed scenes: drawn avatars in drawn surroundings, with exact truth for boxes and colours.

They stand in for illustrations where there are none: for tests, for figures that anyone can
reproduce, and for trying the cropper on a fresh machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from avatargan.matting import Matter, load_matter
from avatargan.pipeline import AvatarPipeline
from face_crop.boxes import Box
from face_crop.training import painting
from face_crop.training.painting import Picture
from face_crop.training.portraits import Placement, Portrait, cut_out, face_share, paste

#: Avatars of composed scenes have seeds from here on; training draws none of them.
FIRST_SEED = 1_000_000


@dataclass(frozen=True)
class ComposedFace:
    """One avatar in a scene.

    Attributes:
        box: its face, the upright square around it.
        angle: degrees by which it is tilted clockwise.
        choices: what was drawn, by attribute (hair, eyes, style, ...).
    """

    box: Box
    angle: float
    choices: Mapping[str, str]


@dataclass(frozen=True)
class ComposedScene:
    """A picture, uint8 RGB ``[H, W, 3]``, and all the faces in it."""

    picture: Picture
    faces: tuple[ComposedFace, ...]


class SceneComposer:
    """Composes scenes; the same seed gives the same scene.

    Args:
        pipeline: draws the avatars (the shipped weights by default).
        matter: cuts them out (the shipped weights by default).
        size: longer side of the scenes in pixels.
        largest_tilt: degrees up to which faces are tilted.
    """

    def __init__(
        self,
        pipeline: AvatarPipeline | None = None,
        matter: Matter | None = None,
        size: int = 1000,
        largest_tilt: float = 20.0,
    ) -> None:
        self._pipeline = pipeline or AvatarPipeline.load(device="cpu")
        self._matter = matter or load_matter()
        self._size = size
        self._largest_tilt = largest_tilt

    def compose(self, seed: int) -> ComposedScene:
        """Return a scene with one to three faces, or none in every tenth."""
        random = np.random.default_rng(seed)
        shorter = int(self._size * random.uniform(0.55, 1))
        shape = (self._size, shorter) if random.random() < 0.7 else (shorter, self._size)
        canvas = painting.background(shape, random)
        for _ in range(int(random.integers(0, 8))):
            painting.scribble(canvas, random)
        count = 0 if random.random() < 0.1 else int(random.integers(1, 4))
        faces: list[ComposedFace] = []
        covered = np.zeros(shape, bool)
        for index in range(count):
            place = self._place(shape, random)
            avatar_seed = FIRST_SEED + 4 * seed + index
            portrait, choices = self._avatar(avatar_seed, place.side, random)
            if _touches(covered, place.box.enlarged(1.7)):
                continue
            if random.random() < 0.7:
                chin = (place.x, place.y + place.side * 0.5)
                painting.body(canvas, chin, place.side, random, covered)
            covered |= paste(canvas, portrait, place) > 0
            faces.append(ComposedFace(place.box, place.angle, choices))
        self._distract(canvas, covered, seed, random)
        return ComposedScene(canvas, tuple(faces))

    def _place(self, shape: tuple[int, int], random: np.random.Generator) -> Placement:
        side = self._size * float(np.exp(random.uniform(np.log(0.06), np.log(0.33))))
        side = min(side, min(shape) / 1.6)
        reach = 0.75 * side
        return Placement(
            x=random.uniform(reach, shape[1] - reach),
            y=random.uniform(reach, shape[0] - reach),
            side=side,
            angle=random.uniform(-1, 1) * self._largest_tilt,
        )

    def _avatar(
        self, seed: int, side: float, random: np.random.Generator
    ) -> tuple[Portrait, Mapping[str, str]]:
        attributes = self._pipeline.attributes
        choices = {name: str(random.choice(attributes.offered(name))) for name in attributes}
        size = next(s for s in (128, 256, 512) if s >= 1.5 * side or s == 512)
        avatar = self._pipeline.generate(seed, size=size, **choices)[0]  # type: ignore[arg-type]
        share = face_share(choices.get(attributes.identity or ""))
        portrait = cut_out(avatar.image, self._matter, share)
        return portrait.mirrored() if random.random() < 0.5 else portrait, choices

    def _distract(
        self, canvas: Picture, covered: np.ndarray, seed: int, random: np.random.Generator
    ) -> None:
        """Paste shuffled avatars, which have the colours of a face and are none."""
        for index in range(int(random.integers(0, 3))):
            side = int(self._size * random.uniform(0.08, 0.25))
            x = int(random.integers(0, canvas.shape[1] - side))
            y = int(random.integers(0, canvas.shape[0] - side))
            if covered[y : y + side, x : x + side].any():
                continue
            drawn = self._pipeline.generate(FIRST_SEED - 1 - 4 * seed - index, size=128)[0]
            piece = painting.shuffled(np.asarray(drawn.image.convert("RGB")), random)
            canvas[y : y + side, x : x + side] = cv2.resize(piece, (side, side))


def _touches(covered: np.ndarray, box: Box) -> bool:
    top, left = max(int(box.y), 0), max(int(box.x), 0)
    return bool(covered[top : int(box.bottom) + 1, left : int(box.right) + 1].any())
