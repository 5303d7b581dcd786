"""Measures of a crop, and the limits below which it is not worth training on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avatargan.errors import OptionError

#: Crops are measured at this size, so that limits mean the same for every ``--size``. Of crops
#: that are smaller in the picture the sharpness is measured as they are.
MEASURED_SIZE = 128

#: Why a crop is rejected.
TOO_SMALL = "too small"
STICKS_OUT = "sticks out"
BLURRED = "blurred"
GREYSCALE = "greyscale"


@dataclass(frozen=True)
class QualityLimits:
    """What a crop has to reach.

    The defaults come from crops of 60 illustrations and from 2,860 TV portraits: all that is
    sharp and coloured to the eye passes, a Gaussian blur of 2 pixels or more does not.

    Attributes:
        smallest_crop: side of the square before it is resized, in pixels.
        sharpness: see :func:`sharpness`.
        colourfulness: see :func:`colourfulness`.
        most_outside: how much of the square may lie outside the picture, 0 to 1.

    Raises:
        OptionError: a limit is out of range.
    """

    smallest_crop: int = 64
    sharpness: float = 0.2
    colourfulness: float = 6.0
    most_outside: float = 0.25

    def __post_init__(self) -> None:
        for name, value, most in (
            ("smallest_crop", self.smallest_crop, 10_000),
            ("sharpness", self.sharpness, 10),
            ("colourfulness", self.colourfulness, 1000),
            ("most_outside", self.most_outside, 1),
        ):
            if not 0 <= value <= most:
                raise OptionError(f"{name} must be from 0 to {most}, got {value}")


def sharpness(crop: Image.Image) -> float:
    """Return how strong the finest edges are, compared with the contrast of the crop.

    The 99th percentile of the Laplacian's magnitude over the range from the 1st to the 99th
    percentile of the brightness. 0.5 to 1.5 for clean drawings of 64 to 128 pixels, 0.3 for soft
    ones, 0.04 to 0.1 after a Gaussian blur of 2 pixels in 128.
    """
    grey = np.asarray(crop.convert("L")).astype(np.float32)
    inner = grey[1:-1, 1:-1]
    laplacian = 4 * inner - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    low, high = np.percentile(grey, [1, 99])
    return float(np.percentile(np.abs(laplacian), 99) / max(high - low, 1.0))


def colourfulness(crop: Image.Image) -> float:
    """Return the colourfulness of Hasler and Süsstrunk (2003): 0 for greys, 30 to 60 for drawings.

    "Measuring colourfulness in natural images", Human Vision and Electronic Imaging VIII.
    """
    pixels: NDArray[np.float32] = np.asarray(crop).astype(np.float32)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))
