"""Training a tagger on tagged pictures, on the CPU in minutes.

A missing tag costs nothing: each attribute is learnt from the pictures that have it. A part of the
training pictures is held back to calibrate the probabilities; the test split is never touched.
"""

import copy
import hashlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from avatargan.attributes import UNKNOWN, Taxonomy
from avatargan.dataset import TEST, TRAIN, Dataset
from avatargan.errors import DatasetError, OptionError
from avatargan.latents import check_seed
from avatargan.parallel import ordered_map
from avatargan.tagging.augmentation import Augmenter, paper_background
from avatargan.tagging.calibration import fit_temperature
from avatargan.tagging.network import RESOLUTION, TaggerNetwork, channels_last
from avatargan.tagging.tagger import to_unit

#: Index of a tag that nobody knows, which no loss is made of.
MISSING = -100
#: Parts of a picture's layout that its features must tell: a picture of this many pixels a side.
LAYOUT_SIZE = 16


@dataclass(frozen=True)
class TrainingOptions:
    """How a tagger is trained; the defaults are those of the shipped weights.

    Attributes:
        steps: batches.
        batch: pictures in a batch.
        learning_rate: the largest, of AdamW; it rises over the first twentieth of the steps and
            falls along a cosine to nothing.
        weight_decay: of AdamW, decoupled.
        average: how much of the moving average of the weights each step keeps.
        layout_weight: weight of the task to tell the picture's layout from the features beside
            the attributes. It keeps in the features what no attribute asks for, so that new
            attributes can be taught and metrics can see more than colours.
        calibration: part of the training pictures that is held back for calibration.
        seed: decides the first weights, the order of pictures and their changes.
    """

    steps: int = 5500
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    average: float = 0.998
    layout_weight: float = 0.5
    calibration: float = 0.1
    seed: int = 0

    def check(self) -> None:
        """Refuse what cannot be trained with.

        Raises:
            OptionError: an option is out of range.
        """
        if self.steps < 1:
            raise OptionError(f"the number of steps must be 1 or more, got {self.steps}")
        if self.batch < 2:
            raise OptionError(f"a batch must have 2 pictures or more, got {self.batch}")
        check_seed(self.seed)


@dataclass(frozen=True)
class StepReport:
    """What one step came to.

    Attributes:
        step: how many are done.
        loss: of the attributes, over the batch.
    """

    step: int
    loss: float


@dataclass(frozen=True)
class TrainingParts:
    """Which pictures are for what: indices into the dataset."""

    train: NDArray[np.int64]
    calibration: NDArray[np.int64]
    test: NDArray[np.int64]


def learnable(data: Dataset) -> Taxonomy:
    """Return the attributes of a dataset that can be learnt: with two choices or more.

    Raises:
        DatasetError: there are none.
    """
    attributes = Taxonomy(
        {
            name: choices
            for name, choices in data.attributes.items()
            if len(data.attributes.offered(name)) > 1
        }
    )
    if not attributes:
        raise DatasetError(
            f"{data.path}: no attribute with two choices or more is tagged; a tags.csv with "
            "columns such as file,hair,eyes is needed"
        )
    return attributes


def divide(data: Dataset, options: TrainingOptions) -> TrainingParts:
    """Decide which pictures are for training, for calibration and for the test.

    By their sources, so that no source is in two parts.

    Raises:
        DatasetError: nothing is left to train on.
    """
    held_back = np.array([_share(source) < options.calibration for source in data.sources])
    is_train = data.splits == TRAIN
    parts = TrainingParts(
        np.flatnonzero(is_train & ~held_back),
        np.flatnonzero(is_train & held_back),
        np.flatnonzero(data.splits == TEST),
    )
    if len(parts.train) < 2:
        raise DatasetError(f"{data.path}: {len(parts.train)} pictures are too few to train on")
    return parts


def known_labels(data: Dataset, attributes: Taxonomy) -> Tensor:
    """Return ``[attributes, N]``: the index of the tag, or :data:`MISSING`."""
    columns = []
    for name in attributes:
        labels = np.array(data.labels[name])
        if UNKNOWN in attributes[name]:
            labels[labels == attributes.index(name, UNKNOWN)] = MISSING
        columns.append(labels)
    return torch.from_numpy(np.stack(columns))


class TaggerTrainer:
    """Trains a tagger step by step.

    Everything random follows from the seed and the number of the step, so that training that was
    interrupted and resumed gives what it would have given (on the same machine).

    Args:
        data: tagged pictures.
        options: see there.
        cache_folder: where decoded pictures are kept.
        advance: called with the number of pictures that were just decoded.

    Attributes:
        attributes: what is learnt.
        parts: which pictures are for what.
        decoded: all pictures, ``[N, 64, 64, 3]``.
        step: how many steps are done.

    Raises:
        DatasetError: a picture cannot be read, or there is nothing to learn.
        OptionError: an option is out of range.
    """

    def __init__(
        self,
        data: Dataset,
        options: TrainingOptions,
        *,
        cache_folder: str | os.PathLike[str] | None = None,
        advance: Callable[[int], None] | None = None,
    ) -> None:
        options.check()
        self.data, self.options = data, options
        self.attributes = learnable(data)
        self.parts = divide(data, options)
        self.labels = known_labels(data, self.attributes)
        self._require_examples()
        self.decoded = data.decoded(RESOLUTION, cache_folder, advance=advance)
        self.pictures = torch.from_numpy(np.array(self.decoded)).permute(0, 3, 1, 2)
        self.paper = torch.from_numpy(paper_background(self.decoded))
        self.step = 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            choices = [len(self.attributes.offered(name)) for name in self.attributes]
            self._network = channels_last(TaggerNetwork(choices, normalised=True))
            self._layout = nn.Linear(self._network.feature_dim, 3 * LAYOUT_SIZE**2)
        self._average = copy.deepcopy(self._network)
        self._optimiser = torch.optim.AdamW(
            [*self._network.parameters(), *self._layout.parameters()],
            lr=options.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=options.weight_decay,
        )
        self._augment = Augmenter(options.seed)

    def run(self) -> Iterator[StepReport]:
        """Do the steps that are left, and yield a report after each."""
        self._network.train()
        left = range(self.step, self.options.steps)
        with ThreadPoolExecutor(max_workers=1) as pool:
            for images, labels in ordered_map(pool, self._batch, left, most_pending=2):
                loss = self._learn(images, labels)
                self.step += 1
                yield StepReport(self.step, loss)

    def state(self) -> dict[str, Tensor]:
        """Return all that :meth:`restore` needs to carry on from here."""
        tensors = {"step": torch.tensor(self.step)}
        for part, module in self._modules().items():
            for name, tensor in module.state_dict().items():
                tensors[f"{part}.{name}"] = tensor.contiguous()
        for index, state in self._optimiser.state_dict()["state"].items():
            for name, tensor in state.items():
                tensors[f"optimiser.{index}.{name}"] = tensor.contiguous()
        return tensors

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Carry on from a state of a trainer of the same data and options."""
        self.step = int(tensors["step"])
        for part, module in self._modules().items():
            module.load_state_dict(
                {name: tensors[f"{part}.{name}"] for name in module.state_dict()}
            )
        optimiser = self._optimiser.state_dict()
        for name, tensor in tensors.items():
            if name.startswith("optimiser."):
                _, index, entry = name.split(".")
                optimiser["state"].setdefault(int(index), {})[entry] = tensor
        self._optimiser.load_state_dict(optimiser)

    def finish(self) -> tuple[TaggerNetwork, dict[str, float]]:
        """Return the trained network and the temperature of each attribute."""
        network = self._average.folded()
        scores = scores_of(network, self.pictures[self.parts.calibration])
        temperatures = {}
        for name, own, labels in zip(
            self.attributes, scores, self.labels[:, self.parts.calibration], strict=True
        ):
            known = labels != MISSING
            temperatures[name] = fit_temperature(own[known], labels[known])
        return network, temperatures

    def _modules(self) -> dict[str, nn.Module]:
        return {"network": self._network, "layout": self._layout, "average": self._average}

    def _require_examples(self) -> None:
        for name, labels in zip(self.attributes, self.labels[:, self.parts.train], strict=True):
            if len(labels[labels != MISSING].unique()) < 2:
                raise DatasetError(
                    f"{self.data.path}: fewer than two choices of {name} are tagged among the "
                    "pictures for training"
                )

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return pictures ``[B, 3, S, S]`` and labels ``[attributes, B]`` of a step."""
        chosen = self._batch_indices(step)
        images = self._augment(self.pictures[chosen], self.paper[chosen], step)
        return images.contiguous(memory_format=torch.channels_last), self.labels[:, chosen]

    def _learn(self, images: Tensor, labels: Tensor) -> float:
        for group in self._optimiser.param_groups:
            group["lr"] = self.options.learning_rate * _rate(self.step, self.options.steps)
        with torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bfloat16()):
            features, scores = self._network(images)
            layout = self._layout(features)
        loss = torch.stack(
            [_known_loss(own.float(), wanted) for own, wanted in zip(scores, labels, strict=True)]
        ).sum()
        target = functional.adaptive_avg_pool2d(images, LAYOUT_SIZE).flatten(1)
        layout_loss = functional.mse_loss(layout.float(), target)
        self._optimiser.zero_grad()
        total: Tensor = loss + self.options.layout_weight * layout_loss
        total.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._update_average()
        return float(loss.detach())

    def _batch_indices(self, step: int) -> NDArray[np.int64]:
        """Return the pictures of a step: each epoch in an order of its own."""
        train, batch = self.parts.train, self.options.batch
        places = np.arange(step * batch, (step + 1) * batch)
        chosen = np.empty(batch, dtype=np.int64)
        for epoch in np.unique(places // len(train)):
            order = np.random.default_rng([self.options.seed, int(epoch)]).permutation(train)
            own = places // len(train) == epoch
            chosen[own] = order[places[own] % len(train)]
        return chosen

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early on the average is short, so that it forgets the first weights.
        keep = min(self.options.average, (1 + self.step) / (10 + self.step))
        averages = self._average.state_dict()
        for name, value in self._network.state_dict().items():
            if value.is_floating_point():
                averages[name].lerp_(value, 1 - keep)


def seconds_per_step(attributes: Taxonomy, options: TrainingOptions) -> float:
    """Return about how long a step takes on this machine, from the fastest of some on noise."""
    choices = [len(attributes.offered(name)) for name in attributes]
    network = channels_last(TaggerNetwork(choices, normalised=True))
    pictures = torch.randint(256, (options.batch, 3, RESOLUTION, RESOLUTION), dtype=torch.uint8)
    paper = torch.zeros(options.batch, RESOLUTION, RESOLUTION, dtype=torch.bool)
    augment = Augmenter(options.seed)
    times = []
    for step in range(3):
        start = time.perf_counter()
        images = augment(pictures, paper, step).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bfloat16()):
            _, scores = network(images)
        loss: Tensor = torch.cat(scores, dim=1).float().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        times.append(time.perf_counter() - start)
    return min(times)


@torch.inference_mode()
def scores_of(network: TaggerNetwork, pictures: Tensor) -> list[Tensor]:
    """Return the scores ``[N, choices]`` of each attribute for ``[N, 3, 64, 64]`` uint8."""
    parts: list[tuple[Tensor, ...]] = [
        network.glances(to_unit(pictures[start : start + 64]))[1]
        for start in range(0, len(pictures), 64)
    ]
    return [
        torch.cat([part[index] for part in parts]) if parts else torch.zeros(0, count)
        for index, count in enumerate(network.choices)
    ]


def has_fast_bfloat16() -> bool:
    """Tell whether this CPU multiplies in bfloat16: training then takes half the time."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _known_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy over the tags that are known; 0 where there are none."""
    known = (labels != MISSING).sum().clamp(min=1)
    return functional.cross_entropy(scores, labels, ignore_index=MISSING, reduction="sum") / known


def _rate(step: int, steps: int) -> float:
    """Return the part of the learning rate that a step takes."""
    rise = max(steps // 20, 1)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(steps - rise, 1)))


def _share(source: str) -> float:
    """Return a number in [0, 1) that depends on the source alone, and not as its split does."""
    digest = hashlib.sha256(b"calibration " + source.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8]) / 2**64
