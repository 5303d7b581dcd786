"""Reading the pictures that the detector learns from."""

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from avatargan.errors import DatasetError, PictureError
from avatargan.matting import Matter
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import open_picture
from face_crop.boxes import Box
from face_crop.cascade import find_windows, load_cascade
from face_crop.training.painting import Picture
from face_crop.training.portraits import Portrait
from face_crop.training.scenes import BoxedPicture

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}

#: Crops of faces are 1.5 times the face: it is the central two thirds.
FACE_SHARE = 2 / 3
#: The shipped cascade's boxes are larger than that, by as much (median over such crops).
CASCADE_ENLARGES = 1.18


def picture_names(source: Path) -> list[str]:
    """Return the names of the pictures in a folder (at any depth) or a tar file, sorted.

    Raises:
        DatasetError: it is neither, cannot be read, or holds no picture.
    """
    try:
        if source.is_dir():
            names = [p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file()]
        else:
            with tarfile.open(source) as archive:
                names = [member.name for member in archive if member.isfile()]
    except (OSError, tarfile.TarError) as error:
        raise DatasetError(f"{source}: neither a folder nor a tar file ({error})") from error
    names = sorted(name for name in names if Path(name).suffix.lower() in _SUFFIXES)
    if not names:
        raise DatasetError(f"{source}: holds no picture ({', '.join(sorted(_SUFFIXES))})")
    return names


def read_pictures(source: Path, names: Iterable[str]) -> Iterator[Picture]:
    """Yield pictures of a folder or a tar file, uint8 RGB; transparent ones are on white.

    Raises:
        PictureError: a picture cannot be read.
    """
    if source.is_dir():
        for name in names:
            yield to_rgb(open_picture(source / name))
        return
    with tarfile.open(source) as archive:
        for name in names:
            member = archive.extractfile(name)
            assert member is not None
            try:
                image = open_picture(io.BytesIO(member.read()))
            except PictureError as error:
                raise PictureError(f"{source}: {name}: {error}") from error
            yield to_rgb(image)


def to_rgb(image: Image.Image) -> Picture:
    """Return a picture as uint8 RGB ``[H, W, 3]``, laid on white where it is transparent."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.asarray(image.convert("RGB"))


def evenly(names: list[str], most: int) -> list[str]:
    """Return at most so many of the names, spread over all of them."""
    return [names[i * len(names) // most] for i in range(most)] if len(names) > most else names


def cut_out_faces(source: Path, names: list[str], matter: Matter) -> Iterator[Portrait]:
    """Yield square crops of faces, cut out; the face is the central two thirds."""
    for picture in read_pictures(source, names):
        image = Image.fromarray(picture).resize((128, 128), Image.Resampling.BICUBIC)
        yield cut_out(image, matter, central_box(128))


def cut_out(image: Image.Image, matter: Matter, box: Box) -> Portrait:
    """Return the character of a picture without its background."""
    rgba = np.asarray(matter.cut_out(image))
    return Portrait(np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3]), box)


def central_box(size: int, share: float = FACE_SHARE) -> Box:
    """Return the box in the middle of a square picture."""
    margin = size * (1 - share) / 2
    return Box(margin, margin, size * share, size * share)


def found_portraits(source: Path, names: list[str]) -> Iterator[Portrait]:
    """Yield portraits in which the shipped cascade finds exactly one face, box and all."""
    cascade = load_cascade()
    for picture in read_pictures(source, names):
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        boxes, counts = find_windows(cascade, grey, 1.05, 10, min(grey.shape) // 5)
        if len(boxes) == 1 and counts[0] >= 20:
            box = Box(*map(float, boxes[0])).enlarged(1 / CASCADE_ENLARGES)
            yield Portrait(picture, None, box)


def drawn_portraits(pipeline: AvatarPipeline, matter: Matter, seeds: range) -> Iterator[Portrait]:
    """Yield what the generator draws, cut out, one style after the other."""
    identity = pipeline.attributes.identity
    styles = pipeline.attributes.offered(identity) if identity else ("",)
    for start in range(seeds.start, seeds.stop, 16):
        part = list(range(start, min(start + 16, seeds.stop)))
        style = {identity: styles[(start // 16) % len(styles)]} if identity else {}
        for avatar in pipeline.generate(part, size=128, **style):
            share = FACE_SHARES.get(style.get("style", ""), FACE_SHARE)
            yield cut_out(avatar.image, matter, central_box(128, share))


#: What of the generator's pictures is the face, for each style that differs.
FACE_SHARES = {"tv": 0.58}


def boxed_pictures(folder: Path, boxes: Path) -> list[BoxedPicture]:
    """Return the pictures of a folder that a JSON file of boxes names.

    Raises:
        DatasetError: the file of boxes is missing or malformed.
        PictureError: a picture is missing or cannot be read.
    """
    try:
        table = json.loads(boxes.read_text("utf-8"))
        rows = {name: [Box(*map(float, box)) for box in table[name]] for name in sorted(table)}
    except (OSError, ValueError, TypeError) as error:
        raise DatasetError(f"{boxes}: not a table of boxes ({error})") from error
    return [
        BoxedPicture(name, to_rgb(open_picture(folder / name)), tuple(faces))
        for name, faces in rows.items()
    ]
