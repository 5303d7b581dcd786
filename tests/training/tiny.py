"""A run so small that it takes seconds, for tests of everything around the networks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image

from avatargan.networks import ConditionalGenerator
from avatargan.networks.dcgan import DcganGenerator
from avatargan.training import run as runs
from avatargan.training.distributed import Processes
from avatargan.training.loop import Outcome, train
from avatargan.training.run_folder import RunFolder
from avatargan.training.settings import TrainingSettings
from avatargan.training.stopping import StopRequest

HAIR = {"red": (210, 40, 40), "green": (40, 180, 60), "blue": (50, 60, 220)}
EYES = ("dark", "light")

TINY: dict[str, Any] = {
    "network": "avatar128",
    "resolution": 16,
    "width": 0.03,
    "batch": 8,
    "images": 160,
    "checkpoint_every": 24,
    "log_every": 16,
    "sample_every": 80,
    "threads": 1,
    "precision": "fp32",
    "tensorboard": "off",
    "quality_pictures": 0,
}


class Silent:
    """An observer that remembers the lines of metrics."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def step(self, images_seen: int) -> None:
        pass

    def metrics(self, entry: dict[str, Any]) -> None:
        self.entries.append(entry)

    def samples(self, images_seen: int, grid: Any) -> None:
        pass

    def quality(self, entry: dict[str, Any]) -> None:
        pass


def write_faces(folder: Path, count: int = 40, side: int = 16) -> Path:
    """Write pictures of one colour with noise, and their tags; some tags are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    rows = ["file,hair,eyes"]
    for index in range(count):
        hair = list(HAIR)[index % len(HAIR)]
        eyes = EYES[index // 2 % 2]
        level = np.full((side, side, 3), HAIR[hair]) + random.normal(0, 12, (side, side, 3))
        level[side // 2 :] *= 0.4 if eyes == "dark" else 1.2
        pixels = np.clip(level, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:03}.png")
        known = "" if index % 10 == 9 else eyes
        rows.append(f"{index:03}.png,{hair},{known}")
    (folder / "tags.csv").write_text("\n".join(rows) + "\n")
    return folder


def train_tiny(
    out: Path, faces: Path, cache: Path, *, moved: Sequence[Path] = (), **changes: Any
) -> Outcome:
    """Train from the start, or on from the newest checkpoint where the folder has one."""
    torch.set_num_threads(1)
    folder, processes = RunFolder(out), Processes()
    with (
        folder.lock(),
        patch.object(ConditionalGenerator, "statistic_latents", 64),
        patch.object(DcganGenerator, "statistic_latents", 64),
    ):
        if folder.config_path.exists():
            config = folder.read_config()
            settings = runs.continued_settings(config, changes)
            data = runs.open_data(runs.sources_of(config, moved), settings, processes, cache)
            run = runs.continued_run(settings, config, data, folder, processes)
        else:
            settings = TrainingSettings.from_values({**TINY, **changes})
            sources = [runs.SourceOptions(faces)]
            data = runs.open_data(sources, settings, processes, cache)
            run = runs.new_run(settings, data, folder, processes)
        with StopRequest() as stop:
            return train(run.trainer, data, folder, Silent(), stop)
