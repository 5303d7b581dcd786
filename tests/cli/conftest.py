import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from avatargan.cli import main
from tests.conftest import write_generator


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
    write_generator(
        path,
        {
            "style": ["round", "square"],
            "hair": ["pink", "blue", "unknown"],
            "glasses": ["yes", "no"],
            "count": ["one", "two"],  # the name of an option of generate
        },
    )
    return path


@pytest.fixture
def run_small(run: Run, weights: Path) -> Run:
    """Run a command with the small generator."""

    def call(*arguments: object) -> Outcome:
        return run(*arguments, "--weights", weights)

    return call
