"""What is done to faces before the tagger learns from them; never to their colours.

Colour is what is learnt, so pictures are moved, tilted, made smaller, laid over other backgrounds
and degraded as small pictures on the web are, but not recoloured.
"""

import io
import math

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

LARGEST_TILT = math.radians(12)
LARGEST_SHIFT = 0.1
SMALLEST_SCALE, LARGEST_SCALE = 0.75, 1.2

OTHER_BACKGROUND = 0.5
REDUCED = 0.2
BLURRED = 0.15
COMPRESSED = 0.2


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


class Augmenter:
    """Makes new pictures of faces; the same seed and step give the same ones.

    Args:
        seed: of all randomness.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, pictures: Tensor, paper: Tensor, step: int) -> Tensor:
        """Return changed pictures ``[B, 3, S, S]`` in [-1, 1].

        Args:
            pictures: ``[B, 3, S, S]`` uint8.
            paper: ``[B, S, S]`` bool, see :func:`paper_background`.
            step: another one gives other changes.
        """
        random = torch.Generator().manual_seed(_mixed(self.seed, step))
        batch = len(pictures)
        originals = pictures.float() / 255
        other = torch.rand(batch, generator=random) < OTHER_BACKGROUND
        ground = torch.where(
            other[:, None, None, None], _backgrounds(originals, random), torch.ones(())
        )
        alpha = 1 - (paper & other[:, None, None]).float()[:, None]
        moved = _move(torch.cat([originals * alpha, alpha], dim=1), random)
        result = moved[:, :3] + (1 - moved[:, 3:]) * ground
        result = _reduce(result, random)
        result = _blur(result, random)
        result = _compress(result, random)
        return result.clamp(0, 1) * 2 - 1


def _mixed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)


def _move(layers: Tensor, random: torch.Generator) -> Tensor:
    """Flip, scale, tilt and shift pictures with premultiplied alpha; outside is transparent."""
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
    return functional.grid_sample(layers, grid, align_corners=False)


def _backgrounds(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Return a background for each picture: plain, graded, or another picture out of focus."""
    batch, channels, side, _ = pictures.shape
    corners = torch.rand(batch, channels, 2, 2, generator=random)
    graded = functional.interpolate(corners, size=(side, side), mode="bilinear", align_corners=True)
    plain = corners[:, :, :1, :1].expand(-1, -1, side, side)
    others = pictures[torch.randperm(batch, generator=random)]
    coarse = functional.adaptive_avg_pool2d(others, 6)
    scenery = functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 1)
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
