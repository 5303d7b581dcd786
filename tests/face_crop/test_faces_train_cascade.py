"""The cascade trainer, on drawn faces and drawn backgrounds."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_crop.cascade import load_cascade
from face_crop.train_cascade import main
from face_crop.training import painting
from face_crop.training.lbp import to_window
from face_crop.training.lbp_cascade import LbpCascade

TINY = [
    *("--stages", "2", "--face-count", "150", "--negative-count", "200"),
    *("--features-per-round", "60", "--drawn-negatives", "30", "--most-stumps", "8"),
]


@pytest.fixture(scope="module")
def faces(pipe, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    for index, avatar in enumerate(pipe.generate(range(40), size=128, style="visual-novel")):
        avatar.image.resize((64, 64)).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def backgrounds(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("backgrounds")
    random = np.random.default_rng(0)
    for index in range(12):
        picture = painting.background((160, 200), random)
        for _ in range(10):
            painting.scribble(picture, random)
        Image.fromarray(picture).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def trained(faces, backgrounds, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "tiny.xml"
    assert main([str(faces), str(backgrounds), "--out", str(out), *TINY]) == 0
    return out


def test_a_trained_cascade_loads_in_opencv_and_tells_faces_from_the_rest(trained, pipe):
    load_cascade(trained)
    cascade = LbpCascade.from_xml(trained.read_text())
    unseen = pipe.generate(range(100, 120), size=128, style="visual-novel")
    # The part of the picture that training looked at.
    parts = [avatar.image.convert("L").crop((15, 15, 113, 113)) for avatar in unseen]
    windows = np.stack([to_window(np.asarray(part)) for part in parts])
    random = np.random.default_rng(7)
    others = [painting.background((48, 48), random).mean(-1).astype(np.uint8) for _ in range(100)]
    assert cascade.passes(windows).mean() > 0.8
    assert cascade.passes(np.stack([to_window(other) for other in others])).mean() < 0.3


def test_the_same_options_give_the_same_file(trained, faces, backgrounds, tmp_path):
    again = tmp_path / "again.xml"
    assert main([str(faces), str(backgrounds), "--out", str(again), *TINY]) == 0
    assert again.read_bytes() == trained.read_bytes()


def test_a_training_that_was_interrupted_carries_on(trained, faces, backgrounds, tmp_path, capsys):
    """After the first stage was written, as a killed run leaves it."""
    out = tmp_path / "tiny.xml"
    kept = tmp_path / "tiny.xml.stages"
    kept.mkdir()
    for name in ("options.json", "stage-00.xml"):
        (kept / name).write_bytes((trained.with_name("tiny.xml.stages") / name).read_bytes())
    assert main([str(faces), str(backgrounds), "--out", str(out), *TINY]) == 0
    assert "carrying on after 1 stages" in capsys.readouterr().err
    assert out.read_bytes() == trained.read_bytes()


def test_stages_of_another_training_are_not_mixed_in(trained, faces, backgrounds, capsys):
    arguments = [str(faces), str(backgrounds), "--out", str(trained), *TINY, "--seed", "1"]
    assert main(arguments) == 2
    assert "other options" in capsys.readouterr().err


def test_a_dry_run_writes_nothing(faces, backgrounds, tmp_path, capsys):
    out = tmp_path / "none.xml"
    assert main([str(faces), str(backgrounds), "--out", str(out), "--dry-run"]) == 0
    assert "40 pictures of faces, 12 negative pictures" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--hit-rate", "1.5"], "hit_rate must be"),
        (["--stages", "0"], "stages must be"),
        (["--mask-faces", "missing.xml", *TINY], "no such cascade"),
    ],
)
def test_bad_options_are_one_line(faces, backgrounds, tmp_path, capsys, arguments, reason):
    out = tmp_path / "none.xml"
    assert main([str(faces), str(backgrounds), "--out", str(out), *arguments]) == 2
    assert reason in capsys.readouterr().err


def test_missing_pictures_are_one_line(tmp_path):
    command = [sys.executable, "-m", "face_crop.train_cascade", "none", "none", "--out", "x.xml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: none:")
    assert done.stderr.count("\n") == 1
