"""What dabs of colour are for: the hair, the eyes, or the picture alone."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from avatargan.sketching.reading import LABELS, STROKES_SIZE, Sketch

#: Where eyes are in characters that fill the picture, in pictures: left, top, right, bottom.
EYES = (0.2, 0.36, 0.8, 0.64)
#: Where the face is: middle across and down, and half its width and height.
FACE = (0.5, 0.58, 0.3, 0.32)
#: Of parts that no attribute tells the colour of, RGB in [0, 1].
USUAL = {"skin": (0.99, 0.88, 0.8), "ground": (0.97, 0.97, 0.98)}
#: What somebody dabs who means one of these, RGB in [0, 1]; in pictures they are more muted.
NAMED = {
    "aqua": (0.21, 0.79, 0.76),
    "black": (0.17, 0.15, 0.19),
    "blonde": (0.95, 0.81, 0.42),
    "blue": (0.24, 0.48, 0.91),
    "brown": (0.52, 0.33, 0.23),
    "gray": (0.6, 0.62, 0.65),
    "green": (0.27, 0.7, 0.35),
    "orange": (0.95, 0.54, 0.18),
    "pink": (0.96, 0.56, 0.72),
    "purple": (0.55, 0.35, 0.84),
    "red": (0.87, 0.23, 0.25),
    "white": (0.98, 0.98, 0.99),
    "yellow": (0.96, 0.84, 0.2),
}
#: Fewer dabbed pixels say nothing.
FEWEST_PIXELS = 4


def wanted_choices(
    sketch: Sketch, palette: Mapping[str, Mapping[str, tuple[float, float, float]]]
) -> dict[str, str]:
    """Return the choices of attributes that dabs ask for.

    A dab is for what the label brush says. Without one, its place tells: where the eyes are,
    unless it is of the colour of skin; outside the face, the hair.

    Args:
        sketch: with its dabs.
        palette: the colour of each choice, RGB in [0, 1], by attribute: "hair", "eyes".
    """
    choices = {}
    for part, where in _parts(sketch).items():
        colours = sketch.hints[0].permute(1, 2, 0)[where]
        known = {name: NAMED.get(name, rgb) for name, rgb in palette.get(part, {}).items()}
        if not known or len(colours) < FEWEST_PIXELS:
            continue
        wanted = _as_named(colours.median(0).values[None])
        table = _as_named(torch.tensor(list(known.values())))
        nearest = int((table - wanted).square().sum(1).argmin())
        choices[part] = list(known)[nearest]
    return choices


def with_labels(
    sketch: Sketch,
    palette: Mapping[str, Mapping[str, tuple[float, float, float]]],
    choices: Mapping[str, str],
) -> Sketch:
    """Return a sketch in which parts that were marked without a colour have that of the character.

    Args:
        sketch: with its labels.
        palette: the colour of each choice, as above.
        choices: those of the character, by attribute.
    """
    hints, dabbed = sketch.hints.clone(), sketch.dabbed.clone()
    for place, part in enumerate(LABELS):
        colour = USUAL.get(part) or palette.get(part, {}).get(choices.get(part, ""))
        where = (sketch.labels[0, place] > 0.5) & (sketch.dabbed[0, 0] < 0.5)
        if colour is not None and bool(where.any()):
            hints[0, :, where] = torch.tensor(colour)[:, None]
            dabbed[0, 0, where] = 1.0
    return replace(sketch, hints=hints, dabbed=dabbed)


def _parts(sketch: Sketch) -> dict[str, Tensor]:
    """Return where which part was dabbed, each ``[128, 128]``, bool."""
    dabbed = sketch.dabbed[0, 0] > 0.5
    labelled = sketch.labels[0] > 0.5
    free = dabbed & ~labelled.any(0)
    places = (torch.arange(STROKES_SIZE) + 0.5) / STROKES_SIZE
    x, y = places[None, :], places[:, None]
    colours = sketch.hints[0]
    is_skin = _like_skin(colours)
    in_eyes = (x > EYES[0]) & (x < EYES[2]) & (y > EYES[1]) & (y < EYES[3])
    in_face = ((x - FACE[0]) / FACE[2]).square() + ((y - FACE[1]) / FACE[3]).square() < 1
    names = list(LABELS)
    parts = {
        "eyes": free & in_eyes & ~is_skin & in_face,
        "hair": free & ~in_face & (y < 0.9),
    }
    return {part: (dabbed & labelled[names.index(part)]) | where for part, where in parts.items()}


def _as_named(colours: Tensor) -> Tensor:
    """Return colours ``[N, 3]`` as one names them: by hue above all, whether bright or muted.

    What is called blue hair in pictures is greyish; a dab of blue is not.
    """
    lab = to_lab(colours)
    chroma = lab[:, 1:].norm(dim=1, keepdim=True).clamp(min=1)
    return torch.cat([0.2 * lab[:, :1], lab[:, 1:] / chroma.sqrt()], dim=1)


def _like_skin(colours: Tensor) -> Tensor:
    red, green, blue = colours
    skin: Tensor = (red > 0.55) & (red > green) & (green > blue - 0.02) & (red - blue < 0.45)
    return skin


def to_lab(colours: Tensor) -> Tensor:
    """Return CIE L*a*b* (D65) of sRGB colours ``[N, 3]`` in [0, 1]."""
    linear = torch.where(
        colours <= 0.04045, colours / 12.92, ((colours.clamp(min=0) + 0.055) / 1.055) ** 2.4
    )
    matrix = colours.new_tensor(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = linear @ matrix.T / colours.new_tensor([0.9505, 1.0, 1.089])
    f = torch.where(xyz > 0.008856, xyz.clamp(min=1e-9) ** (1 / 3), 7.787 * xyz + 16 / 116)
    return torch.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], dim=1
    )
