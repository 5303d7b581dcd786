"""torch.compile where it works, and the networks as they are where it does not."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

#: A network, compiled or not: called like it.
Callback = Callable[..., Any]


def compiled_or_not(
    network: nn.Module, trial: Callable[[Callback], torch.Tensor]
) -> tuple[Callback, str | None]:
    """Return the compiled network and None, or the network itself and why not.

    Compilers fail late: at the first call, or at its backward pass. Both are tried here; buffers
    and gradients are afterwards as they were before.

    Args:
        network: in training mode.
        trial: calls the network it is given on typical arguments and returns a scalar.

    Raises:
        torch.OutOfMemoryError: there is too little memory for the trial; there would be too
            little without the compiler too.
    """
    buffers = {name: values.clone() for name, values in network.named_buffers()}
    compiled = torch.compile(network, dynamic=False)  # few shapes, each worth its own code
    try:
        trial(compiled).backward()  # type: ignore[no-untyped-call]
    except torch.OutOfMemoryError:
        raise
    # What compilers and drivers raise has no common base below these.
    except (RuntimeError, ImportError, OSError, AttributeError, TypeError) as error:
        torch.compiler.reset()
        first_line = (str(error).strip().splitlines() or [""])[0]
        return network, f"{type(error).__name__}: {first_line[:200]}"
    finally:
        network.zero_grad(set_to_none=True)
        for name, values in network.named_buffers():
            values.copy_(buffers[name])
    return compiled, None
