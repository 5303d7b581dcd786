"""What the tests of animations share: frames to write, and readers."""

from pathlib import Path

import numpy as np
from PIL import Image


def coloured_frames(count: int, size: int = 32, *, alpha: bool = False) -> list[Image.Image]:
    """Gradients that turn from red to blue; with alpha, a hard-edged and a soft-edged half."""
    across = np.linspace(0, 255, size)[None, :].repeat(size, axis=0)
    frames = []
    for number in range(count):
        part = number / max(count - 1, 1)
        channels = [(1 - part) * across + 40, np.full_like(across, 90), part * across + 40]
        if alpha:
            channels.append(np.where(np.arange(size)[:, None] < size // 2, across, 255))
        frames.append(Image.fromarray(np.clip(np.stack(channels, -1), 0, 255).astype(np.uint8)))
    return frames


def read_frames(path: Path) -> list[Image.Image]:
    """Every frame of an animation, as Pillow composes it, with its duration in ms."""
    with Image.open(path) as image:
        frames = []
        for number in range(image.n_frames):
            image.seek(number)
            frame = image.convert("RGBA")
            frame.info["duration"] = image.info.get("duration", 0)
            frames.append(frame)
        return frames
