"""Perceptual path length: how evenly pictures change along paths between latents."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from avatargan.evaluation.features import Pixels
from avatargan.evaluation.progress import Progress
from avatargan.evaluation.samples import SamplePlan
from avatargan.latents import FloatArray, lerp, slerp

#: The spaces that paths go through.
SPACES = ("z", "w")
#: Length of a step, as a share of the path. The paper's 1e-4 is below what pictures of 8 bits show.
STEP = 1 / 128
#: The smallest and the largest of this share are left out, as in the paper's implementation.
TRIMMED = 0.01
_PATHS = 2


@dataclass(frozen=True)
class PathLength:
    """The perceptual path length in one space by one kind of distance.

    Attributes:
        space: z or w.
        value: mean squared distance per squared step.
        paths: how many steps it is the mean of.
    """

    space: str
    value: float
    paths: int


def path_length(space: str, squared_distances: NDArray[np.floating[Any]]) -> PathLength:
    """Return ``E[d(G(t), G(t + e))^2 / e^2]`` (arXiv 1812.04948, section 4.1).

    Args:
        space: z or w.
        squared_distances: between the two ends of each step.
    """
    lengths = np.asarray(squared_distances, np.float64) / STEP**2
    low, high = np.quantile(lengths, [TRIMMED, 1 - TRIMMED])
    kept = lengths[(lengths >= low) & (lengths <= high)]
    return PathLength(space, float(kept.mean()), len(lengths))


def draw_steps(
    plan: SamplePlan, space: str, paths: int, seed: int, progress: Progress
) -> Iterator[tuple[Pixels, Pixels]]:
    """Draw both ends of a step somewhere on each path.

    A path leads from one sample to the next with the labels held: along the great circle in z,
    along the straight line in w.

    Args:
        plan: samples; at least twice as many as paths.
        space: z or w.
        paths: how many.
        seed: of where on the paths the steps are.
        progress: shows how far the work has come.
    """
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, _PATHS])))
    w, palette = [], []
    for path, t in enumerate(random.random(paths) * (1 - STEP)):
        ends = [plan.recipe(2 * path), plan.recipe(2 * path, seed_of=2 * path + 1)]
        points = _points(plan, ends, space, float(t))
        w += points[0]
        palette += points[1]
    resolution = plan.pipeline.generator.resolution
    images = plan.pipeline.render(torch.cat(w), torch.cat(palette), resolution)
    unit = f"picture of a path in {space}"
    pixels = progress((np.asarray(image) for image in images), len(w), unit=unit)
    for first in pixels:
        yield first, next(pixels)


@torch.inference_mode()
def _points(
    plan: SamplePlan, ends: list[Any], space: str, t: float
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return w ``[1, w_dim]`` and palette ``[1, palette_dim]`` of both ends of a step."""
    generator, attributes = plan.pipeline.generator, plan.pipeline.attributes
    latents = plan.pipeline.latents(ends)
    labels = dict(zip(attributes, torch.from_numpy(latents.labels[:1]).T, strict=True))
    style = labels[attributes.identity] if attributes.identity is not None else None
    points = []
    for place in (t, t + STEP):
        if space == "z":
            assert latents.z is not None  # recipes of seeds have one
            z: FloatArray = slerp(latents.z[:1], latents.z[1:], place)
            w = generator.mapping(torch.from_numpy(z), style)
        else:
            w = torch.from_numpy(lerp(latents.w[:1], latents.w[1:], place))
        points.append(generator.truncate(w, style, plan.psi))
    palette = generator.embed_palette(**{name: labels[name] for name in attributes.palette})
    return points, [palette, palette]
