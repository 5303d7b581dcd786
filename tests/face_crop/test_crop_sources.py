"""Which files are looked at, whatever links, names and folders there are."""

import json
import os
import socket

import pytest

from avatargan.errors import CrawlError, PictureError
from face_crop.sources import find_sources


def names(folder, **more):
    return [source.name for source in find_sources(folder, **more)]


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def test_files_of_all_folders_in_one_order(tmp_path):
    for name in ("b/2.png", "b/10.png", "a.png", "b.png", "c/d/e.jpg"):
        touch(tmp_path / name)
    assert names(tmp_path) == ["a.png", "b.png", "b/10.png", "b/2.png", "c/d/e.jpg"]


def test_hidden_files_and_what_file_managers_leave_are_left_out(tmp_path):
    for name in (".hidden.png", ".git/a.png", "Thumbs.db", "desktop.ini", "seen.png"):
        touch(tmp_path / name)
    assert names(tmp_path) == ["seen.png"]


def test_names_in_any_script_and_with_any_character(tmp_path):
    every = ["顔 写真.png", "صورة.png", "🙂.png", "new\nline.png", 'quo"te.png', " .png", "-rf.png"]
    for name in every:
        touch(tmp_path / name)
    not_utf8 = os.fsdecode(b"caf\xe9.png")
    touch(tmp_path / not_utf8)
    assert sorted([*every, not_utf8]) == names(tmp_path)


def test_loops_of_links_end_and_every_folder_is_visited_once(tmp_path):
    touch(tmp_path / "src/a/1.png")
    touch(tmp_path / "src/b/2.png")
    touch(tmp_path / "elsewhere/3.png")
    (tmp_path / "src/a/up").symlink_to(tmp_path / "src")
    (tmp_path / "src/a/beside").symlink_to(tmp_path / "src/b")
    (tmp_path / "src/0-first").symlink_to(tmp_path / "src/b")
    (tmp_path / "src/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "src")
    # Files keep the name of the folder they are really in, if that is there too.
    assert names(tmp_path / "src") == ["a/1.png", "b/2.png", "link/3.png"]


def test_many_folders_that_link_to_each_other_are_walked_in_no_time(tmp_path):
    folders = [tmp_path / f"{number:02d}" for number in range(20)]
    for folder in folders:
        touch(folder / "1.png")
        for other in folders:
            (folder / f"to-{other.name}").symlink_to(other)
    assert len(names(tmp_path)) == 20


def test_links_to_files_are_taken_and_those_that_lead_nowhere_too(tmp_path):
    touch(tmp_path / "elsewhere.png")
    source = tmp_path / "src"
    source.mkdir()
    (source / "good.png").symlink_to(tmp_path / "elsewhere.png")
    (source / "gone.png").symlink_to(tmp_path / "nothing")
    (source / "loop.png").symlink_to(source / "loop.png")
    assert names(source) == ["gone.png", "good.png", "loop.png"]


def test_pipes_and_sockets_are_listed_so_that_they_can_be_put_on_record(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.png"))
        assert names(tmp_path) == ["pipe.png", "s.png"]


def test_the_folder_of_the_crops_is_not_entered(tmp_path):
    touch(tmp_path / "src/1.png")
    touch(tmp_path / "out/2.png")
    (tmp_path / "src/link").symlink_to(tmp_path / "out")
    assert names(tmp_path / "src", leave_out=tmp_path / "out") == ["1.png"]


def test_a_folder_that_cannot_be_read_is_a_problem_of_its_own(tmp_path, monkeypatch):
    touch(tmp_path / "open/1.png")
    touch(tmp_path / "shut/2.png")
    real = os.scandir

    def scandir(path):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("face_crop.sources.os.scandir", scandir)
    first, second = find_sources(tmp_path)
    assert (first.name, first.problem) == ("open/1.png", None)
    assert second.name == "shut"
    assert "Permission denied" in second.problem


def test_a_single_picture(tmp_path):
    touch(tmp_path / "1.png")
    assert names(tmp_path / "1.png") == ["1.png"]


def test_a_missing_folder(tmp_path):
    with pytest.raises(PictureError, match="nowhere: there is no such folder"):
        find_sources(tmp_path / "nowhere")


def crawl_folder(folder, lines):
    touch(folder / "ledger.sqlite")
    touch(folder / "report.html")
    for number, line in enumerate(lines):
        touch(folder / line.get("file", f"pictures/{number}"))
    (folder / "manifest.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def test_of_a_crawl_the_pictures_of_its_manifest_with_their_ids(tmp_path):
    crawl_folder(
        tmp_path,
        [
            {"id": "3f2a9c1e-000002", "file": "pictures/ab/ab.png"},
            {"id": "3f2a9c1e-000001", "file": "pictures/cd/cd.jpg"},
        ],
    )
    touch(tmp_path / "pictures/ef/not-in-the-manifest.png")
    found = [(source.name, source.crawl_id) for source in find_sources(tmp_path)]
    assert found == [
        ("pictures/ab/ab.png", "3f2a9c1e-000002"),
        ("pictures/cd/cd.jpg", "3f2a9c1e-000001"),
    ]


@pytest.mark.parametrize("line", ["not JSON", '{"file": "x.png"}', '{"id": 7, "file": "x.png"}'])
def test_a_damaged_manifest_of_a_crawl_is_named(tmp_path, line):
    crawl_folder(tmp_path, [])
    (tmp_path / "manifest.jsonl").write_text(f"{line}\n")
    with pytest.raises(CrawlError, match=r"manifest\.jsonl is damaged"):
        find_sources(tmp_path)


def test_a_crawl_without_manifest_has_no_ids_to_give(tmp_path):
    touch(tmp_path / "ledger.sqlite")
    with pytest.raises(CrawlError, match="not written its manifest yet"):
        find_sources(tmp_path)


def test_a_manifest_of_something_else_is_a_file_like_others(tmp_path):
    (tmp_path / "manifest.jsonl").write_text('{"file": "1.png", "seed": 3}\n')
    touch(tmp_path / "1.png")
    assert names(tmp_path) == ["1.png", "manifest.jsonl"]
