"""Characters that the generator drew, to learn from: pictures, w and labels in NumPy files.

A folder of samples holds shards, ``NAME-pixels.npy [N, palettes, R, R, 3]``, ``NAME-w.npy
[N, w_dim]`` and ``NAME-labels.npy [N, 5]``: style, first and second palette attribute of the
first picture, whether the row is drawn, and psi in thousandths. They are memory-mapped while they
are drawn, so that drawing can be broken off, carried on, and read from at any time.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from avatargan.latents import FloatArray, seeds_to_z
from avatargan.networks import ConditionalGenerator
from avatargan.pipeline import AvatarPipeline
from avatargan.rendering.base import Pixels

#: Of characters that are drawn with these, what moves with the hair colour alone is hair, and what
#: moves with the eye colour alone are irises: exact masks, by which faces are measured.
MEASURED_PALETTES = (
    {"hair": "black", "eyes": "blue"},
    {"hair": "white", "eyes": "blue"},
    {"hair": "black", "eyes": "red"},
)
#: Characters as people draw them, and some wilder ones.
PSI = (0.5, 1.05)
TV_SHARE = 0.3
_LABELS = 5
_DRAWN = 3


def sample_w(
    generator: ConditionalGenerator, seeds: Iterable[int], psi: tuple[float, float] = PSI
) -> tuple[FloatArray, np.ndarray]:
    """Return truncated w ``[N, w_dim]`` and styles, palette labels and psi ``[N, 4]`` of seeds."""
    w, labels = [], []
    palette = generator.attributes.palette
    for seed in seeds:
        random = np.random.default_rng(seed)
        style = int(random.random() < TV_SHARE)
        choices = [int(random.integers(len(generator.attributes.offered(n)))) for n in palette]
        truncation = float(random.uniform(*psi))
        index = torch.tensor([style])
        with torch.inference_mode():
            z = torch.from_numpy(seeds_to_z([seed], generator.z_dim))
            row = generator.truncate(generator.mapping(z, index), index, truncation)
        w.append(row[0].numpy())
        labels.append([style, *choices, round(truncation * 1000)])
    return np.stack(w), np.array(labels, dtype=np.int16)


def draw_samples(
    pipeline: AvatarPipeline,
    folder: Path,
    name: str,
    first_seed: int,
    count: int,
    *,
    measured: bool,
) -> Iterator[int]:
    """Draw a shard of samples; yield after each character how many are done.

    Args:
        pipeline: whose generator it is; needs a style, and the palette attributes hair and eyes
            where the samples are to be measured.
        folder: where the shard goes.
        name: of the shard.
        first_seed: the others follow it.
        count: characters.
        measured: draw each with :data:`MEASURED_PALETTES` too.
    """
    generator = pipeline.generator
    extra: Sequence[dict[str, str]] = MEASURED_PALETTES if measured else ()
    side = generator.resolution
    names = generator.attributes.palette
    folder.mkdir(parents=True, exist_ok=True)

    def shard(kind: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        path = folder / f"{name}-{kind}.npy"
        if not path.exists():
            blank = np.lib.format.open_memmap(path, "w+", dtype, (count, *shape))
            blank.flush()
        opened: np.ndarray = np.load(path, mmap_mode="r+")
        return opened

    pixels = shard("pixels", (1 + len(extra), side, side, 3), np.uint8)
    ws = shard("w", (generator.w_dim,), np.float32)
    labels = shard("labels", (_LABELS,), np.int16)
    for row in range(count):
        if not labels[row, _DRAWN]:
            w, (label,) = sample_w(generator, [first_seed + row])
            style, *choices, psi = label.tolist()
            own = {
                attribute: generator.attributes[attribute][choice]
                for attribute, choice in zip(names, choices, strict=True)
            }
            pixels[row] = draw_palettes(pipeline, w[0], [own, *extra])
            ws[row] = w[0]
            labels[row] = (style, *choices, 1, psi)
        yield row + 1


def draw_palettes(
    pipeline: AvatarPipeline, w: FloatArray, palettes: Sequence[dict[str, str]]
) -> Pixels:
    """Return one character in several palettes, ``[palettes, R, R, 3]``.

    Args:
        pipeline: what draws.
        w: ``[w_dim]`` or ``[blocks, w_dim]``, truncated.
        palettes: a choice for every palette attribute.
    """
    generator = pipeline.generator
    with torch.inference_mode():
        embedded = torch.cat(
            [
                generator.embed_palette(
                    **{
                        name: torch.tensor([generator.attributes.index(name, palette[name])])
                        for name in generator.attributes.palette
                    }
                )
                for palette in palettes
            ]
        )
    rows = torch.from_numpy(np.ascontiguousarray(w))[None].expand(len(palettes), *w.shape)
    return pipeline.renderer.draw(rows, embedded, generator.resolution)


def read_samples(folder: Path) -> Iterator[tuple[Pixels, FloatArray, np.ndarray]]:
    """Yield pixels, w and labels of every character drawn so far, a shard at a time."""
    for path in sorted(folder.glob("*-labels.npy")):
        stem = path.name.removesuffix("-labels.npy")
        labels = np.load(path, mmap_mode="r")
        drawn = np.flatnonzero(labels[:, _DRAWN])
        if not len(drawn):
            continue
        pixels = np.load(folder / f"{stem}-pixels.npy", mmap_mode="r")
        w = np.load(folder / f"{stem}-w.npy", mmap_mode="r")
        yield pixels[: drawn[-1] + 1], w[: drawn[-1] + 1], labels[: drawn[-1] + 1]
