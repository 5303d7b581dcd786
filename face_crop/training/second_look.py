"""Training the network of the second look on scenes."""

import copy
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avatargan.errors import OptionError
from avatargan.parallel import ordered_map
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
from face_crop.second_look import CLOSE_FACE, CLOSE_SIZE, close_ups, likeliest
from face_crop.training.portraits import Portrait
from face_crop.training.scenes import BoxedPicture, Scene, SceneMaker

#: Wraps a count of steps and what they are for, to show how far the work is.
Progress = Callable[[Iterable[int], str], Iterable[int]]

#: Close-ups made of each scene.
CLOSE_UPS_PER_SCENE = 4


@dataclass(frozen=True)
class TrainingOptions:
    """How long and how fast to train.

    Attributes:
        steps: batches for the network that sees whole pictures, composed of portraits.
        close_steps: batches for the one that sees candidates.
        boxed_steps: batches after those in which boxed pictures take part.
        boxed_close_steps: the same for the network that sees candidates.
        boxed_share: share of the scenes in those that are parts of boxed pictures.
        batch: scenes in a batch.
        scene_size: side of a scene in pixels, a multiple of 32.
        learning_rate: at its highest; half of that with boxed pictures.
        most_faces: crops of faces to use.
        most_portraits: portraits to use.
        drawn: avatars to draw.
        seed: decides everything.
    """

    steps: int = 2400
    close_steps: int = 400
    boxed_steps: int = 250
    boxed_close_steps: int = 300
    boxed_share: float = 0.5
    batch: int = 16
    scene_size: int = 192
    learning_rate: float = 2e-3
    most_faces: int = 4000
    most_portraits: int = 3000
    drawn: int = 600
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "close_steps", "batch", "most_faces", "most_portraits"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("boxed_steps", "boxed_close_steps", "drawn", "seed"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.scene_size < 64 or self.scene_size % MULTIPLE:
            raise OptionError(
                f"scene_size must be a multiple of {MULTIPLE}, 64 or more, got {self.scene_size}"
            )
        if not 0 < self.boxed_share <= 1:
            raise OptionError(f"boxed_share must be above 0, at most 1, got {self.boxed_share}")
        if not 0 < self.learning_rate < 1:
            raise OptionError(f"learning_rate must be between 0 and 1, got {self.learning_rate}")


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

    def to(self, device: torch.device) -> "Targets":
        """Return the targets on a device."""
        return Targets(*(getattr(self, field.name).to(device) for field in fields(self)))


def train(
    portraits: Sequence[Sequence[Portrait]],
    options: TrainingOptions,
    device: str,
    progress: Progress,
) -> FaceNetworks:
    """Return networks trained on scenes that are composed of portraits.

    Args:
        portraits: groups of portraits; each is drawn from equally often.
        options: how long and how fast.
        device: a torch device.
        progress: shows how far the work is.
    """
    torch.manual_seed(options.seed)
    networks = FaceNetworks().to(device)
    scenes = SceneMaker(portraits, size=options.scene_size)
    learn = _Learner(options, progress)
    learn.from_scenes(networks.glance, scenes, options.steps, 1.0, "glance")
    networks.close.load_state_dict(networks.glance.state_dict())
    learn.from_close_ups(networks, scenes, options.close_steps, 0.5, "close")
    return networks


def train_further(
    networks: FaceNetworks,
    portraits: Sequence[Sequence[Portrait]],
    boxed: Sequence[BoxedPicture],
    options: TrainingOptions,
    progress: Progress,
) -> FaceNetworks:
    """Return a copy of the networks, trained on boxed pictures too and ready for use.

    Without boxed pictures they are the networks as they are, ready for use.
    """
    networks = copy.deepcopy(networks)
    if boxed:
        scenes = SceneMaker(portraits, boxed, options.scene_size, options.boxed_share)
        learn = _Learner(options, progress)
        learn.from_scenes(networks.glance, scenes, options.boxed_steps, 0.5, "glance, boxed")
        learn.from_close_ups(networks, scenes, options.boxed_close_steps, 0.5, "close, boxed")
    return networks.cpu().fold()


@dataclass(frozen=True)
class _Learner:
    options: TrainingOptions
    progress: Progress

    def from_scenes(
        self, network: FaceNetwork, scenes: SceneMaker, steps: int, rate: float, label: str
    ) -> None:
        """Train the network that sees whole pictures, at a part of the learning rate."""

        def make_batch(step: int) -> list[Scene]:
            random = np.random.default_rng([self.options.seed, step, *label.encode()])
            return [scenes.make(random) for _ in range(self.options.batch)]

        self._run(network, make_batch, steps, rate, label)

    def from_close_ups(
        self, networks: FaceNetworks, scenes: SceneMaker, steps: int, rate: float, label: str
    ) -> None:
        """Train the network that sees candidates on what the other one takes for faces."""
        glance = copy.deepcopy(networks.glance).fold()
        device = next(glance.parameters()).device

        def make_batch(step: int) -> list[Scene]:
            random = np.random.default_rng([self.options.seed, step, *label.encode()])
            made = [scenes.make(random) for _ in range(self.options.batch)]
            pictures = to_tensor(np.stack([scene.picture for scene in made])).to(device)
            with torch.inference_mode():
                answer = glance(pictures.contiguous(memory_format=torch.channels_last))
            views = []
            for scene, *planes in zip(made, *answer.planes(), strict=True):
                seen = likeliest(Answer(*(plane[None].cpu() for plane in planes)), -6.0, 8)
                views += look_closely_at(scene, seen.boxes, CLOSE_UPS_PER_SCENE, random)
            return views

        self._run(networks.close, make_batch, steps, rate, label)

    def _run(
        self,
        network: FaceNetwork,
        make_batch: Callable[[int], list[Scene]],
        steps: int,
        rate: float,
        label: str,
    ) -> None:
        """Train in place; the learning rate rises over the first steps and falls along a cosine."""
        device = next(network.parameters()).device
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        highest = rate * self.options.learning_rate
        optimiser = torch.optim.AdamW(network.parameters(), lr=highest, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, highest, total_steps=max(steps, 2), pct_start=0.15
        )

        def prepare(step: int) -> tuple[Tensor, Targets]:
            batch = make_batch(step)
            return to_tensor(np.stack([scene.picture for scene in batch])), targets(batch)

        network.train()
        # Making scenes takes as long as learning from them: another thread makes the next ones.
        with ThreadPoolExecutor(1) as pool:
            batches = ordered_map(pool, prepare, range(steps), most_pending=3)
            for _ in self.progress(range(steps), label):
                pictures, wanted = next(batches)
                pictures = pictures.to(device).contiguous(memory_format=torch.channels_last)
                value = loss(network(pictures), wanted.to(device))
                optimiser.zero_grad(set_to_none=True)
                value.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                optimiser.step()
                schedule.step()
        network.eval()


def look_closely_at(
    scene: Scene, candidates: BoxArray, count: int, random: np.random.Generator
) -> list[Scene]:
    """Return close-ups of a scene: of its faces, of candidates, and of any places.

    Args:
        scene: what is looked at.
        candidates: what was taken for faces in it, ``[N, 4]``.
        count: how many close-ups.
        random: decides which, and how far each is off the mark.
    """
    size = scene.picture.shape[0]
    chosen = []
    for _ in range(count):
        kind = random.random()
        if kind < 0.4 and len(scene.boxes):
            box = scene.boxes[random.integers(len(scene.boxes))]
        elif kind < 0.85 and len(candidates):
            box = candidates[random.integers(len(candidates))]
        else:
            side = size * np.exp(random.uniform(np.log(0.08), np.log(0.6)))
            box = np.array([*(random.uniform(0, size, 2) - side / 2), side, side])
        side = box[2] * np.exp(random.normal(0, 0.15))
        middle = box[:2] + box[2:] / 2 + random.normal(0, 0.1, 2) * side
        chosen.append([*(middle - side / 2), side, side])
    views = close_ups(scene.picture, np.array(chosen, np.float32))
    result = []
    for picture, corner, scale in zip(views.pictures, views.corners, views.scales, strict=True):
        offset = np.array([*corner, 0, 0], np.float32)
        boxes, ignored = (scene.boxes - offset) / scale, (scene.ignored - offset) / scale
        middles = boxes[:, :2] + boxes[:, 2:] / 2
        # Of another size than the candidate's, a face is for another close-up to find.
        fits = (np.abs(middles - CLOSE_SIZE / 2) < CLOSE_SIZE / 2).all(1)
        fits &= np.abs(np.log(boxes[:, 2] / CLOSE_FACE)) < 1
        ignored = np.concatenate([ignored, boxes[~fits]])
        result.append(Scene(picture, boxes[fits], scene.angles[fits], ignored))
    return result


def to_tensor(pictures: np.ndarray) -> Tensor:
    """Return uint8 pictures ``[B, H, W, 3]`` as the network takes them."""
    planes = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    return (planes / 127.5 - 1).contiguous()


def targets(scenes: Sequence[Scene]) -> Targets:
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
    return Targets(*torch.from_numpy(planes))


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
