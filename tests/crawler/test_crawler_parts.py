"""Pictures, tags, opt-outs and URLs, each judged on its own."""

import io
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from PIL import Image

from avatargan.errors import PictureError
from crawler.extract import attributes_of
from crawler.images import perceptual_signature, read_header
from crawler.ledger import Context
from crawler.similarity import distance
from crawler.urls import absolute_url, host_matches
from crawler.wishes import Wishes
from tests.crawler.drawing import drawn
from tests.crawler.helpers import ROOT
from tests.crawler.site_server import bomb


def looks(body):
    return perceptual_signature(body).phash


def encoded(picture, kind, **options):
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


@pytest.mark.parametrize(
    ("kind", "suffix"), [("PNG", ".png"), ("JPEG", ".jpg"), ("WEBP", ".webp"), ("GIF", ".gif")]
)
def test_the_format_is_read_from_the_content(kind, suffix):
    header = read_header(drawn(1, side=80, suffix=kind), min_side=64)
    assert (header.suffix, header.width, header.height) == (suffix, 80, 80)


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO", "PPM"])
def test_other_formats_are_not_taken(kind):
    with pytest.raises(PictureError, match="not a JPEG, PNG, WebP or GIF"):
        read_header(drawn(1, suffix=kind), min_side=1)


# Prints by how many bytes the peak memory grows while the header of a picture is read.
MEASURE = """
import sys
from pathlib import Path
from avatargan.errors import PictureError
from crawler.images import read_header
from tests.crawler.drawing import drawn
from tests.crawler.memory import peak_memory

read_header(drawn(1), min_side=1)
read_header(drawn(1, suffix="WEBP"), min_side=1)
body = Path(sys.argv[1]).read_bytes()
before = peak_memory()
try:
    read_header(body, min_side=1)
except PictureError as error:
    print(error)
print(peak_memory() - before)
"""


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "bomb"])
def test_a_picture_over_25_megapixels_is_refused_without_decoding_it(tmp_path, kind):
    path = tmp_path / "large"
    if kind == "bomb":
        path.write_bytes(bomb())
    else:
        options = {"lossless": True, "method": 0} if kind == "WEBP" else {}
        path.write_bytes(encoded(Image.new("L", (8_000, 4_000)), kind, **options))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    reason, growth = done.stdout.splitlines()
    assert "larger than 25 megapixels" in reason
    assert int(growth) < 5_000_000  # 8000 x 4000 pixels would take 32 million bytes and more


def test_a_picture_of_just_25_megapixels_is_taken():
    assert read_header(encoded(Image.new("L", (5_000, 5_000)), "PNG"), min_side=1).width == 5_000


@given(st.binary(max_size=300), st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]), st.data())
def test_damaged_content_is_refused_and_never_crashes(noise, kind, data):
    whole = drawn(3, side=32, suffix=kind)
    at = data.draw(st.integers(0, len(whole)))
    body = whole[:at] + noise + whole[at + len(noise) :]
    try:
        read_header(body, min_side=1)
        looks(body)
    except PictureError as error:
        assert "\n" not in str(error)


def test_copies_are_near_and_other_pictures_far():
    original = looks(drawn(1))
    for copy in (drawn(1, suffix="JPEG", quality=60), drawn(1, side=200), drawn(1, suffix="WEBP")):
        assert distance(original, looks(copy)) <= 4
    assert min(distance(original, looks(drawn(n))) for n in range(2, 60)) > 4


def test_transparency_is_seen_over_white():
    on_white = Image.new("RGB", (64, 64), "white")
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    for picture in (on_white, clear):
        shape = Image.new("RGB", (30, 20), "navy")
        picture.paste(shape.convert(picture.mode), (5, 30))
    assert distance(*(looks(encoded(p, "PNG")) for p in (on_white, clear))) <= 2


def test_tags_become_attributes_whatever_their_spelling():
    mapping = {
        "hair": {"blonde hair": "blonde", "brown_hair": "brown"},
        "eyes": {"Blue Eyes": "blue"},
    }
    assert attributes_of(["Blonde_Hair", "blue eyes", "smile"], mapping) == {
        "hair": "blonde",
        "eyes": "blue",
    }


def test_an_attribute_with_two_values_is_left_out():
    mapping = {"hair": {"blonde hair": "blonde", "brown hair": "brown"}}
    assert attributes_of(["blonde hair", "brown hair"], mapping) == {}


@pytest.mark.parametrize(
    ("headers", "forbidden"),
    [
        ([], None),
        ([("X-Robots-Tag", "index, follow")], None),
        ([("X-Robots-Tag", "noai")], "noai"),
        ([("X-Robots-Tag", "NoImageIndex")], "noimageindex"),
        ([("X-Robots-Tag", "nofollow, noimageai")], "noimageai"),
        ([("X-Robots-Tag", "noai noimageai")], "noai"),
        ([("X-Robots-Tag", "index; noimageai")], "noimageai"),
        ([("X-Robots-Tag", "'noai', \"noimageai\"")], "noai"),
        ([("X-Robots-Tag", "no-ai")], "noai"),
        ([("X-Robots-Tag", "index|noimageai")], "noimageai"),
        ([("X-Robots-Tag", "noai:true")], "noai"),
        ([("X-Robots-Tag", "max-image-preview:none")], None),
        ([("X-Robots-Tag", "No Image AI")], "noimageai"),
        ([("X-Robots-Tag", "no_image_index")], "noimageindex"),
        ([("X-Robots-Tag", "max-snippet: 20, noai")], "noai"),
        ([("X-Robots-Tag", "unavailable_after: 2030-01-01")], None),
        ([("X-Robots-Tag", "unavailable_after: 25 Jun 2030 15:00:00 PST, noai")], "noai"),
        ([("X-Robots-Tag", "unavailable_after: Tue, 25-Jun-30 15:00:00 GMT, noai")], "noai"),
        ([("X-Robots-Tag", "unavailable_after: 2030-06-25T15:00:00Z, noai")], "noai"),
        ([("X-Robots-Tag", "otherbot: noindex, nofollow")], None),
        ([("X-Robots-Tag", "otherbot/2.1: noai noindex")], None),
        ([("X-Robots-Tag", "avatargan-crawler: noindex")], "noindex"),
        ([("X-Robots-Tag", "AvatarGAN-Crawler/0.1.0 (+mailto:me): noai")], "noai"),
        ([("X-Robots-Tag", "otherbot: index, avatargan-crawler: noai")], "noai"),
        ([("X-Robots-Tag", "otherbot: noai"), ("X-Robots-Tag", "noimageai")], "noimageai"),
        ([("X-Robots-Tag", "*: noai")], "noai"),
        ([("ROBOTS", "noai")], "noai"),
        ([("Avatargan-Crawler", "noindex")], "noindex"),
        ([("googlebot", "noindex")], None),
        ([("TDM-Reservation", "1")], "tdm-reservation: 1"),
        ([("TDM-Reservation", " true; policy=x")], "tdm-reservation: 1"),
        ([("TDM-Reservation", "0")], None),
        ([("Content-Signal", "search=yes, ai-train=no")], "ai-train=no"),
        ([("Content-Signal", "ai-train=yes, ai-input=no")], None),
        ([("Content-Signal", "search=yes;ai-train=?0")], "ai-train=?0"),
        ([("Content-Usage", "train-ai=n")], "train-ai=n"),
        ([("Content-Usage", "genai = n")], "genai=n"),
        ([("Content-Usage", "search=n, train-ai=y")], None),
    ],
)
def test_opt_outs_in_headers_and_meta_elements(headers, forbidden):
    assert Wishes(CIMultiDict(headers[:1]), headers[1:]).against_collecting == forbidden


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("b.png#top", "http://site.dev/a/b.png"),
        ("/c d.png", "http://site.dev/c%20d.png"),
        ("HTTP://Site.DEV:80/x", "http://site.dev/x"),
        ("//img.site.dev/y", "http://img.site.dev/y"),
        ("?q=é", "http://site.dev/a/?q=%C3%A9"),
        ("javascript:alert(1)", None),
        ("data:image/png;base64,AA", None),
        ("http://[::1", None),
        ("mailto:me@site.dev", None),
    ],
)
def test_references_become_absolute_urls(reference, url):
    assert absolute_url("http://site.dev/a/", reference) == url


@given(st.text(max_size=60))
def test_any_reference_gives_a_url_or_none(reference):
    url = absolute_url("http://site.dev/a/", reference)
    assert url is None or (url.isascii() and absolute_url(url, url) == url)


def test_hosts_are_matched_by_name_or_subdomain():
    assert host_matches("shop.dev", ["shop.dev"])
    assert host_matches("img.shop.dev", ["*.shop.dev"])
    assert not host_matches("evilshop.dev", ["*.shop.dev"])
    assert not host_matches("shop.dev.evil.dev", ["shop.dev", "*.shop.dev"])
    assert host_matches("any.where", ["*"])


def test_contexts_of_two_pages_add_up():
    listing, detail = Context(title="List"), Context(title="Name", tags=("a", "b"), licence="CC0")
    merged = listing.merged(detail)
    assert merged == Context(title="List", tags=("a", "b"), licence="CC0")
    assert Context.from_json(merged.to_json()) == merged
