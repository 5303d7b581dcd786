"""The directions of w, ordered by how much of them shows.

With cov(w) = H H^T and G = E[J^T v v^T J], J being the Jacobian of a small picture by w and v
random, the eigenvectors of H^T G H are the independent coordinates of w in the order of the change
they make: the first few hold nearly all of it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avatargan.editing.training.samples import sample_w
from avatargan.latents import FloatArray
from avatargan.networks import Generator
from avatargan.networks.generator import PALETTE_FROM_SIZE
from avatargan.networks.layers import upsample

#: Side of the pictures whose change is measured.
SIZE = 32


@dataclass(frozen=True)
class VisibleBasis:
    """Coordinates of w.

    Attributes:
        mean: ``[w_dim]``.
        basis: ``[w_dim, w_dim]``; a code c of unit variance stands for ``mean + basis @ c``.
        shown: ``[w_dim]``, how much each coordinate shows, largest first.
    """

    mean: FloatArray
    basis: FloatArray
    shown: FloatArray

    def encode(self, w: FloatArray) -> FloatArray:
        """Return codes ``[N, w_dim]`` of w ``[N, w_dim]``."""
        solved = np.linalg.solve(self.basis.astype(np.float64), (w - self.mean).T)
        return np.asarray(solved.T, dtype=np.float32)


def visible_basis(generator: Generator, characters: int = 240, seed: int = 1) -> VisibleBasis:
    """Measure how much each direction of w shows.

    Args:
        generator: on the CPU.
        characters: how many Jacobians are sampled, one random v each.
        seed: of all that is random.
    """
    w, _ = sample_w(generator, range(seed, seed + 5000))
    mean = w.mean(0)
    values, vectors = np.linalg.eigh(np.cov(w.T.astype(np.float64)))
    half = vectors * np.sqrt(np.maximum(values, values.max() * 1e-7))  # H
    random = torch.Generator().manual_seed(seed)
    products = np.zeros((len(mean), len(mean)))
    for row in range(characters):
        gradient = _product_with_jacobian(generator, torch.from_numpy(w[row : row + 1]), random)
        products += np.outer(gradient, gradient)
    shown, rotation = np.linalg.eigh(half.T @ (products / characters) @ half)
    order = np.argsort(shown)[::-1]
    return VisibleBasis(
        mean.astype(np.float32),
        (half @ rotation[:, order]).astype(np.float32),
        np.maximum(shown[order], 0).astype(np.float32),
    )


def _product_with_jacobian(generator: Generator, w: Tensor, random: torch.Generator) -> FloatArray:
    """Return ``J^T v`` for a random v: ``[w_dim]``."""
    w = w.clone().requires_grad_()
    labels = {
        name: torch.randint(len(generator.attributes.offered(name)), (1,), generator=random)
        for name in generator.attributes.palette
    }
    palette = generator.embed_palette(**labels)
    small = functional.adaptive_avg_pool2d(_coarse_picture(generator, w, palette), SIZE)
    v = torch.randn(small.shape, generator=random)
    (gradient,) = torch.autograd.grad((small * v).sum(), w)
    return np.asarray(gradient[0].double().numpy())


def _coarse_picture(generator: Generator, w: Tensor, palette: Tensor) -> Tensor:
    """Return what the blocks up to 64 px draw: a third of the work, and all that shows at 32 px."""
    x = generator.const.expand(len(w), -1, -1, -1)
    with_palette = torch.cat([w, palette], dim=1)
    image: Tensor | None = None
    for name, block in generator.blocks.items():
        size = int(name)
        if size > 2 * SIZE:
            break
        x, rgb = block(x, with_palette if size >= PALETTE_FROM_SIZE else w)
        image = rgb if image is None else rgb + upsample(image)
    assert image is not None
    return image
