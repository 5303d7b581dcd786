"""Reading the pictures that the detector learns from."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from avatargan.errors import DatasetError
from avatargan.matting import Matter
from avatargan.pictures import open_picture, rgb_pixels
from avatargan.pipeline import AvatarPipeline
from face_crop.boxes import Box
from face_crop.cascade import find_windows, load_cascade
from face_crop.training.painting import Picture
from face_crop.training.portraits import FACE_SHARE, Portrait, cut_out, face_share
from face_crop.training.scenes import BoxedPicture

#: The shipped cascade's boxes are larger than the faces of such crops, by as much in the mean.
CASCADE_ENLARGES = 1.12
#: Side at which characters are cut out, and of portraits: more would only take time.
CUT_OUT_SIZE = 128
PORTRAIT_SIZE = 160


def cut_out_faces(pictures: Iterable[Picture], matter: Matter) -> Iterator[Portrait]:
    """Yield square crops of faces, cut out; the face is in the middle."""
    for picture in pictures:
        size = (CUT_OUT_SIZE, CUT_OUT_SIZE)
        image = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
        yield cut_out(image, matter, FACE_SHARE)


def found_portraits(pictures: Iterable[Picture]) -> Iterator[Portrait]:
    """Yield the pictures in which the shipped cascade is sure of one face, and finds no other."""
    cascade = load_cascade()
    for picture in pictures:
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        boxes, counts = find_windows(cascade, grey, 1.05, 10, min(grey.shape) // 5)
        if len(boxes) == 1 and counts[0] >= 20:
            box = Box(*map(float, boxes[0])).enlarged(1 / CASCADE_ENLARGES)
            yield Portrait(picture, None, box).resized(PORTRAIT_SIZE)


def drawn_portraits(
    pipeline: AvatarPipeline, matter: Matter, seeds: Iterable[int]
) -> Iterator[Portrait]:
    """Yield what the generator draws, cut out, its styles taking turns."""
    identity = pipeline.attributes.identity
    styles = pipeline.attributes.offered(identity) if identity else ()
    for seed in seeds:
        wanted = {identity: styles[seed % len(styles)]} if identity else {}
        avatar = pipeline.generate(seed, size=CUT_OUT_SIZE, **wanted)[0]  # type: ignore[arg-type]
        yield cut_out(avatar.image, matter, face_share(wanted.get(identity or "")))


def boxed_pictures(folder: Path, boxes: Path) -> list[BoxedPicture]:
    """Return the pictures of a folder that a JSON file of boxes names, by name.

    The file holds ``{"pictures": {name: [{"x", "y", "width", "height", "tilt", "ignore"}, ...]}}``.

    Raises:
        DatasetError: the file of boxes is missing or malformed.
        PictureError: a picture is missing or cannot be read.
    """
    try:
        table = json.loads(boxes.read_text("utf-8"))["pictures"]
        rows = {
            name: [(bool(row["ignore"]), _box(row), float(row["tilt"])) for row in table[name]]
            for name in table
        }
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise DatasetError(f"{boxes}: not a table of boxes ({error!r})") from error
    return [
        BoxedPicture(
            name,
            rgb_pixels(open_picture(folder / name)),
            tuple(box for ignore, box, _ in rows[name] if not ignore),
            tuple(tilt for ignore, _, tilt in rows[name] if not ignore),
            tuple(box for ignore, box, _ in rows[name] if ignore),
        )
        for name in sorted(rows)
    ]


def _box(row: dict[str, float]) -> Box:
    return Box(*(float(row[side]) for side in ("x", "y", "width", "height")))
