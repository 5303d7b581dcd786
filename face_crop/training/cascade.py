"""Training a cascade: stage after stage, each on what the stages before it take for a face."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from avatargan.errors import CascadeError, OptionError
from avatargan.files import write_atomically
from face_crop.boxes import Box
from face_crop.cascade import classifier_of, find_windows, load_cascade
from face_crop.training import painting
from face_crop.training.boosting import boost_stage
from face_crop.training.lbp import WINDOW, Windows, all_features, codes, to_window
from face_crop.training.lbp_cascade import LbpCascade, Stage
from face_crop.training.painting import Picture
from face_crop.training.spread import evenly_spread

Grey = NDArray[np.uint8]
#: Called with a sentence after each piece of work.
Report = Callable[[str], None]

#: Windows taken of one picture in one round of mining: more would be much alike.
_MOST_PER_PICTURE = 40
_LONGEST_NEGATIVE = 400
#: With fewer false alarms than this there is nothing left to learn from.
_FEWEST_FALSE_ALARMS = 50


@dataclass(frozen=True)
class CascadeOptions:
    """How a cascade is trained.

    Attributes:
        stages: at most so many.
        face_count: windows of faces, made of the pictures with jitter.
        negative_count: windows that are no faces, found anew for each stage.
        hit_rate: share of the faces that each stage keeps.
        false_alarms: share of the windows found for it that each stage may keep.
        most_stumps: at most so many weak classifiers in a stage.
        features_per_round: features that compete for each weak classifier.
        window_share: part of a face picture's side that the window shows.
        drawn_negatives: negative pictures drawn in addition.
        mining_passes: how often the negative pictures are gone through for one stage at most.
        seed: decides everything.
    """

    stages: int = 15
    face_count: int = 12_000
    negative_count: int = 8_000
    hit_rate: float = 0.99
    false_alarms: float = 0.42
    most_stumps: int = 220
    features_per_round: int = 500
    window_share: float = 0.76
    drawn_negatives: int = 1_500
    mining_passes: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("hit_rate", "false_alarms", "window_share"):
            if not 0 < getattr(self, name) <= 1:
                raise OptionError(
                    f"{name} must be above 0 and at most 1, got {getattr(self, name)}"
                )
        for name in ("stages", "face_count", "negative_count", "most_stumps", "features_per_round"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("drawn_negatives", "mining_passes", "seed"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name} must not be negative, got {getattr(self, name)}")

    def chosen(self, count: int) -> list[int]:
        """Return which of so many pictures of faces are used, spread over all of them."""
        return evenly_spread(count, self.face_count)


def train_cascade(
    faces: Sequence[Picture],
    negatives: Sequence[Grey],
    options: CascadeOptions,
    stage_folder: Path,
    report: Report,
    advanced: Callable[[int], object],
) -> LbpCascade:
    """Train a cascade, or carry on where an interrupted training stopped.

    Args:
        faces: square RGB crops of faces.
        negatives: equalised grey pictures without faces, see :func:`prepare_negatives`.
        options: the same for all of one training.
        stage_folder: where each stage is kept as soon as it is trained.
        report: hears of the progress.
        advanced: called with the number of stages that are there, after each.

    Raises:
        CascadeError: stages of another training are in the folder.
    """
    stages = _read_stages(stage_folder, options)
    if stages:
        report(f"carrying on after {len(stages)} stages")
        advanced(len(stages))
    features = all_features()
    positives = face_windows(faces, options)
    while len(stages) < options.stages:
        number = len(stages)
        random = np.random.default_rng([options.seed, 1 + number])
        cascade = LbpCascade(tuple(stages))
        kept = positives[cascade.passes(positives)]
        found, rarity = mine(cascade, negatives, options, random)
        report(
            f"stage {number + 1}: {len(kept)} faces, "
            f"{len(found)} others (1 window in {rarity:,.0f})"
        )
        if len(found) < _FEWEST_FALSE_ALARMS:
            report("too few false alarms are left to learn from: this is the last stage")
            break
        stage = boost_stage(
            features,
            codes(kept, features),
            codes(found, features),
            options.hit_rate,
            options.false_alarms,
            options.most_stumps,
            options.features_per_round,
            random,
        )
        stages.append(stage)
        write_atomically(stage_folder / f"stage-{number:02d}.xml", LbpCascade((stage,)).to_xml())
        passing = (stage.sums(found) >= stage.threshold).mean()
        report(f"stage {number + 1}: {len(stage.stumps)} stumps let {passing:.1%} of those pass")
        advanced(len(stages))
    return LbpCascade(tuple(stages))


def face_windows(faces: Sequence[Picture], options: CascadeOptions) -> Windows:
    """Return windows of faces ``[N, 24, 24]``, shifted, scaled, turned and mirrored a little."""
    random = np.random.default_rng([options.seed, 0])
    windows = np.zeros((options.face_count, WINDOW, WINDOW), np.uint8)
    for index in range(options.face_count):
        picture = faces[index % len(faces)]
        grey = cv2.equalizeHist(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
        if random.random() < 0.5:
            grey = np.ascontiguousarray(grey[:, ::-1])
        side = grey.shape[0] * options.window_share * np.exp(random.normal(0, 0.05))
        middle = grey.shape[0] / 2 + random.normal(0, 0.02, 2) * side
        scale = 2 * WINDOW / side
        matrix = cv2.getRotationMatrix2D(
            (float(middle[0]), float(middle[1])), random.normal(0, 6), scale
        )
        matrix[:, 2] += WINDOW - middle
        large = cv2.warpAffine(
            grey, matrix, (2 * WINDOW, 2 * WINDOW), borderMode=cv2.BORDER_REPLICATE
        )
        windows[index] = to_window(np.asarray(large, np.uint8))
    return windows


def prepare_negatives(
    pictures: Iterable[Picture], mask: Path | None, options: CascadeOptions
) -> list[Grey]:
    """Return negative pictures as they are searched: small, grey, equalised, without faces.

    Args:
        pictures: RGB.
        mask: a cascade; what it finds is painted over. None where the pictures hold no faces.
        options: how many are drawn in addition.
    """
    random = np.random.default_rng([options.seed, 2**20])
    classifier = load_cascade(mask) if mask is not None else None
    prepared = []
    for picture in pictures:
        scale = min(1.0, _LONGEST_NEGATIVE / max(picture.shape[:2]))
        size = tuple(max(round(side * scale), 1) for side in (picture.shape[1], picture.shape[0]))
        small = np.array(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        if classifier is not None:
            grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
            for x, y, side, _ in find_windows(classifier, grey, 1.1, 1, WINDOW)[0].tolist():
                _paint_over(small, Box(x, y, side, side).enlarged(1.15), random)
        prepared.append(_equalised(small))
    for _ in range(options.drawn_negatives):
        canvas = painting.background((256, 256), random)
        for _ in range(int(random.integers(0, 25))):
            painting.scribble(canvas, random)
        prepared.append(_equalised(canvas))
    return [picture for picture in prepared if min(picture.shape) >= WINDOW]


def mine(
    cascade: LbpCascade,
    negatives: Sequence[Grey],
    options: CascadeOptions,
    random: np.random.Generator,
) -> tuple[Windows, float]:
    """Return windows ``[N, 24, 24]`` that pass a cascade, and in how many there is one such."""
    classifier = (
        classifier_of(cascade.to_xml(), "the cascade in training") if cascade.stages else None
    )
    found: list[Grey] = []
    seen = passed = 0
    for index in _in_passes(len(negatives), options.mining_passes, random):
        picture = negatives[index]
        if random.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
        boxes, looked_at = _windows_in(picture, classifier, random)
        seen, passed = seen + looked_at, passed + len(boxes)
        if len(boxes) > _MOST_PER_PICTURE:
            boxes = boxes[random.choice(len(boxes), _MOST_PER_PICTURE, replace=False)]
        if len(boxes):
            cut = np.stack([to_window(picture[y : y + s, x : x + s]) for x, y, s in boxes.tolist()])
            # They are averaged down in another way than OpenCV's: some no longer pass.
            found.extend(cut[cascade.passes(cut)])
        if len(found) >= options.negative_count:
            break
    windows = np.array(found[: options.negative_count], np.uint8).reshape(-1, WINDOW, WINDOW)
    return windows, seen / max(passed, 1)


def _in_passes(count: int, passes: int, random: np.random.Generator) -> Iterator[int]:
    for _ in range(passes):
        yield from random.permutation(count).tolist()


def _windows_in(
    picture: Grey, classifier: cv2.CascadeClassifier | None, random: np.random.Generator
) -> tuple[NDArray[np.int64], int]:
    """Return x, y and side of windows that pass, and of how many about."""
    height, width = picture.shape
    if classifier is None:
        side = np.exp(random.uniform(np.log(WINDOW), np.log(min(height, width)), 6)).astype(int)
        x, y = (random.integers(0, length - side + 1) for length in (width, height))
        return np.stack([x, y, side], 1), len(side)
    step = random.uniform(1.1, 1.3)
    sides = WINDOW * step ** np.arange(int(np.log(min(height, width) / WINDOW) / np.log(step)) + 1)
    # OpenCV looks at every second row and column.
    seen = int(sum((width * WINDOW / s - 23) * (height * WINDOW / s - 23) / 4 for s in sides))
    boxes, _ = classifier.detectMultiScale2(
        picture, scaleFactor=step, minNeighbors=0, minSize=(WINDOW, WINDOW)
    )
    return np.asarray(boxes, np.int64).reshape(-1, 4)[:, :3], max(seen, 1)


def _paint_over(picture: Picture, box: Box, random: np.random.Generator) -> None:
    left, top = max(int(box.x), 0), max(int(box.y), 0)
    hidden = picture[top : int(box.bottom), left : int(box.right)]
    hidden[:] = painting.background(hidden.shape[:2], random)


def _equalised(picture: Picture) -> Grey:
    return np.asarray(cv2.equalizeHist(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)), np.uint8)


def _read_stages(folder: Path, options: CascadeOptions) -> list[Stage]:
    """Return the stages that are in the folder, or note there whose they will be."""
    description = json.dumps({**asdict(options), "stages": None}, indent=1)
    note = folder / "options.json"
    if not note.exists():
        write_atomically(note, description)
    elif note.read_text("utf-8") != description:
        raise CascadeError(
            f"{folder}: holds stages that were trained with other options; remove the folder, or "
            "give the options that are in its options.json"
        )
    stages: list[Stage] = []
    while (path := folder / f"stage-{len(stages):02d}.xml").exists():
        stages.extend(LbpCascade.from_xml(path.read_text("utf-8")).stages)
    return stages
