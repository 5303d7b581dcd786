"""Who asks to be left out is left out, however they spell it, and also when they ask later."""

import json

import pytest
from multidict import CIMultiDict

from crawler.forget import forget, plan_forgetting_gone
from crawler.ledger import Ledger
from crawler.manifest import read_manifest
from crawler.report import make_report
from crawler.robots import read_ai_txt, read_robots, with_reservations
from crawler.wishes import Wishes, path_matches
from tests.crawler.helpers import crawl, quick_command

PAGE, PICTURE = "http://a.dev/art/1", "http://a.dev/img/1.png"


@pytest.mark.parametrize(
    ("robots", "page", "picture"),
    [
        ("User-agent: avatargan-crawler/0.1.0\nDisallow: /", False, False),
        ("User-agent: AvatarGAN-Crawler/0.1.0 (+mailto:me@a.dev)\nDisallow: /img/", True, False),
        ("User-agent: GPTBot, avatargan-crawler\nDisallow: /", False, False),
        ("User-agent: 'avatargan-crawler'\nDisallow: /", False, False),
        ("User-agent: avatargan-crawler*\nDisallow: /", False, False),
        ("User-agent: GPTBot/1.0\nDisallow: /", True, True),
        ("User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /", False, False),
        ("Content-Signal: ai-train=no\nUser-agent: *\nAllow: /", False, False),
        ("User-agent: *\nContent-Signal: search=yes, ai-input=no\nAllow: /", True, True),
        ("User-agent: *\nContent-Usage: genai=n", False, False),
        ("User-agent: *\nContent-Usage: /img/ train-ai=n", True, False),
        ("User-agent: *\nContent-Usage: ai=n\nContent-Usage: /img/ ai=y", False, True),
        ("User-agent: GPTBot\nContent-Signal: ai-train=no\n\nUser-agent: *\nAllow: /", True, True),
        (
            "User-agent: avatargan-crawler/1\nUser-agent: x\nContent-Signal: ai-train=?0\n",
            False,
            False,
        ),
        ("User-agent: *\nDisallowAITraining: /img/", True, False),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_robots_txt_in_every_spelling(robots, page, picture, encoding):
    rules = read_robots(200, robots.encode(encoding))
    assert (rules.allows(PAGE), rules.allows(PICTURE)) == (page, picture)


@pytest.mark.parametrize(
    ("tdmrep", "page", "picture"),
    [
        # "/" is the front page in the letter of the protocol, and everything to its users.
        ('[{"location": "/", "tdm-reservation": 1}]', False, False),
        ('[{"location": "/*", "tdm-reservation": true}]', False, False),
        ('[{"location": "/img/*.png$", "tdm-reservation": "1"}]', True, False),
        (
            '[{"location": "/*", "tdm-reservation": 1}, {"location": "/img/*",'
            ' "tdm-reservation": 0}]',
            False,
            True,
        ),
        ('{"Location": "/img", "TDM-Reservation": 1}', True, False),
        ("<html>not here</html>", True, True),
        ('[1, null, {"location": 3}]', True, True),
        ("[" * 100_000, True, True),
    ],
)
def test_tdmrep(tdmrep, page, picture):
    rules = with_reservations(read_robots(404, b""), tdmrep.encode(), None)
    assert (rules.allows(PAGE), rules.allows(PICTURE)) == (page, picture)


def test_ai_txt_and_a_page_in_its_place():
    rules = with_reservations(
        read_robots(404, b""), None, b"User-Agent: *\nDisallow: *.png\nAllow: /\n"
    )
    assert rules.allows(PAGE)
    assert rules.why_refused(PICTURE) == "forbidden by /ai.txt"
    assert read_ai_txt(b"  <!doctype html>\nUser-agent: *\nDisallow: /") is None


def test_values_of_any_length_take_no_time():
    for value in ("ai-" * 300_000, "no " * 100_000, "x:" * 100_000, "a" + " " * 300_000):
        headers = CIMultiDict({"X-Robots-Tag": value, "Content-Usage": value})
        assert Wishes(headers).against_collecting is None


def test_patterns_with_many_stars_take_no_time():
    assert not path_matches("/" + "*a" * 500 + "$", "/" + "a" * 400 + "b")
    assert path_matches("/a*c$", "/abc")
    assert not path_matches("/a*bc$", "/abcd")


@pytest.mark.parametrize(
    "policies",
    [
        {"/.well-known/tdmrep.json": '[{"location": "/*", "tdm-reservation": 1}]'},
        {"/ai.txt": "User-Agent: *\nDisallow: /"},
    ],
)
def test_nothing_is_fetched_against_the_files_beside_robots(serve, tmp_path, policies):
    site = serve(policies=policies)
    done = quick_command(
        "run", site.describe(), tmp_path / "out", "--allow-private", "--private-pause", "0"
    )
    assert done.returncode == 2
    assert next(iter(policies)) in done.stderr
    assert site.paths() == ["/robots.txt"]


def test_links_that_are_not_to_be_followed_are_not(serve, tmp_path):
    body = (
        "<a class=c rel='noopener NoFollow' href=/character/1>x</a>"
        "<a class=c href=/character/2>x</a>"
        "<a class=c rel=nofollow href=/character/3>x</a><a href=/character/3>x</a>"
    )
    site = serve(raw={"/start": ["text/html", body, {}]})
    pages = f'start = ["{site.url}/start"]\nfollow = "a.c::attr(href)"\nimage = "img"'
    crawl(site.describe(pages=pages), tmp_path / "out")
    followed = [path for path in site.paths() if path.startswith("/character/")]
    assert followed == ["/character/2", "/character/3"]


@pytest.fixture
def kept(serve, tmp_path):
    """A site with four pictures, a finished crawl of it, and what is gone after another."""
    site = serve(characters=4, per_page=4)
    out = tmp_path / "out"
    crawl(site.describe(), out)

    def gone_after(**changes):
        site.reconfigure(**changes)
        done = quick_command(
            "run", site.describe(), out, "--allow-private", "--private-pause", "0", "--json"
        )
        gone = {
            int(entry["title"].split()[1]): entry["gone"]["reason"]
            for entry in read_manifest(out).values()
            if entry["gone"] is not None
        }
        if done.returncode == 0:
            assert json.loads(done.stdout)["gone"] == len(gone)
        return gone

    return site, out, gone_after


def test_pictures_that_are_gone_are_marked_and_taken_out(kept):
    site, out, gone_after = kept
    assert gone_after() == {}
    gone = gone_after(
        gone={
            "/img/1.png": 404,
            "/img/2.png": 451,
            "/img/3.png": "<html>sign in</html>",
            "/character/4": 410,
        }
    )
    assert gone[1] == "it answered 404"
    assert gone[2] == "it answered 451"
    assert "not a JPEG" in gone[3]
    assert gone[4] == "its page answered 410"
    with Ledger.open(out) as ledger:
        report = make_report(ledger)
    assert (report.gone, sum(report.by_gone.values())) == (4, 4)
    assert "4 kept pictures are gone" in quick_command("report", out).stdout
    # What may be had again is not gone.
    assert set(gone_after(gone={"/img/1.png": 404})) == {1}
    planned = quick_command("forget", "--gone", "--out", out, "--dry-run")
    assert "would remove 1 picture(s)" in planned.stdout
    assert len(read_manifest(out)) == 4
    with Ledger.open(out, writing=True) as ledger:
        for plan in plan_forgetting_gone(ledger):
            forget(ledger, plan, [])
    assert sorted(entry["title"] for entry in read_manifest(out).values()) == [
        f"Character {number}" for number in (2, 3, 4)
    ]
    assert site.url + "/img/1.png" not in {url for e in read_manifest(out).values() for url in e}
    assert "nothing is marked" in quick_command("forget", "--gone", "--out", out).stdout


def test_a_wish_that_comes_later_marks_what_is_kept(kept):
    _, _, gone_after = kept
    as_before = {
        "image_headers": {},
        "page_headers": {},
        "robots": "",
        "robots_status": 200,
        "policies": {},
    }
    # The server says "not modified" of pages and pictures, with its new headers.
    for changes, reason in (
        ({"image_headers": {"X-Robots-Tag": "noai"}}, "it asks not to be collected (noai)"),
        ({"page_headers": {"X-Robots-Tag": "noai noimageai"}}, "its page asks not"),
        ({"robots": "User-agent: *\nDisallow: /"}, "forbidden by robots.txt"),
        ({"policies": {"/ai.txt": "User-agent: *\nDisallow: *.png"}}, "forbidden by /ai.txt"),
        ({"robots": "User-agent: *\nDisallow: /character/"}, "its page: forbidden by robots"),
        ({"robots": "User-agent: *\nContent-Signal: ai-train=no"}, "not to train on it"),
        ({"robots_status": 403}, "forbidden by robots.txt"),
    ):
        gone = gone_after(**as_before | changes)
        assert set(gone) == {1, 2, 3, 4}, changes
        assert all(reason in each for each in gone.values()), (changes, gone)
    assert gone_after(**as_before) == {}


def test_a_copy_elsewhere_outlives_a_url_that_went_away_but_not_a_wish(serve, tmp_path):
    site = serve(hostile=["/img/1.png", "/img/copy.png"])
    out = tmp_path / "out"
    description = site.describe(pages=f'start = ["{site.url}/hostile"]\nimage = "img"')
    crawl(description, out)
    for status, is_gone in ((404, False), (451, True)):
        site.reconfigure(gone={"/img/1.png": status})
        crawl(description, out)
        (entry,) = read_manifest(out).values()
        assert (entry["gone"] is not None) is is_gone


def test_forgetting_nothing_in_particular_is_a_mistake(tmp_path):
    done = quick_command("forget", "--out", tmp_path)
    assert done.returncode == 2
    assert "--gone" in done.stderr
