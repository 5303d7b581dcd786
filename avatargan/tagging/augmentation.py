"""What is done to faces before the tagger learns from them; never to their hues.

Colour is what is learnt, so pictures are moved, tilted, framed otherwise, laid over other
backgrounds and degraded as small pictures on the web are, but not recoloured. Their tone changes:
television is darker, flatter or more tinted than drawings on paper, and brown hair is brown there.
"""

import io
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

#: Brighter than this in all channels, and connected to the border, is paper and not drawing.
PAPER = 240
#: Pictures whose background is searched for at a time: they fit into the processor's cache.
AT_A_TIME = 64
#: White found inside the face is not background: the search leaked through an open outline.
LARGEST_LEAK = 0.02

LARGEST_TILT = math.radians(18)
LARGEST_SHIFT = 0.11
#: From a portrait with shoulders to a face that fills the picture.
SMALLEST_SCALE, LARGEST_SCALE = 0.65, 1.35

OTHER_BACKGROUND = 0.5
REDUCED = 0.2
BLURRED = 0.15
COMPRESSED = 0.2
TONED = 0.6
#: The exponent of a tone curve, as its logarithm either way; the levels that black and white move
#: to at most; and how much of the saturation is left or added.
LARGEST_GAMMA = math.log(1.6)
LARGEST_BLACK, LARGEST_WHITE = 0.14, 0.16
LEAST_SATURATION, MOST_SATURATION = 0.65, 1.25
#: Part by which the channels are scaled apart: lamps and evening light.
LARGEST_TINT = 0.06
#: Of red, green and blue in the luminance (ITU-R BT.601).
LUMINANCE = (0.299, 0.587, 0.114)


def paper_background(pictures: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where pictures show white paper that reaches their border, ``[N, H, W]``.

    It is all False where paper seems to reach into the middle: that is white hair or skin.

    Args:
        pictures: ``[N, H, W, 3]``.
    """
    paper = np.zeros(pictures.shape[:3], bool)
    for start in range(0, len(pictures), AT_A_TIME):
        part = pictures[start : start + AT_A_TIME]
        paper[start : start + AT_A_TIME] = _connected_to_border(part.min(axis=3) > PAPER)
    height, width = pictures.shape[1], pictures.shape[2]
    middle = paper[:, height // 3 : height * 4 // 5, width // 4 : width * 3 // 4]
    paper[middle.mean((1, 2)) > LARGEST_LEAK] = False
    return paper


def _connected_to_border(white: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what of ``[N, H, W]`` reaches the upper, left or right border by rows and columns."""
    found = np.zeros_like(white)
    found[:, 0], found[:, :, 0], found[:, :, -1] = white[:, 0], white[:, :, 0], white[:, :, -1]
    count = -1
    while count != (count := int(found.sum())):
        for before, after in (
            (found[:, :-1], found[:, 1:]),
            (found[:, :, :-1], found[:, :, 1:]),
        ):
            after |= before.copy()
            before |= after
            found &= white
    return found


@dataclass(frozen=True)
class Changed:
    """Pictures that were changed.

    Attributes:
        images: ``[B, 3, S, S]`` in [-1, 1].
        flipped: which show a mirror image now, bool ``[B]``.
    """

    images: Tensor
    flipped: Tensor


class Augmenter:
    """Makes new pictures of faces; the same seed and step give the same ones.

    Args:
        seed: of all randomness.
        tones: whether tones are changed as well.
    """

    def __init__(self, seed: int, *, tones: bool = True) -> None:
        self.seed = seed
        self.tones = tones

    def __call__(self, pictures: Tensor, paper: Tensor, step: int) -> Changed:
        """Return changed pictures.

        Args:
            pictures: ``[B, 3, S, S]`` uint8.
            paper: ``[B, S, S]`` bool, see :func:`paper_background`.
            step: another one gives other changes.
        """
        random = torch.Generator().manual_seed(_mixed(self.seed, step))
        batch = len(pictures)
        originals = pictures.float() / 255
        other = torch.rand(batch, generator=random) < OTHER_BACKGROUND
        ground = torch.ones_like(originals)
        ground[other] = _backgrounds(originals[other], random)
        alpha = 1 - (paper & other[:, None, None]).float()[:, None]
        moved, flipped = _move(torch.cat([originals * alpha, alpha], dim=1), random)
        result = moved[:, :3] + (1 - moved[:, 3:]) * ground
        if self.tones:
            result = _tone(result, random)
        result = _reduce(result, random)
        result = _blur(result, random)
        result = _compress(result, random)
        return Changed(result.clamp(0, 1) * 2 - 1, flipped)


def _mixed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)


def _move(layers: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Flip, scale, tilt and shift pictures with premultiplied alpha; outside is transparent.

    Also says which were flipped, bool ``[B]``.
    """
    batch = len(layers)
    uniform = torch.rand(5, batch, generator=random)
    flip = torch.where(uniform[0] < 0.5, -1.0, 1.0)
    # Even in the logarithm, as twice as large and half as large are equally far.
    spread = math.log(LARGEST_SCALE / SMALLEST_SCALE)
    scale = SMALLEST_SCALE * torch.exp(uniform[1] * spread)
    angle = (uniform[2] * 2 - 1) * LARGEST_TILT
    shift = (uniform[3:] * 2 - 1) * 2 * LARGEST_SHIFT
    cosine, sine = angle.cos() / scale, angle.sin() / scale
    matrix = torch.stack(
        [
            torch.stack([cosine * flip, -sine * flip, shift[0]], dim=1),
            torch.stack([sine, cosine, shift[1]], dim=1),
        ],
        dim=1,
    )  # [B, 2, 3]: from places in the result to places in the original
    grid = functional.affine_grid(matrix, list(layers.shape), align_corners=False)
    return functional.grid_sample(layers, grid, align_corners=False), flip < 0


def _tone(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Change the tone curve, the levels, the saturation and the light of some."""
    chosen = _chosen(len(pictures), TONED, random)
    if len(chosen):
        few = pictures[chosen].clamp(0, 1)
        uniform = torch.rand(7, len(chosen), 1, 1, 1, generator=random)
        few = few ** torch.exp((uniform[0] * 2 - 1) * LARGEST_GAMMA)
        weights = torch.tensor(LUMINANCE).reshape(1, 3, 1, 1)
        grey = (few * weights).sum(1, keepdim=True)
        saturation = LEAST_SATURATION + (MOST_SATURATION - LEAST_SATURATION) * uniform[1]
        few = grey + (few - grey) * saturation
        # Squared: most pictures use nearly all levels.
        black, white = LARGEST_BLACK * uniform[2] ** 2, 1 - LARGEST_WHITE * uniform[3] ** 2
        tint = 1 + LARGEST_TINT * (uniform[4:7].squeeze(-1).permute(1, 0, 2, 3) * 2 - 1)
        pictures[chosen] = (black + (white - black) * few) * tint
    return pictures


def _backgrounds(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Return a background for each picture: plain, graded, or another picture out of focus."""
    batch, channels, side, _ = pictures.shape
    corners = torch.rand(batch, channels, 2, 2, generator=random)
    graded = functional.interpolate(corners, size=(side, side), mode="bilinear", align_corners=True)
    plain = corners[:, :, :1, :1].expand(-1, -1, side, side)
    others = pictures[torch.randperm(batch, generator=random)]
    coarse = functional.adaptive_avg_pool2d(others[:, :, ::4, ::4], 6)
    scenery = functional.interpolate(coarse, size=(side // 4, side // 4), mode="bicubic")
    scenery = functional.interpolate(scenery.clamp(0, 1), size=(side, side), mode="bilinear")
    kind = torch.rand(batch, generator=random)[:, None, None, None]
    return torch.where(kind < 0.35, plain, torch.where(kind < 0.6, graded, scenery))


def _chosen(batch: int, probability: float, random: torch.Generator) -> Tensor:
    return (torch.rand(batch, generator=random) < probability).nonzero()[:, 0]


def _reduce(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Take detail from some: smaller and back to size."""
    side = pictures.shape[-1]
    chosen = _chosen(len(pictures), REDUCED, random)
    smaller = int(torch.randint(round(side * 0.45), side, (), generator=random))
    if len(chosen):
        few = functional.interpolate(
            pictures[chosen], size=(smaller, smaller), mode="bilinear", antialias=True
        )
        pictures[chosen] = functional.interpolate(few, size=(side, side), mode="bicubic")
    return pictures


def _blur(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Soften some a little."""
    chosen = _chosen(len(pictures), BLURRED, random)
    if len(chosen):
        few = pictures[chosen]
        soft = functional.avg_pool2d(few, 3, 1, 1, count_include_pad=False)
        strength = torch.rand(len(chosen), 1, 1, 1, generator=random)
        pictures[chosen] = few + (soft - few) * strength
    return pictures


def _compress(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Give some the marks that JPEG leaves."""
    for index in _chosen(len(pictures), COMPRESSED, random).tolist():
        quality = int(torch.randint(30, 95, (), generator=random))
        pixels = pictures[index].clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "jpeg", quality=quality)
        with Image.open(buffer) as image:
            decoded = np.array(image)
        pictures[index] = torch.from_numpy(decoded).permute(2, 0, 1).float() / 255
    return pictures
