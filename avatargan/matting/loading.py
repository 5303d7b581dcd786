"""The matting network from its weights file."""

from pathlib import Path

import torch

from avatargan.errors import WeightsError
from avatargan.matting.network import SIZES, MattingNetwork
from avatargan.weights import read_weights, write_weights
from avatargan.weights_header import MATTING_ROLE, SHIPPED_MATTING, shipped_weights


def load_network(path: str | Path | None = None) -> MattingNetwork:
    """Return the matting network of a weights file (the shipped one by default).

    Every size is read from the tensors.

    Raises:
        WeightsError: the file is missing, truncated, of the wrong kind, or inconsistent.
    """
    weights = read_weights(path or shipped_weights(SHIPPED_MATTING), MATTING_ROLE)
    levels = 0
    while f"look.{levels}.weight" in weights.tensors:
        levels += 1
    if not levels:
        raise WeightsError(f"{weights.path}: the tensor 'look.0.weight' is missing")
    channels = [weights.shape(f"look.{level}.weight", 4)[0] for level in range(levels)]
    widths = [weights.shape(f"refinements.{i}.head.weight", 4)[0] for i in range(len(SIZES))]
    with torch.device("meta"):
        network = MattingNetwork(channels, widths)
    weights.give_to(network)
    return network.eval().requires_grad_(False)


def save_network(path: str | Path, network: MattingNetwork) -> None:
    """Write the weights of a matting network.

    Raises:
        OutputError: the file cannot be written.
    """
    write_weights(path, network.state_dict(), {"role": MATTING_ROLE})
