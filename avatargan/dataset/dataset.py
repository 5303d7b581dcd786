"""What every set of tagged pictures gives, wherever its pixels are."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avatargan.attributes import Taxonomy
from avatargan.dataset.stores import PictureStore
from avatargan.errors import DatasetError
from avatargan.files import atomic_writer, open_regular, user_cache_folder
from avatargan.parallel import ordered_map

TRAIN = "train"
TEST = "test"
#: One source in this many is kept for testing.
TEST_ONE_IN = 10

#: Counts the changes to what decoding makes of a file, so that maps of older versions are not
#: taken for those of this one.
DECODING = 2

Pixels = NDArray[np.uint8]
Indices = NDArray[np.int64]


def split_of(source: str) -> str:
    """Return "train" or "test" for a source, from nothing but its name.

    So no source is ever in both, whatever else is in the set.
    """
    digest = hashlib.sha256(source.encode(errors="surrogateescape")).digest()
    return TEST if int.from_bytes(digest[:8]) % TEST_ONE_IN == 0 else TRAIN


@dataclass(frozen=True, eq=False)
class Dataset:
    """Pictures with tags.

    Attributes:
        path: what was opened.
        attributes: the taxonomy of the tags; the choices of each attribute end with "unknown".
        names: the pictures' file names.
        labels: for each attribute, an index into its choices per picture, ``[N]``.
        sources: what each picture was cut from; its own name where nothing is known.
        splits: "train" or "test" per picture.
        store: where the pixels are.
        places: the index of each picture in the store, ``[N]``.
        notes: what was read otherwise than it is written, one line each, for people.
        taggers: the SHA-256 of each tagger that made some of the tags, where that is known.
    """

    path: Path
    attributes: Taxonomy
    names: tuple[str, ...]
    labels: Mapping[str, Indices]
    sources: tuple[str, ...]
    splits: NDArray[np.str_]
    store: PictureStore
    places: Indices
    notes: tuple[str, ...] = ()
    taggers: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.names)

    def picture(self, index: int) -> Pixels:
        """Return the pixels of a picture, ``[H, W, 3]`` RGB.

        Raises:
            DatasetError: it cannot be read.
        """
        return self.store.read(int(self.places[index]))

    def subset(self, indices: Sequence[int] | Indices) -> "Dataset":
        """Return the set of some of the pictures, in the given order."""
        chosen = np.asarray(indices, dtype=np.int64)
        return replace(
            self,
            names=tuple(self.names[index] for index in chosen),
            labels={name: values[chosen] for name, values in self.labels.items()},
            sources=tuple(self.sources[index] for index in chosen),
            splits=self.splits[chosen],
            places=self.places[chosen],
        )

    def split(self, name: str) -> "Dataset":
        """Return the pictures of the split "train" or "test"."""
        return self.subset(np.flatnonzero(self.splits == name))

    @cached_property
    def sha256(self) -> str:
        """Identifies the set: its pictures, their order and their tags."""
        digest = hashlib.sha256(self.attributes.to_json().encode())
        digest.update(json.dumps([self.names, self.sources]).encode())
        for name in self.attributes:
            digest.update(self.labels[name].tobytes())
        digest.update(self._pictures_sha256.encode())
        return digest.hexdigest()

    @cached_property
    def _pictures_sha256(self) -> str:
        return hashlib.sha256(self.store.digest().encode() + self.places.tobytes()).hexdigest()

    def decoded(
        self,
        resolution: int,
        cache_folder: str | os.PathLike[str] | None = None,
        *,
        advance: Callable[[int], None] | None = None,
    ) -> Pixels:
        """Return all pictures as a memory map ``[N, resolution, resolution, 3]`` of uint8 RGB.

        They are decoded once; later calls find the map in the cache folder. Pictures that are
        not square lose what sticks out of the middle; larger ones are averaged down.

        Args:
            resolution: side of the pictures in the map.
            cache_folder: where maps are kept; "avatargan" in the user's cache folder by default.
            advance: called with the number of pictures that were just decoded.

        Raises:
            DatasetError: a picture cannot be read.
            OutputError: the map cannot be written.
        """
        mapped = self.store.mapped(resolution, self.places)
        if mapped is not None:
            return mapped
        folder = user_cache_folder("decoded") if cache_folder is None else Path(cache_folder)
        path = folder / f"{self._pictures_sha256[:32]}-{DECODING}-{resolution}.npy"
        shape = (len(self), resolution, resolution, 3)
        if path.exists():
            # A map that was cut short is made again: the cache is nobody's only copy.
            with suppress(DatasetError):
                return open_map(path, shape)
        self._decode(path, shape, advance or (lambda _: None))
        return open_map(path, shape)

    def _decode(self, path: Path, shape: tuple[int, ...], advance: Callable[[int], None]) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        with (
            atomic_writer(path) as file,
            ThreadPoolExecutor(max_workers=os.cpu_count()) as pool,
        ):
            np.lib.format.write_array_header_1_0(file, header)
            fitted = ordered_map(
                pool,
                lambda index: fit_square(self.picture(index), shape[1]),
                range(len(self)),
                most_pending=64,
            )
            for pixels in fitted:
                file.write(pixels.tobytes())
                advance(1)


def fit_square(pixels: Pixels, resolution: int) -> Pixels:
    """Return the middle square of a picture, ``[resolution, resolution, 3]``.

    What is larger is averaged down (area), what is smaller is enlarged with Lanczos.
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    if (height, width) == (resolution, resolution):
        return pixels
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(pixels[top : top + side, left : left + side])
    resample = Image.Resampling.BOX if side > resolution else Image.Resampling.LANCZOS
    return np.asarray(square.resize((resolution, resolution), resample))


def open_map(path: Path, shape: tuple[int, ...]) -> Pixels:
    """Map the array of a ``.npy`` file into memory.

    Raises:
        DatasetError: it is missing, damaged, or holds something else.
    """
    try:
        # numpy would wait for a pipe, and warns of sizes that no file has.
        with open_regular(path), np.errstate(over="ignore"):
            pixels: Pixels = np.lib.format.open_memmap(path, mode="r")
    # What numpy says of headers that are no headers depends on where they end.
    except (OSError, ValueError, EOFError, OverflowError, SyntaxError, TokenError) as error:
        raise DatasetError(f"{path}: missing or damaged ({error})") from error
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise DatasetError(f"{path}: not {shape[0]} pictures of {shape[1]} px")
    return pixels


def require_pictures(dataset: Dataset) -> Dataset:
    """Return the set.

    Raises:
        DatasetError: it has no pictures.
    """
    if not len(dataset):
        raise DatasetError(f"{dataset.path}: there are no pictures in it")
    return dataset
