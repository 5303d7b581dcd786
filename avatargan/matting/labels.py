"""Cut-outs with known alpha, from the generator alone.

A picture on white is keyed easily where the hair is dark, and hardly where it is white. But the
generator holds a character still while its colours are mixed: half-way between white and brown,
the hair has the outlines of white hair and contrast enough to be keyed. So a picture's background
is what is background in nearly all of several tinted versions of it, and the picture itself has
to say only how soft the outline is. Pictures whose versions disagree are not used.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from avatargan.attributes import IDENTITY
from avatargan.latents import seeds_to_z
from avatargan.matting.foreground import estimate_foreground
from avatargan.matting.masks import flood, grow
from avatargan.networks import ConditionalGenerator
from avatargan.rendering import Renderer

#: Tinted versions of a picture that vote on what its background is, and how strong the tint is.
TINTS = 6
TINT_STRENGTH = 0.5
#: Share of a style that is not drawn on white when it is mixed with the one that is.
STYLE_SHARES = (0.6, 0.85)
#: So many of them may miss a leak, or see one that is not there.
DISSENT = 1
#: Distance from white up to which a pixel may be background.
KEY_TOLERANCE = 0.045
#: Backgrounds are looked for along the top and so far down the sides: below are shoulders.
SIDES = 0.8
#: Largest parts of a picture that may be disputed, or off the character, before it is not used.
LARGEST_DISPUTE = 0.05
LARGEST_DEBRIS = 0.004
SMALLEST_BACKGROUND = 0.04
#: Width of the outline, and the median distance from white behind it above which it cannot leak.
OUTLINE = 4
DARK = 0.3
#: At the full size the outline may be so many pixels away from where the small pictures put it.
BAND = 5


@dataclass(frozen=True)
class CutOut:
    """A character with known alpha.

    Attributes:
        foreground: colours of the character, ``[3, S, S]``, uint8; under alpha 0 they continue
            those of the outline.
        alpha: ``[S, S]``, uint8.
        certain: ``[R, R]``, bool, R the generator's resolution: False where a white patch inside
            the outline may be clothing or a gap.
        seed: what it was drawn from.
        labels: the index of each attribute's choice, in the order of the taxonomy.
    """

    foreground: Tensor
    alpha: Tensor
    certain: Tensor
    seed: int
    labels: tuple[int, ...]


def cut_outs(
    generator: ConditionalGenerator,
    renderer: Renderer,
    seeds: Iterable[int],
    style: int | None = None,
) -> Iterator[CutOut]:
    """Yield cut-outs of the characters whose alpha can be told; two of five can.

    Args:
        generator: its first style must be drawn on white.
        renderer: draws for the generator.
        seeds: decide characters and colours; each stands for itself.
        style: the index of a style, to draw it mixed with the first one; or that of the first
            one, or None where the weights have no styles.
    """
    for seed in seeds:
        cut_out = _cut_out(generator, renderer, seed, style)
        if cut_out is not None:
            yield cut_out


def styles_of(generator: ConditionalGenerator) -> list[int | None]:
    """Return the indices of the styles, the one on white first; [None] without styles."""
    identity = generator.attributes.identity
    if identity is None:
        return [None]
    offered = generator.attributes.offered(identity)
    return [generator.attributes.index(identity, choice) for choice in offered]


def _style_table(generator: ConditionalGenerator) -> Tensor:
    table = generator.embed[IDENTITY]
    assert isinstance(table, nn.Embedding)
    return table.weight


def _style_weights(
    generator: ConditionalGenerator, style: int | None, share: float
) -> Tensor | None:
    """Return the weights of the styles ``[1, styles]``, where there are some."""
    if style is None:
        return None
    white = styles_of(generator)[0]
    assert white is not None
    weights = torch.zeros(1, len(generator.w_mean))
    weights[0, white] = 1 - share
    weights[0, style] += share
    return weights


def _cut_out(
    generator: ConditionalGenerator, renderer: Renderer, seed: int, style: int | None
) -> CutOut | None:
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 1])))
    taxonomy = generator.attributes
    own, tints = [], []
    for name in taxonomy.palette:
        order = random.permutation([taxonomy.index(name, c) for c in taxonomy.offered(name)])
        own.append(int(order[0]))
        tints.append(np.resize(order[1:], TINTS))
    psi = float(random.uniform(0.6, 1.0))
    weights = _style_weights(generator, style, float(random.uniform(*STYLE_SHARES)))
    with torch.inference_mode():
        z = torch.from_numpy(seeds_to_z([seed], generator.z_dim))
        embedding = None if weights is None else weights @ _style_table(generator)
        w = generator.truncate(generator.mapping(z, embedding), weights, psi)
        palette = generator.embed_palette(*(torch.tensor([index]) for index in own))
        tint = generator.embed_palette(*(torch.from_numpy(indices) for indices in tints))
        mixed = torch.lerp(palette.expand_as(tint), tint, TINT_STRENGTH)
    first = to_unit(renderer.draw(w, mixed[:1], generator.resolution))
    if key_background(first).float().mean() < SMALLEST_BACKGROUND:
        return None  # spares drawing the others
    others = renderer.draw(w.expand(TINTS - 1, -1), mixed[1:], generator.resolution)
    versions = torch.cat([first, to_unit(others)])
    votes = key_background(versions).sum(0)[0]
    white_versions = (_distance_from_white(versions) < KEY_TOLERANCE).float().mean(0)[0] > 0.5
    agreed = votes >= TINTS - DISSENT
    disputed = ~agreed & (votes > DISSENT)
    if agreed.float().mean() < SMALLEST_BACKGROUND or disputed.float().mean() > LARGEST_DISPUTE:
        return None
    picture = to_unit(renderer.draw(w, palette, generator.resolution * 4))[0]
    distance = _distance_from_white(functional.avg_pool2d(picture[None], 4))[0, 0]
    white = distance < KEY_TOLERANCE
    # Along the outline, where the versions differ by a pixel or two, the picture decides.
    agreed &= distance < 2 * KEY_TOLERANCE
    background = flood(agreed[None, None], (agreed | (disputed & white))[None, None])
    near = grow(background, OUTLINE)
    rim = grow(near, OUTLINE) & ~near
    if distance[rim[0, 0]].median() > DARK:
        # Dark hair does not leak, so that what is white beside the background belongs to it.
        background = flood(background, background | white, steps=OUTLINE)
    background, debris = _without_debris(background[0, 0])
    if debris > LARGEST_DEBRIS:
        return None
    alpha = soften(picture, background)
    ground = picture[:, alpha == 0].mean(1)
    return CutOut(
        foreground=_to_bytes(estimate_foreground(picture, alpha, ground)),
        alpha=_to_bytes(alpha),
        certain=~_doubtful(white & white_versions & ~background),
        seed=seed,
        labels=(*(() if style is None else (style,)), *own),
    )


def to_unit(pixels: np.ndarray) -> Tensor:
    """Turn ``[B, H, W, 3]`` bytes into ``[B, 3, H, W]`` in [0, 1]."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def _to_bytes(values: Tensor) -> Tensor:
    return values.mul(255).round().clamp(0, 255).to(torch.uint8)


def _distance_from_white(pictures: Tensor) -> Tensor:
    return 1 - pictures.amin(1, keepdim=True)


def key_background(pictures: Tensor) -> Tensor:
    """Return what is near white and connected with the border above the shoulders.

    Args:
        pictures: ``[B, 3, S, S]`` in [0, 1].

    Returns:
        ``[B, 1, S, S]``, bool.
    """
    free = _distance_from_white(pictures) < KEY_TOLERANCE
    start = torch.zeros_like(free)
    shoulders = int(SIDES * free.shape[-1])
    start[..., 0, :] = True
    start[..., :shoulders, 0] = True
    start[..., :shoulders, -1] = True
    return flood(start, free)


def _largest_within(values: Tensor, radius: int) -> Tensor:
    """Return the maximum over squares of ``2 * radius + 1`` pixels; ``[B, C, H, W]``."""
    side = 2 * radius + 1
    rows = functional.max_pool2d(values, (1, side), 1, (0, radius))
    return functional.max_pool2d(rows, (side, 1), 1, (radius, 0))


def _without_debris(background: Tensor) -> tuple[Tensor, float]:
    """Return the background with what is not connected with the character, and how much that is.

    Much of it is the outline of something white that the key ate.
    """
    figure = ~background[None, None]
    start = torch.zeros_like(figure)
    half = background.shape[-1] // 2
    start[..., half - 8 : half + 8, half - 8 : half + 8] = True
    character = flood(start, figure)
    debris = float((figure & ~character).float().mean())
    return ~character[0, 0], debris


def _doubtful(enclosed: Tensor) -> Tensor:
    """Return the enclosed white patches that may be gaps: away from eyes, teeth and collar."""
    size = enclosed.shape[-1]
    doubtful = enclosed.clone()
    doubtful[int(0.2 * size) : int(0.8 * size), int(0.2 * size) : int(0.8 * size)] = False
    doubtful[int(0.8 * size) :, int(0.3 * size) : int(0.7 * size)] = False
    # Single pixels are highlights, and what the outline left over.
    return grow(~grow(~doubtful))


def soften(picture: Tensor, background: Tensor) -> Tensor:
    """Return the soft alpha ``[S, S]`` of a picture on white from its rough background.

    Near the outline alpha is the pixel's distance from white in proportion to that of the outline
    next to it.

    Args:
        picture: ``[3, S, S]`` in [0, 1].
        background: ``[R, R]``, bool, S a multiple of R.
    """
    size = picture.shape[-1]
    rough = functional.interpolate(
        (~background)[None, None].float(), size=(size, size), mode="bilinear"
    )
    outer = _largest_within((rough > 0.5).float(), BAND) > 0
    inner = _largest_within((rough < 0.5).float(), BAND) == 0
    band = outer & ~inner
    clear = ~outer
    white = 1 - (picture[:, clear[0, 0]].mean(1) if clear.any() else picture.new_ones(3))
    distance = (1 - white[None, :, None, None] - picture[None]).abs().amax(1, keepdim=True)
    contrast = _largest_within(distance * outer, BAND).clamp(min=0.03)
    floor = 0.015
    keyed = ((distance - floor) / (0.8 * contrast - floor)).clamp(0, 1)
    # The outline's far side is inside: only what white reaches from without is soft.
    reached = flood(clear, (clear | band) & (keyed < 0.5), steps=4 * BAND)
    edge = grow(reached, 2)
    alpha = torch.where(edge, keyed, torch.ones_like(keyed))
    return torch.where(clear, torch.zeros_like(alpha), alpha)[0, 0]
