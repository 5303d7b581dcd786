"""``train.py`` from the shell: a tiny run end to end, and mistakes in one line."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import train
from avatargan import AvatarPipeline
from avatargan.cli import main as avatargan
from avatargan.networks import load_critic
from tests.training.tiny import write_faces

ROOT = Path(__file__).parent.parent.parent
TINY = ["--width", "0.03", "--batch", "8", "--threads", "1", "--tensorboard", "off"]


def run(*arguments, **environment):
    command = [sys.executable, "train.py", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory, faces, cache):
    """A dcgan64 that has learnt for two dozen steps, from the shell."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    done = run(
        faces, "--network", "dcgan64", "--images", 192, "--out", out, "--cache-folder", cache,
        "--log-every", 32, "--sample-every", 96, "--checkpoint-every", 96, *TINY,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out, done


def test_a_run_leaves_all_that_it_promises(trained):
    out, done = trained
    names = {path.name for path in out.iterdir()}
    assert names >= {
        "config.json", "metrics.jsonl", "samples", "checkpoints",
        "generator.safetensors", "critic.safetensors", "report.html",
    }  # fmt: skip
    config = json.loads((out / "config.json").read_text())
    assert config["settings"]["network"] == "dcgan64"
    assert config["attributes"]["hair"] == ["blue", "green", "red", "unknown"]
    assert len(config["sources"][0]["sha256"]) == 64
    assert "torch" in config["versions"]
    entries = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [entry["images_seen"] for entry in entries] == [32, 64, 96, 128, 160, 192]
    assert {"critic_loss", "generator_loss", "penalty", "images_per_second"} <= entries[0].keys()
    assert done.stdout == ""
    assert "192/192" in done.stderr


def test_the_report_shows_curves_and_grids_and_loads_nothing(trained):
    page = (trained[0] / "report.html").read_text()
    assert page.count("data:image/webp;base64,") == 3
    assert page.count("<svg") == 9
    assert not re.search(r'(src|href)="(?!data:|#)', page)


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_its_weights_draw_at_once(trained, engine):
    pipeline = AvatarPipeline.load(
        trained[0] / "generator.safetensors", device="cpu", engine=engine
    )
    assert "PyTorch" in pipeline.renderer.description
    assert pipeline.sizes == (64, 128, 256)
    alone = pipeline.generate(3, size=64, hair="red")[0]
    among = pipeline.generate([1, 2, 3], size=64, hair="red")[2]
    assert alone.to_png() == among.to_png()
    other = pipeline.generate(3, size=64, hair="red", psi=0)[0]
    assert np.asarray(alone.image).std() > 0
    assert alone.to_png() != other.to_png()
    assert load_critic(trained[0] / "critic.safetensors").resolution == 64


def test_the_command_line_draws_with_its_weights(trained, tmp_path, capsys):
    weights = str(trained[0] / "generator.safetensors")
    out = tmp_path / "grid.png"
    assert avatargan(["grid", "--weights", weights, "--hair", "all", "--out", str(out)]) == 0
    with Image.open(out) as grid:
        assert grid.width > 700
    capsys.readouterr()
    assert avatargan(["info", "--weights", weights, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["engine"] == "torch"


def test_psi_0_draws_one_face_for_all_seeds(trained):
    """Truncation of this network pulls z to 0."""
    pipeline = AvatarPipeline.load(trained[0] / "generator.safetensors", device="cpu")
    pictures = pipeline.generate([1, 2], psi=0, size=64, hair="red", eyes="dark")
    assert np.array_equal(*(np.asarray(picture.image) for picture in pictures))


@pytest.mark.slow
def test_it_can_be_fine_tuned_with_other_tags(trained, tmp_path, cache):
    faces = write_faces(tmp_path / "mine")
    tags = (faces / "tags.csv").read_text().replace("red", "pink")
    (faces / "tags.csv").write_text(tags)
    done = run(
        faces, "--network", "dcgan64", "--images", 16, "--init", trained[0], "--style", "mine",
        "--out", tmp_path / "tuned", "--cache-folder", cache, *TINY,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "hair: 2 choices kept; new, from the mean: pink; dropped: red" in done.stderr
    assert "style: a new attribute" in done.stderr
    pipeline = AvatarPipeline.load(tmp_path / "tuned" / "generator.safetensors", device="cpu")
    assert pipeline.attributes.offered("style") == ("mine",)
    assert "Started from" in (tmp_path / "tuned" / "report.html").read_text()


def test_a_dry_run_tells_the_plan_and_writes_nothing(faces, cache, tmp_path):
    small = ["--network", "dcgan64", "--batch", 128, "--images", 12800]
    code, plan, _ = in_this_process([faces, "--dry-run", "--out", tmp_path / "run", *small], cache)
    assert code == 0
    for words in ("M parameters", "12,800 images in 100 steps of 128", "red", "to draw a picture"):
        assert words in plan
    assert list(tmp_path.iterdir()) == []


def test_settings_come_from_a_file_and_options_have_the_last_word(faces, cache, tmp_path):
    (tmp_path / "settings.toml").write_text('network = "dcgan64"\nbatch = 16\npenalty-interval = 2')
    arguments = [faces, "--dry-run", "--config", tmp_path / "settings.toml", "--batch", 8]
    _, plan, _ = in_this_process(arguments, cache)
    for words in ("dcgan64", "steps of 8", "every 2 steps"):
        assert words in plan


def test_help_has_examples(cache):
    code, text, _ = in_this_process(["--help"], cache)
    assert code == 0
    assert "--resume runs/faces" in text
    assert "torchrun" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a set of pictures"),
        (["{faces}"], "name a folder for the run with --out"),
        (["{tmp}/none", "--out", "{tmp}/run"], "there is no such folder or file"),
        (["{faces}", "--out", "{tmp}"], "exists already"),
        (["--resume", "{tmp}/none"], "there is no run in it"),
        (["{faces}", "--network", "dcgan46"], "did you mean 'dcgan64'?"),
        (["{faces}", "--network", "dcgan64", "--resolution", "128"], "has no resolution 128"),
        (["{faces}", "--regularizer", "dragon"], "did you mean 'dragan'?"),
        (["{faces}", "--batch", "0"], "--batch must be at least 2, got 0"),
        (["{faces}", "--batch", "20", "--out", "{tmp}/run"], "a multiple of"),
        (["{faces}", "--batch", "many"], "--batch"),
        (["{faces}", "--learning-rate", "-1"], "--learning-rate must be above 0"),
        (["{faces}", "--cutout", "nan"], "finite"),
        (["{faces}", "--device", "cuda", "--out", "{tmp}/run"], "no usable cuda device"),
        (["{faces}", "--style", "a", "--style", "b", "--out", "{tmp}/run"], "1 sets need as many"),
        (["{faces}", "--style", "a:x", "--out", "{tmp}/run"], "NAME:WEIGHT"),
        (["{faces}", "--init", "{tmp}/w.safetensors", "--out", "{tmp}/run"], "no such weights"),
        (["{faces}", "--config", "{tmp}/settings.json"], "no such file"),
        (["{faces}", "--config", "{typo}"], "there is no setting 'bach'; did you mean 'batch'?"),
        (["{broken}", "--out", "{tmp}/run"], "broken/1.png"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_code_2(faces, cache, tmp_path_factory, arguments, message):
    folder = tmp_path_factory.mktemp("mistakes")
    typo, broken, tmp = folder / "typo.json", folder / "broken", folder / "tmp"
    tmp.mkdir()
    (tmp / "file").touch()
    typo.write_text('{"bach": 3}')
    broken.mkdir()
    for name in ("1.png", "2.png"):  # one of them is for training
        (broken / name).write_bytes(b"not a picture")
    (broken / "tags.csv").write_text("file,hair\n1.png,red\n2.png,red\n")
    places = {"faces": faces, "tmp": tmp, "typo": typo, "broken": broken}
    code, output, errors = in_this_process([word.format(**places) for word in arguments], cache)
    assert code == 2, errors
    assert output == ""
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert message in errors


def test_a_number_that_no_counter_holds_is_refused(faces, cache, tmp_path):
    (tmp_path / "settings.json").write_text(f'{{"images": {"9" * 400}}}')
    arguments = [str(faces), "--config", str(tmp_path / "settings.json"), "--dry-run"]
    code, _, errors = in_this_process(arguments, cache)
    assert code == 2
    assert "--images must be at most" in errors


def in_this_process(arguments, cache):
    """Run the command without the seconds that importing torch takes."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            words = [*arguments, "--quiet", "--cache-folder", cache]
            code = train.main([str(word) for word in words])
        except SystemExit as leaving:
            code = leaving.code
    return code, output.getvalue(), errors.getvalue()


def test_training_needs_torch_numpy_pillow_and_safetensors_alone(faces, cache, tmp_path):
    code = (
        "import sys\n"
        "for name in ('gradio', 'cv2', 'pydantic', 'typer', 'tqdm', 'ncnn', 'fastapi', 'scipy',\n"
        "             'sklearn', 'tensorboard', 'matplotlib', 'yaml', 'requests', 'pandas'):\n"
        "    sys.modules[name] = None\n"
        "import train\n"
        f"sys.exit(train.main({[str(faces), '--network', 'dcgan64', '--images', '8', *TINY]!r}\n"
        f"    + ['--out', {str(tmp_path / 'run')!r}, '--cache-folder', {str(cache)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert "Left out: charts need matplotlib" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_plan_that_cannot_be_printed_is_an_error_of_one_line(faces, cache):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "train.py", str(faces), "--dry-run", "--cache-folder", str(cache)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=100,
        )
    assert done.returncode == 2
    assert done.stderr == "error: cannot write the output: No space left on device\n"
