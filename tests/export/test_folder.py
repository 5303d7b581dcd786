"""Whose a folder is: other people's files are never touched."""

import os
import stat
import subprocess
import sys

import pytest

from avatargan.errors import OutputError
from avatargan.export import SheetOptions
from avatargan.export.wanted import WantedCharacter
from tests.export.conftest import tree


def test_folders_of_other_people_are_refused_whatever_is_asked(export, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=r"holds files of something else \('notes.txt'\)"):
            export(tmp_path, count=2, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_called_like_ours_is_not_enough(export, tmp_path):
    (tmp_path / ".avatargan").mkdir()
    (tmp_path / ".avatargan" / "diary").write_text("mine")
    with pytest.raises(OutputError, match="something else"):
        export(tmp_path, count=2)


def test_a_folder_that_was_killed_before_its_plan_was_written_is_ours(export, tmp_path):
    (tmp_path / ".avatargan").mkdir()
    (tmp_path / ".avatargan" / ".plan.json.abcdefgh.tmp").write_bytes(b"{")
    (tmp_path / ".DS_Store").touch()
    export(tmp_path, count=2)
    assert (tmp_path / "avatar_1.png").exists()
    kept = {path.name for path in (tmp_path / ".avatargan").iterdir()}
    assert kept == {"lock", "plan.json"}


def test_files_are_refused(export, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        export(tmp_path / "file", count=2)
    with pytest.raises(OutputError, match="cannot make"):
        export(tmp_path / "file" / "folder", count=2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_places_are_refused(export, tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(OutputError, match="Permission denied"):
        export(tmp_path / "out", count=2)
    tmp_path.chmod(stat.S_IRWXU)


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"count": 4}, "count: 3 there, 4 asked for"),
        ({"psi": 0.5}, "psi: 0.7 there, 0.5 asked for"),
        ({"first_seed": 9}, "first seed: 0 there, 9 asked for"),
        ({"size": 64}, "size: 32 there, 64 asked for"),
        ({"name": "{index}"}, "name: avatar_{seed} there, {index} asked for"),
        ({"wanted": {"ears": "cat"}}, "(ears: any there, cat asked for)"),
        ({"characters": [WantedCharacter(attributes={"ears": "cat"})] * 3}, "other characters"),
        ({"with_manifest": False}, "manifest: True there, False asked for"),
    ],
)
def test_another_export_in_the_folder_is_refused(export, tmp_path, options, difference):
    export(tmp_path, count=3)
    before = tree(tmp_path)
    with pytest.raises(OutputError) as error:
        export(tmp_path, **({"count": 3} | options))
    assert "holds another export" in str(error.value)
    assert difference in str(error.value)
    assert tree(tmp_path) == before


def test_overwriting_replaces_the_export_and_nothing_else(export, tmp_path):
    sheet = SheetOptions(columns=2, rows=1, atlas=True)
    export(tmp_path / "out", count=5, renpy="eileen", sheet=sheet)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    export(tmp_path / "out", count=2, psi=0.5, overwrite=True)
    export(tmp_path / "fresh", count=2, psi=0.5)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    (tmp_path / "out" / "notes.txt").unlink()
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")
    assert not (tmp_path / "out" / "sheets").exists()


def test_a_picture_that_was_changed_is_not_overwritten_unless_asked(export, tmp_path):
    export(tmp_path, count=3)
    whole = tree(tmp_path)
    (tmp_path / "avatar_1.png").write_bytes(b"my own drawing")
    with pytest.raises(OutputError, match=r"avatar_1.png is not, or no longer, the picture"):
        export(tmp_path, count=3)
    assert (tmp_path / "avatar_1.png").read_bytes() == b"my own drawing"
    export(tmp_path, count=3, overwrite=True)
    assert tree(tmp_path) == whole


@pytest.mark.parametrize(
    "name", ["manifest.csv", "index.html", "LICENSE.txt", "sheets/sheet-0.png"]
)
def test_a_text_or_sheet_that_was_changed_is_not_overwritten_unless_asked(export, tmp_path, name):
    sheet = SheetOptions(columns=2, rows=2)
    export(tmp_path, count=3, sheet=sheet)
    whole = tree(tmp_path)
    (tmp_path / name).write_bytes(b"with my remarks")
    with pytest.raises(OutputError, match="was changed since it was exported"):
        export(tmp_path, count=3, sheet=sheet)
    assert (tmp_path / name).read_bytes() == b"with my remarks"
    export(tmp_path, count=3, sheet=sheet, overwrite=True)
    assert tree(tmp_path) == whole


def test_a_damaged_plan_is_refused(export, tmp_path):
    export(tmp_path, count=2)
    (tmp_path / ".avatargan" / "plan.json").write_text("{}")
    with pytest.raises(OutputError, match="not a plan that this version"):
        export(tmp_path, count=2)


def test_two_processes_do_not_write_into_one_folder(export, tmp_path):
    export(tmp_path, count=2)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import filelock, sys; lock = filelock.FileLock(sys.argv[1]); lock.acquire();"
            "print('held', flush=True); sys.stdin.read()",
            str(tmp_path / ".avatargan" / "lock"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(OutputError, match="is being written by another avatargan"):
            export(tmp_path, count=2)
        holder.stdin.close()
    export(tmp_path, count=2)
