"""Adaptive augmentation: how much is changed follows from how far the critic has overfitted.

Karras et al., "Training Generative Adversarial Networks with Limited Data" (ADA, arXiv
2006.06676). Only places are changed, by :class:`avatargan.training.augmentation.Augmentation`,
and never colours: the colour is the label.
"""

import torch
from torch import Tensor

#: Steps from one look at held-out pictures to the next.
LOOK_EVERY = 16
#: Images over which the strength could go from 0 to 1, if it went one way all the time.
REACH = 500_000
#: Of shorter runs that is this part.
REACH_PART = 0.25
#: Below this difference of scores the critic tells nothing apart that could be overfitted.
_LEAST_GAP = 1e-3


def overfitting(trained: Tensor, held_out: Tensor, fake: Tensor) -> Tensor:
    """Return how far the critic has overfitted: 0 not at all, 1 held-out pictures look fake.

    ``(E[D(trained)] - E[D(held-out)]) / (E[D(trained)] - E[D(fake)])`` (arXiv 2006.06676,
    equation 1); 0 where the critic does not tell fakes apart.

    Args:
        trained: mean score of pictures that the critic learns from.
        held_out: of pictures that it never sees.
        fake: of generated ones.
    """
    gap = trained - fake
    told_apart = gap > _LEAST_GAP
    return torch.where(told_apart, (trained - held_out) / gap.where(told_apart, 1), 0)


def adapted(strength: Tensor, seen: Tensor, target: float, images: int, run: int) -> Tensor:
    """Return the strength after a look: a little more where overfitting is above its target.

    ``p + sign(r - target) * images / reach``, kept in [0, 1] (arXiv 2006.06676, section 3.1).

    Args:
        strength: p, the probability of each change.
        seen: r, from :func:`overfitting`.
        target: what r is held at.
        images: seen since the last look.
        run: images of the whole run.
    """
    reach = min(REACH, REACH_PART * run)
    return (strength + torch.sign(seen - target) * images / reach).clamp(0, 1)
