"""How well a picture follows strokes: where its edges are, and where the strokes are, both blurred.

Strokes of people are not edges of pictures, but both are in the same places. Blurring forgives a
hand that is a little off; the correlation forgives the thickness and the tone of the pencil.
"""

import torch
from torch import Tensor
from torch.nn import functional

#: Pictures and strokes are compared at this size, with this blur.
COMPARED_SIZE = 64
BLUR = 2.0
#: After the blur half the size holds all that there is.
MAP_SIZE = 32
#: An edge of this contrast (of 1, between neighbouring pixels) counts half as much as any can.
HALF_STRENGTH = 0.12


def gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    """Blur ``[B, 1, H, W]``; what is at the border goes on beyond it."""
    radius = min(max(1, round(2.5 * sigma)), min(x.shape[2:]) - 1)
    places = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-places.square() / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    x = functional.pad(x, (radius, radius, radius, radius), mode="replicate")
    x = functional.conv2d(x, kernel[None, None, None, :])
    return functional.conv2d(x, kernel[None, None, :, None])


def gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the slopes of ``[B, 1, H, W]`` across and down, by Sobel's kernels, per pixel."""
    smooth = torch.tensor([1.0, 2.0, 1.0], dtype=x.dtype, device=x.device) / 4
    slope = torch.tensor([-1.0, 0.0, 1.0], dtype=x.dtype, device=x.device) / 2
    padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    across = functional.conv2d(padded, (smooth[:, None] * slope[None, :])[None, None])
    down = functional.conv2d(padded, (slope[:, None] * smooth[None, :])[None, None])
    return across, down


def luminance(pictures: Tensor) -> Tensor:
    """Return the brightness ``[B, 1, H, W]`` of RGB pictures ``[B, 3, H, W]`` (ITU-R BT.601)."""
    weights = pictures.new_tensor([0.299, 0.587, 0.114])
    return (pictures * weights[:, None, None]).sum(1, keepdim=True)


def at_size(x: Tensor, size: int) -> Tensor:
    """Return ``[B, C, H, W]`` at another size: areas averaged, or bilinear where it grows."""
    if x.shape[-1] == size and x.shape[-2] == size:
        return x
    if min(x.shape[-2:]) > size:
        return functional.interpolate(x, (size, size), mode="area")
    return functional.interpolate(x, (size, size), mode="bilinear", align_corners=False)


def edge_map(brightness: Tensor, *, saturating: bool = True) -> Tensor:
    """Return the blurred edges ``[B, 1024]`` of pictures.

    Args:
        brightness: ``[B, 1, H, W]`` in [0, 1].
        saturating: whether faint edges count nearly as much as strong ones, as people draw them.
    """
    across, down = gradients(at_size(brightness, COMPARED_SIZE))
    strength = torch.sqrt(across.square() + down.square() + 1e-8)
    if saturating:
        strength = strength / (strength + HALF_STRENGTH)
    return _map(strength)


def stroke_map(strokes: Tensor) -> Tensor:
    """Return the blurred strokes ``[B, 1024]``.

    Args:
        strokes: ``[B, 1, H, W]``, 0 paper, 1 ink.
    """
    return _map(at_size(strokes, COMPARED_SIZE))


def centred(maps: Tensor) -> Tensor:
    """Return maps with mean 0 and length 1, whose products are their correlations."""
    return functional.normalize(maps - maps.mean(1, keepdim=True), dim=1, eps=1e-6)


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Return how alike maps ``[B, N]`` are, ``[B]``, from -1 to 1; empty ones are like nothing."""
    return (centred(first) * centred(second)).sum(1)


def mirrored_map(maps: Tensor) -> Tensor:
    """Return the maps ``[B, 1024]`` of the mirrored pictures."""
    return maps.reshape(-1, MAP_SIZE, MAP_SIZE).flip(2).flatten(1)


def _map(strength: Tensor) -> Tensor:
    return functional.avg_pool2d(gaussian_blur(strength, BLUR), 2).flatten(1)
