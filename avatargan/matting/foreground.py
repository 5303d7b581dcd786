"""Colours of the foreground under a soft edge, free of what was behind it."""

import torch
from torch import Tensor
from torch.nn import functional

#: Keeps the colours of the pyramid defined where there is no foreground at all.
_FAINTEST = 1e-4
#: Smaller side from which pictures are filled at half the size.
_HALVED_FROM = 512
#: How much colours nearby are believed beside the pixel's own: alpha is not exact either.
_TIMIDITY = 0.1


def estimate_foreground(image: Tensor, alpha: Tensor, background: Tensor | None = None) -> Tensor:
    """Return the foreground's colours ``[3, H, W]`` in [0, 1], free of the old background.

    Over any other one ``alpha * colours + (1 - alpha) * background`` shows nothing of it.

    Where alpha is small or 0 the colours continue those nearby, so that pictures which are
    filtered after the cut (game engines, thumbnails) show no fringe either. Both grounds are
    filled in from their own pixels over a pyramid ("pull-push", Gortler et al. 1996) and then
    made to explain the image together (in the manner of Germer et al., arXiv 2006.14970).

    Args:
        image: ``[3, H, W]`` in [0, 1].
        alpha: ``[H, W]`` in [0, 1].
        background: its colour ``[3]``, where it is known and flat.
    """
    alpha = alpha[None]
    # Only what is nearly opaque may colour its surroundings: soft pixels are tainted.
    near = spread(image, _emphasise(alpha))
    colours = torch.where(alpha == 1, image, near)
    soft = ((alpha > 0) & (alpha < 1)).flatten().nonzero()[:, 0]  # few: the outline
    if background is None:
        behind = spread(image, _emphasise(1 - alpha)).flatten(1)[:, soft]
    else:
        behind = background[:, None]
    own, share = near.flatten(1)[:, soft], alpha.flatten()[soft]
    unexplained = image.flatten(1)[:, soft] - share * own - (1 - share) * behind
    # The least squares of what stays unexplained and of the distance from the colours nearby,
    # which counts the more, the less of the foreground the pixel shows.
    own = own + unexplained * share / (share.square() + _TIMIDITY * (1 - share))
    colours.flatten(1)[:, soft] = own
    return colours.clamp(0, 1)


def _emphasise(alpha: Tensor) -> Tensor:
    """Return the eighth power."""
    return alpha.square().square().square()


def spread(image: Tensor, weight: Tensor) -> Tensor:
    """Like :func:`fill_from`; large pictures at half the size, which the result does not show."""
    height, width = image.shape[-2:]
    if min(height, width) < _HALVED_FROM:
        return fill_from(image, weight)
    share = functional.avg_pool2d(weight, 2)
    colours = functional.avg_pool2d(image * weight, 2) / share.clamp(min=_FAINTEST)
    filled = fill_from(colours, share)
    return functional.interpolate(filled[None], size=(height, width), mode="bilinear")[0]


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
