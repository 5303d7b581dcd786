"""Whole crawls of a real server process: what is collected, recorded, refused and fetched again."""

import json
import signal
import subprocess
import sys
import time
from itertools import pairwise

import pytest
from PIL import Image

from avatargan.errors import CrawlError
from crawler.ledger import Ledger
from crawler.manifest import read_manifest
from crawler.site import ready_descriptions
from tests.crawler.drawing import drawn
from tests.crawler.helpers import OWNERS_FILES, ROOT, crawl, rows, tell


def images_fetched(site, status=200):
    return [path for path in site.paths(status) if path.startswith("/img/")]


def test_every_picture_is_collected_with_tags_attributes_author_and_licence(serve, tmp_path):
    site = serve(characters=7, per_page=3)
    summary = crawl(site.describe(), tmp_path / "out")
    assert (summary.outcome, summary.stored, summary.pages) == ("finished", 7, 3 + 7)
    manifest = read_manifest(tmp_path / "out")
    assert len(manifest) == 7
    for path in manifest:
        with Image.open(path) as picture:
            picture.verify()
    (path, entry) = next(each for each in manifest.items() if each[1]["title"] == "Character 3")
    assert path.read_bytes() == drawn(3)
    assert entry["urls"] == [f"{site.url}/img/3.png"]
    assert entry["pages"] == [f"{site.url}/character/3"]
    assert entry["tags"] == ["silver_hair", "blue_eyes"]
    assert entry["attributes"] == {"hair": "gray", "eyes": "blue"}
    assert entry["author"] == "Artist 0"
    assert entry["licence"] == "https://creativecommons.org/licenses/by/4.0/"
    assert (entry["width"], entry["height"]) == (96, 96)


def test_every_request_says_who_is_asking_and_carries_no_cookie(serve, tmp_path):
    site = serve(characters=2, page_headers={"Set-Cookie": "track=1"})
    crawl(site.describe(), tmp_path / "out")
    agents = {entry["agent"] for entry in site.requests()}
    assert len(agents) == 1
    assert agents.pop().startswith("avatargan-crawler/")
    assert all("tester@crawl.test-site.dev" in entry["agent"] for entry in site.requests())
    assert all(entry["cookie"] is None for entry in site.requests())


@pytest.fixture(scope="module")
def hazardous(site_server, tmp_path_factory):
    """A site with every hazard, a finished crawl of it, and its summary."""
    folder = tmp_path_factory.mktemp("hazardous")
    site = site_server.open_site(folder / "site", characters=3, hazards=True, retry_after="0")
    return site, folder / "out", crawl(site.describe(), folder / "out")


def test_each_hazard_is_refused_for_its_own_reason(hazardous):
    site, out, summary = hazardous
    assert summary.outcome == "incomplete"  # some were silent or broke off
    assert {each["url"].removeprefix(site.url) for each in summary.not_reached} == {
        "/broken/closed",
        "/img/short.png",
        "/img/slow.png",
    }
    reasons = {
        url.removeprefix(site.url): reason
        for url, reason in rows(
            out, "SELECT url, reason FROM targets WHERE state IN ('refused', 'failed')"
        )
    }
    expected = {
        "/private/page": "forbidden by robots.txt",
        "/redirect/private": "forbidden by robots.txt",
        "/private/img.png": "forbidden by robots.txt",
        "/redirect/out": "not among the hosts",
        "/redirect/metadata": "special-purpose address",
        "/redirect/file": "answered 302",
        "/redirect/loop": "more than 3 redirects",
        "/redirect/chain/4": "more than 3 redirects",
        "/broken/closed": "hung up",
        "/status/404": "answered 404",
        "http://2130706433/decimal": "odd spelling",
        "http://169.254.169.254/latest/meta-data/": "special-purpose address",
        "/img/html.png": "not a JPEG",
        "/img/text.jpg": "not a JPEG",
        "/img/empty.png": "not a JPEG",
        "/img/truncated.png": "damaged",
        "/img/bomb.png": "larger than 25 megapixels",
        "/img/tiny.png": "smaller than 32",
        "/img/short.png": "broke off",
        "/img/slow.png": "too long",
        "/img/endless.png": "too large",
        "/img/huge.png": "too large",
        "/img/gzip.png": "compressed",
        "/img/optout.png": "noai",
    }
    for path, reason in expected.items():
        assert reason in reasons.pop(path), path
    assert reasons == {}
    kept = {row[0] for row in rows(out, "SELECT DISTINCT url FROM sources")}
    assert {url.removeprefix(site.url) for url in kept} == {
        *(f"/img/{name}.png" for name in ("1", "2", "3", "busy", "limited", "copy", "redirected")),
        "/img/near.jpg",
    }


def test_copies_are_kept_once_with_all_their_urls(hazardous):
    _, out, _ = hazardous
    entry = next(e for e in read_manifest(out).values() if len(e["urls"]) > 1)
    names = [url.rsplit("/", 1)[1] for url in entry["urls"]]
    assert sorted(names) == ["1.png", "copy.png", "near.jpg"]
    relations = rows(out, "SELECT url, relation FROM sources")
    assert {url.rsplit("/", 1)[1]: relation for url, relation in relations}.items() >= {
        "1.png": "original",
        "copy.png": "exact",
        "near.jpg": "near",
    }.items()


def test_an_endless_listing_ends(serve, tmp_path):
    site = serve(characters=1)
    description = site.describe(
        pages=f'start = ["{site.url}/endless/1"]\nnext = "a[rel=next]"\nimage = "figure img"'
    )
    summary = crawl(description, tmp_path / "out")
    assert summary.outcome == "finished"
    assert len([path for path in site.paths() if path.startswith("/endless/")]) <= 5


def test_the_number_of_pages_is_limited(serve, tmp_path):
    site = serve(characters=20, per_page=5)
    crawl(site.describe(limits="max_pages = 7\nmin_side = 32"), tmp_path / "out")
    pages = [path for path in site.paths() if path.startswith(("/list/", "/character/"))]
    assert len(pages) == 7


def test_a_later_run_asks_conditionally_and_fetches_only_what_is_new(serve, tmp_path):
    first = serve(characters=4)
    out = tmp_path / "out"
    crawl(first.describe(), out)
    first.clear_log()
    again = crawl(first.describe(), out)
    assert (again.stored, again.unchanged) == (0, 2 + 4 + 4)
    assert all(
        entry["conditional"] for entry in first.requests() if entry["path"] not in OWNERS_FILES
    )
    assert first.paths(200) == ["/robots.txt"]


def test_only_new_pictures_are_fetched_when_pages_change(serve, tmp_path):
    # Without validators every page is read anew, and kept pictures are not asked for at all.
    site = serve(characters=4, validators=False)
    out = tmp_path / "out"
    crawl(site.describe(), out)
    with Ledger.open(out, writing=True) as ledger, ledger.transaction() as connection:
        connection.execute("DELETE FROM targets WHERE url LIKE '%/img/2.png'")
        connection.execute("DELETE FROM pictures WHERE id NOT IN (SELECT picture_id FROM sources)")
    site.clear_log()
    assert crawl(site.describe(), out).stored == 1
    assert images_fetched(site) == ["/img/2.png"]


def test_images_are_not_rechecked_when_the_description_says_so(serve, tmp_path):
    site = serve(characters=3)
    description = site.describe(
        top='name = "test-site"\ncontact = "tester@crawl.test-site.dev"\nrecheck_images = false'
    )
    crawl(description, tmp_path / "out")
    site.clear_log()
    crawl(description, tmp_path / "out")
    assert not any(path.startswith("/img/") for path in site.paths())


def test_other_selectors_read_the_same_pages_anew(serve, tmp_path):
    site = serve(characters=2)
    out = tmp_path / "out"
    crawl(site.describe(), out)
    changed = site.describe(**{"attributes.eyes": '"blue eyes" = "azure"'})
    crawl(changed, out)
    assert {e["attributes"]["eyes"] for e in read_manifest(out).values()} == {"azure"}
    assert len(images_fetched(site)) == 2


def test_a_run_stops_at_max_images_and_the_next_carries_on(serve, tmp_path):
    site = serve(characters=6)
    out = tmp_path / "out"
    first = crawl(site.describe(), out, max_images=2)
    assert (first.outcome, first.stored) == ("max-images", 2)
    second = crawl(site.describe(), out)
    assert (second.resumed, second.outcome, second.stored) == (True, "finished", 4)
    assert sorted(images_fetched(site)) == [f"/img/{n}.png" for n in range(1, 7)]


def test_a_run_stops_at_max_bytes_without_passing_it(serve, tmp_path):
    site = serve(characters=6)
    out = tmp_path / "out"
    first = crawl(site.describe(), out, max_bytes=40_000)
    assert first.outcome == "max-bytes"
    assert first.bytes_received <= 40_000 + 65_536
    assert crawl(site.describe(), out).pictures == 6


def test_a_run_stops_at_max_minutes(serve, tmp_path):
    site = serve(characters=6)
    summary = crawl(site.describe(), tmp_path / "out", pause=0.2, max_minutes=0.02)
    assert summary.outcome == "max-minutes"
    assert 0 < len(site.paths()) < 10


def test_ctrl_c_ends_a_run_in_good_order(serve, tmp_path):
    site = serve(characters=20)
    arguments = [
        "run",
        site.describe(),
        tmp_path / "out",
        "--allow-private",
        "--private-pause",
        "0.1",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "crawler", *arguments, "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    while len(site.paths()) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(told)["outcome"] == "interrupted"
    assert crawl(site.describe(), tmp_path / "out").pictures == 20


def test_copies_arriving_together_from_two_hosts_are_kept_once(serve, tmp_path):
    site = serve()
    names = [f"/img/{n}.png" for n in range(1, 9)]
    shown = [
        f"{base}{name}" for name in names for base in (site.url, f"http://localhost:{site.port}")
    ]
    both = serve(number=2, hostile=shown)
    description = both.describe(
        top='name = "two"\ncontact = "tester@crawl.test-site.dev"\nimage_hosts = ["localhost"]',
        pages=f'start = ["{both.url}/hostile"]\nimage = "img"',
    )
    summary = crawl(description, tmp_path / "out")
    assert (summary.outcome, summary.pictures, summary.duplicates) == ("finished", 8, 8)


def test_a_site_that_refuses_midway_is_left_alone(serve, tmp_path):
    site = serve(characters=1, hostile=[f"/status/403?{n}" for n in range(30)])
    description = site.describe(
        pages=f'start = ["{site.url}/hostile", "{site.url}/list/1"]\nfollow = "a"\nimage = "img"'
    )
    crawl(description, tmp_path / "out")
    assert len(site.paths(403)) == 10


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Robots-Tag": "noimageindex"},
        {"X-Robots-Tag": "noai, noimageai"},
        {"TDM-Reservation": "1"},
    ],
)
def test_pages_that_ask_not_to_have_their_pictures_taken_are_heeded(serve, tmp_path, headers):
    site = serve(characters=2, page_headers=headers)
    summary = crawl(site.describe(), tmp_path / "out")
    assert summary.stored == 0
    assert images_fetched(site) == []


def test_an_api_is_read_page_by_page(serve, tmp_path):
    site = serve(posts=12)
    summary = crawl(api_description(site), tmp_path / "out")
    assert summary.outcome == "finished"
    # Every fifth post has another rating than the description accepts.
    assert sorted(images_fetched(site)) == sorted(f"/img/{n}.png" for n in range(1, 13) if n % 5)
    assert [path for path in site.paths() if "/api/" in path] == [
        f"/api/posts.json?limit=5&page={n}" for n in (1, 2, 3, 4)
    ]
    entry = next(
        e for e in read_manifest(tmp_path / "out").values() if e["urls"][0].endswith("/7.png")
    )
    assert entry["pages"] == [f"{site.url}/posts/7"]
    assert entry["author"] == "artist_1"
    assert entry["terms"] == "https://terms.test-site.dev/"
    assert entry["attributes"] == {"hair": "gray", "eyes": "blue"}
    assert "smile" in entry["tags"]


@pytest.mark.parametrize("ready", ready_descriptions(), ids=lambda path: path.stem)
def test_ready_descriptions_collect_once_filled_in(serve, tmp_path, ready):
    site = serve(posts=4, characters=4)
    text = ready.read_text().replace("https://shop.example/characters/", f"{site.url}/list/1")
    text = text.replace("https://booru.example", site.url).replace(
        "/posts.json?", "/api/posts.json?"
    )
    text = text.replace("you@example.org", "tester@crawl.test-site.dev")
    filled = tmp_path / "filled.toml"
    filled.write_text(text)
    summary = crawl(filled, tmp_path / "out")
    assert summary.stored == 4
    entries = list(read_manifest(tmp_path / "out").values())
    assert all(entry["attributes"]["eyes"] == "blue" for entry in entries)
    assert all(entry["licence"] or entry["terms"] for entry in entries)


def test_a_site_that_answers_403_to_everything(serve, tmp_path):
    site = serve(status=403)
    with pytest.raises(CrawlError, match=r"answered 403 to every request: it does not want"):
        crawl(site.describe(), tmp_path / "out")
    # A later run asks again.
    with pytest.raises(CrawlError, match="403"):
        crawl(site.describe(), tmp_path / "out")
    assert site.paths() == ["/robots.txt", "/list/1"] * 2


def test_a_larger_copy_takes_the_place_of_a_smaller_one(serve, tmp_path, monkeypatch):
    site = serve(hostile=["/img/1.png", "/img/near.jpg"])
    description = site.describe(pages=f'start = ["{site.url}/hostile"]\nimage = "img"')
    monkeypatch.setattr("crawler.session._is_larger", lambda one, other: True)
    summary = crawl(description, tmp_path / "out")
    assert (summary.stored, summary.duplicates, summary.pictures) == (1, 1, 1)
    ((path, entry),) = read_manifest(tmp_path / "out").items()
    assert path.read_bytes() == drawn(1, suffix="JPEG", quality=70)
    assert len(entry["urls"]) == 2
    files = [each for each in (tmp_path / "out" / "pictures").rglob("*") if each.is_file()]
    assert files == [path]
    # What was cropped from the smaller one can still be traced.
    with Ledger.open(tmp_path / "out") as ledger:
        (old,) = ledger.pictures_by_number([1])
        assert ledger.current(old).file == entry["file"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_hundred_pages_with_every_hazard(serve, tmp_path):
    """The whole figure: 0 disallowed fetches, never more than the rate, every picture once."""
    pause = 0.02
    site = serve(characters=180, per_page=9, hazards=True, scenes=True, retry_after="0")
    description = site.describe(limits="max_image_bytes = 20_000_000\nmin_side = 32")
    summary = crawl(description, tmp_path / "out", pause=pause)
    requests = site.requests()
    pages = {p for p in site.paths(200) if p.startswith(("/list/", "/character/"))}
    gaps = [b["arrived"] - a["arrived"] for a, b in pairwise(requests)]
    disallowed = [path for path in site.paths() if path.startswith("/private/")]
    sources = {row[0] for row in rows(tmp_path / "out", "SELECT url FROM sources")}
    wanted = {f"{site.url}/img/{n}.png" for n in range(1, 181)}
    tell(
        pages=len(pages),
        requests=len(requests),
        disallowed_fetches=len(disallowed),
        pause_s=pause,
        smallest_gap_s=round(min(gaps), 4),
        pictures=summary.pictures,
        source_urls_missing=len(wanted - sources),
    )
    assert len(pages) == 200
    assert disallowed == []
    assert min(gaps) >= pause
    assert wanted <= sources
    # Only the picture that ends too early is asked for a second time, as often as retries say.
    fetched = images_fetched(site)
    assert {path for path in fetched if fetched.count(path) > 1} <= {
        "/img/short.png",
        "/img/slow.png",
    }


def api_description(site):
    path = site.folder / "api.toml"
    path.write_text(
        f"""
name = "test-api"
contact = "tester@crawl.test-site.dev"

[api]
url = "{site.url}/api/posts.json?limit=5&page={{page}}"
post_page = "{site.url}/posts/{{id}}"

[api.require]
rating = ["g"]

[api.fields]
image = "file_url"
tags = ["tag_string_general"]
author = "tag_string_artist"

[terms]
terms = "https://terms.test-site.dev/"

[attributes.hair]
blonde_hair = "blonde"
silver_hair = "gray"

[attributes.eyes]
blue_eyes = "blue"

[limits]
min_side = 32
"""
    )
    return path
