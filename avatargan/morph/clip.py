"""A clip: frames on their way to a file, and how they are to be played."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from PIL import Image


@dataclass(frozen=True)
class Clip:
    """Frames and how they are to be played.

    Attributes:
        frames: RGB pictures, all square and of one size, or RGBA ones where ``transparent``, in
            order; they may be drawn while they are written.
        samples: returns some of the frames, spread over the time, at any size: what the colours
            of a palette are chosen from.
        count: how many frames there are.
        fps: frames a second.
        size: side in pixels.
        loop: play for ever rather than once.
        transparent: whether the frames have alpha.
        metadata: what the frames were drawn from, as one line of JSON.
    """

    frames: Iterable[Image.Image]
    samples: Callable[[int], Sequence[Image.Image]]
    count: int
    fps: float
    size: int
    loop: bool
    transparent: bool
    metadata: str

    @property
    def frame_rate(self) -> Fraction:
        """Frames a second as a fraction whose terms fit into 16 bits, as formats want it."""
        return Fraction(self.fps).limit_denominator(1000)

    def delays(self, ticks_per_second: int) -> list[int]:
        """Return how long each frame is shown, in ticks.

        Where a frame does not last a whole number of ticks, the rounding is spread so that every
        frame starts at the tick nearest to its time, and the total is right.
        """
        starts = [
            round(Fraction(frame * ticks_per_second) / self.frame_rate)
            for frame in range(self.count + 1)
        ]
        return [end - start for start, end in pairwise(starts)]
