"""robots.txt is obeyed, and one that cannot be read means that nothing is fetched."""

from itertools import pairwise

import pytest

from avatargan.errors import CrawlError
from crawler.robots import RobotsUnavailableError, read_robots
from tests.crawler.helpers import QUICK_IMAGES, crawl, rows


def test_nothing_that_robots_forbids_is_fetched(serve, tmp_path):
    site = serve(characters=3, hazards=True, retry_after="0")
    description = site.describe(
        pages=f'start = ["{site.url}/list/1"]\nfollow = "a"\nimage = "{QUICK_IMAGES}"'
    )
    crawl(description, tmp_path / "out")
    disallowed = [path for path in site.paths() if path.startswith("/private/")]
    assert disallowed == []
    refused = rows(
        tmp_path / "out", "SELECT url FROM targets WHERE reason = 'forbidden by robots.txt'"
    )
    # by a link, as an image, and as the end of a redirect
    assert len(refused) == 3


@pytest.mark.parametrize("failure", [{"robots_status": 503}, {"robots_status": 500}])
def test_a_failing_robots_means_do_not_fetch(serve, tmp_path, failure):
    site = serve(characters=3, retry_after="0", **failure)
    with pytest.raises(CrawlError, match=r"robots.txt of 127.0.0.1:[0-9]+ cannot be read"):
        crawl(site.describe(), tmp_path / "out")
    assert set(site.paths()) == {"/robots.txt"}


def test_a_robots_that_times_out_means_do_not_fetch(serve, tmp_path):
    site = serve(characters=3, robots_delay=5)
    description = site.describe(rate="retries = 0\ntimeout_seconds = 0.3")
    with pytest.raises(
        CrawlError, match=r"robots.txt of 127.0.0.1:[0-9]+ cannot be read.*too long"
    ):
        crawl(description, tmp_path / "out")
    assert set(site.paths()) <= {"/robots.txt"}


def test_when_robots_answers_again_a_later_run_fetches(serve, tmp_path):
    broken = serve(characters=2, robots_status=503)
    with pytest.raises(CrawlError):
        crawl(broken.describe(rate="retries = 0"), tmp_path / "out")
    mended = serve(number=2, characters=2)
    assert crawl(mended.describe(), tmp_path / "out").stored == 2


def test_a_missing_robots_allows_everything(serve, tmp_path):
    site = serve(characters=2, robots_status=404)
    assert crawl(site.describe(), tmp_path / "out").stored == 2


def test_robots_of_the_host_of_the_images_is_obeyed_too(serve, tmp_path):
    pictures = serve(number="pictures", robots="User-agent: *\nDisallow: /img/1\n")
    pages = serve(hostile=[f"http://localhost:{pictures.port}/img/{n}.png" for n in (1, 2)])
    description = pages.describe(
        top='name = "two-hosts"\ncontact = "tester@crawl.test-site.dev"\n'
        'image_hosts = ["localhost"]',
        pages=f'start = ["{pages.url}/hostile"]\nimage = "img"',
    )
    assert crawl(description, tmp_path / "out").stored == 1
    assert pictures.paths() == ["/robots.txt", "/img/2.png"]


def test_crawl_delay_is_honoured(serve, tmp_path):
    site = serve(characters=3, robots="User-agent: *\nCrawl-delay: 0.05\n")
    crawl(site.describe(), tmp_path / "out")
    arrivals = [entry["arrived"] for entry in site.requests()][1:]  # after robots.txt itself
    assert len(arrivals) == 9
    assert min(b - a for a, b in pairwise(arrivals)) >= 0.05


def test_request_rate_counts_as_a_delay():
    rules = read_robots(200, b"User-agent: *\nRequest-rate: 1/10\nCrawl-delay: 2\n")
    assert rules.delay == 10


def test_rules_for_this_crawler_by_name_come_before_those_for_all():
    rules = read_robots(
        200,
        b"User-agent: *\nAllow: /\n\nUser-agent: avatargan-crawler\nDisallow: /\n",
    )
    assert not rules.allows("http://site/any")


@pytest.mark.parametrize(
    ("status", "allowed"), [(404, True), (410, True), (401, False), (403, False)]
)
def test_answers_without_rules(status, allowed):
    assert read_robots(status, b"").allows("http://site/any") is allowed


@pytest.mark.parametrize("status", [301, 429, 500, 503])
def test_answers_that_leave_it_open_are_failures(status):
    with pytest.raises(RobotsUnavailableError):
        read_robots(status, b"")


@pytest.mark.parametrize("garbage", [b"\xff\xfe\x00<html>", b"", b"Disallow /no-colon\n" * 10])
def test_garbage_is_no_rule(garbage):
    assert read_robots(200, garbage).allows("http://site/any")
