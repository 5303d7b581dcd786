"""What a run leaves in its folder, and what a second one adds."""

import errno
import hashlib
import io
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avatargan.errors import CascadeError, OptionError, OutputError, PictureError
from face_crop.boxes import Box
from face_crop.runner import CropRun, LocalEngine
from tests.face_crop.runs import (
    DETECTOR,
    OPTIONS,
    HereEngine,
    analysed,
    crop,
    scene_with,
    tree,
    with_limits,
)


@pytest.fixture
def pictures(scenes, tmp_path) -> Path:
    """A copy of the scenes that the test may change."""
    return Path(shutil.copytree(scenes, tmp_path / "pictures"))


@pytest.fixture(scope="module")
def cropped(scenes, tmp_path_factory) -> Path:
    """Crops of the scenes; not to be changed."""
    out = tmp_path_factory.mktemp("cropped") / "out"
    crop(scenes, out)
    return out


def lines(out: Path, name: str = "manifest.jsonl") -> list[dict]:
    return [json.loads(line) for line in (out / name).read_text().splitlines()]


def test_every_face_is_a_crop_with_a_line_in_the_manifest(scenes, cropped):
    manifest = lines(cropped)
    assert [line["source"] for line in manifest] == [f"scene-{n}.png" for n in range(5)]
    assert {path.name for path in cropped.glob("*.png")} == {line["file"] for line in manifest}
    for line in manifest:
        with Image.open(cropped / line["file"]) as image:
            assert (image.size, image.mode) == ((64, 64), "RGB")
        box, square = Box(*line["box"]), Box(*line["crop_box"])
        assert square.width == pytest.approx(1.5 * box.width, abs=0.02)
        assert square.centre == pytest.approx(box.centre, abs=0.02)
        assert line["size"] == 64
        assert line["angle"] == 0
        assert len(line["hash"]) == 16
        assert {"cascade", "sharpness", "colourfulness"} <= line["scores"].keys()
        assert line["source_size"] == [300, 260]
        content = (scenes / line["source"]).read_bytes()
        assert line["source_sha256"] == hashlib.sha256(content).hexdigest()


def test_a_picture_without_a_face_is_rejected_with_the_reason(cropped):
    (line,) = lines(cropped, "rejected.jsonl")
    assert (line["source"], line["reason"]) == ("view.png", "no face")
    assert lines(cropped, "quarantine.jsonl") == []


def test_the_originals_are_left_as_they_are(scenes, pictures, tmp_path):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in pictures.iterdir()}
    (pictures / "broken.png").write_bytes(b"broken")
    crop(pictures, tmp_path / "out")
    (pictures / "broken.png").unlink()
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in pictures.iterdir()} == before


def test_any_number_of_processes_gives_the_same_folder(scenes, cropped, tmp_path):
    crop(scenes, tmp_path / "out", engine=LocalEngine(2))
    assert tree(tmp_path / "out") == tree(cropped)


def test_a_second_run_has_nothing_to_do_and_changes_nothing(scenes, tmp_path):
    crop(scenes, tmp_path / "out")
    before = tree(tmp_path / "out")
    engine = HereEngine()
    run = crop(scenes, tmp_path / "out", engine=engine)
    assert (engine.analysed, run.finished) == ([], [])
    assert tree(tmp_path / "out") == before
    assert run.summary.crops == 5


def test_only_what_is_missing_is_done(pictures, cropped, tmp_path):
    out = tmp_path / "out"
    later = pictures / "scene-2.png"
    content, time = later.read_bytes(), later.stat().st_mtime_ns
    later.unlink()
    crop(pictures, out)
    later.write_bytes(content)
    os.utime(later, ns=(time, time))
    engine = HereEngine()
    crop(pictures, out, engine=engine)
    assert engine.analysed == ["scene-2.png"]
    assert {name: sha for name, sha in tree(out).items() if "journal" not in name} == {
        name: sha for name, sha in tree(cropped).items() if "journal" not in name
    }


def test_a_crop_that_was_deleted_comes_back(pictures, cropped, tmp_path):
    out = tmp_path / "out"
    crop(pictures, out)
    next(out.glob("scene-3*.png")).unlink()
    engine = HereEngine()
    crop(pictures, out, engine=engine)
    assert engine.analysed == ["scene-3.png"]
    assert {p.name for p in out.glob("*.png")} == {p.name for p in cropped.glob("*.png")}


def test_a_picture_that_was_changed_is_done_again_and_leaves_nothing_behind(pictures, tmp_path):
    out = tmp_path / "out"
    crop(pictures, out)
    shutil.copy(pictures / "view.png", pictures / "scene-1.png")
    engine = HereEngine()
    crop(pictures, out, engine=engine)
    assert engine.analysed == ["scene-1.png"]
    assert not list(out.glob("scene-1*.png"))
    assert {line["source"] for line in lines(out)} == {f"scene-{n}.png" for n in (0, 2, 3, 4)}


def test_a_picture_that_was_only_touched_is_not_done_again(pictures, tmp_path):
    crop(pictures, tmp_path / "out")
    os.utime(pictures / "scene-1.png")
    engine = HereEngine()
    crop(pictures, tmp_path / "out", engine=engine)
    assert engine.analysed == []


def test_crops_of_pictures_that_are_gone_stay(pictures, tmp_path):
    out = tmp_path / "out"
    crop(pictures, out)
    (pictures / "scene-1.png").unlink()
    crop(pictures, out)
    assert len(lines(out)) == 5
    assert len(list(out.glob("*.png"))) == 5


def test_the_second_file_with_one_content_is_rejected(pictures, tmp_path):
    shutil.copy(pictures / "scene-0.png", pictures / "another name.png")
    run = crop(pictures, tmp_path / "out")
    assert run.summary.crops == 5
    (line,) = [e for e in lines(tmp_path / "out", "rejected.jsonl") if e["reason"] != "no face"]
    assert line["source"] == "scene-0.png"  # the later by name
    assert (line["reason"], line["detail"]) == ("same content", "another name.png")


def test_a_copy_of_a_face_in_another_file_is_rejected(pictures, tmp_path):
    with Image.open(pictures / "scene-0.png") as image:
        image.save(pictures / "scene-0-copy.jpg", quality=80)
    crop(pictures, tmp_path / "out")
    manifest = {line["source"]: line["file"] for line in lines(tmp_path / "out")}
    (line,) = [e for e in lines(tmp_path / "out", "rejected.jsonl") if e["reason"] != "no face"]
    assert (line["source"], line["reason"]) == ("scene-0.png", "near-duplicate")
    assert line["detail"] == manifest["scene-0-copy.jpg"]
    assert Box(*line["box"]).width > 50


def test_duplicates_are_kept_where_that_is_asked_for(pictures, tmp_path):
    with Image.open(pictures / "scene-0.png") as image:
        image.save(pictures / "scene-0-copy.jpg", quality=80)
    assert crop(pictures, tmp_path / "o", replace(OPTIONS, near_duplicates=-1)).summary.crops == 6


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"smallest_crop": 400}, "too small"),
        ({"sharpness": 9}, "blurred"),
        ({"colourfulness": 900}, "greyscale"),
    ],
)
def test_what_does_not_reach_a_limit_is_rejected(scenes, limits, reason):
    (candidate,) = analysed(scenes / "scene-0.png", with_limits(**limits)).candidates
    assert candidate.rejected[0] == reason
    assert str(next(iter(limits.values()))) in candidate.rejected[1]
    assert candidate.png is None


@pytest.mark.parametrize(
    ("edge", "most_outside", "passes"),
    [("reflect", 0.4, True), ("pad", 0.4, True), ("reflect", 0.05, False), ("drop", 0.4, False)],
)
def test_crops_that_stick_out(pipe, tmp_path, edge, most_outside, passes):
    face = pipe.generate([1], size=128)[0].image
    scene = scene_with(None, 1)
    scene.paste(face, (-10, 60))
    scene.save(tmp_path / "1.png")
    options = replace(with_limits(most_outside=most_outside), edge=edge)
    (candidate,) = analysed(tmp_path / "1.png", options).candidates
    assert candidate.square.x < -10
    assert (candidate.rejected is None) is passes
    assert passes or candidate.rejected[0] == "sticks out"


def test_names_are_safe_and_readable(pictures, tmp_path):
    for number, name in enumerate(["顔\n写真/é!.png", "a" * 200 + ".png", "..png", "-x-.png"]):
        target = pictures / "in" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (pictures / f"scene-{number}.png").rename(target)
    crop(pictures, tmp_path / "out")
    names = {line["source"].split("/")[-1]: line["file"] for line in lines(tmp_path / "out")}
    assert names["é!.png"].startswith("é-")
    assert names["a" * 200 + ".png"].startswith("a" * 40 + "-")
    assert names["-x-.png"].startswith("x-")
    for file in names.values():
        assert (tmp_path / "out" / file).is_file()
        assert "/" not in file
        assert "\n" not in file


def test_names_that_are_not_utf8_come_back_as_they_are(pictures, tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    (pictures / "scene-0.png").rename(pictures / name)
    crop(pictures, tmp_path / "out")
    engine = HereEngine()
    crop(pictures, tmp_path / "out", engine=engine)
    assert engine.analysed == []
    assert name in {line["source"] for line in lines(tmp_path / "out")}


def test_a_picture_the_detector_fails_on_does_not_end_the_run(pictures, tmp_path, monkeypatch):
    from face_crop.detector import FaceDetector

    real, calls = FaceDetector.detect, []

    def detect(self, picture):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("bad luck")
        return real(self, picture)

    monkeypatch.setattr(FaceDetector, "detect", detect)
    run = crop(pictures, tmp_path / "out")
    assert run.summary.crops == 4
    (line,) = lines(tmp_path / "out", "quarantine.jsonl")
    assert (line["source"], line["reason"]) == ("scene-1.png", "failed")
    assert line["detail"] == "RuntimeError: bad luck"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (replace(OPTIONS, size=96), "--size: 64 there, 96 asked for"),
        (with_limits(sharpness=0.5), "--sharpness: 0.2 there, 0.5 asked for"),
        (
            replace(OPTIONS, detector=replace(DETECTOR, neighbours=7)),
            "--neighbours: 3 there, 7 asked for",
        ),
    ],
)
def test_other_options_are_named_with_the_remedy(scenes, cropped, options, words):
    before = tree(cropped)
    with pytest.raises(OutputError) as raised:
        CropRun(scenes, cropped, options)
    assert words in str(raised.value)
    assert "--restart" in str(raised.value)
    assert tree(cropped) == before


def test_another_cascade_is_told_by_its_content(scenes, cropped, tmp_path):
    from face_crop.cascade import SHIPPED_CASCADE

    same = tmp_path / "same.xml"
    shutil.copy(SHIPPED_CASCADE, same)
    moved = replace(OPTIONS, detector=replace(DETECTOR, cascade=same))
    assert CropRun(scenes, cropped, moved).missing == []
    same.write_text(same.read_text() + "\n")
    with pytest.raises(OutputError, match="another file for --cascade"):
        CropRun(scenes, cropped, moved)


def test_restart_removes_the_earlier_crops_and_nothing_else(scenes, tmp_path):
    out = tmp_path / "out"
    crop(scenes, out)
    (out / "notes.txt").write_text("mine")
    options = replace(OPTIONS, size=96)
    crop(scenes, out, options, restart=True)
    assert (out / "notes.txt").read_text() == "mine"
    (out / "notes.txt").unlink()
    crop(scenes, tmp_path / "fresh", options)
    assert tree(out) == tree(tmp_path / "fresh")


def test_a_journal_from_elsewhere_leads_to_no_other_files(scenes, tmp_path):
    out, precious = tmp_path / "out", tmp_path / "precious.png"
    crop(scenes, out)
    precious.write_text("mine")
    journal = out / ".avatargan/crop-journal.jsonl"
    journal.write_text('{"writing": ["../precious.png"]}\n' + journal.read_text())
    with pytest.raises(OutputError, match="damaged"):
        crop(scenes, out)
    assert precious.exists()


def test_a_damaged_line_of_the_journal_costs_only_its_picture(scenes, cropped, tmp_path):
    out = tmp_path / "out"
    crop(scenes, out)
    journal = out / ".avatargan/crop-journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], b"\x00" * 50 + b"\n[]\n{}\n", *lines[3:], b'{"sou']))
    engine = HereEngine()
    crop(scenes, out, engine=engine)
    assert engine.analysed == ["scene-2.png"]
    assert tree(out) == tree(cropped)


def test_folders_that_are_not_ours_are_refused(scenes, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "holiday.png").write_text("mine")
    with pytest.raises(OutputError, match=r"files of something else \('holiday.png'\)"):
        CropRun(scenes, out, OPTIONS)
    with pytest.raises(OutputError, match="is a file"):
        CropRun(scenes, out / "holiday.png", OPTIONS)


def test_folders_inside_each_other_are_refused(pictures, tmp_path):
    (pictures / "in").mkdir()
    (tmp_path / "link").symlink_to(pictures)
    for source, out in (
        (pictures, pictures),
        (pictures, tmp_path / "link"),
        (pictures, pictures / "in"),
        (pictures / "in", pictures),
        (pictures, tmp_path / "link" / "new"),
    ):
        with pytest.raises(OptionError, match=r"same folder|one inside the other"):
            CropRun(source, out, OPTIONS)


def test_folders_without_pictures(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PictureError, match="empty: there are no files in this folder"):
        CropRun(tmp_path / "empty", tmp_path / "out", OPTIONS)
    with pytest.raises(PictureError, match="nowhere: there is no such folder"):
        CropRun(tmp_path / "nowhere", tmp_path / "out", OPTIONS)
    assert not (tmp_path / "out").exists()


def test_a_missing_cascade_is_found_out_before_anything_is_done(scenes, tmp_path):
    options = replace(OPTIONS, detector=replace(DETECTOR, cascade=tmp_path / "none.xml"))
    with pytest.raises(CascadeError, match=r"none\.xml"):
        CropRun(scenes, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_two_runs_at_once_into_one_folder(scenes, tmp_path):
    first = CropRun(scenes, tmp_path / "out", OPTIONS).run(HereEngine())
    next(first)
    with pytest.raises(OutputError, match="being written by another"):
        list(CropRun(scenes, tmp_path / "out", OPTIONS).run(HereEngine()))
    first.close()


def test_what_is_stopped_has_its_lists_and_can_be_carried_on(scenes, cropped, tmp_path):
    out = tmp_path / "out"
    steps = CropRun(scenes, out, OPTIONS).run(HereEngine())
    for _ in range(3):
        next(steps)
    steps.close()
    assert len(lines(out)) == len(list(out.glob("*.png"))) == 3
    engine = HereEngine()
    crop(scenes, out, engine=engine)
    assert engine.analysed == ["scene-3.png", "scene-4.png", "view.png"]
    assert tree(out) == tree(cropped)


def test_a_full_disk_is_one_clear_error_and_the_next_run_carries_on(
    scenes, cropped, tmp_path, monkeypatch
):
    out, real, written = tmp_path / "out", os.fsync, []

    def fsync(descriptor):
        written.append(descriptor)
        if len(written) == 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr("avatargan.files.os.fsync", fsync)
        with pytest.raises(OutputError, match="disk is full"):
            crop(scenes, out)
    crop(scenes, out)
    assert tree(out) == tree(cropped)


def test_a_picture_larger_than_its_crops_is_shrunk_with_care(pipe, tmp_path):
    large = scene_with(None, 5, size=(900, 800))
    large.paste(pipe.generate([4], size=512)[0].image, (200, 150))
    large.save(tmp_path / "1.png")
    (candidate,) = analysed(tmp_path / "1.png").candidates
    crop_image = np.asarray(Image.open(io.BytesIO(candidate.png))).astype(int)
    square = candidate.square
    box = (square.x, square.y, square.right, square.bottom)
    expected = np.asarray(large.resize((64, 64), Image.Resampling.BOX, box=box)).astype(int)
    assert np.abs(crop_image - expected).max() <= 1
