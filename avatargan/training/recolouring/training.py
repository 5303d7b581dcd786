"""Teaching the parts of a recolouring generator to find and to paint.

The body is not trained: it draws what the teacher draws in the mean colours from the start. The
parts are small and see its features, so some hundred characters are enough.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avatargan.errors import OptionError
from avatargan.networks.recolouring import Parts, RecolouringGenerator
from avatargan.training.recolouring.colours import pulled
from avatargan.training.recolouring.teacher import Lesson, offered_rows

#: A batch sees windows of this part of the side: as much is learnt of four in half the time.
SEEN = 0.5
#: So many pixels at the border of a window do not count: they lack neighbours.
MARGIN = 2

#: L*a*b* of each choice of an attribute.
Colours = Sequence[tuple[float, float, float]]


@dataclass(frozen=True)
class TrainingOptions:
    """How the parts are taught; the defaults are those of the shipped weights.

    Attributes:
        characters: how many are drawn by the teacher.
        steps: batches.
        batch: characters in a batch, each in one random choice of every attribute.
        learning_rate: the largest, of Adam; it rises over the first twentieth of the steps and
            falls along a cosine to nothing.
        strength: how far the teacher's colours are pulled to those of the palette.
        lines: attributes, with commas between, whose parts take half of their lines from what the
            body draws: those of the teacher differ a little from colour to colour, and learning
            them all blurs them.
        seed: decides the first weights and the batches.
    """

    characters: int = 100
    steps: int = 4000
    batch: int = 8
    learning_rate: float = 8e-3
    strength: float = 0.9
    lines: str = "hair"
    seed: int = 0

    def check(self) -> None:
        """Refuse what cannot be trained with.

        Raises:
            OptionError: an option is out of range.
        """
        for name in ("characters", "steps", "batch"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if not 0 <= self.strength <= 1:
            raise OptionError(f"the strength must be from 0 to 1, got {self.strength}")


class Lessons:
    """All lessons in memory, about 5 MB a character at 128 px.

    Args:
        lessons: as the teacher gives them.
        palette: what to pull the colours to.
        strength: how far.
        lines: see :class:`TrainingOptions`.
    """

    def __init__(
        self,
        lessons: Iterable[Lesson],
        palette: Mapping[str, Colours],
        strength: float,
        lines: Sequence[str] = (),
    ) -> None:
        self.images: list[Tensor] = []
        self.features: list[dict[int, Tensor]] = []
        self.masks: list[Tensor] = []
        self.pictures: list[dict[str, Tensor]] = []
        for lesson in lessons:
            self.images.append(lesson.image)
            self.features.append(lesson.features)
            self.masks.append(lesson.masks)
            self.pictures.append(
                {
                    name: _goals(
                        own, mask, palette[name], strength, lesson.image if name in lines else None
                    )
                    for (name, own), mask in zip(lesson.pictures.items(), lesson.masks, strict=True)
                }
            )

    def __len__(self) -> int:
        return len(self.images)


def _goals(
    pictures: Tensor, mask: Tensor, colours: Colours, strength: float, body: Tensor | None
) -> Tensor:
    goals = []
    for picture, colour in zip(pictures, colours, strict=True):
        goal = pulled(picture.float() / 127.5 - 1, mask, torch.tensor(colour), strength)
        if body is not None:
            goal = (goal + pulled(body.clamp(-1, 1), mask, torch.tensor(colour), strength)) / 2
        goals.append(goal)
    return ((torch.stack(goals) + 1) * 127.5 + 0.5).clamp(0, 255).byte()


def learn(
    student: RecolouringGenerator, lessons: Lessons, options: TrainingOptions
) -> Iterator[dict[str, float]]:
    """Train the parts, and yield the losses after each step.

    Raises:
        OptionError: an option is out of range, or there is nothing to paint.
    """
    options.check()
    painter = student.painter
    if painter is None:
        raise OptionError("these weights have no palette, and so nothing to recolour")
    rows = [offered_rows(student, name) for name in painter.palette_dims]
    optimiser = torch.optim.Adam(painter.parameters(), options.learning_rate, betas=(0.9, 0.99))
    random = np.random.default_rng(options.seed)
    for step in range(options.steps):
        for group in optimiser.param_groups:
            group["lr"] = options.learning_rate * _rate(step, options.steps)
        losses = batch_losses(painter, lessons, rows, options.batch, random)
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        yield {name: float(loss.detach()) for name, loss in losses.items()}


def batch_losses(
    painter: Parts,
    lessons: Lessons,
    rows: Sequence[Tensor],
    batch: int,
    random: np.random.Generator,
) -> dict[str, Tensor]:
    """Return the terms of the loss over a random batch.

    ``find`` is the cross-entropy of the masks; ``paint`` the mean absolute difference of each
    part's colours from the teacher's inside its mask; ``picture`` that of the finished pictures.
    """
    chosen = random.integers(len(lessons), size=batch)
    grid = min(painter.sizes)
    windows = [_window(lessons.masks[i], grid, random) for i in chosen]
    flip = bool(random.random() < 0.5)

    def seen(tensors: Sequence[Tensor]) -> Tensor:
        parts = [_cut(whole, window, grid) for whole, window in zip(tensors, windows, strict=True)]
        stacked = torch.stack(parts).float()
        return stacked.flip(3) if flip else stacked

    image = seen([lessons.images[i] for i in chosen])
    features = {size: seen([lessons.features[i][size] for i in chosen]) for size in painter.sizes}
    masks = seen([lessons.masks[i] for i in chosen])
    inner = torch.zeros_like(masks[:, :1])
    inner[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN] = 1
    x = painter.features(image, features)
    scores = painter.find(x)
    find = functional.binary_cross_entropy_with_logits(scores, masks, inner.expand_as(masks))
    found = torch.sigmoid(scores)
    drawn = wanted = image.clamp(-1, 1)
    paint = []
    for index, name in enumerate(painter.paint):
        choices = random.integers(lessons.pictures[0][name].shape[0], size=batch)
        pairs = zip(chosen, choices, strict=True)
        goal = seen([lessons.pictures[i][name][choice] for i, choice in pairs]) / 127.5 - 1
        own: Tensor = painter.part(name)(x, rows[index][torch.from_numpy(choices)])
        mask = masks[:, index : index + 1]
        weight = mask * inner
        paint.append(((own - goal).abs() * weight).sum() / (3 * weight.sum()).clamp(min=1))
        wanted = wanted + mask * (goal - wanted)
        drawn = drawn + found[:, index : index + 1] * (own - drawn)
    return {
        "find": find,
        "paint": torch.stack(paint).sum(),
        "picture": 2 * ((drawn - wanted).abs() * inner).mean(),
    }


def _window(masks: Tensor, grid: int, random: np.random.Generator) -> tuple[int, int]:
    """Choose the corner of what a batch sees of a picture, in pixels of the coarsest features.

    Every other time around a point of a random part, so that the small ones are seen as often.
    """
    room = grid - round(grid * SEEN)
    row, column = random.integers(room + 1, size=2).tolist()
    points = (masks[int(random.integers(len(masks)))] > 0.5).nonzero()
    if len(points) and random.random() < 0.5:
        point = points[int(random.integers(len(points)))] * grid // masks.shape[-1]
        row, column = (point - (grid - room) // 2).clamp(0, room).tolist()
    return row, column


def _cut(whole: Tensor, window: tuple[int, int], grid: int) -> Tensor:
    """Cut the same window out of features of any size."""
    side = whole.shape[-1]
    row, column = (place * side // grid for place in window)
    seen = round(grid * SEEN) * side // grid
    return whole[..., row : row + seen, column : column + seen]


def _rate(step: int, steps: int) -> float:
    rise = max(steps // 20, 1)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(steps - rise, 1)))
