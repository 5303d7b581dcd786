"""Broken files never stop a run: each is on record with its reason, in little memory."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from face_crop.runner import LocalEngine
from tests.face_crop.corrupt import write_corrupted
from tests.face_crop.runs import ARGUMENTS, OPTIONS, ROOT, crop


def on_record(out: Path) -> Counter:
    counts: Counter = Counter()
    for name in ("manifest.jsonl", "rejected.jsonl", "quarantine.jsonl"):
        for line in (out / name).read_text().splitlines():
            entry = json.loads(line)
            counts[name, entry.get("reason")] += 1
            if name != "manifest.jsonl":
                assert entry["detail"]
    return counts


def resident(process: int) -> int:
    """Bytes that a process and its children hold in memory; what they share counts once each."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if process in (int(entry.name), parent):
                total += int((entry / "statm").read_text().split()[1]) * 4096
        except (OSError, ValueError, IndexError):
            continue
    return total


def crop_corrupted(source: Path, out: Path) -> tuple[dict, int]:
    """Run the command; return what it reports and the peak memory of all its processes."""
    arguments = [sys.executable, "-m", "face_crop", str(source), str(out), "--json", *ARGUMENTS]
    peak = 0
    with subprocess.Popen(
        [*arguments, "--jobs", "2"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.02)
        report = process.stdout.read()
        assert process.returncode == 0, process.stderr.read()
    return json.loads(report), peak


def check(source: Path, out: Path, count: int) -> None:
    report, peak = crop_corrupted(source, out)
    counts = on_record(out)
    sys.stdout.write(f"\nmeasured {count} files, peak {peak / 1e6:.0f} MB, {dict(counts)}\n")
    assert report["pictures"] == count
    assert sum(report["quarantined"].values()) == count
    assert sum(counts.values()) == count
    assert {"empty", "not a picture", "damaged", "too large"} == set(report["quarantined"])
    assert peak < 400e6


def test_two_hundred_corrupted_files(tmp_path):
    write_corrupted(tmp_path / "src", 200)
    check(tmp_path / "src", tmp_path / "out", 200)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_corrupted_files(tmp_path):
    write_corrupted(tmp_path / "src", 10_000)
    check(tmp_path / "src", tmp_path / "out", 10_000)


def test_good_pictures_among_broken_ones_are_cropped_all_the_same(scenes, tmp_path):
    source = tmp_path / "src"
    write_corrupted(source, 20)
    os.mkfifo(source / "pipe.png")
    (source / "loop.png").symlink_to(source / "loop.png")
    (source / "up").symlink_to(tmp_path)
    for path in scenes.iterdir():
        (source / path.name).symlink_to(path)
    run = crop(source, tmp_path / "out")
    assert run.summary.crops == 5
    assert sum(run.summary.quarantined.values()) == 22
    assert run.summary.quarantined["not a file"] == 1


@pytest.mark.slow
def test_a_picture_that_crashes_or_hangs_its_process_loses_only_itself(
    scenes, tmp_path, monkeypatch
):
    """Two contents that stand for hostile ones: a decoder that is made to act on them."""
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    (plugin / "sitecustomize.py").write_text(
        "import os, signal, time\n"
        "import avatargan.pictures\n"
        "real = avatargan.pictures.open_picture\n"
        "def open_picture(source):\n"
        "    if source == b'crash': os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    if source == b'hang': time.sleep(1000)\n"
        "    return real(source)\n"
        "avatargan.pictures.open_picture = open_picture\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(plugin), str(ROOT)]))
    source = tmp_path / "src"
    source.mkdir()
    for path in scenes.iterdir():
        (source / path.name).symlink_to(path)
    (source / "a-crash.png").write_bytes(b"crash")
    (source / "scene-2-hang.png").write_bytes(b"hang")
    run = crop(source, tmp_path / "out", OPTIONS, engine=LocalEngine(2, time_limit=5.0))
    assert run.summary.crops == 5
    assert run.summary.quarantined == {"crashed": 1, "took too long": 1}
    lines = (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()
    crashed, hung = map(json.loads, lines)
    assert (crashed["source"], crashed["detail"]) == (
        "a-crash.png",
        "the process ended: SIGSEGV",
    )
    assert (hung["source"], hung["detail"]) == ("scene-2-hang.png", "more than 5 s")
    assert hung["bytes"] == 4
    # They are known by then, and do not cost the time again.
    assert crop(source, tmp_path / "out", OPTIONS).finished == []
