import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from avatargan.attributes import Taxonomy
from avatargan.cli import main
from avatargan.networks import Generator
from avatargan.weights import write_weights
from avatargan.weights_header import GENERATOR_ROLE


@dataclass(frozen=True)
class Outcome:
    """What a run of the command line left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def error(self) -> str:
        """The one line that a user error is."""
        assert self.code == 2, self
        assert self.stdout == ""
        assert self.stderr.startswith("error: "), self.stderr
        assert self.stderr.count("\n") == 1, self.stderr
        return self.stderr.removeprefix("error: ").rstrip("\n")


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process, as the shell would."""

    def call(*arguments: object) -> Outcome:
        words: Sequence[str] = [str(argument) for argument in arguments]
        capsys.readouterr()
        code = main(words)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained generator of 32 px with attributes of its own: quick to load and draw."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    attributes = Taxonomy(
        {
            "style": ["round", "square"],
            "hair": ["pink", "blue", "unknown"],
            "glasses": ["yes", "no"],
            "count": ["one", "two"],  # the name of an option of generate
        }
    )
    write_generator(path, attributes)
    return path


def write_generator(path: Path, attributes: Taxonomy) -> None:
    torch.manual_seed(0)
    generator = Generator(
        attributes,
        z_dim=8,
        w_dim=8,
        channels={4: 8, 8: 8, 16: 8, 32: 8},
        embedding_dims=dict.fromkeys(attributes, 4),
        mapping_layers=2,
    )
    metadata = {
        "role": GENERATOR_ROLE,
        "resolution": "32",
        "z_dim": "8",
        "w_dim": "8",
        "attributes": attributes.to_json(),
    }
    write_weights(path, generator.state_dict(), metadata)


@pytest.fixture
def run_small(run: Run, weights: Path) -> Run:
    """Run a command with the small generator."""

    def call(*arguments: object) -> Outcome:
        return run(*arguments, "--weights", weights)

    return call
