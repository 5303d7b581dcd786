"""Exports for visitors: bounded, fair to others, and nothing left behind."""

import threading
import time
import zipfile
from collections.abc import Iterator

import pytest

from avatargan.errors import BusyError, OptionError
from avatargan.export import ExportPlan
from avatargan.pipeline import AvatarPipeline
from avatargan.web import exports
from avatargan.web.exports import ExportWishes, export_zip, plan_export
from avatargan.web.jobs import Job, run_job
from avatargan.web.service import AvatarService, Limits


@pytest.fixture(scope="module")
def service(pipe: AvatarPipeline) -> Iterator[AvatarService]:
    service = AvatarService(pipe, Limits(export_pictures=8, export_pixels=4 * 512**2, jobs=1))
    yield service
    service.close()


def plan(service: AvatarService, **changes: object) -> ExportPlan:
    options = {
        "attributes": {},
        "first_seed": 5,
        "count": 8,
        "size": 128,
        "name": "avatar_{seed}",
        "manifest": True,
        "sheets": False,
        "transparent": False,
    }
    return plan_export(service, ExportWishes(**(options | changes)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 9}, "from 1 to 8 pictures"),
        ({"count": 0}, "from 1 to 8 pictures"),
        ({"size": 512}, "at most 4 pictures of 512 px"),
        ({"size": 100}, "no size 100"),
        ({"name": "../{seed}"}, "path separator"),
    ],
)
def test_what_one_export_may_not_be_is_refused(service, changes, message):
    with pytest.raises(OptionError, match=message):
        plan(service, **changes)


def test_transparency_that_cannot_be_had_is_refused(service, monkeypatch):
    monkeypatch.setattr(exports, "can_remove_backgrounds", lambda: False)
    with pytest.raises(OptionError, match="transparent"):
        plan(service, transparent=True)


@pytest.mark.parametrize(("size", "columns"), [(128, 8), (256, 8), (512, 7)])
def test_sheets_are_of_a_size_that_phones_take(service, size, columns):
    sheet = plan(service, size=size, count=4, sheets=True).sheet
    assert (sheet.columns, sheet.rows) == (columns, columns)
    assert sheet.atlas


def test_an_export_is_drawn_in_portions_that_let_others_in(service, tmp_path, monkeypatch):
    drawing = threading.Lock()
    portions: list[int] = []

    def run(work, deadline):
        assert drawing.acquire(blocking=False)  # one portion at a time, through the service
        try:
            result = work()
        finally:
            drawing.release()
        portions.append(len(result))
        return result

    monkeypatch.setattr(service, "_run", run)
    target = tmp_path / "a.zip"
    files = list(export_zip(service, plan(service), tmp_path / "folder", target, iter))
    assert files == [f"avatar_{seed}.png" for seed in range(5, 13)]
    assert max(portions) <= service.pipeline.renderer.chunk
    with zipfile.ZipFile(target) as archive:
        assert {*files, "manifest.csv", "LICENSE.txt"} <= set(archive.namelist())


def test_only_so_many_jobs_at_a_time(service):
    go_on = threading.Event()
    first = run_job(service, lambda job: go_on.wait(30), 1)
    assert next(first) == {"status": "busy", "done": 0, "total": 1}
    with pytest.raises(BusyError, match="too many exports"):
        next(run_job(service, lambda job: None, 1))
    go_on.set()
    list(first)
    list(run_job(service, lambda job: None, 1))  # its place is free again


def test_a_job_stops_when_its_visitor_leaves(service):
    stopped = threading.Event()

    def work(job: Job) -> None:
        try:
            while True:
                job.check()
                time.sleep(0.001)
        finally:
            stopped.set()

    waiting = run_job(service, work, 1)
    next(waiting)
    waiting.close()
    assert stopped.is_set()


def test_a_job_is_given_up_when_its_time_is_over():
    with pytest.raises(BusyError, match="took too long"):
        list(Job(time.monotonic() - 1).counted([1]))
