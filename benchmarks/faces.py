"""How many faces are found, how many boxes are wrong, and how fast it goes.

python -m benchmarks.faces                       everything that can be measured here
python -m benchmarks.faces --folds SECOND.safetensors
                                                 cross-validated, with the networks of
                                                 python -m face_crop.train_second_look --folds 4

The hand-boxed pictures and the public cascade are not part of the project; without them only
composed scenes are measured.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import count, takewhile
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from avatargan.dataset import open_dataset
from avatargan.pictures import open_picture, rgb_pixels
from face_crop.boxes import BoxArray, boxes_to_array
from face_crop.detector import DetectorOptions, Face, FaceDetector
from face_crop.evaluation import Curve, Judged, curve, judge
from face_crop.train_second_look import fold_path
from face_crop.training.composed import SceneComposer
from face_crop.training.material import boxed_pictures

SHARED = Path(__file__).parent.parent.parent / "shared"
BOXES = Path(__file__).parent / "face_boxes.json"
#: Scenes of these seeds are composed of avatars that training never saw.
FIRST_SCENE = 5000
#: So low that the whole curve can be drawn.
LOOSE = 0.02
#: The detector of this process, where several are measured at once.
_detector: FaceDetector


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=Path, default=SHARED / "data" / "scenes")
    parser.add_argument("--boxes", type=Path, default=BOXES)
    parser.add_argument(
        "--public", type=Path, default=SHARED / "data" / "cascade" / "lbpcascade_animeface.xml"
    )
    parser.add_argument("--cascade", type=Path, help="another cascade to measure beside them")
    parser.add_argument("--second-look", type=Path, help="weights (default: the shipped ones)")
    parser.add_argument("--folds", type=Path, help="weights beside which those of the folds are")
    parser.add_argument("--composed", type=int, default=60, help="composed scenes")
    parser.add_argument(
        "--portraits",
        type=Path,
        default=SHARED / "data" / "tv-portraits-256.tar",
        help="pictures that one face fills",
    )
    parser.add_argument("--timed", type=int, default=40, help="pictures to time")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    default = DetectorOptions(second_look_weights=given.second_look)
    cascades: dict[str, Path | None] = {"own cascade": None}
    for name, path in (("public cascade", given.public), (str(given.cascade), given.cascade)):
        if path is not None and path.exists():
            cascades[name] = path
        elif path is not None:
            print(f"{path} is not there: {name} is left out")
    hand_boxed(given, default, cascades)
    portraits(given.portraits, default)
    composed = composed_scenes(given.composed)
    title(f"{len(composed)} composed scenes, exact truth")
    for name, path in cascades.items():
        cascade_rows(name, path, composed)
    detector_rows("detector", default, composed, [FaceDetector(loose(default))])
    speed(default, cascades, composed[: given.timed])


class Picture:
    """A picture with its truth: boxes, and boxes that count neither way."""

    def __init__(self, pixels: np.ndarray, boxes: BoxArray, ignored: BoxArray) -> None:
        self.pixels, self.boxes, self.ignored = pixels, boxes, ignored

    def judged(self, faces: list[Face]) -> Judged:
        """Hold what was found against the truth."""
        scores = [f.cascade_score if f.second_look is None else f.second_look for f in faces]
        found = boxes_to_array([face.box for face in faces])
        return judge(found, np.array(scores), self.boxes, self.ignored)


def hand_boxed(
    given: argparse.Namespace, default: DetectorOptions, cascades: dict[str, Path | None]
) -> None:
    """Print figures on the pictures that were boxed by eye."""
    if not given.scenes.is_dir():
        print(f"{given.scenes} is not there: the hand-boxed pictures are left out")
        return
    pictures = [
        Picture(p.picture, boxes_to_array([*p.boxes]), boxes_to_array([*p.ignored]))
        for p in boxed_pictures(given.scenes, given.boxes)
    ]
    title(f"{len(pictures)} hand-boxed pictures, {sum(len(p.boxes) for p in pictures)} faces")
    for name, path in cascades.items():
        cascade_rows(name, path, pictures)
    if given.folds is None:
        print("the second look has learned from these pictures: the rows below flatter it")
        detector_rows("detector", default, pictures, [FaceDetector(loose(default))])
        return
    paths = takewhile(Path.exists, (fold_path(given.folds, fold) for fold in count()))
    detectors = [FaceDetector(replace(loose(default), second_look_weights=p)) for p in paths]
    print(f"the detector is cross-validated over {len(detectors)} folds of pictures")
    detector_rows("detector", default, pictures, detectors)


def portraits(path: Path, default: DetectorOptions) -> None:
    """Print in how many portraits a face is found, of every twelfth."""
    if not path.exists():
        print(f"{path} is not there: the portraits are left out")
        return
    data = open_dataset(path)
    detector = FaceDetector(default)
    chosen = range(0, len(data), 12)
    found = sum(bool(detector.detect(data.picture(i))) for i in tqdm(chosen, leave=False))
    print(f"\n## portraits: a face is found in {found} of {len(chosen)}")


def composed_scenes(number: int) -> list[Picture]:
    """Return composed scenes with their truth."""
    composer = SceneComposer()
    scenes = (composer.compose(FIRST_SCENE + i) for i in tqdm(range(number), desc="composing"))
    nothing = boxes_to_array([])
    return [Picture(s.picture, boxes_to_array([f.box for f in s.faces]), nothing) for s in scenes]


def title(text: str) -> None:
    """Print a heading with the columns' names."""
    print(f"\n## {text}\n\n{'':44}{'recall':>8}{'precision':>11}{'recall at precision 0.93':>26}")


def row(name: str, figures: tuple[float, float], whole: Curve) -> None:
    """Print recall and precision, and the recall where precision is 0.93."""
    at_precision = whole.recall_at_precision(0.93)
    print(f"{name:44}{figures[0]:8.3f}{figures[1]:11.3f}{at_precision:26.3f}", flush=True)


def cascade_rows(name: str, path: Path | None, pictures: list[Picture]) -> None:
    """Print what a cascade finds alone, at its usual settings and at fine ones."""
    for scale_factor, neighbours in ((1.1, 5), (1.05, 3)):
        options = DetectorOptions(
            cascade=path,
            scale_factor=scale_factor,
            neighbours=neighbours,
            second_look="off",
        )
        whole = measure([FaceDetector(options)], pictures)
        row(f"{name}, scale {scale_factor}, {neighbours} neighbours", whole.at(0), whole)


def detector_rows(
    name: str, default: DetectorOptions, pictures: list[Picture], detectors: list[FaceDetector]
) -> None:
    """Print what the detector finds, at its default threshold and at others."""
    whole = measure(detectors, pictures)
    row(f"{name}, threshold {default.threshold} (default)", whole.at(default.threshold), whole)
    for threshold in np.arange(0.1, 0.95, 0.1):
        row(f"  threshold {threshold:.1f}", whole.at(threshold), whole)


def loose(options: DetectorOptions) -> DetectorOptions:
    """Return the options with a threshold that lets nearly everything pass."""
    return replace(options, threshold=LOOSE)


def measure(detectors: list[FaceDetector], pictures: Iterable[Picture]) -> Curve:
    """Return the curve over pictures, which the detectors take turns in looking at."""
    judged = []
    for index, picture in enumerate(tqdm(pictures, desc="looking", leave=False)):
        faces = detectors[index % len(detectors)].detect(picture.pixels)
        judged.append(picture.judged(faces))
    return curve(judged)


def speed(
    default: DetectorOptions, cascades: dict[str, Path | None], pictures: list[Picture]
) -> None:
    """Print how many pictures of 1000 px two processes of one thread find faces in, per second."""
    print(f"\n## speed: {len(pictures)} JPEG files of 1000 px, decoding included, two processes\n")
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for index, picture in enumerate(pictures):
            files.append(Path(folder, f"{index}.jpg"))
            Image.fromarray(picture.pixels).save(files[-1], quality=90)
        rates = {"detector": rate(default, files)}
        for name, path in cascades.items():
            rates[f"{name} alone"] = rate(replace(default, cascade=path, second_look="off"), files)
    for name, (measured, busy) in rates.items():
        print(
            f"{name:32}{measured:6.1f} pictures a second; {1000 * busy:4.0f} ms of one core each: "
            f"{2 / busy:.1f} a second on two cores without other work"
        )


def rate(options: DetectorOptions, files: list[Path]) -> tuple[float, float]:
    """Return pictures per second, the start of the processes left out, and CPU time for one."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, spawn, _start, (options,)) as pool:
        list(pool.map(_time, files[:8]))
        start = time.perf_counter()
        busy = sum(pool.map(_time, files, chunksize=4))
        return len(files) / (time.perf_counter() - start), busy / len(files)


def _start(options: DetectorOptions) -> None:
    global _detector
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _detector = FaceDetector(options)


def _time(path: Path) -> float:
    start = time.process_time()
    _detector.detect(rgb_pixels(open_picture(path)))
    return time.process_time() - start


if __name__ == "__main__":
    main()
