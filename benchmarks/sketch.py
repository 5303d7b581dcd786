"""Figures of the drawing board: how well characters follow lines, and how long a stroke takes.

python -m benchmarks.sketch                          own unseen lines, the 40 sketches, time
python -m benchmarks.sketch --faces portraits.tar    and lines of unseen real faces, set by set
python -m benchmarks.sketch --sheet docs/images/sketches.webp     only the contact sheet

"Better than it" is the share of 60 random avatars whose edges correlate better with the strokes
than those of the result do, both blurred, at 64 px. It is told for edges that saturate, which the
finder works with, and for plain Sobel edges, which it never saw.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from tqdm import tqdm

from avatargan import AvatarPipeline
from avatargan.dataset import TEST, open_dataset
from avatargan.sketching import Sketched, Sketcher
from avatargan.sketching.encoder_training import to_unit
from avatargan.sketching.following import correlation, edge_map, luminance, stroke_map
from avatargan.sketching.hints import to_lab
from avatargan.sketching.lines import Hand
from avatargan.sketching.reading import read_sketch
from tests.sketching.boards import layer, read_sketches

#: Random avatars that a result has to beat, none of which is in the bank.
RIVALS = 60
FIRST_RIVAL = 40_000


def main() -> None:
    """Measure and print, or draw the sheet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", type=Path, help="a folder that train-sketch made")
    parser.add_argument("--faces", type=Path, nargs="*", default=[], help="sets of real faces")
    parser.add_argument("--count", type=int, default=100, help="lines of each kind")
    parser.add_argument(
        "--follow", type=float, nargs="*", default=[0.0, 0.5, 1.0], help="how strictly, in turn"
    )
    parser.add_argument("--sheet", type=Path, help="only write the contact sheet of the sketches")
    given = parser.parse_args()
    pipeline = AvatarPipeline.load(device="cpu")
    sketcher = Sketcher.load(pipeline, given.networks)
    if given.sheet:
        contact_sheet(sketcher).save(given.sheet, quality=50, method=6)
        return
    rivals = rival_pictures(pipeline)
    hand = Hand(torch.Generator().manual_seed(5))
    own = pipeline.generate(
        range(50_000, 50_000 + given.count), size=128, psi=0.8, style="any", hair="any", eyes="any"
    )
    pictures = np.stack([np.asarray(avatar.image) for avatar in own])
    strokes = hand.lines(luminance(to_unit(pictures)))
    report(
        "own unseen characters",
        [as_image(each) for each in strokes],
        sketcher,
        rivals,
        given.follow,
    )
    bent = Hand(torch.Generator().manual_seed(6))(luminance(to_unit(pictures)))
    report(
        "the same by many hands", [as_image(each) for each in bent], sketcher, rivals, given.follow
    )
    for path in given.faces:
        faces = open_dataset(path).split(TEST)
        step = max(1, len(faces) // given.count)
        some = [to_unit(resized(faces.picture(row))) for row in range(0, len(faces), step)]
        lines = hand.lines(luminance(torch.cat(some[: given.count])))
        report(
            f"unseen faces, {path.stem}",
            [as_image(each) for each in lines],
            sketcher,
            rivals,
            given.follow,
        )
    sketches = [drawn for each in read_sketches() if (drawn := layer(each, "lines"))]
    report("the 40 sketches", sketches, sketcher, rivals, given.follow)
    mirrored(sketches, sketcher, given.follow)
    colours(sketches, sketcher)
    speed(sketches[0], sketcher)


def resized(picture: np.ndarray) -> np.ndarray:
    """Return a face at 128 px, ``[1, 128, 128, 3]``."""
    return np.asarray(Image.fromarray(picture).resize((128, 128), Image.Resampling.BOX))[None]


def as_image(strokes: Tensor) -> Image.Image:
    """Return strokes ``[1, S, S]`` as dark lines on white."""
    return Image.fromarray(((1 - strokes[0]) * 255).round().byte().numpy())


def rival_pictures(pipeline: AvatarPipeline) -> Tensor:
    """Return random avatars ``[60, 3, 128, 128]`` in [0, 1]."""
    drawn = pipeline.generate(
        range(FIRST_RIVAL, FIRST_RIVAL + RIVALS),
        size=128,
        psi=0.8,
        style="any",
        hair="any",
        eyes="any",
    )
    return to_unit(np.stack([np.asarray(avatar.image) for avatar in drawn]))


def shares(picture: Tensor, sketch: Image.Image, rivals: Tensor) -> list[float]:
    """Return the share of rivals that follow better, by both kinds of edges."""
    wanted = stroke_map(read_sketch(sketch).strokes)
    found = []
    for saturating in (True, False):
        own = edge_map(luminance(picture), saturating=saturating)
        others = edge_map(luminance(rivals), saturating=saturating)
        better = correlation(others, wanted.expand_as(others)) > correlation(own, wanted)
        found.append(float(better.float().mean()))
    return found


def report(
    name: str,
    sketches: list[Image.Image],
    sketcher: Sketcher,
    rivals: Tensor,
    strictness: list[float],
) -> None:
    """Print how well pictures follow some sketches, from clean to exact."""
    for follow in strictness:
        found, follows = [], []
        for sketch in tqdm(sketches, desc=f"{name}, follow {follow}", leave=False, mininterval=9):
            avatar = sketcher.sketch(sketch, follow=follow, size=128).avatars[0]
            picture = to_unit(np.asarray(avatar.image)[None])
            found.append(shares(picture, sketch, rivals))
            follows.append(avatar.follows)
        saturating, plain = np.mean(found, axis=0)
        print(
            f"{name}, follow {follow}: better than it {saturating:.1%} (plain edges {plain:.1%}), "
            f"correlation {np.mean(follows):.2f}, {len(sketches)} sketches",
            flush=True,
        )


def mirrored(sketches: list[Image.Image], sketcher: Sketcher, strictness: list[float]) -> None:
    """Print how often a mirrored sketch gives the mirrored picture, rather than the same one."""
    for follow in strictness:
        right = 0
        for sketch in sketches:
            pictures = [
                to_unit(
                    np.asarray(sketcher.sketch(each, follow=follow, size=128).avatars[0].image)[
                        None
                    ]
                )
                for each in (sketch, sketch.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
            ]
            first, second = (edge_map(luminance(picture)) for picture in pictures)
            facing = edge_map(luminance(pictures[0].flip(3)))
            right += float(correlation(facing, second)) > float(correlation(first, second))
        print(f"mirrored as the sketch is, follow {follow}: {right} of {len(sketches)}", flush=True)


def colours(sketches: list[Image.Image], sketcher: Sketcher) -> None:
    """Print how far painted colours are from dabs, in their region (CIE 1976)."""
    wanted = [(245, 143, 184), (61, 123, 232), (69, 178, 90), (243, 207, 107), (141, 88, 214)]
    off = []
    for number, sketch in enumerate(sketches):
        colour = wanted[number % len(wanted)]
        hints = Image.new("RGBA", sketch.size)
        box = [round(sketch.width * share) for share in (0.42, 0.06, 0.58, 0.13)]
        ImageDraw.Draw(hints).ellipse(box, fill=(*colour, 255))
        avatar = sketcher.sketch(sketch, hints=hints, follow=1, size=128).avatars[0]
        read = read_sketch(sketch, hints)
        inside = (read.dabbed[0, 0] > 0.5) & (read.strokes[0, 0] < 0.2)
        picture = to_unit(np.asarray(avatar.image)[None])[0].permute(1, 2, 0)[inside]
        there = to_lab(picture.median(0).values[None])
        off.append(float((there - to_lab(torch.tensor([colour]) / 255)).norm()))
    print(
        f"dabs: delta E {np.median(off):.1f} in the median, within 15 in "
        f"{np.mean(np.array(off) <= 15):.0%} of {len(off)}"
    )


def speed(sketch: Image.Image, sketcher: Sketcher) -> None:
    """Print what a stroke takes, and its parts."""
    for follow in (0.0, 1.0):
        sketcher.sketch(sketch, follow=follow, size=128)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(10):
            sketcher.sketch(sketch, follow=follow, size=128)
        seconds = (time.perf_counter() - wall) / 10, (time.process_time() - cpu) / 10
        print(
            f"a stroke to a picture, follow {follow}: {seconds[0] * 1000:.0f} ms, "
            f"{seconds[1] * 1000:.0f} ms of CPU"
        )


def contact_sheet(sketcher: Sketcher, cell: int = 96) -> Image.Image:
    """Return the 40 sketches with what becomes of each: sketch, clean, middle, exact."""
    sketches = read_sketches()
    columns, rows = 4, -(-len(sketches) // 4)
    sheet = Image.new("RGB", (columns * (4 * cell + 8), rows * (cell + 4)), "white")
    for number, each in enumerate(tqdm(sketches, desc="sketches")):
        lines, hints = layer(each, "lines"), layer(each, "colours")
        assert lines is not None
        shown = Image.new("RGBA", lines.size, "white")
        if hints:
            shown.alpha_composite(hints)
        shown = Image.fromarray(np.minimum(np.asarray(shown), np.asarray(lines)))
        pictures = [shown.convert("RGB")]
        for follow in (0.0, 0.5, 1.0):
            pictures.append(made(sketcher, lines, hints, follow).avatars[0].image)
        left, top = number % columns * (4 * cell + 8), number // columns * (cell + 4)
        for place, picture in enumerate(pictures):
            small = picture.resize((cell, cell), Image.Resampling.LANCZOS)
            sheet.paste(small, (left + place * cell, top))
    return sheet


def made(
    sketcher: Sketcher, lines: Image.Image, hints: Image.Image | None, follow: float
) -> Sketched:
    """Return what becomes of a sketch at 256 px."""
    return sketcher.sketch(lines, hints=hints, follow=follow, size=256)


if __name__ == "__main__":
    main()
