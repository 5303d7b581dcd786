"""Processes that crash or hang cost only the item at hand."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from face_crop.workers import CRASHED, TOOK_TOO_LONG, Lost, WorkerPool


@dataclass(frozen=True)
class Worker:
    """Acts as its items say."""

    folder: str = ""

    def __call__(self):
        return self.act

    def act(self, item):
        word, _, rest = str(item).partition(" ")
        if word == "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        if word == "exit":
            os._exit(3)
        if word == "hang":
            time.sleep(1000)
        if word == "raise":
            raise ValueError(rest)
        if word == "once" and not Path(self.folder).exists():
            Path(self.folder).mkdir()
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "slow":
            time.sleep(float(rest))
        return f"{item}!"


def run(items, processes=2, time_limit=60.0, folder=""):
    with WorkerPool(Worker(str(folder)), processes, time_limit) as pool:
        return list(pool.map(items))


def test_results_come_in_order_whatever_takes_longest():
    items = ["slow 0.3", *map(str, range(30)), "slow 0.1", "end"]
    assert run(items) == [f"{item}!" for item in items]


def test_no_items():
    assert run([]) == []


def test_only_what_kills_its_process_is_lost():
    found = run(["a", "die", "b", "exit", "c"], processes=1)
    assert found == [
        "a!",
        Lost(CRASHED, "the process ended: SIGSEGV"),
        "b!",
        Lost(CRASHED, "the process ended: exit code 3"),
        "c!",
    ]


def test_what_hangs_is_given_up():
    found = run(["a", "hang", "b", "c"], time_limit=3.0)
    assert found == ["a!", Lost(TOOK_TOO_LONG, "more than 3 s"), "b!", "c!"]


def test_a_process_that_was_killed_by_chance_costs_nothing(tmp_path):
    assert run(["a", "once", "b"], 1, folder=tmp_path / "mark") == ["a!", "once!", "b!"]


def test_a_mistake_in_the_task_is_not_hidden():
    with pytest.raises(ValueError, match="something is wrong"):
        run(["a", "raise something is wrong", "b"], processes=1)


def test_items_are_taken_only_as_fast_as_results_are_fetched():
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield number

    with WorkerPool(Worker(), 1, 60.0) as pool:
        results = pool.map(items())
        for _ in range(3):
            next(results)
        assert len(taken) < 50


def test_processes_end_with_the_pool():
    with WorkerPool(Worker(), 2, 60.0) as pool:
        results = pool.map(["a", "hang"])
        next(results)
        processes = [worker._process.pid for worker in pool._workers]
    assert processes
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
