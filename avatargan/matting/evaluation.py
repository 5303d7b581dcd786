"""Held-out composites with known alpha, and the figures that methods reach on them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from avatargan.latents import FloatArray
from avatargan.matting.composites import background
from avatargan.matting.drawn_characters import draw_character
from avatargan.matting.labels import CutOut

#: Cut-outs with more pixels in doubt than this share are not fit to judge by.
LARGEST_DOUBT = 0.005
#: Half of the composites are on white, as the generator draws most of its pictures.
KINDS = ("white", "flat", "white", "gradient", "white", "clouds", "white", "shapes")


@dataclass(frozen=True)
class KnownAlpha:
    """A picture whose alpha is known.

    Attributes:
        image: RGB.
        alpha: ``[H, W]`` in [0, 1].
        colours: ``[H, W, 3]`` in [0, 1], the character's own where alpha is not 0.
        background: the kind of background.
        character: what the character is, for tables: a hair colour, or "drawn".
    """

    image: Image.Image
    alpha: FloatArray
    colours: FloatArray
    background: str
    character: str

    def resized(self, size: int) -> "KnownAlpha":
        """Average picture and alpha down to a size that divides its own."""
        factor = self.image.width // size
        if factor == 1:
            return self
        alpha = _average(self.alpha[..., None], factor)
        colours = _average(self.colours * self.alpha[..., None], factor)
        return KnownAlpha(
            self.image.reduce(factor),
            alpha[..., 0],
            (colours / np.maximum(alpha, 1e-6)).astype(np.float32),
            self.background,
            self.character,
        )


def _average(values: FloatArray, factor: int) -> FloatArray:
    height, width, channels = values.shape
    blocks = values.reshape(height // factor, factor, width // factor, factor, channels)
    means: FloatArray = blocks.mean((1, 3), dtype=np.float32)
    return means


def held_out_composites(
    material: Sequence[CutOut], hair_names: Sequence[str], count: int
) -> Iterator[KnownAlpha]:
    """Lay held-out cut-outs over backgrounds, in turn; on white they are the pictures drawn.

    Args:
        material: cut-outs of seeds that were not trained on.
        hair_names: what each cut-out is called in tables.
        count: how many composites.
    """
    fit = [
        (cut_out, name)
        for cut_out, name in zip(material, hair_names, strict=True)
        if (~cut_out.certain).float().mean() <= LARGEST_DOUBT
    ]
    for index, ((cut_out, name), kind) in enumerate(islice(zip(cycle(fit), cycle(KINDS)), count)):
        random = torch.Generator().manual_seed(index)
        ground = background(kind, cut_out.alpha.shape[-1], random)
        alpha = cut_out.alpha.float() / 255
        colours = cut_out.foreground.float() / 255
        yield _known(alpha * colours + (1 - alpha) * ground, alpha, colours, kind, name)


def drawn_composites(count: int, size: int = 512) -> Iterator[KnownAlpha]:
    """Lay drawn characters over backgrounds; every other one on white has white hair."""
    for index, kind in enumerate(islice(cycle(KINDS), count)):
        random = torch.Generator().manual_seed(index)
        pale = (248, 247, 250) if kind == "white" and index % 4 == 0 else None
        character = draw_character(index, size, pale)
        picture = character.over(background(kind, size, random))
        alpha = character.alpha[0]
        colours = character.premultiplied / alpha.clamp(min=1e-6)
        name = "drawn, white hair" if pale else "drawn"
        yield _known(picture, alpha, colours, kind, name)


def _known(picture: Tensor, alpha: Tensor, colours: Tensor, kind: str, name: str) -> KnownAlpha:
    pixels = picture.clamp(0, 1).mul(255).add(0.5).to(torch.uint8).permute(1, 2, 0)
    return KnownAlpha(
        Image.fromarray(pixels.contiguous().numpy()),
        alpha.numpy(),
        colours.permute(1, 2, 0).clamp(0, 1).contiguous().numpy(),
        kind,
        name,
    )


def mean_absolute_error(alpha: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Return the mean of ``|alpha - truth|`` over all pixels."""
    return float(np.abs(alpha - truth).mean())


def intersection_over_union(alpha: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Return the IoU of the pixels that are more than half opaque."""
    ours, known = alpha > 0.5, truth > 0.5
    union = np.logical_or(ours, known).sum()
    return float(np.logical_and(ours, known).sum() / union) if union else 1.0


def fringe(cut_out: Image.Image, known: KnownAlpha) -> float:
    """Return how much too light the edge is over black, in [0, 1].

    This is the mean, over the pixels that are soft in truth, of what the cut-out over black is
    lighter there than the true character over black.
    """
    rgba = np.asarray(cut_out, dtype=np.float32) / 255
    soft = (known.alpha > 0.02) & (known.alpha < 0.98)
    if not soft.any():
        return 0.0
    ours = (rgba[..., :3] * rgba[..., 3:])[soft]
    truth = (known.colours * known.alpha[..., None])[soft]
    return float((ours - truth).mean(-1).clip(0).mean())


def over(cut_out: Image.Image, ground: str) -> Image.Image:
    """Lay a cut-out over a ground to look at it: "dark", "light", "checkered" or a colour."""
    size = cut_out.size
    if ground == "checkered":
        rows, columns = np.indices((size[1], size[0])) // 16
        squares = np.where((rows + columns) % 2, 204, 102).astype(np.uint8)
        below = Image.fromarray(squares).convert("RGBA")
    else:
        colour = {"dark": (24, 26, 34), "light": (246, 247, 250)}.get(ground, ground)
        below = Image.new("RGBA", size, colour)
    return Image.alpha_composite(below, cut_out).convert("RGB")
