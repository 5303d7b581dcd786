"""Codes: w in coordinates that are sorted by how much they show.

Most directions of w change next to nothing. With cov(w) = H H^T and G the mean of J^T v v^T J (J
the Jacobian of the small picture by w, v random), the eigenvectors Q of H^T G H are the directions
in which a typical step changes the picture most. The code is Q^T H^-1 (w - mean of its style): of
unit variance at psi 1, its first numbers the ones worth knowing. Regressing on w itself, or on its
principal components, learns nothing in the same time.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from avatargan.latents import seeds_to_z
from avatargan.networks import ConditionalGenerator

#: Side of the picture whose changes count.
SEEN_SIZE = 32
#: Directions of less than this share of the largest variance are none.
SMALLEST_VARIANCE = 1e-5
_SAMPLES = 4096
_BATCH = 16


@dataclass(frozen=True)
class Coordinates:
    """The way between w and codes.

    Attributes:
        mean: of w, of each style, ``[styles, w_dim]``.
        to_w: ``[w_dim, code_dim]``.
        to_code: ``[code_dim, w_dim]``.
        visibility: how much each number of a code shows, the first 1, ``[code_dim]``.
    """

    mean: Tensor
    to_w: Tensor
    to_code: Tensor
    visibility: Tensor

    def encode(self, w: Tensor, style: Tensor) -> Tensor:
        """Return codes ``[B, code_dim]`` of w ``[B, w_dim]`` of the styles ``[B]``."""
        return (w - self.mean[style]) @ self.to_code.T

    def decode(self, code: Tensor, style: Tensor) -> Tensor:
        """Return w ``[B, w_dim]``; what a code does not tell is as in the mean."""
        return self.mean[style] + code @ self.to_w.T


def find_coordinates(
    generator: ConditionalGenerator, code_dim: int, *, batches: int = 20, seed: int = 0
) -> Coordinates:
    """Measure what shows.

    Args:
        generator: whose w it is.
        code_dim: how many numbers a code is to have; no more than w has directions.
        batches: of 16 pictures whose Jacobian is probed.
        seed: decides the samples.
    """
    styles = len(generator.w_mean)
    random = torch.Generator().manual_seed(seed)
    w, style = sample_w(generator, _SAMPLES, seed)
    mean = torch.stack([w[style == index].mean(0) for index in range(styles)])
    spread = (w - mean[style]).double()
    covariance = spread.T @ spread / len(w)
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > SMALLEST_VARIANCE * values.max()
    root = vectors[:, kept] * values[kept].sqrt()  # H, [w_dim, rank]
    inverse = (vectors[:, kept] / values[kept].sqrt()).T  # H^-1, [rank, w_dim]
    seen = torch.zeros(len(covariance), len(covariance), dtype=torch.float64)
    for batch in range(batches):
        rows = torch.arange(batch * _BATCH, (batch + 1) * _BATCH) % len(w)
        slope = _visible_slope(generator, w[rows], style[rows], random).double()
        seen += slope.T @ slope
    strength, directions = torch.linalg.eigh(root.T @ seen @ root)
    order = strength.argsort(descending=True)[:code_dim]
    turn = directions[:, order]  # Q, [rank, code_dim]
    return Coordinates(
        mean=mean,
        to_w=(root @ turn).float(),
        to_code=(turn.T @ inverse).float(),
        visibility=(strength[order] / strength[order[0]]).clamp(min=0).sqrt().float(),
    )


@torch.inference_mode()
def sample_w(generator: ConditionalGenerator, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return w ``[N, w_dim]`` of psi 1 and the index of the style of each."""
    z = torch.from_numpy(seeds_to_z(range(seed, seed + count), generator.z_dim))
    style = torch.arange(count) % len(generator.w_mean)
    named = style if generator.attributes.identity is not None else None
    return generator.mapping(z, named).clone(), style


def _visible_slope(
    generator: ConditionalGenerator, w: Tensor, style: Tensor, random: torch.Generator
) -> Tensor:
    """Return J^T v for each w, ``[B, w_dim]``, with v drawn from N(0, 1)."""
    w = generator.w_mean[style] + 0.8 * (w - generator.w_mean[style])
    w = w.clone().requires_grad_(True)
    columns = [
        torch.randint(len(generator.attributes[name]), (len(w),), generator=random)
        for name in generator.attributes.palette
    ]
    with torch.no_grad():
        palette = generator.embed_palette(*columns)
    picture = generator.synthesis_from_embedding(w, palette).mean(1, keepdim=True)
    if picture.shape[-1] > SEEN_SIZE:
        picture = functional.interpolate(picture, (SEEN_SIZE, SEEN_SIZE), mode="area")
    direction = torch.randn(picture.shape, generator=random)
    (slope,) = torch.autograd.grad((picture * direction).sum(), w)
    return slope
