"""Finding faces in whole pictures, with exactly known truth."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatargan.errors import CascadeError, OptionError, WeightsError
from face_crop.boxes import Box, boxes_to_array
from face_crop.detector import DetectorOptions, FaceDetector, has_second_look
from face_crop.evaluation import Judged, curve, judge
from face_crop.training.composed import ComposedScene, SceneComposer
from face_crop.training.material import boxed_pictures

#: Training draws its avatars from other seeds.
SEEDS = range(9000, 9008)
BOXES = Path(__file__).parents[2] / "benchmarks" / "face_boxes.json"


@pytest.fixture(scope="module")
def composer(pipe) -> SceneComposer:
    return SceneComposer(pipe, size=400)


@pytest.fixture(scope="module")
def composed(composer) -> list[ComposedScene]:
    return [composer.compose(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


def judged(detector: FaceDetector, picture, boxes, ignored=()) -> Judged:
    faces = detector.detect(picture)
    scores = [f.cascade_score if f.second_look is None else f.second_look for f in faces]
    found = boxes_to_array([face.box for face in faces])
    return judge(found, np.array(scores), boxes_to_array([*boxes]), boxes_to_array([*ignored]))


def on_composed(detector, scenes) -> tuple[float, float]:
    """Return recall and precision of everything that is found."""
    return curve([judged(detector, s.picture, [f.box for f in s.faces]) for s in scenes]).at(0)


def test_faces_of_composed_scenes_are_found(detector, composed):
    recall, precision = on_composed(detector, composed)
    assert recall >= 0.9
    assert precision >= 0.9


def test_a_face_that_fills_the_picture_is_found(detector, pipe):
    portraits = [np.asarray(a.image) for a in pipe.generate(range(40, 46), size=256)]
    close_ups = [np.ascontiguousarray(p[20:230, 20:230]) for p in portraits]
    faces = [detector.detect(p) for p in close_ups]
    assert sum(len(found) == 1 and found[0].box.width > 0.4 * 210 for found in faces) >= 5


def test_the_cascade_alone_finds_many_of_them(composed):
    recall, precision = on_composed(FaceDetector(DetectorOptions(second_look="off")), composed)
    assert recall >= 0.6
    assert precision >= 0.8


def test_what_is_said_of_a_face(detector, composed):
    for scene in composed:
        faces = detector.detect(scene.picture)
        scores = [face.second_look for face in faces]
        assert scores == sorted(scores, reverse=True)
        for face in faces:
            assert face.box.width == pytest.approx(face.box.height)
            assert face.angle == 0
            assert face.cascade_score >= 0
            assert detector.options.threshold <= face.second_look <= 1


def test_tilt_is_measured_where_it_is_asked_for(composed):
    detector = FaceDetector(DetectorOptions(rotations=(-20.0, 20.0)))
    errors = []
    for scene in composed:
        for face in detector.detect(scene.picture):
            errors += [face.angle - f.angle for f in scene.faces if face.box.iou(f.box) > 0.4]
    assert len(errors) >= 6
    assert np.median(np.abs(errors)) < 8


def test_the_same_picture_gives_the_same_faces(detector, composed):
    for scene in composed[:2]:
        first = detector.detect(scene.picture)
        assert FaceDetector(detector.options).detect(scene.picture) == first


def test_options_travel_to_other_processes():
    options = DetectorOptions(rotations=(10.0,), threshold=0.25)
    assert pickle.loads(pickle.dumps(options)) == options


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**32))
def test_any_size_of_picture_can_be_searched(detector, height, width, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    for face in detector.detect(noise):
        assert isinstance(face.box, Box)


def test_very_long_and_flat_pictures_can_be_searched(detector):
    assert detector.detect(np.zeros((4000, 24, 3), np.uint8)) == []
    assert detector.detect(np.full((24, 4000, 3), 255, np.uint8)) == []


def test_faces_below_the_smallest_size_are_left_out(composed):
    sides = [face.box.width for scene in composed for face in scene.faces]
    limit = int(np.median(sides))
    detector = FaceDetector(DetectorOptions(minimum_size=limit))
    found = [face.box.width for scene in composed for face in detector.detect(scene.picture)]
    assert found
    assert min(found) >= limit


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((50, 50), np.uint8),
        np.zeros((50, 50, 4), np.uint8),
        np.zeros((50, 50, 3), np.float32),
    ],
)
def test_other_arrays_are_refused(detector, picture):
    with pytest.raises(OptionError, match="uint8"):
        detector.detect(picture)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale_factor": 1.0},
        {"scale_factor": float("nan")},
        {"neighbours": -1},
        {"minimum_size": 0},
        {"working_size": 10},
        {"rotations": (400.0,)},
        {"threshold": 1.5},
        {"second_look": "perhaps"},
    ],
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        DetectorOptions(**wrong)


def test_files_that_are_missing_are_named(tmp_path):
    with pytest.raises(CascadeError, match=r"none\.xml"):
        FaceDetector(DetectorOptions(cascade=tmp_path / "none.xml"))
    with pytest.raises(WeightsError, match=r"none\.safetensors"):
        FaceDetector(DetectorOptions(second_look_weights=tmp_path / "none.safetensors"))


def test_the_second_look_is_off_where_its_weights_are_not(monkeypatch, tmp_path, composed):
    monkeypatch.setattr("face_crop.detector.shipped_weights", lambda name: tmp_path / name)
    assert not has_second_look()
    detector = FaceDetector()
    faces = [face for scene in composed for face in detector.detect(scene.picture)]
    assert faces
    assert all(face.second_look is None for face in faces)


def test_a_scene_is_decided_by_its_seed(composer, composed):
    again = composer.compose(SEEDS[0])
    assert (again.picture == composed[0].picture).all()
    assert again.faces == composed[0].faces
    assert (composer.compose(1).picture.shape != again.picture.shape) or (
        composer.compose(1).picture != again.picture
    ).any()


def test_scenes_know_the_colours_of_their_avatars(composed, pipe):
    for scene in composed:
        for face in scene.faces:
            for name in pipe.attributes:
                assert face.choices[name] in pipe.attributes.offered(name)


@pytest.mark.slow
def test_composed_scenes_of_full_size_are_searched_as_well(pipe):
    composer = SceneComposer(pipe)
    recall, precision = on_composed(
        FaceDetector(), [composer.compose(seed) for seed in range(5000, 5030)]
    )
    assert recall >= 0.97
    assert precision >= 0.95


@pytest.mark.slow
def test_illustrations_reach_the_figures(shared):
    """The second look has learned from them: this finds what breaks, not how good it is."""
    detector = FaceDetector(replace(DetectorOptions(), threshold=0.02))
    pictures = boxed_pictures(shared / "data" / "scenes", BOXES)
    whole = curve([judged(detector, p.picture, p.boxes, p.ignored) for p in pictures])
    recall, precision = whole.at(DetectorOptions().threshold)
    assert recall >= 0.75
    assert precision >= 0.93
