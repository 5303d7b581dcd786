"""Starting from weights of another taxonomy, resolution or width.

What a network and a weights file have in common is copied. Choices are matched by name: shared
ones keep their embeddings, new ones start from the mean of the known ones, so that they draw
something sound from the first step on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from avatargan.attributes import UNKNOWN, Taxonomy
from avatargan.errors import WeightsError
from avatargan.networks import ConditionalCritic, ConditionalGenerator
from avatargan.weights import WeightsFile


@dataclass
class TransferReport:
    """What became of the weights that a network was given.

    Attributes:
        copied: tensors taken as they were, or with choices matched.
        new: tensors that keep their first random values.
        shared_choices: by attribute, the choices whose embeddings were kept.
        new_choices: by attribute, the choices that start from the mean.
        dropped_choices: by attribute, the choices that nobody asks for any more.
        new_attributes: attributes that the weights do not have.
        dropped_attributes: attributes of the weights that the run does not have.
    """

    copied: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    shared_choices: dict[str, list[str]] = field(default_factory=dict)
    new_choices: dict[str, list[str]] = field(default_factory=dict)
    dropped_choices: dict[str, list[str]] = field(default_factory=dict)
    new_attributes: list[str] = field(default_factory=list)
    dropped_attributes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the report for people, a line for each thing."""
        lines = [f"{len(self.copied)} tensors taken over, {len(self.new)} new"]
        for name in self.shared_choices:
            words = [f"{len(self.shared_choices[name])} choices kept"]
            if self.new_choices[name]:
                words.append(f"new, from the mean: {', '.join(self.new_choices[name])}")
            if self.dropped_choices[name]:
                words.append(f"dropped: {', '.join(self.dropped_choices[name])}")
            lines.append(f"{name}: {'; '.join(words)}")
        lines += [f"{name}: a new attribute" for name in self.new_attributes]
        lines += [f"{name}: dropped" for name in self.dropped_attributes]
        return lines


@torch.no_grad()
def start_from(
    network: ConditionalGenerator | ConditionalCritic, weights: WeightsFile
) -> TransferReport:
    """Give a new network what a weights file has for it.

    Args:
        network: of the same architecture; changed in place.
        weights: a generator's for a generator, a critic's for a critic.

    Raises:
        WeightsError: the weights are of another architecture, or share nothing with the network.
    """
    if weights.architecture != network.architecture:
        raise WeightsError(
            f"{weights.path}: weights of the architecture {weights.architecture[:40]} cannot "
            f"start one of {network.architecture}; choose another --network"
        )
    old, new = weights.attributes, network.attributes
    report = _compare(old, new)
    transfer = _Transfer(weights, old, new)
    state = network.state_dict()
    for name, values in state.items():
        found = transfer.tensor(name, values)
        if found is None:
            report.new.append(name)
        else:
            values.copy_(found)
            report.copied.append(name)
    if isinstance(network, ConditionalGenerator):
        _quiet_new_blocks(state, report.new)
    if not report.copied:
        raise WeightsError(f"{weights.path}: shares nothing with the network to be trained")
    return report


class _Transfer:
    """Finds for each tensor of a network what the old weights have for it."""

    def __init__(self, weights: WeightsFile, old: Taxonomy, new: Taxonomy) -> None:
        self.tensors = weights.tensors
        self.old, self.new = old, new

    def tensor(self, name: str, like: Tensor) -> Tensor | None:
        table, _, rest = name.partition(".")
        attribute = rest.split(".")[0]
        if table in ("embed", "project") and attribute in self.new:
            return self._rows(name, attribute, self.old.get(attribute), self.new[attribute], like)
        if table == "classify" and attribute in self.new:
            choices = self.old.offered(attribute) if attribute in self.old else None
            return self._rows(name, attribute, choices, self.new.offered(attribute), like)
        values = self.tensors.get(name)
        if values is None:
            return None
        if name.endswith(".bias") and values.shape == like.shape:
            return values.float() + self._of_dropped_attributes(name)
        inputs = self._inputs(name)
        if inputs is not None:
            return self._with_inputs(name, values.float(), inputs, like)
        return values.float() if values.shape == like.shape else None

    def _rows(
        self,
        name: str,
        attribute: str,
        old: tuple[str, ...] | None,
        new: tuple[str, ...],
        like: Tensor,
    ) -> Tensor | None:
        """Match the rows of a table by the names of the choices."""
        values = self.tensors.get(name)
        if values is None or old is None or values.shape[1:] != like.shape[1:]:
            return None
        known = [index for index, choice in enumerate(old) if choice != UNKNOWN]
        mean = values.float()[known].mean(dim=0)
        return torch.stack(
            [values[old.index(choice)].float() if choice in old else mean for choice in new]
        )

    def _inputs(self, name: str) -> dict[str, tuple[str, ...]] | None:
        """Return, for layers that read embeddings, which of them: those before and those now.

        They follow w in the layers that see the palette, and z in the first of the mapping.
        """
        if name.endswith(".affine.weight") and name.split(".")[1].isdigit():
            # Whether a block sees the palette depends on its size alone: its width tells.
            return {"old": self.old.palette, "new": self.new.palette}
        if name == "mapping.0.weight":
            return {"old": _identity(self.old), "new": _identity(self.new)}
        if name == "dense.weight":
            return {
                "old": (*_identity(self.old), *self.old.palette),
                "new": (*_identity(self.new), *self.new.palette),
            }
        return None

    def _with_inputs(
        self, name: str, values: Tensor, inputs: Mapping[str, tuple[str, ...]], like: Tensor
    ) -> Tensor | None:
        """Match the columns of a layer by the attributes whose embeddings they read."""
        widths = {attribute: self._width(attribute) for attribute in inputs["old"]}
        first = values.shape[1] - sum(widths.values())  # the columns of w, or of z
        if first <= 0 or not self._reads_embeddings(name, first):
            return values if values.shape == like.shape else None
        columns = self._columns(name, values, inputs["old"])
        new_names = inputs["new"]
        rest = like.shape[1] - first
        known = sum(widths.get(attribute, 0) for attribute in new_names)
        unknown = [attribute for attribute in new_names if attribute not in widths]
        if len(like) != len(values) or rest < known or (unknown and (rest - known) % len(unknown)):
            return None
        new_width = (rest - known) // len(unknown) if unknown else 0
        parts = [values[:, :first]]
        for attribute in new_names:
            # What a new attribute does is to be learnt: at first it changes nothing.
            parts.append(columns.get(attribute, values.new_zeros(len(values), new_width)))
        joined = torch.cat(parts, dim=1)
        if joined.shape != like.shape:
            return None
        if name != "dense.weight":
            # Equalised layers divide by the square root of their inputs at run time.
            joined = joined * (like.shape[1] / values.shape[1]) ** 0.5
        return joined

    def _of_dropped_attributes(self, name: str) -> Tensor | float:
        """Return what attributes that the run does not have add to a layer in the mean.

        Joined to the bias, it keeps the pictures as they were on average.
        """
        weight = f"{name.removesuffix('.bias')}.weight"
        inputs = self._inputs(weight)
        if inputs is None:
            return 0.0
        columns = self._columns(weight, self.tensors[weight].float(), inputs["old"])
        dropped = [attribute for attribute in columns if attribute not in inputs["new"]]
        gain = self.tensors[weight].shape[1] ** -0.5  # of equalised layers, at run time
        total: Tensor | float = 0.0
        for attribute in dropped:
            known = [index for index, choice in enumerate(self.old[attribute]) if choice != UNKNOWN]
            mean = self.tensors[f"embed.{attribute}.weight"].float()[known].mean(dim=0)
            total = total + columns[attribute] @ mean * gain
        return total

    def _columns(self, name: str, values: Tensor, attributes: Sequence[str]) -> dict[str, Tensor]:
        """Return the columns of a layer that read the embedding of each attribute."""
        start = values.shape[1] - sum(map(self._width, attributes))
        if start <= 0 or not self._reads_embeddings(name, start):
            return {}
        columns = {}
        for attribute in attributes:
            columns[attribute] = values[:, start : start + self._width(attribute)]
            start += self._width(attribute)
        return columns

    def _reads_embeddings(self, name: str, first: int) -> bool:
        if not name.endswith(".affine.weight"):
            return True
        # The layers below 16 px read w alone, and are as wide as it.
        w_dim = self.tensors["mapping.0.weight"].shape[0]
        return first == w_dim

    def _width(self, attribute: str) -> int:
        return int(self.tensors[f"embed.{attribute}.weight"].shape[1])


def _identity(attributes: Taxonomy) -> tuple[str, ...]:
    return (attributes.identity,) if attributes.identity is not None else ()


def _compare(old: Taxonomy, new: Taxonomy) -> TransferReport:
    report = TransferReport()
    for name in new:
        if name not in old:
            report.new_attributes.append(name)
            continue
        offered, before = new.offered(name), old.offered(name)
        report.shared_choices[name] = [choice for choice in offered if choice in before]
        report.new_choices[name] = [choice for choice in offered if choice not in before]
        report.dropped_choices[name] = [choice for choice in before if choice not in offered]
    report.dropped_attributes = [name for name in old if name not in new]
    return report


def _quiet_new_blocks(state: Mapping[str, Tensor], new: list[str]) -> None:
    """Let new blocks of the generator add nothing at first: the picture is an enlarged one."""
    for name in new:
        if ".to_rgb.weight" in name or ".to_rgb.bias" in name:
            state[name].zero_()
