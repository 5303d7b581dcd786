"""Favourites turn into an animation in a real browser."""

import io
import json

import pytest
from PIL import Image
from playwright.sync_api import expect

from avatargan.morph import Morph
from avatargan.morph.metadata import EXIF_DESCRIPTION, PNG_KEYWORD
from tests.web.app_page import AppPage

PATIENCE_MS = 110_000


def make(app: AppPage) -> None:
    app.page.locator("#slider-seconds input").fill("1")
    app.page.locator("#choice-morph_size input[value='128']").check()
    app.page.locator("[data-make]").click()
    expect(app.page.locator("#morph progress")).to_be_visible()
    expect(app.page.locator(".ag-player img")).to_be_visible(timeout=PATIENCE_MS)
    expect(app.page.locator("#morph progress")).to_have_count(0)


def test_favourites_in_order_become_a_loop_that_plays_and_downloads(app: AppPage):
    for index in range(3):
        app.page.locator("#gallery .ag-picture").nth(index).click()
        app.heart()
    newest_first = [recipe["seed"] for recipe in reversed(app.recipes()[:3])]
    app.open_tab("Morph")
    cells = app.page.locator("#morph .ag-cell")
    expect(cells).to_have_count(3)
    expect(app.page.locator("#morph .ag-place")).to_have_text(["1", "2", "3"])
    cells.first.locator(".ag-picture").click()  # out
    expect(app.page.locator("#morph .ag-place")).to_have_text(["1", "2"])
    cells.first.locator(".ag-picture").click()  # and in again, at the end
    expect(app.page.locator("#morph .ag-place")).to_have_text(["3", "1", "2"])
    make(app)
    name, webp = app.download("[data-format='.webp']")
    assert name == "morph.webp"
    with Image.open(io.BytesIO(webp)) as image:
        assert (image.n_frames, image.info["loop"], image.size) == (24, 0, (128, 128))
        morph = Morph.from_json(image.getexif()[EXIF_DESCRIPTION])
    assert [recipe.seed for recipe in morph.keyframes] == [*newest_first[1:], newest_first[0]]
    name, png = app.download("[data-format='.png']")
    with Image.open(io.BytesIO(png)) as image:
        assert image.n_frames == 24
        assert Morph.from_json(image.info[PNG_KEYWORD]) == morph


def test_seeds_will_do(app: AppPage):
    app.open_tab("Morph")
    button = app.page.locator("[data-make]")
    expect(button).to_be_disabled()
    app.page.locator("#morph .ag-text").fill("3")
    expect(button).to_be_disabled()
    app.page.locator("#morph .ag-text").fill("3, 9223372036854775807")
    make(app)
    _, gif = app.download("[data-format='.gif']")
    with Image.open(io.BytesIO(gif)) as image:
        assert image.n_frames == 24
        keyframes = json.loads(image.info["comment"])["keyframes"]
    assert [keyframe["seed"] for keyframe in keyframes] == [3, 2**63 - 1]


@pytest.mark.slow
@pytest.mark.parametrize("seeds", ["3, cat", "3, 9223372036854775808", "1 " * 13])
def test_what_cannot_be_drawn_is_said(app: AppPage, seeds):
    app.open_tab("Morph")
    app.page.locator("#morph .ag-text").fill(seeds)
    app.page.locator("[data-make]").click()
    alert = app.page.locator("#morph [role=alert]")
    expect(alert).to_contain_text("seed" if "," in seeds else "at most 12 characters")
    expect(app.page.locator("[data-make]")).to_be_enabled()
