"""Crops of crawled pictures carry the ledger's id; what is forgotten goes from the crops, too."""

import json
import shutil

import pytest

pytest.importorskip("parsel", reason="the crawl extra is not installed (parsel)")

from crawler.forget import forget, plan_forgetting
from crawler.ledger import Ledger
from crawler.manifest import read_manifest
from tests.crawler.helpers import SiteServer, crawl, quick_command
from tests.face_crop.runs import HereEngine, crop, tree


@pytest.fixture(scope="module")
def crawled(scenes, tmp_path_factory):
    """A finished crawl of a site that shows the drawn scenes."""
    folder = tmp_path_factory.mktemp("crawled")
    server = SiteServer()
    try:
        site = server.open_site(folder / "site", characters=2)
        crawl(site.describe(), folder / "out")
    finally:
        server.close()
    # The site's own pictures have no faces: put the scenes in their place.
    pictures = sorted(read_manifest(folder / "out"))
    for number, path in enumerate(pictures):
        shutil.copy(scenes / f"scene-{number}.png", path)
    return folder / "out"


@pytest.fixture
def crawl_out(crawled, tmp_path):
    return shutil.copytree(crawled, tmp_path / "crawl")


def lines(out, name="manifest.jsonl"):
    return [json.loads(line) for line in (out / name).read_text().splitlines()]


def test_crops_are_named_after_the_id_and_can_be_traced(crawl_out, tmp_path):
    out = tmp_path / "crops"
    run = crop(crawl_out, out)
    assert run.summary.crops == 2
    assert run.summary.quarantined == {}
    ids = {entry["id"] for entry in read_manifest(crawl_out).values()}
    for line in lines(out):
        assert line["crawl_id"] in ids
        assert line["file"] == f"{line['crawl_id']}_0.png"
        traced = quick_command("trace", line["file"], "--out", crawl_out, "--json")
        assert traced.returncode == 0, traced.stderr
        (origin,) = json.loads(traced.stdout)
        assert origin["file"] == line["source"]


def test_what_is_forgotten_leaves_no_crop_and_no_line_and_does_not_come_back(crawl_out, tmp_path):
    out = tmp_path / "crops"
    crop(crawl_out, out)
    gone, kept = sorted(entry["id"] for entry in read_manifest(crawl_out).values())
    with Ledger.open(crawl_out, writing=True) as ledger:
        removed = forget(ledger, plan_forgetting(ledger, gone), [out])
    assert out / f"{gone}_0.png" in removed
    assert [path.name for path in out.glob("*.png")] == [f"{kept}_0.png"]
    for path in out.rglob("*"):
        assert not path.is_file() or gone.encode() not in path.read_bytes(), path
    before = tree(out)
    engine = HereEngine()
    crop(crawl_out, out, engine=engine)
    assert engine.analysed == []
    assert tree(out) == before


def test_lists_of_what_was_rejected_forget_it_too(crawl_out, tmp_path):
    out = tmp_path / "crops"
    gone, _ = sorted(entry["id"] for entry in read_manifest(crawl_out).values())
    for path, entry in read_manifest(crawl_out).items():
        if entry["id"] == gone:
            path.write_bytes(b"broken")
    crop(crawl_out, out)
    assert gone in (out / "quarantine.jsonl").read_text()
    with Ledger.open(crawl_out, writing=True) as ledger:
        forget(ledger, plan_forgetting(ledger, gone), [out])
    for path in out.rglob("*"):
        assert not path.is_file() or gone.encode() not in path.read_bytes(), path


def test_a_line_that_a_kill_cut_off_is_forgotten_as_well(crawl_out, tmp_path):
    out = tmp_path / "crops"
    crop(crawl_out, out)
    gone, kept = sorted(entry["id"] for entry in read_manifest(crawl_out).values())
    journal = out / ".avatargan/crop-journal.jsonl"
    journal.write_bytes(journal.read_bytes() + f'{{"writing": ["{gone}_1.pn'.encode())
    with Ledger.open(crawl_out, writing=True) as ledger:
        forget(ledger, plan_forgetting(ledger, gone), [out])
    assert gone.encode() not in journal.read_bytes()
    crop(crawl_out, out)
    assert [line["crawl_id"] for line in lines(out)] == [kept]
