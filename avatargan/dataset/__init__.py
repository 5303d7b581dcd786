"""Tagged pictures: built sets, folders and archives, read in one way."""

from avatargan.dataset.dataset import TEST, TRAIN, Dataset, split_of
from avatargan.dataset.opening import open_dataset

__all__ = ["TEST", "TRAIN", "Dataset", "open_dataset", "split_of"]
