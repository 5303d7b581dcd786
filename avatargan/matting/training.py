"""Training the matting network on composites that the generator makes.

The style that is drawn on white gives cut-outs of known alpha (:mod:`avatargan.matting.labels`),
and so do the others when they are mixed with it. The body learns from them and from drawn
characters, over backgrounds of all kinds; the refinements to larger sizes learn after it.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avatargan.errors import OptionError
from avatargan.latents import seeds_to_z
from avatargan.matting.composites import Composites, compose, stack_layers
from avatargan.matting.drawn_characters import draw_character
from avatargan.matting.labels import CutOut, cut_outs, styles_of, to_unit
from avatargan.matting.network import BASE_SIZE, SIZES, MattingNetwork, image_pyramid
from avatargan.networks import ConditionalGenerator
from avatargan.rendering import Renderer

Made = TypeVar("Made")

#: Wraps iterables to show progress: ``report(iterable, description)``.
Progress = Callable[[Iterable[int], str], Iterable[int]]

#: Seeds from here on are for evaluation; training never draws them.
FIRST_HELD_OUT_SEED = 20_000_000
#: Drawn characters of smaller seeds are for evaluation.
FIRST_DRAWN_SEED = 1_000_000
#: Side of the corners that backgrounds are taken from, in parts of the picture's.
CORNER = 0.25
#: Part of the steps after which the learning rate falls.
DECAY_FROM = 0.3
#: Side of the squares that the refinements are trained on, at the lowest resolution.
CROP = 48


@dataclass(frozen=True)
class TrainingOptions:
    """How much is drawn and learnt; the defaults are those of the shipped weights.

    Attributes:
        seeds: characters of the style on white that are tried as cut-outs.
        mixed_seeds: characters of each other style that are tried, mixed with the first.
        corner_seeds: pictures of each other style whose corners serve as backgrounds.
        drawn: characters drawn from shapes that join them.
        body_steps: batches for the body and the refinement to 128 pixels.
        refinement_steps: batches for the refinements to 256 and 512 pixels.
        batch: pictures in a batch.
        learning_rate: the largest, of Adam.
        random_seed: decides the composites and the first weights.
    """

    seeds: int = 2200
    mixed_seeds: int = 1400
    corner_seeds: int = 100
    drawn: int = 150
    body_steps: int = 2400
    refinement_steps: int = 400
    batch: int = 16
    learning_rate: float = 3e-3
    random_seed: int = 0


@dataclass(frozen=True)
class Stock:
    """What composites are made of, at one size; see :func:`stack_layers`."""

    foreground: Tensor
    alpha: Tensor
    certain: Tensor
    background_pictures: Tensor | None = None

    @classmethod
    def of(cls, material: Sequence[CutOut], size: int) -> "Stock":
        """Bring cut-outs to a size."""
        return cls(*stack_layers([(c.foreground, c.alpha, c.certain) for c in material], size))

    def joined_by(self, other: "Stock") -> "Stock":
        """Return the characters of both."""
        return Stock(
            torch.cat([self.foreground, other.foreground]),
            torch.cat([self.alpha, other.alpha]),
            torch.cat([self.certain, other.certain]),
            self.background_pictures,
        )

    def sample(self, count: int, random: torch.Generator) -> Composites:
        """Return random characters over random backgrounds."""
        rows = torch.randint(len(self.alpha), (count,), generator=random)
        return compose(
            self.foreground[rows],
            self.alpha[rows],
            self.certain[rows],
            random,
            self.background_pictures,
        )


def alpha_loss(logits: Tensor, target: Composites) -> Tensor:
    """Mean absolute error of alpha and of its slopes, with cross entropy to get out of ruts.

    Args:
        logits: ``[B, 1, S, S]``.
        target: alpha and certainty of the same size.
    """
    alpha = logits.sigmoid()
    cross_entropy = functional.binary_cross_entropy_with_logits(
        logits, target.alpha, reduction="none"
    )
    error = (alpha - target.alpha).abs()
    difference = (alpha - target.alpha) * target.certain
    slopes = (difference[..., 1:] - difference[..., :-1]).abs().mean() + (
        difference[..., 1:, :] - difference[..., :-1, :]
    ).abs().mean()
    return ((error + 0.2 * cross_entropy) * target.certain).mean() + 2 * slopes


def _made_ahead(make: Callable[[], Made], steps: int) -> Iterator[Made]:
    """Yield what ``make`` gives ``steps`` times, made in a thread while the last one is used."""
    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(make)
        for _ in range(steps - 1):
            made = upcoming.result()
            upcoming = pool.submit(make)
            yield made
        yield upcoming.result()


def train_body(
    network: MattingNetwork,
    stock: Stock,
    options: TrainingOptions,
    progress: Progress,
    random: torch.Generator,
) -> MattingNetwork:
    """Train the body and the first refinement; return the average of the weights.

    Args:
        network: trained in place.
        stock: what batches are made of.
        options: batches, their size and learning rate.
        progress: shows the progress.
        random: decides the batches.
    """
    parameters = [
        parameter
        for name, parameter in network.named_parameters()
        if not name.startswith(("refinements.1", "refinements.2"))
    ]
    optimiser = torch.optim.Adam(parameters, lr=options.learning_rate, betas=(0.9, 0.99))
    average = copy.deepcopy(network)
    steps = options.body_steps
    batches = _made_ahead(lambda: stock.sample(options.batch, random), steps)
    for step, batch in zip(progress(range(steps), "body"), batches, strict=True):
        half = Composites(
            batch.image,
            functional.avg_pool2d(batch.alpha, 2),
            functional.avg_pool2d(batch.certain, 2),
        )
        with torch.autocast("cpu", dtype=torch.bfloat16):
            state = network.body(batch.image)
            logits = network.refinements[0](state, batch.image)[:, :1]
        loss = alpha_loss(logits.float(), batch) + 0.5 * alpha_loss(state[:, :1].float(), half)
        _learn(optimiser, loss, options.learning_rate, step, steps)
        _follow(average, network, step)
    network.load_state_dict(average.state_dict())
    return network


def train_refinements(
    network: MattingNetwork,
    material: Sequence[CutOut],
    background_pictures: Tensor | None,
    options: TrainingOptions,
    progress: Progress,
    random: torch.Generator,
) -> MattingNetwork:
    """Train the refinements to 256 and 512 pixels on squares, with the rest as it is."""
    late = network.refinements[1:]
    optimiser = torch.optim.Adam(late.parameters(), lr=options.learning_rate, betas=(0.9, 0.99))
    average = copy.deepcopy(network)
    count = max(options.batch // 4, 1)

    def sample() -> Composites:
        rows = torch.randint(len(material), (count,), generator=random)
        stock = Stock.of([material[int(row)] for row in rows], SIZES[-1])
        return compose(stock.foreground, stock.alpha, stock.certain, random, background_pictures)

    steps = options.refinement_steps
    batches = _made_ahead(sample, steps)
    for step, batch in zip(progress(range(steps), "refinements"), batches, strict=True):
        pyramid = image_pyramid(batch.image)
        with torch.no_grad():
            state = network.refinements[0](network.body(pyramid[0]), pyramid[0])
        top, left = _square_on_the_edge(batch.alpha, random)
        state = _cut(state, top, left, 1)
        loss = torch.zeros(())
        for refinement, level, factor in zip(late, pyramid[1:], (2, 4), strict=True):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                state = refinement(state, _cut(level, top, left, factor))
            shrink = SIZES[-1] // level.shape[-1]
            target = Composites(
                level,
                _cut(functional.avg_pool2d(batch.alpha, shrink), top, left, factor),
                _cut(functional.avg_pool2d(batch.certain, shrink), top, left, factor),
            )
            loss = loss + alpha_loss(state[:, :1].float(), target)
        _learn(optimiser, loss, options.learning_rate, step, steps)
        _follow(average, network, step)
    network.load_state_dict(average.state_dict())
    return network


def _learn(
    optimiser: torch.optim.Optimizer, loss: Tensor, rate: float, step: int, steps: int
) -> None:
    """Take one step; the rate warms up, stays, and from :data:`DECAY_FROM` on follows a cosine."""
    decay = max(step / steps - DECAY_FROM, 0) / (1 - DECAY_FROM)
    for group in optimiser.param_groups:
        group["lr"] = rate * min(1, (step + 1) / 100) * (1 + math.cos(math.pi * decay)) / 2
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


@torch.no_grad()
def _follow(average: MattingNetwork, network: MattingNetwork, step: int) -> None:
    decay = min(0.998, (step + 1) / (step + 10))
    for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)


def _square_on_the_edge(alpha: Tensor, random: torch.Generator) -> tuple[int, int]:
    """Return top and left, at BASE_SIZE, of a square where the first picture's alpha is soft."""
    small = functional.avg_pool2d(alpha[:1], SIZES[-1] // BASE_SIZE)[0, 0]
    edge = ((small > 0.02) & (small < 0.98)).nonzero()
    if len(edge):
        row, column = edge[int(torch.randint(len(edge), (1,), generator=random))].tolist()
    else:
        row = column = BASE_SIZE // 2
    limit = BASE_SIZE - CROP
    return min(max(row - CROP // 2, 0), limit), min(max(column - CROP // 2, 0), limit)


def _cut(values: Tensor, top: int, left: int, factor: int) -> Tensor:
    side = CROP * factor
    return values[..., top * factor : top * factor + side, left * factor : left * factor + side]


def train(
    generator: ConditionalGenerator,
    renderer: Renderer,
    options: TrainingOptions,
    progress: Progress,
) -> MattingNetwork:
    """Make the material, train the network in all its parts, and return it.

    Args:
        generator: draws the characters.
        renderer: draws for the generator, on the CPU.
        options: how much of everything.
        progress: shows the progress.

    Raises:
        OptionError: the seeds reach those held out, or are too few to give any cut-out.
    """
    _check(options)
    white_style, *other_styles = styles_of(generator)
    seeds = range(options.seeds)
    white = list(cut_outs(generator, renderer, progress(seeds, "cut-outs"), white_style))
    mixed: list[CutOut] = []
    backgrounds = []
    for style in other_styles:
        few = range(options.mixed_seeds)
        mixed.extend(cut_outs(generator, renderer, progress(few, "mixed cut-outs"), style))
        backgrounds.append(corners(generator, renderer, range(options.corner_seeds), style))
    if not white:
        raise OptionError("no cut-out came of these seeds; give more --seeds")
    pictures = torch.cat(backgrounds) if backgrounds else None
    return train_on([*white, *mixed, *mixed], pictures, options, progress)


def train_on(
    material: Sequence[CutOut],
    background_pictures: Tensor | None,
    options: TrainingOptions,
    progress: Progress,
) -> MattingNetwork:
    """Train the body, then the refinements, on cut-outs and drawn characters.

    Args:
        material: cut-outs; what is there twice is seen twice as often.
        background_pictures: ``[N, 3, R, R]``, see :func:`compose`.
        options: how much of everything.
        progress: shows the progress.
    """
    torch.manual_seed(options.random_seed)
    random = torch.Generator().manual_seed(options.random_seed)
    network = MattingNetwork()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # fast on CPUs
    stock = Stock.of(material, BASE_SIZE).joined_by(drawn_stock(options.drawn))
    stock = replace(stock, background_pictures=background_pictures)
    train_body(network, stock, options, progress, random)
    train_refinements(network, material, background_pictures, options, progress, random)
    network.eval()
    return network


@torch.inference_mode()
def corners(
    generator: ConditionalGenerator, renderer: Renderer, seeds: Sequence[int], style: int | None
) -> Tensor:
    """Return the upper corners of a style's pictures as backgrounds, ``[2 * seeds, 3, S, S]``.

    Each is unfolded by mirroring, so that it tiles without a seam.
    """
    rows = []
    for seed in seeds:
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 2])))
        row = None if style is None else torch.tensor([style])
        z = torch.from_numpy(seeds_to_z([seed], generator.z_dim))
        w = generator.truncate(generator.mapping(z, row), row, float(random.uniform(0.6, 1.0)))
        taxonomy = generator.attributes
        choices = [
            taxonomy.index(name, str(random.choice(taxonomy.offered(name))))
            for name in taxonomy.palette
        ]
        palette = generator.embed_palette(*(torch.tensor([choice]) for choice in choices))
        picture = to_unit(renderer.draw(w, palette, generator.resolution))
        side = int(CORNER * generator.resolution)
        for corner in (picture[..., :side, :side], picture[..., :side, -side:]):
            wide = torch.cat([corner, corner.flip(-1)], dim=-1)
            rows.append(torch.cat([wide, wide.flip(-2)], dim=-2))
    return torch.cat(rows)


def drawn_stock(count: int) -> Stock:
    """Return drawn characters at BASE_SIZE, from seeds that evaluation does not use."""
    seeds = range(FIRST_DRAWN_SEED, FIRST_DRAWN_SEED + count)
    drawn = [draw_character(seed, BASE_SIZE) for seed in seeds]
    alpha = torch.stack([character.alpha for character in drawn])
    colours = torch.stack([character.premultiplied for character in drawn])
    return Stock(colours / alpha.clamp(min=1e-3), alpha, torch.ones_like(alpha))


def _check(options: TrainingOptions) -> None:
    if options.seeds < 1 or options.batch < 1:
        raise OptionError("--seeds and --batch must be at least 1")
    if max(options.seeds, options.mixed_seeds) > FIRST_HELD_OUT_SEED:
        raise OptionError(f"seeds from {FIRST_HELD_OUT_SEED} on are held out for evaluation")
