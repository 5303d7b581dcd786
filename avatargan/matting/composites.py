"""Composites for training: characters of known alpha over backgrounds of all kinds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

#: Shares of the kinds of backgrounds; what the visual-novel style is drawn on comes first.
BACKGROUNDS = {"white": 0.35, "flat": 0.1, "gradient": 0.1, "clouds": 0.25, "shapes": 0.2}
#: With pictures to take backgrounds from, this share of the others comes from those.
FROM_PICTURES = 0.35


@dataclass(frozen=True)
class Composites:
    """A batch: pictures ``[B, 3, S, S]``, their alpha and how far it is certain ``[B, 1, S, S]``.

    All are float32 in [0, 1].
    """

    image: Tensor
    alpha: Tensor
    certain: Tensor


def compose(
    foreground: Tensor,
    alpha: Tensor,
    certain: Tensor,
    random: torch.Generator,
    background_pictures: Tensor | None = None,
) -> Composites:
    """Lay characters, moved and recoloured at random, over random backgrounds.

    Args:
        foreground: ``[B, 3, S, S]`` in [0, 1], defined under alpha 0 too.
        alpha: ``[B, 1, S, S]``.
        certain: ``[B, 1, S, S]``, 0 where alpha is not known.
        random: decides everything.
        background_pictures: ``[N, 3, R, R]``, backgrounds without characters.
    """
    layers = _move(torch.cat([foreground, alpha, certain], dim=1), random)
    foreground, alpha, certain = layers[:, :3], layers[:, 3:4], layers[:, 4:5]
    backgrounds, white = random_backgrounds(
        len(alpha), alpha.shape[-1], random, background_pictures
    )
    foreground = _recolour(foreground, white, random)
    image = alpha * foreground + (1 - alpha) * backgrounds
    noise = torch.randn(image.shape, generator=random) * 0.01 * _uniform(len(image), 0, 1, random)
    return Composites((image + noise).clamp(0, 1), alpha, (certain > 0.99).float())


def _uniform(count: int, low: float, high: float, random: torch.Generator) -> Tensor:
    return torch.rand(count, 1, 1, 1, generator=random) * (high - low) + low


def _chance(count: int, share: float, random: torch.Generator) -> Tensor:
    return torch.rand(count, 1, 1, 1, generator=random) < share


def _move(layers: Tensor, random: torch.Generator) -> Tensor:
    """Flip and scale; whoever was cut by the lower border still is."""
    count = len(layers)
    scale = torch.where(
        _chance(count, 0.3, random),
        _uniform(count, 0.75, 1.0, random),
        1 + (_uniform(count, -0.5, 0.35, random)).clamp(min=0),
    ).view(count)
    flip = torch.where(_chance(count, 0.5, random), 1.0, -1.0).view(count)
    shift = (_uniform(count, -1, 1, random).view(count)) * (1 - 1 / scale).abs()
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0] = flip / scale
    matrix[:, 0, 2] = shift
    matrix[:, 1, 1] = 1 / scale
    # Larger ones may move up or down inside the frame, smaller ones stand on its lower edge.
    vertical = _uniform(count, -1, 1, random).view(count)
    matrix[:, 1, 2] = torch.where(scale < 1, 1 - 1 / scale, vertical * (1 - 1 / scale))
    grid = functional.affine_grid(matrix, list(layers.shape), align_corners=False)
    moved = functional.grid_sample(layers, grid, padding_mode="border", align_corners=False)
    inside = (grid.abs().amax(-1) <= 1)[:, None]
    height = _height_under_crown(grid, random)[:, None]
    crowned = (scale < 1).view(count, 1, 1, 1) & _chance(count, 0.7, random)
    inked = (1 - 0.8 * (-((height / 0.03) ** 2)).exp()) * _chance(count, 0.7, random)
    colours = torch.where(crowned & (inked > 0), moved[:, :3] * inked, moved[:, :3])
    cover = torch.where(crowned, (height * 60 + 1).clamp(0, 1), 1.0) * inside
    alpha = moved[:, 3:4] * cover
    certain = torch.where(alpha > 0, moved[:, 4:5], 1.0)
    return torch.cat([colours, alpha, certain], dim=1)


def _height_under_crown(grid: Tensor, random: torch.Generator) -> Tensor:
    """Return how far under a round, wavy crown each point is, ``[B, H, W]``, in frame halves.

    The frame cuts most heads; those that are made smaller get a crown in place of the cut.
    """
    count = len(grid)
    x, y = grid[..., 0], grid[..., 1]
    drop = _uniform(count, 0.2, 0.9, random)[..., 0]
    waves = _uniform(count, 3, 25, random)[..., 0]
    depth = _uniform(count, 0, 0.06, random)[..., 0]
    arc = 1 - (1 - x.clamp(-1, 1).square()).clamp(min=0).sqrt()
    return y - (-1 + 0.02 + drop * arc + depth * (waves * x).sin().abs())


def _recolour(foreground: Tensor, white: Tensor, random: torch.Generator) -> Tensor:
    """Change hue, contrast and lightness of some characters; many on white become paler."""
    count = len(foreground)
    luma = foreground.mean(1, keepdim=True)
    angle = _uniform(count, -math.pi, math.pi, random) * _chance(count, 0.15, random)
    chroma = foreground - luma
    # A rotation about the grey axis: the chroma and its cross product with (1, 1, 1) / sqrt(3).
    across = (chroma.roll(1, dims=1) - chroma.roll(-1, dims=1)) / math.sqrt(3)
    chroma = chroma * angle.cos() + across * angle.sin()
    saturation = torch.where(
        _chance(count, 0.4, random), _uniform(count, 0.2, 1.3, random), torch.ones(1)
    )
    colours = luma + chroma * saturation
    gain = torch.where(
        _chance(count, 0.4, random), _uniform(count, 0.4, 1.1, random), torch.ones(1)
    )
    paleness = torch.where(
        _chance(count, 0.3, random), _uniform(count, 0.25, 1.0, random), torch.ones(1)
    )
    colours = torch.where(white, 1 - (1 - colours) * paleness, colours * gain)
    return colours.clamp(0, 1)


def random_backgrounds(
    count: int, size: int, random: torch.Generator, pictures: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return backgrounds ``[count, 3, size, size]`` and which are white ``[count, 1, 1, 1]``."""
    kinds = list(BACKGROUNDS)
    shares = torch.tensor(list(BACKGROUNDS.values()))
    chosen = [kinds[int(i)] for i in torch.multinomial(shares, count, True, generator=random)]
    backgrounds = []
    for kind in chosen:
        if kind != "white" and pictures is not None and bool(_chance(1, FROM_PICTURES, random)):
            backgrounds.append(_from_pictures(pictures, size, random))
        else:
            backgrounds.append(background(kind, size, random))
    white = torch.tensor([kind == "white" for kind in chosen]).view(-1, 1, 1, 1)
    return torch.stack(backgrounds), white


def background(kind: str, size: int, random: torch.Generator) -> Tensor:
    """Return one background ``[3, size, size]`` of a kind in :data:`BACKGROUNDS`."""
    if kind == "white":
        shade = 1 - 0.06 * _colour(random) * torch.rand(1, generator=random)
        return (shade + 0.01 * _clouds(size, 1, random)).clamp(0, 1).expand(3, size, size)
    if kind == "flat":
        return _colour(random).expand(3, size, size)
    if kind == "gradient":
        return _gradient(size, random)
    if kind == "clouds":
        return _cloudy(size, random)
    return _shapes(size, random)


def _colour(random: torch.Generator) -> Tensor:
    return torch.rand(3, 1, 1, generator=random)


def _ramp(size: int, random: torch.Generator) -> Tensor:
    """Return a ramp ``[1, size, size]`` from -1 to 1 in a random direction."""
    angle = float(torch.rand(1, generator=random)) * 2 * math.pi
    line = torch.linspace(-1, 1, size)
    ramp: Tensor = line[None, :, None] * math.sin(angle) + line[None, None, :] * math.cos(angle)
    return ramp / math.sqrt(2)


def _gradient(size: int, random: torch.Generator) -> Tensor:
    t = (_ramp(size, random) + 1) / 2
    return torch.lerp(
        _colour(random).expand(3, size, size), _colour(random).expand(3, size, size), t
    )


def _clouds(
    size: int, channels: int, random: torch.Generator, cells: Sequence[int] = (3, 6, 12, 24)
) -> Tensor:
    """Return noise of several octaves, about N(0, 1), ``[channels, size, size]``."""
    total = torch.zeros(channels, size, size)
    weight, energy = 1.0, 0.0
    fall = 0.2 + 0.5 * float(torch.rand(1, generator=random))
    for side in cells:
        noise = torch.randn(1, channels, side, side, generator=random)
        total += weight * functional.interpolate(noise, size=(size, size), mode="bicubic")[0]
        energy += weight**2
        weight *= fall
    return total / math.sqrt(energy)


def _cloudy(size: int, random: torch.Generator) -> Tensor:
    shared = _clouds(size, 1, random) * _colour(random)
    strength = 0.05 + 0.3 * torch.rand(1, generator=random)
    return (_gradient(size, random) + strength * (shared + 0.4 * _clouds(size, 3, random))).clamp(
        0, 1
    )


def _shapes(size: int, random: torch.Generator) -> Tensor:
    """Return clouds with hard-edged patches and dark lines, like painted scenery."""
    picture = _cloudy(size, random)
    for _ in range(int(torch.randint(2, 8, (1,), generator=random))):
        field = _clouds(size, 1, random, (3, 5, 9)) + 1.5 * _ramp(size, random)
        level = float(torch.randn(1, generator=random)) * 0.8
        softness = 8 + 60 * float(torch.rand(1, generator=random))
        inside = ((field - level) * softness).sigmoid()
        width = 0.02 + 0.1 * float(torch.rand(1, generator=random))
        line = (1 - ((field - level).abs() / width)).clamp(0, 1)
        line = line * (torch.rand(1, generator=random) < 0.6)
        fill = _colour(random) * torch.rand(1, generator=random).sqrt()
        if bool(_chance(1, 0.6, random)):
            picture = torch.lerp(picture, fill.expand_as(picture), inside)
        picture = picture * (1 - 0.85 * line)
    return picture


def _from_pictures(pictures: Tensor, size: int, random: torch.Generator) -> Tensor:
    """Return a random square, flipped at random, of a random picture."""
    picture = pictures[int(torch.randint(len(pictures), (1,), generator=random))].float()
    side = picture.shape[-1]
    crop = int(torch.randint(side // 2, side + 1, (1,), generator=random))
    top, left = (int(torch.randint(side - crop + 1, (1,), generator=random)) for _ in range(2))
    square = picture[:, top : top + crop, left : left + crop]
    if bool(_chance(1, 0.5, random)):
        square = square.flip(-1)
    return functional.interpolate(square[None], size=(size, size), mode="bilinear")[0]


def stack_layers(
    layers: Sequence[tuple[Tensor, Tensor, Tensor]], size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Bring foregrounds, alphas and certainties to one size; colours are averaged under alpha."""
    foregrounds, alphas, certains = [], [], []
    for foreground, alpha, certain in layers:
        factor = alpha.shape[-1] // size
        colours, mask = foreground.float() / 255, alpha.float()[None] / 255
        if factor > 1:
            weight = mask + 1e-3
            colours = functional.avg_pool2d(colours * weight, factor)
            colours = colours / functional.avg_pool2d(weight, factor)
            mask = functional.avg_pool2d(mask, factor)
        foregrounds.append(colours)
        alphas.append(mask)
        certains.append(functional.interpolate(certain[None, None].float(), size=(size, size))[0])
    return torch.stack(foregrounds), torch.stack(alphas), torch.stack(certains)
