"""How long morphs take to draw and write, how large the files are, and what equal speed does.

    python -m benchmarks.morph [--seconds 6] [--fps 24] [--size 512]

Wall time counts on a machine that does nothing else; CPU time counts on any. "In the encoder" is
the same frames written from memory.
"""

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from avatargan import AvatarPipeline
from avatargan.devices import usable_cores
from avatargan.latents import FloatArray
from avatargan.morph import Morph, animate, plan_morph, write_animation
from avatargan.morph.equal_speed import perceptual_steps, unevenness
from avatargan.networks import Critic, load_critic

NAMES = ("morph.webp", "morph.gif", "morph.apng", "morph.mp4", "frames")
SEEDS = (3, 14, 15)
HAIR = ("pink", "blue", "white")


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--fps", type=float, default=24)
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()
    pipeline = AvatarPipeline.load()
    print(f"{pipeline.renderer.description}, {usable_cores()} cores")
    timing = {"seconds": options.seconds, "fps": options.fps, "loop": True}
    plan = plan_morph(pipeline, SEEDS, size=options.size, hair=HAIR, **timing)
    print_formats(pipeline, plan)
    print_equal_speed(pipeline, timing)


def print_formats(pipeline: AvatarPipeline, plan: Morph) -> None:
    """Write the same loop in every format."""
    start = read_clocks()
    frames = list(animate(pipeline, plan).frames)
    print(f"\n{plan.frame_count} frames of {plan.size} px, drawn in {since(start)}")
    print(f"{'':12} {'drawn and written':>28} {'in the encoder':>28} {'MiB':>7} {'peak RSS':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            start = read_clocks()
            write_animation(animate(pipeline, plan), Path(folder, name))
            whole = since(start)
            start = read_clocks()
            clip = replace(animate(pipeline, plan), frames=frames)
            write_animation(clip, Path(folder, name), overwrite=True)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            size = size_of(Path(folder, name)) / 2**20
            print(f"{name:12} {whole:>28} {since(start):>28} {size:7.1f} {peak:5.0f} MiB")


def print_equal_speed(pipeline: AvatarPipeline, timing: dict[str, float]) -> None:
    """Measure unevenness as equal speed does, and independently with the critic's features."""
    critic = load_critic().eval()
    assert isinstance(critic, Critic)
    print(f"\nunevenness of steps (coefficient of variation) {'CIELAB':>8} {'critic':>8}")
    settings: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
        ("straight, smooth", SEEDS, {}),
        ("straight, linear", SEEDS, {"easing": "linear"}),
        ("straight, equal speed", SEEDS, {"equal_speed": True}),
        ("spline, linear", SEEDS, {"path": "spline"}),
        ("spline, equal speed", SEEDS, {"path": "spline", "equal_speed": True}),
        ("4 other seeds, linear", (7, 8, 9, 10), {"easing": "linear"}),
        ("4 other seeds, equal speed", (7, 8, 9, 10), {"equal_speed": True}),
    ]
    for label, seeds, options in settings:
        plan = plan_morph(
            pipeline, seeds, size=pipeline.sizes[0], hair=HAIR, **{**timing, **options}
        )
        frames = list(animate(pipeline, plan).frames)
        closed = [*frames, frames[0]]
        features = critic_features(critic, closed)
        steps = np.linalg.norm(np.diff(features, axis=0), axis=1)
        print(f"  {label:44} {unevenness(perceptual_steps(closed)):8.3f} {unevenness(steps):8.3f}")


@torch.inference_mode()
def critic_features(critic: Critic, frames: list[Image.Image]) -> FloatArray:
    """Return what the critic's scores are read from, ``[N, feature_dim]``."""
    rows: list[torch.Tensor] = []
    hook = critic.features.register_forward_hook(lambda *call: rows.append(call[2]))
    labels = {name: torch.zeros(1, dtype=torch.long) for name in critic.attributes}
    for frame in frames:
        pixels = torch.from_numpy(np.array(frame)).permute(2, 0, 1)[None] / 127.5 - 1
        critic(pixels, labels)
    hook.remove()
    features: FloatArray = torch.cat(rows).numpy()
    return features


Clocks = tuple[float, float]


def read_clocks() -> Clocks:
    """Return wall time and the CPU time of this process and its children, in seconds."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), time.process_time() + children.ru_utime + children.ru_stime


def since(start: Clocks) -> str:
    """Return what has passed, in words."""
    now = read_clocks()
    return f"{now[0] - start[0]:6.1f} s ({now[1] - start[1]:5.1f} s CPU)"


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


if __name__ == "__main__":
    main()
