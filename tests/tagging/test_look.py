"""Tags are mended by looking: pages, least sure first, and the way back into the table."""

import csv
import re

import numpy as np
import pytest
from PIL import Image

from avatargan.cli import main
from avatargan.errors import DatasetError
from avatargan.tagging.look import mend

TABLE = b"file,hair,hair_p,tagger\na.png,red,0.700,0123\nb.png,blue,0.900,0123\n"


def changes(*rows):
    return "".join(
        f"{','.join(row)}\n" for row in (("file", "attribute", "choice"), *rows)
    ).encode()


def test_what_a_person_changed_is_sure():
    done = mend(TABLE, "tags.csv", changes(("a.png", "hair", "green")), "mended.csv")
    assert done.changed == 1
    assert done.content.splitlines() == [
        "file,hair,hair_p,tagger",
        "a.png,green,1.000,0123",
        "b.png,blue,0.900,0123",
    ]


@pytest.mark.parametrize(
    ("mended", "message"),
    [
        (changes(("c.png", "hair", "red")), r"mended.csv, line 2: 'c.png' is not in tags.csv"),
        (changes(("a.png", "hiar", "red")), "has no column 'hiar'"),
        (changes(("a.png", "tagger", "me")), "has no column 'tagger'"),
        (b"file,choice\na.png,red\n", "columns must be file, attribute, choice"),
    ],
)
def test_what_does_not_fit_is_refused(mended, message):
    with pytest.raises(DatasetError, match=message):
        mend(TABLE, "tags.csv", mended, "mended.csv")


def test_pages_begin_with_what_is_least_sure_and_lead_back(tmp_path, untrained, capsys):
    folder = tmp_path / "faces"
    folder.mkdir()
    for index in range(5):
        pixels = np.random.default_rng(index).integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"<{index}>.png")
    look = tmp_path / "look"
    arguments = ["tag", str(folder), "--tagger", str(untrained), "--threshold", "0"]
    assert main([*arguments, "--look", str(look)]) == 0
    assert sorted(page.name for page in look.iterdir()) == ["ears.html", "mood.html"]
    page = (look / "mood.html").read_text()
    sure = [float(text) for text in re.findall(r"</select>([\d.]+) ", page)]
    assert sure == sorted(sure)
    assert len(sure) == 5
    assert "&lt;0&gt;.png" in page
    assert "<0>" not in page
    mended = tmp_path / "mended-mood.csv"
    mended.write_bytes(changes(("<0>.png", "mood", "c")))
    assert main(["tag", str(folder), "--mend", str(mended)]) == 0
    assert "tags changed" in capsys.readouterr().out
    with (folder / "tags.csv").open(newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert rows["<0>.png"]["mood"] == "c"
    assert rows["<0>.png"]["mood_p"] == "1.000" != rows["<1>.png"]["mood_p"]
