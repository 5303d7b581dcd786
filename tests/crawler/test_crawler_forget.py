"""A picture that someone asks to be taken out is gone everywhere, and stays away."""

import hashlib
import json
import shutil

import pytest

from avatargan.errors import CrawlError
from crawler.forget import forget, plan_forgetting
from crawler.ledger import LEDGER_NAME, Ledger
from crawler.manifest import read_manifest
from crawler.report import write_report
from tests.crawler.drawing import drawn
from tests.crawler.helpers import QUICK_IMAGES, command, crawl, quick_command, rows


@pytest.fixture(scope="module")
def crawled_once(site_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("crawled")
    site = site_server.open_site(folder / "site", characters=4, hazards=True, retry_after="0")
    description = site.describe(
        pages=f'start = ["{site.url}/list/1", "{site.url}/gallery"]\n'
        'follow = "a[href*=character]"\n'
        f'next = "a[rel=next]"\nimage = "{QUICK_IMAGES}"\ntags = "dd::text"'
    )
    crawl(description, folder / "out")
    return site, description, folder / "out"


@pytest.fixture
def crawled(crawled_once, tmp_path):
    """A site, its description and a finished crawl of it that the test may change."""
    site, description, out = crawled_once
    shutil.copytree(out, tmp_path / "out")
    return site, description, tmp_path / "out"


def forget_one(out, asked, also=()):
    with Ledger.open(out, writing=True) as ledger:
        return forget(ledger, plan_forgetting(ledger, asked), list(also))


def sha256_of(number):
    return hashlib.sha256(drawn(number)).hexdigest()


@pytest.mark.parametrize("by", ["url", "page", "sha256", "start of sha256", "id", "phash"])
def test_a_picture_can_be_named_in_every_way_it_is_known(crawled, by):
    site, _, out = crawled
    entry = next(e for e in read_manifest(out).values() if e["urls"] == [f"{site.url}/img/2.png"])
    asked = {
        "url": f"{site.url}/img/2.png",
        "page": f"{site.url}/character/2",
        "sha256": entry["sha256"],
        "start of sha256": entry["sha256"][:10],
        "id": entry["id"],
        "phash": entry["phash"],
    }[by]
    (removed,) = forget_one(out, asked)
    assert removed == out / entry["file"]
    assert not removed.exists()
    assert entry["id"] not in {e["id"] for e in read_manifest(out).values()}


def test_nothing_of_it_stays_in_any_file_but_hashes(crawled):
    site, _, out = crawled
    with Ledger.open(out) as ledger:
        write_report(ledger)
    forget_one(out, f"{site.url}/img/2.png")
    content = drawn(2)
    for path in out.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            assert b"/img/2.png" not in held, path
            assert content[100:300] not in held, path
    assert (out / "report.html").exists()
    kinds = {kind for (kind,) in rows(out, "SELECT kind FROM tombstones")}
    assert kinds == {"url", "sha256", "phash"}


def test_it_is_never_fetched_or_stored_again(crawled):
    site, description, out = crawled
    forget_one(out, sha256_of(2))
    site.clear_log()
    # As if every page were new, so that each picture is found and asked for again.
    with Ledger.open(out, writing=True) as ledger, ledger.transaction() as connection:
        connection.execute("UPDATE targets SET etag = NULL, last_modified = NULL")
    crawl(description, out)
    assert "/img/2.png" not in site.paths()
    assert "/character/2" in site.paths()
    assert sha256_of(2) not in {e["sha256"] for e in read_manifest(out).values()}


def test_all_copies_go_and_a_copy_under_another_url_is_not_let_in(serve, tmp_path):
    site = serve(hostile=["/img/1.png"])
    out = tmp_path / "out"
    crawl(site.describe(pages=f'start = ["{site.url}/hostile"]\nimage = "img"'), out)
    forget_one(out, sha256_of(1))
    later = serve(number=2, hostile=["/img/copy.png", "/img/near.jpg", "/img/5.png"])
    crawl(later.describe(pages=f'start = ["{later.url}/hostile"]\nimage = "img"'), out)
    assert [e["sha256"] for e in read_manifest(out).values()] == [sha256_of(5)]
    reasons = {reason for (reason,) in rows(out, "SELECT reason FROM targets WHERE reason != ''")}
    assert reasons == {
        "it was forgotten on request",
        "it looks like one that was forgotten on request",
    }


def test_copies_at_other_urls_are_forgotten_together(crawled):
    site, _, out = crawled
    (removed,) = forget_one(out, f"{site.url}/img/near.jpg")
    assert removed.stem == sha256_of(1)
    urls = {url for (url,) in rows(out, "SELECT url FROM targets")}
    assert not urls & {f"{site.url}/img/{name}" for name in ("1.png", "copy.png", "near.jpg")}


def test_crops_and_their_manifest_lines_go_too(crawled, tmp_path):
    site, _, out = crawled
    entries = {e["urls"][0].rsplit("/", 1)[1]: e["id"] for e in read_manifest(out).values()}
    crops = tmp_path / "crops" / "train"
    crops.mkdir(parents=True)
    for number in (2, 3):
        (crops / f"{entries[f'{number}.png']}_0.png").write_bytes(b"crop")
    lines = [{"file": f"{each}_0.png", "picture": each} for each in entries.values()]
    (crops / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    forget_one(out, f"{site.url}/img/2.png", also=[tmp_path / "crops"])
    left = sorted(path.name for path in crops.iterdir())
    assert left == sorted([f"{entries['3.png']}_0.png", "manifest.jsonl"])
    kept = [json.loads(line) for line in (crops / "manifest.jsonl").read_text().splitlines()]
    assert entries["2.png"] not in {line["picture"] for line in kept}
    assert len(kept) == len(lines) - 1


def test_a_url_or_hash_that_is_not_known_is_barred_for_the_future(serve, tmp_path):
    site = serve(characters=2)
    out = tmp_path / "out"
    crawl(site.describe(), out, max_images=1)
    forget_one(out, f"{site.url}/img/2.png")
    forget_one(out, "ab" * 32)
    crawl(site.describe(), out)
    assert "/img/2.png" not in site.paths()
    assert len(rows(out, "SELECT * FROM tombstones WHERE kind = 'sha256'")) == 1


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("not a hash", "neither a URL nor a hash"),
        ("abcdef01", "no picture"),
        ("ftp://site/x.png", "not an http or https URL"),
        ("00000000-000001", "another ledger"),
    ],
)
def test_what_cannot_be_meant_removes_nothing(crawled, asked, message):
    _, _, out = crawled
    before = len(read_manifest(out))
    with Ledger.open(out) as ledger, pytest.raises(CrawlError, match=message):
        plan_forgetting(ledger, asked)
    assert len(read_manifest(out)) == before


def test_the_command_plans_and_then_removes(crawled):
    site, _, out = crawled
    planned = quick_command("forget", f"{site.url}/img/2.png", "--out", out, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "would remove 1 picture(s)" in planned.stdout
    assert len(list((out / "pictures").rglob(f"{sha256_of(2)}*"))) == 1
    done = command("forget", f"{site.url}/img/2.png", "--json", cwd=out)
    (result,) = json.loads(done.stdout)
    assert len(result["files"]) == 1
    assert list((out / "pictures").rglob(f"{sha256_of(2)}*")) == []
    again = quick_command("forget", "deadbeef", "--out", out)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith("error: no picture")


def test_ids_are_not_given_again(crawled):
    _, description, out = crawled
    before = {e["id"] for e in read_manifest(out).values()}
    last = max(before)
    forget_one(out, last)
    with Ledger.open(out, writing=True) as ledger, ledger.transaction() as connection:
        connection.execute("DELETE FROM tombstones")
        connection.execute("UPDATE targets SET etag = NULL, last_modified = NULL")
    crawl(description, out)
    after = {e["id"] for e in read_manifest(out).values()}
    assert len(after) == len(before)
    assert last not in after
    assert (out / LEDGER_NAME).exists()
