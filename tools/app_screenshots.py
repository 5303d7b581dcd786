"""Photograph the app for the docs: ``python tools/app_screenshots.py http://127.0.0.1:7860``.

Needs the app running at that address, and Chromium.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).parent.parent / "docs" / "images"
DESKTOP = (1280, 840)
PHONE = (390, 844)
#: So that two phones stand side by side.
GAP = 30


def main() -> int:
    """Run the command."""
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        photograph_desktop(browser, sys.argv[1])
        photograph_phones(browser, sys.argv[1])
        browser.close()
    return 0


def photograph_desktop(browser: Browser, url: str) -> None:
    """Write app-create, app-restore and app-export."""
    page = open_page(browser, url, DESKTOP, "en-US")
    draw(page, "2000")
    page.click("#gallery-grid .picture >> nth=1")
    save("create", shot(page))
    with tempfile.TemporaryDirectory() as folder, page.expect_download() as download:
        page.click("[data-download]")
        picture = Path(folder, "avatar.png")
        download.value.save_as(picture)
        page.click("#tab-picture")
        page.set_input_files("#panel-of-picture input[type=file]", picture)
        page.wait_for_selector(".result img")
        save("restore", shot(page))
    page.click("#tab-export")
    save("export", shot(page))


def photograph_phones(browser: Browser, url: str) -> None:
    """Write app-phone: Create in Japanese, and a chosen picture in the dark theme."""
    first = open_page(browser, url, PHONE, "ja-JP")
    draw(first, "2040")
    second = open_page(browser, url, PHONE, "en-US", dark=True)
    draw(second, "2000")
    second.click("#gallery-grid .picture >> nth=2")
    pair = Image.new("RGB", (2 * PHONE[0] + GAP, PHONE[1]), "white")
    pair.paste(shot(first), (0, 0))
    pair.paste(shot(second), (PHONE[0] + GAP, 0))
    save("phone", pair)


def open_page(
    browser: Browser, url: str, size: tuple[int, int], locale: str, dark: bool = False
) -> Page:
    """Open the app and wait for the pictures that greet a visitor."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        locale=locale,
        color_scheme="dark" if dark else "light",
        is_mobile=size == PHONE,
        has_touch=size == PHONE,
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(url)
    page.wait_for_selector("#gallery-grid[aria-busy=false]")
    return page


def draw(page: Page, seed: str) -> None:
    """Draw twelve pictures from a seed."""
    folded = page.locator(".more-settings:visible")
    if folded.count():
        folded.click()
    page.fill(".seed input", seed)
    if folded.count():
        folded.click()
    before = page.get_attribute("#gallery-grid", "data-set")
    page.click("[data-draw]")
    page.wait_for_function(
        "before => document.querySelector('#gallery-grid').dataset.set !== before", arg=before
    )
    page.wait_for_selector("#gallery-grid[aria-busy=false]")
    page.evaluate("scrollTo(0, 0)")


def shot(page: Page) -> Image.Image:
    """Return what the window shows, when it has come to rest."""
    page.mouse.move(640, 20)
    page.wait_for_timeout(800)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def save(name: str, image: Image.Image) -> None:
    """Write a screenshot to the docs."""
    image.save(IMAGES / f"app-{name}.webp", quality=90, method=6)


if __name__ == "__main__":
    sys.exit(main())
