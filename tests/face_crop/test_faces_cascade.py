"""Cascade files: what is refused, and that ours is decided upon as OpenCV does."""

import pickle

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatargan.errors import CascadeError
from face_crop.cascade import SHIPPED_CASCADE, classifier_of, find_windows, load_cascade
from face_crop.training.lbp import WINDOW, all_features, codes
from face_crop.training.lbp_cascade import LbpCascade, Stage, Stump

OTHER_XML = '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'
NO_STAGES = '<?xml version="1.0"?><opencv_storage><cascade><stages/></cascade></opencv_storage>'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"\xff\xfe\x00\x01", "not a text file"),
        (b"hello", "not XML"),
        (OTHER_XML.encode(), "XML of something else"),
        (NO_STAGES.encode(), "no stages"),
        (SHIPPED_CASCADE.read_bytes()[:5000], "not XML"),
        (SHIPPED_CASCADE.read_bytes().replace(b"internalNodes", b"nodes"), "OpenCV"),
    ],
)
def test_a_wrong_file_is_one_clear_error(tmp_path, content, reason):
    path = tmp_path / "faces.xml"
    path.write_bytes(content)
    with pytest.raises(CascadeError, match=reason) as caught:
        load_cascade(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    with pytest.raises(CascadeError, match="no such"):
        load_cascade(tmp_path / "none.xml")
    with pytest.raises(CascadeError, match="cannot be read"):
        load_cascade(tmp_path)


def test_the_shipped_cascade_finds_drawn_faces(pipe):
    cascade = load_cascade()
    found = 0
    for avatar in pipe.generate([1, 2, 3, 4, 5], size=256, style="visual-novel"):
        grey = np.asarray(avatar.image.convert("L"))
        boxes, counts = find_windows(cascade, grey, 1.1, 5, 60)
        assert len(boxes) == len(counts)
        found += len(boxes) == 1
    assert found >= 4


def test_every_single_window_can_be_had(pipe):
    grey = np.asarray(pipe.generate(1, size=256)[0].image.convert("L"))
    boxes, counts = find_windows(load_cascade(), grey, 1.1, 0, 60)
    assert len(boxes) > 5
    assert (counts == 1).all()


@pytest.fixture(scope="module")
def windows(pipe) -> np.ndarray:
    """Windows on and around drawn faces, of noise, and of flat grey."""
    random = np.random.default_rng(0)
    cut = []
    for avatar in pipe.generate(range(6), size=128):
        grey = np.asarray(avatar.image.convert("L"))
        for _ in range(60):
            side = int(random.integers(40, 128))
            x, y = (int(random.integers(0, 128 - side + 1)) for _ in range(2))
            part = grey[y : y + side, x : x + side]
            cut.append(cv2.resize(part, (WINDOW, WINDOW), interpolation=cv2.INTER_AREA))
    cut += list(random.integers(0, 256, (40, WINDOW, WINDOW), np.uint8))
    cut.append(np.full((WINDOW, WINDOW), 127, np.uint8))
    return np.array(cut, np.uint8)


def passes_in_opencv(classifier: cv2.CascadeClassifier, window: np.ndarray) -> bool:
    size = (WINDOW, WINDOW)
    return len(classifier.detectMultiScale(window, 1.1, 0, 0, size, size)) > 0


def test_our_decisions_are_those_of_opencv(windows):
    cascade = LbpCascade.from_xml(SHIPPED_CASCADE.read_text())
    classifier = load_cascade()
    expected = [passes_in_opencv(classifier, window) for window in windows]
    assert 5 < sum(expected) < len(windows) - 40
    assert cascade.passes(windows).tolist() == expected


def test_each_stage_decides_as_in_opencv(windows):
    """Windows fall out at all stages, so that every part of the format is read alike."""
    cascade = LbpCascade.from_xml(SHIPPED_CASCADE.read_text())
    for count in (1, 3, 6):
        part = LbpCascade(cascade.stages[:count])
        classifier = classifier_of(part.to_xml(), "part")
        expected = [passes_in_opencv(classifier, window) for window in windows]
        assert part.passes(windows).tolist() == expected


def test_a_cascade_survives_its_file():
    cascade = LbpCascade.from_xml(SHIPPED_CASCADE.read_text())
    again = LbpCascade.from_xml(cascade.to_xml())
    assert pickle.dumps(again) == pickle.dumps(LbpCascade.from_xml(again.to_xml()))
    assert again.to_xml() == cascade.to_xml()


@given(st.binary(min_size=32, max_size=32))
def test_any_set_of_codes_survives_the_file(content):
    subset = np.unpackbits(np.frombuffer(content, np.uint8)).astype(bool)
    stage = Stage((Stump((0, 0, 2, 3), subset, 0.5, -0.25),), 0.125)
    read = LbpCascade.from_xml(LbpCascade((stage,)).to_xml()).stages[0]
    assert (read.stumps[0].subset == subset).all()
    assert (read.stumps[0].inside, read.stumps[0].outside, read.threshold) == (0.5, -0.25, 0.125)


def test_codes_are_those_of_the_definition():
    random = np.random.default_rng(1)
    window = random.integers(0, 256, (WINDOW, WINDOW)).astype(np.uint8)
    features = all_features()[:: len(all_features()) // 50]
    clockwise = [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    for (x, y, width, height), code in zip(
        features, codes(window[None], features)[:, 0], strict=True
    ):

        def block(column: int, row: int, x=x, y=y, width=width, height=height) -> int:
            top, left = y + row * height, x + column * width
            return int(window[top : top + height, left : left + width].sum(dtype=int))

        bits = [block(*place) >= block(1, 1) for place in clockwise]
        assert code == int("".join(str(int(bit)) for bit in bits), 2)


@pytest.mark.parametrize("text", ["<a/>", "nothing", NO_STAGES])
def test_what_is_no_cascade_of_lbp_stumps_is_refused(text):
    with pytest.raises(CascadeError, match="not a cascade of LBP stumps"):
        LbpCascade.from_xml(text)
