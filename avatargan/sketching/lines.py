"""Lines from pictures, as many hands would draw them: what the networks are shown in training.

Strokes of people are nothing like edges of pictures, so no single way of drawing lines would do.
A batch is shared among several; then the lines are thickened, bent, broken, doubled, smudged and
put in another frame. Everything works on batches on any device, and needs torch alone.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from avatargan.sketching.following import at_size, gaussian_blur, gradients

#: Lines are drawn at this size.
DRAWN_SIZE = 128


class Hand:
    """Draws lines of pictures and makes them look like somebody's.

    Args:
        generator: where all chance comes from.
        liberty: how far lines may be bent and broken, from 0 (those of the picture) to 1.
        framed: whether the whole may be turned, shifted and scaled, too.
    """

    def __init__(
        self, generator: torch.Generator, liberty: float = 1.0, *, framed: bool = True
    ) -> None:
        self.random = generator
        self.liberty = liberty
        self.framed = framed

    def __call__(self, brightness: Tensor) -> Tensor:
        """Return strokes ``[B, 1, 128, 128]``, 0 paper, 1 ink.

        Args:
            brightness: of the pictures, ``[B, 1, H, W]`` in [0, 1].
        """
        return self.deformed(self.lines(brightness))

    def lines(self, brightness: Tensor) -> Tensor:
        """Return clean lines ``[B, 1, 128, 128]``: each eighth of the batch in a way of its own."""
        brightness = at_size(brightness, DRAWN_SIZE)
        ways = (
            self._ink,
            self._thin,
            self._ink,
            self._slopes,
            self._thin,
            self._outlines,
            self._thin,
            self._mixed,
        )
        order = torch.randperm(len(brightness), generator=self.random)
        parts = [
            way(brightness[order[place :: len(ways)]])
            for place, way in enumerate(ways)
            if len(order[place :: len(ways)])
        ]
        places = torch.cat([order[place :: len(ways)] for place in range(len(ways))])
        result = torch.empty_like(brightness)
        result[places] = torch.cat(parts)
        return result

    def deformed(self, strokes: Tensor) -> Tensor:
        """Return the same strokes, bent, broken, doubled, in another frame, tone and thickness."""
        count = len(strokes)
        strokes = self._only_a_part(strokes)
        strokes = self._bent(strokes)
        doubled = self._chance(count, 0.2 * self.liberty)
        again = torch.maximum(strokes, 0.8 * self._slightly_bent(strokes))
        strokes = torch.where(doubled, again, strokes)
        strokes = self._broken(strokes)
        strokes = self._thickened(strokes)
        tone = self._between(count, 0.35, 1.0)
        strokes = strokes * tone
        smudge = self._chance(count, 0.15 * self.liberty)
        noise = torch.rand(strokes.shape, generator=self.random) * 0.12
        return torch.where(smudge, strokes + noise, strokes).clamp(0, 1)

    # Ways to draw lines.

    def _ink(self, brightness: Tensor) -> Tensor:
        """Dark lines by difference of Gaussians (Winnemoeller et al., "XDoG", 2012)."""
        sigma = float(self._between(1, 0.6, 1.6))
        narrow = gaussian_blur(brightness, sigma)
        wide = gaussian_blur(brightness, 1.6 * sigma)
        dark = (wide - narrow) * self._between(len(brightness), 8, 24)
        lines = torch.tanh(dark.clamp(min=0) * 2)
        return ((lines - 0.15) / 0.85).clamp(0, 1)

    def _slopes(self, brightness: Tensor) -> Tensor:
        """Soft edges on both sides of every line (Sobel)."""
        strength, _, _ = self._strength(brightness, float(self._between(1, 0.7, 2.0)))
        return (strength * self._between(len(brightness), 0.8, 2.0) - 0.1).clamp(0, 1)

    def _thin(self, brightness: Tensor) -> Tensor:
        """One pixel wide edges (Canny, 1986): the crest of the slope, above a threshold."""
        sigma = float(self._between(1, 0.8, 2.2))
        strength, across, down = self._strength(brightness, sigma)
        crest = torch.zeros_like(strength, dtype=torch.bool)
        angle = torch.atan2(down, across)
        sector = torch.round(angle / (math.pi / 4)).long() % 4
        for number, (row, column) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
            ahead = torch.roll(strength, (-row, -column), (2, 3))
            behind = torch.roll(strength, (row, column), (2, 3))
            crest |= (sector == number) & (strength >= ahead) & (strength > behind)
        low = self._between(len(brightness), 0.1, 0.35)
        return (crest & (strength > low)).float()

    def _outlines(self, brightness: Tensor) -> Tensor:
        """The large shapes alone: edges of what is left under a strong blur."""
        strength, _, _ = self._strength(brightness, float(self._between(1, 2.5, 4.5)))
        return ((strength - 0.35) * 2.5).clamp(0, 1)

    def _mixed(self, brightness: Tensor) -> Tensor:
        """Ink and thin edges, as one draws lines first and then shapes."""
        return torch.maximum(self._ink(brightness), 0.7 * self._thin(brightness))

    def _strength(self, brightness: Tensor, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
        across, down = gradients(gaussian_blur(brightness, sigma))
        strength = torch.sqrt(across.square() + down.square() + 1e-12)
        largest = torch.quantile(strength.flatten(1), 0.97, dim=1).clamp(min=0.01)
        return (strength / largest[:, None, None, None]).clamp(max=1.5), across, down

    # What hands do to lines.

    def _only_a_part(self, strokes: Tensor) -> Tensor:
        """Leave out the face, or all but the face, of some."""
        count = len(strokes)
        rows = torch.linspace(-1, 1, DRAWN_SIZE)
        middle = self._between(count, -0.05, 0.35)
        distance = (rows[None, None, None, :] / self._between(count, 0.4, 0.6)).square() + (
            (rows[None, None, :, None] - middle) / self._between(count, 0.4, 0.65)
        ).square()
        inside = torch.sigmoid((1 - distance) * 8)
        face = self._chance(count, 0.06 * self.liberty)
        outline = self._chance(count, 0.06 * self.liberty)
        strokes = torch.where(face, strokes * inside, strokes)
        return torch.where(outline, strokes * (1 - inside), strokes)

    def _bent(self, strokes: Tensor) -> Tensor:
        """Bend lines smoothly, and turn, shift and scale them."""
        count = len(strokes)
        theta = self._frames(count) if self.framed else torch.eye(2, 3).repeat(count, 1, 1)
        grid = functional.affine_grid(
            theta, [count, 1, DRAWN_SIZE, DRAWN_SIZE], align_corners=False
        )
        grid = grid + self._waves(count, 4, 0.035 * self.liberty)
        grid = grid + self._waves(count, 14, 0.012 * self.liberty)
        return functional.grid_sample(
            strokes, grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )

    def _frames(self, count: int) -> Tensor:
        """Return where to put the frame, ``[count, 2, 3]``: heads may be wider or smaller."""
        free = self.liberty
        theta = torch.zeros(count, 2, 3)
        wide = self._chance(count, 0.25)[:, 0, 0, 0]
        reach = torch.where(wide, 0.28, 0.1) * free
        scale = torch.exp((torch.rand(count, generator=self.random) * 2 - 1) * reach)
        aspect = torch.exp(torch.randn(count, generator=self.random) * 0.04 * free)
        angle = torch.randn(count, generator=self.random) * 0.07 * free
        theta[:, 0, 0] = torch.cos(angle) * scale * aspect
        theta[:, 0, 1] = -torch.sin(angle) * scale
        theta[:, 1, 0] = torch.sin(angle) * scale
        theta[:, 1, 1] = torch.cos(angle) * scale / aspect
        theta[:, :, 2] = torch.randn(count, 2, generator=self.random) * 0.06 * free
        return theta

    def _slightly_bent(self, strokes: Tensor) -> Tensor:
        count = len(strokes)
        theta = torch.eye(2, 3).repeat(count, 1, 1)
        theta[:, :, 2] = torch.randn(count, 2, generator=self.random) * 0.02
        grid = functional.affine_grid(
            theta, [count, 1, DRAWN_SIZE, DRAWN_SIZE], align_corners=False
        )
        return functional.grid_sample(
            strokes, grid + self._waves(count, 6, 0.02), align_corners=False
        )

    def _broken(self, strokes: Tensor) -> Tensor:
        """Leave strokes out here and there."""
        count = len(strokes)
        cells = torch.rand(count, 1, 12, 12, generator=self.random)
        field = functional.interpolate(cells, DRAWN_SIZE, mode="bilinear", align_corners=False)
        missing = self._between(count, 0.0, 0.45) * self.liberty
        lost = field < missing * self._chance(count, 0.7).float()
        return strokes * (~lost).float()

    def _thickened(self, strokes: Tensor) -> Tensor:
        """Make pencils of some, pens of others, and brushes of a few."""
        count = len(strokes)
        thick = functional.max_pool2d(strokes, 3, 1, 1)
        thicker = functional.max_pool2d(thick, 3, 1, 1)
        soft = gaussian_blur(strokes, 0.8) * 1.6
        which = torch.rand(count, 1, 1, 1, generator=self.random)
        strokes = torch.where(which < 0.35, strokes, thick)
        strokes = torch.where(which > 0.6, soft, strokes)
        strokes = torch.where(which > 0.8, thicker, strokes)
        hard = self._chance(count, 0.4)
        return torch.where(hard, (strokes * 3 - 0.8), strokes).clamp(0, 1)

    def _waves(self, count: int, cells: int, reach: float) -> Tensor:
        """Return smooth shifts ``[count, 128, 128, 2]``; the whole picture is 2 wide."""
        shifts = torch.randn(count, 2, cells, cells, generator=self.random)
        strength = torch.rand(count, 1, 1, 1, generator=self.random) * reach
        field = functional.interpolate(
            shifts * strength, DRAWN_SIZE, mode="bicubic", align_corners=False
        )
        return field.permute(0, 2, 3, 1)

    def _between(self, count: int, low: float, high: float) -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=self.random) * (high - low) + low

    def _chance(self, count: int, share: float) -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=self.random) < share
