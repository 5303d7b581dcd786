"""Pictures that become characters: how near they come, what is kept, how long it takes.

    python -m benchmarks.editing [--pictures N] [--real TAR ...] [--sheet FILE.png]

Own samples are seeds that the encoder never saw. Every distance is divided by that of random
avatars from the same picture: 0 the same, 1 no nearer than anybody. Real pictures come from tar
files such as those of the shared data; their results are ranked by lines among 100 random avatars.
"""

import argparse
import io
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from avatargan.editing.fitting import STEPS, picture_tensor
from avatargan.editing.likeness import distances
from avatargan.editing.pictures import edit_picture, fitter_of
from avatargan.pipeline import AvatarPipeline

#: Far from the seeds that the encoder learnt from.
FIRST_SEED = 900_000_000
RANDOM_AVATARS = 100


def main() -> None:
    """Measure and print; see the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=24, help="own samples")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--real", type=Path, action="append", default=[], help="tar of pictures")
    parser.add_argument("--real-pictures", type=int, default=30, help="of each tar")
    parser.add_argument("--sheet", type=Path, help="original and result, side by side")
    options = parser.parse_args()
    pipeline = AvatarPipeline.load(device="cpu")
    fitter_of(pipeline)
    pairs: list[tuple[Image.Image, Image.Image]] = []
    if options.pictures:
        _own_samples(pipeline, options.pictures, options.steps, pairs)
    for tar in options.real:
        _real_pictures(pipeline, tar, options.real_pictures, options.steps, pairs)
    if options.sheet is not None and pairs:
        _sheet(pairs).save(options.sheet)


def _own_samples(
    pipeline: AvatarPipeline, count: int, steps: int, pairs: list[tuple[Image.Image, Image.Image]]
) -> None:
    rows, kept, busy, first = [], [], [], []
    encoder = fitter_of(pipeline).encoder
    encoder_times = []
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        style = pipeline.attributes.offered("style")[seed % 2]
        (avatar,) = pipeline.generate(seed, size=128, style=style)
        original = Image.fromarray(np.asarray(avatar.image))  # without its recipe
        began = time.perf_counter()
        encoder.encode(picture_tensor(original, 128))
        encoder_times.append(time.perf_counter() - began)
        at_once = edit_picture(pipeline, original, steps=0, size=128, whole=True)
        began = time.process_time()
        edit = edit_picture(pipeline, original, steps=steps, size=128, whole=True)
        busy.append(time.process_time() - began)
        first.append((at_once.share, at_once.pixels, at_once.lines))
        rows.append((edit.share, edit.pixels, edit.lines))
        found = edit.avatar.recipe.attributes
        kept.append([found[name] == avatar.recipe.attributes[name] for name in ("hair", "eyes")])
        pairs.append((original, edit.avatar.image))
        print(f"  seed {seed}: {edit.share:.3f}, {busy[-1]:.1f} s", file=sys.stderr, flush=True)
    print(f"{count} own samples, {steps} steps; distances as shares of random avatars'")
    for name, figures in (("encoder alone", first), ("refined", rows)):
        mean, worst = np.mean(figures, axis=0), np.max(figures, axis=0)
        print(
            f"  {name:<14} features {mean[0]:.3f} (worst {worst[0]:.2f}), "
            f"pixels {mean[1]:.3f}, lines {mean[2]:.3f}"
        )
    hair, eyes = np.mean(kept, axis=0)
    print(f"  hair kept {hair:.1%}, eyes kept {eyes:.1%}")
    speed = f"encoder {np.median(encoder_times) * 1000:.0f} ms, all {np.median(busy):.1f} s of CPU"
    print(f"  {speed}")


def _real_pictures(
    pipeline: AvatarPipeline,
    tar: Path,
    count: int,
    steps: int,
    pairs: list[tuple[Image.Image, Image.Image]],
) -> None:
    critic = fitter_of(pipeline).critic
    avatars = pipeline.generate(range(RANDOM_AVATARS), size=128)
    others = torch.cat([picture_tensor(avatar.image, 128) for avatar in avatars])
    shares, ranks, words = [], [], []
    for original in _pictures(tar, count):
        edit = edit_picture(pipeline, original, steps=steps, size=128, whole=True)
        target = picture_tensor(edit.original, 128)
        own = distances(critic, picture_tensor(edit.avatar.image, 128), target).lines
        ranks.append(float((distances(critic, others, target).lines > own).float().mean()))
        shares.append((edit.share, edit.pixels, edit.lines))
        words.append(edit.verdict)
        print(f"  {edit.share:.3f}, lines {ranks[-1]:.0%}", file=sys.stderr, flush=True)
        pairs.append((edit.original, edit.avatar.image))
    mean = np.mean(shares, axis=0)
    print(f"{len(shares)} pictures of {tar.name}")
    print(f"  features {mean[0]:.2f}, pixels {mean[1]:.2f}, lines {mean[2]:.2f} of random avatars'")
    print(f"  nearer in lines than {np.mean(ranks):.0%} of random avatars (least {min(ranks):.0%})")
    for word in sorted(set(words)):
        print(f"  {word}: {words.count(word)}")


def _pictures(tar: Path, count: int) -> Iterator[Image.Image]:
    """Yield pictures from all over an archive."""
    with tarfile.open(tar) as archive:
        endings = (".webp", ".png", ".jpg", ".jpeg")
        members = [m for m in archive.getmembers() if m.isfile() and m.name.endswith(endings)]
        for member in members[:: max(1, len(members) // count)][:count]:
            file = archive.extractfile(member)
            assert file is not None
            with Image.open(io.BytesIO(file.read())) as image:
                yield image.convert("RGB")


def _sheet(pairs: list[tuple[Image.Image, Image.Image]], columns: int = 6) -> Image.Image:
    rows = -(-len(pairs) // columns)
    sheet = Image.new("RGB", (columns * 264, rows * 132), "white")
    for index, pair in enumerate(pairs):
        left, top = index % columns * 264, index // columns * 132
        for place, picture in enumerate(pair):
            sheet.paste(picture.resize((128, 128)), (left + place * 130, top))
    return sheet


if __name__ == "__main__":
    main()
