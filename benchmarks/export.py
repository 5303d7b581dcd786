"""How long an export takes, how much memory, and how near-duplicates and the judge behave.

python -m benchmarks export                measures a part and scales it
AVATARS=10000 python -m benchmarks export  measures all of it
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatargan import AvatarPipeline
from avatargan.devices import usable_cores
from avatargan.export import Exporter, ExportFolder, create_plan, create_studio
from avatargan.export.judge import TaggerJudge
from avatargan.export.similarity import NEAR_DUPLICATE_BITS, fingerprint

#: The goal: so many avatars at 128 px with manifest, in so many seconds on two cores.
GOAL_AVATARS, GOAL_SECONDS, GOAL_CORES = 10_000, 360, 2
PART = 1_000
JUDGED = 500
COMPARED = 1_500


def main() -> None:
    """Print all figures."""
    pipe = AvatarPipeline.load(device="cpu")
    avatars = int(os.environ.get("AVATARS", PART))
    _measure_export(pipe, avatars)
    _measure_duplicates(pipe)
    _measure_judge(pipe)


def _measure_export(pipe: AvatarPipeline, avatars: int) -> None:
    alone = _seconds_of_drawing_alone(pipe, avatars // 5)
    with tempfile.TemporaryDirectory() as folder:
        plan = create_plan(pipe, count=avatars, size=128, name="{hair}_{eyes}_{seed}")
        exporter = Exporter(plan, ExportFolder(Path(folder)), create_studio(plan, pipe))
        memory = []
        start, cpu = time.perf_counter(), time.process_time()
        for number, _ in enumerate(exporter.run()):
            if number % (avatars // 10) == avatars // 20:
                memory.append(_resident_megabytes())
        seconds = time.perf_counter() - start
        cpu = time.process_time() - cpu
        start = time.perf_counter()
        again = Exporter(plan, ExportFolder(Path(folder)), create_studio(plan, pipe))
        for _ in again.run():
            pass
        seconds_again = time.perf_counter() - start
    scale = GOAL_AVATARS / avatars
    print(f"{avatars} avatars at 128 px with manifest and preview page, {usable_cores()} cores")
    print(f"  {seconds:.1f} s ({seconds / avatars * 1000:.1f} ms each), CPU time {cpu:.1f} s")
    print(f"  {seconds / avatars / alone:.2f} times as long as drawing alone, just before")
    print(f"  {GOAL_AVATARS} at this rate: {seconds * scale:.0f} s; goal {GOAL_SECONDS} s")
    print(
        f"  {GOAL_AVATARS} from the CPU time, on {GOAL_CORES} cores of one's own: "
        f"{cpu * scale / GOAL_CORES:.0f} s"
    )
    print(f"  replaced by another seed: {exporter.redrawn}")
    print(f"  finding out that all is there: {seconds_again:.1f} s")
    print(f"  resident memory at each tenth, MB: {', '.join(f'{m:.0f}' for m in memory)}")


def _seconds_of_drawing_alone(pipe: AvatarPipeline, avatars: int) -> float:
    recipes = pipe.recipes(range(avatars), size=128)
    start = time.perf_counter()
    for _ in pipe.draw(recipes):
        pass
    return (time.perf_counter() - start) / avatars


def _measure_duplicates(pipe: AvatarPipeline) -> None:
    prints = np.array(
        [fingerprint(avatar.image) for avatar in pipe.draw(pipe.recipes(range(COMPARED), size=128))]
    )
    distances = np.concatenate(
        [_distances(prints[i + 1 :], prints[i]) for i in range(COMPARED - 1)]
    )
    print(f"bits in which two of {COMPARED} unrelated characters differ, of 192")
    print(
        f"  least {distances.min()}, one pair in 100,000 {np.percentile(distances, 0.001):.0f}, "
        f"median {np.median(distances):.0f}; {NEAR_DUPLICATE_BITS} or fewer count as the same"
    )


def _distances(prints: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.uint64]:
    distances: NDArray[np.uint64] = np.bitwise_count(prints ^ other).sum(axis=1, dtype=np.uint64)
    return distances


def _measure_judge(pipe: AvatarPipeline) -> None:
    judge = TaggerJudge.load(pipe.attributes)
    sure: dict[str, list[float]] = {}
    times = []
    recipes = pipe.recipes(range(JUDGED), size=128, style="any")
    for avatar in pipe.draw(recipes):
        start = time.perf_counter()
        for name, value in judge.confidence(avatar.image, avatar.recipe.attributes).items():
            sure.setdefault(name, []).append(value)
        times.append(time.perf_counter() - start)
    print(f"the tagger as judge of {JUDGED} avatars, {statistics.median(times) * 1000:.0f} ms each")
    least = np.min(list(sure.values()), axis=0)
    for name, values in [*sure.items(), ("all of them", list(least))]:
        shares = [f"{np.mean(np.array(values) >= p):.1%} at {p}" for p in (0.5, 0.8, 0.9, 0.95)]
        print(f"  {name}: agrees with {', '.join(shares)}")


def _resident_megabytes() -> float:
    """Return what this process holds in memory now (Linux; 0 elsewhere)."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return 0.0
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


if __name__ == "__main__":
    main()
