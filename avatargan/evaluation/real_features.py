"""Features of real pictures, kept in the user's cache folder: they are the same every time."""

import hashlib
import io
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from avatargan.dataset import Dataset
from avatargan.dataset.dataset import fit_square
from avatargan.evaluation.features import FeatureExtractor, Floats, Pixels
from avatargan.evaluation.progress import Progress
from avatargan.evaluation.samples import batches
from avatargan.files import user_cache_folder, write_atomically
from avatargan.parallel import ordered_map

#: Another number where the same network gives other features than it used to.
FEATURES_VERSION = 1


def real_pictures(dataset: Dataset, resolution: int) -> Iterator[Pixels]:
    """Yield the pictures of a dataset, ``[resolution, resolution, 3]`` each.

    Raises:
        DatasetError: one cannot be read.
    """
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        yield from ordered_map(
            pool,
            lambda index: fit_square(dataset.picture(index), resolution),
            range(len(dataset)),
            most_pending=64,
        )


def real_features(
    dataset: Dataset,
    extractor: FeatureExtractor,
    resolution: int,
    progress: Progress,
    *,
    mirrored: bool = False,
    cache_folder: str | os.PathLike[str] | None = None,
) -> Floats:
    """Return the features of all pictures of a dataset, ``[N, F]``.

    They are computed once for each set of pictures and each file of a network.

    Args:
        dataset: the pictures.
        extractor: what the features are.
        resolution: side of the pictures that are looked at.
        progress: shows how far the work has come.
        mirrored: whether pictures are turned left to right first.
        cache_folder: where features are kept.

    Raises:
        DatasetError: a picture cannot be read.
        OutputError: the cache cannot be written.
    """
    folder = user_cache_folder("features") if cache_folder is None else Path(cache_folder)
    path = folder / f"{_key(dataset, extractor, resolution, mirrored)}.npy"
    # What is damaged or missing is made again: the cache is nobody's only copy.
    with suppress(OSError, ValueError, EOFError):
        cached: Floats = np.load(path, mmap_mode="r", allow_pickle=False)
        if cached.ndim == 2 and len(cached) == len(dataset) and cached.dtype == np.float32:
            return cached
    pictures = progress(real_pictures(dataset, resolution), len(dataset), unit="real picture")
    rows = []
    for batch in batches(pictures):
        pixels = np.stack(batch)
        rows.append(extractor.features(pixels[:, :, ::-1] if mirrored else pixels))
    features = np.concatenate(rows)
    write_atomically(path, _npy(features))
    return features


def _npy(features: Floats) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, features, allow_pickle=False)
    return buffer.getvalue()


def _key(dataset: Dataset, extractor: FeatureExtractor, resolution: int, mirrored: bool) -> str:
    parts = [
        FEATURES_VERSION,
        dataset.sha256,
        extractor.name,
        extractor.sha256,
        resolution,
        mirrored,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]
