"""The networks behind a clean character: strokes to a code, and a code to where edges will be."""

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Of the kernel, in median distances of two characters, and how much its effects are held back.
KERNEL_WIDTH, RIDGE = 0.5, 0.15


class SketchEncoder(nn.Module):
    """Strokes to a code (:mod:`avatargan.sketching.coordinates`) and a style.

    It sees strokes blurred, as coordinates in the basis of
    :class:`avatargan.sketching.matching.EdgeBasis`: so it cannot tell one hand from another.

    Args:
        edges: how many coordinates a map of strokes has.
        code_dim: width of the code.
        styles: how many styles the generator has, 1 without any.
        width: of the two hidden layers.
    """

    def __init__(self, edges: int, code_dim: int, styles: int, width: int = 384) -> None:
        super().__init__()
        self.outputs = (code_dim, styles)
        self.enter = nn.Linear(edges, width)
        self.middle = nn.Linear(width, width)
        self.heads = nn.Linear(width, sum(self.outputs))

    def forward(self, strokes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the code ``[B, code_dim]`` and the scores of styles ``[B, styles]``.

        Args:
            strokes: coordinates of maps of strokes, ``[B, edges]``.
        """
        # They have length 1: larger numbers suit the layers better.
        x = functional.silu(self.enter(strokes * strokes.shape[1] ** 0.5))
        x = x + functional.silu(self.middle(functional.dropout(x, 0.1, self.training)))
        code, styles = self.heads(x).split(self.outputs, dim=1)
        return code, styles


class EdgePredictor(nn.Module):
    """A code and a style to where the edges of the picture will be, without drawing it.

    Kernel ridge regression on the characters of the bank: of a few thousand characters nothing
    that was tried learnt as much. What it gives are coordinates in the basis of
    :class:`avatargan.sketching.matching.EdgeBasis`. It is a thousand times cheaper than the
    generator, so that lines can be followed by gradient.

    Args:
        code_dim: width of the code.
        styles: how many styles there are, 1 without any.
        edges: how many coordinates a map of edges has.
        bank: how many characters it knows.
    """

    places: Tensor
    place_styles: Tensor
    effects: Tensor
    means: Tensor
    scale: Tensor
    width: Tensor

    def __init__(self, code_dim: int, styles: int, edges: int, bank: int) -> None:
        super().__init__()
        shapes = {
            "places": (bank, code_dim),
            "place_styles": (bank, styles),
            "effects": (bank, edges),
            "means": (styles, edges),
            "scale": (code_dim,),
            "width": (styles,),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))

    def forward(self, code: Tensor, style: Tensor) -> Tensor:
        """Return coordinates ``[B, edges]``.

        Args:
            code: ``[B, code_dim]``.
            style: how much of each style, ``[B, styles]``.
        """
        likeness = gaussian_kernel(code * self.scale, self.places * self.scale, style @ self.width)
        edges: Tensor = style @ self.means + (likeness * (style @ self.place_styles.T)) @ (
            self.effects
        )
        return edges

    @classmethod
    def fit(cls, codes: Tensor, styles: Tensor, edges: Tensor, scale: Tensor) -> "EdgePredictor":
        """Return a predictor of the edges of characters like some.

        Args:
            codes: ``[N, code_dim]``.
            styles: one-hot, ``[N, styles]``.
            edges: ``[N, edges]``.
            scale: what differences of each number of a code count, ``[code_dim]``.
        """
        predictor = cls(codes.shape[1], styles.shape[1], edges.shape[1], len(codes))
        predictor.places, predictor.place_styles, predictor.scale = codes, styles, scale
        for style in range(styles.shape[1]):
            rows = styles[:, style] > 0.5
            if not bool(rows.any()):
                continue
            own, wanted = codes[rows] * scale, edges[rows]
            width = KERNEL_WIDTH * torch.cdist(own[:400], own[:400]).median().clamp(min=1e-4)
            mean = wanted.mean(0)
            kernel = gaussian_kernel(own, own, width.expand(len(own)))
            damped = kernel + RIDGE * torch.eye(len(own))
            predictor.width[style], predictor.means[style] = width, mean
            predictor.effects[rows] = torch.linalg.solve(damped, wanted - mean)
        return predictor.eval()


def gaussian_kernel(first: Tensor, second: Tensor, width: Tensor) -> Tensor:
    """Return how near codes are, ``[B, N]`` from 0 to 1, with a width for each of the first."""
    squares = (
        first.square().sum(1, keepdim=True) - 2 * first @ second.T + second.square().sum(1)
    ).clamp(min=0)
    return torch.exp(-0.5 * squares / width.square()[:, None])
