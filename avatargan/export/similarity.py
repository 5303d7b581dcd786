"""Near-duplicates: fingerprints of pictures, and which of them look the same.

The fingerprint is a difference hash (dHash) of each of red, green and blue: the picture is
averaged down to 9 x 8, and each of the 64 bits of a channel says whether it gets brighter from one
column to the next. A character that was recoloured keeps its shading, and so nearly all of these
bits; four hashes more say where one channel is clearly above another. Neighbouring colours, such as
black and gray, still count as the same.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Fingerprint = NDArray[np.uint64]

#: Pictures that differ in at most this many of the 192 bits count as the same. Of 1,500 characters
#: at psi 0.7 the six nearest pairs (6 to 9 bits) show one face each to the eye, from 10 bits on
#: some show two; half of all pairs differ in 75 or more.
NEAR_DUPLICATE_BITS = 9
#: And in at most this many of the 256 bits of colour. Of twenty hardly visible variations none
#: changed more than 3; black hair made green changed 23 to 43.
NEAR_COLOUR_BITS = 10
#: By so much, of 255, a channel has to be above another.
_CLEARLY = 16
#: Pairs of channels that are compared: the first above the second.
_COMPARED = ((0, 1), (1, 0), (2, 1), (0, 2))

_ROWS, _COLUMNS = 8, 9
#: What transparency is seen against: the matte has to count, whatever lies under it.
_GROUND = (128, 128, 128)


def fingerprint(image: Image.Image) -> Fingerprint:
    """Return the dHash of red, green and blue and four hashes of colour, ``[7]`` of uint64."""
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, (*_GROUND, 255))
        image = Image.alpha_composite(ground, image)
    small = image.convert("RGB").resize((_COLUMNS, _ROWS), Image.Resampling.BOX)
    pixels = np.asarray(small).astype(np.int16)  # [8, 9, 3]
    brighter = pixels[:, 1:] > pixels[:, :-1]  # [8, 8, 3]
    cells = pixels[:, 1:]
    above = [cells[..., first] > cells[..., second] + _CLEARLY for first, second in _COMPARED]
    planes = np.concatenate([brighter.transpose(2, 0, 1), above])  # [7, 8, 8]
    bits = np.packbits(planes.reshape(len(planes), -1), axis=1)  # [7, 8] bytes
    return np.frombuffer(bits.tobytes(), dtype=">u8").astype(np.uint64)


class SeenPictures:
    """The fingerprints of the pictures that were accepted so far.

    Args:
        capacity: how many there will be at most.
    """

    def __init__(self, capacity: int) -> None:
        self._fingerprints = np.zeros((capacity, 7), dtype=np.uint64)
        self._count = 0

    def has_near(self, candidate: Fingerprint) -> bool:
        """Tell whether one of the pictures looks like the candidate."""
        seen = self._fingerprints[: self._count]
        if not len(seen):
            return False
        different = np.bitwise_count(seen ^ candidate)
        same_shading = different[:, :3].sum(axis=1) <= NEAR_DUPLICATE_BITS
        same_colours = different[:, 3:].sum(axis=1) <= NEAR_COLOUR_BITS
        return bool((same_shading & same_colours).any())

    def add(self, accepted: Fingerprint) -> None:
        """Remember a picture."""
        self._fingerprints[self._count] = accepted
        self._count += 1
