"""Pictures and taggers that are small enough to be made anew."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from avatargan.attributes import Taxonomy
from avatargan.tagging import load_judge, load_tagger
from avatargan.tagging.network import TaggerNetwork
from avatargan.tagging.tagger import save_tagger

#: Attributes that the shipped tagger does not have.
COLOURS = {"red": (220, 60, 60), "green": (60, 180, 80), "blue": (70, 90, 220)}


def face(hair, eyes, random, side=64):
    """A drawing of blocks: hair around a face with two eyes, on white."""
    pixels = np.full((side, side, 3), 255, np.uint8)
    top, left = random.integers(4, 12, 2)
    pixels[top : top + 44, left : left + 44] = COLOURS[hair]
    pixels[top + 14 : top + 40, left + 8 : left + 36] = (250, 226, 208)
    pixels[top + 20 : top + 28, left + 12 : left + 19] = COLOURS[eyes]
    pixels[top + 20 : top + 28, left + 25 : left + 32] = COLOURS[eyes]
    noise = random.normal(0, 4, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def write_faces(folder: Path, count: int, *, untagged_eyes: bool = False) -> Path:
    """A folder of such drawings with a tags.csv; of every second, the eyes may be unknown."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    with (folder / "tags.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "coat", "gem"))
        for index in range(count):
            hair, eyes = random.choice(list(COLOURS), 2)
            Image.fromarray(face(hair, eyes, random)).save(folder / f"{index:03d}.png")
            known = eyes if index % 2 or not untagged_eyes else ""
            table.writerow((f"{index:03d}.png", hair, known))
    return folder


@pytest.fixture(scope="session")
def faces(tmp_path_factory) -> Path:
    """120 drawings of blocks, with hair as "coat" and eyes as "gem"."""
    return write_faces(tmp_path_factory.mktemp("faces") / "set", 120, untagged_eyes=True)


@pytest.fixture(scope="session")
def shipped():
    """The shipped tagger."""
    return load_tagger()


@pytest.fixture(scope="session")
def shipped_judge():
    """The shipped tagger that judges drawings."""
    return load_judge()


@pytest.fixture(scope="session")
def untrained(tmp_path_factory) -> Path:
    """Weights of a small tagger that was never trained."""
    path = tmp_path_factory.mktemp("tagger") / "untrained.safetensors"
    torch.manual_seed(0)
    network = TaggerNetwork([2, 3], widths=(8, 8, 8, 8), feature_dim=12)
    attributes = Taxonomy({"ears": ("cat", "fox", "unknown"), "mood": ("a", "b", "c", "unknown")})
    save_tagger(path, network, attributes, {"ears": 1.0, "mood": 2.0})
    return path


@pytest.fixture(scope="session")
def drawn(pipe):
    """Sixty drawings of the shipped generator at 128 px, with what they were asked to be."""
    recipes = pipe.recipes(range(60), size=128, psi=0.7, style="visual-novel")
    avatars = list(pipe.draw(recipes))
    pictures = np.stack([np.asarray(avatar.image) for avatar in avatars])
    return pictures, [avatar.recipe.attributes for avatar in avatars]


def with_glasses(pixels, random):
    """Two dark rings and a bridge where the eyes of the drawings are."""
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    side = image.width
    top = side * (0.5 + random.uniform(-0.03, 0.03))
    for left in (0.25, 0.53):
        box = (side * left, top, side * (left + 0.22), top + side * 0.17)
        draw.ellipse(box, outline=(20, 20, 30), width=4)
    draw.line((side * 0.47, top + 10, side * 0.53, top + 10), fill=(20, 20, 30), width=4)
    return np.asarray(image)


@pytest.fixture(scope="session")
def glasses(drawn, tmp_path_factory):
    """Examples: thirty drawings as they are, thirty others with glasses drawn on."""
    folder = tmp_path_factory.mktemp("examples") / "glasses"
    random = np.random.default_rng(0)
    for choice in ("no", "yes"):
        (folder / choice).mkdir(parents=True)
    for index, pixels in enumerate(drawn[0]):
        shown = with_glasses(pixels, random) if index % 2 else pixels
        choice = "yes" if index % 2 else "no"
        Image.fromarray(shown).save(folder / choice / f"{index}.png")
    return folder


@pytest.fixture
def avatargan():
    """Run the command in a process of its own."""

    def run(*arguments, code=0, stdin=subprocess.DEVNULL):
        done = subprocess.run(
            [sys.executable, "-m", "avatargan", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=100,
            stdin=stdin,
            env={**os.environ, "PYTHONWARNINGS": "error::UserWarning"},
        )
        assert done.returncode == code, done
        if code == 2:
            assert done.stderr.splitlines()[-1].startswith("error: "), done.stderr
        return done

    return run
