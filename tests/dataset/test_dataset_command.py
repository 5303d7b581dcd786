"""``avatargan dataset`` makes and shows sets, and refuses what it cannot do in one line."""

import json
import subprocess
import sys

import pytest
from PIL import Image

from avatargan.cli import main
from avatargan.dataset import open_dataset


def avatargan(*arguments, code=0):
    command = [sys.executable, "-m", "avatargan", "dataset", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def pictures(other_weights, tmp_path):
    options = ["--pictures", "--size", "32", "--weights", str(other_weights)]
    assert main(["dataset", "synth", "10", str(tmp_path / "pictures"), *options]) == 0
    return tmp_path / "pictures"


def test_from_pictures_to_a_set_that_can_be_looked_at(pictures, tmp_path):
    done = avatargan("build", pictures, tmp_path / "set", "--size", "32", "--json")
    assert json.loads(done.stdout)["pictures"] == 10
    assert len(open_dataset(tmp_path / "set")) == 10
    done = avatargan("inspect", tmp_path / "set", "--out", tmp_path / "sheet.png")
    assert "train" in done.stdout
    for name in ("style", "ears", "glasses"):
        with Image.open(tmp_path / f"sheet-{name}.png") as sheet:
            assert sheet.width > 500
    counted = json.loads(
        avatargan(
            "inspect", tmp_path / "set", "--by", "ears", "--out", tmp_path / "ears.png", "--json"
        ).stdout
    )
    assert sum(sum(split.values()) for split in counted["attributes"]["ears"].values()) == 10


def test_a_dry_run_writes_nothing(pictures, tmp_path):
    done = avatargan("build", pictures, tmp_path / "set", "--dry-run")
    assert "10 pictures" in done.stdout
    assert not (tmp_path / "set").exists()


def test_what_is_wrong_is_said_in_one_line(pictures, tmp_path, capsys):
    (pictures / "tags.csv").rename(tmp_path / "tags.csv")
    wrong = {
        ("build", pictures, tmp_path / "set"): "avatargan tag",
        ("build", tmp_path / "nowhere", tmp_path / "set"): "no such folder",
        ("build", pictures, pictures, "--untagged"): "not a set that was built here",
        ("build", pictures, tmp_path / "set", "--upscale", "smal"): "did you mean 'small'",
        ("build", pictures, tmp_path / "set", "--tags", tmp_path / "no.csv"): "no such file",
        ("inspect", pictures, "--split", "tes"): "train or test",
    }
    for arguments, message in wrong.items():
        assert main(["dataset", *map(str, arguments)]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
    done = avatargan("build", pictures, tmp_path / "set", "--tags", tmp_path / "tags.csv")
    assert "10 pictures" in done.stdout
