"""Training a tagger on tagged pictures, on the CPU.

A missing tag costs nothing: each attribute is learnt from the pictures that have it, and half way
through the moving average of the network tells what it is sure of, which is learnt from as well
("Pseudo-Label", Lee 2013; the average as in "Mean teachers", arXiv 1703.01780). A part of the
training pictures is held back to calibrate the probabilities; the test split is never touched.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from avatargan.attributes import Taxonomy
from avatargan.errors import DatasetError, OptionError
from avatargan.latents import check_seed
from avatargan.parallel import ordered_map
from avatargan.tagging.augmentation import Augmenter
from avatargan.tagging.calibration import fit_temperature
from avatargan.tagging.material import MISSING, PictureSet
from avatargan.tagging.network import channels_last
from avatargan.tagging.regions import RESOLUTION, RegionNetwork, start_from, swaps_of
from avatargan.tagging.tagger import Tagger, to_unit

#: Parts of a picture's layout that its features must tell: a picture of this many pixels a side.
LAYOUT_SIZE = 16
#: An attribute that fewer pictures of a batch have counts for less.
FEW_IN_BATCH = 16
#: Rare choices count for more, common ones for less, within these bounds.
LEAST_WEIGHT, LARGEST_WEIGHT = 0.3, 4.0


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
        smoothing: part of every tag that goes to all choices alike; tags are wrong at times.
        tell_at: parts of the training after which the network tells the missing tags itself.
        tell_above: how sure it has to be of these.
        calibration: part of the training pictures that is held back for calibration.
        seed: decides the first weights, the order of pictures and their changes.
    """

    steps: int = 9000
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    average: float = 0.998
    layout_weight: float = 0.2
    smoothing: float = 0.05
    tell_at: tuple[float, ...] = (0.45, 0.7)
    tell_above: float = 0.85
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
class Batch:
    """What a step learns from.

    Attributes:
        images: ``[B, 3, S, S]`` in [-1, 1].
        labels: ``[attributes, B]``.
        certainty: how much each counts, ``[attributes, B]``.
    """

    images: Tensor
    labels: Tensor
    certainty: Tensor


class TaggerTrainer:
    """Trains a tagger step by step.

    Everything random follows from the seed and the number of the step, so that training that was
    interrupted and resumed gives what it would have given (on the same machine).

    Args:
        sets: what is learnt from.
        attributes: what is learnt, in the order of the labels.
        options: see there.
        calibration: what the probabilities are calibrated on.
        mirrored: of some attributes, choices and what they are in a mirror.
        start: a tagger whose knowledge is begun with; the first weights are random without one.
        told: called with the number of tags that the network told itself, when it did.

    Attributes:
        step: how many steps are done.
        start_sha256: identifies the tagger that was begun with; empty without one.

    Raises:
        DatasetError: there is nothing to learn.
        OptionError: an option is out of range.
    """

    def __init__(
        self,
        sets: Sequence[PictureSet],
        attributes: Taxonomy,
        options: TrainingOptions,
        *,
        calibration: Sequence[PictureSet] = (),
        mirrored: Mapping[str, Mapping[str, str]] | None = None,
        start: Tagger | None = None,
        told: Callable[[int], None] | None = None,
    ) -> None:
        options.check()
        self.sets, self.attributes, self.options = list(sets), attributes, options
        self.calibration = list(calibration)
        self.mirrored = dict(mirrored or {})
        self._told = told or (lambda _: None)
        self._given = [(own.labels, own.certainty) for own in self.sets]
        self._require_examples()
        self.step = 0
        self.start_sha256 = start.sha256 if start is not None else ""
        offered = {name: attributes.offered(name) for name in attributes}
        self._swaps = {
            place: _swapped(offered[name], self.mirrored[name])
            for place, name in enumerate(attributes)
            if name in self.mirrored
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            network = RegionNetwork(
                [len(choices) for choices in offered.values()],
                swaps=swaps_of(offered, self.mirrored),
                normalised=start is None,
            )
            if start is not None:
                start_from(network, start.network, _same_scores(attributes, start.attributes))
            self._network = channels_last(network)
            self._layout = nn.Linear(network.feature_dim, 3 * LAYOUT_SIZE**2)
        self._average = copy.deepcopy(self._network)
        self._optimiser = torch.optim.AdamW(
            [*self._network.parameters(), *self._layout.parameters()],
            lr=options.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=options.weight_decay,
        )
        self._augment = Augmenter(options.seed)
        self._prepare_sampling()

    def run(self) -> Iterator[StepReport]:
        """Do the steps that are left, and yield a report after each."""
        self._network.train()
        steps = self.options.steps
        stops = sorted({round(part * steps) for part in self.options.tell_at} | {steps})
        with ThreadPoolExecutor(max_workers=1) as pool:
            for stop in stops:
                # Batches are made ahead, so each stretch has batches of its own labels.
                for batch in ordered_map(pool, self._batch, range(self.step, stop), most_pending=2):
                    loss = self._learn(batch)
                    self.step += 1
                    if self.step == stop < steps:
                        self._told(self._tell_missing())
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
        for index, own in enumerate(self.sets):
            tensors[f"labels.{index}"] = own.labels.contiguous()
            tensors[f"certainty.{index}"] = own.certainty.contiguous()
        return tensors

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Carry on from a state of a trainer of the same sets and options."""
        self.step = int(tensors["step"])
        self.sets = [
            own.with_labels(tensors[f"labels.{index}"], tensors[f"certainty.{index}"])
            for index, own in enumerate(self.sets)
        ]
        self._prepare_sampling()
        self.start_from(tensors)

    def start_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over weights and optimiser of a trainer of the same attributes, but not its step."""
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

    def finish(self) -> tuple[RegionNetwork, dict[str, float]]:
        """Return the trained network and the temperature of each attribute."""
        network = self._average.folded()
        scores = [scores_of(network, own) for own in self.calibration]
        temperatures = {}
        for place, name in enumerate(self.attributes):
            labels = torch.cat([own.labels[place] for own in self.calibration] or [torch.zeros(0)])
            own_scores = torch.cat([each[place] for each in scores] or [torch.zeros(0, 1)])
            known = labels != MISSING
            temperatures[name] = fit_temperature(own_scores[known], labels[known].long())
        return network, temperatures

    def _modules(self) -> dict[str, nn.Module]:
        return {"network": self._network, "layout": self._layout, "average": self._average}

    def _require_examples(self) -> None:
        for place, name in enumerate(self.attributes):
            found = torch.cat([own.labels[place] for own in self.sets])
            if len(set(found[found != MISSING].tolist())) < 2:
                raise DatasetError(
                    f"{', '.join(own.name for own in self.sets)}: fewer than two choices of "
                    f"{name} are tagged among the pictures for training"
                )

    def _prepare_sampling(self) -> None:
        """Find out which rows can be learnt from, and how much each choice counts."""
        self._rows = [np.flatnonzero((own.labels != MISSING).any(0).numpy()) for own in self.sets]
        shares = np.array(
            [
                own.share if len(rows) else 0.0
                for own, rows in zip(self.sets, self._rows, strict=True)
            ]
        )
        edges = np.round(np.cumsum(shares / shares.sum()) * self.options.batch).astype(int)
        self._counts = np.diff(edges, prepend=0)
        self._weights = []
        for place, name in enumerate(self.attributes):
            count = torch.zeros(len(self.attributes.offered(name)))
            for own, rows, each in zip(self.sets, self._rows, self._counts, strict=True):
                labels = own.labels[place, rows]
                known = labels[labels != MISSING]
                if len(known):
                    found = torch.bincount(known, minlength=len(count)).float()
                    count += found * (int(each) / len(rows))
            weights = (count.clamp(min=1e-6) / count.sum().clamp(min=1e-6) * len(count)) ** -0.5
            self._weights.append(weights.clamp(LEAST_WEIGHT, LARGEST_WEIGHT))

    def _batch(self, step: int) -> Batch:
        """Return what a step learns from: its share of each set, in that set's own order."""
        pictures, papers, labels, certainty = [], [], [], []
        for place, own in enumerate(self.sets):
            count, rows = int(self._counts[place]), self._rows[place]
            if not count:
                continue
            chosen = rows[_epochs(len(rows), step * count, count, [self.options.seed, place])]
            image, paper = own.batch(chosen)
            pictures.append(image)
            papers.append(paper)
            labels.append(own.labels[:, chosen])
            certainty.append(own.certainty[:, chosen])
        label = torch.cat(labels, 1)
        changed = self._augment(torch.cat(pictures), torch.cat(papers), step)
        for attribute, swap in self._swaps.items():
            tags = label[attribute]
            swapped = torch.where(tags >= 0, swap[tags.clamp(min=0)], tags)
            label[attribute] = torch.where(changed.flipped, swapped, tags)
        images = changed.images.contiguous(memory_format=torch.channels_last)
        return Batch(images, label, torch.cat(certainty, 1))

    def _learn(self, batch: Batch) -> float:
        options = self.options
        for group in self._optimiser.param_groups:
            group["lr"] = options.learning_rate * _rate(self.step, options.steps)
        with torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bfloat16()):
            features, scores, _ = self._network(batch.images)
            layout = self._layout(features)
        loss = torch.zeros(())
        for place, own in enumerate(scores.float().split(self._network.choices, 1)):
            loss = loss + _known_loss(
                own,
                batch.labels[place],
                batch.certainty[place],
                self._weights[place],
                options.smoothing,
            )
        target = functional.adaptive_avg_pool2d(batch.images, LAYOUT_SIZE).flatten(1)
        total: Tensor = loss + options.layout_weight * functional.mse_loss(layout.float(), target)
        self._optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._update_average()
        return float(loss.detach())

    def _tell_missing(self) -> int:
        """Tell missing tags of which the moving average is sure; return how many."""
        network = self._average.folded()
        told = 0
        for index, own in enumerate(self.sets):
            given, counts = self._given[index]
            if not bool((given == MISSING).any()):
                continue
            labels, certainty = given.clone(), counts.clone()
            for place, scores in enumerate(scores_of(network, own)):
                sure, likeliest = torch.softmax(scores, 1).max(1)
                new = (given[place] == MISSING) & (sure >= self.options.tell_above)
                labels[place][new], certainty[place][new] = likeliest[new], sure[new]
                told += int(new.sum())
            self.sets[index] = own.with_labels(labels, certainty)
        self._prepare_sampling()
        return told

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
    network = channels_last(RegionNetwork(choices, normalised=True))
    pictures = torch.randint(256, (options.batch, 3, RESOLUTION, RESOLUTION), dtype=torch.uint8)
    paper = torch.zeros(options.batch, RESOLUTION, RESOLUTION, dtype=torch.bool)
    augment = Augmenter(options.seed)
    times = []
    for step in range(3):
        start = time.perf_counter()
        images = augment(pictures, paper, step).images
        with torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bfloat16()):
            _, scores, _ = network(images.contiguous(memory_format=torch.channels_last))
        loss: Tensor = scores.float().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        times.append(time.perf_counter() - start)
    return min(times)


@torch.inference_mode()
def scores_of(network: RegionNetwork, pictures: PictureSet) -> list[Tensor]:
    """Return the scores ``[N, choices]`` of each attribute."""
    parts: list[tuple[Tensor, ...]] = []
    for start in range(0, len(pictures), 64):
        rows = np.arange(start, min(start + 64, len(pictures)))
        parts.append(network.glances(to_unit(pictures.batch(rows)[0]))[1])
    return [
        torch.cat([part[index] for part in parts]) if parts else torch.zeros(0, count)
        for index, count in enumerate(network.choices)
    ]


def has_fast_bfloat16() -> bool:
    """Tell whether this CPU multiplies in bfloat16: training then takes half the time."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _rate(step: int, steps: int) -> float:
    """Return the part of the learning rate that a step takes."""
    rise = max(steps // 20, 1)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(steps - rise, 1)))


def _epochs(count: int, start: int, length: int, seed: list[int]) -> NDArray[np.int64]:
    """Return places ``start`` to ``start + length`` of epochs, each in an order of its own."""
    places = np.arange(start, start + length)
    chosen = np.empty(length, dtype=np.int64)
    for epoch in np.unique(places // count):
        order = np.random.default_rng([*seed, int(epoch)]).permutation(count)
        own = places // count == epoch
        chosen[own] = order[places[own] % count]
    return chosen


def _same_scores(attributes: Taxonomy, others: Taxonomy) -> dict[int, int]:
    """Return which of all scores mean the same as which of another taxonomy's."""
    there = [(name, choice) for name in others for choice in others.offered(name)]
    here = [(name, choice) for name in attributes for choice in attributes.offered(name)]
    return {place: there.index(each) for place, each in enumerate(here) if each in there}


def _swapped(choices: Sequence[str], mirrored: Mapping[str, str]) -> Tensor:
    """Return for each choice the index of what it is in a mirror."""
    return torch.tensor([choices.index(mirrored.get(choice, choice)) for choice in choices])


def _known_loss(
    scores: Tensor, labels: Tensor, certainty: Tensor, weights: Tensor, smoothing: float
) -> Tensor:
    """Return the mean cross-entropy over the tags that are known; 0 where there are none."""
    loss = functional.cross_entropy(
        scores, labels, ignore_index=MISSING, reduction="none", label_smoothing=smoothing
    )
    counts = weights[labels.clamp(min=0)] * certainty
    known = (labels != MISSING).float()
    mean: Tensor = (loss * counts * known).sum() / (counts * known).sum().clamp(min=FEW_IN_BATCH)
    return mean
