"""What cannot be had is put aside and said; the rest goes on, in this run and in later ones."""

import socket

import pytest

from crawler.visiting import url_behind
from tests.crawler.helpers import crawl, quick_command, rows

TOP = 'name = "test-site"\ncontact = "tester@crawl.test-site.dev"\n'


@pytest.fixture
def dead_origin():
    """The origin of a port that is taken and does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def pictures_page(site, **changes):
    """A description of a page that shows pictures, which have no retries."""
    return site.describe(
        **{
            "top": TOP,
            "pages": f'start = ["{site.url}/hostile"]\nimage = "img"',
            "rate": "retries = 0\ntimeout_seconds = 1.0",
        }
        | changes
    )


def test_a_dead_port_of_the_sites_own_host_costs_its_own_pictures_only(
    serve, tmp_path, dead_origin
):
    site = serve(hostile=[f"{dead_origin}/a.png", f"{dead_origin}/b.png", "/img/1.png"])
    out = tmp_path / "out"
    first = crawl(pictures_page(site), out)
    assert (first.outcome, first.stored) == ("incomplete", 1)
    assert [each["url"] for each in first.not_reached] == [
        f"{dead_origin}/a.png",
        f"{dead_origin}/b.png",
    ]
    # Later runs begin with the start page again, and count.
    site.clear_log()
    second = crawl(pictures_page(site), out)
    assert second.outcome == "incomplete"
    assert "/hostile" in site.paths()
    assert {each["failures"] for each in second.not_reached} == {2}
    assert second.not_reached[0]["failing_since"] == first.not_reached[0]["failing_since"]
    report = quick_command("report", out)
    assert f"{dead_origin}: robots.txt" in report.stdout
    assert "(2 times since" in report.stdout


def test_an_origin_that_answers_again_is_fetched_from(serve, tmp_path):
    pictures = serve(number="pictures", robots_status=503, retry_after="0")
    url = f"http://127.0.0.1:{pictures.port}/img/1.png"
    site = serve(hostile=[url, "/img/2.png"])
    description = pictures_page(site)
    assert crawl(description, tmp_path / "out").outcome == "incomplete"
    pictures.reconfigure(robots_status=200)
    again = crawl(description, tmp_path / "out")
    assert (again.outcome, again.stored, again.not_reached) == ("finished", 1, [])
    assert rows(tmp_path / "out", "SELECT origin FROM origins WHERE failures > 0") == []
    failing = "SELECT url FROM targets WHERE failures > 0 OR failing_since IS NOT NULL"
    assert rows(tmp_path / "out", failing) == []


def test_an_origin_that_was_put_aside_is_asked_once_a_run(serve, tmp_path):
    pictures = serve(number="pictures", robots_status=500)
    site = serve(hostile=[f"{pictures.url}/img/{n}.png" for n in range(5)])
    description = pictures_page(site, rate="retries = 2\ntimeout_seconds = 1.0")
    for _ in range(2):
        pictures.clear_log()
        crawl(description, tmp_path / "out")
    assert pictures.paths() == ["/robots.txt"]


def test_an_origin_that_asks_for_a_long_rest_does_not_stop_the_pages(serve, tmp_path):
    pictures = serve(number="pictures", retry_after="3600", status=None)
    site = serve(hostile=[f"{pictures.url}/img/busy.png", "/img/1.png"])
    description = pictures_page(site, rate="retries = 1\ntimeout_seconds = 1.0")
    first = crawl(description, tmp_path / "out")
    assert (first.outcome, first.stored) == ("postponed", 1)
    before = len(pictures.paths())
    site.clear_log()
    second = crawl(description, tmp_path / "out")
    assert second.outcome == "postponed"
    assert "/hostile" in site.paths()
    assert len(pictures.paths()) == before


def test_an_origin_overloaded_run_after_run_does_not_hold_up_the_next_round(serve, tmp_path):
    pictures = serve(number="pictures", status=503)
    site = serve(hostile=[f"{pictures.url}/img/{n}.png" for n in range(12)])
    description = pictures_page(site)
    for _ in range(3):
        site.clear_log()
        assert crawl(description, tmp_path / "out").outcome == "postponed"
    assert "/hostile" in site.paths()


def test_a_host_that_goes_silent_midway_is_given_up_soon(serve, tmp_path):
    pictures = serve(number="pictures")
    shown = [f"{pictures.url}/broken/closed?{n}" for n in range(12)]
    site = serve(hostile=[*shown, "/img/1.png"])
    summary = crawl(pictures_page(site), tmp_path / "out")
    assert (summary.outcome, summary.stored) == ("incomplete", 1)
    assert len(summary.not_reached) == 12
    assert len([path for path in pictures.paths() if "closed" in path]) == 5


@pytest.mark.parametrize("failure", [500, 503, "closed", "json"])
def test_an_api_page_that_always_fails_does_not_hide_what_is_behind_it(serve, tmp_path, failure):
    site = serve(posts=30, broken_pages={"2": failure})
    path = tmp_path / "api.toml"
    path.write_text(
        f"{TOP}[api]\n"
        f'url = "{site.url}/api/posts.json?limit=10&page={{page}}"\n[api.fields]\n'
        'image = "file_url"\n[rate]\nretries = 0\n[limits]\nmin_side = 32\n'
    )
    summary = crawl(path, tmp_path / "out")
    assert (summary.outcome, summary.stored) == ("incomplete", 20)
    assert [each["url"] for each in summary.not_reached] == [
        f"{site.url}/api/posts.json?limit=10&page=2"
    ]
    site.reconfigure(broken_pages={})
    assert crawl(path, tmp_path / "out").pictures == 30


@pytest.mark.parametrize("failure", [500, "closed"])
def test_a_listing_goes_on_behind_a_page_that_always_fails(serve, tmp_path, failure):
    site = serve(characters=9, per_page=3, broken_pages={"2": failure})
    summary = crawl(site.describe(rate="retries = 0"), tmp_path / "out")
    assert (summary.outcome, summary.stored) == ("incomplete", 6)
    assert [each["url"] for each in summary.not_reached] == [f"{site.url}/list/2"]


def test_a_listing_without_an_end_of_failures_ends(serve, tmp_path):
    site = serve(characters=90, per_page=3, broken_pages={str(n): 500 for n in range(2, 40)})
    summary = crawl(site.describe(rate="retries = 0"), tmp_path / "out")
    assert (summary.outcome, summary.stored) == ("incomplete", 3)
    assert [path for path in site.paths() if path.startswith("/list/")] == [
        f"/list/{n}" for n in (1, 2, 3)
    ]


def test_the_command_says_what_was_not_reached(serve, tmp_path):
    site = serve(characters=6, per_page=3, broken_pages={"2": 500})
    description = site.describe(rate="retries = 0")
    done = quick_command(
        "run", description, tmp_path / "out", "--allow-private", "--private-pause", "0.004"
    )
    assert done.returncode == 0
    assert "but for what could not be reached" in done.stdout
    assert f"{site.url}/list/2: answered 500" in done.stderr


@pytest.mark.parametrize(
    ("before", "page", "behind"),
    [
        ("http://a/list/1", "http://a/list/2", "http://a/list/3"),
        ("http://a/l?page=9&x=1", "http://a/l?page=10&x=1", "http://a/l?page=11&x=1"),
        ("http://a/l/", "http://a/l/?page=2", "http://a/l/?page=3"),
        ("http://a/l", "http://a/l/page/2", "http://a/l/page/3"),
        ("http://a/l?after=77", "http://a/l?after=91", None),
        ("http://a/list/1", "http://a/character/2", None),
        ("http://a/l?from=abc", "http://a/l?from=def", None),
    ],
)
def test_the_page_behind_is_only_guessed_where_pages_are_numbered(before, page, behind):
    assert url_behind(before, page) == behind
