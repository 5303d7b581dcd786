"""A folder of crops from elsewhere is carried on without trust in what it says."""

import json
import os

import pytest

from avatargan.errors import OutputError
from face_crop.folder import JOURNAL, MARK, OPTIONS, CropFolder

RECORD = {
    "source": "a.png",
    "sha256": "0",
    "bytes": 1,
    "modified_ns": 1,
    "crops": [],
    "rejected": [],
}


@pytest.fixture
def mark(tmp_path):
    mark = tmp_path / MARK
    mark.mkdir()
    (mark / OPTIONS).write_text("{}")
    return mark


@pytest.mark.parametrize(
    "line",
    [
        "[" * 200_000,
        json.dumps({"writing": 5}),
        *(
            json.dumps(RECORD | change)
            for change in (
                {"source": [1]},
                {"crops": 5},
                {"crops": [5]},
                {"crops": [{}]},
                {"crops": [{"file": "a.png", "hash": "zz", "colours": ""}]},
                {"rejected": [5]},
                {"quarantined": 5},
            )
        ),
    ],
    ids=range(9),
)
def test_lines_that_are_no_records_are_left_out(mark, tmp_path, line):
    good = json.dumps(RECORD | {"source": "b.png"})
    (mark / JOURNAL).write_text(f"{line}\n{good}\n")
    assert list(CropFolder(tmp_path, {}).check()) == ["b.png"]


@pytest.mark.parametrize("text", ["[]", "[" * 100_000])
def test_damaged_options_are_named(mark, tmp_path, text):
    (mark / OPTIONS).write_text(text)
    with pytest.raises(OutputError, match="is damaged"):
        CropFolder(tmp_path, {}).check()


@pytest.mark.parametrize("name", [OPTIONS, JOURNAL])
def test_a_pipe_is_not_waited_for(mark, tmp_path, name):
    (mark / name).unlink(missing_ok=True)
    os.mkfifo(mark / name)
    with pytest.raises(OutputError, match="a pipe or a device"):
        CropFolder(tmp_path, {}).check()
