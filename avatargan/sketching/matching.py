"""Characters whose edges lie where strokes are: found in a bank, and improved by gradient.

The encoder was shown lines by many hands, but never yours. So what it says is one candidate among
others: characters of a bank whose edges correlate best with the strokes. All of them are then moved
a few steps towards the strokes, through a network that foretells edges from codes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from avatargan.sketching.following import centred
from avatargan.sketching.networks import EdgePredictor

#: Steps of the gradient, their size, and how much being untypical costs.
STEPS = 12
STEP_SIZE = 0.12
COST = 0.02


@dataclass(frozen=True)
class EdgeBasis:
    """Where edges are, in few numbers: products of them are correlations, nearly.

    Attributes:
        basis: orthonormal rows, ``[edges, 1024]``.
    """

    basis: Tensor

    def coordinates(self, maps: Tensor) -> Tensor:
        """Return coordinates ``[B, edges]`` of maps of edges or strokes ``[B, 1024]``."""
        return centred(maps) @ self.basis.T

    @classmethod
    def of(cls, maps: Tensor, edges: int) -> "EdgeBasis":
        """Return the basis that keeps most of some maps ``[N, 1024]``."""
        maps = centred(maps)
        _, vectors = torch.linalg.eigh(maps.T @ maps)
        return cls(vectors[:, -edges:].flip(1).T.contiguous())


def follow(
    predictor: EdgePredictor,
    wanted: Tensor,
    codes: Tensor,
    styles: Tensor,
    *,
    steps: int = STEPS,
    cost: float = COST,
) -> tuple[Tensor, Tensor]:
    """Move codes towards strokes.

    Args:
        predictor: foretells edges.
        wanted: coordinates of the strokes, ``[edges]`` or ``[B, edges]``.
        codes: where to start, ``[B, code_dim]``.
        styles: how much of each style, ``[B, styles]``; it is kept.
        steps: of Adam.
        cost: of the mean square of a code, in correlation.

    Returns:
        Codes, and the correlation that is foretold for each, ``[B]``.
    """
    codes = codes.detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([codes], lr=STEP_SIZE, betas=(0.8, 0.9))
    with torch.enable_grad():
        for _ in range(steps):
            edges = predictor(codes, styles)
            alike = functional.cosine_similarity(edges, wanted.expand_as(edges))
            loss = (cost * codes.square().mean(1) - alike).sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    codes = codes.detach()
    with torch.no_grad():
        edges = predictor(codes, styles)
        return codes, functional.cosine_similarity(edges, wanted.expand_as(edges))
