"""``avatargan export``: options, reports, and one line for every mistake."""

import json
import shutil
from collections import namedtuple

import numpy as np
import pytest

from avatargan.cli import main
from avatargan.pictures import open_picture
from avatargan.transparency import can_remove_backgrounds
from tests.export.conftest import tree


@pytest.fixture
def run(capsys, other_weights):
    """Run the command with small weights; return exit code, stdout and stderr."""

    def call(*arguments: object, weights: bool = True) -> tuple[int, str, str]:
        words = [str(argument) for argument in arguments]
        if weights:
            words += ["--weights", str(other_weights), "--allow-duplicates"]
        capsys.readouterr()
        code = main(["export", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_an_export_says_what_it_wrote(run, tmp_path):
    code, out, err = run("--count", 3, "--size", 32, "--sheet", "2x2", "--out", tmp_path / "a")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"3 avatars in {tmp_path / 'a'}",
        "  LICENSE.txt",
        "  manifest.jsonl",
        "  manifest.csv",
        "  index.html",
    ]
    assert (tmp_path / "a" / "sheets" / "sheet-0.png").exists()
    assert not (tmp_path / "a" / "sheets" / "sheet-0.json").exists()


def test_the_report_for_programs(run, tmp_path):
    arguments = ("--count", 3, "--size", 32, "--out", tmp_path / "a", "--json")
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["avatars"] == 3
    assert report["redrawn"] == 0
    assert report["files"] == ["LICENSE.txt", "manifest.jsonl", "manifest.csv", "index.html"]
    code, out, err = run(*arguments)
    assert err == "3 of 3 avatars are there already\n"


def test_a_dry_run_tells_and_writes_nothing(run, tmp_path):
    code, out, err = run("--count", 2000, "--size", 32, "--out", tmp_path / "a", "--dry-run")
    assert code == 0
    assert "2000 avatars of 32 px" in out
    assert "2006 files in all" in out
    assert "avatar_0.png, avatar_1.png" in out
    assert err.endswith("nothing was written: this was a dry run\n")
    assert not (tmp_path / "a").exists()


def test_what_a_dry_run_estimates_is_what_it_takes(run, tmp_path):
    arguments = ("--count", 60, "--size", 32, "--sheet", "4x4", "--out", tmp_path / "a")
    _, out, _ = run(*arguments, "--dry-run", "--json")
    plan = json.loads(out)
    run(*arguments)
    files = [path for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert plan["files"] == len(files)
    taken = sum(-(-path.stat().st_size // 4096) * 4096 for path in files)
    assert 0.7 * taken < plan["bytes"] < 1.6 * taken
    _, out, _ = run(*arguments, "--dry-run", "--json")
    assert json.loads(out)["finished"] == 60


def test_a_cast_from_a_file(run, tmp_path):
    cast = tmp_path / "cast.csv"
    cast.write_text("name,ears,seed\nMai,fox,5\nRei,,\n")
    code, _, _ = run("--from-csv", cast, "--glasses", "thin", "--size", 32, "--out", tmp_path / "a")
    assert code == 0
    entries = [json.loads(x) for x in (tmp_path / "a/manifest.jsonl").read_text().splitlines()]
    assert [entry["file"] for entry in entries] == ["Mai.png", "Rei.png"]
    assert (entries[0]["seed"], entries[0]["attributes"]["ears"]) == (5, "fox")
    assert {entry["attributes"]["glasses"] for entry in entries} == {"thin"}


def test_exactly_these_seeds(run, tmp_path):
    arguments = ("--seeds", "3,7-8", "--name", "{seed}", "--size", 32, "--out", tmp_path / "a")
    assert "exactly these seeds" in run(*arguments, "--dry-run")[1]
    code, _, _ = run(*arguments)
    assert code == 0
    assert sorted(p.name for p in (tmp_path / "a").glob("*.png")) == ["3.png", "7.png", "8.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--count", "0"], "--count"),
        (["--count", "many"], "--count"),
        (["--seed", "-1"], "a seed is an integer from 0"),
        (["--seed", "x"], "a seed is an integer from 0"),
        (["--count", "1000000000000"], "the export needs about"),
        (["--size", "100"], "there is no size 100"),
        (["--psi", "3"], "--psi"),
        (["--ears", "cta"], "did you mean 'cat'"),
        (["--name", "{hair}"], "unknown field '{hair}'"),
        (["--name", "../{seed}"], "path separator"),
        (["--name", "hero", "--count", "2"], "gives 'hero.png' to pictures 0 and 1"),
        (["--renpy", "A B"], "cannot be a Ren'Py image tag"),
        (["--palette", "hair"], "no attribute 'hair'"),
        (["--palette", "ears,ears"], "names ears more than once"),
        (["--sheet", "8"], "COLUMNSxROWS, such as 8x8, not '8'"),
        (["--sheet", "0x8"], "COLUMNSxROWS"),
        (["--sheet", "9999999x9999999"], "COLUMNSxROWS"),
        (["--sheet", "999x1"], "larger than 8192 px"),
        (["--atlas", "texturepacker"], "--atlas is about sprite sheets: add --sheet"),
        (["--padding", "3"], "--padding is about sprite sheets"),
        (["--power-of-two"], "--power-of-two is about sprite sheets"),
        (["--sheet", "2x2", "--atlas", "texture"], "did you mean 'texturepacker'"),
        (["--trim"], "--trim is about sprite sheets"),
        (["--licence", ""], "the licence is empty"),
        (["--distribute", "rya"], "did you mean 'ray'"),
        (["--seeds", "1-3", "--count", "2"], "leave --seed, --count, --from-csv out"),
        (["--from-csv", "nothing.csv"], "nothing.csv: there is no such file"),
        (["--from-csv", "nothing.csv", "--count", "2"], "leave --count out"),
        (["--min-confidence", "0.9"], "trained for other attributes"),
        (["--engine", "tourch"], "did you mean 'torch'"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(run, tmp_path, arguments, message):
    if "--size" not in arguments:
        arguments = [*arguments, "--size", "32"]
    code, out, err = run(*arguments, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "out").exists()


def test_mistakes_in_a_file_name_the_line(run, tmp_path):
    (tmp_path / "cast.csv").write_text("ears\ncat\ndog\n")
    code, _, err = run("--from-csv", tmp_path / "cast.csv", "--out", tmp_path / "out")
    assert code == 2
    assert "cast.csv, line 3: ears has no choice 'dog'" in err


def test_a_million_on_a_small_disk(run, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2e9, 1e9, 1e9))
    code, _, err = run("--count", 1_000_000, "--size", 32, "--out", tmp_path / "out")
    assert code == 2
    assert "1.00 GB free" in err or "1 GB free" in err
    assert not (tmp_path / "out").exists()
    assert run("--count", 10, "--size", 32, "--out", tmp_path / "out")[0] == 0


def test_other_options_into_the_same_folder_are_refused(run, tmp_path):
    run("--count", 2, "--size", 32, "--out", tmp_path / "a")
    before = tree(tmp_path)
    code, _, err = run("--count", 3, "--size", 32, "--out", tmp_path / "a")
    assert code == 2
    assert "count: 2 there, 3 asked for" in err
    assert tree(tmp_path) == before


def test_stopping_says_that_it_can_be_carried_on(run, tmp_path, monkeypatch):
    from avatargan.export import Exporter

    def stop(self):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(Exporter, "run", stop)
    code, _, err = run("--count", 2, "--size", 32, "--out", tmp_path / "a")
    assert code == 130
    assert err == "stopped; the same command carries on from here\ninterrupted\n"


def test_the_command_of_the_readme_for_games(run, tmp_path):
    code, _, _ = run(
        *("--count", 6, "--hair", "any", "--eyes", "any", "--size", 128),
        *("--name", "{hair}_{eyes}_{seed}", "--manifest", "--sheet", "8x8"),
        *("--atlas", "texturepacker", "--out", tmp_path / "a"),
        weights=False,
    )
    assert code == 0
    files = sorted(path.name for path in (tmp_path / "a").glob("*.png"))
    assert len(files) == 6
    assert all(len(name.split("_")) == 3 for name in files)
    assert (tmp_path / "a/sheets/sheet-0.array.json").exists()


def test_transparent_avatars(run, tmp_path):
    if not can_remove_backgrounds():
        pytest.skip("the weights of the matting network are not there")
    code, _, _ = run(
        *("--count", 2, "--size", 128, "--transparent", "--out", tmp_path / "a"), weights=False
    )
    assert code == 0
    for name in ("avatar_0.png", "avatar_1.png"):
        alpha = np.asarray(open_picture(tmp_path / "a" / name).getchannel("A"))
        assert (alpha == 0).mean() > 0.05
        assert (alpha == 255).mean() > 0.3
    entry = json.loads((tmp_path / "a/manifest.jsonl").read_text().splitlines()[0])
    assert entry["transparent"] is True
