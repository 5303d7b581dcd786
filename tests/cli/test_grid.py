import numpy as np
import pytest
from PIL import Image

from avatargan import AvatarPipeline


@pytest.fixture
def draw_grid(run_small, tmp_path):
    def call(*arguments):
        return run_small("grid", *arguments, "--cell", 32, "--out", tmp_path / "grid.png", "--json")

    return call


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def axes(document, side):
    return {axis["axis"]: axis["values"] for axis in document[side]}


def test_seeds_go_across_and_the_rest_down(draw_grid, tmp_path):
    document = draw_grid("--hair", "pink,blue", "--glasses", "yes,no", "--seeds", "1-4").json
    assert axes(document, "x") == {"seed": [1, 2, 3, 4]}
    assert axes(document, "y") == {"hair": ["pink", "blue"], "glasses": ["yes", "no"]}
    assert len(document["recipes"]) == 16
    sixth = document["recipes"][5]
    assert (sixth["seed"], sixth["attributes"]["hair"], sixth["attributes"]["glasses"]) == (
        2,
        "pink",
        "no",
    )
    height, width, _ = pixels(tmp_path / "grid.png").shape
    assert (width, height) == (document["width"], document["height"])


def test_without_seeds_the_first_attribute_goes_across(draw_grid):
    document = draw_grid("--hair", "all", "--psi", "0.5,1").json
    assert axes(document, "x") == {"hair": ["pink", "blue"]}
    assert axes(document, "y") == {"psi": [0.5, 1.0]}


def test_axes_can_be_chosen(draw_grid):
    several = ["--hair", "pink,blue", "--psi", "0.5,1", "--seeds", "1-2"]
    document = draw_grid(*several, "--y", "seeds").json
    assert list(axes(document, "x")) == ["hair", "psi"]
    assert list(axes(document, "y")) == ["seed"]


def test_an_axis_without_values_takes_all_choices(draw_grid):
    document = draw_grid("--seeds", "1-2", "--x", "hair").json
    assert axes(document, "x") == {"hair": ["pink", "blue"]}
    assert axes(document, "y") == {"seed": [1, 2]}


def test_each_cell_holds_the_picture_of_its_recipe(draw_grid, weights, tmp_path):
    document = draw_grid("--hair", "pink,blue", "--seeds", "1-2", "--glasses", "no").json
    grid = pixels(tmp_path / "grid.png")
    pipeline = AvatarPipeline.load(weights)
    for recipe in document["recipes"]:
        (avatar,) = pipeline.generate(recipe["seed"], size=32, **recipe["attributes"])
        inner = np.asarray(avatar.image)[2:-2, 2:-2]  # without the rounded corners
        windows = np.lib.stride_tricks.sliding_window_view(grid, inner.shape)
        assert (windows == inner).all(axis=(-1, -2, -3)).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing changes in this grid"),
        (["--hair", "pink,blu"], "hair has no choice 'blu'; did you mean 'blue'?"),
        (["--hair", "pink,pink"], "hair lists 'pink' more than once"),
        (["--psi", "0.5,x"], "psi is a number from 0 to 2, not 'x'"),
        (["--psi", "0.5,nan"], "psi is a number from 0 to 2, not 'nan'"),
        (["--seeds", "1-4", "--x", "hare"], "there is no axis 'hare'; did you mean 'hair'?"),
        (["--seeds", "1-4", "--x", "hair", "--y", "hair"], "hair cannot be both --x and --y"),
        (["--seeds", "1-4", "--x", "hair", "--y", "psi"], "seed has several values"),
        (["--seeds", "1-9999"], "9999 pictures are more than a grid takes"),
        (["--seeds", "1-4", "--out", "grid.jpg"], "should end in .png"),
        (["--seeds", "1-900", "--cell", "512"], "more than the limit of 25 megapixels"),
        (["--seeds", "1-4", "--cell", "5"], "invalid value for '--cell'"),
    ],
)
def test_bad_input_is_one_line_that_names_it(run_small, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in run_small("grid", *arguments).error
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_not_overwritten(run_small, tmp_path):
    existing = tmp_path / "grid.png"
    existing.write_bytes(b"mine")
    assert "exists already" in run_small("grid", "--seeds", "1-2", "--out", existing).error
    assert existing.read_bytes() == b"mine"
