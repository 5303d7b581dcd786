"""Broken answers and odd pages cost themselves only, and reading takes time as they are long."""

import io
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
from multidict import CIMultiDict
from PIL import Image

from avatargan.errors import CrawlError
from crawler.extract import read_page
from crawler.images import perceptual_signature
from crawler.ledger import LEDGER_NAME, Ledger, Target
from crawler.manifest import read_manifest
from crawler.outcomes import StoppedError
from crawler.page import Page
from crawler.similarity import distance, same_colours
from crawler.site import SiteDescription
from crawler.urls import absolute_url
from tests.crawler.drawing import drawn
from tests.crawler.helpers import ROOT, crawl, quick_command, rows

TARGET = Target(1, "http://a.dev/", "a.dev", "http://a.dev", "page", 0, 0, None, None, None)


def site(**rules):
    return SiteDescription.model_validate(
        {
            "name": "a",
            "contact": "me@a.dev",
            "pages": {"start": ["http://a.dev/"], "image": "img", **rules},
        }
    )


def read(body, kind="text/html", go_on=lambda: None, **rules):
    content = body.encode() if isinstance(body, str) else body
    headers = CIMultiDict({"Content-Type": kind})
    return read_page(Page(TARGET.url, headers, content), TARGET, site(**rules), go_on)


def urls(content):
    return [found.url for found in content.found]


def work(call):
    began = time.process_time()
    call()
    return time.process_time() - began


@pytest.mark.parametrize(
    "rules",
    [
        {"tags": "dd::text", "title": ".t", "author": ".a", "licence": ".l"},
        {"tags": "xpath://dd/text()"},
    ],
)
def test_cards_without_their_fields_are_read_in_time_that_grows_with_their_number(rules):
    def cards(number):
        return "<div class=c><p>" + "x" * 20 + "</p></div>" + "<div class=c></div>" * number

    few, many = (
        work(lambda number=number: read(cards(number), each=".c", **rules))
        for number in (200, 3200)
    )
    assert many < 16 * few * 4  # the square would be 16 times that


def test_reading_can_be_ended_between_two_cards():
    calls = []

    def go_on():
        calls.append(1)
        if len(calls) == 5:
            raise StoppedError("the run is ending")

    with pytest.raises(StoppedError):
        read("<div class=c></div>" * 5000, each=".c", go_on=go_on)
    assert len(calls) == 5


def test_a_run_hears_a_signal_while_it_reads_a_page(serve, tmp_path):
    body = "<div class=c><p>text</p></div>" * 30_000
    page = serve(raw={"/start": ["text/html", body, {}]})
    description = page.describe(
        pages=f'start = ["{page.url}/start"]\nimage = "img"\neach = ".c"\ntitle = ".t"',
        limits="max_page_bytes = 50_000_000",
    )
    options = ["--allow-private", "--private-pause", "0", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "crawler", "run", description, tmp_path / "out", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    while "/start" not in page.paths():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=60)
    assert json.loads(told)["outcome"] == "interrupted"
    assert rows(tmp_path / "out", "SELECT state FROM targets") == [("pending",)]


@pytest.mark.parametrize(
    "charset", ["idna", "hex", "rot13", "punycode", "zlib", "unicode_escape", "nonsense", "\0", ""]
)
def test_a_charset_that_is_none_is_not_believed(charset):
    for kind in (f"text/html; charset={charset}", "text/html"):
        body = f'<meta charset="{charset}"><img src="/é.png">'
        assert urls(read(body, kind)) == ["http://a.dev/%C3%A9.png"]


@pytest.mark.parametrize("charset", ["shift_jis", "euc-jp", "gb2312", "big5", "koi8-r", "utf-16"])
def test_a_charset_of_the_web_is_believed(charset):
    title = {"koi8-r": "Я", "gb2312": "图", "big5": "圖"}.get(charset, "図")
    kind = f"text/html; charset={charset}"
    body = f"<h1>{title}</h1><img src=/1.png>".encode(charset)
    (found,) = read(body, kind, title="h1").found
    assert found.context.title == title


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("<title>x</title>" + "<!-- -->" * 2000 + '<base href="http://b.dev/x/">', "b.dev/x/1.png"),
        ('<base href="/deep/">', "a.dev/deep/1.png"),
        ('<base target="_blank"><base href="http://b.dev/">', "b.dev/1.png"),
        ('<base href="http://[::1">', "a.dev/1.png"),
    ],
)
def test_the_base_of_a_page_is_found_wherever_it_stands(head, expected):
    assert urls(read(f"<head>{head}</head><img src=1.png>")) == [f"http://{expected}"]


@pytest.mark.parametrize(
    ("body", "image", "expected"),
    [
        ('<img src="data:image/gif;base64,R0" data-src="/a.png">', "img", "a.png"),
        ('<img srcset="/s.png 1x, /l.png 2x">', "img", "l.png"),
        ('<img srcset="/s.png 480w,/l.png 800w">', "img::attr(srcset)", "l.png"),
        ("<div style=\"background: url( '/b.png' )\">", "div::attr(style)", "b.png"),
        ('<img src="/a,b 2x.png">', "img", "a,b%202x.png"),
        ('<img src="" data-src="/a.png">', "img", "a.png"),
    ],
)
def test_pictures_that_are_loaded_late_are_found(body, image, expected):
    assert urls(read(body, image=image)) == [f"http://a.dev/{expected}"]


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ('<b data-src="/a.png">', 'b::attr(data-src)"'),
        ('<source srcset="/a.png 2x">', 'source::attr(srcset)"'),
        ('<i style="background-image:url(/a.png)">', "::attr(style)"),
        ("<style>.a { background: url(/a.png) }</style>", "style sheet"),
    ],
)
def test_a_selector_that_matches_nothing_gets_a_hint(body, hint):
    assert hint in read(body, image="img.nowhere").hint


def test_the_hint_reaches_the_user(serve, tmp_path):
    page = serve(raw={"/start": ["text/html", '<b data-src="/img/1.png"></b>', {}]})
    pages = f'start = ["{page.url}/start"]\nimage = "img"'
    with pytest.raises(CrawlError, match=r'try image = "b::attr\(data-src\)"'):
        crawl(page.describe(pages=pages), tmp_path / "out")


BAD_POSTS = [
    '{"file_url": "/img/2.png", "tag": "\\ud83d smile"}',
    '{"file_url": "/img/3.png", "id": ' + "9" * 6000 + "}",
    '{"file_url": "/img/4.png", "id": -' + "9" * 6000 + ', "tag": 1e999}',
    '{"file_url": "\\udfff"}',
    '{"file_url": 7}',
    '{"file_url": ""}',
    '{"file_url": "http://[::1"}',
    '{"file_url": "/img/5.png", "tag": {"deep": [[[]]]}}',
    "null",
    '"a post"',
    '{"file_url": "/img/6.png", "tag": "caf\xe9 \\u0000"}',  # not UTF-8
]


def test_a_broken_post_costs_itself_only(serve, tmp_path):
    page = "[" + ",".join(['{"file_url": "/img/1.png"}', *BAD_POSTS]) + "]"
    headers = {"Content-Type": "application/json"}
    raw = {
        "/posts?page=1": ["application/json", page, headers],
        "/posts?page=2": ["application/json", "[]", headers],
    }
    server = serve(raw=raw)
    path = tmp_path / "api.toml"
    path.write_text(
        'name = "b"\ncontact = "me@b.dev"\n[api]\n'
        f'url = "{server.url}/posts?page={{page}}"\npost_page = "{server.url}/p/{{id}}/{{tag}}"\n'
        '[api.fields]\nimage = "file_url"\ntags = ["tag"]\ntitle = "id"\n[limits]\nmin_side = 32\n'
    )
    summary = crawl(path, tmp_path / "out")
    assert (summary.outcome, summary.stored) == ("finished", 6)
    assert sum(n for reason, n in summary.reasons.items() if reason.startswith("an API post")) == 4
    assert "smile" in {tag for e in read_manifest(tmp_path / "out").values() for tag in e["tags"]}


@pytest.mark.parametrize(
    "headers",
    [
        {
            "Content-Disposition": "inline; filename="
            + "図.png".encode("shift_jis").decode("latin-1")
        },
        {"ETag": '"\xe9\xff"', "Last-Modified": "\xa0"},
        {"X-Long": "x" * 20_000},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_headers_in_any_encoding_lose_no_answer(serve, tmp_path, headers):
    server = serve(characters=2, image_headers=headers, page_headers=headers, validators=False)
    out = tmp_path / "out"
    assert crawl(server.describe(), out).stored == 2
    assert crawl(server.describe(), out).outcome == "finished"


def test_a_redirect_in_raw_bytes_is_followed(serve, tmp_path):
    place = "/caf\xe9"
    server = serve(hostile=[place.encode("latin-1").decode("latin-1")])
    assert absolute_url("http://a.dev/", "/caf%E9") == "http://a.dev/caf%E9"
    pages = f'start = ["{server.url}/to/0"]\nimage = "img"'
    with pytest.raises(CrawlError):  # a page without pictures
        crawl(server.describe(pages=pages), tmp_path / "out")
    assert server.paths()[-1] in ("/caf%E9", "/caf%C3%A9")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_packed_pages_are_read_and_bombs_are_not(serve, tmp_path, coding):
    import zlib

    def pack(body):
        packer = zlib.compressobj(9, wbits=31 if coding == "gzip" else -15)
        return (packer.compress(body) + packer.flush()).decode("latin-1")

    headers = {"Content-Encoding": coding}
    good, bomb = b"<img src=/img/1.png>", b"<img src=/img/2.png>" + bytes(9_000_000)
    server = serve(
        raw={
            "/good": ["text/html", pack(good), headers],
            "/bomb": ["text/html", pack(bomb), headers],
            "/torn": ["text/html", pack(good)[:-12], headers],
        }
    )
    starts = ", ".join(f'"{server.url}/{name}"' for name in ("bomb", "torn", "good"))
    summary = crawl(
        server.describe(pages=f'start = [{starts}]\nimage = "img"', rate="retries = 0"),
        tmp_path / "out",
    )
    assert summary.stored == 1
    assert any("when unpacked" in reason for reason in summary.reasons)
    assert any("broken" in reason for reason in summary.reasons)


def test_session_ids_are_dropped_where_described_and_warned_of_where_not(serve, tmp_path):
    shown = [f"/img/1.png;jsessionid={n}?v=1&SID={n}" for n in range(4)]
    server = serve(hostile=shown, validators=False)
    pages = f'start = ["{server.url}/hostile"]\nimage = "img"'
    warned = crawl(server.describe(pages=pages), tmp_path / "warned")
    assert any('ignore_parameters = ["sid"]' in each for each in warned.warnings)
    server.clear_log()
    top = 'name = "s"\ncontact = "me@s.dev"\nignore_parameters = ["sid", "JSESSIONID"]'
    assert crawl(server.describe(top=top, pages=pages), tmp_path / "out").warnings == []
    assert [path for path in server.paths() if "/img/" in path] == ["/img/1.png?v=1"]


def encoded(picture):
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def test_two_pictures_of_16_bit_grey_are_two():
    def grey(seed):
        small = Image.open(io.BytesIO(drawn(seed))).convert("L")
        return encoded(Image.fromarray(np.asarray(small).astype(np.uint16) * 257))

    one, other = perceptual_signature(grey(1)), perceptual_signature(grey(2))
    assert distance(one.phash, other.phash) > 4
    eight_bits = Image.open(io.BytesIO(drawn(1))).convert("L")
    assert distance(one.phash, perceptual_signature(encoded(eight_bits)).phash) <= 1


def test_one_drawing_in_two_colours_is_two_pictures_and_a_copy_is_one():
    picture = Image.open(io.BytesIO(drawn(1, side=200)))
    hue, saturation, value = picture.convert("HSV").split()
    turned = Image.merge("HSV", (hue.point(lambda v: (v + 80) % 256), saturation, value))
    original = perceptual_signature(encoded(picture))
    eyes = picture.copy()
    eyes.paste((40, 60, 220), (40, 60, 56, 76))
    for other in (turned.convert("RGB"), eyes):
        assert not same_colours(original.colours, perceptual_signature(encoded(other)).colours)
    for copy in (
        drawn(1, side=120),
        drawn(1, side=200, suffix="JPEG", quality=60),
        drawn(1, side=200, suffix="WEBP"),
    ):
        assert same_colours(original.colours, perceptual_signature(copy).colours)


def test_a_check_with_fetch_reads_item_pages_too(serve):
    server = serve(characters=9, per_page=9)
    options = ["--fetch", "--json", "--allow-private", "--private-pause", "0"]
    shown = json.loads(quick_command("check", server.describe(), *options).stdout)
    assert shown["read"] == [f"{server.url}{path}" for path in ("/list/1", "/character/1")] + [
        f"{server.url}/character/2"
    ]
    assert (shown["matches"]["pages.image"], shown["matches"]["pages.tags"]) == (2, 4)
    assert not any(path.startswith("/img/") for path in server.paths())


def test_a_robots_that_redirects_to_a_foreign_host_contacts_nobody_else(serve, tmp_path):
    foreign = serve(number="foreign", robots="User-agent: *\nDisallow: /img/1.png")
    server = serve(characters=2, robots_to=f"http://localhost:{foreign.port}/robots.txt")
    with pytest.raises(CrawlError, match="redirects to localhost, which is among neither"):
        crawl(server.describe(), tmp_path / "out")
    assert foreign.paths() == []
    top = 'name = "test-site"\ncontact = "me@s.dev"\nhosts = ["localhost"]'
    assert crawl(server.describe(top=top), tmp_path / "out").stored == 1


def test_a_ledger_of_version_1_is_brought_up_to_date_without_loss(serve, tmp_path):
    server = serve(characters=2)
    out = tmp_path / "out"
    crawl(server.describe(), out)
    before = read_manifest(out)
    connection = sqlite3.connect(out / LEDGER_NAME)
    connection.executescript(
        "DROP TABLE origins; ALTER TABLE hosts ADD COLUMN not_before REAL NOT NULL DEFAULT 0;"
        "UPDATE hosts SET not_before = 1.0;"
        "ALTER TABLE targets DROP COLUMN origin; ALTER TABLE targets DROP COLUMN failures;"
        "ALTER TABLE targets DROP COLUMN failing_since; ALTER TABLE pictures DROP COLUMN colours;"
        "ALTER TABLE sources DROP COLUMN gone_at; ALTER TABLE sources DROP COLUMN gone_reason;"
        "ALTER TABLE sources DROP COLUMN gone_by; ALTER TABLE sources DROP COLUMN gone_wish;"
        "PRAGMA user_version = 1;"
    )
    connection.close()
    shutil.copy(out / LEDGER_NAME, tmp_path / "old.sqlite")
    with Ledger.open(out) as ledger:  # also by a command that only reads
        assert ledger.rests_until(server.url) == 1.0
    again = crawl(server.describe(), out)
    assert (again.outcome, again.stored, again.unchanged) == ("finished", 0, 5)
    assert read_manifest(out) == before
