"""Several processes that train together, started by torchrun."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, distributed, nn

from avatargan.errors import OptionError


@dataclass(frozen=True)
class Processes:
    """This process among those of the run.

    Attributes:
        rank: which one it is, from 0.
        count: how many there are.
        device: what it computes on.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def any(self, here: bool) -> bool:
        """Tell whether something is so in any process; all of them have to ask."""
        if self.count == 1:
            return here
        flag = torch.tensor(float(here), device=self.device)
        distributed.all_reduce(flag, distributed.ReduceOp.MAX)
        return bool(flag.item())

    def largest(self, here: float) -> float:
        """Return the largest of a number in all processes; all of them have to ask."""
        if self.count == 1:
            return here
        number = torch.tensor(here, device=self.device, dtype=torch.float64)
        distributed.all_reduce(number, distributed.ReduceOp.MAX)
        return float(number.item())

    def wait_for_all(self) -> None:
        """Return when all processes have come here."""
        if self.count > 1:
            distributed.barrier()

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of the processes' values; all of them have to ask."""
        if self.count == 1:
            return values
        total = values.detach().clone()
        distributed.all_reduce(total)
        return total / self.count

    def share_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give each parameter the mean of the processes' gradients, all in one message.

        For gradients that DistributedDataParallel has not gathered. All processes have to ask,
        with gradients of the same parameters.
        """
        if self.count == 1:
            return
        gradients = [values.grad for values in parameters if values.grad is not None]
        mean = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, values in zip(gradients, torch.split(mean, sizes), strict=True):
            gradient.copy_(values.view_as(gradient))

    def standard_deviation(self, values: Tensor) -> Tensor:
        """Return the standard deviation of all values of all processes, which have equally many."""
        values = values.detach()
        values = values if values.dtype == torch.float64 else values.float()
        mean = self.mean(values.mean())
        return self.mean((values - mean).square().mean()).sqrt()


@contextmanager
def joined_processes(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started, or be the only one.

    Args:
        device: cuda or cpu.

    Raises:
        OptionError: there are more processes than graphics cards.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if device == "cuda":
        if local_rank >= torch.cuda.device_count():
            raise OptionError(
                f"{torch.cuda.device_count()} graphics cards do not serve "
                f"{local_rank + 1} processes; lower --nproc-per-node"
            )
        torch.cuda.set_device(local_rank)
        chosen = torch.device("cuda", local_rank)
    else:
        chosen = torch.device(device)
    if count == 1:
        yield Processes(device=chosen)
        return
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield Processes(rank, count, chosen)
    finally:
        distributed.destroy_process_group()
