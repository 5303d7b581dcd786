"""Finding the character that follows a sketch: everything learnt for one generator, in one file."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from avatargan.errors import WeightsError
from avatargan.networks import ConditionalGenerator
from avatargan.sketching.coordinates import Coordinates
from avatargan.sketching.following import COMPARED_SIZE, stroke_map
from avatargan.sketching.matching import EdgeBasis, follow
from avatargan.sketching.networks import EdgePredictor, SketchEncoder
from avatargan.weights import WeightsFile, read_weights, write_weights
from avatargan.weights_header import SHIPPED_SKETCH_ENCODER, SKETCH_ENCODER_ROLE, shipped_weights

#: Characters of the bank that are tried, and how much further than the encoder says.
TRIED = 24
GAINS = (1.0, 1.4)


@dataclass(frozen=True)
class Found:
    """Characters that may follow a sketch, the best first.

    Attributes:
        w: ``[N, w_dim]``, what they are drawn from, not to be truncated any more.
        styles: index of each one's style, ``[N]``.
        edges: where their edges are foretold to be, ``[N, edges]``.
        foretold: the correlation of edges and strokes that is foretold, ``[N]``.
    """

    w: Tensor
    styles: Tensor
    edges: Tensor
    foretold: Tensor


class CharacterFinder(nn.Module):
    """Finds characters of one generator from lines.

    Args:
        w_dim: width of the generator's w.
        code_dim: width of a code.
        edges: width of a map of edges.
        map_size: numbers of a map of edges before.
        styles: how many styles, 1 without any.
        traits: names of the traits that are told.
        bank: how many characters are kept.
        encoder_width: see :class:`SketchEncoder`.
    """

    def __init__(
        self,
        *,
        w_dim: int,
        code_dim: int,
        edges: int,
        map_size: int,
        styles: int,
        traits: Sequence[str],
        bank: int,
        encoder_width: int,
    ) -> None:
        super().__init__()
        self.traits = tuple(traits)
        shapes = {
            "mean": (styles, w_dim),
            "to_w": (w_dim, code_dim),
            "to_code": (code_dim, w_dim),
            "visibility": (code_dim,),
            "basis": (edges, map_size),
            "bank_edges": (bank, edges),
            "trait_weights": (len(traits), edges),
            "trait_biases": (len(traits),),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))
        self.predictor = EdgePredictor(code_dim, styles, edges, bank)
        self.encoder = SketchEncoder(edges, code_dim, styles, encoder_width)
        #: Identifies the mapping of the generator that the w belong to.
        self.mapping_sha256 = ""
        #: The colour of each choice of hair and eyes, RGB in [0, 1].
        self.palette: dict[str, dict[str, tuple[float, float, float]]] = {}

    mean: Tensor
    to_w: Tensor
    to_code: Tensor
    visibility: Tensor
    basis: Tensor
    bank_edges: Tensor
    trait_weights: Tensor
    trait_biases: Tensor

    @property
    def coordinates(self) -> Coordinates:
        """The way between w and codes."""
        return Coordinates(self.mean, self.to_w, self.to_code, self.visibility)

    @torch.inference_mode()
    def see(self, strokes: Tensor) -> tuple[Tensor, Tensor]:
        """Return how likely each style ``[styles]`` and each trait ``[traits]`` is.

        Args:
            strokes: ``[1, 1, H, W]``, 0 paper, 1 ink.
        """
        coordinates = self._coordinates(strokes)
        _, styles = self.encoder(coordinates)
        traits = self.trait_weights @ coordinates[0] + self.trait_biases
        return styles[0].softmax(0), traits.sigmoid()

    def find(self, strokes: Tensor, style: int | None = None) -> Found:
        """Return characters that may follow strokes, the best foretold first.

        Args:
            strokes: ``[1, 1, H, W]``, 0 paper, 1 ink.
            style: one that was asked for.
        """
        with torch.no_grad():
            coordinates = self._coordinates(strokes)
            code, styles = self.encoder(coordinates)
            wanted = coordinates[0]
            allowed = self._allowed(style)
            seen = (styles[0].log_softmax(0) + allowed.log()).argmax()
            own = torch.zeros_like(allowed).scatter(0, seen, 1.0)
            alike = nn.functional.cosine_similarity(self.bank_edges, wanted[None])
            alike = alike.masked_fill((self.predictor.place_styles * allowed).sum(1) < 0.5, -2)
            nearest = alike.topk(min(TRIED, len(alike))).indices
            gains = torch.tensor(GAINS)[:, None]
            start = torch.cat([code * gains, self.predictor.places[nearest]])
            shares = torch.cat([own.expand(len(GAINS), -1), self.predictor.place_styles[nearest]])
        codes, foretold = follow(self.predictor, wanted, start, shares)
        order = foretold.argsort(descending=True)
        codes, shares = codes[order], shares[order]
        indices = shares.argmax(1)
        with torch.no_grad():
            edges = self.predictor(codes, shares)
        w = self.coordinates.decode(codes, indices)
        return Found(w, indices, edges, foretold[order])

    def _coordinates(self, strokes: Tensor) -> Tensor:
        return EdgeBasis(self.basis).coordinates(stroke_map(strokes))

    def _allowed(self, style: int | None) -> Tensor:
        if style is None:
            return torch.ones(len(self.mean))
        return torch.zeros(len(self.mean)).scatter(0, torch.tensor(style), 1.0)


def mapping_sha256(generator: ConditionalGenerator) -> str:
    """Identify what decides w: generators that share it share their w."""
    digest = hashlib.sha256(generator.w_mean.half().numpy().tobytes())
    for name, tensor in sorted(generator.mapping.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.half().numpy().tobytes())
    return digest.hexdigest()


def save_finder(
    path: str | os.PathLike[str], finder: CharacterFinder, generator: ConditionalGenerator
) -> None:
    """Write a finder as fp16 weights.

    Raises:
        OutputError: the file cannot be written.
    """
    metadata = {
        "role": SKETCH_ENCODER_ROLE,
        "resolution": str(COMPARED_SIZE),
        "mapping_sha256": mapping_sha256(generator),
        "traits": json.dumps(list(finder.traits)),
        "palette": json.dumps(
            {
                part: {choice: [round(value, 3) for value in rgb] for choice, rgb in known.items()}
                for part, known in finder.palette.items()
            }
        ),
    }
    write_weights(Path(path), finder.state_dict(), metadata)


def load_finder(path: str | os.PathLike[str] | None = None) -> CharacterFinder:
    """Return the finder of a weights file (the shipped one by default).

    Raises:
        WeightsError: the file is missing, truncated, of the wrong kind, or inconsistent.
    """
    weights = read_weights(
        Path(path) if path is not None else shipped_weights(SHIPPED_SKETCH_ENCODER),
        SKETCH_ENCODER_ROLE,
    )
    if weights.integer("resolution") != COMPARED_SIZE:
        raise WeightsError(f"{weights.path}: the resolution in the header is not {COMPARED_SIZE}")
    traits, palette = _words(weights)
    w_dim, code_dim = weights.shape("to_w", 2)
    edges, map_size = weights.shape("basis", 2)
    with torch.device("meta"):
        finder = CharacterFinder(
            w_dim=w_dim,
            code_dim=code_dim,
            edges=edges,
            map_size=map_size,
            styles=weights.shape("mean", 2)[0],
            traits=traits,
            bank=weights.shape("bank_edges", 2)[0],
            encoder_width=weights.shape("encoder.enter.weight", 2)[0],
        )
    weights.give_to(finder)
    finder.mapping_sha256 = weights.metadata.get("mapping_sha256", "")
    finder.palette = palette
    return finder.eval().requires_grad_(False)


def _words(
    weights: WeightsFile,
) -> tuple[list[str], dict[str, dict[str, tuple[float, float, float]]]]:
    """Return the traits and the colours in a header."""
    try:
        traits = json.loads(weights.metadata["traits"])
        if not isinstance(traits, list) or not all(isinstance(each, str) for each in traits):
            raise ValueError
        palette = {
            str(part): {
                str(choice): (float(rgb[0]), float(rgb[1]), float(rgb[2]))
                for choice, rgb in known.items()
            }
            for part, known in json.loads(weights.metadata.get("palette", "{}")).items()
        }
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError):
        raise WeightsError(
            f"{weights.path}: the header has no list of 'traits', or a damaged 'palette'"
        ) from None
    return traits, palette
