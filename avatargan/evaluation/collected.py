"""Features of pictures that come in batches."""

import numpy as np

from avatargan.evaluation.features import FeatureExtractor, Floats, Pixels
from avatargan.evaluation.frechet import FeatureStatistics


class CollectedFeatures:
    """Takes in pictures, and keeps of their features what is needed.

    Args:
        extractor: what the features are.
        mirrored: whether pictures are turned left to right first.
        keep_rows: whether single features are wanted, and not the statistics alone, which take
            the same memory however many pictures there are.
    """

    def __init__(self, extractor: FeatureExtractor, *, mirrored: bool, keep_rows: bool) -> None:
        self._extractor = extractor
        self._mirrored = mirrored
        self._keep_rows = keep_rows
        self._rows: list[Floats] = []
        self._statistics: FeatureStatistics | None = None

    def take(self, pictures: Pixels) -> None:
        """Take in pictures ``[N, H, W, 3]``."""
        features = self._extractor.features(pictures[:, :, ::-1] if self._mirrored else pictures)
        if self._statistics is None:
            self._statistics = FeatureStatistics(features.shape[1])
        self._statistics.update(features)
        if self._keep_rows:
            self._rows.append(features)

    @property
    def statistics(self) -> FeatureStatistics:
        """Of all pictures."""
        assert self._statistics is not None, "no pictures came"
        return self._statistics

    @property
    def rows(self) -> Floats:
        """The features of all pictures, ``[N, F]``; none where they are not kept."""
        return np.concatenate(self._rows) if self._rows else np.zeros((0, 0), np.float32)
