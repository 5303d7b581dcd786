"""Random numbers as a function of the seed and of how many images were seen.

Nothing has to be stored to continue a run exactly: the position is the state. Numbers are drawn
for the whole batch and each process takes its own rows, so that a run does not depend on how many
processes share it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor


def derived_seed(*key: int) -> int:
    """Return a seed below 2^63 that follows from the numbers of a key and from nothing else."""
    (word,) = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return int(word) >> 1


@dataclass
class StepRandom:
    """The random numbers of one step of training.

    Attributes:
        key: what they follow from, such as the seed and the images seen.
        rank: which process this is.
        processes: how many there are.
        device: where the numbers are wanted.
    """

    key: Sequence[int]
    rank: int = 0
    processes: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        self._generator = torch.Generator(self.device)
        self._generator.manual_seed(derived_seed(*self.key))

    def seed_torch(self) -> None:
        """Seed what draws inside the networks, differently in each process."""
        torch.manual_seed(derived_seed(*self.key, self.rank + 1))

    def normal(self, batch: int, *shape: int) -> Tensor:
        """Return this process's rows ``[batch, *shape]`` of numbers from N(0, 1)."""
        return self._own_rows(
            torch.randn(
                batch * self.processes, *shape, generator=self._generator, device=self.device
            )
        )

    def uniform(self, batch: int, *shape: int) -> Tensor:
        """Return this process's rows ``[batch, *shape]`` of numbers from U[0, 1)."""
        return self._own_rows(
            torch.rand(
                batch * self.processes, *shape, generator=self._generator, device=self.device
            )
        )

    def _own_rows(self, values: Tensor) -> Tensor:
        return values[self.rank :: self.processes]
