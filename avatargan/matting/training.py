"""Training the matting network on composites that the generator makes.

Characters on white give cut-outs of known alpha (:mod:`avatargan.matting.labels`). A first network
learns from those over backgrounds of all kinds. Styles that are not drawn on white it then labels
itself: a picture is used where what the network says of several tinted versions of it, and of
their mirror images, agrees. The network goes on learning with both, and its refinements last.
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
from avatargan.matting.foreground import estimate_foreground, fill_from
from avatargan.matting.labels import CutOut, cut_outs, to_unit
from avatargan.matting.network import BASE_SIZE, SIZES, MattingNetwork, image_pyramid
from avatargan.networks import Generator
from avatargan.rendering import Renderer

Made = TypeVar("Made")

#: Wraps iterables to show progress: ``report(iterable, description)``.
Progress = Callable[[Iterable[int], str], Iterable[int]]

#: Seeds from here on are for evaluation; training never draws them.
FIRST_HELD_OUT_SEED = 20_000_000
#: Drawn characters of smaller seeds are for evaluation.
FIRST_DRAWN_SEED = 1_000_000
#: How a picture is tinted to ask again, and how far the answers may be apart on average.
VERSIONS = 3
VERSION_STRENGTH = 0.5
LARGEST_SPREAD = 0.035
#: A picture labelled with less or more background than this is taken for a mistake.
SMALLEST_BACKGROUND, LARGEST_BACKGROUND = 0.03, 0.75
#: Characters that cover more of their picture leave no background worth using.
LARGEST_IN_FRONT = 0.75
#: Part of a batch that are pictures as the network labelled them; the rest are composites.
LABELLED_SHARE = 0.25
#: Side of the squares that the refinements are trained on, at the lowest resolution.
CROP = 48


@dataclass(frozen=True)
class TrainingOptions:
    """How much is drawn and learnt; the defaults made the shipped weights.

    Attributes:
        seeds: characters of the style on white that are tried as cut-outs.
        agreed_seeds: characters of each other style that the first network tries to label.
        drawn: characters drawn from shapes that join the second round.
        body_steps: batches for the body on cut-outs.
        mixed_steps: batches for the body with the pictures it labelled.
        refinement_steps: batches for the refinements to 256 and 512 pixels.
        batch: pictures in a batch.
        learning_rate: the largest, of Adam.
        random_seed: decides the composites and the first weights.
    """

    seeds: int = 2200
    agreed_seeds: int = 300
    drawn: int = 200
    body_steps: int = 1000
    mixed_steps: int = 900
    refinement_steps: int = 250
    batch: int = 16
    learning_rate: float = 2e-3
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


@dataclass(frozen=True)
class Labelled:
    """Pictures that the network labelled itself; ``[N, C, BASE_SIZE, BASE_SIZE]`` each."""

    image: Tensor
    alpha: Tensor
    certain: Tensor

    def sample(self, count: int, random: torch.Generator) -> Composites:
        """Return random pictures, flipped at random."""
        rows = torch.randint(len(self.alpha), (count,), generator=random)
        batch = torch.cat([self.image[rows], self.alpha[rows], self.certain[rows]], dim=1)
        flip = torch.rand(count, 1, 1, 1, generator=random) < 0.5
        batch = torch.where(flip, batch.flip(-1), batch)
        return Composites(batch[:, :3], batch[:, 3:4], batch[:, 4:5])

    def foregrounds(self) -> Tensor:
        """Return the colours of the characters, free of what is behind them."""
        pairs = zip(self.image, self.alpha, strict=True)
        return torch.stack([estimate_foreground(image, alpha[0]) for image, alpha in pairs])

    def backgrounds(self) -> Tensor:
        """Return what is behind the characters that leave enough of it, continued over them."""
        return torch.stack(
            [
                fill_from(image, _shrink(1 - alpha))
                for image, alpha in zip(self.image, self.alpha, strict=True)
                if alpha.mean() < LARGEST_IN_FRONT
            ]
        )


def _shrink(mask: Tensor) -> Tensor:
    """Shrink a mask ``[1, H, W]`` by two pixels, so that what it lets through is clean."""
    return 1 - functional.max_pool2d(1 - mask, 5, 1, 2)


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
    return ((error + 0.3 * cross_entropy) * target.certain).mean() + slopes


def _made_ahead(make: Callable[[], Made], steps: int) -> Iterator[Made]:
    """Yield what ``make`` gives ``steps`` times, made in a thread while the last one is used."""
    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(make)
        for _ in range(steps - 1):
            made = upcoming.result()
            upcoming = pool.submit(make)
            yield made
        yield upcoming.result()


def _sample(
    sources: Sequence[tuple[Stock | Labelled, float]], count: int, random: torch.Generator
) -> Composites:
    """Return a batch with the share of each source."""
    parts = [source.sample(round(count * share), random) for source, share in sources]
    return Composites(
        torch.cat([part.image for part in parts]),
        torch.cat([part.alpha for part in parts]),
        torch.cat([part.certain for part in parts]),
    )


def train_body(
    network: MattingNetwork,
    sources: Sequence[tuple[Stock | Labelled, float]],
    steps: int,
    options: TrainingOptions,
    progress: Progress,
    random: torch.Generator,
) -> MattingNetwork:
    """Train the body and the first refinement; return the average of the weights.

    Args:
        network: trained in place.
        sources: what batches are made of, with the share of each.
        steps: batches.
        options: batch size and learning rate.
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
    batches = _made_ahead(lambda: _sample(sources, options.batch, random), steps)
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
    """Take one step; the rate rises for the first 100 steps and falls along a cosine."""
    for group in optimiser.param_groups:
        group["lr"] = rate * min(1, (step + 1) / 100) * (1 + math.cos(math.pi * step / steps)) / 2
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


@torch.inference_mode()
def label_pictures(
    network: MattingNetwork,
    generator: Generator,
    renderer: Renderer,
    seeds: Iterable[int],
    style: int | None,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield image, alpha and certainty ``[C, BASE_SIZE, BASE_SIZE]`` where versions agree."""
    for seed in seeds:
        versions = to_unit(_versions(generator, renderer, seed, style))
        answers = network(torch.cat([versions, versions.flip(-1)])).sigmoid()
        answers = torch.cat([answers[: len(versions)], answers[len(versions) :].flip(-1)])
        mean = answers.mean(0)
        spread = (answers - mean).abs().mean(0)
        undecided = torch.minimum(mean, 1 - mean)
        if spread.mean() > LARGEST_SPREAD or undecided.mean() > LARGEST_SPREAD:
            continue
        # The picture itself says where its outline is, the others only which side is which.
        own = (answers[0] + answers[len(versions)]) / 2
        alpha = torch.where((mean - own).abs() < 0.4, own, mean)
        alpha = ((alpha - 0.1) / 0.8).clamp(0, 1)
        if SMALLEST_BACKGROUND < 1 - alpha.mean() < LARGEST_BACKGROUND:
            yield versions[0], alpha, (spread < 0.2).float()


def _versions(generator: Generator, renderer: Renderer, seed: int, style: int | None) -> np.ndarray:
    """Draw a character as the seed says, and tinted, ``[1 + VERSIONS, R, R, 3]``."""
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 2])))
    taxonomy = generator.attributes
    rows = []
    for name in taxonomy.palette:
        choices = [taxonomy.index(name, choice) for choice in taxonomy.offered(name)]
        rows.append(torch.from_numpy(np.resize(random.permutation(choices), 1 + VERSIONS)))
    psi = float(random.uniform(0.6, 1.0))
    row = None if style is None else torch.tensor([style])
    z = torch.from_numpy(seeds_to_z([seed], generator.z_dim))
    w = generator.truncate(generator.mapping(z, row), row, psi).expand(1 + VERSIONS, -1)
    palette = generator.embed_palette(*rows)
    palette = torch.cat([palette[:1], torch.lerp(palette[:1], palette[1:], VERSION_STRENGTH)])
    return renderer.draw(w, palette, BASE_SIZE)


def train(
    generator: Generator, renderer: Renderer, options: TrainingOptions, progress: Progress
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
    white_style, _ = styles_of(generator)
    seeds = progress(range(options.seeds), "cut-outs")
    material = list(cut_outs(generator, renderer, seeds, white_style))
    return train_on(material, generator, renderer, options, progress)


def train_on(
    material: Sequence[CutOut],
    generator: Generator,
    renderer: Renderer,
    options: TrainingOptions,
    progress: Progress,
) -> MattingNetwork:
    """Train on cut-outs that are there already; otherwise like :func:`train`."""
    if not material:
        raise OptionError("no cut-out came of these seeds; give more --seeds")
    torch.manual_seed(options.random_seed)
    network = MattingNetwork()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # fast on CPUs
    stock = Stock.of(material, BASE_SIZE)
    train_body(network, [(stock, 1.0)], options.body_steps, options, progress, _random(options, 0))
    return train_further(network, material, generator, renderer, options, progress)


def train_further(
    network: MattingNetwork,
    material: Sequence[CutOut],
    generator: Generator,
    renderer: Renderer,
    options: TrainingOptions,
    progress: Progress,
) -> MattingNetwork:
    """Train a network that knows the style on white on all styles, and its refinements."""
    pictures: list[tuple[Tensor, Tensor, Tensor]] = []
    _, other_styles = styles_of(generator)
    for style in other_styles:
        seeds = progress(range(options.agreed_seeds), "labels")
        pictures.extend(label_pictures(network, generator, renderer, seeds, style))
    stock = Stock.of(material, BASE_SIZE).joined_by(drawn_stock(options.drawn))
    backgrounds = None
    sources: list[tuple[Stock | Labelled, float]] = [(stock, 1.0)]
    if pictures:
        labelled = Labelled(*(torch.stack(parts) for parts in zip(*pictures, strict=True)))
        backgrounds = labelled.backgrounds()
        cut = Stock(labelled.foregrounds(), labelled.alpha, labelled.certain)
        stock = replace(stock.joined_by(cut), background_pictures=backgrounds)
        sources = [(stock, 1 - LABELLED_SHARE), (labelled, LABELLED_SHARE)]
    train_body(network, sources, options.mixed_steps, options, progress, _random(options, 1))
    train_refinements(network, material, backgrounds, options, progress, _random(options, 2))
    network.eval()
    return network


def _random(options: TrainingOptions, phase: int) -> torch.Generator:
    return torch.Generator().manual_seed(options.random_seed * 1000 + phase)


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
    if options.seeds + options.agreed_seeds > FIRST_HELD_OUT_SEED:
        raise OptionError(f"seeds from {FIRST_HELD_OUT_SEED} on are held out for evaluation")


def styles_of(generator: Generator) -> tuple[int | None, list[int | None]]:
    """Return the style that is drawn on white (the first one), and the others, as indices.

    Weights without styles have the one style None.
    """
    identity = generator.attributes.identity
    if identity is None:
        return None, []
    offered = generator.attributes.offered(identity)
    white, *others = (generator.attributes.index(identity, choice) for choice in offered)
    return white, list(others)
