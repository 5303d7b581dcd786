"""Contact sheets: which pictures, where they go, what is drawn."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avatargan.errors import OptionError
from face_crop.analysis import Analysis
from face_crop.preview import (
    BROKEN,
    CELL,
    PASSED,
    REJECTED,
    choose,
    draw_cell,
    draw_sheets,
    sheet_files,
)
from face_crop.sources import Source, find_sources
from face_crop.workers import CRASHED, Lost
from tests.face_crop.runs import OPTIONS, HereEngine, with_limits


def test_pictures_are_chosen_from_all_over_the_folder():
    sources = [Source(f"{n:03d}", Path(f"{n:03d}")) for n in range(100)]
    assert [source.name for source in choose(sources, 4)] == ["000", "025", "050", "075"]
    assert choose(sources, 0) == sources
    assert choose(sources[:3], 30) == sources[:3]


def test_one_sheet_is_a_file_and_several_are_a_folder(tmp_path):
    assert sheet_files(tmp_path / "a.png", 30) == [tmp_path / "a.png"]
    names = [path.name for path in sheet_files(tmp_path / "sheets", 61)]
    assert names == ["sheet-001.png", "sheet-002.png", "sheet-003.png"]
    with pytest.raises(OptionError, match="61 pictures need 3 sheets: give a folder"):
        sheet_files(tmp_path / "a.png", 61)
    with pytest.raises(OptionError, match="PNG"):
        sheet_files(tmp_path / "a.jpg", 3)


def test_every_kind_of_file_has_its_cell(scenes, tmp_path):
    for path in scenes.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "broken.png").write_bytes(b"broken")
    os.mkfifo(tmp_path / "pipe")
    sheets = list(draw_sheets(find_sources(tmp_path), OPTIONS, HereEngine()))
    assert sheets[:-1] == [None] * 7
    assert (len(sheets[-1].names), sheets[-1].passed, sheets[-1].rejected) == (8, 5, 0)


def test_a_picture_without_a_face_says_so():
    picture = Image.new("RGB", (CELL, CELL), "white")
    cell = np.asarray(draw_cell(Analysis(width=CELL, height=CELL, overview=picture)))
    assert (np.abs(cell.astype(int) - REJECTED).sum(-1) < 12).sum() > 300


def test_a_box_is_drawn_where_the_face_is(scenes):
    from face_crop.analysis import Analyser

    source = Source("scene-0.png", scenes / "scene-0.png")
    analysis = Analyser(OPTIONS, overview=CELL).analyse(source)
    cell = np.asarray(draw_cell(analysis)).astype(int)
    green = np.abs(cell - PASSED).sum(-1) < 12
    (face,) = analysis.candidates
    scale = CELL / max(analysis.width, analysis.height)
    left = face.box.x * scale + (CELL - analysis.width * scale) / 2
    bottom = face.box.bottom * scale + (CELL - analysis.height * scale) / 2
    column = round(left)
    assert green[round(bottom) - 30 : round(bottom) - 10, column - 2 : column + 3].any(1).all()


def test_rejected_faces_have_another_colour(scenes):
    sources = [Source("scene-0.png", scenes / "scene-0.png")]
    (sheet,) = draw_sheets(sources, with_limits(sharpness=9), HereEngine())
    assert (sheet.passed, sheet.rejected) == (0, 1)
    colours = {colour for _, colour in sheet.image.getcolors(1 << 24)}
    assert REJECTED in colours
    assert PASSED not in colours


def test_what_gives_no_picture_says_so():
    for problem in (Lost(CRASHED, "x"), Analysis(quarantined=("empty", "x"))):
        cell = np.asarray(draw_cell(problem)).astype(int)
        assert (np.abs(cell - BROKEN).sum(-1) < 12).any()
