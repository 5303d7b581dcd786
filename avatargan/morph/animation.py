"""A plan to a clip: frames drawn as they are asked for, with flat memory."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache

import numpy as np
from PIL import Image

from avatargan.morph.clip import Clip
from avatargan.morph.easing import Times
from avatargan.morph.equal_speed import equal_speed_times
from avatargan.morph.latent_path import LatentPath
from avatargan.morph.parallel import map_ahead
from avatargan.morph.plan import Morph
from avatargan.morph.schedule import even_times
from avatargan.pipeline import AvatarPipeline
from avatargan.transparency import load_background_remover

#: Wraps a run of frames, for example to show how far it is.
Progress = Callable[[Iterable[Image.Image], int, str], Iterable[Image.Image]]


def animate(pipeline: AvatarPipeline, morph: Morph, *, progress: Progress | None = None) -> Clip:
    """Return the frames of a morph, to be drawn while they are read or written.

    With equal speed, small frames are drawn first, to find out the times.

    Args:
        pipeline: what draws; the morph must have been planned with its weights.
        morph: the plan.
        progress: wraps frames that are about to be drawn, given how many they are and what they
            are for; returns them.

    Raises:
        RecipeError: a keyframe was made with other weights.
        OptionError: there is no such attribute or choice.
        WeightsError: transparency was asked for, and the weights of the matting network are
            missing or damaged.
    """
    path = LatentPath(pipeline, morph)

    def draw(times: Times, size: int) -> Iterator[Image.Image]:
        return pipeline.render(*path.at(times), size)

    remover = load_background_remover() if morph.transparent else None

    def cut_out(drawn: Iterable[Image.Image]) -> Iterable[Image.Image]:
        return drawn if remover is None else map_ahead(remover.cut_out, drawn)

    def watch(frames: Iterable[Image.Image], count: int, what: str) -> Iterable[Image.Image]:
        return frames if progress is None else progress(frames, count, what)

    @cache
    def frame_times() -> Times:
        if not morph.equal_speed:
            return even_times(morph.frame_count, morph.loop)
        return equal_speed_times(
            morph.frame_count,
            morph.loop,
            lambda times: watch(draw(times, pipeline.sizes[0]), len(times), "timing"),
        )

    def frames() -> Iterator[Image.Image]:
        times = frame_times()
        yield from cut_out(watch(draw(times, morph.size), len(times), "frames"))

    def samples(count: int) -> list[Image.Image]:
        times = frame_times()
        chosen = np.unique(np.linspace(0, len(times) - 1, count).round().astype(int))
        return list(cut_out(draw(times[chosen], pipeline.sizes[0])))

    return Clip(
        frames=frames(),
        samples=samples,
        count=morph.frame_count,
        fps=morph.fps,
        size=morph.size,
        loop=morph.loop,
        transparent=morph.transparent,
        metadata=morph.to_json(),
    )
