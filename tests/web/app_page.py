"""The browser app as its tests see it: what a visitor does, and what is on the page then."""

import json
from pathlib import Path

from playwright.sync_api import Browser, Download, Locator, expect

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 30_000


class AppPage:
    """A visitor's page, in a browser profile of its own."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        locale: str = "en-US",
        viewport: dict[str, int] = DESKTOP,
        storage: dict[str, str] | None = None,
    ) -> None:
        phone = viewport["width"] < 800
        self.context = browser.new_context(
            viewport=viewport, locale=locale, has_touch=phone, is_mobile=phone
        )
        for key, value in (storage or {}).items():
            self.context.add_init_script(
                f"localStorage.setItem({json.dumps(key)}, {json.dumps(value)})"
            )
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.goto(url)
        self.wait_for_pictures()

    def close(self) -> None:
        self.context.close()
        assert not self.problems, f"errors in the page's scripts: {self.problems}"

    # What a visitor does

    def wait_for_pictures(self) -> None:
        grid = self.page.locator("#gallery .ag-grid")
        expect(grid).to_have_attribute("aria-busy", "false", timeout=PATIENCE_MS)

    def choose(self, attribute: str, choice: str) -> None:
        self.page.locator(f"#choice-{attribute} input[value='{choice}']").check()

    def set_count(self, count: int) -> None:
        self.page.locator("#slider-count input").fill(str(count))

    def type_seed(self, seed: str) -> None:
        self.page.locator("#seed input").fill(seed)

    def draw(self) -> None:
        """Press the button and wait until other pictures than now are complete."""
        self._draw_by(lambda: self.page.locator("#draw").click())

    def draw_with_enter(self) -> None:
        self._draw_by(lambda: self.page.locator("#seed input").press("Enter"))

    def heart(self) -> None:
        self.page.locator("#detail .ag-heart").click()

    def open_tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def restore(self, png: bytes, name: str = "avatar.png") -> None:
        self.open_tab("Restore")
        self.page.locator("#restore input[type=file]").set_input_files(
            {"name": name, "mimeType": "image/png", "buffer": png}
        )
        self.page.locator("#restore .ag-verdict").wait_for()

    def download(self, button: str) -> tuple[str, bytes]:
        """Press a button of the page; return the file's name and content."""
        with self.page.expect_download() as info:
            self.page.locator(button).click()
        file: Download = info.value
        return file.suggested_filename, Path(file.path()).read_bytes()

    def reload(self) -> None:
        self.page.reload()
        self.wait_for_pictures()

    # What is on the page

    def chosen(self, attribute: str) -> str:
        return self.page.locator(f"#choice-{attribute} input:checked").input_value()

    def seed(self) -> str:
        return self.page.locator("#seed input").input_value()

    def is_locked(self) -> bool:
        lock = self.page.locator("#seed .ag-lock")
        return lock.get_attribute("aria-pressed") == "true"

    def recipes(self) -> list[dict]:
        """The recipes of the gallery's pictures."""
        cells = self.page.locator("#gallery [data-recipe]")
        return [
            json.loads(text)
            for text in cells.evaluate_all("cells => cells.map(cell => cell.dataset.recipe)")
        ]

    def picture_in_detail(self) -> str:
        return self.page.locator("#detail figure img").get_attribute("src")

    def recipe_in_detail(self) -> dict:
        return json.loads(self.page.locator("#detail .ag-detail").get_attribute("data-recipe"))

    def shelf(self, name: str) -> Locator:
        """The thumbnails of the favourites or the history."""
        return self.page.locator(f"[data-shelf={name}] .ag-cell")

    def toast(self) -> str:
        """The text of Gradio's message in the corner."""
        box = self.page.locator(".toast-body").first
        box.wait_for()
        return box.inner_text()

    def toast_title(self) -> str:
        """What a visitor reads above it."""
        title = self.page.locator(".toast-title").first
        shown = title.evaluate("node => getComputedStyle(node, '::after').content")
        return json.loads(shown)

    def width(self) -> int:
        return self.page.evaluate("document.documentElement.scrollWidth")

    def _draw_by(self, act) -> None:
        started = "() => document.querySelector('#gallery .ag-grid').dataset.started"
        before = self.page.evaluate(started)
        act()
        self.page.wait_for_function(f"before => ({started})() !== before", arg=before)
        self.wait_for_pictures()
