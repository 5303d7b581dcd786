"""Colours of the foreground under a soft edge, free of what was behind it."""

import torch
from torch import Tensor
from torch.nn import functional

#: Keeps the colours of the pyramid defined where there is no foreground at all.
_FAINTEST = 1e-4
#: Below this alpha a pixel's own colour says too little about the foreground to be used.
_SMALLEST_SHARE = 0.1


def estimate_foreground(image: Tensor, alpha: Tensor, background: Tensor | None = None) -> Tensor:
    """Return the foreground's colours ``[3, H, W]`` in [0, 1], free of the old background.

    Over any other background
    ``alpha * colours + (1 - alpha) * background`` shows nothing of the old one.

    Where alpha is small or 0 the colours continue those nearby, so that pictures which are
    filtered after the cut (game engines, thumbnails) show no fringe either. Both grounds are
    filled in from their own pixels over a pyramid ("pull-push", Gortler et al. 1996) and then
    made to explain the image together (blur fusion, Forte 2021, arXiv 2006.14970).

    Args:
        image: ``[3, H, W]`` in [0, 1].
        alpha: ``[H, W]`` in [0, 1].
        background: its colour ``[3]``, where it is known and flat.
    """
    alpha = alpha[None]
    # Only what is nearly opaque may colour its surroundings: soft pixels are tainted.
    near = fill_from(image, alpha**8)
    if background is None:
        behind = fill_from(image, (1 - alpha) ** 8)
    else:
        behind = background[:, None, None].expand_as(image)
    unexplained = image - alpha * near - (1 - alpha) * behind
    share = alpha.clamp(min=_SMALLEST_SHARE)
    trust = (alpha / _SMALLEST_SHARE).clamp(max=1)
    colours = (near + trust * unexplained / share).clamp(0, 1)
    return torch.where(alpha == 1, image, colours)


def fill_from(image: Tensor, weight: Tensor) -> Tensor:
    """Spread the colours of the pixels with weight over those with none.

    Args:
        image: ``[3, H, W]``.
        weight: ``[1, H, W]`` in [0, 1].
    """
    levels = [torch.cat([image * weight, weight])[None]]
    while max(levels[-1].shape[-2:]) > 1:
        levels.append(functional.avg_pool2d(levels[-1], 2, ceil_mode=True, count_include_pad=False))
    top = levels[-1]
    filled = top[:, :3] / top[:, 3:].clamp(min=_FAINTEST)
    for level in reversed(levels[:-1]):
        coarse = functional.interpolate(filled, size=level.shape[-2:], mode="bilinear")
        own = level[:, 3:]
        filled = level[:, :3] + (1 - own) * coarse
    return filled[0]
