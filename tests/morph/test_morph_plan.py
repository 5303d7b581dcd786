import numpy as np
import pytest
from PIL import Image

from avatargan.errors import AvatarGanError, OptionError, PictureError, RecipeError
from avatargan.morph import Morph, plan_morph


@pytest.fixture
def portrait(pipeline, tmp_path):
    """A PNG of a variation, with psi and attributes of its own."""
    recipe = pipeline.recipes(5, psi=0.5, size=128, hair="green", eyes="red", style="tv")[0]
    avatar = pipeline.vary(recipe, 0.2, 1)[0]
    path = tmp_path / "portrait.png"
    avatar.save(path)
    return path, avatar.recipe


def test_frames_are_seconds_times_frames_a_second(pipeline):
    assert plan_morph(pipeline, [1, 2], seconds=2, fps=12).frame_count == 24
    assert plan_morph(pipeline, [1, 2], seconds=1, fps=23.976).frame_count == 24


def test_seeds_recipes_and_files_mix_as_keyframes(pipeline, portrait):
    path, recipe = portrait
    morph = plan_morph(pipeline, [3, recipe, str(path), path], size=128)
    assert [keyframe.seed for keyframe in morph.keyframes] == [3, 5, 5, 5]
    assert morph.keyframes[1] == morph.keyframes[2] == morph.keyframes[3] == recipe
    assert morph.keyframes[0].psi == 0.7


def test_psi_and_attributes_can_be_set_for_all(pipeline, portrait):
    path, recipe = portrait
    morph = plan_morph(pipeline, [path, 3], psi=0.9, hair="pink", size=256)
    assert {keyframe.psi for keyframe in morph.keyframes} == {0.9}
    assert {keyframe.attributes["hair"] for keyframe in morph.keyframes} == {"pink"}
    assert {keyframe.size for keyframe in morph.keyframes} == {256}
    assert morph.keyframes[0].attributes["eyes"] == "red"
    assert morph.keyframes[0].variation == recipe.variation


def test_as_many_choices_as_keyframes_move_with_them(pipeline):
    morph = plan_morph(pipeline, [1, 2, 3], hair=["pink", "blue", "white"])
    assert [recipe.attributes["hair"] for recipe in morph.keyframes] == ["pink", "blue", "white"]
    assert morph.schedules == {}


def test_any_other_number_of_choices_has_its_own_schedule(pipeline):
    morph = plan_morph(pipeline, [1, 2, 3], attributes={"hair": ["pink", "blue"]})
    assert morph.schedules == {"hair": ("pink", "blue")}


def test_any_is_drawn_from_the_seed_of_the_keyframe_with_that_number(pipeline):
    morph = plan_morph(pipeline, [8, 9], hair=["any", "pink", "any"])
    drawn = [pipeline.recipes(8, hair="any")[0].attributes["hair"]]
    assert morph.schedules["hair"] == (drawn[0], "pink", drawn[0])


def test_a_morph_survives_json(pipeline):
    morph = plan_morph(pipeline, [1, 2], hair=["pink", "blue", "white"], equal_speed=True)
    assert Morph.from_json(morph.to_json()) == morph
    assert morph.to_json().isascii()
    assert "\n" not in morph.to_json()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keyframes": []}', "nul\0"])
def test_what_is_no_morph_is_refused(text):
    with pytest.raises(RecipeError, match="not a morph"):
        Morph.from_json(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keyframes": []}, "two keyframes or more, got 0"),
        ({"keyframes": [1]}, "two keyframes or more, got 1"),
        ({"keyframes": [1, -2]}, "seed must be from 0"),
        ({"seconds": 0}, "seconds: .*greater than 0"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": 1e6, "fps": 1}, "1000000 frames; a morph has from 2 to 10000"),
        ({"seconds": 0.01}, "0 frames"),
        ({"fps": 0}, "fps"),
        ({"fps": 61}, "fps: .*less than or equal to 60"),
        ({"easing": "smoth"}, "did you mean 'smooth'"),
        ({"path": "spine"}, "did you mean 'spline'"),
        ({"space": "x"}, "choices: z, w"),
        ({"equal_speed": True, "easing": "hold"}, "leave out the easing 'hold'"),
        ({"size": 100}, "no size 100"),
        ({"psi": 3.0}, "psi"),
        ({"hair": "pnik"}, "did you mean 'pink'"),
        ({"hair": []}, "hair needs from 1"),
        ({"hairs": "pink"}, "no attribute 'hairs'; did you mean 'hair'"),
    ],
)
def test_bad_values_are_named(pipeline, changes, message):
    keyframes = changes.pop("keyframes", [1, 2])
    with pytest.raises(OptionError, match=message) as caught:
        plan_morph(pipeline, keyframes, **changes)
    assert "\n" not in str(caught.value)


def test_unreadable_keyframes_are_refused(pipeline, tmp_path):
    noise = tmp_path / "noise.png"
    noise.write_bytes(b"not a picture")
    plain = tmp_path / "plain.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(plain)
    for path, error in [(noise, PictureError), (plain, RecipeError), ("gone.png", PictureError)]:
        with pytest.raises(error, match=str(path)):
            plan_morph(pipeline, [1, path])


def test_keyframes_of_other_weights_are_refused(pipeline):
    recipe = pipeline.recipes(1)[0].model_copy(update={"weights_sha256": "0" * 64})
    with pytest.raises(RecipeError, match="weights with SHA-256 000000000000"):
        plan_morph(pipeline, [recipe, 2])


def test_errors_are_those_of_users(pipeline):
    with pytest.raises(AvatarGanError):
        plan_morph(pipeline, [1.5, 2])
