"""Training of what leads from lines to a character of a frozen generator.

First the generator's own characters are drawn; then it is measured what of w shows, a predictor
is fitted of where edges will be, and the encoder learns from lines of those characters and, if
there are any, of other pictures: of these, and of mirrored ones, no w is known, but where their
edges are.
"""

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from avatargan.errors import OptionError
from avatargan.networks import ConditionalGenerator
from avatargan.sketching.characters import DrawnCharacters, character, latents_of
from avatargan.sketching.coordinates import Coordinates, find_coordinates
from avatargan.sketching.following import (
    at_size,
    edge_map,
    luminance,
    mirrored_map,
    stroke_map,
)
from avatargan.sketching.lines import DRAWN_SIZE, Hand
from avatargan.sketching.matching import EdgeBasis
from avatargan.sketching.networks import EdgePredictor, SketchEncoder
from avatargan.sketching.traits import TRAITS, measure_traits

Bytes = NDArray[np.uint8]
_DRAWN_AT_ONCE = 64


@dataclass(frozen=True)
class EncoderOptions:
    """How the encoder is trained; the defaults are those of the shipped weights.

    Attributes:
        sketches: how many are drawn to learn from.
        steps: batches.
        batch: sketches in a batch.
        mirrored: share of the own characters that are shown mirrored.
        others: share of the sketches that are lines of other pictures, where there are any.
        code_dim: numbers of a code.
        edges: numbers of a map of edges.
        learning_rate: the largest; it rises over the first twentieth and falls along a cosine.
        seed: decides everything random.
    """

    sketches: int = 16000
    steps: int = 4000
    batch: int = 128
    mirrored: float = 0.33
    others: float = 0.3
    code_dim: int = 48
    edges: int = 128
    learning_rate: float = 2e-3
    seed: int = 0

    def check(self) -> None:
        """Refuse what cannot be trained with.

        Raises:
            OptionError: an option is out of range.
        """
        if self.steps < 1:
            raise OptionError(f"the number of steps must be 1 or more, got {self.steps}")
        if self.batch < 8 or self.sketches < 8:
            raise OptionError("8 sketches are the fewest to learn from")


@dataclass(frozen=True)
class Learnt:
    """All that is known of the characters, and the predictor: what the encoder is trained with.

    Attributes:
        coordinates: between w and codes.
        basis: of maps of edges.
        predictor: trained.
        codes: of the characters, ``[N, code_dim]``.
        styles: of the characters, ``[N]``.
        edges: coordinates of their edges, ``[N, edges]``.
        traits: 1 yes, 0 no, NaN unknown, ``[N, traits]``.
        explained: how much of the edges of unseen characters the predictor explains.
    """

    coordinates: Coordinates
    basis: EdgeBasis
    predictor: EdgePredictor
    codes: Tensor
    styles: Tensor
    edges: Tensor
    traits: Tensor
    explained: float


def learn_characters(
    generator: ConditionalGenerator,
    drawn: DrawnCharacters,
    options: EncoderOptions,
    report: Callable[[str], None] = lambda text: None,
) -> Learnt:
    """Find coordinates of w and of edges, and train the predictor between them."""
    count = len(drawn.pictures)
    coordinates = find_coordinates(generator, options.code_dim, seed=options.seed)
    report(
        "visibility of the first numbers of a code: "
        + " ".join(f"{value:.2f}" for value in coordinates.visibility[:12].tolist())
    )
    chosen = [character(generator, number) for number in range(count)]
    w = torch.cat(
        [latents_of(generator, chosen[start : start + 256]) for start in range(0, count, 256)]
    )
    styles = torch.tensor([each.style for each in chosen])
    codes = coordinates.encode(w, styles)
    maps = torch.cat(list(_maps(drawn.pictures)))
    basis = EdgeBasis.of(torch.cat([maps, mirrored_map(maps)]), options.edges)
    edges = basis.coordinates(maps)
    report(f"{options.edges} coordinates keep {edges.square().sum(1).mean():.1%} of the edges")
    predictor, explained = fit_predictor(coordinates, codes, styles, edges)
    report(f"the predictor explains {explained:.1%} of the edges of unseen characters")
    traits = torch.full((count, len(TRAITS)), float("nan"))
    if len(drawn.masks):
        measured = measure_traits(drawn)
        traits[: len(measured)] = measured
    return Learnt(
        coordinates,
        basis,
        predictor,
        codes,
        styles,
        edges,
        traits,
        explained,
    )


def learnt_tensors(learnt: Learnt) -> dict[str, Tensor]:
    """Return all that :func:`learnt_from` needs."""
    coordinates = learnt.coordinates
    tensors = {
        "mean": coordinates.mean,
        "to_w": coordinates.to_w,
        "to_code": coordinates.to_code,
        "visibility": coordinates.visibility,
        "basis": learnt.basis.basis,
        "codes": learnt.codes,
        "styles": learnt.styles,
        "edges": learnt.edges,
        "traits": learnt.traits,
        "explained": torch.tensor(learnt.explained),
    }
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def learnt_from(tensors: Mapping[str, Tensor]) -> Learnt:
    """Return what :func:`learnt_tensors` was given."""
    codes, mean, edges = tensors["codes"], tensors["mean"], tensors["edges"]
    styles = tensors["styles"]
    share = one_hot(styles, len(mean))
    predictor = EdgePredictor.fit(codes, share, edges, tensors["visibility"])
    return Learnt(
        Coordinates(mean, tensors["to_w"], tensors["to_code"], tensors["visibility"]),
        EdgeBasis(tensors["basis"]),
        predictor,
        codes,
        styles,
        edges,
        tensors["traits"],
        float(tensors["explained"]),
    )


def fit_predictor(
    coordinates: Coordinates, codes: Tensor, styles: Tensor, edges: Tensor
) -> tuple[EdgePredictor, float]:
    """Return a predictor, and the share of variance that one explains of every tenth character.

    Args:
        coordinates: of the codes.
        codes: ``[N, code_dim]``.
        styles: index of each character's style, which take turns, ``[N]``.
        edges: ``[N, edges]``.
    """
    share = one_hot(styles, len(coordinates.mean))
    held_back = torch.arange(len(codes)) // share.shape[1] % 10 == 9
    known = ~held_back
    scale = coordinates.visibility
    judged = EdgePredictor.fit(codes[known], share[known], edges[known], scale)
    unseen = edges[held_back]
    error = (judged(codes[held_back], share[held_back]) - unseen).square().sum()
    variance = (unseen - edges[known].mean(0)).square().sum()
    return EdgePredictor.fit(codes, share, edges, scale), float(1 - error / variance)


@dataclass(frozen=True)
class DrawnSketches:
    """Sketches to learn from.

    Attributes:
        strokes: coordinates of the strokes, ``[N, edges]``.
        edges: coordinates of the edges of the pictures, ``[N, edges]``.
        number: of the own character that was drawn, -1 for other pictures, ``[N]``.
        mirrored: whether it was drawn mirrored, ``[N]``.
    """

    strokes: Tensor
    edges: Tensor
    number: Tensor
    mirrored: Tensor


def draw_sketches(
    drawn: DrawnCharacters,
    learnt: Learnt,
    others: Sequence[Bytes],
    options: EncoderOptions,
    advance: Callable[[int], None] = lambda count: None,
) -> DrawnSketches:
    """Draw lines of own characters and of other pictures, as many hands would.

    Args:
        drawn: the characters.
        learnt: what is known of them.
        others: more pictures, ``[N, S, S, 3]``, set by set.
        options: see there.
        advance: called with the number of sketches that were just drawn.
    """
    random = torch.Generator().manual_seed(options.seed)
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for start in range(0, options.sketches, _DRAWN_AT_ONCE):
        count = min(_DRAWN_AT_ONCE, options.sketches - start)
        foreign = round(count * options.others) if others else 0
        rows = torch.randint(len(learnt.codes), (count - foreign,), generator=random)
        pictures = [drawn.pictures[rows.numpy()]]
        for place, pool in enumerate(others):
            wanted = len(range(place, foreign, len(others)))
            chosen = torch.randint(len(pool), (wanted,), generator=random)
            pictures.append(pool[chosen.numpy()])
        brightness = luminance(
            torch.cat([at_size(to_unit(each), DRAWN_SIZE) for each in pictures if len(each)])
        )
        number = torch.cat([rows, torch.full((foreign,), -1)])
        mirrored = torch.rand(count, generator=random) < torch.where(
            number >= 0, options.mirrored, 0.5
        )
        brightness = torch.where(mirrored[:, None, None, None], brightness.flip(3), brightness)
        strokes = learnt.basis.coordinates(stroke_map(Hand(random)(brightness)))
        edges = learnt.basis.coordinates(edge_map(brightness))
        parts.append((strokes, edges, number, mirrored))
        advance(count)
    strokes, edges, number, mirrored = (torch.cat(column) for column in zip(*parts, strict=True))
    return DrawnSketches(strokes, edges, number, mirrored)


class EncoderTrainer:
    """Trains an encoder step by step.

    Everything random follows from the seed and the number of the step.

    Args:
        sketches: what is learnt from.
        learnt: what is known of the characters.
        options: see there.
    """

    def __init__(self, sketches: DrawnSketches, learnt: Learnt, options: EncoderOptions) -> None:
        options.check()
        self.sketches, self.learnt, self.options = sketches, learnt, options
        self.step = 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            self.network = SketchEncoder(
                learnt.edges.shape[1],
                learnt.codes.shape[1],
                len(learnt.coordinates.mean),
            )
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=options.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=0.05,
        )
        visibility = learnt.coordinates.visibility
        self.weights = visibility / visibility.sum()

    def run(self, minutes: float | None = None) -> Iterator[dict[str, float]]:
        """Do the steps that are left and yield the losses of each.

        With a limit in minutes the learning rate falls with the time, if that is shorter.
        """
        start, first = time.monotonic(), self.step
        self.network.train()
        while self.step < self.options.steps:
            progress = self.step / self.options.steps
            if minutes is not None:
                spent = (time.monotonic() - start) / 60 / minutes
                before = first / self.options.steps
                progress = max(progress, before + (1 - before) * spent)
                if progress >= 1:
                    return
            losses = self._learn(progress)
            self.step += 1
            yield losses

    def finish(self) -> SketchEncoder:
        """Return the average of the weights."""
        return self.average.eval()

    def state(self) -> dict[str, Tensor]:
        """Return all that :meth:`restore` needs."""
        return training_state(
            {"network": self.network, "average": self.average}, self.optimiser, self.step
        )

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Carry on from a state."""
        self.step = restore_training(
            {"network": self.network, "average": self.average}, self.optimiser, tensors
        )

    def _learn(self, progress: float) -> dict[str, float]:
        random = torch.Generator().manual_seed(self.options.seed * 1_000_003 + self.step)
        rows = torch.randint(len(self.sketches.strokes), (self.options.batch,), generator=random)
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.learning_rate * rate(progress)
        torch.manual_seed(self.step)  # of the dropout
        losses = self._losses(rows)
        total = sum(losses.values(), torch.zeros(()))
        self.optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        update_average(self.average, self.network, self.step)
        return {name: float(value.detach()) for name, value in losses.items()}

    def _losses(self, rows: Tensor) -> dict[str, Tensor]:
        sketches, learnt = self.sketches, self.learnt
        number, mirrored = sketches.number[rows], sketches.mirrored[rows]
        own = number >= 0
        known = number.clamp(min=0)
        code, styles = self.network(sketches.strokes[rows])
        wrong = ((code - learnt.codes[known]).square() * self.weights).sum(1)
        style = one_hot(learnt.styles[known], len(learnt.coordinates.mean))
        share = torch.where(own[:, None], style, styles.detach().softmax(1))
        alike = functional.cosine_similarity(learnt.predictor(code, share), sketches.edges[rows])
        missed_style = functional.cross_entropy(styles, style, reduction="none")
        return {
            "code": _mean(wrong, own & ~mirrored),
            "edges": 2 * (1 - alike).mean(),
            "prior": 0.02 * code.square().mean(),
            "style": 0.3 * _mean(missed_style, own),
        }


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """Return the mean of some values; 0 where there are none."""
    return (values * where).sum() / where.sum().clamp(min=1)


def to_unit(pictures: Bytes) -> Tensor:
    """Turn ``[B, H, W, 3]`` bytes into ``[B, 3, H, W]`` in [0, 1]."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 255


def one_hot(indices: Tensor, count: int) -> Tensor:
    """Return ``[N, count]`` floats of indices ``[N]``."""
    return functional.one_hot(indices, count).float()


def rate(progress: float) -> float:
    """Return the share of the learning rate: up over a twentieth, then down along a cosine."""
    if progress < 0.05:
        return progress / 0.05 + 0.01
    return 0.5 * (1 + float(np.cos(np.pi * (progress - 0.05) / 0.95))) + 1e-4


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, step: int, keep: float = 0.998) -> None:
    """Move an average towards the weights; early on it is short, to forget the first ones."""
    keep = min(keep, (1 + step) / (10 + step))
    averages = average.state_dict()
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            averages[name].lerp_(value, 1 - keep)
        else:
            averages[name].copy_(value)


def training_state(
    modules: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer, step: int
) -> dict[str, Tensor]:
    """Return networks, an optimiser and the number of steps as named tensors."""
    tensors = {"step": torch.tensor(step)}
    for part, module in modules.items():
        for name, tensor in module.state_dict().items():
            tensors[f"{part}.{name}"] = tensor.contiguous()
    for index, state in optimiser.state_dict()["state"].items():
        for name, tensor in state.items():
            tensors[f"optimiser.{index}.{name}"] = tensor.contiguous()
    return tensors


def restore_training(
    modules: Mapping[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    tensors: Mapping[str, Tensor],
    prefix: str = "",
) -> int:
    """Bring networks and their optimiser to a state; return the number of steps."""
    for part, module in modules.items():
        module.load_state_dict({name: tensors[f"{part}.{name}"] for name in module.state_dict()})
    kept = optimiser.state_dict()
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, index, entry = name.split(".")
            kept["state"].setdefault(int(index), {})[entry] = tensor
    optimiser.load_state_dict(kept)
    return int(tensors["step"])


def _maps(pictures: Bytes) -> Iterator[Tensor]:
    for start in range(0, len(pictures), 256):
        yield edge_map(luminance(to_unit(pictures[start : start + 256])))
