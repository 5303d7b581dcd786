"""What tests of several parts share."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from avatargan.attributes import Taxonomy
from avatargan.networks import Generator
from avatargan.pipeline import AvatarPipeline
from avatargan.weights import write_weights

# A look at each property in every run; HYPOTHESIS_PROFILE=thorough looks longer. Neither has a
# deadline: machines that run tests are shared.
settings.register_profile("quick", max_examples=30, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

SHARED = Path(__file__).parent.parent.parent / "shared"

#: A taxonomy that shares nothing with that of the shipped weights but the idea of a style.
OTHER_ATTRIBUTES = {
    "style": ["ink"],
    "ears": ["cat", "fox", "round", "unknown"],
    "glasses": ["none", "thin"],
}


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared folder, which only some machines have."""
    if not SHARED.is_dir():
        pytest.skip("the shared folder is not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def pipe() -> AvatarPipeline:
    """The shipped weights on the CPU."""
    return AvatarPipeline.load(device="cpu")


@pytest.fixture(scope="session")
def other_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small untrained generator with :data:`OTHER_ATTRIBUTES`, 32 px."""
    path = tmp_path_factory.mktemp("weights") / "other.safetensors"
    write_generator(path, OTHER_ATTRIBUTES)
    return path


def write_generator(path: Path, attributes: Mapping[str, list[str]]) -> None:
    """Write weights of a small untrained generator: w of 24, 32 px."""
    torch.manual_seed(0)
    generator = Generator(
        Taxonomy(attributes),
        z_dim=16,
        w_dim=24,
        channels={4: 16, 8: 16, 16: 16, 32: 8},
        embedding_dims=dict.fromkeys(attributes, 6),
    )
    metadata = {
        "role": "generator",
        "resolution": "32",
        "z_dim": "16",
        "w_dim": "24",
        "attributes": Taxonomy(attributes).to_json(),
    }
    write_weights(path, generator.state_dict(), metadata)
