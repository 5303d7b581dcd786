"""``pipe.edit``: a picture in, a character of this generator out, and how alike they are."""

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from avatargan.editing.fitting import STEPS, PictureFitter, picture_tensor
from avatargan.editing.likeness import distances
from avatargan.errors import OptionError, PictureError, RecipeError
from avatargan.pictures import rgb_pixels
from avatargan.pipeline import Avatar, AvatarPipeline
from avatargan.recipe import Recipe, encode_w, recipe_of
from avatargan.version import __version__

MOST_STEPS = 500
#: Below these shares of a random avatar's distance a result is close, or a relative.
CLOSE, RELATIVE = 0.4, 0.75
#: Random avatars that a result is compared with.
RANDOM_AVATARS = 8
SMALLEST_PICTURE = 32
NOT_OUR_KIND = (
    "avatargan draws anime characters: of a photograph, or of another style, only a rough idea "
    "remains, and no likeness of a real person is promised"
)

#: Gets how many steps are done, how many there are, and now and then the picture so far.
Progress = Callable[[int, int, Image.Image | None], None]


@dataclass(frozen=True)
class Edit:
    """A character that was found for a picture.

    Attributes:
        avatar: the character, ready to be drawn again, recoloured, moved along sliders.
        original: what of the picture was looked at, a square.
        share: how far the two are apart in the critic's features, divided by how far random avatars
            are from the picture: 0 the same, 1 no nearer than any other.
        pixels: the same in pixels.
        lines: the same in lines.
        verdict: "exact", "close", "a relative", or "not this generator's kind of face".
        remarks: what the user should know: several faces, none, another kind of picture.
    """

    avatar: Avatar
    original: Image.Image
    share: float
    pixels: float
    lines: float
    verdict: str
    remarks: tuple[str, ...]

    def side_by_side(self) -> Image.Image:
        """Return the picture on the left and the character on the right."""
        side = self.avatar.image.width
        sheet = Image.new("RGB", (2 * side, side))
        sheet.paste(self.original.resize((side, side), Image.Resampling.LANCZOS), (0, 0))
        sheet.paste(self.avatar.image.convert("RGB"), (side, 0))
        return sheet

    def as_json(self) -> dict[str, Any]:
        """Return the score and the remarks."""
        return {
            "share": round(self.share, 4),
            "pixels": round(self.pixels, 4),
            "lines": round(self.lines, 4),
            "verdict": self.verdict,
            "remarks": list(self.remarks),
        }


def edit_picture(
    pipeline: AvatarPipeline,
    image: Image.Image,
    *,
    steps: int = STEPS,
    size: int | None = None,
    face: int = 1,
    whole: bool = False,
    progress: Progress | None = None,
) -> Edit:
    """Find the character that comes nearest to a picture.

    A picture that carries a recipe that can be drawn is that character, exactly.

    Args:
        pipeline: what draws.
        image: any decoded picture.
        steps: how often the character is refined; 0 is what the encoder says at once.
        size: side of the avatar in pixels; the largest by default.
        face: which of several faces, 1 for the surest.
        whole: take the square in the middle of the picture and look for no face.
        progress: see :data:`Progress`.

    Raises:
        OptionError: a number is out of range, or these weights have no encoder.
        PictureError: the picture is too small, or has not as many faces.
    """
    if not 0 <= steps <= MOST_STEPS:
        raise OptionError(f"steps go from 0 to {MOST_STEPS}, got {steps}")
    size = pipeline.default_size if size is None else size
    pipeline.recipes([], size=size)  # refuses a size that there is not
    known = _own_recipe(pipeline, image, size)
    if known is not None:
        (avatar,) = pipeline.draw([known])
        remark = "this picture is one of avatargan's own: its recipe was inside"
        return Edit(avatar, image.convert("RGB"), 0.0, 0.0, 0.0, "exact", (remark,))
    fitter = fitter_of(pipeline)
    original, remarks = find_square(image, face=face, whole=whole)
    side = pipeline.generator.resolution
    picture = picture_tensor(original, side)

    def report(done: int, total: int, drawn: torch.Tensor | None) -> None:
        if progress is not None:
            progress(done, total, None if drawn is None else _as_image(drawn))

    rows, attributes = fitter.fit(picture, steps, report)
    recipe = Recipe(
        w=encode_w(rows.numpy()),
        attributes=attributes,
        psi=1.0,
        size=size,
        weights_sha256=pipeline.weights_sha256,
        version=__version__,
    )
    (avatar,) = pipeline.draw([recipe])
    small = avatar.image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
    apart = distances(fitter.critic, picture_tensor(small, side), picture)
    usual = distances(fitter.critic, random_avatars(pipeline), picture)
    shares = {
        name: float(getattr(apart, name) / getattr(usual, name).mean())
        for name in ("features", "pixels", "lines")
    }
    verdict = verdict_of(shares["features"])
    if verdict not in ("close", "a relative"):
        remarks = (*remarks, NOT_OUR_KIND)
    return Edit(
        avatar, original, shares["features"], shares["pixels"], shares["lines"], verdict, remarks
    )


def verdict_of(share: float) -> str:
    """Return how alike a character is to its picture, in words."""
    if share <= CLOSE:
        return "close"
    return "a relative" if share <= RELATIVE else "not this generator's kind of face"


def find_square(
    image: Image.Image, *, face: int = 1, whole: bool = False
) -> tuple[Image.Image, tuple[str, ...]]:
    """Return the square around a face, as training crops have it, and remarks.

    Where there is no face the square in the middle of the picture is taken.

    Raises:
        OptionError: face is below 1.
        PictureError: the picture is too small, or has faces, but not as many.
    """
    if face < 1:
        raise OptionError(f"faces are counted from 1, got {face}")
    pixels = rgb_pixels(image)
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST_PICTURE:
        raise PictureError(f"the picture is smaller than {SMALLEST_PICTURE} px; take a larger one")
    remarks = []
    faces = [] if whole else _faces(pixels)
    if faces and face > len(faces):
        raise PictureError(f"there are {len(faces)} faces in this picture, not {face}")
    if not faces:
        if not whole:
            remarks.append(
                "no face was found, so the middle of the picture was taken; cut the picture to the "
                "face and hair for a better one"
            )
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        return Image.fromarray(pixels[top : top + side, left : left + side]), tuple(remarks)
    if len(faces) > 1:
        remarks.append(f"{len(faces)} faces were found; this is number {face}, the surest is 1")
    return _cut(pixels, faces[face - 1]), tuple(remarks)


def random_avatars(pipeline: AvatarPipeline) -> torch.Tensor:
    """Return a few avatars that have nothing to do with anything, ``[N, 3, R, R]``."""
    side = pipeline.generator.resolution
    avatars = pipeline.generate(range(RANDOM_AVATARS), size=side)
    return torch.cat([picture_tensor(avatar.image, side) for avatar in avatars])


_fitters: dict[str, PictureFitter] = {}
_fitters_lock = threading.Lock()


def fitter_of(pipeline: AvatarPipeline) -> PictureFitter:
    """Return the fitter of a pipeline's weights, loaded once; errors as for its constructor."""
    with _fitters_lock:
        if pipeline.weights_sha256 not in _fitters:
            _fitters.clear()  # weights of one kind at a time are enough
            _fitters[pipeline.weights_sha256] = PictureFitter(pipeline)
        return _fitters[pipeline.weights_sha256]


def _own_recipe(pipeline: AvatarPipeline, image: Image.Image, size: int) -> Recipe | None:
    try:
        recipe = recipe_of(image)
        pipeline.check_recipe(recipe)
    except RecipeError:
        return None
    return recipe.model_copy(update={"size": size})


_detector_lock = threading.Lock()


@functools.cache
def _detector() -> Any:
    from face_crop.detector import FaceDetector

    return FaceDetector()


def _faces(pixels: NDArray[np.uint8]) -> list[Any]:
    with _detector_lock:  # detectors are not to be shared between threads
        found: list[Any] = _detector().detect(pixels)
    return found


def _cut(pixels: NDArray[np.uint8], face: Any) -> Image.Image:
    """Return the square around a face; what lies outside the picture repeats its border."""
    from face_crop.cropping import crop_square

    square = crop_square(face.box)
    side = max(1, round(square.width))
    left, top = round(square.x), round(square.y)
    rows = np.clip(np.arange(top, top + side), 0, pixels.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, pixels.shape[1] - 1)
    return Image.fromarray(pixels[rows[:, None], columns])


def _as_image(drawn: torch.Tensor) -> Image.Image:
    pixels = ((drawn[0].clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0)
    return Image.fromarray(pixels.numpy())
