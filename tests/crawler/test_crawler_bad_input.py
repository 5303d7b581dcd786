"""What the user got wrong is one clear line and exit code 2, with nothing half-done."""

import json
import sqlite3

import pytest

from avatargan.errors import CrawlError, OptionError
from crawler.addresses import AddressPolicy
from crawler.ledger import LEDGER_NAME, Ledger
from crawler.manifest import read_manifest
from crawler.site import load_site, ready_descriptions
from tests.crawler.helpers import command, crawl, quick_command

OWN = ["--allow-private", "--private-pause", "0.01"]

GOOD = """
name = "shop"
contact = "me@crawl.test-site.dev"
[pages]
start = ["https://shop.test-site.dev/"]
image = "img"
"""


def assert_refused(done, *words):
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("image =", "imge ="), ["unknown key 'pages.imge'", "did you mean 'image'?"]),
        (("[pages]", "[page]"), ["unknown key 'page'", "did you mean 'pages'?"]),
        (('name = "shop"', ""), ["'name' is missing"]),
        (('contact = "me@crawl.test-site.dev"', 'contact = "me"'), ["contact", "site owners"]),
        (('image = "img"', 'image = "img["'), ["pages.image", "not a selector"]),
        (('image = "img"', 'image = "xpath://img["'), ["pages.image", "not a selector"]),
        (("https://shop", "ftp://shop"), ["pages.start", "http"]),
        (("https://shop.test-site.dev/", "http://0x7f.1/"), ["odd spelling"]),
        (("[pages]", "[rate]\nseconds_between_requests = 0.1\n[pages]"), ["greater than or equal"]),
        (("[pages]", "[rate]\nretires = 1\n[pages]"), ["rate.retires", "did you mean 'retries'?"]),
        (("[pages]", '[limits]\nmax_images = "many"\n[pages]'), ["limits.max_images", "integer"]),
        (("[pages]", "[pages"), ["not valid TOML"]),
        (("[pages]", "[api]"), ["unknown key 'api.start'"]),
        (('start = ["https://shop.test-site.dev/"]', "start = []"), ["pages.start"]),
        (('"shop"', '"My Shop"'), ["name"]),
        (("[pages]", 'hosts = ["https://shop.org/"]\n[pages]'), ["hosts", "'*.shop.org'"]),
    ],
)
def test_a_description_with_a_mistake(tmp_path, change, words):
    path = tmp_path / "site.toml"
    path.write_text(GOOD.replace(*change))
    with pytest.raises(CrawlError) as raised:
        load_site(path)
    message = str(raised.value)
    assert str(path) in message
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_good_description_is_good(tmp_path):
    (tmp_path / "site.toml").write_text(GOOD)
    assert load_site(tmp_path / "site.toml").page_hosts == ["shop.test-site.dev"]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('url = "https://b.dev/posts"\n[api.fields]\nimage = "u"', "{page}"),
        ('url = "https://b.dev/{page}"\n[api.fields]\nimage = "u["', "not a JMESPath expression"),
        ('url = "https://b.dev/{page}"', "'api.fields' is missing"),
    ],
)
def test_an_api_description_with_a_mistake(tmp_path, table, words):
    path = tmp_path / "site.toml"
    path.write_text(f'name = "b"\ncontact = "me@b.dev"\n[api]\n{table}\n')
    with pytest.raises(CrawlError) as raised:
        load_site(path)
    assert words in str(raised.value)


def test_unknown_keys_on_the_command_line(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(GOOD.replace("image =", "images ="))
    assert_refused(command("run", path, tmp_path / "out"), "pages.images", "did you mean 'image'?")
    assert not (tmp_path / "out").exists()


def test_a_missing_description(tmp_path):
    assert_refused(quick_command("run", tmp_path / "none.toml", tmp_path / "out"), "none.toml")


@pytest.mark.parametrize("ready", ready_descriptions(), ids=lambda path: path.stem)
def test_a_ready_description_that_was_not_filled_in(tmp_path, ready):
    done = quick_command("run", ready, tmp_path / "out")
    assert_refused(done, "placeholder", "your own contact")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ('follow = "a.character"\nimage = "img.nowhere"', ["pages.image (img.nowhere)"]),
        ('follow = "a.nowhere"\nimage = "figure img"', ["pages.follow (a.nowhere)"]),
    ],
)
def test_a_selector_that_matches_nothing(serve, tmp_path, pages, words):
    site = serve(characters=3)
    description = site.describe(pages=f'start = ["{site.url}/list/1"]\n{pages}')
    out = tmp_path / "out"
    assert_refused(quick_command("run", description, out, *OWN), "matched nothing", *words)
    assert list(out.rglob("*.png")) == []
    # Once mended it is a crawl like any other, in the same folder.
    assert crawl(site.describe(), out).stored == 3


def test_a_wrong_image_selector_stops_early(serve, tmp_path):
    site = serve(characters=100, per_page=50)
    description = site.describe(
        pages=f'start = ["{site.url}/list/1"]\nfollow = "a.character"\nnext = "a[rel=next]"\n'
        'image = "img.nowhere"'
    )
    with pytest.raises(CrawlError, match="matched nothing on the 25"):
        crawl(description, tmp_path / "out")
    assert len(site.paths()) < 30


def test_a_field_that_matches_nothing_is_a_warning(serve, tmp_path):
    site = serve(characters=2)
    description = site.describe(
        pages=f'start = ["{site.url}/list/1"]\nfollow = "a.character"\nimage = "img"\n'
        'tags = ".nowhere"'
    )
    summary = crawl(description, tmp_path / "out")
    assert summary.stored == 2
    assert "pages.tags (.nowhere) matched nothing" in summary.warnings[0]


def test_an_api_without_the_described_fields(serve, tmp_path):
    site = serve(posts=3)
    path = tmp_path / "api.toml"
    path.write_text(
        f'name = "b"\ncontact = "me@b.dev"\n[api]\nurl = "{site.url}/api/posts.json?limit=5&'
        'page={page}"\n[api.fields]\nimage = "large_url"\n'
    )
    with pytest.raises(CrawlError, match=r"api.fields.image \(large_url\) matched nothing"):
        crawl(path, tmp_path / "out")


def test_a_site_that_answers_403_to_all(serve, tmp_path):
    site = serve(status=403)
    done = command("run", site.describe(), tmp_path / "out", *OWN)
    assert_refused(done, "answered 403 to every request")


def test_a_folder_that_cannot_be_written(serve, tmp_path):
    site = serve(characters=1)
    (tmp_path / "file").write_text("not a folder")
    done = quick_command("run", site.describe(), tmp_path / "file" / "out", *OWN)
    assert_refused(done, "cannot write", "file/out")
    assert site.paths() == []


def test_a_full_disk_leaves_a_whole_ledger_and_the_next_run_carries_on(
    serve, tmp_path, monkeypatch
):
    site = serve(characters=2)
    out = tmp_path / "out"

    def full(*args, **kwargs):
        from avatargan.errors import OutputError

        raise OutputError("cannot write x: the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("crawler.session.write_atomically", full)
        with pytest.raises(Exception, match="disk is full"):
            crawl(site.describe(), out)
    assert crawl(site.describe(), out).stored == 2
    assert site.paths(200).count("/img/1.png") == 1


@pytest.mark.parametrize("subcommand", [["run"], ["report"], ["forget", "deadbeef", "--out"]])
def test_a_ledger_of_another_version(serve, tmp_path, subcommand):
    site = serve(characters=1)
    out = tmp_path / "out"
    crawl(site.describe(), out)
    connection = sqlite3.connect(out / LEDGER_NAME)
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    site.clear_log()
    arguments = ["run", site.describe(), out, *OWN] if subcommand == ["run"] else [*subcommand, out]
    assert_refused(quick_command(*arguments), "ledger of version 7", "version 2")
    assert site.paths() == []
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.parametrize("content", [b"SQLite? no.", b"", None])
def test_a_file_that_is_no_ledger(tmp_path, content):
    out = tmp_path / "out"
    out.mkdir()
    if content is None:  # somebody else's database
        connection = sqlite3.connect(out / LEDGER_NAME)
        connection.execute("CREATE TABLE songs (title)")
        connection.close()
    else:
        (out / LEDGER_NAME).write_bytes(content * 100)
    if content == b"":  # what a process killed at its first step leaves: a fresh start
        with Ledger.create(out) as ledger:
            assert ledger.pictures() == []
        return
    with pytest.raises(CrawlError, match="ledger"):
        Ledger.create(out)


def test_a_folder_without_a_crawl(tmp_path):
    assert_refused(quick_command("report", tmp_path), "holds no ledger.sqlite")


def test_two_runs_at_once_in_one_folder(tmp_path):
    with Ledger.create(tmp_path / "out"):
        with pytest.raises(CrawlError, match="another process is writing"):
            Ledger.create(tmp_path / "out")
        with Ledger.open(tmp_path / "out") as reader:  # reading is free
            assert reader.pictures() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--private-pause", "0.1"], ["--allow-private"]),
        (["--max-bytes", "lots"], ["--max-bytes 'lots'", "500MB"]),
    ],
)
def test_options_that_make_no_sense(tmp_path, options, words):
    (tmp_path / "site.toml").write_text(GOOD)
    done = quick_command("run", tmp_path / "site.toml", tmp_path / "out", *options)
    assert_refused(done, *words)
    assert not (tmp_path / "out").exists()


def test_only_a_private_site_may_be_crawled_faster_than_described(tmp_path):
    (tmp_path / "site.toml").write_text(GOOD)
    with pytest.raises(OptionError, match="only one's own private site"):
        crawl(tmp_path / "site.toml", tmp_path / "out", policy=AddressPolicy.PUBLIC_AND_PRIVATE)
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_what_would_be_done_and_does_nothing(serve, tmp_path):
    site = serve(characters=1)
    done = quick_command(
        "run", site.describe(), tmp_path / "out", "--dry-run", "--json", "--max-bytes", "2GB"
    )
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["max_bytes"] == 2_000_000_000
    assert plan["seconds_between_requests"] == 1.0
    assert site.paths() == []
    assert not (tmp_path / "out").exists()


def test_a_check_with_fetch_shows_what_matches_and_keeps_nothing(serve, tmp_path):
    site = serve(characters=3)
    description = site.describe(
        pages=f'start = ["{site.url}/character/1"]\nimage = "figure img"\ntags = "dd::text"'
    )
    done = quick_command("check", description, "--fetch", "--json", *OWN)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["matches"] == {"pages.image": 1, "pages.tags": 2}
    assert shown["pictures"][0]["attributes"] == {"hair": "brown", "eyes": "blue"}
    assert site.paths() == ["/robots.txt", "/character/1"]


def test_a_run_on_the_command_line_reports_in_json_on_stdout_alone(serve, tmp_path):
    site = serve(characters=2)
    out = tmp_path / "out"
    log = tmp_path / "events.log"
    done = command("run", site.describe(), out, *OWN, "--json", "--log", log)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stored"] == 2
    assert len(read_manifest(out)) == 2
    assert log.exists()
