"""Near-duplicates: crops that show the same face of the same drawing.

Two crops count as one when their perceptual hashes (pHash, 64 bits of the brightness) hardly
differ and so do the mean colours of their quarters. The hash alone would take a character for the
one it was recoloured from, and recoloured characters are what a generator learns colours from.
"""

from collections.abc import Collection
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

#: Of 4 million pairs of unrelated faces 2 differ in 6 bits or fewer; of pictures that were scaled
#: and compressed anew, 9 in 10 do.
NEAR_DUPLICATE_BITS = 6
#: So many bits more may differ between crops of one picture: a sticker or panel drawn twice is cut
#: out a pixel or two apart.
MORE_IN_ONE_PICTURE = 8
#: Mean difference of the quarters' colours. Copies differ by 5 or less, the nearest of 800
#: recoloured pairs whose hashes agree by 5.9.
NEAR_DUPLICATE_COLOURS = 5.0


@dataclass(frozen=True)
class Look:
    """What a crop looks like, small enough to compare with all others.

    Attributes:
        perceptual_hash: 64 bits.
        colours: mean red, green and blue of the four quarters, 12 bytes.
    """

    perceptual_hash: int
    colours: bytes


def look_of(crop: Image.Image) -> Look:
    """Return the look of an RGB crop."""
    quarters = crop.resize((2, 2), Image.Resampling.BOX)
    return Look(int(str(imagehash.phash(crop)), 16), quarters.tobytes())


class SeenLooks:
    """The looks of the crops that were accepted so far.

    Args:
        most_bits: how many bits of the hashes of near-duplicates may differ; -1 finds none.
    """

    def __init__(self, most_bits: int = NEAR_DUPLICATE_BITS) -> None:
        self._most_bits = most_bits
        self._hashes = np.zeros(1024, np.uint64)
        self._colours = np.zeros((1024, 12), np.int16)
        self._names: list[str] = []

    def find_near(self, look: Look, same_picture: Collection[str] = ()) -> str | None:
        """Return the name of the first accepted crop that shows the same, None if none does.

        Args:
            look: of the crop that is asked about.
            same_picture: the names of those that come from the same picture.
        """
        count = len(self._names)
        distances = np.bitwise_count(self._hashes[:count] ^ np.uint64(look.perceptual_hash))
        colours = np.frombuffer(look.colours, np.uint8).astype(np.int16)
        if self._most_bits < 0:
            return None
        near = distances.astype(np.int16) - self._most_bits
        for index in np.flatnonzero(near <= (MORE_IN_ONE_PICTURE if same_picture else 0)):
            if near[index] > 0 and self._names[index] not in same_picture:
                continue
            if np.abs(self._colours[index] - colours).mean() <= NEAR_DUPLICATE_COLOURS:
                return self._names[index]
        return None

    def add(self, name: str, look: Look) -> None:
        """Remember an accepted crop."""
        count = len(self._names)
        if count == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
            self._colours = np.concatenate([self._colours, np.zeros_like(self._colours)])
        self._hashes[count] = look.perceptual_hash
        self._colours[count] = np.frombuffer(look.colours, np.uint8)
        self._names.append(name)
