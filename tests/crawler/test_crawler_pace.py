"""The server never measures more than the stated rate."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest

from avatargan.errors import CrawlError
from crawler.pace import retry_after_seconds
from tests.crawler.helpers import crawl, rows, tell


def gaps(requests):
    return [after["arrived"] - before["arrived"] for before, after in pairwise(requests)]


def test_the_default_rate_is_one_request_a_second_across_runs_and_for_robots_too(serve, tmp_path):
    site = serve(characters=2)
    description = site.describe()
    # Two runs, one straight after the other; pause=None: the rate of the description.
    crawl(description, tmp_path / "out", pause=None, max_minutes=0.02)
    crawl(description, tmp_path / "out", pause=None, max_minutes=0.045)
    requests = site.requests()
    assert [entry["path"] for entry in requests].count("/robots.txt") == 2
    assert len(requests) >= 3
    tell(requests=len(requests), smallest_gap_s=round(min(gaps(requests)), 4))
    assert min(gaps(requests)) >= 1.0


@pytest.mark.slow
def test_redirects_and_repeated_requests_keep_the_pace_one_at_a_time(serve, tmp_path):
    site = serve(characters=2, hazards=True, retry_after="0")
    description = site.describe(rate="retries = 2\ntimeout_seconds = 0.3")
    crawl(description, tmp_path / "out", pause=0.02)
    requests = site.requests()
    assert len(requests) > 50
    assert min(gaps(requests)) >= 0.02
    # Done one at a time, apart from those that the crawler gave up and the server went on with.
    whole = [entry for entry in requests if entry["complete"] and "slow" not in entry["path"]]
    overlapping = [
        (one["path"], two["path"]) for one, two in pairwise(whole) if two["arrived"] < one["ended"]
    ]
    assert overlapping == []


def test_retry_after_is_waited_for(serve, tmp_path):
    site = serve(hazards=True, retry_after="1")
    description = site.describe(pages=f'start = ["{site.url}/gallery"]\nimage = "img[src*=busy]"')
    assert crawl(description, tmp_path / "out").stored == 1
    requests = site.requests()
    assert [(entry["path"], entry["status"]) for entry in requests][-2:] == [
        ("/img/busy.png", 503),
        ("/img/busy.png", 200),
    ]
    assert gaps(requests)[-1] >= 1.0


def test_a_host_that_wants_a_long_rest_is_left_to_a_later_run(serve, tmp_path):
    site = serve(hazards=True, retry_after="3600", characters=2)
    description = site.describe(
        pages=f'start = ["{site.url}/gallery", "{site.url}/list/1"]\nfollow = "a.character"\n'
        'image = "img[src*=busy], figure img"'
    )
    summary = crawl(description, tmp_path / "out")
    assert summary.outcome == "postponed"
    assert summary.postponed > 0
    before = len(site.paths())
    # The next run remembers, and does not even ask for robots.txt.
    with pytest.raises(CrawlError, match="left alone for 60 more minutes"):
        crawl(description, tmp_path / "out")
    assert len(site.paths()) == before
    assert rows(tmp_path / "out", "SELECT count(*) FROM pictures")[0][0] == 0


def test_a_site_that_keeps_answering_429_is_left_alone(serve, tmp_path):
    site = serve(characters=9, per_page=9, hostile=[f"/status/429?{n}" for n in range(9)])
    description = site.describe(
        pages=f'start = ["{site.url}/hostile", "{site.url}/list/1"]\nfollow = "a"\nimage = "img"'
    )
    summary = crawl(description, tmp_path / "out")
    assert summary.outcome == "postponed"
    # Three URLs with one repetition each, as the description says, and then no more.
    assert site.paths(429) == [f"/status/429?{n}" for n in (0, 0, 1, 1, 2, 2)]
    assert site.paths()[-1] == "/status/429?2"


def test_one_url_that_stays_overloaded_does_not_hold_up_the_others(serve, tmp_path):
    site = serve(characters=2, hostile=["/status/503"])
    description = site.describe(
        pages=f'start = ["{site.url}/hostile", "{site.url}/list/1"]\nfollow = "a"\nimage = "img"'
    )
    summary = crawl(description, tmp_path / "out")
    assert (summary.outcome, summary.stored) == ("incomplete", 2)
    assert f"{site.url}/status/503" in [each["url"] for each in summary.not_reached]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        (None, None),
        ("soon", None),
        ("-5", None),
        ("9" * 11, 999999999.0),
    ],
)
def test_retry_after_in_seconds(header, seconds):
    assert retry_after_seconds(header) == seconds


def test_retry_after_as_a_date():
    later = datetime.now(UTC) + timedelta(minutes=10)
    assert 590 < retry_after_seconds(format_datetime(later, usegmt=True)) <= 600
    assert retry_after_seconds("Wed, 01 Jan 2020 00:00:00 GMT") == 0.0
