"""The folder of a run: what it was, how it went, and what came of it.

======================  =======================================================================
``config.json``         every setting, versions, the git commit, the sets and their hashes
``metrics.jsonl``       a line of numbers every so many images
``quality.jsonl``       what the average was worth on held-out pictures, at each checkpoint
``best.safetensors``    the average that was worth most, to draw with
``samples/``            grids of samples over time, named by the images seen
``checkpoints/``        what a run goes on from
``generator.safetensors``, ``critic.safetensors``   weights to draw, judge and fine-tune with
``report.html``         curves and grids
``tensorboard/``        events, where TensorBoard is installed
======================  =======================================================================
"""

import fcntl
import json
import math
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from avatargan.errors import CheckpointError, OptionError, OutputError, WeightsError
from avatargan.files import read_regular, target_of_temporary, write_atomically
from avatargan.training import checkpoints
from avatargan.version import __version__
from avatargan.weights_header import GENERATOR_ROLE, read_header

_LOCK_FILE = ".lock"
_VERSIONED = ("torch", "numpy", "pillow", "safetensors")


class RunFolder:
    """Reads and writes the files of a run.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_path = path / "config.json"
        self.metrics_path = path / "metrics.jsonl"
        self.samples = path / "samples"
        self.checkpoints = path / checkpoints.FOLDER
        self.generator = path / "generator.safetensors"
        self.critic = path / "critic.safetensors"
        self.quality_path = path / "quality.jsonl"
        self.best = path / "best.safetensors"
        self.report = path / "report.html"
        self.tensorboard = path / "tensorboard"

    def check_new(self) -> None:
        """Make sure that a new run would not mix with another.

        Raises:
            OutputError: there is something in the folder already.
        """
        try:
            used = self.path.exists() and (
                not self.path.is_dir() or not all(map(self._is_of_a_start, self.path.iterdir()))
            )
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror or error}") from error
        if used:
            raise OutputError(
                f"{self.path} exists already; choose another --out, "
                f"or continue it with --resume {self.path}"
            )

    def _is_of_a_start(self, path: Path) -> bool:
        """Tell whether a file is what a run leaves that was killed before it had begun."""
        if path == self.checkpoints and path.is_dir():
            names = {file.name for file in path.iterdir()}
            return all(
                name == f"{0:012}.safetensors" or target_of_temporary(name) is not None
                for name in names
            )
        return path.name in (_LOCK_FILE, "decoded") or target_of_temporary(path.name) is not None

    def remove_temporary(self) -> None:
        """Remove the files that a killed process was writing."""
        for folder in (self.path, self.checkpoints, self.samples):
            for path in folder.iterdir() if folder.is_dir() else ():
                if target_of_temporary(path.name) is not None:
                    path.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from training in this folder at the same time.

        Raises:
            OutputError: one does already, or the folder cannot be written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / _LOCK_FILE).open("w")
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror or error}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(f"{self.path} is being trained by another process") from None
            self.remove_temporary()
            yield

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write ``config.json``."""
        write_atomically(self.config_path, json.dumps(config, indent=2) + "\n")

    def read_config(self) -> dict[str, Any]:
        """Read ``config.json``.

        Raises:
            OptionError: there is no run in this folder, or its file is damaged.
        """
        try:
            config = json.loads(read_regular(self.config_path))
        except (FileNotFoundError, NotADirectoryError):
            began = self.checkpoints.is_dir()
            why = "it was stopped before it began; start it again" if began else "no config.json"
            raise OptionError(f"{self.path}: there is no run in it ({why})") from None
        except (OSError, ValueError, RecursionError) as error:
            raise OptionError(f"{self.config_path}: cannot be read ({error})") from error
        if not isinstance(config, dict) or not isinstance(config.get("settings"), dict):
            raise OptionError(f"{self.config_path}: not the settings of a run")
        return config

    def newest_checkpoint(self) -> Path:
        """Return the checkpoint to go on from.

        Raises:
            CheckpointError: there is none.
        """
        there = checkpoints.list_checkpoints(self.checkpoints)
        if not there:
            raise CheckpointError(f"{self.path}: there is no checkpoint to go on from")
        return there[-1]

    def append_metrics(self, entry: Mapping[str, Any]) -> None:
        """Add a line to ``metrics.jsonl``.

        Raises:
            OutputError: it cannot be written.
        """
        _append(self.metrics_path, entry)

    def append_quality(self, entry: Mapping[str, Any]) -> None:
        """Add a line to ``quality.jsonl``; errors as above."""
        _append(self.quality_path, entry)

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return the lines of ``metrics.jsonl``; one that a killed process left half is dropped."""
        return self._read_lines(self.metrics_path)

    def read_quality(self) -> list[dict[str, Any]]:
        """Return the lines of ``quality.jsonl``, likewise."""
        return self._read_lines(self.quality_path)

    def best_kid(self) -> float:
        """Return the distance of the best average so far; infinite where there is none.

        It is written in the file itself, so that the two can never differ.
        """
        try:
            return float(read_header(self.best, GENERATOR_ROLE).metadata["kid"])
        except (WeightsError, KeyError, ValueError):
            return math.inf

    @staticmethod
    def _read_lines(path: Path) -> list[dict[str, Any]]:
        entries = []
        content = path.read_bytes() if path.exists() else b""
        for line in content.splitlines():
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict) and isinstance(entry.get("images_seen"), int):
                entries.append(entry)
        return entries

    def rewind(self, images_seen: int) -> None:
        """Forget the lines and samples after a position: they will come again."""
        for path in (self.metrics_path, self.quality_path):
            entries = self._read_lines(path)
            if path == self.quality_path and not path.exists():
                continue
            kept = [entry for entry in entries if entry["images_seen"] <= images_seen]
            write_atomically(path, "".join(json.dumps(entry) + "\n" for entry in kept))
        for path in self.list_samples():
            if int(path.stem) > images_seen:
                path.unlink(missing_ok=True)

    def write_samples(self, images_seen: int, grid: Image.Image) -> Path:
        """Write a grid of samples."""
        buffer = BytesIO()
        grid.save(buffer, "PNG")
        path = self.samples / f"{images_seen:012}.png"
        write_atomically(path, buffer.getvalue())
        return path

    def list_samples(self) -> list[Path]:
        """Return the grids of samples, the oldest first."""
        if not self.samples.is_dir():
            return []
        return sorted(path for path in self.samples.glob("*.png") if path.stem.isdigit())


def _append(path: Path, entry: Mapping[str, Any]) -> None:
    """Add a line to a file, and see to it that it is on the disk."""
    try:
        with path.open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def versions() -> dict[str, str]:
    """Return the versions of what computes."""
    found = {"avatargan": __version__, "python": platform.python_version()}
    for package in _VERSIONED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def git_commit(folder: Path) -> str | None:
    """Return the commit of the code, with a mark where files differ from it, or None."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    command += ["--exclude", "*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None
