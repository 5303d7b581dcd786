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
from face_crop.training.portraits import Portrait
from face_crop.training.scenes import BoxedPicture

#: Crops of faces are 1.5 times the face: it is the central two thirds.
FACE_SHARE = 2 / 3
#: What of the generator's pictures is the face, in the style that is framed more widely.
TV_FACE_SHARE = 0.58
#: The shipped cascade's boxes are larger than the faces of such crops, by as much in the mean.
CASCADE_ENLARGES = 1.18
#: Side at which characters are cut out.
CUT_OUT_SIZE = 128


def evenly_spread(count: int, most: int) -> list[int]:
    """Return at most so many of the numbers below ``count``, spread over all of them."""
    if count <= most:
        return list(range(count))
    return [index * count // most for index in range(most)]


def cut_out_faces(pictures: Iterable[Picture], matter: Matter) -> Iterator[Portrait]:
    """Yield square crops of faces, cut out; the face is the central two thirds."""
    for picture in pictures:
        size = (CUT_OUT_SIZE, CUT_OUT_SIZE)
        image = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
        yield _cut_out(image, matter, FACE_SHARE)


def found_portraits(pictures: Iterable[Picture]) -> Iterator[Portrait]:
    """Yield the pictures in which the shipped cascade is sure of one face, and finds no other."""
    cascade = load_cascade()
    for picture in pictures:
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        boxes, counts = find_windows(cascade, grey, 1.05, 10, min(grey.shape) // 5)
        if len(boxes) == 1 and counts[0] >= 20:
            box = Box(*map(float, boxes[0])).enlarged(1 / CASCADE_ENLARGES)
            yield Portrait(picture, None, box)


def drawn_portraits(pipeline: AvatarPipeline, matter: Matter, seeds: range) -> Iterator[Portrait]:
    """Yield what the generator draws, cut out, its styles taking turns."""
    identity = pipeline.attributes.identity
    styles = pipeline.attributes.offered(identity) if identity else ()
    for seed in seeds:
        wanted = {identity: styles[seed % len(styles)]} if identity else {}
        avatar = pipeline.generate(seed, size=CUT_OUT_SIZE, **wanted)[0]
        share = TV_FACE_SHARE if "tv" in wanted.values() else FACE_SHARE
        yield _cut_out(avatar.image, matter, share)


def boxed_pictures(folder: Path, boxes: Path) -> list[BoxedPicture]:
    """Return the pictures of a folder that a JSON file of boxes names.

    Raises:
        DatasetError: the file of boxes is missing or malformed.
        PictureError: a picture is missing or cannot be read.
    """
    try:
        table = json.loads(boxes.read_text("utf-8"))
        rows = {name: [Box(*map(float, box)) for box in table[name]] for name in sorted(table)}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DatasetError(f"{boxes}: not a table of boxes ({error})") from error
    return [
        BoxedPicture(name, rgb_pixels(open_picture(folder / name)), tuple(faces))
        for name, faces in rows.items()
    ]


def _cut_out(image: Image.Image, matter: Matter, face_share: float) -> Portrait:
    rgba = np.asarray(matter.cut_out(image))
    margin, side = image.width * (1 - face_share) / 2, image.width * face_share
    box = Box(margin, margin, side, side)
    return Portrait(np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3]), box)
