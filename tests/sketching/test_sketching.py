"""The drawing board's networks and commands, made for tiny weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from avatargan.cli import main
from avatargan.errors import AvatarGanError, OptionError
from avatargan.pictures import open_picture
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import read_recipe
from avatargan.sketching import Sketcher
from avatargan.sketching.following import correlation, edge_map, stroke_map
from avatargan.sketching.lines import Hand
from avatargan.sketching.reading import LABELS, read_sketch
from tests.conftest import write_generator

ATTRIBUTES = {
    "style": ["ink", "wash"],
    "hair": ["red", "green", "unknown"],
    "eyes": ["blue", "brown"],
}


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny weights and the sketch networks made for them by the command."""
    folder = tmp_path_factory.mktemp("sketching")
    write_generator(folder / "tiny.safetensors", ATTRIBUTES)
    assert main(["train-sketch", *_training(folder)]) == 0
    return folder


def _training(folder: Path) -> list[str]:
    options = ["--characters", "40", "--encoder-steps", "3", "--painter-steps", "2", "--quiet"]
    return [*options, "--weights", str(folder / "tiny.safetensors"), "--out", str(folder / "made")]


@pytest.fixture(scope="module")
def sketcher(networks: Path) -> Sketcher:
    pipeline = AvatarPipeline.load(networks / "tiny.safetensors", device="cpu", engine="torch")
    return Sketcher.load(pipeline, networks / "made")


def _face(size: int = 200, ink: str = "black", paper: str = "white", width: int = 3) -> Image.Image:
    image = Image.new("RGB", (size, size), paper)
    draw = ImageDraw.Draw(image)
    for box in ((0.2, 0.1, 0.8, 0.9), (0.3, 0.4, 0.45, 0.5), (0.55, 0.4, 0.7, 0.5)):
        draw.ellipse([value * size for value in box], outline=ink, width=width)
    return image


def _sketch(networks: Path, tmp_path: Path, *options: str) -> list[Path]:
    drawing = tmp_path / "drawing.png"
    _face().save(drawing)
    arguments = ["--weights", str(networks / "tiny.safetensors"), "--networks"]
    arguments += [str(networks / "made"), "--out", str(tmp_path / "out"), "--quiet", *options]
    assert main(["sketch", str(drawing), *arguments]) == 0
    return sorted((tmp_path / "out").iterdir())


def test_a_clean_character_verifies_and_a_painted_one_says_why_it_does_not(
    networks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = ["--weights", str(networks / "tiny.safetensors")]
    clean = _sketch(networks, tmp_path, "--follow", "0", "--count", "3", "--hair", "green")
    assert [file.name for file in clean] == [f"drawing-0{number}.png" for number in (1, 2, 3)]
    assert all(read_recipe(file).attributes["hair"] == "green" for file in clean)
    assert main(["verify", *weights, *map(str, clean)]) == 0
    (painted, *_) = _sketch(networks, tmp_path, "--follow", "1", "--overwrite", "--size", "64")
    assert open_picture(painted).size == (64, 64)
    capsys.readouterr()
    assert main(["verify", *weights, str(painted), "--json"]) == 2
    (verdict,) = json.loads(capsys.readouterr().out)["files"]
    assert verdict["verdict"] == "painted"
    assert "sketch that is not kept" in verdict["reason"]


def test_networks_of_other_weights_are_refused_by_name(
    networks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(1)
    other = tmp_path / "other.safetensors"
    write_generator(other, {"style": ["ink"], "hair": ["red", "green"]})
    _face().save(tmp_path / "drawing.png")
    command = ["sketch", str(tmp_path / "drawing.png"), "--weights", str(other)]
    assert main([*command, "--networks", str(networks / "made"), "--out", str(tmp_path)]) == 2
    assert "train-sketch" in capsys.readouterr().err


def test_what_was_made_is_not_replaced_unasked_and_a_dry_run_writes_nothing(
    networks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train-sketch", *_training(networks)]) == 2
    assert "exists already" in capsys.readouterr().err
    weights = ["--weights", str(networks / "tiny.safetensors")]
    assert main(["train-sketch", "--out", str(tmp_path / "x"), "--dry-run", *weights]) == 0
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(_face(), id="plain"),
        pytest.param(_face(ink="white", paper="black"), id="white on black"),
        pytest.param(_face(ink="#555", paper="#b9b2a8"), id="grey paper"),
        pytest.param(_face(2400, width=2), id="thin lines of a large scan"),
        pytest.param(_face().crop((0, 0, 200, 190)), id="not square"),
        pytest.param(_face().quantize(8), id="palette"),
    ],
)
def test_sketches_are_read_alike_whatever_they_come_on(picture: Image.Image) -> None:
    wanted = stroke_map(read_sketch(_face()).strokes)
    found = stroke_map(read_sketch(picture).strokes)
    assert float(correlation(wanted, found)) > 0.9


def test_lines_on_transparency_are_seen_whatever_their_colour() -> None:
    for ink in ((0, 0, 0), (255, 255, 255)):
        alpha = Image.eval(_face().convert("L"), lambda value: 255 - value)
        image = Image.new("RGBA", alpha.size, (*ink, 0))
        image.putalpha(alpha)
        found = stroke_map(read_sketch(image).strokes)
        assert float(correlation(found, stroke_map(read_sketch(_face()).strokes))) > 0.95


def test_a_small_drawing_on_a_large_page_is_brought_near_with_its_colours() -> None:
    page = Image.new("RGB", (800, 800), "white")
    page.paste(_face(), (500, 100))
    hints = Image.new("RGBA", (800, 800))
    hints.paste((255, 0, 0, 255), (590, 120, 610, 140))
    sketch = read_sketch(page, hints)
    near = stroke_map(read_sketch(_face()).strokes)
    assert float(correlation(stroke_map(sketch.strokes), near)) > 0.5
    rows, columns = torch.nonzero(sketch.dabbed[0, 0] > 0.5).T
    assert 50 < float(columns.float().mean()) < 78
    assert float(rows.float().mean()) < 30
    assert "enlarged" in sketch.remark


def test_an_empty_board_is_refused_and_a_photograph_is_guessed() -> None:
    with pytest.raises(OptionError, match="empty"):
        read_sketch(Image.new("RGB", (300, 300), "white"))
    noise = np.random.default_rng(0).normal(128, 40, (24, 24, 3)).clip(0, 255).astype(np.uint8)
    photograph = Image.fromarray(noise).resize((240, 240), Image.Resampling.BICUBIC)
    assert "photograph" in read_sketch(photograph).remark


@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    mode=st.sampled_from(["L", "RGB", "RGBA", "LA", "P", "1", "I;16", "CMYK"]),
    seed=st.integers(0, 1000),
)
def test_no_picture_is_too_odd(size: tuple[int, int], mode: str, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0]), np.uint8)
    image = Image.fromarray(pixels).convert("I" if mode == "I;16" else mode)
    if mode == "I;16":
        image = image.convert("I;16")
    try:
        sketch = read_sketch(image, image.convert("RGBA"), image.convert("RGB"))
    except AvatarGanError:
        return
    for plane in (sketch.strokes, sketch.hints, sketch.dabbed, sketch.labels):
        assert plane.shape[2:] == (128, 128)
        assert bool(plane.isfinite().all())
        assert 0 <= float(plane.min()) <= float(plane.max()) <= 1.001


def test_dabs_choose_colours_by_label_and_by_place(sketcher: Sketcher) -> None:
    sketcher.finder.palette = {
        "hair": {"red": (0.9, 0.1, 0.1), "green": (0.1, 0.7, 0.2)},
        "eyes": {"blue": (0.1, 0.2, 0.9), "brown": (0.5, 0.3, 0.1)},
    }
    hints = Image.new("RGBA", (128, 128))
    hints.paste((20, 160, 40, 255), (56, 6, 72, 14))  # above the face
    hints.paste((30, 40, 220, 255), (40, 56, 48, 64))  # where an eye is
    chosen = sketcher.sketch(_face(), hints=hints, size=32, follow=0).avatars[0].recipe.attributes
    assert (chosen["hair"], chosen["eyes"]) == ("green", "blue")
    labels = Image.new("RGBA", (128, 128))
    labels.paste((*LABELS["hair"], 255), (40, 56, 48, 64))
    hints.paste((0, 0, 0, 0), (56, 6, 72, 14))
    hints.paste((240, 20, 30, 255), (40, 56, 48, 64))
    labelled = sketcher.sketch(_face(), hints=hints, labels=labels, size=32, follow=0)
    assert labelled.avatars[0].recipe.attributes["hair"] == "red"


def test_a_part_that_is_marked_without_a_colour_has_that_of_the_character(
    sketcher: Sketcher,
) -> None:
    sketcher.finder.palette = {"hair": {"red": (0.9, 0.1, 0.1), "green": (0.1, 0.7, 0.2)}}
    labels = Image.new("RGBA", (128, 128))
    labels.paste((*LABELS["hair"], 255), (48, 4, 80, 20))
    made = sketcher.sketch(_face(), labels=labels, follow=1, size=128, attributes={"hair": "red"})
    red, green, _ = np.asarray(made.avatars[0].image)[8:14, 56:72].reshape(-1, 3).mean(0)
    assert red > 150
    assert green < 90


def test_the_same_sketch_gives_the_same_character(sketcher: Sketcher) -> None:
    first, second = (sketcher.sketch(_face(), follow=0.7, size=64) for _ in range(2))
    assert first.avatars[0].to_png() == second.avatars[0].to_png()
    assert first.seen.keys() >= {"ink", "wash", "long hair"}


def test_lines_lie_where_the_edges_of_pictures_are() -> None:
    brightness = torch.from_numpy(np.array(_face(128).convert("L"))).float()[None, None] / 255
    brightness = brightness.repeat(16, 1, 1, 1)
    lines = Hand(torch.Generator().manual_seed(0)).lines(brightness)
    assert float(correlation(edge_map(brightness), stroke_map(lines)).min()) > 0.6
    bent = Hand(torch.Generator().manual_seed(0))(brightness)
    assert bent.shape == lines.shape
    assert 0 <= float(bent.min()) <= float(bent.max()) <= 1
