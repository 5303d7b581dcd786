import numpy as np
import pytest
import torch

from avatargan.errors import OptionError
from avatargan.latents import slerp
from avatargan.morph import LatentPath, animate, plan_morph
from avatargan.morph.equal_speed import (
    equal_speed_times,
    perceptual_steps,
    unevenness,
)
from avatargan.morph.schedule import even_times

SMALL = 128


def draw(pipeline, keyframes, **options):
    morph = plan_morph(pipeline, keyframes, size=SMALL, **options)
    return morph, [np.asarray(frame) for frame in animate(pipeline, morph).frames]


@pytest.mark.parametrize("space", ["z", "w"])
@pytest.mark.parametrize("path", ["straight", "spline"])
def test_keyframes_are_the_pictures_of_their_recipes(pipeline, space, path):
    options = {"hair": ["pink", "blue", "white"], "style": ["tv", "visual-novel", "tv"]}
    morph, frames = draw(
        pipeline, [3, 14, 15], seconds=1, fps=6, loop=True, space=space, path=path, **options
    )
    for number, avatar in zip((0, 2, 4), pipeline.draw(morph.keyframes), strict=True):
        assert np.array_equal(frames[number], np.asarray(avatar.image))


def test_without_a_loop_the_last_frame_is_the_last_keyframe(pipeline):
    morph, frames = draw(pipeline, [3, 14], seconds=1, fps=3)
    first, last = pipeline.draw(morph.keyframes)
    assert np.array_equal(frames[0], np.asarray(first.image))
    assert np.array_equal(frames[-1], np.asarray(last.image))


def test_a_loop_does_not_repeat_its_first_frame(pipeline):
    _, frames = draw(pipeline, [3, 14], seconds=1, fps=4, loop=True, easing="linear")
    assert len(frames) == 4
    assert not np.array_equal(frames[-1], frames[0])


def test_z_goes_along_great_circles(pipeline):
    morph = plan_morph(pipeline, [1, 2], easing="linear", hair="pink", eyes="blue")
    z = pipeline.latents(morph.keyframes).z
    middle = torch.from_numpy(slerp(z[:1], z[1:], 0.5))
    with torch.inference_mode():
        style = torch.tensor([0])
        generator = pipeline.generator
        expected = generator.truncate(generator.mapping(middle, style), style, 0.7)
    w, _ = LatentPath(pipeline, morph).at(np.array([0.5]))
    assert torch.allclose(w, expected, atol=1e-5)


def test_w_goes_straight(pipeline):
    morph = plan_morph(pipeline, [1, 2], space="w", easing="linear")
    w, _ = LatentPath(pipeline, morph).at(np.array([0, 0.25, 1]))
    assert torch.allclose(w[1], 0.75 * w[0] + 0.25 * w[2], atol=1e-5)


def test_a_spline_in_z_keeps_frames_as_typical_as_seeds(pipeline):
    morph = plan_morph(pipeline, [1, 2, 3, 4], path="spline", loop=True)
    path = LatentPath(pipeline, morph)
    lengths = np.linalg.norm(path._z(even_times(40, loop=True)), axis=1)
    own = np.linalg.norm(path.latents.z, axis=1)
    assert lengths.min() > 0.95 * own.min()
    assert lengths.max() < 1.05 * own.max()


def test_attributes_have_their_own_schedule(pipeline):
    """Three colours over two characters: the second is there halfway."""
    morph = plan_morph(pipeline, [1, 2], hair=["pink", "blue", "white"], eyes="red")
    _, palette = LatentPath(pipeline, morph).at(np.array([0, 0.25, 0.5, 1]))
    with torch.inference_mode():
        expected = {
            name: pipeline.generator.embed_palette(
                hair=torch.tensor([pipeline.attributes.index("hair", name)]),
                eyes=torch.tensor([pipeline.attributes.index("eyes", "red")]),
            )[0]
            for name in ("pink", "blue", "white")
        }
    assert torch.equal(palette[0], expected["pink"])
    assert torch.allclose(palette[1], (expected["pink"] + expected["blue"]) / 2, atol=1e-6)
    assert torch.equal(palette[2], expected["blue"])
    assert torch.equal(palette[3], expected["white"])


def test_changing_colours_leave_the_character_alone(pipeline):
    plain = plan_morph(pipeline, [1, 2], hair="pink")
    coloured = plan_morph(pipeline, [1, 2], hair=["pink", "blue", "white"])
    times = even_times(5, loop=False)
    w = [LatentPath(pipeline, morph).at(times)[0] for morph in (plain, coloured)]
    assert torch.equal(w[0], w[1])


@pytest.mark.parametrize("space", ["z", "w"])
def test_styles_mix_on_their_own_schedule(pipeline, space):
    options = {"style": ["visual-novel", "tv", "visual-novel"], "hair": "pink", "eyes": "red"}
    morph, frames = draw(pipeline, [3, 14], seconds=1, fps=5, space=space, **options)
    first, last = pipeline.draw(
        pipeline.recipes([3, 14], size=SMALL, style="visual-novel", hair="pink", eyes="red")
    )
    assert np.array_equal(frames[0], np.asarray(first.image))
    assert np.array_equal(frames[-1], np.asarray(last.image))
    w, _ = LatentPath(pipeline, morph).at(np.array([0.5]))
    plain, _ = LatentPath(pipeline, morph.model_copy(update={"schedules": {}})).at(np.array([0.5]))
    assert not torch.allclose(w, plain, atol=1e-2)


def test_a_schedule_of_an_unknown_attribute_is_refused(pipeline):
    morph = plan_morph(pipeline, [1, 2]).model_copy(update={"schedules": {"hat": ("red",)}})
    with pytest.raises(OptionError, match="no attribute 'hat'"):
        LatentPath(pipeline, morph)


def test_equal_speed_makes_steps_equal(pipeline):
    options = {"seconds": 1, "fps": 12, "loop": True, "hair": ["pink", "blue", "white"]}

    def steps(**more):
        morph = plan_morph(pipeline, [3, 14], size=SMALL, **options, **more)
        frames = list(animate(pipeline, morph).frames)
        assert len(frames) == 12
        return perceptual_steps([*frames, frames[0]])

    before, after = unevenness(steps(easing="linear")), unevenness(steps(equal_speed=True))
    assert after < 0.1
    assert after < before / 2


def test_equal_speed_of_what_does_not_move_is_even(pipeline):
    morph, frames = draw(pipeline, [3, 3], seconds=1, fps=4, hair="pink", equal_speed=True)
    assert len(frames) == morph.frame_count == 4


def test_equal_speed_follows_what_is_seen():
    """A grey that brightens with the square of time, in CIELAB's lightness."""
    from PIL import Image

    def draw_grey(times):
        for time in times:
            yield Image.new("RGB", (4, 4), (round(255 * time**2),) * 3)

    times = equal_speed_times(12, False, draw_grey)
    assert unevenness(perceptual_steps(draw_grey(times))) < 0.1
    assert unevenness(perceptual_steps(draw_grey(even_times(12, False)))) > 0.3
