"""The second look: its networks, what they are taught, and their training."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file

from avatargan.errors import DatasetError, WeightsError
from avatargan.weights_header import shipped_weights
from face_crop.boxes import Box, boxes_to_array, iou_matrix
from face_crop.network import UNIT_TILT, Answer, FaceNetwork, FaceNetworks
from face_crop.second_look import (
    CLOSE_FACE,
    CLOSE_SIZE,
    close_ups,
    likeliest,
    load_face_networks,
    save_face_networks,
)
from face_crop.train_second_look import fold_path, main
from face_crop.training import painting
from face_crop.training.material import boxed_pictures
from face_crop.training.portraits import Placement, Portrait, paste, warped
from face_crop.training.scenes import BoxedPicture, Scene, SceneMaker
from face_crop.training.second_look import look_closely_at, loss, targets, to_tensor

SMALL = (4, 4, 8, 8, 8)


def small_networks(seed: int = 0) -> FaceNetworks:
    torch.manual_seed(seed)
    return FaceNetworks(SMALL, SMALL)


def scene_with(boxes: list[Box], angles: list[float], size: int = 192) -> Scene:
    picture = np.full((size, size, 3), 200, np.uint8)
    array = np.array(angles, np.float32)
    return Scene(picture, boxes_to_array(boxes), array, boxes_to_array([]))


def test_folding_the_normalisations_changes_nothing():
    torch.manual_seed(0)
    network = FaceNetwork(SMALL)
    pictures = torch.randn(4, 3, 64, 96)
    network.train()
    for _ in range(3):
        network(pictures)  # the running means move away from where they start
    network.eval()
    with torch.no_grad():
        expected = [plane.clone() for plane in network(pictures).planes()]
        folded = network.fold()(pictures).planes()
    for wanted, found in zip(expected, folded, strict=True):
        assert torch.allclose(wanted, found, atol=1e-4)


def test_weights_survive_their_file(tmp_path):
    networks = small_networks().fold()
    save_face_networks(tmp_path / "look.safetensors", networks)
    again = load_face_networks(tmp_path / "look.safetensors")
    pictures = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = networks.close(pictures).logit
        assert torch.allclose(expected, again.close(pictures).logit, atol=0.02)


@pytest.mark.parametrize("damage", ["missing", "truncated", "other role", "tensor", "not finite"])
def test_damaged_weights_are_one_clear_error(tmp_path, damage):
    path = tmp_path / "look.safetensors"
    save_face_networks(path, small_networks().fold())
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "other role":
        path.write_bytes(shipped_weights("matting.safetensors").read_bytes())
    else:
        tensors = load_file(path)
        if damage == "tensor":
            del tensors["close.answer.bias"]
        else:
            tensors["close.answer.bias"][0] = math.nan
        save_file(tensors, path, {"format": "avatargan", "role": "face second look"})
    with pytest.raises(WeightsError) as caught:
        load_face_networks(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(deadline=None)
@given(
    side=st.floats(14, 120),
    x=st.floats(20, 172),
    y=st.floats(20, 172),
    angle=st.floats(-45, 45),
)
def test_what_is_taught_reads_back_as_the_box(side, x, y, angle):
    """Targets and reading are two halves of one encoding."""
    box = Placement(x, y, side).box
    wanted = targets([scene_with([box], [angle])])
    logit = torch.logit(wanted.heat.clamp(1e-4, 1 - 1e-4))
    said = Answer(logit, wanted.across, wanted.down, wanted.size, wanted.tilt)
    found = likeliest(said, 0.0, 1)
    assert iou_matrix(found.boxes, boxes_to_array([box]))[0, 0] > 0.98
    assert found.tilts[0] == pytest.approx(angle, abs=0.01)


def test_the_loss_is_least_where_the_answer_is_right():
    wanted = targets([scene_with([Placement(90, 70, 50).box], [10.0])])
    right = Answer(
        torch.logit((wanted.heat == 1).float().clamp(1e-4, 1 - 1e-4)),
        wanted.across,
        wanted.down,
        wanted.size,
        wanted.tilt,
    )
    least = float(loss(right, wanted))
    for index in range(5):
        planes = [plane.clone() for plane in right.planes()]
        planes[index] += 1.0
        assert float(loss(Answer(*planes), wanted)) > least


def test_ignored_places_cost_nothing():
    scene = scene_with([], [])
    ignored = Scene(scene.picture, scene.boxes, scene.angles, boxes_to_array([Box(0, 0, 192, 192)]))
    alarm = Answer(*(torch.full((1, 24, 24), 3.0) for _ in range(5)))
    assert float(loss(alarm, targets([ignored]))) == 0
    assert float(loss(alarm, targets([scene]))) > 1


@pytest.mark.parametrize("side", [13, 40, 90, 333])
def test_a_close_up_shows_its_box_at_one_size(side):
    picture = np.zeros((600, 500, 3), np.uint8)
    left, top = 120, 150
    picture[top : top + side, left : left + side] = 255
    views = close_ups(picture, boxes_to_array([Box(left, top, side, side)]))
    margin = (CLOSE_SIZE - CLOSE_FACE) / 2
    inner, outer = int(margin + 3), int(margin - 3)
    assert views.pictures.shape == (1, CLOSE_SIZE, CLOSE_SIZE, 3)
    assert (views.pictures[0, inner:-inner, inner:-inner] > 250).all()
    assert (views.pictures[0, outer, outer:-outer] < 130).all()


def test_close_ups_of_a_face_hold_its_box():
    random = np.random.default_rng(0)
    scene = scene_with([Placement(90, 80, 60).box], [5.0])
    views = look_closely_at(scene, scene.boxes, 20, random)
    held = [view for view in views if len(view.boxes)]
    assert len(held) > 10
    for view in held:
        assert view.boxes[0, 2] / CLOSE_FACE == pytest.approx(1, abs=0.7)
        assert view.angles.tolist() == [5.0]


@pytest.fixture(scope="module")
def portrait(pipe) -> Portrait:
    picture = np.asarray(pipe.generate(3, size=128)[0].image)
    return Portrait(picture, None, Box(20, 20, 88, 88))


def test_a_pasted_face_is_where_it_was_wanted(portrait):
    marked = portrait.picture.copy()
    marked[:] = 0
    marked[60:68, 60:68] = 255  # the middle of the face
    canvas = np.zeros((200, 300, 3), np.uint8)
    place = Placement(x=150, y=90, side=60, angle=30)
    got = paste(canvas, Portrait(marked, None, portrait.box), place)
    rows, columns = np.nonzero(canvas[..., 0] > 100)
    assert (columns.mean(), rows.mean()) == pytest.approx((150, 90), abs=1.5)
    assert (got[canvas[..., 0] > 0] > 0).all()


def test_portraits_are_mirrored_with_their_box(portrait):
    other = Portrait(portrait.picture, None, Box(10, 20, 50, 60)).mirrored()
    assert other.box == Box(68, 20, 50, 60)
    assert (other.picture[:, ::-1] == portrait.picture).all()


def test_warps_change_the_face_and_leave_the_frame(portrait):
    changed = warped(portrait, np.random.default_rng(0))
    assert changed.box == portrait.box
    assert changed.picture.shape == portrait.picture.shape
    assert (changed.picture != portrait.picture).any()


@given(st.integers(0, 2**32), st.floats(10, 60))
def test_a_body_hides_no_face_that_is_there_already(seed, side):
    canvas = np.full((96, 96, 3), 255, np.uint8)
    face = np.zeros((96, 96), bool)
    face[30:80, 30:60] = True
    painting.body(canvas, (48, 20), side, np.random.default_rng(seed), face)
    assert (canvas[face] == 255).all()
    assert (canvas != 255).any()


def test_scenes_are_decided_by_their_seed_and_hold_their_boxes(portrait):
    boxed = BoxedPicture("a", portrait.picture, (Box(20, 20, 88, 88),), (0.0,))
    maker = SceneMaker([[portrait]], [boxed], size=128)
    faces = 0
    for seed in range(30):
        first, second = (maker.make(np.random.default_rng(seed)) for _ in range(2))
        assert (first.picture == second.picture).all()
        assert first.picture.shape == (128, 128, 3)
        assert len(first.boxes) == len(first.angles)
        middles = first.boxes[:, :2] + first.boxes[:, 2:] / 2
        assert ((middles > 0) & (middles < 128)).all()
        faces += len(first.boxes)
    assert faces > 15


def test_boxes_of_pictures_are_read_from_json(tmp_path, portrait):
    Image.fromarray(portrait.picture).save(tmp_path / "a.png")
    row = {"x": 1, "y": 2, "width": 30, "height": 40, "tilt": 5, "ignore": False}
    ignored = {**row, "ignore": True}
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"pictures": {"a.png": [row, ignored]}}))
    (read,) = boxed_pictures(tmp_path, boxes)
    assert read.boxes == read.ignored == (Box(1, 2, 30, 40),)
    assert read.angles == (5.0,)
    for content in ("[]", "{}", '{"pictures": {"a.png": [{"x": 1}]}}', "no"):
        boxes.write_text(content)
        with pytest.raises(DatasetError, match=r"boxes\.json"):
            boxed_pictures(tmp_path, boxes)


@pytest.fixture(scope="module")
def material(pipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("material")
    names = {"faces": "visual-novel", "portraits": "tv"}
    for name, style in names.items():
        (folder / name).mkdir()
        for index, avatar in enumerate(pipe.generate(range(4), size=128, style=style)):
            avatar.image.save(folder / name / f"{index}.png")
    row = {"x": 20, "y": 20, "width": 88, "height": 88, "tilt": 0, "ignore": False}
    table = {f"{index}.png": [row] for index in range(4)}
    (folder / "boxes.json").write_text(json.dumps({"pictures": table}))
    return folder


def arguments(material, out, *more) -> list[str]:
    few = ["--batch", "2", "--scene-size", "64", "--drawn", "2"]
    few += [f"--{name}" for name in ("steps", "close-steps", "boxed-steps", "boxed-close-steps")]
    counts = iter(["2"] * 4)
    spread = [
        part for item in few for part in ([item, next(counts)] if "steps" in item else [item])
    ]
    places = ["--faces", str(material / "faces"), "--portraits", str(material / "portraits")]
    return [*places, "--out", str(out), "--device", "cpu", *spread, *more]


def test_training_writes_weights_and_those_of_the_folds(material, tmp_path):
    out = tmp_path / "look.safetensors"
    boxed = ["--scenes", str(material / "faces"), "--boxes", str(material / "boxes.json")]
    assert main(arguments(material, out, *boxed, "--folds", "2")) == 0
    written = [load_file(path) for path in (out, fold_path(out, 0), fold_path(out, 1))]
    # What learned from other pictures is another network.
    assert any(not torch.equal(tensor, written[2][name]) for name, tensor in written[1].items())
    load_face_networks(out)
    again = tmp_path / "again.safetensors"
    assert main(arguments(material, again, *boxed)) == 0
    repeated = load_file(again)
    assert all(torch.equal(tensor, repeated[name]) for name, tensor in written[0].items())


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--folds", "4"], "--folds is 2 or more"),
        (["--scenes", "somewhere"], "go together"),
        (["--scene-size", "100"], "multiple of 32"),
        (["--boxed-share", "0"], "boxed_share"),
        (["--device", "abacus"], "no device"),
    ],
)
def test_bad_options_are_one_line(material, tmp_path, capsys, more, reason):
    assert main(arguments(material, tmp_path / "x.safetensors", *more)) == 2
    assert reason in capsys.readouterr().err


def test_a_dry_run_writes_nothing(material, tmp_path, capsys):
    out = tmp_path / "folder" / "x.safetensors"
    assert main(arguments(material, out, "--dry-run")) == 0
    assert "4 faces, 4 portraits, 0 boxed pictures" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_missing_pictures_are_one_line():
    command = [sys.executable, "-m", "face_crop.train_second_look", "--out", "x.safetensors"]
    command += ["--faces", "none", "--portraits", "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: none:")
    assert done.stderr.count("\n") == 1


def test_tilts_are_learned_in_units():
    wanted = targets([scene_with([Placement(96, 96, 60).box], [UNIT_TILT])])
    assert float(wanted.tilt.max()) == 1.0
    assert to_tensor(np.zeros((1, 8, 8, 3), np.uint8)).min() == -1
