"""Exports and morphs over HTTP: progress in lines, then the file; and pictures line by line."""

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from avatargan.export import Exporter, ExportFolder, SheetOptions, create_plan, create_studio
from avatargan.morph import Morph
from avatargan.morph.metadata import EXIF_DESCRIPTION
from avatargan.pipeline import AvatarPipeline

LINES = {"accept": "application/x-ndjson"}


def run_job(client: httpx.Client, path: str, body: Any) -> tuple[list[dict], bytes]:
    """Return the lines of a job and the file after them."""
    response = client.post(f"/api/v1/{path}", json=body)
    assert response.status_code == 200, response.text
    lines, rest = [], response.content
    while not lines or lines[-1]["status"] != "done":
        line, _, rest = rest.partition(b"\n")
        lines.append(json.loads(line))
    assert len(rest) == lines[-1]["bytes"]
    return lines, rest


def test_pictures_come_line_by_line(client, pipe: AvatarPipeline):
    body = {"seeds": [1, 2], "size": 128}
    response = client.post("/api/v1/avatars", json=body, headers=LINES)
    assert response.headers["content-type"].startswith("application/x-ndjson")
    drawn = [json.loads(line) for line in response.text.splitlines()]
    assert drawn == client.post("/api/v1/avatars", json=body).json()["avatars"]
    assert base64.b64decode(drawn[0]["png"]) == pipe.generate([1], size=128)[0].to_png()


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("avatars", {"attributes": {"hair": "pnk"}}, "option"),
        ("avatars", {"seeds": [1] * 37}, "option"),
        ("exports", {"count": 201}, "option"),
        ("exports", {"name": "../{seed}", "dry_run": True}, "option"),
        ("exports", {"attributes": {"hairs": "pink"}}, "option"),
        ("exports", {"size": 100}, "option"),
        ("morphs", {"keyframes": [1]}, "option"),
        ("morphs", {"keyframes": [1] * 25}, "option"),
        ("morphs", {"keyframes": [1, 2], "format": "exe"}, "option"),
        ("morphs", {"keyframes": [1, 2], "size": 512}, "option"),
        ("morphs", {"keyframes": [1, 2], "seconds": 59}, "option"),
    ],
)
def test_what_is_refused_is_refused_before_it_begins(client, path, body, kind):
    response = client.post(f"/api/v1/{path}", json=body, headers=LINES)
    assert response.status_code == 422
    assert response.json()["kind"] == kind


def test_the_zip_holds_what_the_command_would_write(client, pipe: AvatarPipeline, tmp_path: Path):
    wanted = {"hair": "pink", "style": "visual-novel"}
    name = "{hair}_{eyes}_{index:03d}"
    body = {"attributes": wanted, "seed": "40", "count": 4, "size": 128, "name": name}
    first = client.post("/api/v1/exports", json=body | {"dry_run": True}).json()
    lines, content = run_job(client, "exports", body | {"sheets": True})
    assert {"status": "busy", "done": 0, "total": 5} in lines
    plan = create_plan(
        pipe,
        count=4,
        first_seed=40,
        wanted=dict.fromkeys(pipe.attributes, "any") | wanted,
        size=128,
        name=name,
        sheet=SheetOptions(columns=8, rows=8, atlas=True),
    )
    list(Exporter(plan, ExportFolder(tmp_path), create_studio(plan, pipe)).run())
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert files == {str(path.relative_to(tmp_path)): path.read_bytes() for path in written}
    assert first == {"file": first["file"], "pictures": 4}
    assert first["file"] in files


def test_a_morph_goes_through_recipes_and_seeds(client, pipe: AvatarPipeline):
    [avatar] = client.post("/api/v1/avatars", json={"seeds": [7], "size": 128}).json()["avatars"]
    body = {"keyframes": [avatar["recipe"], str(2**63 - 1)], "seconds": 0.5, "size": 128}
    lines, webp = run_job(client, "morphs", body)
    assert lines[-1]["type"] == "image/webp"
    with Image.open(io.BytesIO(webp)) as image:
        assert (image.n_frames, image.info["loop"], image.size) == (12, 0, (128, 128))
        morph = Morph.from_json(image.getexif()[EXIF_DESCRIPTION])
    assert [recipe.seed for recipe in morph.keyframes] == [7, 2**63 - 1]
