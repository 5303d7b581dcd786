"""Near-duplicates: fingerprints of pictures, and which of them look the same.

The fingerprint is a difference hash (dHash) of each of red, green and blue: the picture is
averaged down to 9 x 8, and each of the 64 bits of a channel says whether it gets brighter from one
column to the next. The usual hash of the brightness alone would take a character for the one it
was recoloured from; this one does so for neighbouring colours only, such as black and gray.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Fingerprint = NDArray[np.uint64]

#: Pictures that differ in at most this many of the 192 bits count as the same. Of 1,500 characters
#: at psi 0.7 the six nearest pairs (6 to 9 bits) show one face each to the eye, from 10 bits on
#: some show two; half of all pairs differ in 75 or more.
NEAR_DUPLICATE_BITS = 9

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
