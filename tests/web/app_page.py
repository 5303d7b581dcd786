"""The page as its tests see it: what a visitor does, and what is on the page then."""

import base64
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
PHONE = {"width": 360, "height": 640}
PATIENCE_MS = 30_000
FEW_AND_SMALL = json.dumps({"count": 6, "size": 128})


class AppPage:
    """A visitor's page, in a browser profile of its own."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        locale: str = "en-US",
        viewport: dict[str, int] = DESKTOP,
        dark: bool = False,
        address: str = "/",
    ) -> None:
        phone = viewport["width"] < 700
        self.url = url.rstrip("/")
        self.context = browser.new_context(
            viewport=viewport,
            locale=locale,
            has_touch=phone,
            is_mobile=phone,
            color_scheme="dark" if dark else "light",
            permissions=["clipboard-read", "clipboard-write"],
        )
        self.requests: list[str] = []
        self.problems: list[str] = []
        # Small and few: most tests do not look at the pictures.
        self.context.add_init_script(
            "localStorage.getItem('avatargan.settings') ?? "
            f"localStorage.setItem('avatargan.settings', '{FEW_AND_SMALL}')"
        )
        self.page = self.new_tab(address)

    def new_tab(self, address: str = "/"):
        """Open another tab of the same visitor; the first is ``self.page``."""
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._note)
        page.goto(self.url + address)
        expect(page.locator("#gallery-grid")).to_have_attribute(
            "aria-busy", "false", timeout=PATIENCE_MS
        )
        return page

    def close(self) -> None:
        self.context.close()
        assert not self.problems, f"errors in the page's scripts: {self.problems}"
        elsewhere = [
            url for url in self.requests if not url.startswith((self.url, "blob:", "data:"))
        ]
        assert not elsewhere, f"the page asked others: {elsewhere}"

    # What a visitor does

    def find(self, selector: str, **filters: str) -> Locator:
        return self.page.locator(selector, **filters)

    def wait_for_pictures(self) -> None:
        expect(self.find("#gallery-grid")).to_have_attribute(
            "aria-busy", "false", timeout=PATIENCE_MS
        )

    def after_another_set(self, act) -> None:
        """Do something and wait until other pictures than now are complete."""
        before = self.find("#gallery-grid").get_attribute("data-set")
        act()
        expect(self.find("#gallery-grid")).not_to_have_attribute("data-set", before)
        self.wait_for_pictures()

    def choose(self, attribute: str, choice: str) -> None:
        self.find(f".controls [data-attribute={attribute}] input[value='{choice}']").check()

    def draw(self) -> None:
        self.after_another_set(lambda: self.find("[data-draw]").click())

    def tab(self, name: str) -> None:
        self.find(f"#tab-{name}").click()

    def pick(self, index: int) -> None:
        self.find("#gallery-grid .picture").nth(index).click()

    def open_file(self, name: str, content: bytes, kind: str = "image/png") -> None:
        self.tab("picture")
        self.find("#panel-of-picture input[type=file]").set_input_files(
            {"name": name, "mimeType": kind, "buffer": content}
        )

    def download(self, button: str) -> tuple[str, bytes]:
        """Press a button of the page; return the file's name and content."""
        with self.page.expect_download() as info:
            self.find(button).click()
        file: Download = info.value
        return file.suggested_filename, Path(file.path()).read_bytes()

    # What is on the page

    def count(self) -> int:
        return self.find("#gallery-grid .picture").count()

    def picture_on_screen(self) -> bytes:
        """The file behind the chosen picture: what saving it by hand gives."""
        encoded = self.page.evaluate(
            """async () => {
                const answer = await fetch(document.querySelector('.figure img').src);
                const bytes = new Uint8Array(await answer.arrayBuffer());
                return btoa(String.fromCharCode(...bytes));
            }"""
        )
        return base64.b64decode(encoded)

    def settings(self) -> dict:
        return json.loads(self.page.evaluate("localStorage.getItem('avatargan.settings')"))

    def toast(self) -> str:
        expect(self.find("#toast")).to_have_class("shown")
        return self.find("#toast span").first.inner_text()

    def overflow(self) -> int:
        """How many pixels the page is wider than the window."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def _note(self, message) -> None:
        # What a refused or failed request leaves behind is expected where tests provoke one.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.problems.append(message.text)
