"""How many pictures of 1000 px a second are cropped, from file to manifest.

python -m benchmarks crop
PICTURES=500 python -m benchmarks crop
"""

import os
import resource
import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks.faces import FIRST_SCENE, rate
from face_crop.detector import DetectorOptions
from face_crop.options import CropOptions
from face_crop.runner import CropRun, LocalEngine
from face_crop.training.composed import SceneComposer

#: The goal: so many pictures a second on two cores.
GOAL = 12
PICTURES = 120
SIDE = 1000


def main() -> None:
    """Measure and print."""
    number = int(os.environ.get("PICTURES", PICTURES))
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "pictures"), Path(folder, "crops")
        source.mkdir()
        _compose(source, number)
        files = sorted(source.iterdir())
        _, alone = rate(DetectorOptions(), files)
        print(f"{number} JPEG files of {SIDE} px, two processes; goal {GOAL} a second on two cores")
        print(f"  reading and finding faces: {alone * 1000:.0f} ms of one core each")
        _measure(source, out)
        start = time.perf_counter()
        list(CropRun(source, out, CropOptions()).run(LocalEngine(2)))
        print(f"  finding out that all is done: {time.perf_counter() - start:.2f} s")


def _measure(source: Path, out: Path) -> None:
    run = CropRun(source, out, CropOptions())
    before, start = _cpu_seconds(), time.perf_counter()
    times = [time.perf_counter() - start for _ in run.run(LocalEngine(2))]
    busy = (_cpu_seconds() - before) / len(times)
    # The first pictures pay for the start of the processes.
    first = min(16, len(times) // 2)
    steady = (len(times) - first) / (times[-1] - times[first - 1])
    print(f"  cropping, from file to manifest, the start included: {busy * 1000:.0f} ms each:")
    print(f"    {2 / busy:.1f} pictures a second on two cores without other work")
    print(f"    {len(times) / times[-1]:.1f} by the clock, {steady:.1f} without the start")
    print(f"  {run.summary.crops} crops; rejected {run.summary.rejected}")


def _compose(folder: Path, number: int) -> None:
    composer = SceneComposer()
    for index in range(number):
        picture = Image.fromarray(composer.compose(FIRST_SCENE + index).picture)
        scale = SIDE / max(picture.size)
        size = (round(picture.width * scale), round(picture.height * scale))
        picture.resize(size, Image.Resampling.BICUBIC).save(folder / f"{index:05d}.jpg", quality=90)


def _cpu_seconds() -> float:
    """Return what this process and those that it has ended used (POSIX)."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


if __name__ == "__main__":
    main()
