"""The second look: a small network that judges what the cascade found, and looks for itself.

It is needed because a cascade of grey patterns misses every third face of an illustration at any
setting. The network looks twice: once at the whole picture, for faces that the cascade missed,
and once more, closely, at every candidate of either, brought to the size that it knows best.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from avatargan.weights import read_weights, write_weights
from avatargan.weights_header import SECOND_LOOK_ROLE, SHIPPED_SECOND_LOOK, shipped_weights
from face_crop.boxes import BoxArray
from face_crop.network import (
    MULTIPLE,
    STRIDE,
    UNIT_SIDE,
    UNIT_TILT,
    Answer,
    FaceNetwork,
    FaceNetworks,
)
from face_crop.pyramid import Pyramid

#: Longer side of the copy in which the whole picture is looked at.
GLANCE_SIZE = 448
#: The same for large faces, with the part of the picture's longer side from which they count: at
#: 448 px a face that fills the picture is larger than any that the network learnt to see.
LARGE_GLANCES = ((224, 0.30), (128, 0.65))
#: Side of the part around a candidate that is looked at closely, and of the face in it.
CLOSE_SIZE = 96
CLOSE_FACE = 40.0
#: Cells around the middle of a close look in which the middle of the face may be.
_CLOSE_REACH = 2


@dataclass(frozen=True)
class Found:
    """Boxes with what the network says of each.

    Attributes:
        boxes: ``[N, 4]`` in pixels of the picture that was looked at.
        logits: log odds that it is a face, ``[N]``.
        tilts: degrees by which it is tilted clockwise, ``[N]``.
    """

    boxes: BoxArray
    logits: NDArray[np.float32]
    tilts: NDArray[np.float32]

    def subset(self, chosen: NDArray[np.bool_]) -> "Found":
        """Return some of them."""
        return Found(self.boxes[chosen], self.logits[chosen], self.tilts[chosen])


@dataclass(frozen=True)
class Glance:
    """What the network says of a whole picture.

    Attributes:
        answer: about the copy that it saw.
        zoom: pixels of the picture in one of the copy, across and down.
    """

    answer: Answer
    zoom: tuple[float, float]

    def likeliest(self, least_logit: float, most: int) -> Found:
        """Return the likeliest faces, the likeliest first."""
        found = likeliest(self.answer, least_logit, most)
        found.boxes[:] *= np.array(self.zoom * 2, np.float32)
        return found

    def logits_at(self, boxes: BoxArray) -> NDArray[np.float32]:
        """Return the log odds that there are faces in the middles of boxes ``[N, 4]``."""
        around = functional.max_pool2d(self.answer.logit, 3, 1, 1)[0].numpy()
        middles = (boxes[:, :2] + boxes[:, 2:] / 2) / np.array(self.zoom, np.float32) / STRIDE
        limits = np.array(around.shape[::-1]) - 1
        column, row = middles.astype(int).clip(0, limits).T
        return np.asarray(around[row, column])


@dataclass(frozen=True)
class CloseUps:
    """Parts of a picture around boxes, all of one size.

    Attributes:
        pictures: uint8 RGB ``[N, 96, 96, 3]``.
        corners: where their upper left corners are in the picture, ``[N, 2]``.
        scales: pixels of the picture in one of theirs, ``[N]``.
    """

    pictures: NDArray[np.uint8]
    corners: NDArray[np.float32]
    scales: NDArray[np.float32]


def close_ups(picture: NDArray[np.uint8], boxes: BoxArray) -> CloseUps:
    """Return what is around boxes ``[N, 4]``, scaled so that each becomes 40 pixels wide."""
    scales = np.sqrt(boxes[:, 2] * boxes[:, 3]) / np.float32(CLOSE_FACE)
    corners = boxes[:, :2] + boxes[:, 2:] / 2 - (scales * (CLOSE_SIZE / 2))[:, None]
    pictures = np.zeros((len(boxes), CLOSE_SIZE, CLOSE_SIZE, 3), np.uint8)
    pyramid = Pyramid(picture)
    for index, ((x, y), scale) in enumerate(zip(corners.tolist(), scales.tolist(), strict=True)):
        level, (across, down) = pyramid.for_scale(1 / scale)
        pictures[index] = cv2.warpAffine(
            level,
            np.array([[across / scale, 0, -x / scale], [0, down / scale, -y / scale]]),
            (CLOSE_SIZE, CLOSE_SIZE),
            flags=cv2.INTER_LINEAR,
            borderValue=(127,) * 3,
        )
    return CloseUps(pictures, corners, scales)


class SecondLook:
    """Runs the network on the CPU.

    Args:
        networks: see :func:`load_face_networks`.
    """

    def __init__(self, networks: FaceNetworks) -> None:
        self._networks = networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def glance(self, picture: NDArray[np.uint8], longer_side: int = GLANCE_SIZE) -> "Glance":
        """Look at a whole picture, uint8 RGB ``[H, W, 3]``, and at its mirror image.

        Args:
            picture: what is looked at.
            longer_side: of the copy that is looked at, in pixels.
        """
        height, width = picture.shape[:2]
        scale = longer_side / max(height, width)
        across, down = (max(round(side * scale / STRIDE), 1) for side in (width, height))
        size = (across * STRIDE, down * STRIDE)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)
        answer = _ask_both_ways(self._networks.glance, small[None])
        return Glance(answer, (width / size[0], height / size[1]))

    @torch.inference_mode()
    def closely(self, picture: NDArray[np.uint8], boxes: BoxArray) -> Found:
        """Look at candidates ``[N, 4]`` of a picture one by one, and at their mirror images.

        Returns:
            As many boxes, each where the face at that candidate is.
        """
        if not len(boxes):
            nothing = np.zeros(0, np.float32)
            return Found(boxes, nothing, nothing)
        views = close_ups(picture, boxes)
        answer = _ask_both_ways(self._networks.close, views.pictures)
        cells = CLOSE_SIZE // STRIDE
        low, high = cells // 2 - _CLOSE_REACH, cells // 2 + _CLOSE_REACH
        inner = answer.logit[:, low:high, low:high].flatten(1).argmax(1)
        row, column = inner // (high - low) + low, inner % (high - low) + low
        found = _read(answer, torch.arange(len(boxes)) * cells**2 + row * cells + column)
        found.boxes[:] *= views.scales[:, None]
        found.boxes[:, :2] += views.corners
        return found


def _ask_both_ways(network: FaceNetwork, pictures: NDArray[np.uint8]) -> Answer:
    """Return the mean of what a network says of pictures and of their mirror images.

    Args:
        network: the one to ask.
        pictures: uint8 RGB ``[B, H, W, 3]``, sides multiples of 8.
    """
    count, height, width = pictures.shape[:3]
    planes = torch.zeros(2 * count, 3, _rounded_up(height), _rounded_up(width))
    planes[:count, :, :height, :width] = (
        torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    )
    planes[count:, :, :height, :width] = planes[:count, :, :height, :width].flip(-1)
    answer = network(planes.contiguous(memory_format=torch.channels_last))
    # What sticks out was added to fill the last cells of the coarsest map.
    cells = [plane[:, : height // STRIDE, : width // STRIDE] for plane in answer.planes()]
    straight = Answer(*(plane[:count] for plane in cells))
    mirrored = Answer(*(plane[count:].flip(-1) for plane in cells))
    return Answer(
        (straight.logit + mirrored.logit) / 2,
        (straight.across - mirrored.across) / 2,
        (straight.down + mirrored.down) / 2,
        (straight.size + mirrored.size) / 2,
        (straight.tilt - mirrored.tilt) / 2,
    )


def load_face_networks(path: str | Path | None = None) -> FaceNetworks:
    """Return the networks of a weights file (the shipped one by default).

    Raises:
        WeightsError: the file is missing, truncated, of the wrong kind, or inconsistent.
    """
    weights = read_weights(path or shipped_weights(SHIPPED_SECOND_LOOK), SECOND_LOOK_ROLE)
    places = ("enter.0", "enter.1", "fine.0", "middle.0", "coarse.0")
    glance, close = (
        [weights.shape(f"{name}.{place}.conv.weight", 4)[0] for place in places]
        for name in ("glance", "close")
    )
    with torch.device("meta"):
        networks = FaceNetworks(glance, close).fold()
    weights.give_to(networks)
    return networks.eval().requires_grad_(False)


def save_face_networks(path: str | Path, networks: FaceNetworks) -> None:
    """Write the weights of networks whose normalisations are folded.

    Raises:
        OutputError: the file cannot be written.
    """
    write_weights(path, networks.state_dict(), {"role": SECOND_LOOK_ROLE})


def likeliest(answer: Answer, least_logit: float, most: int) -> Found:
    """Return what is likelier than its neighbours, of an answer about one picture."""
    logit = answer.logit
    peaks = (logit == functional.max_pool2d(logit, 3, 1, 1)) & (logit > least_logit)
    cells = peaks.flatten().nonzero().flatten()
    best = logit.flatten()[cells].argsort(descending=True, stable=True)[:most]
    return _read(answer, cells[best])


def _rounded_up(side: int) -> int:
    return -(-side // MULTIPLE) * MULTIPLE


def _read(answer: Answer, cells: Tensor) -> Found:
    """Return the boxes of some cells, given as indices into all of them."""
    rows, columns = answer.logit.shape[1:]
    logit, across, down, size, tilt = (plane.flatten()[cells] for plane in answer.planes())
    side = UNIT_SIDE * size.clamp(-4, 4).exp()
    x = (cells % columns + 0.5 + across) * STRIDE - side / 2
    y = (cells // columns % rows + 0.5 + down) * STRIDE - side / 2
    boxes = torch.stack([x, y, side, side], 1)
    return Found(boxes.numpy(), logit.numpy(), (tilt * UNIT_TILT).numpy())
