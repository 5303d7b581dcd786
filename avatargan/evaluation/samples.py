"""Which pictures of a generator are looked at: seeds and labels, and nothing else."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from avatargan.attributes import UNKNOWN
from avatargan.dataset import Dataset
from avatargan.dataset.dataset import fit_square
from avatargan.errors import DatasetError, OptionError, did_you_mean
from avatargan.evaluation.features import Pixels
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import Recipe

Item = TypeVar("Item")

#: Pictures that are in memory at a time.
BATCH = 64
#: Seeds of samples are below this: few enough digits to type, and hardly ever one twice.
MOST_SEEDS = 2**40
#: Keeps the randomness of labels apart from that of seeds.
_LABELS = 1


@dataclass(frozen=True)
class SamplePlan:
    """Samples of a generator, none of them drawn yet.

    Attributes:
        pipeline: what draws.
        seeds: one per sample, ``[N]``.
        labels: for each attribute of the generator the choice of each sample.
        psi: truncation.
    """

    pipeline: AvatarPipeline
    seeds: Sequence[int]
    labels: Mapping[str, Sequence[str]]
    psi: float

    def __len__(self) -> int:
        return len(self.seeds)

    def choices(self, index: int) -> dict[str, str]:
        """Return the choice of each attribute of a sample."""
        return {name: values[index] for name, values in self.labels.items()}

    def recipe(
        self,
        index: int,
        changes: Mapping[str, str] | None = None,
        *,
        seed_of: int | None = None,
    ) -> Recipe:
        """Return the recipe of a sample at the generator's own size.

        Args:
            index: which sample.
            changes: choices that replace those of the sample.
            seed_of: another sample whose seed is taken instead.
        """
        seed = self.seeds[index if seed_of is None else seed_of]
        wanted = self.choices(index) | dict(changes or {})
        size = self.pipeline.generator.resolution
        (recipe,) = self.pipeline.recipes([seed], psi=self.psi, size=size, **wanted)
        return recipe

    def pictures(self, recipes: Iterable[Recipe]) -> Iterator[Pixels]:
        """Draw recipes one after the other, ``[R, R, 3]`` each, with flat memory."""
        return (np.asarray(avatar.image) for avatar in self.pipeline.draw(recipes))


def plan_samples(
    pipeline: AvatarPipeline,
    dataset: Dataset,
    *,
    count: int,
    seed: int,
    psi: float,
    fixed: Mapping[str, str] | None = None,
) -> SamplePlan:
    """Return samples whose labels are those of pictures of a dataset, drawn at random.

    All attributes of a sample are of one picture, so that rare pairs stay rare. Where the picture
    has no tag, or one that the generator does not know, the tag of another picture is taken. An
    attribute that the dataset says nothing about takes its default: the first style, any colour.

    Args:
        pipeline: what draws.
        dataset: where labels come from.
        count: how many samples; the first ones are the same for every count.
        seed: of the samples' seeds and labels.
        psi: truncation.
        fixed: choices that all samples have.

    Raises:
        DatasetError: the dataset has no tags of any attribute of the generator.
        OptionError: a choice in ``fixed`` is none of the generator's, or psi is out of range.
    """
    attributes = pipeline.attributes
    fixed = dict(fixed or {})
    for name, choice in fixed.items():
        if name not in attributes:
            raise OptionError(
                f"these weights have no attribute '{name}'{did_you_mean(name, attributes)} "
                f"(attributes: {', '.join(attributes)})"
            )
        attributes.check(name, choice)
    tagged = [name for name in attributes if len(_known_rows(pipeline, dataset, name))]
    if not tagged:
        raise DatasetError(
            f"{dataset.path}: no picture has a tag that these weights know, and the samples take "
            f"their labels from them (attributes of the weights: {', '.join(attributes)})"
        )
    numbers = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed])))
    seeds = numbers.integers(0, MOST_SEEDS, size=count).tolist()
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, _LABELS])))
    # A row of numbers per sample, so that samples do not depend on how many there are.
    uniform = random.random((count, 1 + len(attributes)))
    rows = _pick(uniform[:, 0], np.arange(len(dataset)))
    labels: dict[str, list[str]] = {}
    for column, name in enumerate(attributes, start=1):
        if name in tagged and name not in fixed:
            labels[name] = _labels_of(pipeline, dataset, name, rows, uniform[:, column])
        else:
            wanted = {name: fixed.get(name, attributes.default(name))}
            labels[name] = [attributes.resolve(wanted, one)[name] for one in seeds]
    plan = SamplePlan(pipeline, seeds, labels, psi)
    plan.recipe(0)  # is psi what it may be?
    return plan


def unknown_tags(pipeline: AvatarPipeline, dataset: Dataset) -> dict[str, list[str]]:
    """Return for each attribute the tags of a dataset that the generator does not know."""
    found = {}
    for name in pipeline.attributes:
        if name not in dataset.labels:
            continue
        names = [dataset.attributes[name][index] for index in np.unique(dataset.labels[name])]
        found[name] = [
            tag for tag in names if tag not in pipeline.attributes.offered(name) and tag != UNKNOWN
        ]
    return {name: tags for name, tags in found.items() if tags}


def batches(pictures: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """Yield items in lists of a size, the last one shorter."""
    pending = iter(pictures)
    while batch := list(islice(pending, size)):
        yield batch


def fitted(pictures: Iterable[Pixels], resolution: int) -> Pixels:
    """Return pictures at a common size, ``[N, resolution, resolution, 3]``."""
    return np.stack([fit_square(picture, resolution) for picture in pictures])


def _labels_of(
    pipeline: AvatarPipeline,
    dataset: Dataset,
    name: str,
    rows: NDArray[np.int64],
    uniform: NDArray[np.float64],
) -> list[str]:
    known = _known_rows(pipeline, dataset, name)
    is_known = np.zeros(len(dataset), bool)
    is_known[known] = True
    taken = np.where(is_known[rows], rows, _pick(uniform, known))
    choices = dataset.attributes[name]
    return [choices[index] for index in dataset.labels[name][taken]]


def _known_rows(pipeline: AvatarPipeline, dataset: Dataset, name: str) -> NDArray[np.int64]:
    """Return the pictures with a tag of an attribute that the generator can draw."""
    if name not in dataset.labels:
        return np.zeros(0, np.int64)
    offered = pipeline.attributes.offered(name)
    drawable = np.array([choice in offered for choice in dataset.attributes[name]])
    return np.flatnonzero(drawable[dataset.labels[name]])


def _pick(uniform: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one of the rows for each number from [0, 1)."""
    return rows[(uniform * len(rows)).astype(np.int64)]
