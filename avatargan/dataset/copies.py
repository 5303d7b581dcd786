"""Copies: the same picture again, re-encoded, rescaled or mirrored.

A copy in the training split makes a test picture worthless, so copies have to share a source.
Public sets are full of mirrored ones: they pass for more data.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from avatargan.dataset.dataset import fit_square

Signature = NDArray[np.float32]

#: Side of the picture that a signature is made of.
SIDE = 8
#: Of 17,368 faces, 11,889 have a mirror image among the others that correlates above 0.999, and
#: none one between 0.97 and 0.999; no two TV portraits, many from one scene, come to 0.95.
LEAST_CORRELATION = 0.99
#: Rows compared at once.
_CHUNK = 1024


def signature(pixels: NDArray[np.uint8]) -> Signature:
    """Return the mean colours of a picture's 8 x 8 parts, normalised, ``[192]``.

    The product of two signatures is the correlation of the pictures' coarse colours. A picture
    of one colour has the signature 0, which is nobody's copy.
    """
    colours = fit_square(pixels, SIDE).astype(np.float32).ravel()
    colours -= colours.mean()
    length = np.linalg.norm(colours)
    return colours / length if length > SIDE else np.zeros_like(colours)


def mirrored(signatures: Signature) -> Signature:
    """Return the signatures ``[N, 192]`` of the mirror images."""
    count = len(signatures)
    flipped = signatures.reshape(count, SIDE, SIDE, 3)[:, :, ::-1]
    return np.ascontiguousarray(flipped).reshape(count, -1)


def find_copies(signatures: Signature) -> Iterator[tuple[int, int]]:
    """Yield the index of a picture and of a later one that shows the same, in any orientation.

    Every pair is compared: 17,000 pictures take some seconds, 100,000 some minutes.
    """
    facing = mirrored(signatures)
    for start in range(0, len(signatures), _CHUNK):
        rows = signatures[start : start + _CHUNK]
        for others in (signatures, facing):
            near = rows @ others[start:].T >= LEAST_CORRELATION
            for row, column in np.argwhere(near).tolist():
                if column > row:
                    yield start + row, start + column


def shared_sources(
    sources: Sequence[str], copies: Iterable[tuple[int, int]]
) -> tuple[list[str], int]:
    """Return a source for each picture, one for all that are connected by copies.

    Args:
        sources: what each picture was cut from.
        copies: pairs of indices, as of :func:`find_copies`.

    Returns:
        The sources, the first one's name standing for those that were joined, and how many
        pictures are copies of another.
    """
    numbers = {source: number for number, source in enumerate(dict.fromkeys(sources))}
    names = list(numbers)
    pairs = list(copies)
    first = [numbers[sources[one]] for one, _ in pairs]
    second = [numbers[sources[other]] for _, other in pairs]
    size = (len(numbers), len(numbers))
    _, groups = connected_components(coo_array((np.ones(len(pairs)), (first, second)), size), False)
    representative: dict[int, str] = {}
    for name, group in zip(names, groups.tolist(), strict=True):
        representative.setdefault(group, name)
    joined = [representative[groups[numbers[source]]] for source in sources]
    return joined, len({index for pair in pairs for index in pair})
