"""The drawing board in a browser: from a stroke to a favourite."""

import io

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from tests.web.app_page import PATIENCE_MS, PHONE, AppPage


def _stroke(app: AppPage, *points: tuple[float, float]) -> None:
    surface = app.page.locator(".board-surface")
    surface.scroll_into_view_if_needed()
    box = surface.bounding_box()
    assert box is not None
    mouse = app.page.mouse
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    mouse.move(*places[0])
    mouse.down()
    for place in places[1:]:
        mouse.move(*place)
    mouse.up()


def _photo_of_paper() -> bytes:
    paper = Image.new("RGB", (300, 240), "#b5aea4")
    ImageDraw.Draw(paper).ellipse((90, 40, 210, 200), outline="#333", width=4)
    buffer = io.BytesIO()
    paper.save(buffer, "jpeg")
    return buffer.getvalue()


@pytest.mark.slow
def test_lines_become_a_picture_that_is_kept_and_the_board_survives_a_reload(app: AppPage):
    page = app.page
    page.locator("#tabs").get_by_text("Sketch").click()
    picture = page.locator(".board-image")
    _stroke(app, (0.25, 0.4), (0.3, 0.65), (0.5, 0.8), (0.7, 0.65), (0.75, 0.4))
    expect(picture).to_be_visible(timeout=PATIENCE_MS)
    first = picture.get_attribute("src")
    page.locator("[data-tool=colour]").click()
    _stroke(app, (0.3, 0.1), (0.5, 0.06), (0.7, 0.1))
    expect(picture).not_to_have_attribute("src", first or "", timeout=PATIENCE_MS)
    page.locator(".board input[type=file]:not([capture])").set_input_files(
        {"name": "paper.jpg", "mimeType": "image/jpeg", "buffer": _photo_of_paper()}
    )
    seen = page.locator(".board-seen li")
    expect(seen).to_have_count(5, timeout=PATIENCE_MS)
    page.keyboard.press("Control+z")  # of the page, not of the board: nothing is lost
    page.get_by_role("button", name="Clear", exact=True).click()
    page.locator(".board").get_by_role("button", name="Undo", exact=True).click()
    page.reload()
    page.locator("#tabs").get_by_text("Sketch").click()
    expect(picture).to_be_visible(timeout=PATIENCE_MS)
    page.locator(".board").get_by_role("button", name="Keep", exact=True).click()
    expect(page.get_by_role("heading", name="From your sketch")).to_be_visible(timeout=PATIENCE_MS)


@pytest.mark.slow
def test_the_board_fits_a_phone(browser, server_url):
    app = AppPage(browser, server_url, viewport=PHONE)
    app.page.locator("#tabs").get_by_text("Sketch").click()
    expect(app.page.locator(".board-surface")).to_be_visible(timeout=PATIENCE_MS)
    assert app.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for control in app.page.locator(".board-tools .button").all():
        box = control.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 40
    app.close()
