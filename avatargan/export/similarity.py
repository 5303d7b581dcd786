"""Near-duplicates: fingerprints of pictures, and which of them look the same.

The fingerprint is a difference hash (dHash) of each of red, green and blue: the picture is
averaged down to 9 x 8, and each of the 64 bits of a channel says whether it gets brighter from one
column to the next. Unlike the usual hash of the brightness alone it tells a recoloured character
from the one it was made of.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Fingerprint = NDArray[np.uint64]

#: Pictures that differ in at most this many of the 192 bits count as the same. Characters that
#: differ by a variation of strength 0.02, which nobody can tell apart, differ in 5 (median);
#: the nearest two of 600 unrelated ones in 12.
NEAR_DUPLICATE_BITS = 5

_ROWS, _COLUMNS = 8, 9
#: What transparency is seen against: the matte has to count, whatever lies under it.
_GROUND = (128, 128, 128)


def fingerprint(image: Image.Image) -> Fingerprint:
    """Return the dHash of red, green and blue, ``[3]`` of uint64."""
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, (*_GROUND, 255))
        image = Image.alpha_composite(ground, image)
    small = image.convert("RGB").resize((_COLUMNS, _ROWS), Image.Resampling.BOX)
    pixels = np.asarray(small).astype(np.int16)  # [8, 9, 3]
    brighter = pixels[:, 1:] > pixels[:, :-1]  # [8, 8, 3]
    bits = np.packbits(brighter.transpose(2, 0, 1).reshape(3, -1), axis=1)  # [3, 8] bytes
    return np.frombuffer(bits.tobytes(), dtype=">u8").astype(np.uint64)


class SeenPictures:
    """The fingerprints of the pictures that were accepted so far.

    Args:
        capacity: how many there will be at most.
    """

    def __init__(self, capacity: int) -> None:
        self._fingerprints = np.zeros((capacity, 3), dtype=np.uint64)
        self._count = 0

    def has_near(self, candidate: Fingerprint) -> bool:
        """Tell whether one of the pictures looks like the candidate."""
        seen = self._fingerprints[: self._count]
        if not len(seen):
            return False
        distances = np.bitwise_count(seen ^ candidate).sum(axis=1)
        return bool(distances.min() <= NEAR_DUPLICATE_BITS)

    def add(self, accepted: Fingerprint) -> None:
        """Remember a picture."""
        self._fingerprints[self._count] = accepted
        self._count += 1
