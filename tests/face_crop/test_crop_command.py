"""The command as a user types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from avatargan.cli import main
from face_crop.cli import main as own_main
from tests.face_crop.runs import ARGUMENTS, OPTIONS, ROOT, command, crop, tree


@pytest.fixture
def run(capsys):
    """Run ``avatargan crop`` in this process."""

    def call(*arguments: object):
        capsys.readouterr()
        code = main(["crop", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def one_line_of_error(outcome) -> str:
    code, out, err = outcome
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    return err


def test_python_m_face_crop_does_what_the_package_does(scenes, tmp_path):
    done = command(scenes, tmp_path / "out", *ARGUMENTS, "--json", "--jobs", 2)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "pictures": 6,
        "crops": 5,
        "rejected": {"no face": 1},
        "quarantined": {},
        "new": 6,
        "out": str(tmp_path / "out"),
    }
    assert done.stderr == ""
    crop(scenes, tmp_path / "expected", OPTIONS)
    assert tree(tmp_path / "out") == tree(tmp_path / "expected")


def test_a_second_time_it_says_that_all_is_done(scenes, tmp_path, run):
    crop(scenes, tmp_path / "out", OPTIONS)
    code, out, err = run(scenes, tmp_path / "out", *ARGUMENTS)
    assert code == 0
    assert err == "6 of 6 pictures are done already\n"
    assert out.startswith("5 crops of 6 files in ")
    assert "1  no face" in out


def test_a_dry_run_counts_and_writes_nothing(scenes, tmp_path, run):
    code, out, _ = run(scenes, tmp_path / "out", *ARGUMENTS, "--dry-run", "--json")
    assert code == 0
    plan = json.loads(out)
    assert (plan["pictures"], plan["done"], plan["to_do"]) == (6, 0, 6)
    assert plan["options"]["size"] == 64
    assert not (tmp_path / "out").exists()
    crop(scenes, tmp_path / "out", OPTIONS)
    _, out, _ = run(scenes, tmp_path / "out", *ARGUMENTS, "--dry-run")
    assert out.startswith("6 files, 6 of them done, 0 to do")


@pytest.mark.parametrize("name", ["avatargan crop", "python -m face_crop"])
def test_help_shows_examples_and_the_way_to_the_preview(capsys, name):
    call = (lambda *words: main(["crop", *words])) if name.startswith("avatargan") else own_main
    for arguments in (["--help"], []):
        assert call(*arguments) == 0 if name.startswith("avatargan") else call(arguments) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"Usage: {name} [OPTIONS]")
        assert "avatargan crop preview pictures sheet.png" in out
        assert "--second-look" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{empty}", "{out}"], "there are no files in this folder"),
        (["{empty}/none", "{out}"], "there is no such folder"),
        (["{scenes}", "{scenes}"], "cannot go into the same folder"),
        (["{scenes}", "{scenes}/crops"], "one inside the other"),
        (["{scenes}", "{file}"], "is a file; choose a folder"),
        (["{scenes}", "{file}/out"], "{file}"),
        (["{scenes}"], "missing argument 'OUT' (see 'avatargan crop --help')"),
        (["{scenes}", "{out}", "--cascade", "{file}"], "not XML"),
        (["{scenes}", "{out}", "--cascade", "{empty}/c.xml"], "there is no such cascade"),
        (["{scenes}", "{out}", "--edge", "reflct"], "did you mean 'reflect'?"),
        (["{scenes}", "{out}", "--second-look", "of"], "did you mean 'off'?"),
        (["{scenes}", "{out}", "--engine", "rey"], "did you mean 'ray'?"),
        (["{scenes}", "{out}", "--size", "3"], "--size"),
        (["{scenes}", "{out}", "--scale-factor", "1"], "--scale-factor"),
        (["{scenes}", "{out}", "--siz", "64"], "did you mean '--size'?"),
        (["preview", "{empty}"], "there are no files"),
        (["preview", "{scenes}", "{file}"], "sheets are PNG files"),
        (["preview", "{scenes}", "{picture}"], "exists already"),
    ],
)
def test_mistakes_are_one_line_and_code_2(scenes, tmp_path, run, arguments, words):
    places = {
        "scenes": scenes,
        "out": tmp_path / "out",
        "empty": tmp_path / "empty",
        "file": tmp_path / "file.txt",
        "picture": tmp_path / "sheet.png",
    }
    places["empty"].mkdir()
    places["file"].write_text("not XML")
    places["picture"].write_text("mine")
    filled = [argument.format(**places) for argument in arguments]
    assert words.format(**places) in one_line_of_error(run(*filled))
    assert not (tmp_path / "out").exists()
    assert places["picture"].read_text() == "mine"


def test_a_folder_that_may_not_be_written(scenes, tmp_path, monkeypatch, run):
    def refuse(self, *args, **more):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    message = one_line_of_error(run(scenes, tmp_path / "out", *ARGUMENTS))
    assert f"cannot make {tmp_path / 'out'}: Permission denied" in message


def test_what_is_not_installed_is_named(scenes, tmp_path, run, monkeypatch):
    monkeypatch.setattr(
        "face_crop.cli.find_spec", lambda name: None if name == "imagehash" else object()
    )
    message = one_line_of_error(run(scenes, tmp_path / "out"))
    assert (
        message == "error: cropping needs imagehash; pip install imagehash adds what is missing\n"
    )


def test_other_options_into_the_same_folder(scenes, tmp_path, run):
    crop(scenes, tmp_path / "out", OPTIONS)
    message = one_line_of_error(run(scenes, tmp_path / "out", *ARGUMENTS, "--edge", "pad"))
    assert "--edge: reflect there, pad asked for" in message
    assert "--restart" in message
    code, _, _ = run(
        scenes, tmp_path / "out", *ARGUMENTS, "--edge", "pad", "--restart", "--jobs", 1
    )
    assert code == 0


def test_the_progress_goes_to_stderr_alone_and_the_result_to_stdout(scenes, tmp_path):
    """On a terminal, where the bar is shown."""
    import pty

    leader, follower = pty.openpty()
    arguments = [
        sys.executable,
        "-m",
        "face_crop",
        scenes,
        tmp_path / "out",
        *ARGUMENTS,
        "--json",
        "-j",
        1,
    ]
    done = subprocess.run(
        list(map(str, arguments)), cwd=ROOT, stdout=subprocess.PIPE, stderr=follower, timeout=100
    )
    os.close(follower)
    assert json.loads(done.stdout)["crops"] == 5
    os.close(leader)


def test_a_preview_is_a_picture_with_boxes(scenes, tmp_path, run):
    out = tmp_path / "sheet.png"
    more = [word for word in ARGUMENTS if word not in ("--size", "64")]
    code, printed, _ = run("preview", scenes, out, *more, "--json", "--jobs", 1)
    assert code == 0
    names = [*(f"scene-{number}.png" for number in range(5)), "view.png"]
    assert json.loads(printed) == [
        {"file": str(out), "pictures": names, "passed": 5, "rejected": 0}
    ]
    with Image.open(out) as sheet:
        colours = {colour for _, colour in sheet.convert("RGB").getcolors(1 << 24)}
    assert (38, 166, 91) in colours
    assert (230, 145, 20) in colours  # the words beside the picture without a face
