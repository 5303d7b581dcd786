"""Train the second look: ``python -m face_crop.train_second_look --faces ... --portraits ...``.

It learns from scenes that are composed while it trains: faces cut out of their backgrounds,
portraits, and what the generator draws, in drawn surroundings, restyled in many ways. Pictures
whose faces were boxed by hand come last. The same options give the same network on the same
machine.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import torch
from tqdm import tqdm

from avatargan.dataset import Dataset, open_dataset
from avatargan.devices import choose_device
from avatargan.errors import AvatarGanError, OptionError
from avatargan.matting import Matter, load_matter
from avatargan.pipeline import AvatarPipeline
from face_crop.second_look import save_face_networks
from face_crop.training.material import (
    boxed_pictures,
    cut_out_faces,
    drawn_portraits,
    found_portraits,
)
from face_crop.training.option_arguments import add_options, options_of
from face_crop.training.painting import Picture
from face_crop.training.portraits import Portrait
from face_crop.training.scenes import BoxedPicture, without_fold
from face_crop.training.second_look import TrainingOptions, train, train_further
from face_crop.training.spread import evenly_spread

_EXAMPLES = """examples:
  python -m face_crop.train_second_look --faces faces.tar --portraits portraits.tar \\
      --out second-look.safetensors
  python -m face_crop.train_second_look --faces faces.tar --portraits portraits.tar \\
      --scenes pictures --boxes benchmarks/face_boxes.json --folds 4 \\
      --out second-look.safetensors              # and networks to measure it with
  python -m face_crop.train_second_look --faces faces.tar --portraits portraits.tar \\
      --out try.safetensors --dry-run

With --folds K, K more networks are written beside the first, FILE.fold-0.safetensors and on: each
has not seen every K-th of the boxed pictures, and can be measured on those
(python -m benchmarks.faces --folds FILE).
"""


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, train, write the weights; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m face_crop.train_second_look",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="weights file to write")
    parser.add_argument(
        "--faces",
        type=Path,
        required=True,
        metavar="PATH",
        help="folder or tar of square crops, 1.5 times the face, on light ground",
    )
    parser.add_argument(
        "--portraits",
        type=Path,
        required=True,
        metavar="PATH",
        help="folder or tar of pictures with one face in the middle",
    )
    parser.add_argument("--scenes", type=Path, help="folder of pictures with boxes")
    parser.add_argument("--boxes", type=Path, help="JSON file of the boxes")
    parser.add_argument("--folds", type=int, default=0, help="networks to measure with")
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument("--dry-run", action="store_true", help="look at the input and stop")
    add_options(parser, TrainingOptions)
    given = parser.parse_args(arguments)
    try:
        _train(given, options_of(given, TrainingOptions))
    except AvatarGanError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


def _train(given: argparse.Namespace, options: TrainingOptions) -> None:
    if (given.scenes is None) != (given.boxes is None):
        raise OptionError("--scenes and --boxes go together")
    if given.folds < 0 or given.folds == 1 or (given.folds and given.scenes is None):
        raise OptionError("--folds is 2 or more, and needs --scenes and --boxes")
    if given.threads < 1:
        raise OptionError(f"--threads must be at least 1, got {given.threads}")
    device = choose_device(given.device)
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(1)
    boxed = boxed_pictures(given.scenes, given.boxes) if given.scenes else []
    faces, portraits = open_dataset(given.faces), open_dataset(given.portraits)
    _note(
        f"{len(faces)} faces, {len(portraits)} portraits, {len(boxed)} boxed pictures; "
        f"{options.steps} + {options.close_steps} batches of {options.batch} scenes"
        + (
            f", then {options.boxed_steps} + {options.boxed_close_steps} with those"
            if boxed
            else ""
        )
        + f", on {device}"
    )
    if given.dry_run:
        _note(f"would write {given.out}")
        return
    material = _material(faces, portraits, options)
    networks = train(material, options, device, _progress)

    def finish(part: list[BoxedPicture], out: Path) -> None:
        further = train_further(networks, material, part, options, _progress)
        save_face_networks(out, further)
        _note(str(out))

    finish(boxed, given.out)
    for fold in range(given.folds):
        finish(without_fold(boxed, fold, given.folds), fold_path(given.out, fold))


def _material(faces: Dataset, portraits: Dataset, options: TrainingOptions) -> list[list[Portrait]]:
    """Return the groups of portraits that scenes are composed of."""
    matter = load_matter()

    def chosen(source: Dataset, most: int, label: str) -> Iterator[Picture]:
        for index in tqdm(evenly_spread(len(source), most), desc=label):
            yield source.picture(index)

    return [
        list(cut_out_faces(chosen(faces, options.most_faces, "faces"), matter)),
        list(found_portraits(chosen(portraits, options.most_portraits, "portraits"))),
        list(_drawn(matter, options.drawn)),
    ]


def _drawn(matter: Matter, count: int) -> Iterator[Portrait]:
    pipeline = AvatarPipeline.load(device="cpu")
    yield from drawn_portraits(pipeline, matter, tqdm(range(count), desc="drawn"))


def fold_path(out: Path, fold: int) -> Path:
    """Return where the weights go that have not seen a fold of the boxed pictures."""
    return out.with_name(f"{out.stem}.fold-{fold}{out.suffix}")


def _progress(steps: Iterable[int], description: str) -> Iterable[int]:
    return tqdm(steps, desc=description, mininterval=1.0)


def _note(text: str) -> None:
    tqdm.write(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
