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
        alone = rate(DetectorOptions(), files)
        print(
            f"{number} JPEG files of {SIDE} px, two processes of one thread; goal {GOAL} a second"
        )
        print(f"  finding faces alone, start left out: {alone:.1f} pictures a second")
        _measure(source, out, alone)
        start = time.perf_counter()
        list(CropRun(source, out, CropOptions()).run(LocalEngine(2)))
        print(f"  finding out that all is done: {time.perf_counter() - start:.2f} s")


def _measure(source: Path, out: Path, alone: float) -> None:
    run = CropRun(source, out, CropOptions())
    before = _cpu_seconds()
    start = time.perf_counter()
    times = [time.perf_counter() - start for _ in run.run(LocalEngine(2))]
    # The first windows of pictures pay for the start of the processes.
    first = min(16, len(times) // 2)
    steady = (len(times) - first) / (times[-1] - times[first - 1])
    cpu = (_cpu_seconds() - before) / len(times)
    summary = run.summary
    print(f"  cropping, from file to manifest: {len(times) / times[-1]:.1f} pictures a second")
    print(
        f"  the same without the start: {steady:.1f}, {steady / alone:.2f} of finding faces alone"
    )
    print(f"  CPU time {cpu * 1000:.0f} ms each; two cores of one's own: {2 / cpu:.1f} a second")
    print(f"  {summary.crops} crops; rejected {summary.rejected}")


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
