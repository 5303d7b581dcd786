"""What generator and critic minimise, as pure functions.

D is the critic's score before any sigmoid; softplus(x) = log(1 + exp(x)).
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from avatargan.attributes import UNKNOWN, Taxonomy

#: What ``--loss`` offers.
LOSSES = ("logistic", "relativistic")
#: What cross entropy passes over.
IGNORED = -100


def critic_loss(real_score: Tensor, fake_score: Tensor) -> Tensor:
    """Return the logistic loss of the critic.

    ``mean softplus(-D(real)) + mean softplus(D(fake))``, which is the cross entropy of telling
    real from fake (Goodfellow et al., arXiv 1406.2661, equation 1, as a loss).

    Args:
        real_score: ``[B]``.
        fake_score: ``[B']``.
    """
    return functional.softplus(-real_score).mean() + functional.softplus(fake_score).mean()


def generator_loss(fake_score: Tensor) -> Tensor:
    """Return the non-saturating loss of the generator.

    ``mean softplus(-D(fake))`` (arXiv 1406.2661, end of section 3): unlike the negative of the
    critic's loss, it has a strong gradient where the critic is sure.

    Args:
        fake_score: ``[B]``.
    """
    return functional.softplus(-fake_score).mean()


def relativistic_critic_loss(real_score: Tensor, fake_score: Tensor) -> Tensor:
    """Return the critic's loss of relativistic pairing.

    ``mean softplus(-(D(real) - D(fake)))``: a fake is judged against a real picture, not against
    a line that all are on one side of, which is where modes are dropped (Jolicoeur-Martineau,
    arXiv 1807.00734; with R1 and R2 it is R3GAN's, arXiv 2501.05441, equation 3).

    Args:
        real_score: ``[B]``.
        fake_score: ``[B]``, each paired with the real one of its place.
    """
    return functional.softplus(fake_score - real_score).mean()


def relativistic_generator_loss(real_score: Tensor, fake_score: Tensor) -> Tensor:
    """Return the generator's: ``mean softplus(-(D(fake) - D(real)))``; arguments as above."""
    return functional.softplus(real_score - fake_score).mean()


def class_targets(labels: Tensor, choices: tuple[str, ...]) -> Tensor:
    """Return for each label its index among the offered choices, or :data:`IGNORED`.

    Args:
        labels: indices into ``choices``, ``[B]``.
        choices: those of the attribute, with ``unknown`` at any place or none.
    """
    if UNKNOWN not in choices:
        return labels
    unknown = choices.index(UNKNOWN)
    after = labels > unknown  # unknown is not offered: what follows it moves up by one
    return (labels - after.long()).masked_fill(labels == unknown, IGNORED)


def class_loss(
    classes: Mapping[str, Tensor],
    labels: Mapping[str, Tensor],
    attributes: Taxonomy,
    mean_count: Callable[[Tensor], Tensor] = lambda count: count,
) -> Tensor:
    """Return the loss of the auxiliary classifiers, summed over the attributes.

    For each attribute the cross entropy ``-log softmax(c)[y]``, averaged over the pictures whose
    label is known (AC-GAN, Odena et al., arXiv 1610.09585, equation 3). Where nothing is known
    the loss is 0.

    Args:
        classes: class scores by attribute, ``[B, offered choices]``.
        labels: indices by attribute, ``[B]``; attributes without class scores are passed over.
        attributes: the taxonomy of the labels.
        mean_count: the mean over the processes that share a batch of how many labels each knows.
            The mean of their losses is then the loss of the whole batch.
    """
    terms = []
    for name, scores in classes.items():
        targets = class_targets(labels[name], attributes[name])
        summed = functional.cross_entropy(
            scores if scores.dtype == torch.float64 else scores.float(),
            targets,
            ignore_index=IGNORED,
            reduction="sum",
        )
        count = mean_count((targets != IGNORED).sum().to(summed.dtype))
        terms.append(summed / count.where(count > 0, 1))
    if not terms:
        return next(iter(labels.values())).new_zeros((), dtype=torch.float32)
    return torch.stack(terms).sum()


def class_accuracy(scores: Tensor, labels: Tensor, choices: tuple[str, ...]) -> Tensor:
    """Return how many of the known labels a classifier tells rightly, from 0 to 1.

    Args:
        scores: ``[B, offered choices]``.
        labels: indices into ``choices``, ``[B]``.
        choices: those of the attribute.
    """
    targets = class_targets(labels, choices)
    right = (scores.argmax(dim=1) == targets).sum()
    return right / (targets != IGNORED).sum().clamp(min=1)
