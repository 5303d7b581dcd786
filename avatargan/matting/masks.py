"""Growing and flooding masks."""

import torch
from torch import Tensor


def grow(mask: Tensor, pixels: int = 1) -> Tensor:
    """Grow a bool mask ``[..., H, W]`` by some pixels in all eight directions."""
    for _ in range(pixels):
        wide = mask.clone()
        wide[..., 1:] |= mask[..., :-1]
        wide[..., :-1] |= mask[..., 1:]
        mask = wide.clone()
        mask[..., 1:, :] |= wide[..., :-1, :]
        mask[..., :-1, :] |= wide[..., 1:, :]
    return mask


def flood(start: Tensor, free: Tensor, steps: int = 1000) -> Tensor:
    """Spread ``start`` over the 8-connected neighbours in ``free``; ``[B, 1, H, W]``, bool."""
    reached = start & free
    for step in range(1, steps + 1):
        # Comparing costs as much as growing, and a step too many does no harm.
        before = reached
        reached = grow(reached) & free
        if step % 8 == 0 and torch.equal(before, reached):
            break
    return reached
