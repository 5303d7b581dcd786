"""Gradient penalties that keep the critic smooth, as pure functions.

All of them are functions of the norm of the critic's gradient over the whole picture: over
channels, rows and columns together, one norm for each picture.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from avatargan.errors import OptionError, did_you_mean

#: What ``--regularizer`` offers.
REGULARIZERS = ("dragan", "r1", "r1r2", "none")
#: How far DRAGAN's perturbation goes, in standard deviations of the data.
DRAGAN_REACH = 0.5

#: Pictures ``[B, 3, H, W]`` to scores ``[B]``.
ScoreFunction = Callable[[Tensor], Tensor]


def score_gradient(score: ScoreFunction, x: Tensor) -> Tensor:
    """Return the gradient of each picture's score by the picture, ``[B, C, H, W]``.

    It can be differentiated in turn, which is what trains the critic through it.
    """
    x = x.detach().requires_grad_(True)
    # The sum of the scores: each depends on its own picture. (Where batch statistics tie them
    # together, the gradient holds what a picture does to its neighbours too.)
    (gradient,) = torch.autograd.grad(score(x).sum(), x, create_graph=True)
    return gradient


def gradient_norm(gradient: Tensor) -> Tensor:
    """Return the Euclidean norm over C, H and W together, ``[B]``.

    In float32 at least: squares of small gradients vanish in half precision. Its own gradient is
    0 where the norm is 0.
    """
    gradient = gradient if gradient.dtype == torch.float64 else gradient.float()
    norm: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return norm


def dragan_perturbation(x: Tensor, scale: Tensor, noise: Tensor, deviation: Tensor) -> Tensor:
    """Return ``x' = x + 0.5 * std(x) * u * (2 U[0, 1)^shape - 1)``, pictures near real ones.

    Kodali et al., "On Convergence and Stability of GANs" (DRAGAN, arXiv 1705.07215). Their code's
    noise, U[0, 1), brightens every picture; this one has the same mean square (1/3) and no mean.
    u, a number per picture, spreads the pictures over all distances up to theirs.

    Args:
        x: real pictures, ``[B, 3, H, W]``.
        scale: u, from U[0, 1), ``[B]``.
        noise: from U[0, 1), of the shape of x.
        deviation: std(x), one number: the standard deviation of all values of the batch.
    """
    return x + DRAGAN_REACH * deviation * scale[:, None, None, None] * (2 * noise - 1)


def dragan_penalty(score: ScoreFunction, perturbed: Tensor) -> Tensor:
    """Return ``mean (||grad D(x')|| - 1)^2`` (DRAGAN, arXiv 1705.07215, section 2.4).

    Args:
        score: the critic with the pictures' labels.
        perturbed: x', from :func:`dragan_perturbation`.
    """
    return (gradient_norm(score_gradient(score, perturbed)) - 1).square().mean()


def r1_penalty(score: ScoreFunction, real: Tensor) -> Tensor:
    """Return ``1/2 mean ||grad D(x)||^2`` (Mescheder et al., arXiv 1801.04406, equation 9).

    Args:
        score: the critic with the pictures' labels.
        real: real pictures, ``[B, 3, H, W]``.
    """
    return _half_mean_square(score_gradient(score, real))


def r2_penalty(score: ScoreFunction, fake: Tensor) -> Tensor:
    """Return ``1/2 mean ||grad D(x)||^2`` on fakes (arXiv 1801.04406, equation 10).

    Beside R1 it is what makes relativistic pairing converge (R3GAN, arXiv 2501.05441, section 2).

    Args:
        score: the critic with the labels of the fakes.
        fake: generated pictures, ``[B, 3, H, W]``.
    """
    return _half_mean_square(score_gradient(score, fake))


def _half_mean_square(gradient: Tensor) -> Tensor:
    gradient = gradient if gradient.dtype == torch.float64 else gradient.float()
    return gradient.flatten(1).square().sum(dim=1).mean() / 2


def check_regularizer(name: str) -> str:
    """Return the name of a regularizer.

    Raises:
        OptionError: there is none of that name.
    """
    if name not in REGULARIZERS:
        raise OptionError(
            f"there is no regularizer '{name}'{did_you_mean(name, REGULARIZERS)} "
            f"(regularizers: {', '.join(REGULARIZERS)})"
        )
    return name
