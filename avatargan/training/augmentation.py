"""Differentiable augmentation: what the critic sees is moved about, and partly hidden.

Real and generated pictures go through the same random changes, so that the generator does not
learn them (DiffAugment, Zhao et al., arXiv 2006.10738). There are no changes of colour: the
colour is the label.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from avatargan.training.randomness import StepRandom


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
    """

    rows: Tensor
    columns: Tensor
    tops: Tensor
    lefts: Tensor
    sides: Tensor

    @classmethod
    def draw(
        cls, settings: AugmentationSettings, batch: int, resolution: int, random: StepRandom
    ) -> "Augmentation":
        """Draw changes for the pictures of a batch."""
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
        )

    def first(self, count: int) -> "Augmentation":
        """Return the changes of the first pictures."""
        return Augmentation(
            self.rows[:count],
            self.columns[:count],
            self.tops[:count],
            self.lefts[:count],
            self.sides[:count],
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Change pictures ``[B, 3, H, W]``; gradients flow through what stays visible."""
        batch, _, height, width = images.shape
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
