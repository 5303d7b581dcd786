"""The commands tag, train-tagger and teach, as people call them."""

import csv
import inspect
import io
import json

import pytest
from PIL import Image

from avatargan.cli import main, tag, train_tagger
from avatargan.dataset import open_dataset
from avatargan.tagging import load_tagger
from avatargan.tagging.folder import DEFAULT_THRESHOLD
from avatargan.tagging.training import TrainingOptions


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def one_line(capsys):
    """Run a command that fails, and return its one line."""

    def run(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert code == 2, captured
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        return captured.err

    return run


def test_from_a_folder_to_a_set_with_tags(faces, tmp_path, avatargan, capsys):
    folder = tmp_path / "顔"
    folder.mkdir()
    for file in sorted(faces.glob("*.png"))[:12]:
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "broken.png").write_bytes(b"nothing")
    done = avatargan("tag", folder, "--threshold", 0, "--sheet", tmp_path / "sheet.png", "--json")
    told = json.loads(done.stdout)
    assert told["pictures"] == 12
    assert [each["file"] for each in told["skipped"]] == ["broken.png"]
    assert done.stderr.splitlines() == [
        f"skipped broken.png: {told['skipped'][0]['reason']}",
    ]
    rows = table(folder / "tags.csv")
    columns = ["file", "hair", "hair_p", "eyes", "eyes_p", "tagger", "reason"]
    assert list(rows[0]) == columns
    assert len(rows) == 12
    assert all(0 <= float(row["hair_p"]) <= 1 for row in rows)
    data = open_dataset(folder)
    assert set(data.attributes) == {"hair", "eyes"}
    for path in told["sheets"].values():
        with Image.open(path) as sheet:
            assert sheet.width > 900
    assert main(["tag", str(folder)]) == 2
    assert "exists already" in capsys.readouterr().err
    skipped = tmp_path / "skipped.csv"
    assert main(["tag", str(folder), "--overwrite", "--skipped", str(skipped)]) == 0
    captured = capsys.readouterr()
    assert "12 pictures tagged, 1 skipped" in captured.out
    assert captured.err == ""
    assert [row["file"] for row in table(skipped)] == ["broken.png"]


@pytest.mark.slow
def test_training_a_tagger_and_tagging_with_it(faces, tmp_path, avatargan, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out = tmp_path / "tagger.safetensors"
    options = ["train-tagger", str(faces), "--out", str(out), "--steps", "3", "--json"]
    assert main([*options, "--dry-run"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["train"] + plan["calibration"] + plan["test"] == plan["pictures"] == 120
    assert not list(tmp_path.iterdir())
    report = tmp_path / "report"
    told = json.loads(avatargan(*options, "--report", report).stdout)
    assert 0 <= told["attributes"]["coat"]["accuracy"] <= 1
    assert sum(map(sum, told["attributes"]["coat"]["confusion"])) == plan["test"]
    assert sorted(path.name for path in report.iterdir()) == [
        "confusion-coat.png",
        "confusion-gem.png",
        "report.html",
    ]
    with Image.open(report / "confusion-coat.png") as picture:
        assert picture.width > 200
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cache",
        "report",
        "tagger.safetensors",
    ]
    tagger = load_tagger(out)
    assert set(tagger.attributes) == {"coat", "gem"}
    tags = ["--tagger", str(out), "--out", str(tmp_path / "tags.csv")]
    assert main(["tag", str(faces), *tags]) == 0
    columns = ["file", "coat", "coat_p", "gem", "gem_p", "tagger", "reason"]
    assert list(table(tmp_path / "tags.csv")[0]) == columns
    assert main(options) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.slow
def test_teaching_and_tagging_with_what_was_taught(glasses, tmp_path, avatargan):
    head = tmp_path / "glasses.safetensors"
    done = avatargan("teach", "glasses", "--examples", glasses, "--out", head, "--yes")
    assert "95 % interval" in done.stdout
    assert "right of 60 examples" in done.stdout
    out = tmp_path / "tags.csv"
    assert main(["tag", str(glasses), "--head", str(head), "--out", str(out)]) == 0
    rows = table(out)
    assert list(rows[0])[-4:-2] == ["glasses", "glasses_p"]
    data = open_dataset(glasses, tags=out)
    assert data.attributes.offered("glasses") == ("no", "yes")


@pytest.mark.slow
def test_a_head_that_is_not_good_enough_is_refused(faces, tmp_path, one_line):
    """Which of the drawings were made first nobody can see."""
    for index, path in enumerate(sorted(faces.glob("*.png"))):
        folder = tmp_path / "examples" / ("early" if index < 60 else "late")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).write_bytes(path.read_bytes())
    head = tmp_path / "when.safetensors"
    message = one_line(
        *("teach", "when", "--examples", tmp_path / "examples", "--out", head, "--yes"),
        *("--json", "--mistakes", tmp_path / "mistakes.png"),
    )
    assert "less than the wanted 80%" in message
    assert not head.exists()
    with Image.open(tmp_path / "mistakes.png") as sheet:
        assert sheet.width > 150


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tag", "nowhere"], "nowhere: there is no such folder"),
        (["tag", ".", "--out", "tags.txt"], "should end in .csv"),
        (["tag", ".", "--sheet", "sheet.jpg", "--out", "x.csv"], "should end in .png"),
        (["tag", ".", "--threshold", "2", "--out", "x.csv"], "threshold"),
        (["tag", ".", "--tagger", "no.safetensors", "--out", "x.csv"], "no such weights file"),
        (["tag", ".", "--head", "no.safetensors", "--out", "x.csv"], "no such weights file"),
        (["teach", "smile", "--examples", "nowhere"], "add --yes"),
        (["teach", "hair", "--examples", "nowhere", "--yes"], "knows an attribute 'hair'"),
        (["teach", "smile", "--examples", "nowhere", "--yes"], "nowhere: there is no such folder"),
        (["train-tagger", "nowhere", "--out", "t.safetensors"], "nowhere: there is no such"),
        (["train-tagger", "nowhere", "--out", "t.pt"], "should end in .safetensors"),
        (["train-tagger", ".", "--out", "t.safetensors", "--resume", "--dry-run"], "go together"),
        (["tag", ".", "--out", "x.csv", "--skipped", "./x.csv"], "cannot both be x.csv"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    tmp_path, monkeypatch, one_line, arguments, message
):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save("a.png")
    assert message in one_line(*arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_folder_of_nothing_readable_is_an_error(tmp_path, one_line):
    (tmp_path / "a.png").write_bytes(b"nothing")
    message = one_line("tag", tmp_path)
    assert "none of the 1 pictures can be read" in message
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_resuming_what_was_not_begun(faces, tmp_path, monkeypatch, one_line):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out = tmp_path / "tagger.safetensors"
    message = one_line("train-tagger", faces, "--out", out, "--steps", 2, "--resume")
    assert "there is no such weights file" in message


def test_help_states_the_defaults_of_the_package():
    """The command line cannot import them: that would take a second of every --help."""
    threshold = inspect.signature(tag.tag).parameters["threshold"].default
    steps = inspect.signature(train_tagger.train_tagger).parameters["steps"].default
    assert threshold == DEFAULT_THRESHOLD
    assert steps == TrainingOptions().steps


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_the_accuracy_is_shown_before_anything_is_saved(
    glasses,
    tmp_path,
    monkeypatch,
    capsys,
    answer,
    code,
):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

        def readline(self, *arguments):
            nonlocal shown
            shown = capsys.readouterr().out
            return super().readline(*arguments)

    shown = ""
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    head = tmp_path / "glasses.safetensors"
    assert main(["teach", "glasses", "--examples", str(glasses), "--out", str(head)]) == code
    assert "right of 60 examples" in shown
    assert head.exists() == (answer == "y")


def test_a_seed_that_torch_does_not_take_is_refused(faces, tmp_path, one_line):
    out = tmp_path / "t.safetensors"
    assert "a seed must be from 0 to" in one_line(
        "train-tagger", faces, "--out", out, "--seed", 10**30
    )
    assert not any(tmp_path.iterdir())
