"""Tightening the soft edge of alpha to what the picture itself shows."""

import torch
from torch import Tensor

from avatargan.matting.foreground import spread
from avatargan.matting.masks import grow

#: What is taken as surely foreground or background, a pixel away from anything else.
_SURE = 0.9
#: Distance between the colours of both, from 0 to 1, from which they begin to tell them apart,
#: and from which they do.
_FAINT, _CLEAR = 0.15, 0.4


def tighten(image: Tensor, alpha: Tensor) -> Tensor:
    """Lower soft alpha where a pixel shows more of the background than it says.

    The network's edges are a little wide, and a bright background would shine through there. With
    the colours of both grounds known from nearby, a pixel's place between the two is its alpha
    (the projection of Bayesian matting, Chuang et al. 2001). Where the grounds look alike, the
    network knows better and alpha stays; it is never raised, since what looks like the
    foreground may be more background.

    Args:
        image: ``[3, H, W]`` in [0, 1].
        alpha: ``[H, W]`` in [0, 1].
    """
    soft = ((alpha > 0) & (alpha < 1)).flatten().nonzero()[:, 0]
    near = spread(image, _surely(alpha[None])).flatten(1)[:, soft]
    behind = spread(image, _surely(1 - alpha[None])).flatten(1)[:, soft]
    step = near - behind
    energy = step.square().sum(0)
    offset = image.flatten(1)[:, soft] - behind
    shown = ((offset * step).sum(0) / energy.clamp(min=1e-3)).clamp(0, 1)
    clear = (((energy / 3).sqrt() - _FAINT) / (_CLEAR - _FAINT)).clamp(0, 1)
    said = alpha.flatten()[soft]
    tightened = alpha.clone()
    tightened.view(-1)[soft] = torch.minimum(said, torch.lerp(said, shown, clear))
    return tightened


def _surely(share: Tensor) -> Tensor:
    """Return where a share ``[1, H, W]`` is high all around, as 0 and 1."""
    return (~grow(share < _SURE)).float()
