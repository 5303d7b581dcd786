"""The report and the trail from a crop back to its source."""

import json
import shutil
from html.parser import HTMLParser

import pytest

from avatargan.errors import CrawlError
from crawler.ledger import Ledger
from crawler.manifest import MANIFEST_NAME, read_manifest
from crawler.report import make_report, write_report
from tests.crawler.helpers import QUICK_IMAGES, crawl, quick_command


class Loads(HTMLParser):
    """Everything a browser would fetch or run."""

    def __init__(self):
        super().__init__()
        self.fetched, self.scripts, self.links = [], 0, []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.scripts += tag in {"script", "iframe", "object", "embed"}
        self.scripts += any(name.startswith("on") for name in values)
        if tag in {"img", "link", "source"}:
            self.fetched.append(values.get("src") or values.get("href"))
        if tag == "a":
            self.links.append(values["href"])


@pytest.fixture(scope="module")
def crawled_once(site_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("crawled")
    site = site_server.open_site(folder / "site", characters=5, hazards=True, retry_after="0")
    description = site.describe(
        pages=f'start = ["{site.url}/list/1"]\nfollow = "a"\nnext = "a[rel=next]"\n'
        f'image = "{QUICK_IMAGES}"\ntags = "dd::text"\ntitle = "h1::text"',
    )
    crawl(description, folder / "out")
    return site, folder / "out"


@pytest.fixture
def crawled(crawled_once, tmp_path):
    """A site and a finished crawl of it that the test may change."""
    site, out = crawled_once
    shutil.copytree(out, tmp_path / "out")
    return site, tmp_path / "out"


def test_the_report_counts_what_the_ledger_holds(crawled):
    _, out = crawled
    with Ledger.open(out) as ledger:
        report = make_report(ledger)
    assert report.pictures == len(read_manifest(out))
    assert report.sources == report.pictures + report.duplicates
    assert report.by_host == {"127.0.0.1": report.pictures}
    assert report.by_terms["https://creativecommons.org/licenses/by/4.0/"] == 5
    assert report.by_attribute["hair"] == {"brown": 2, "black": 1, "gray": 1, "blonde": 1}
    assert report.not_taken["forbidden by robots.txt"] == 3
    assert report.missing_files == 0


def test_the_page_loads_nothing_and_runs_nothing(crawled):
    _, out = crawled
    with Ledger.open(out) as ledger:
        page = write_report(ledger).read_text()
    loads = Loads()
    loads.feed(page)
    assert loads.scripts == 0
    assert len(loads.fetched) == len(read_manifest(out))
    assert all(each.startswith("data:image/webp;base64,") for each in loads.fetched)


def test_what_a_page_says_cannot_become_part_of_the_report(serve, tmp_path):
    site = serve(characters=1)
    crawl(site.describe(), tmp_path / "out")
    attack = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    with Ledger.open(tmp_path / "out", writing=True) as ledger:
        with ledger.transaction() as connection:
            connection.execute(
                "UPDATE sources SET title = ?, author = ?, licence = ?, tags = ?, page_url = ?",
                (
                    attack,
                    attack,
                    "javascript:alert(3)",
                    json.dumps([attack]),
                    "javascript:alert(4)",
                ),
            )
        page = write_report(ledger).read_text()
    loads = Loads()
    loads.feed(page)
    assert loads.scripts == 0
    assert len(loads.fetched) == 1
    assert not any(link.startswith("javascript") for link in loads.links)


def test_the_command_writes_the_page_and_prints_a_summary(crawled):
    _, out = crawled
    done = quick_command("report", out)
    assert done.returncode == 0, done.stderr
    assert "pictures" in done.stdout
    assert "forbidden by robots.txt" in done.stdout
    as_json = json.loads(quick_command("report", out, "--json").stdout)
    assert as_json["report"] == str(out / "report.html")
    assert as_json["pictures"] == len(read_manifest(out))


def test_a_file_removed_by_hand_is_noticed(crawled):
    _, out = crawled
    next(iter(read_manifest(out))).unlink()
    with Ledger.open(out) as ledger:
        assert make_report(ledger).missing_files == 1
        assert "missing" in write_report(ledger).read_text()


def test_a_crop_is_traced_back_by_its_name(crawled):
    site, out = crawled
    entry = next(e for e in read_manifest(out).values() if e["title"] == "Character 3")
    done = quick_command("trace", f"crops/{entry['id']}_0.png", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    (traced,) = json.loads(done.stdout)
    assert traced["id"] == entry["id"]
    assert traced["sources"][0]["url"] == f"{site.url}/img/3.png"
    assert traced["sources"][0]["page_url"] == f"{site.url}/character/3"
    assert traced["sources"][0]["licence"] == "https://creativecommons.org/licenses/by/4.0/"


def test_ids_of_two_ledgers_differ(serve, tmp_path):
    site = serve(characters=1)
    ids = set()
    for name in ("one", "two"):
        crawl(site.describe(), tmp_path / name)
        ids |= {entry["id"] for entry in read_manifest(tmp_path / name).values()}
    assert len(ids) == 2


def test_a_damaged_manifest_is_named(tmp_path):
    (tmp_path / MANIFEST_NAME).write_text('{"id": "x"}\n')
    with pytest.raises(CrawlError, match="damaged"):
        read_manifest(tmp_path)
    with pytest.raises(CrawlError, match="cannot read"):
        read_manifest(tmp_path / "none")
