"""The static site, on a plain file server: it draws without asking anybody."""

import functools
import io
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from avatargan.errors import MissingExtraError, OptionError, OutputError
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import read_recipe
from avatargan.web.site import build_site, fetch_runtime
from tests.web.app_page import PATIENCE_MS, PHONE, AppPage

#: Engines may be apart by that much, of 255.
TOLERANCE = 2


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def runtime() -> Path:
    try:
        return fetch_runtime()
    except (MissingExtraError, OutputError) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def folder(other_weights: Path, runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of tiny weights, which draw in no time."""
    folder = tmp_path_factory.mktemp("site") / "avatars"
    build_site(folder, other_weights, runtime=runtime)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where a plain file server shows it, below a path."""
    handler = functools.partial(QuietHandler, directory=folder.parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/avatars"
        server.shutdown()


def check_picture(png: bytes, weights: Path) -> None:
    """Make sure that Python draws the same from the recipe inside."""
    recipe = read_recipe(png)
    (avatar,) = AvatarPipeline.load(weights, device="cpu").draw([recipe])
    drawn = np.asarray(Image.open(io.BytesIO(png)), dtype=np.int16)
    assert np.abs(drawn - np.asarray(avatar.image, dtype=np.int16)).max() <= TOLERANCE


def test_a_visitor_draws_recolours_mixes_and_goes_offline(
    browser: Browser, address: str, other_weights: Path
) -> None:
    visitor = AppPage(browser, address)
    # Something to look at before anything is drawn.
    expect(visitor.find("#gallery-grid .picture")).to_have_count(12, timeout=PATIENCE_MS)
    visitor.choose("ears", "fox")
    visitor.draw()
    visitor.pick(1)
    _, png = visitor.download("[data-download]")
    assert read_recipe(png).attributes["ears"] == "fox"
    check_picture(png, other_weights)

    # A link draws that very character; a file of Python's opens with all its settings.
    visitor.page.goto(f"{address}/#seed=9223372036854775807&ears=cat&psi=0.5&size=64")
    visitor.page.reload()
    expect(visitor.find("#gallery-grid .picture")).to_have_count(1, timeout=PATIENCE_MS)
    visitor.wait_for_pictures()
    _, png = visitor.download("[data-download]")
    assert read_recipe(png).seed == 2**63 - 1
    check_picture(png, other_weights)

    # The second time nothing has to come over the line.
    visitor.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    visitor.page.reload()
    visitor.wait_for_pictures()
    visitor.context.set_offline(True)
    visitor.page.reload()
    visitor.wait_for_pictures()
    visitor.draw()
    visitor.pick(0)
    check_picture(visitor.download("[data-download]")[1], other_weights)
    visitor.context.set_offline(False)
    visitor.close()


def test_a_damaged_model_is_named(
    browser: Browser, address: str, folder: Path, other_weights: Path
) -> None:
    model = folder / "models" / "synthesis.onnx"
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        visitor = AppPage(browser, address, viewport=PHONE)
        visitor.find("[data-draw]").click()
        expect(visitor.find("#toast")).to_contain_text("synthesis.onnx", timeout=PATIENCE_MS)
    finally:
        model.write_bytes(whole)
    # Nobody has to reload for what has been mended.
    visitor.draw()
    visitor.close()


def test_a_folder_of_somebody_else_is_left_alone(
    other_weights: Path, runtime: Path, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OptionError, match="no site"):
        build_site(tmp_path, other_weights, runtime=runtime)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_engine_that_was_not_tested_is_refused(other_weights: Path, tmp_path: Path) -> None:
    archive = tmp_path / "engine.tgz"
    archive.write_bytes(b"something else")
    with pytest.raises(OptionError, match=r"engine\.tgz is not onnxruntime-web"):
        build_site(tmp_path / "site", other_weights, runtime=archive)
