"""Training the network of the second look on scenes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from face_crop.network import STRIDE, UNIT_SIDE, UNIT_TILT, Answer, FaceNetwork
from face_crop.training.scenes import Scene, SceneMaker

#: Wraps a count of steps and what they are for, to show how far the work is.
Progress = Callable[[Iterable[int], str], Iterable[int]]


@dataclass(frozen=True)
class TrainingOptions:
    """How long and how fast to train.

    Attributes:
        steps: batches of scenes made from portraits alone.
        boxed_steps: batches after those, a share of which are parts of boxed pictures.
        batch: scenes in a batch.
        learning_rate: at its highest.
        seed: decides everything.
    """

    steps: int = 1500
    boxed_steps: int = 500
    batch: int = 16
    learning_rate: float = 2e-3
    seed: int = 0


@dataclass(frozen=True)
class Targets:
    """What the network should say, all ``[B, H, W]``; see :class:`face_crop.network.Answer`.

    Attributes:
        heat: 1 where the middle of a face is, falling to 0 around it.
        counts: 0 where neither answer would be wrong.
        near: 1 where the other answers are asked for.
        inverse_side: one over the side of the face there, in cells.
    """

    heat: Tensor
    counts: Tensor
    near: Tensor
    across: Tensor
    down: Tensor
    size: Tensor
    tilt: Tensor
    inverse_side: Tensor


def train(
    network: FaceNetwork,
    scenes: SceneMaker,
    steps: int,
    options: TrainingOptions,
    progress: Progress,
    label: str,
    peak: float | None = None,
) -> None:
    """Train the network in place, on the device that it is on.

    The learning rate rises over the first steps and falls along a cosine.
    """
    random = np.random.default_rng([options.seed, len(label), *label.encode()])
    device = next(network.parameters()).device
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=1e-4)
    highest = peak or options.learning_rate
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, highest, total_steps=max(steps, 2), pct_start=0.15
    )
    network.train()
    for _ in progress(range(steps), label):
        batch = [scenes.make(random) for _ in range(options.batch)]
        pictures = to_tensor(np.stack([scene.picture for scene in batch])).to(device)
        value = loss(network(pictures), targets(batch, device))
        optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
    network.eval()


def to_tensor(pictures: np.ndarray) -> Tensor:
    """Return uint8 pictures ``[B, H, W, 3]`` as the network takes them."""
    planes = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    return (planes / 127.5 - 1).contiguous()


def targets(scenes: Sequence[Scene], device: torch.device) -> Targets:
    """Return what should be said about scenes of one size."""
    cells = scenes[0].picture.shape[0] // STRIDE
    planes = np.zeros((8, len(scenes), cells, cells), np.float32)
    heat, counts, near, across, down, size, tilt, inverse = planes
    counts[:] = 1
    middle = (np.arange(cells, dtype=np.float32) + 0.5) * STRIDE
    for row, scene in enumerate(scenes):
        for x, y, width, height in scene.ignored:
            inside = (np.abs(middle - x - width / 2) < width / 2)[None] & (
                np.abs(middle - y - height / 2) < height / 2
            )[:, None]
            counts[row][inside] = 0
        for (x, y, width, height), angle in zip(scene.boxes, scene.angles, strict=True):
            side = (width * height) ** 0.5
            dx, dy = x + width / 2 - middle[None, :], y + height / 2 - middle[:, None]
            spread = max(side / 8, 0.6 * STRIDE)
            bump = np.exp(-(dx**2 + dy**2) / (2 * spread**2))
            bump[bump >= bump.max()] = 1
            closest = bump > heat[row]
            heat[row] = np.maximum(heat[row], bump)
            asked = closest & (bump > 0.5)
            near[row][asked] = 1
            across[row][asked] = np.broadcast_to(dx / STRIDE, bump.shape)[asked]
            down[row][asked] = np.broadcast_to(dy / STRIDE, bump.shape)[asked]
            size[row][asked] = np.log(side / UNIT_SIDE)
            tilt[row][asked] = angle / UNIT_TILT
            inverse[row][asked] = STRIDE / side
            counts[row][bump == 1] = 1
    return Targets(*torch.from_numpy(planes).to(device))


def loss(answer: Answer, wanted: Targets) -> Tensor:
    """Return the focal loss of the heat (arXiv 1904.07850) and the errors of the boxes."""
    heat = answer.logit.sigmoid().clamp(1e-5, 1 - 1e-5)
    at_middle = (wanted.heat == 1).float()
    hits = at_middle * (1 - heat) ** 2 * heat.log()
    misses = (1 - at_middle) * (1 - wanted.heat) ** 4 * heat**2 * (1 - heat).log()
    faces = at_middle.sum().clamp(min=1)
    value = -((hits + misses) * wanted.counts).sum() / faces
    asked = wanted.near.sum().clamp(min=1)
    boxes = sum(
        functional.smooth_l1_loss(said * scale, true * scale, reduction="none", beta=0.1)
        for said, true, scale in (
            (answer.across, wanted.across, wanted.inverse_side),
            (answer.down, wanted.down, wanted.inverse_side),
            (answer.size, wanted.size, torch.ones(1, device=heat.device)),
            (0.5 * answer.tilt, 0.5 * wanted.tilt, torch.ones(1, device=heat.device)),
        )
    )
    assert isinstance(boxes, Tensor)
    return value + 2 * (boxes * wanted.near).sum() / asked
