import json
import subprocess
import sys
import time

import pytest
from PIL import Image

from avatargan import AvatarPipeline
from avatargan.morph import read_morph


@pytest.fixture(scope="module")
def pipeline():
    return AvatarPipeline.load()


@pytest.fixture(autouse=True)
def _load_once(pipeline, monkeypatch):
    """Loading the networks again for every line would take most of the time."""
    monkeypatch.setattr("avatargan.cli.morph.load_pipeline", lambda *options: pipeline)


SHORT = ("--seconds", "0.5", "--fps", "8", "--size", "128")


def count_frames(path):
    with Image.open(path) as image:
        return image.n_frames


def test_a_morph_is_written_by_extension(run, tmp_path):
    path = tmp_path / "morph.webp"
    keyframes = ("--seeds", "3,14,15", "--hair", "pink,blue")
    done = run("morph", *keyframes, "--loop", *SHORT, "--out", path)
    assert done.code == 0
    assert done.stdout == f"{path}\n"
    assert "4 frames of 128 px, 0.5 s at 8 frames a second, a loop" in done.stderr
    assert "hair: pink, blue, spread over the time" in done.stderr
    assert count_frames(path) == 4
    morph = read_morph(path)
    assert [recipe.seed for recipe in morph.keyframes] == [3, 14, 15]
    assert morph.schedules == {"hair": ("pink", "blue")}


def test_seeds_and_pictures_mix(run, tmp_path):
    assert run("generate", "--seed", 7, "--eyes", "red", "--size", 128, "--out", tmp_path).code == 0
    picture = tmp_path / "avatar-7.png"
    done = run("morph", picture, 14, picture, *SHORT, "--out", tmp_path / "m.gif", "--json")
    assert done.code == 0
    assert done.json["files"] == [str(tmp_path / "m.gif")]
    assert done.json["frames"] == 4
    keyframes = done.json["morph"]["keyframes"]
    assert [keyframe["seed"] for keyframe in keyframes] == [7, 14, 7]
    assert keyframes[0]["attributes"]["eyes"] == "red"


def test_a_character_and_a_colour_may_come_back(run, tmp_path):
    options = ("--seeds", "3,4,3", "--hair", "pink,blue,pink", "--dry-run", "--json")
    done = run("morph", *options, "--out", tmp_path / "m.gif")
    assert [frame["seed"] for frame in done.json["morph"]["keyframes"]] == [3, 4, 3]


def test_a_dry_run_draws_and_writes_nothing(run, tmp_path):
    done = run("morph", 3, 14, "--out", tmp_path / "m.webp", "--dry-run")
    assert done.code == 0
    assert "144 frames of 512 px" in done.stderr
    assert "this was a dry run" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_strip_comes_with_its_atlas(run, tmp_path):
    done = run("morph", 3, 14, *SHORT, "--strip", "--out", tmp_path / "walk.png", "--quiet")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    atlas = json.loads((tmp_path / "walk.json").read_text())
    assert len(atlas["frames"]) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "two characters or more"),
        (("3",), "two keyframes or more, got 1"),
        (("3", "4", "--seeds", "5,6"), "not both ways"),
        (("--seeds", "3,x"), "a seed is an integer"),
        (("3", "4", "--out", "m.wbep"), "did you mean '.webp'"),
        (("3", "4", "--seconds", "0"), "seconds: "),
        (("3", "4", "--seconds", "50000"), "1200000 frames; a morph has from 2 to 10000"),
        (("3", "4", "--easing", "smoth"), "did you mean 'smooth'"),
        (("3", "4", "--hair", "pink,blu"), "did you mean 'blue'"),
        (("3", "gone.png"), "gone.png: there is no such file"),
        (("3", "broken.png"), "broken.png: not a readable picture"),
        (("3", "plain.png"), "plain.png: no recipe in this picture"),
        (("3", "4", "--out", "taken.gif"), "taken.gif exists already"),
        (("3", "4", "--out", "foreign"), "foreign exists already and is not empty"),
        (("3", "4", "--out", "foreign", "--overwrite"), "no frame of a morph"),
    ],
)
def test_what_is_wrong_is_one_line(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    (tmp_path / "taken.gif").write_bytes(b"precious")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "holiday.jpg").write_bytes(b"precious")
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    assert message in run("morph", *arguments).error
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_a_killed_process_leaves_no_animation(tmp_path):
    """The temporary file of a killed process is hidden, and never has the animation's name."""
    path = tmp_path / "morph.gif"
    options = ["--seeds", "3,14", "--seconds", "100", "--size", "128", "--out", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "avatargan", "morph", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not any(tmp_path.iterdir()):  # until the first frames are on their way
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    assert not path.exists()
    assert all(left.name.startswith(".") for left in tmp_path.iterdir())
