"""The programs people use read our files: PixiJS and Phaser the atlas, a browser the preview page.

``npm ci --prefix tests/js`` installs PixiJS and Phaser; without them these tests are skipped.
"""

import base64
import json
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from avatargan.export import Exporter, ExportFolder, SheetOptions, create_plan
from avatargan.export.studio import Finisher, LocalStudio
from avatargan.pictures import open_picture

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

PACKAGES = Path(__file__).parent.parent / "js" / "node_modules"
PIXI = PACKAGES / "pixi.js" / "dist" / "pixi.min.js"
PHASER = PACKAGES / "phaser" / "dist" / "phaser.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SOFTWARE_WEBGL = [
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=SOFTWARE_WEBGL)
        yield browser
        browser.close()


def is_error(message) -> bool:
    return message.type == "error" and not message.location["url"].endswith("/favicon.ico")


@pytest.fixture
def page(browser) -> Iterator[object]:
    """A page that fails the test on errors and on requests that leave the machine."""
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda text: wrong.append(text.text) if is_error(text) else None)
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("http://127.0.0.1:", "file:", "blob:", "data:"))
            else wrong.append(request.url)
        ),
    )
    yield page
    page.close()
    assert wrong == []


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[object]:
    """Serve a folder on loopback; return the address."""
    servers = []

    def start(folder: Path) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


class Vignette:
    """Makes the rim of a picture transparent, softly."""

    def cut_out(self, image):
        ramp = np.linspace(-1, 1, image.width)
        alpha = np.clip(2 - 2 * np.hypot(ramp[:, None], 1.4 * ramp), 0, 1)
        cut = image.convert("RGBA")
        cut.putalpha(Image.fromarray((alpha * 255).astype(np.uint8)))
        return cut


@pytest.fixture(scope="module")
def crowd(pipe, tmp_path_factory) -> Path:
    """Ten avatars on three sheets, half transparent, trimmed."""
    folder = tmp_path_factory.mktemp("crowd")
    plan = create_plan(
        pipe,
        count=10,
        size=128,
        transparent=True,
        name="{hair}_{eyes}_{seed}",
        sheet=SheetOptions(
            **{"columns": 2, "rows": 2, "padding": 2, "power_of_two": True, "trim": True},
            **{"extrude": 1, "atlas": True, "multiatlas": True},
        ),
    )
    studio = LocalStudio(pipe, Finisher(remover=Vignette()))
    list(Exporter(plan, ExportFolder(folder), studio).run())
    return folder


def over_red(path: Path) -> np.ndarray:
    """Return a picture as it looks on red, ``[128, 128, 3]``."""
    pixels = np.asarray(open_picture(path)).astype(float)
    alpha = pixels[..., 3:] / 255
    return pixels[..., :3] * alpha + np.array([255, 0, 0]) * (1 - alpha)


def assert_looks_like(data_url: str, path: Path) -> None:
    drawn = open_picture(base64.b64decode(data_url.partition(",")[2])).convert("RGB")
    difference = np.abs(np.asarray(drawn).astype(float) - over_red(path))
    # Alpha is premultiplied with 8 bits on the way.
    assert difference.max() <= 3


def pictures_of(folder: Path) -> list[str]:
    lines = (folder / "manifest.jsonl").read_text().splitlines()
    return [json.loads(line)["file"] for line in lines]


@pytest.mark.skipif(not PIXI.exists(), reason="no PixiJS: run 'npm ci --prefix tests/js'")
def test_pixi_loads_all_sheets_from_the_first_and_draws_frames(crowd, page, serve):
    files = pictures_of(crowd)
    page.goto(serve(crowd) + "/LICENSE.txt")
    page.add_script_tag(path=PIXI)
    result = page.evaluate(
        """async names => {
            const app = new PIXI.Application();
            await app.init({ width: 128, height: 128, background: 0xff0000, preference: "webgl",
                             antialias: false, autoStart: false });
            const sheet = await PIXI.Assets.load("/sheets/sheet-0.json");
            const sheets = [sheet, ...sheet.linkedSheets];
            const textures = Object.assign({}, ...sheets.map(each => each.textures));
            const drawn = {};
            for (const name of names) {
                const sprite = new PIXI.Sprite(textures[name]);
                app.stage.removeChildren();
                app.stage.addChild(sprite);
                app.render();
                drawn[name] = app.canvas.toDataURL();
            }
            return { count: Object.keys(textures).length, renderer: app.renderer.name, drawn };
        }""",
        [files[0], files[3], files[4], files[9]],
    )
    assert result["renderer"] == "webgl"
    assert result["count"] == 10
    for name, data_url in result["drawn"].items():
        assert_looks_like(data_url, crowd / name)


@pytest.mark.skipif(not PHASER.exists(), reason="no Phaser: run 'npm ci --prefix tests/js'")
@pytest.mark.parametrize(
    "ending", [pytest.param(".json", marks=pytest.mark.slow), ".array.json", "multiatlas"]
)
def test_phaser_loads_every_form_and_draws_frames(crowd, page, serve, ending):
    files = pictures_of(crowd)
    files = files if ending == "multiatlas" else files[4:8]  # the second sheet
    page.goto(serve(crowd) + "/LICENSE.txt")
    page.add_script_tag(path=PHASER)
    drawn = page.evaluate(
        """([ending, names]) => new Promise((resolve, reject) => {
            class Show extends Phaser.Scene {
                preload() {
                    this.load.on("loaderror", file => reject(new Error(file.src)));
                    if (ending === "multiatlas")
                        this.load.multiatlas("crowd", "/sheets/multiatlas.json", "/sheets/");
                    else
                        this.load.atlas("crowd", "/sheets/sheet-1.png",
                                        "/sheets/sheet-1" + ending);
                }
                async create() {
                    const image = this.add.image(0, 0, "crowd", names[0]).setOrigin(0, 0);
                    const drawn = { count: this.textures.get("crowd").getFrameNames().length };
                    for (const name of names) {
                        image.setFrame(name);
                        drawn[name] = await new Promise(taken =>
                            this.game.renderer.snapshot(shot => taken(shot.src)));
                    }
                    resolve(drawn);
                }
            }
            new Phaser.Game({ type: Phaser.WEBGL, width: 128, height: 128, banner: false,
                              scene: Show, backgroundColor: "#ff0000", audio: { noAudio: true } });
        })""",
        [ending, files],
    )
    assert drawn.pop("count") == len(files)
    assert list(drawn) == files
    for name, data_url in drawn.items():
        assert_looks_like(data_url, crowd / name)


def test_the_preview_page_works_from_the_disk(crowd, page):
    page.goto((crowd / "index.html").as_uri())
    assert page.locator("h1").text_content() == "10 avatars"
    assert page.locator("main img").count() == 10
    images = page.locator("main img")
    images.first.scroll_into_view_if_needed()
    playwright.expect(images.first).to_have_js_property("naturalWidth", 128)
    assert images.evaluate_all("all => all.every(image => image.loading === 'lazy')")

    first = json.loads((crowd / "manifest.jsonl").read_text().splitlines()[0])
    hair = first["attributes"]["hair"]
    page.get_by_label("hair").select_option(hair)
    entries = [json.loads(x) for x in (crowd / "manifest.jsonl").read_text().splitlines()]
    alike = [e["file"] for e in entries if e["attributes"]["hair"] == hair]
    assert page.locator("main button span").all_text_contents() == alike

    page.locator("main button").first.click()
    facts = page.locator("dialog dd").all_text_contents()
    assert facts == [first["file"], str(first["seed"]), *first["attributes"].values()]
    page.get_by_role("button", name="Close").click()

    page.get_by_label("seed or file").fill("no such file")
    assert page.locator("main").text_content() == "No avatar is like that. Loosen a filter."
    page.get_by_label("ground").select_option("dark")
    assert page.evaluate("document.body.dataset.ground") == "dark"


def test_the_preview_page_shows_what_names_and_licences_hold_as_text(small, page, tmp_path):
    plan = create_plan(
        small,
        size=32,
        count=1,
        name="a & b '{seed}' %20 #1",
        licence_name="</script><script>document.title = 'broken'</script>",
    )
    list(Exporter(plan, ExportFolder(tmp_path), LocalStudio(small, Finisher())).run())
    page.goto((tmp_path / "index.html").as_uri())
    image = page.locator("main img")
    playwright.expect(image).to_have_js_property("naturalWidth", 32)
    assert page.title() == "1 avatar"
    assert "</script>" in page.locator("footer").text_content()
    assert quote("a & b '0' %20 #1.png", safe="'") in image.get_attribute("src")
