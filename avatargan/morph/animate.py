"""A plan to a clip: frames drawn as they are asked for, with flat memory."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from PIL import Image

from avatargan.morph.clip import Clip
from avatargan.morph.easing import Times
from avatargan.morph.equal_speed import equal_speed_times
from avatargan.morph.latent_path import LatentPath
from avatargan.morph.plan import Morph
from avatargan.morph.schedule import frame_times
from avatargan.pipeline import AvatarPipeline

#: Wraps a run of frames, for example to show how far it is.
Progress = Callable[[Iterable[Image.Image], int], Iterable[Image.Image]]


def animate(pipeline: AvatarPipeline, morph: Morph, *, progress: Progress | None = None) -> Clip:
    """Return the frames of a morph, to be drawn while they are read or written.

    With equal speed, small frames are drawn right away to find out the times.

    Args:
        pipeline: what draws; the morph must have been planned with its weights.
        morph: the plan.
        progress: called with frames that are about to be drawn and how many they are; returns
            them.

    Raises:
        RecipeError: a keyframe was made with other weights.
        OptionError: there is no such size, attribute or choice.
        MissingExtraError: transparency was asked for, and what it needs is not installed.
    """
    path = LatentPath(pipeline, morph)

    def draw(times: Times, size: int) -> Iterator[Image.Image]:
        return pipeline.render(*path.at(times), size)

    def draw_small(times: Times) -> Iterable[Image.Image]:
        frames = draw(times, pipeline.sizes[0])
        return frames if progress is None else progress(frames, len(times))

    if morph.equal_speed:
        times = equal_speed_times(morph.frame_count, morph.loop, draw_small)
    else:
        times = frame_times(morph.frame_count, morph.loop)

    def samples(count: int) -> list[Image.Image]:
        chosen = np.unique(np.linspace(0, len(times) - 1, count).round().astype(int))
        return list(draw(times[chosen], pipeline.sizes[0]))

    frames: Iterable[Image.Image] = draw(times, morph.size)
    if progress is not None:
        frames = progress(frames, len(times))
    return Clip(
        frames=frames,
        samples=samples,
        count=morph.frame_count,
        fps=morph.fps,
        size=(morph.size, morph.size),
        loop=morph.loop,
        transparent=morph.transparent,
        metadata=morph.to_json(),
    )
