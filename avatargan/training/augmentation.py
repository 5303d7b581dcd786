"""Differentiable augmentation: what the critic sees is moved about, and partly hidden.

Real and generated pictures go through the same random changes, so that the generator does not
learn them (DiffAugment, Zhao et al., arXiv 2006.10738). There are no changes of colour: the
colour is the label.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from avatargan.training.randomness import StepRandom

#: Reach of the adaptive changes: deviations of scale and aspect in octaves, and of the shift as a
#: part of the side (as ADA's, arXiv 2006.06676, appendix B); largest turn (gentler than theirs:
#: faces that stand on their heads occur nowhere).
_OCTAVES, _SHIFT, _TURN = 0.2, 0.125, math.pi / 8


@dataclass(frozen=True)
class AugmentationSettings:
    """How much is changed.

    Attributes:
        shift: the furthest move to each side, as a part of the picture's side; what comes in
            is grey.
        cutout: side of the square that is hidden, as a part of the picture's side.
        cutout_probability: how often a square is hidden.
    """

    shift: float = 0.125
    cutout: float = 0.5
    cutout_probability: float = 0.5


@dataclass(frozen=True)
class Augmentation:
    """One draw of changes for a batch: the same draw changes any batch in the same way.

    Attributes:
        rows: how far each picture moves down, in pixels, ``[B]``.
        columns: how far it moves to the right, in pixels, ``[B]``.
        tops: first row of the hidden square, ``[B]``.
        lefts: first column of the hidden square, ``[B]``.
        sides: side of the hidden square in pixels, 0 for none, ``[B]``.
        matrices: where each pixel comes from before all that, in [-1, 1], ``[B, 2, 3]``; None
            for where it is.
    """

    rows: Tensor
    columns: Tensor
    tops: Tensor
    lefts: Tensor
    sides: Tensor
    matrices: Tensor | None = None

    @classmethod
    def draw(
        cls,
        settings: AugmentationSettings,
        batch: int,
        resolution: int,
        random: StepRandom,
        strength: Tensor | None = None,
    ) -> "Augmentation":
        """Draw changes for the pictures of a batch.

        Args:
            settings: how much.
            batch: pictures.
            resolution: their side in pixels.
            random: of the step.
            strength: with which probability each picture is also scaled, stretched, turned and
                moved, each by itself; None for never.
        """
        reach = round(settings.shift * resolution)
        side = round(settings.cutout * resolution)
        chances = random.uniform(batch, 5)  # [B, 5]
        hidden = chances[:, 4] < settings.cutout_probability
        return cls(
            rows=(chances[:, 0] * (2 * reach + 1)).long() - reach,
            columns=(chances[:, 1] * (2 * reach + 1)).long() - reach,
            # The middle may lie anywhere, so that squares at the border are cut by it.
            tops=(chances[:, 2] * resolution).long() - side // 2,
            lefts=(chances[:, 3] * resolution).long() - side // 2,
            sides=hidden.long() * side,
            matrices=None if strength is None else _matrices(batch, random, strength),
        )

    def first(self, count: int) -> "Augmentation":
        """Return the changes of the first pictures."""
        values = ((name, getattr(self, name)) for name in self.__dataclass_fields__)
        return replace(self, **{name: rows[:count] for name, rows in values if rows is not None})

    def __call__(self, images: Tensor) -> Tensor:
        """Change pictures ``[B, 3, H, W]``; gradients flow through what stays visible."""
        batch, _, height, width = images.shape
        if self.matrices is not None:
            images = resampled(images, self.matrices)
        down = torch.arange(height, device=images.device)[None]  # [1, H]
        across = torch.arange(width, device=images.device)[None]
        from_row = down - self.rows[:, None]  # [B, H]
        from_column = across - self.columns[:, None]
        visible = _within(from_row, height)[:, :, None] & _within(from_column, width)[:, None]
        covered = (
            _within(down - self.tops[:, None], self.sides[:, None])[:, :, None]
            & _within(across - self.lefts[:, None], self.sides[:, None])[:, None]
        )
        index = torch.arange(batch, device=images.device)[:, None, None]
        moved = images.permute(0, 2, 3, 1)[
            index,
            from_row.clamp(0, height - 1)[:, :, None],
            from_column.clamp(0, width - 1)[:, None],
        ].permute(0, 3, 1, 2)
        return moved * (visible & ~covered)[:, None].to(images.dtype)


def _within(positions: Tensor, length: int | Tensor) -> Tensor:
    return (positions >= 0) & (positions < length)


def _matrices(batch: int, random: StepRandom, strength: Tensor) -> Tensor:
    """Draw matrices ``[B, 2, 3]``, as :func:`resampled` takes them."""
    happens = random.uniform(batch, 4) < strength  # [B, 4]
    sizes = random.normal(batch, 4) * happens[:, [0, 1, 3, 3]]
    turn = (2 * random.uniform(batch) - 1) * _TURN * happens[:, 2]
    scale, stretch = torch.exp2(_OCTAVES * sizes[:, 0]), torch.exp2(_OCTAVES * sizes[:, 1])
    cosine, sine = torch.cos(turn), torch.sin(turn)
    across, down = 2 * _SHIFT * sizes[:, 2], 2 * _SHIFT * sizes[:, 3]
    rows = [
        torch.stack([scale * stretch * cosine, -scale * stretch * sine, across], dim=1),
        torch.stack([scale / stretch * sine, scale / stretch * cosine, down], dim=1),
    ]
    return torch.stack(rows, dim=1)


def resampled(images: Tensor, matrices: Tensor) -> Tensor:
    """Return pictures whose pixels come from other places, bilinearly; grey from outside.

    Unlike torch's own ``grid_sample`` it can be differentiated twice, as gradient penalties must
    be (the remedy is StyleGAN2-ADA's, whose code replaces the operation in the same way).

    Args:
        images: ``[B, 3, H, W]``.
        matrices: of the places in [-1, 1] that the pixels come from, ``[B, 2, 3]``.
    """
    shape = list(images.shape)
    grid = functional.affine_grid(matrices.to(images.dtype), shape, align_corners=False)
    return _Resampling.apply(images, grid)  # type: ignore[no-untyped-call, no-any-return]


class _Resampling(torch.autograd.Function):
    """Linear in the pictures: its backward pass is its transpose, and that one's is itself."""

    @staticmethod
    def forward(context: Any, images: Tensor, grid: Tensor) -> Tensor:
        context.save_for_backward(grid)
        context.shape = images.shape
        return functional.grid_sample(images, grid, align_corners=False)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (grid,) = context.saved_tensors
        spread = _Spreading.apply(gradient, grid, context.shape)  # type: ignore[no-untyped-call]
        return spread, None


class _Spreading(torch.autograd.Function):
    """The transpose of :class:`_Resampling`."""

    @staticmethod
    def forward(context: Any, gradient: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        context.save_for_backward(grid)
        images = gradient.new_zeros(shape)
        wanted = [True, False]  # by the pictures, not by the places
        spread, _ = torch.ops.aten.grid_sampler_2d_backward(
            gradient, images, grid, 0, 0, False, wanted
        )
        return spread  # type: ignore[no-any-return]

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = context.saved_tensors
        taken = _Resampling.apply(gradient, grid)  # type: ignore[no-untyped-call]
        return taken, None, None
