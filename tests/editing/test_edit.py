"""Pictures that become characters: what is found, how near it comes, and what is refused."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from avatargan.cli import main
from avatargan.editing.likeness import distances
from avatargan.editing.pictures import edit_picture, find_square, fitter_of, verdict_of
from avatargan.errors import OptionError, PictureError
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import encode_png, read_recipe


@pytest.fixture(scope="module")
def stranger(pipe):
    """A picture of a character, and what it is, without the recipe inside."""
    (avatar,) = pipe.generate(123_456_789, size=128, hair="pink", eyes="green")
    return Image.fromarray(np.asarray(avatar.image)), avatar.recipe


def test_refining_comes_near_and_keeps_the_colours(pipe, stranger):
    picture, recipe = stranger
    seen = []
    edit = edit_picture(
        pipe,
        picture,
        steps=6,
        size=128,
        whole=True,
        progress=lambda done, of, drawn: seen.append((done, of, drawn and drawn.size)),
    )
    assert edit.avatar.recipe.attributes == recipe.attributes
    assert edit.share < 0.25
    assert edit.lines < 0.5
    assert edit.verdict == "close"
    assert seen[0] == (1, 6, None)
    assert (6, 6, (128, 128)) in seen
    # It is a character as any other: drawn from its recipe alone, and moved on from there.
    assert edit.avatar.recipe.seed is None
    (again,) = pipe.draw([read_recipe(edit.avatar.to_png())])
    assert again.image.tobytes() == edit.avatar.image.tobytes()
    assert pipe.vary(edit.avatar.recipe, n=1)[0].image.size == (128, 128)
    assert edit.side_by_side().size == (256, 128)


def test_a_picture_with_its_recipe_is_that_character_exactly(pipe, stranger, tmp_path, capsys):
    picture, recipe = stranger
    (tmp_path / "mine.png").write_bytes(encode_png(picture, recipe))
    out = tmp_path / "out"
    command = ["edit", str(tmp_path / "mine.png"), "--out", str(out), "--size", "128", "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["share"]) == ("exact", 0)
    assert read_recipe(out / "avatar.png") == recipe
    assert (out / "side-by-side.png").exists()
    assert main(command) == 2
    assert "exists already" in capsys.readouterr().err


def test_without_a_face_the_middle_is_taken_and_it_is_said():
    wide = Image.new("RGB", (90, 60), "teal")
    square, remarks = find_square(wide)
    assert square.size == (60, 60)
    assert "no face was found" in remarks[0]
    assert find_square(wide, whole=True) == (square, ())


def test_what_cannot_be_edited_is_refused(pipe, stranger, other_weights):
    picture, _ = stranger
    for options, message in [({"steps": 501}, "steps go from 0"), ({"size": 100}, "no size 100")]:
        with pytest.raises(OptionError, match=message):
            edit_picture(pipe, picture, **options)
    with pytest.raises(OptionError, match="counted from 1"):
        find_square(picture, face=0)
    with pytest.raises(PictureError, match="smaller than 32 px"):
        find_square(Image.new("RGB", (31, 400)))
    with pytest.raises(OptionError, match="leave --weights out"):
        fitter_of(AvatarPipeline.load(other_weights, device="cpu"))


def test_a_face_is_nearest_to_itself_in_every_way(pipe, stranger):
    critic = fitter_of(pipe).critic
    pictures = torch.rand(2, 3, 128, 128) * 2 - 1
    same = distances(critic, pictures, pictures)
    other = distances(critic, pictures, pictures[:1])
    for name in ("features", "pixels", "lines"):
        assert getattr(same, name).abs().max() < 1e-4
        assert getattr(other, name)[1] > 100 * getattr(same, name)[1].abs()
    assert [verdict_of(share) for share in (0.1, 0.6, 0.9)] == [
        "close",
        "a relative",
        "not this generator's kind of face",
    ]
