"""The shipped sliders: named in every language, bounded, undone by 0, and told on the way."""

import json

import numpy as np
import pytest

from avatargan.cli import main
from avatargan.editing.directions import Directions, w_space_sha256
from avatargan.errors import OptionError, WeightsError
from avatargan.recipe import SliderStep, read_recipe
from avatargan.weights_header import SHIPPED_DIRECTIONS, shipped_weights


def test_there_are_ten_with_names_and_figures(pipe):
    directions = pipe.directions
    assert len(directions) >= 10
    assert directions.w_space == w_space_sha256(pipe.generator)
    for name, slider in directions.items():
        assert slider.name == name
        assert set(slider.names) == {"en", "zh", "ja", "ko"}
        assert slider.minimum < 0 < slider.maximum
        assert slider.effect["monotone"]
        assert set(slider.effect["side_effects_percent"]) == set(directions) - {name}


def test_longer_hair_is_more_hair_below_the_chin(pipe):
    """Against the white ground of this character, hair is what is not white beside the neck."""
    (character,) = pipe.recipes(23, size=128, hair="black", style="visual-novel")
    slider = pipe.directions["hair length"]
    ends = [pipe.slide(character, {"hair-length": a}) for a in (slider.minimum, slider.maximum)]
    below = [np.asarray(avatar.image)[100:, :].min(axis=2) < 90 for avatar in pipe.draw(ends)]
    assert below[1].mean() > below[0].mean() + 0.1


def test_sliding_again_replaces_the_step_and_nothing_takes_it_out(pipe):
    (character,) = pipe.recipes(7, size=128)
    once = pipe.slide(character, {"hair length": 1.0, "turn": 0.2})
    again = pipe.slide(once, {"hair_length": -0.5})
    assert [(step.slider, step.amount) for step in again.steps] == [
        ("hair length", -0.5),
        ("turn", 0.2),
    ]
    assert pipe.slide(again, {"hair length": 0, "turn": 0}) == character
    assert all(isinstance(step, SliderStep) for step in again.steps)


def test_what_no_slider_does_is_refused(pipe):
    (character,) = pipe.recipes(7, size=128)
    with pytest.raises(OptionError, match="did you mean 'hair length'"):
        pipe.slide(character, {"hair lenght": 1})
    with pytest.raises(OptionError, match="hair length goes from"):
        pipe.slide(character, {"hair length": 9})


def test_the_commands_list_and_use_them(pipe, tmp_path, capsys):
    assert main(["sliders", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [slider["name"] for slider in listed["sliders"]] == list(pipe.directions)
    out = str(tmp_path)
    drawn = ["generate", "--seed", "7", "--size", "128", "--out", out, "--quiet"]
    assert main([*drawn, "--slide", "hair-length=1.2", "--slide", "turn=-0.2"]) == 0
    recipe = read_recipe(tmp_path / "avatar-7.png")
    assert [step.slider for step in recipe.steps] == ["hair length", "turn"]
    assert {step.directions for step in recipe.steps} == {listed["directions"]}
    assert main([*drawn, "--overwrite", "--slide", "mood=1"]) == 2
    assert "sliders: turn" in capsys.readouterr().err


def test_a_damaged_directions_file_is_refused(tmp_path):
    content = bytearray(shipped_weights(SHIPPED_DIRECTIONS).read_bytes())
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(content[: len(content) // 2])
    renamed = tmp_path / "renamed.safetensors"
    renamed.write_bytes(bytes(content).replace(b'\\"minimum\\"', b'\\"minimun\\"'))
    for path in (cut, renamed):
        with pytest.raises(WeightsError, match=path.name):
            Directions.load(path)
