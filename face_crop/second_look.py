"""The second look: a small network that judges what the cascade found, and looks for itself.

It is needed because a cascade of grey patterns misses every third face of an illustration at any
setting. The network looks twice: once at the whole picture, for faces that the cascade missed,
and once more, closely, at every candidate of either, brought to the size that it knows best.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatargan.errors import WeightsError
from avatargan.weights import read_weights, write_weights
from avatargan.weights_header import SECOND_LOOK_ROLE, SHIPPED_SECOND_LOOK, shipped_weights
from face_crop.boxes import BoxArray
from face_crop.network import MULTIPLE, STRIDE, UNIT_SIDE, UNIT_TILT, Answer, FaceNetwork

#: Longer side of the copy in which the whole picture is looked at.
GLANCE_SIZE = 448
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

    def probabilities(self) -> NDArray[np.float32]:
        """Return the log odds as probabilities."""
        return np.asarray(1 / (1 + np.exp(-self.logits)), np.float32)


class SecondLook:
    """Runs the network on the CPU.

    Args:
        network: see :func:`load_face_network`.
    """

    def __init__(self, network: FaceNetwork) -> None:
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def glance(self, picture: NDArray[np.uint8], least_logit: float, most: int) -> Found:
        """Look at a whole picture, uint8 RGB ``[H, W, 3]``; return the likeliest faces first."""
        height, width = picture.shape[:2]
        scale = GLANCE_SIZE / max(height, width)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = cv2.resize(picture, size, interpolation=way)
        planes = torch.zeros(1, 3, _rounded_up(size[1]), _rounded_up(size[0]))
        planes[0, :, : size[1], : size[0]] = _to_planes(np.asarray(small, np.uint8)[None])[0]
        answer = self._ask(planes)
        logit = answer.logit
        peaks = (logit == torch.nn.functional.max_pool2d(logit, 3, 1, 1)) & (logit > least_logit)
        chosen = peaks.flatten().nonzero().flatten()
        best = logit.flatten()[chosen].argsort(descending=True, stable=True)[:most]
        found = _read(answer, chosen[best])
        found.boxes[:] *= np.array([width / size[0], height / size[1]] * 2, np.float32)
        return found

    @torch.inference_mode()
    def closely(self, picture: NDArray[np.uint8], boxes: BoxArray) -> Found:
        """Look at candidates ``[N, 4]`` of a picture one by one, and at their mirror images."""
        if not len(boxes):
            nothing = np.zeros(0, np.float32)
            return Found(boxes, nothing, nothing)
        sides = np.sqrt(boxes[:, 2] * boxes[:, 3])
        corners = boxes[:, :2] + boxes[:, 2:] / 2 - (sides * (CLOSE_SIZE / CLOSE_FACE / 2))[:, None]
        parts = np.stack(
            [
                _cut(level, corner, side)
                for level, corner, side in _levels(
                    picture, corners, sides * CLOSE_SIZE / CLOSE_FACE
                )
            ]
        )
        planes = _to_planes(parts)
        answer = self._ask(torch.cat([planes, planes.flip(-1)]))
        count, cells = len(boxes), CLOSE_SIZE // STRIDE
        straight, mirrored = (
            Answer(*(plane[half] for plane in answer.planes()))
            for half in (slice(0, count), slice(count, None))
        )
        both = Answer(
            (straight.logit + mirrored.logit.flip(-1)) / 2,
            (straight.across - mirrored.across.flip(-1)) / 2,
            (straight.down + mirrored.down.flip(-1)) / 2,
            (straight.size + mirrored.size.flip(-1)) / 2,
            (straight.tilt - mirrored.tilt.flip(-1)) / 2,
        )
        low, high = cells // 2 - _CLOSE_REACH, cells // 2 + _CLOSE_REACH
        inner = both.logit[:, low:high, low:high].flatten(1).argmax(1)
        row, column = inner // (high - low) + low, inner % (high - low) + low
        found = _read(both, torch.arange(count) * cells**2 + row * cells + column)
        zoom = sides / np.float32(CLOSE_FACE)
        found.boxes[:] *= zoom[:, None]
        found.boxes[:, :2] += corners
        return found

    def _ask(self, planes: Tensor) -> Answer:
        answer: Answer = self._network(planes.contiguous(memory_format=torch.channels_last))
        return answer


def load_face_network(path: str | Path | None = None) -> FaceNetwork:
    """Return the network of a weights file (the shipped one by default).

    Raises:
        WeightsError: the file is missing, truncated, of the wrong kind, or inconsistent.
    """
    weights = read_weights(path or shipped_weights(SHIPPED_SECOND_LOOK), SECOND_LOOK_ROLE)
    places = ("enter.0", "enter.1", "fine.0", "middle.0", "coarse.0")
    channels = [weights.shape(f"{place}.conv.weight", 4)[0] for place in places]
    with torch.device("meta"):
        network = FaceNetwork(channels).fold()
    weights.give_to(network)
    return network.eval().requires_grad_(False)


def save_face_network(path: str | Path, network: FaceNetwork) -> None:
    """Write the weights of a network whose normalisations are folded.

    Raises:
        OutputError: the file cannot be written.
        WeightsError: its normalisations are not folded.
    """
    tensors = network.state_dict()
    if any("running_mean" in name for name in tensors):
        raise WeightsError("fold the network before it is saved")
    write_weights(path, tensors, {"role": SECOND_LOOK_ROLE})


def _to_planes(pictures: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


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


def _levels(
    picture: NDArray[np.uint8], corners: NDArray[np.float32], sides: NDArray[np.float32]
) -> list[tuple[NDArray[np.uint8], NDArray[np.float32], float]]:
    """Return for each square the picture, halved until cutting it out skips no pixels."""
    halved = [picture]
    chosen = []
    for corner, side in zip(corners, sides, strict=True):
        wanted = max(math.floor(math.log2(max(side / CLOSE_SIZE, 1))), 0)
        while len(halved) <= wanted and min(halved[-1].shape[:2]) > 1:
            height, width = halved[-1].shape[:2]
            size = (max(width // 2, 1), max(height // 2, 1))
            half = cv2.resize(halved[-1], size, interpolation=cv2.INTER_AREA)
            halved.append(np.asarray(half, np.uint8))
        level = min(wanted, len(halved) - 1)
        chosen.append((halved[level], corner / 2**level, float(side) / 2**level))
    return chosen


def _cut(picture: NDArray[np.uint8], corner: NDArray[np.float32], side: float) -> NDArray[np.uint8]:
    """Return a square of a picture at :data:`CLOSE_SIZE`, grey where it sticks out."""
    scale = CLOSE_SIZE / side
    warp = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    square = cv2.warpAffine(
        picture, warp, (CLOSE_SIZE, CLOSE_SIZE), flags=cv2.INTER_LINEAR, borderValue=(127,) * 3
    )
    return np.asarray(square, np.uint8)
