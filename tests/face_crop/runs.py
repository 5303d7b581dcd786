"""What tests of the cropper share."""

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from face_crop.analysis import Analyser
from face_crop.detector import DetectorOptions
from face_crop.options import CropOptions
from face_crop.runner import CropRun

ROOT = Path(__file__).parents[2]
#: Quick to run: one pass of the cascade.
DETECTOR = DetectorOptions(scale_factor=1.2, neighbours=3, second_look="off")
OPTIONS = CropOptions(detector=DETECTOR, size=64)
#: The same on the command line.
ARGUMENTS = [
    "--scale-factor", "1.2", "--neighbours", "3", "--no-rotate", "--second-look", "off",
    "--size", "64",
]  # fmt: skip


class HereEngine:
    """Analyses in this process: starting others takes longer than the work itself."""

    def __init__(self) -> None:
        self.analysed: list[str] = []

    def analyse(self, make_analyser, sources):
        analyse = make_analyser()
        for source in sources:
            self.analysed.append(source.name)
            yield analyse(source)


def crop(source: Path, out: Path, options: CropOptions = OPTIONS, engine=None, **more) -> CropRun:
    """Run the cropper in this process and return the finished run."""
    run = CropRun(source, out, options, **more)
    run.finished = list(run.run(engine or HereEngine()))
    return run


def command(*arguments: object, program: Sequence[str] = ("face_crop",), **more):
    """Run ``python -m face_crop`` as a user does, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", *program, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        **more,
    )


def draw_scenes(folder: Path, faces: Sequence[Image.Image]) -> None:
    """Draw a picture around each face, and one more without a face."""
    for number, face in enumerate(faces):
        scene_with(face, number).save(folder / f"scene-{number}.png")
    scene_with(None, 99).save(folder / "view.png")


def scene_with(face: Image.Image | None, seed: int, size=(300, 260)) -> Image.Image:
    """A picture of soft colours with a face in it, at a place that follows from the seed."""
    chance = np.random.default_rng(seed)
    patches = chance.integers(120, 256, (4, 4, 3), dtype=np.uint8)
    scene = Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)
    if face is not None:
        left = int(chance.integers(40, size[0] - face.width - 40))
        top = int(chance.integers(40, size[1] - face.height - 40))
        scene.paste(face, (left, top))
    return scene


def tree(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file, hidden ones too, by its path inside a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def analysed(path: Path, options: CropOptions = OPTIONS):
    """Analyse one file in this process."""
    from face_crop.sources import Source

    return Analyser(options).analyse(Source(path.name, path))


def with_limits(**limits) -> CropOptions:
    return replace(OPTIONS, limits=replace(OPTIONS.limits, **limits))
