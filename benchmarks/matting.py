"""Figures of the matting network beside those of OpenCV's methods.

python -m benchmarks.matting                    figures on 200 held-out and 100 drawn composites
python -m benchmarks.matting --sheets build/m   contact sheets on dark, light and checkered ground
"""

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from avatargan import AvatarPipeline
from avatargan.matting import Matter, load_matter
from avatargan.matting.evaluation import (
    KnownAlpha,
    drawn_composites,
    fringe,
    held_out_composites,
    intersection_over_union,
    mean_absolute_error,
    over,
)
from avatargan.matting.labels import CutOut, cut_outs, styles_of
from avatargan.matting.network import SIZES
from avatargan.matting.training import FIRST_HELD_OUT_SEED

Method = Callable[[Image.Image], np.ndarray]
GROUNDS = ("dark", "light", "checkered")


def main() -> None:
    """Measure, print, and draw contact sheets where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200, help="held-out composites")
    parser.add_argument("--drawn", type=int, default=100, help="drawn composites")
    parser.add_argument("--weights", type=Path, help="matting weights (default: the shipped ones)")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--no-baselines", action="store_true", help="leave OpenCV's methods out")
    given = parser.parse_args()
    matter = load_matter(given.weights)
    pipeline = AvatarPipeline.load()
    if given.sheets:
        draw_sheets(matter, pipeline, given.sheets)
    methods: dict[str, Method] = {"network": matter.alpha}
    if not given.no_baselines:
        methods |= {"colour key": colour_key, "GrabCut": grab_cut}
    white_style, *other_styles = styles_of(pipeline.generator)
    known = held_out(pipeline, white_style, given.count - given.count // 4, seeds=500)
    for style in other_styles:
        known += held_out(pipeline, style, given.count // 4 // len(other_styles), seeds=200)
    report("held-out composites", known, methods, matter)
    report("drawn characters", list(drawn_composites(given.drawn)), methods, matter)
    speed(matter, pipeline)


def held_out(
    pipeline: AvatarPipeline, style: int | None, count: int, seeds: int
) -> list[KnownAlpha]:
    """Return composites of the characters of a style that can be keyed, from some seeds."""
    tried = tqdm(
        range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + seeds), desc=f"cut-outs, style {style}"
    )
    material = []
    with tried:
        for cut_out in cut_outs(pipeline.generator, pipeline.renderer, tried, style):
            material.append(cut_out)
            if len(material) == count:
                break
    names = [hair_name(pipeline, cut_out) for cut_out in material]
    return list(held_out_composites(material, names, count))


def hair_name(pipeline: AvatarPipeline, cut_out: CutOut) -> str:
    """Return style and hair of a cut-out in words."""
    names = []
    for attribute, index in zip(pipeline.attributes, cut_out.labels, strict=True):
        if attribute in ("style", "hair"):
            names.append(pipeline.attributes[attribute][index])
    return " ".join(names)


def colour_key(image: Image.Image) -> np.ndarray:
    """OpenCV's flood fill from the upper border, with a soft edge."""
    import cv2

    pixels = np.ascontiguousarray(np.asarray(image))
    size = pixels.shape[0]
    mask = np.zeros((size + 2, size + 2), np.uint8)
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | (255 << 8)
    starts = [(x, 0) for x in range(0, size, 8)]
    starts += [(x, y) for y in range(0, size // 2, 8) for x in (0, size - 1)]
    corner = np.median(np.concatenate([pixels[0, :8], pixels[0, -8:]]), axis=0)
    for x, y in starts:
        if np.abs(pixels[y, x] - corner).max() < 24 and not mask[y + 1, x + 1]:
            cv2.floodFill(pixels, mask, (x, y), 0, (6, 6, 6), (6, 6, 6), flags)
    alpha = 1 - mask[1:-1, 1:-1].astype(np.float32) / 255
    return cv2.GaussianBlur(alpha, (0, 0), size / 512)


def grab_cut(image: Image.Image) -> np.ndarray:
    """OpenCV's GrabCut from a prior where heads are, with a soft edge."""
    import cv2

    pixels = np.ascontiguousarray(np.asarray(image)[..., ::-1])
    size = pixels.shape[0]
    small = cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_AREA)
    mask = np.full((256, 256), cv2.GC_PR_BGD, np.uint8)
    cv2.ellipse(mask, (128, 130), (100, 118), 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.ellipse(mask, (128, 140), (55, 60), 0, 0, 360, cv2.GC_FGD, -1)
    mask[:3, :24] = mask[:3, -24:] = cv2.GC_BGD
    mask[:100, :2] = mask[:100, -2:] = cv2.GC_PR_BGD
    cv2.setRNGSeed(0)
    inner, outer = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, mask, (0, 0, 1, 1), outer, inner, 5, cv2.GC_INIT_WITH_MASK)
    sure = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    large = cv2.resize(sure, (size, size), interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(large, (0, 0), size / 512)


def report(title: str, known: list[KnownAlpha], methods: dict[str, Method], matter: Matter) -> None:
    """Print MAE and IoU of each method, and for the network by size, background and character."""
    print(f"\n## {title}: {len(known)}, at {known[0].image.width} px\n")
    print(f"{'':28}{'MAE':>8}{'IoU':>8}{'worst MAE':>11}")
    for name, method in methods.items():
        rows = [figures(method(item.image), item) for item in tqdm(known, desc=name, leave=False)]
        line(name, rows)
        if name != "network":
            continue
        for size in SIZES[:-1]:
            small = [item.resized(size) for item in known]
            line(f"  at {size} px", [figures(method(item.image), item) for item in small])
        for label in ("background", "character"):
            groups = defaultdict(list)
            for item, row in zip(known, rows, strict=True):
                groups[getattr(item, label)].append(row)
            for group, part in sorted(groups.items()):
                line(f"  {group} ({len(part)})", part)
    sample = known[:: max(len(known) // 40, 1)]
    cleaned = [fringe(matter.cut_out(item.image), item) for item in sample]
    plain = [fringe(with_alpha(item.image, matter.alpha(item.image)), item) for item in sample]
    print(f"too light at the edge over black: {np.mean(cleaned):.3f}", end=" ")
    print(f"(without cleaning the colours {np.mean(plain):.3f})")


def figures(alpha: np.ndarray, item: KnownAlpha) -> tuple[float, float]:
    """Return MAE and IoU."""
    return mean_absolute_error(alpha, item.alpha), intersection_over_union(alpha, item.alpha)


def line(name: str, rows: Iterable[tuple[float, float]]) -> None:
    """Print the means of some figures."""
    table = np.array(list(rows))
    error, overlap = table.mean(0)
    print(f"{name:28}{error:8.4f}{overlap:8.4f}{table[:, 0].max():11.4f}")


def with_alpha(image: Image.Image, alpha: np.ndarray) -> Image.Image:
    """Return the picture with alpha and its colours as they are."""
    result = image.convert("RGBA")
    result.putalpha(Image.fromarray((alpha * 255 + 0.5).astype(np.uint8)))
    return result


def speed(matter: Matter, pipeline: AvatarPipeline) -> None:
    """Print how long a cut-out takes, beside drawing the picture."""
    print(f"\n## time per picture, {matter.description}, {os.cpu_count()} cores\n")
    for size in SIZES:
        image = pipeline.generate(1, size=size)[0].image
        cutting = fastest(partial(matter.cut_out, image))
        alpha = fastest(partial(matter.alpha, image))
        drawing = fastest(partial(pipeline.generate, 1, size=size))
        print(
            f"{size} px: {1000 * cutting:.1f} ms (alpha {1000 * alpha:.1f} ms), "
            f"{cutting / drawing:.2f} times drawing it"
        )


def fastest(work: Callable[[], object], times: int = 15) -> float:
    """Return the shortest of several runs in seconds: other work on the machine only adds."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def draw_sheets(matter: Matter, pipeline: AvatarPipeline, folder: Path, size: int = 256) -> None:
    """Write a sheet per style: the picture, its cut-out on each ground, and alpha."""
    folder.mkdir(parents=True, exist_ok=True)
    identity = pipeline.attributes.identity
    styles = pipeline.attributes.offered(identity) if identity else ("pictures",)
    seeds = range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + 24)
    for style in styles:
        wanted = {identity: style} if identity else {}
        avatars = list(pipeline.draw(pipeline.recipes(seeds, size=512, **wanted)))  # type: ignore[arg-type]
        sheet = Image.new("RGB", (10 * size, 12 * size))
        for index, avatar in enumerate(avatars):
            row, column = index % 12, 5 * (index // 12)
            cut_out = matter.cut_out(avatar.image)
            views = [avatar.image, *(over(cut_out, ground) for ground in GROUNDS)]
            views.append(cut_out.getchannel("A").convert("RGB"))
            for offset, view in enumerate(views):
                small = view.resize((size, size), Image.Resampling.BOX)
                sheet.paste(small, ((column + offset) * size, row * size))
        path = folder / f"matting-{style}.png"
        sheet.save(path)
        print(path)


if __name__ == "__main__":
    main()
