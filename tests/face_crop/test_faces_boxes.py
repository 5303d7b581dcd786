"""Boxes, and how what was found is held against what is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from face_crop.boxes import (
    Box,
    boxes_to_array,
    iou_matrix,
    non_maximum_suppression,
    rotated_about,
)
from face_crop.evaluation import curve, judge

sides = st.floats(1, 500)
places = st.floats(-500, 500)
boxes = st.builds(Box, places, places, sides, sides)


@given(boxes, boxes)
def test_iou_is_symmetric_and_at_most_one(first, second):
    assert first.iou(second) == pytest.approx(second.iou(first))
    assert 0 <= first.iou(second) <= 1 + 1e-9
    assert first.iou(first) == pytest.approx(1)


@given(st.lists(boxes, max_size=6), st.lists(boxes, max_size=6))
def test_arrays_of_boxes_overlap_as_boxes_do(first, second):
    matrix = iou_matrix(boxes_to_array(first), boxes_to_array(second))
    expected = [[a.iou(b) for b in second] for a in first]
    assert matrix == pytest.approx(np.array(expected).reshape(matrix.shape), abs=1e-3)


@given(boxes, st.floats(0.1, 5))
def test_an_enlarged_box_keeps_its_middle(box, factor):
    large = box.enlarged(factor)
    assert large.centre == pytest.approx(box.centre, abs=1e-6)
    assert large.area == pytest.approx(box.area * factor**2)


@given(st.lists(boxes, min_size=1, max_size=12), st.floats(0.1, 0.9), st.integers(0, 99))
def test_of_boxes_that_overlap_the_best_stays(found, limit, seed):
    array = boxes_to_array(found)
    scores = np.random.default_rng(seed).random(len(found))
    kept = non_maximum_suppression(array, scores, limit)
    overlaps = iou_matrix(array, array)
    assert scores[kept[0]] == scores.max()
    assert list(scores[kept]) == sorted(scores[kept], reverse=True)
    for index in range(len(found)):
        better = [k for k in kept if k != index and overlaps[k, index] > limit]
        assert (index in kept) != bool(better)


def test_points_turn_clockwise():
    # Down is where y grows: a point on the right goes below the centre.
    assert rotated_about(11, 5, (10, 5), 90) == pytest.approx((10, 6))


FACE, ELSEWHERE = Box(0, 0, 10, 10), Box(50, 50, 10, 10)


def figures(found, scores, faces, ignored=()):
    return judge(
        boxes_to_array(found),
        np.array(scores),
        boxes_to_array(list(faces)),
        boxes_to_array(list(ignored)),
    )


def test_a_face_is_found_once():
    judged = figures([FACE, Box(1, 1, 10, 10)], [0.9, 0.8], [FACE])
    assert judged.right.tolist() == [True, False]


def test_what_is_ignored_counts_neither_way():
    judged = figures([ELSEWHERE, FACE], [0.9, 0.8], [FACE], [ELSEWHERE])
    assert judged.right.tolist() == [True]


def test_the_curve_falls_as_wrong_boxes_are_let_in():
    whole = curve(
        [figures([FACE, ELSEWHERE], [0.9, 0.4], [FACE]), figures([], [], [FACE])],
    )
    assert whole.at(0.5) == (0.5, 1.0)
    assert whole.at(0.3) == (0.5, 0.5)
    assert whole.at(0.95) == (0.0, 1.0)
    assert whole.recall_at_precision(0.93) == 0.5
