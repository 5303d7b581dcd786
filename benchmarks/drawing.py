"""How long a picture takes: ours against a naive forward pass of the same networks.

All variants run in turn, several rounds, so that a machine whose speed drifts drifts for all.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from avatargan import AvatarPipeline
from avatargan.rendering.base import Pixels, finish

BATCH = 16
ROUNDS = 5
SIZES = (128, 512)

Draw = Callable[[Tensor, Tensor, int], Pixels]


def main() -> None:
    """Print milliseconds a picture, the ratio to the naive run, and how far pixels are off."""
    fast = AvatarPipeline.load(device="cpu", engine="ncnn")
    plain = AvatarPipeline.load(device="cpu", engine="torch")
    half = AvatarPipeline.load(device="cpu", engine="torch")
    for network in (half.generator, half.upscaler):
        # torch's own annotations leave this overload out.
        network.bfloat16().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    variants: dict[str, Draw] = {
        "naive: PyTorch, whole batch, fp32": _naive(plain),
        "PyTorch, picture by picture, fp32": plain.renderer.draw,
        "PyTorch, whole batch, bf16, channels_last": _naive(half),
        "ours: ncnn, picture by picture, fp32": fast.renderer.draw,
    }
    w, palette = _conditions(fast)
    print(f"batch of {BATCH}, {torch.get_num_threads()} threads, median of {ROUNDS} rounds")
    for size in SIZES:
        times: dict[str, list[float]] = {name: [] for name in variants}
        pixels: dict[str, Pixels] = {}
        for round_ in range(ROUNDS + 1):
            for name, draw in variants.items():
                start = time.perf_counter()
                pixels[name] = draw(w, palette, size)
                if round_ > 0:  # the first round warms up
                    times[name].append((time.perf_counter() - start) / BATCH * 1000)
        _print(size, times, pixels)


def _conditions(pipe: AvatarPipeline) -> tuple[Tensor, Tensor]:
    """Return truncated w and palette embeddings of a batch."""
    generator = pipe.generator
    z = torch.randn(BATCH, generator.z_dim, generator=torch.Generator().manual_seed(1))
    index = torch.zeros(BATCH, dtype=torch.long)
    with torch.inference_mode():
        w = generator.truncate(generator.mapping(z, index), index, 0.7)
        return w, generator.embed_palette(index, index)


def _naive(pipe: AvatarPipeline) -> Draw:
    """Return a plain forward pass in whatever precision the networks are."""
    dtype = pipe.generator.w_mean.dtype

    @torch.inference_mode()
    def draw(w: Tensor, palette: Tensor, size: int) -> Pixels:
        images = pipe.generator.synthesis_from_embedding(w.to(dtype), palette.to(dtype))
        if size == pipe.generator.resolution:
            return np.stack([finish(image, None, size) for image in images.float().numpy()])
        upscaled = pipe.upscaler((images.clamp(-1, 1) + 1) / 2).float().numpy()
        pairs = zip(images.float().numpy(), upscaled, strict=True)
        return np.stack([finish(image, enlarged, size) for image, enlarged in pairs])

    return draw


def _print(size: int, times: dict[str, list[float]], pixels: dict[str, Pixels]) -> None:
    baseline = next(iter(times))
    print(f"\n{size} px")
    for name, values in times.items():
        ratio = statistics.median(
            base / value for base, value in zip(times[baseline], values, strict=True)
        )
        off = np.abs(pixels[name].astype(int) - pixels[baseline].astype(int)).max()
        print(
            f"  {name:42} {statistics.median(values):6.1f} ms a picture   "
            f"{ratio:4.2f} times the naive speed   pixels off by at most {off}/255"
        )


if __name__ == "__main__":
    main()
