"""Reading sketches: from a board, a scan or a phone to clean strokes.

Whatever comes in, a guess is made: grey paper becomes white, white on black is turned over, thin
lines of large scans survive, a small drawing on a large page is brought near, and of a photograph
lines are drawn. Only a page without a stroke is refused.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from avatargan.errors import OptionError
from avatargan.pictures import rgb_pixels
from avatargan.sketching.following import at_size, gaussian_blur, luminance

#: Side of the strokes that the networks are given.
STROKES_SIZE = 128
INK_SIZE = 512
#: What is looked at of larger pictures.
_LOOKED_AT = 512
#: Ink below this share of the darkest is paper.
FAINTEST = 0.12
#: A page that is opaque on less than this is a drawing on transparency.
MOST_INK = 0.42
#: A page with more half-tones than this is a photograph or a painting.
MOST_HALF_TONES = 0.4
#: A drawing narrower than this share of the page is brought near, to fill so much of it.
SMALL = 0.5
FILLED = 0.86
#: Without strokes on so many pixels of 128 by 128 the page is empty.
FEWEST_PIXELS = 2


@dataclass(frozen=True)
class Sketch:
    """What somebody drew.

    Attributes:
        strokes: ``[1, 1, 128, 128]``, 0 paper, 1 ink.
        ink: the same finer, ``[1, 1, 512, 512]``, as it is laid over what was painted.
        hints: colours that were dabbed, ``[1, 3, 128, 128]`` in [0, 1].
        dabbed: where, ``[1, 1, 128, 128]`` in [0, 1].
        labels: the part of the character that a dab is for, ``[1, parts, 128, 128]`` in [0, 1],
            in the order of :data:`LABELS`.
        remark: what had to be guessed, for people; empty if nothing.
    """

    strokes: Tensor
    ink: Tensor
    hints: Tensor
    dabbed: Tensor
    labels: Tensor
    remark: str = ""


#: Parts that label brushes name, and the colours that stand for them in a picture of labels.
LABELS = {
    "hair": (230, 25, 75),
    "skin": (245, 130, 48),
    "eyes": (0, 130, 200),
    "ground": (60, 180, 75),
}


def read_sketch(
    image: Image.Image, hints: Image.Image | None = None, labels: Image.Image | None = None
) -> Sketch:
    """Return the strokes of a picture that :func:`avatargan.pictures.open_picture` decoded.

    Args:
        image: dark lines on light ground or on transparency; the other way round is seen through.
        hints: dabs of colour on transparency (or on white), of the same shape.
        labels: what the dabs are for: the colours of :data:`LABELS` on transparency.

    Raises:
        OptionError: there is no stroke, nor any hint, on it.
        PictureError: its colours cannot be converted.
    """
    ink, remark = _ink(image)
    frame, moved = _frame(ink)
    strokes = _strokes(_framed(ink, frame, STROKES_SIZE))
    fine = _strokes(_framed(ink, frame, INK_SIZE))
    colours, dabbed = _colours(hints, frame)
    if int((strokes > 0.3).sum()) < FEWEST_PIXELS and not bool((dabbed > 0.5).any()):
        raise OptionError("the sketch is empty: draw some lines, then try again")
    if moved and not remark:
        remark = "a small drawing on a large page: it was enlarged"
    return Sketch(strokes, fine, colours, dabbed, _labels(labels, frame), remark)


def _ink(image: Image.Image) -> tuple[Tensor, str]:
    """Return how much ink there is, ``[1, 1, S, S]``, the page made square, and a remark."""
    image = _reduced(image)
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA"))[..., 3].astype(np.float32) / 255
        if alpha.min() < 0.1 and (alpha > 0.5).mean() < MOST_INK:
            # The alpha channel is the drawing, whatever its colour.
            return _squared(torch.from_numpy(alpha)[None, None]), ""
    pixels = torch.from_numpy(np.array(rgb_pixels(image))).permute(2, 0, 1)[None].float() / 255
    brightness = luminance(pixels)
    remark = ""
    paper = float(brightness.median())
    if paper < 0.4:
        brightness, remark = 1 - brightness, "light lines on dark ground: turned over"
    ink = 1 - (brightness / _paper(brightness).clamp(min=0.05)).clamp(0, 1)
    darkest = float(torch.quantile(_sample(ink), 0.998))
    half_tones = (ink > 0.12 * darkest) & (ink < 0.8 * darkest)
    if darkest > 0.25 and float(half_tones.float().mean()) > MOST_HALF_TONES:
        return _squared(_drawn(brightness)), "a photograph or a painting: lines were drawn of it"
    return _squared(ink), remark


def _reduced(image: Image.Image) -> Image.Image:
    """Return a large picture smaller, its thin dark lines kept."""
    longest = max(image.size)
    if longest <= 2 * _LOOKED_AT:
        return image
    share = 2 * _LOOKED_AT / longest
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    if image.mode in ("P", "1"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.resize(size, Image.Resampling.BOX)


def _paper(brightness: Tensor) -> Tensor:
    """Return the brightness that the paper would have without ink, place by place."""
    height, width = brightness.shape[2:]
    cell = max(4, min(height, width) // 12)
    light = functional.max_pool2d(brightness, cell, cell, ceil_mode=True)
    light = -functional.max_pool2d(-functional.max_pool2d(light, 3, 1, 1), 3, 1, 1)
    return functional.interpolate(light, (height, width), mode="bilinear", align_corners=False)


def _drawn(brightness: Tensor) -> Tensor:
    """Return lines of a photograph: what is darker than what surrounds it."""
    size = min(256, *brightness.shape[2:])
    scale = size / min(brightness.shape[2:])
    small = functional.interpolate(
        brightness,
        (round(brightness.shape[2] * scale), round(brightness.shape[3] * scale)),
        mode="area",
    )
    dark = (gaussian_blur(small, 2.4) - gaussian_blur(small, 1.2)).clamp(min=0) * 14
    return torch.tanh(dark) * (dark > 0.12)


def _squared(ink: Tensor) -> Tensor:
    """Return the page made square with empty paper beside it, of at most 512 px."""
    height, width = ink.shape[2:]
    side = max(height, width)
    left, top = (side - width) // 2, (side - height) // 2
    ink = functional.pad(ink, (left, side - width - left, top, side - height - top))
    if side > _LOOKED_AT:
        factor = math.ceil(side / _LOOKED_AT)
        ink = functional.max_pool2d(ink, factor, factor, ceil_mode=True)
    return ink


def _frame(ink: Tensor) -> tuple[tuple[float, float, float], bool]:
    """Return left, top and side of what is to be looked at, in pages, and if it is not all."""
    strong = ink[0, 0] > max(0.35 * float(ink.max()), FAINTEST)
    if int(strong.sum()) < 12:
        return (0.0, 0.0, 1.0), False
    side = ink.shape[-1]
    rows, columns = torch.nonzero(strong.any(1))[:, 0], torch.nonzero(strong.any(0))[:, 0]
    top, bottom = int(rows[0]) / side, (int(rows[-1]) + 1) / side
    left, right = int(columns[0]) / side, (int(columns[-1]) + 1) / side
    extent = max(bottom - top, right - left)
    if extent > SMALL or extent < 0.04:
        return (0.0, 0.0, 1.0), False
    whole = extent / FILLED
    return ((left + right - whole) / 2, (top + bottom - whole) / 2, whole), True


def _framed(layer: Tensor, frame: tuple[float, float, float], size: int = STROKES_SIZE) -> Tensor:
    """Return what a frame shows of a square layer; beyond it there is nothing."""
    left, top, side = frame
    if side == 1.0:
        return at_size(layer, size)
    theta = torch.tensor([[[side, 0, 2 * left + side - 1], [0, side, 2 * top + side - 1]]])
    shape = [1, layer.shape[1], size, size]
    grid = functional.affine_grid(theta, shape, align_corners=False)
    return functional.grid_sample(layer, grid, align_corners=False)


def _strokes(ink: Tensor) -> Tensor:
    """Return strokes of full tone: the darkest 1, what is hardly there 0."""
    darkest = float(torch.quantile(_sample(ink), 0.99))
    if darkest < 0.1:  # few strokes on much paper
        darkest = float(ink.max())
    if darkest < 0.02:
        return torch.zeros_like(ink)
    strength = ink / max(darkest, 0.06)
    return ((strength - FAINTEST) / (1 - FAINTEST)).clamp(0, 1)


def _sample(ink: Tensor) -> Tensor:
    """Return at most a million values: torch's quantile takes no more than 16 million."""
    values = ink.flatten()
    return values[:: max(1, len(values) // 1_000_000)]


def _layer(image: Image.Image | None) -> tuple[Tensor, Tensor] | None:
    """Return colours ``[1, 3, S, S]`` times alpha, and alpha ``[1, 1, S, S]``, made square."""
    if image is None:
        return None
    image = _reduced(image)
    if image.has_transparency_data:
        pixels = np.asarray(image.convert("RGBA")).astype(np.float32) / 255
        colours, alpha = pixels[..., :3], pixels[..., 3]
    else:
        colours = rgb_pixels(image).astype(np.float32) / 255
        alpha = (colours.min(2) < 0.97).astype(np.float32)
    height, width = alpha.shape
    side = max(height, width)
    square = np.zeros((side, side, 4), np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width, :3] = colours * alpha[..., None]
    square[top : top + height, left : left + width, 3] = alpha
    planes = torch.from_numpy(square).permute(2, 0, 1)[None]
    return planes[:, :3], planes[:, 3:]


def _colours(hints: Image.Image | None, frame: tuple[float, float, float]) -> tuple[Tensor, Tensor]:
    layer = _layer(hints)
    if layer is None:
        empty = torch.zeros(1, 4, STROKES_SIZE, STROKES_SIZE)
        return empty[:, :3], empty[:, 3:]
    colours, alpha = (_framed(each, frame) for each in layer)
    return colours / alpha.clamp(min=1e-3), (alpha > 0.4).float()


def _labels(labels: Image.Image | None, frame: tuple[float, float, float]) -> Tensor:
    layer = _layer(labels)
    result = torch.zeros(1, len(LABELS), STROKES_SIZE, STROKES_SIZE)
    if layer is None:
        return result
    colours, alpha = (_framed(each, frame) for each in layer)
    colours = colours / alpha.clamp(min=1e-3)
    known = torch.tensor(list(LABELS.values())).float() / 255
    distance = (colours[:, None] - known[None, :, :, None, None]).square().sum(2)
    nearest = distance.argmin(1, keepdim=True)
    return result.scatter(1, nearest, 1.0) * (alpha > 0.4)
