"""A file is whole or not there, whatever happens while it is written."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading

import pytest

from avatargan.errors import OutputError
from avatargan.files import (
    atomic_writer,
    check_writable,
    read_regular,
    user_cache_folder,
    write_atomically,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_text_and_bytes_are_written_and_parents_made(tmp_path):
    write_atomically(tmp_path / "a" / "b.txt", "ä")
    write_atomically(tmp_path / "a" / "c.bin", b"\x00")
    assert (tmp_path / "a" / "b.txt").read_text(encoding="utf-8") == "ä"
    assert names(tmp_path / "a") == ["b.txt", "c.bin"]


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def write_and_fail():
        with atomic_writer(path) as file:
            file.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="the disk is full"):
        write_atomically(tmp_path / "file", "text")
    assert names(tmp_path) == []


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_atomically(tmp_path / "file" / "below", "text")


def test_the_first_of_two_writers_wins_without_overwriting(tmp_path):
    path = tmp_path / "file"
    results = []

    def write(word):
        try:
            with atomic_writer(path, overwrite=False) as file:
                file.write(word)
                barrier.wait(timeout=10)
            results.append(word)
        except OutputError:
            pass

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=write, args=(word,)) for word in (b"one", b"two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes()] == results
    assert names(tmp_path) == ["file"]


def test_file_systems_without_hard_links_work_too(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    write_atomically(tmp_path / "file", "text", overwrite=False)
    assert (tmp_path / "file").read_text() == "text"
    with pytest.raises(OutputError, match="exists already"):
        write_atomically(tmp_path / "file", "other", overwrite=False)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_results_follow_the_umask(tmp_path):
    code = "import sys; from avatargan.files import write_atomically as w; w(sys.argv[1], 'x')"
    subprocess.run(
        ["sh", "-c", 'umask 027; exec "$@"', "sh", sys.executable, "-c", code, tmp_path / "file"],
        check=True,
    )
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_killed_writer_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old" * 1000)
    code = (
        "import sys\nfrom avatargan.files import atomic_writer\n"
        "with atomic_writer(sys.argv[1]) as file:\n"
        "    file.write(b'new'); file.flush(); print('writing', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)
    assert path.read_bytes() == b"old" * 1000


def test_names_as_long_as_the_system_takes_can_be_written(tmp_path):
    for name in ("名" * 83 + ".png", "a" * 251 + ".png"):
        write_atomically(tmp_path / name, b"content")
        assert (tmp_path / name).read_bytes() == b"content"


def test_a_link_that_leads_nowhere_is_not_overwritten_either(tmp_path):
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="exists already"):
        write_atomically(link, b"content", overwrite=False)
    assert link.is_symlink()


def test_reading_does_not_wait_for_a_pipe_nor_read_a_device(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError, match="a pipe or a device"):
            read_regular(path)


def test_what_would_fill_the_memory_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("avatargan.files._MOST_READ", 4)
    (tmp_path / "large").write_bytes(b"12345")
    with pytest.raises(OSError, match="larger than"):
        read_regular(tmp_path / "large")
    (tmp_path / "large").write_bytes(b"1234")
    assert read_regular(tmp_path / "large") == b"1234"


def test_a_folder_that_cannot_be_written_to_is_found_out_early(tmp_path):
    check_writable(tmp_path / "new" / "folder")
    assert not list((tmp_path / "new" / "folder").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write to"):
        check_writable(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot write to"):
        check_writable("/proc/nowhere")


def test_what_can_be_made_again_is_kept_where_something_can_be_written(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert user_cache_folder("maps") == tmp_path / "cache" / "avatargan" / "maps"
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked / "below"))
    assert user_cache_folder("maps", beside=tmp_path / "run") == tmp_path / "run" / "maps"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    expected = tmp_path / "temporary" / "avatargan" / "maps"
    assert user_cache_folder("maps", beside=blocked) == user_cache_folder("maps") == expected
