"""Portraits whose face box is known, and pasting them into pictures."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avatargan.matting import Matter
from face_crop.boxes import Box
from face_crop.pyramid import Pyramid
from face_crop.training.painting import Picture

#: Crops of faces are about 1.5 times the face, which is in the middle.
FACE_SHARE = 0.7
#: The same for what the generator draws in the style that is framed more widely.
TV_FACE_SHARE = 0.61


@dataclass(frozen=True)
class Portrait:
    """A square picture with one face.

    Attributes:
        picture: uint8 RGB ``[S, S, 3]``.
        alpha: uint8 ``[S, S]``, what belongs to the character; None where all of it is pasted.
        box: the face, in pixels of the picture.
    """

    picture: Picture
    alpha: NDArray[np.uint8] | None
    box: Box

    def resized(self, size: int) -> "Portrait":
        """Return the portrait with sides of another length, without alpha."""
        factor = size / self.picture.shape[1]
        picture = cv2.resize(self.picture, (size, size), interpolation=cv2.INTER_AREA)
        box = self.box
        scaled = Box(box.x * factor, box.y * factor, box.width * factor, box.height * factor)
        return Portrait(np.asarray(picture, np.uint8), None, scaled)

    def mirrored(self) -> "Portrait":
        """Return the mirror image."""
        alpha = None if self.alpha is None else np.ascontiguousarray(self.alpha[:, ::-1])
        left = self.picture.shape[1] - self.box.right
        box = Box(left, self.box.y, self.box.width, self.box.height)
        return Portrait(np.ascontiguousarray(self.picture[:, ::-1]), alpha, box)


def warped(portrait: Portrait, random: np.random.Generator) -> Portrait:
    """Return a portrait with another face: eyes of another size, turned a little, longer, uneven.

    Crops to learn from are of young characters seen from the front. These warps lead some way to
    other ages and views; the box stays.
    """
    height, width = portrait.picture.shape[:2]
    side = (portrait.box.width * portrait.box.height) ** 0.5
    middle_x, middle_y = portrait.box.centre
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    u = ((across - middle_x) / side).astype(np.float32)
    v = ((down - middle_y) / side).astype(np.float32)
    from_u, from_v = u.copy(), v.copy()
    shrink = random.uniform(-0.25, 0.9)
    for eye in (-0.2, 0.2):
        near = np.clip(1 - ((u - eye) ** 2 + (v - 0.02) ** 2) / 0.2**2, 0, 1) ** 2
        from_u += shrink * near * (u - eye)
        from_v += shrink * near * (v - 0.02)
    face = np.clip(1 - (u**2 + v**2) / 0.55**2, 0, 1)
    from_u += random.normal(0, 0.08) * face
    from_v += random.normal(0, 0.05) * face
    waves = random.normal(0, 0.02, (2, 5, 5)).astype(np.float32)
    from_u += cv2.resize(waves[0], (width, height), interpolation=cv2.INTER_CUBIC)
    from_v += cv2.resize(waves[1], (width, height), interpolation=cv2.INTER_CUBIC)
    map_x = (from_u * side + middle_x).astype(np.float32)
    map_y = (from_v * side + middle_y).astype(np.float32)

    def moved(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        border = cv2.BORDER_REPLICATE
        return np.asarray(
            cv2.remap(values, map_x, map_y, cv2.INTER_LINEAR, borderMode=border), np.uint8
        )

    alpha = None if portrait.alpha is None else moved(portrait.alpha)
    return Portrait(moved(portrait.picture), alpha, portrait.box)


def face_share(style: str | None) -> float:
    """Return which part of the side of a generated picture the face takes."""
    return TV_FACE_SHARE if style == "tv" else FACE_SHARE


def cut_out(image: Image.Image, matter: Matter, share: float) -> Portrait:
    """Return the character of a square picture; the face is a square in the middle of it."""
    rgba = np.asarray(matter.cut_out(image))
    margin, side = image.width * (1 - share) / 2, image.width * share
    box = Box(margin, margin, side, side)
    return Portrait(np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3]), box)


@dataclass(frozen=True)
class Placement:
    """Where a face goes.

    Attributes:
        x, y: middle of the face, in pixels of the canvas.
        side: side of its box.
        angle: degrees of tilt, clockwise.
        stretch: how much wider than high it becomes.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0
    stretch: float = 1.0

    @property
    def box(self) -> Box:
        """The upright square around the face."""
        return Box(self.x - self.side / 2, self.y - self.side / 2, self.side, self.side)


def paste(canvas: Picture, portrait: Portrait, placement: Placement) -> NDArray[np.uint8]:
    """Paste a portrait so that its face has a placement; return how much each pixel got of it.

    Returns:
        uint8 ``[H, W]``, 0 where the canvas is as it was.
    """
    picture = portrait.picture
    alpha = portrait.alpha
    if alpha is None:
        alpha = np.full(picture.shape[:2], 255, np.uint8)
    scale = placement.side / ((portrait.box.width * portrait.box.height) ** 0.5)
    angle = np.radians(placement.angle)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([scale * placement.stretch**0.5, scale / placement.stretch**0.5])
    shift = np.array([placement.x, placement.y]) - matrix @ portrait.box.centre
    layers, pixels = Pyramid(np.dstack([picture, alpha])).for_scale(scale)
    warp = np.concatenate([matrix @ np.diag(pixels), shift[:, None]], 1)
    size = (canvas.shape[1], canvas.shape[0])
    colours = cv2.warpAffine(
        layers[..., :3], warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    cover = np.asarray(cv2.warpAffine(layers[..., 3], warp, size), np.uint8)
    share = cover[..., None].astype(np.float32) / 255
    mixed = canvas + share * (colours.astype(np.float32) - canvas)
    np.copyto(canvas, (mixed + 0.5).astype(np.uint8))
    return cover
