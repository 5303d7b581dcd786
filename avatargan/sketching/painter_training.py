"""Training of the painter on lines of any pictures, own characters and others."""

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from avatargan.errors import OptionError
from avatargan.sketching.encoder_training import (
    rate,
    restore_training,
    to_unit,
    training_state,
    update_average,
)
from avatargan.sketching.following import at_size, gaussian_blur, luminance
from avatargan.sketching.lines import Hand
from avatargan.sketching.painter import PAINTED_SIZE, Painter, PatchCritic
from avatargan.tagging.training import has_fast_bfloat16
from avatargan.training.losses import critic_loss, generator_loss
from avatargan.training.regularizers import check_regularizer, dragan_penalty, dragan_perturbation

Bytes = NDArray[np.uint8]

#: Sizes that the guide is reduced to: from a few dabs of colour to nearly the picture.
GUIDE_SIZES = (4, 6, 8, 12, 16, 24, 40)
#: Dabs a person may make.
MOST_DABS = 8


@dataclass(frozen=True)
class PainterOptions:
    """How the painter is trained; the defaults are those of the shipped weights.

    Attributes:
        steps: batches.
        batch: pictures in a batch.
        others: share of a batch that are other pictures, where there are any.
        learning_rate: of both networks; it rises over the first twentieth and falls to nothing.
        l1: weight of the mean absolute difference to the picture, 100 in the paper.
        critic_from: share of the steps after which the critic joins: the painter can paint then.
        regularizer: none, or dragan: the penalty on the critic.
        regularizer_weight: of it.
        seed: decides everything random.
    """

    steps: int = 5000
    batch: int = 8
    others: float = 0.5
    learning_rate: float = 1e-3
    l1: float = 20.0
    critic_from: float = 0.6
    regularizer: str = "none"
    regularizer_weight: float = 1.0
    seed: int = 0

    def check(self) -> None:
        """Refuse what cannot be trained with.

        Raises:
            OptionError: an option is out of range.
        """
        if self.steps < 1 or self.batch < 1:
            raise OptionError("steps and batch must be 1 or more")
        if check_regularizer(self.regularizer) == "r1":
            raise OptionError("the painter's critic knows the regularizers dragan and none")


class PainterTrainer:
    """Trains a painter and its critic step by step.

    Everything random follows from the seed and the number of the step.

    Args:
        pictures: sets of pictures ``[N, S, S, 3]``: own characters first, then others if any.
        options: see there.
    """

    def __init__(self, pictures: Sequence[Bytes], options: PainterOptions) -> None:
        options.check()
        self.pictures, self.options = pictures, options
        self.step = 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            self.painter, self.critic = Painter(), PatchCritic()
        self.average = copy.deepcopy(self.painter).requires_grad_(False)
        self.painter_optimiser, self.critic_optimiser = (
            torch.optim.Adam(network.parameters(), lr=options.learning_rate, betas=(0.5, 0.99))
            for network in (self.painter, self.critic)
        )

    def run(self, minutes: float | None = None) -> Iterator[dict[str, float]]:
        """Do the steps that are left and yield the losses of each; see the encoder's."""
        start, first = time.monotonic(), self.step
        while self.step < self.options.steps:
            progress = self.step / self.options.steps
            if minutes is not None:
                spent = (time.monotonic() - start) / 60 / minutes
                before = first / self.options.steps
                progress = max(progress, before + (1 - before) * spent)
                if progress >= 1:
                    return
            losses = self._learn(progress)
            self.step += 1
            yield losses

    def finish(self) -> Painter:
        """Return the average of the painter's weights."""
        return self.average.eval()

    def state(self) -> dict[str, Tensor]:
        """Return all that :meth:`restore` needs."""
        painter = training_state(
            {"painter": self.painter, "average": self.average}, self.painter_optimiser, self.step
        )
        critic = training_state({"critic": self.critic}, self.critic_optimiser, self.step)
        return painter | {f"critics.{name}": tensor for name, tensor in critic.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Carry on from a state."""
        self.step = restore_training(
            {"painter": self.painter, "average": self.average}, self.painter_optimiser, tensors
        )
        critic = {
            name.removeprefix("critics."): tensor
            for name, tensor in tensors.items()
            if name.startswith("critics.")
        }
        restore_training({"critic": self.critic}, self.critic_optimiser, critic)

    def _learn(self, progress: float) -> dict[str, float]:
        options = self.options
        random = torch.Generator().manual_seed(options.seed * 1_000_003 + self.step)
        real = self._real(random)
        hand = Hand(random, liberty=0.35, framed=False)
        lines = hand(luminance(real * 0.5 + 0.5))
        guide, dabbed = guides(real, random)
        for optimiser in (self.painter_optimiser, self.critic_optimiser):
            for group in optimiser.param_groups:
                group["lr"] = options.learning_rate * rate(progress)
        judged = progress >= options.critic_from
        fast = has_fast_bfloat16()
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            painted = self.painter(lines, guide, dabbed).float()
        loss = options.l1 * (painted - real).abs().mean()
        # Where a colour was asked for, it counts more.
        loss = loss + 2 * ((painted - real).abs() * dabbed).mean()
        losses = {"difference": float((painted - real).abs().mean().detach())}
        if judged:
            losses["critic"] = self._teach_critic(real, painted.detach(), lines, random)
            self.critic.requires_grad_(False)
            with torch.autocast("cpu", torch.bfloat16, enabled=fast):
                scores = self.critic(painted, lines).float()
            fooled = generator_loss(scores.flatten())
            losses["fooled"] = float(fooled.detach())
            loss = loss + fooled
            self.critic.requires_grad_(True)
        self.painter_optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.painter.parameters(), 5.0)
        self.painter_optimiser.step()
        update_average(self.average, self.painter, self.step, keep=0.995)
        return losses

    def _teach_critic(
        self, real: Tensor, painted: Tensor, lines: Tensor, random: torch.Generator
    ) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bfloat16()):
            real_scores = self.critic(real, lines).float()
            painted_scores = self.critic(painted, lines).float()
        loss = critic_loss(real_scores.flatten(), painted_scores.flatten())
        if self.options.regularizer == "dragan":
            noise = torch.rand(real.shape, generator=random)
            scale = torch.rand(len(real), generator=random)
            near = dragan_perturbation(real, scale, noise, real.std())
            penalty = dragan_penalty(lambda x: self.critic(x, lines).mean((1, 2)), near)
            loss = loss + self.options.regularizer_weight * penalty
        self.critic_optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.critic_optimiser.step()
        return float(loss.detach())

    def _real(self, random: torch.Generator) -> Tensor:
        """Return pictures ``[B, 3, 128, 128]`` in [-1, 1], half of them mirrored."""
        batch = self.options.batch
        foreign = round(batch * self.options.others) if len(self.pictures) > 1 else 0
        counts = [batch - foreign, *([0] * (len(self.pictures) - 1))]
        for turn in range(foreign):  # the other sets take turns
            counts[1 + (turn + self.step) % (len(self.pictures) - 1)] += 1
        parts = []
        for pictures, count in zip(self.pictures, counts, strict=True):
            rows = torch.randint(len(pictures), (count,), generator=random).numpy()
            if count:
                parts.append(at_size(to_unit(pictures[rows]), PAINTED_SIZE))
        real = torch.cat(parts) * 2 - 1
        mirrored = torch.rand(len(real), 1, 1, 1, generator=random) < 0.5
        return torch.where(mirrored, real.flip(3), real)


def guides(real: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return guides ``[B, 3, 128, 128]`` for pictures and where they were dabbed by hand.

    They are blurred and out of place, as a character that is only much like a sketch is. Dabs
    are colours of the picture itself, where they belong.
    """
    count = len(real)
    moved = _moved(real, random)
    guide = torch.empty_like(real)
    choice = torch.randint(len(GUIDE_SIZES), (count,), generator=random)
    for place, size in enumerate(GUIDE_SIZES):
        rows = choice == place
        if bool(rows.any()):
            guide[rows] = blurred_guide(moved[rows], size)
    # Other colours than the picture's teach that dabs are to be believed, and not the guide.
    shift = torch.randn(count, 3, 1, 1, generator=random) * 0.35
    recoloured = torch.rand(count, 1, 1, 1, generator=random) < 0.25
    guide = torch.where(recoloured, (guide + shift).clamp(-1, 1), guide)
    missing = torch.rand(count, 1, 1, 1, generator=random) < 0.12
    guide = torch.where(missing, torch.zeros(()), guide)
    dabbed = _dabs(count, random)
    colours = torch.cat([gaussian_blur(real[:, index : index + 1], 2.0) for index in range(3)], 1)
    return torch.lerp(guide, colours, dabbed), dabbed


def blurred_guide(pictures: Tensor, size: int) -> Tensor:
    """Return pictures ``[B, 3, 128, 128]`` of which only ``size`` by ``size`` colours are left."""
    small = functional.interpolate(pictures, (size, size), mode="area")
    return functional.interpolate(
        small, (PAINTED_SIZE, PAINTED_SIZE), mode="bicubic", align_corners=False
    ).clamp(-1, 1)


def _moved(real: Tensor, random: torch.Generator) -> Tensor:
    """Return the pictures scaled, shifted and bent a little."""
    count = len(real)
    theta = torch.eye(2, 3).repeat(count, 1, 1)
    theta[:, :, :2] *= torch.exp(torch.randn(count, 1, 1, generator=random) * 0.07)
    theta[:, :, 2] = torch.randn(count, 2, generator=random) * 0.07
    grid = functional.affine_grid(theta, list(real.shape), align_corners=False)
    waves = torch.randn(count, 2, 5, 5, generator=random) * 0.05
    waves = functional.interpolate(waves, PAINTED_SIZE, mode="bicubic", align_corners=False)
    return functional.grid_sample(
        real, grid + waves.permute(0, 2, 3, 1), padding_mode="border", align_corners=False
    )


def _dabs(count: int, random: torch.Generator) -> Tensor:
    """Return where hands dabbed, ``[B, 1, 128, 128]``: some dots and short strokes, or nothing."""
    rows = torch.linspace(-1, 1, PAINTED_SIZE)
    dabbed = torch.zeros(count, 1, PAINTED_SIZE, PAINTED_SIZE)
    number = torch.randint(0, MOST_DABS + 1, (count,), generator=random)
    none = torch.rand(count, generator=random) < 0.4
    for turn in range(MOST_DABS):
        middle = torch.rand(count, 2, generator=random) * 1.8 - 0.9
        radius = torch.rand(count, 2, generator=random) * 0.14 + 0.02
        distance = (rows[None, None, :] - middle[:, 0, None, None]) / radius[:, 0, None, None]
        across = (rows[None, :, None] - middle[:, 1, None, None]) / radius[:, 1, None, None]
        inside = (distance.square() + across.square() < 1) & (number > turn)[:, None, None]
        inside &= ~none[:, None, None]
        dabbed[:, 0] = torch.maximum(dabbed[:, 0], inside.float())
    return dabbed
