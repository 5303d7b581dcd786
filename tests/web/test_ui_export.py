"""Many avatars as one ZIP, and pictures without their background, in a real browser."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from avatargan import AvatarPipeline
from avatargan.export import Exporter, ExportFolder, SheetOptions, create_plan, create_studio
from avatargan.recipe import read_recipe
from avatargan.transparency import can_remove_backgrounds
from tests.web.app_page import PHONE, AppPage
from tests.web.conftest import ServerProcess

PATIENCE_MS = 110_000
STAND_IN = "from tests.web import stand_in_matting; stand_in_matting."


@pytest.fixture(scope="module")
def url_with_matting(server: ServerProcess, tmp_path_factory) -> Iterator[str]:
    """A server that cuts out, with the matting network where its weights are there."""
    if can_remove_backgrounds():
        yield server.url
        return
    log = tmp_path_factory.mktemp("with-matting") / "log.txt"
    process = ServerProcess(log, prelude=f"{STAND_IN}install()")
    yield process.url
    process.stop()


@pytest.fixture(scope="module")
def url_without_matting(server: ServerProcess, tmp_path_factory) -> Iterator[str]:
    """A server without weights of the matting network."""
    if not can_remove_backgrounds():
        yield server.url
        return
    log = tmp_path_factory.mktemp("without-matting") / "log.txt"
    process = ServerProcess(log, prelude=f"{STAND_IN}remove()")
    yield process.url
    process.stop()


def set_up(app: AppPage, *, count: int, size: int, seed: str) -> None:
    app.open_tab("Export")
    app.page.locator("#export-count input").fill(str(count))
    app.page.locator(f"#export-size input[value='{size}']").check()
    app.page.locator("#export-seed input").fill(seed)


def make(app: AppPage) -> zipfile.ZipFile:
    app.page.locator("[data-export]").click()
    expect(app.page.locator("#exporter progress")).to_be_visible()
    expect(app.page.locator("#export-download")).to_be_visible(timeout=PATIENCE_MS)
    expect(app.page.locator("#exporter progress")).to_have_count(0)
    name, content = app.download("#export-download")
    assert name == "avatargan-export.zip"
    return zipfile.ZipFile(io.BytesIO(content))


def files_of(archive: zipfile.ZipFile) -> dict[str, bytes]:
    return {name: archive.read(name) for name in archive.namelist()}


def test_the_zip_holds_what_the_command_would_write(
    app: AppPage, pipe: AvatarPipeline, tmp_path: Path
):
    set_up(app, count=20, size=128, seed="40")
    app.page.locator("#export-choice-hair input[value='pink']").check()
    app.page.locator("#export-name input").fill("{hair}_{eyes}_{index:03d}")
    app.page.locator("#export-sheets input").check()
    files = files_of(make(app))
    plan = create_plan(
        pipe,
        count=20,
        first_seed=40,
        wanted=dict.fromkeys(pipe.attributes, "any") | {"hair": "pink"},
        size=128,
        name="{hair}_{eyes}_{index:03d}",
        sheet=SheetOptions(columns=8, rows=8, atlas=True),
    )
    exporter = Exporter(plan, ExportFolder(tmp_path), create_studio(plan, pipe))
    list(exporter.run())
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files == {str(path.relative_to(tmp_path)): path.read_bytes() for path in written}
    assert sum(name.startswith("pink_") for name in files) == 20
    assert len(json.loads(files["sheets/sheet-0.json"])["frames"]) == 20


@pytest.mark.slow
def test_without_manifest_and_sheets_and_with_a_seed_that_is_rolled(app: AppPage):
    set_up(app, count=2, size=128, seed="")
    app.page.locator("#export-manifest input").uncheck()
    files = files_of(make(app))
    rolled = int(app.page.locator("#export-seed input").input_value())
    assert set(files) == {
        *(f"avatar_{seed}.png" for seed in (rolled, rolled + 1)),
        "LICENSE.txt",
        "index.html",
        ".avatargan/plan.json",
    }


def test_the_template_has_a_live_example_and_says_what_is_wrong(app: AppPage):
    set_up(app, count=3, size=128, seed="7")
    example = app.page.locator("#export-example")
    expect(example).to_contain_text("avatar_7.png")
    expect(example).to_contain_text("{seed} {index} {style} {hair} {eyes}")
    template = app.page.locator("#export-name input")
    app.page.locator("#export-choice-hair input[value='blue']").check()
    template.fill("{hair}-{index:03d}")
    expect(example).to_contain_text("blue-000.png")
    template.fill("{hare}_{seed}")
    expect(example.get_by_role("alert")).to_contain_text("'{hare}'; did you mean 'hair'?")
    template.fill("../{seed}")
    expect(example.get_by_role("alert")).to_contain_text("path separator")
    template.fill("{hair}")
    expect(example.get_by_role("alert")).to_contain_text("add {seed} or {index}")
    app.page.locator("[data-export]").click()
    expect(app.page.locator("#exporter [role=alert]")).to_contain_text("add {seed} or {index}")
    expect(app.page.locator("[data-export]")).to_be_enabled()
    template.fill("{hair}_{seed}")
    expect(example).to_contain_text("blue_7.png")


@pytest.mark.slow
def test_there_are_no_switches_for_what_cannot_be_had(browser, url_without_matting):
    app = AppPage(browser, url_without_matting)
    expect(app.page.locator("[data-download]")).to_be_visible()
    assert app.page.locator("#detail .ag-switch").count() == 0
    app.open_tab("Export")
    expect(app.page.locator("#export-sheets")).to_be_visible()
    assert app.page.locator("#export-transparent").count() == 0
    app.close()


@pytest.mark.slow
def test_transparent_exports(browser, url_with_matting):
    app = AppPage(browser, url_with_matting)
    set_up(app, count=2, size=128, seed="3")
    app.page.locator("#export-transparent input").check()
    files = files_of(make(app))
    for seed in (3, 4):
        content = files[f"avatar_{seed}.png"]
        assert read_recipe(content).seed == seed
        with Image.open(io.BytesIO(content)) as image:
            assert image.mode == "RGBA"
            clearest, most_opaque = image.getchannel("A").getextrema()
            assert clearest < 128  # some characters leave hardly any background
            assert most_opaque == 255
    app.close()


@pytest.mark.slow
def test_the_chosen_picture_without_its_background(browser, url_with_matting):
    app = AppPage(browser, url_with_matting)
    app.page.locator("#detail .ag-switch input").check()
    shown = app.page.locator("#detail figure img.ag-checkered")
    expect(shown).to_be_visible()
    name, content = app.download("[data-download]")
    assert name.endswith("-transparent.png")
    assert read_recipe(content).seed == app.recipe_in_detail()["seed"]
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == "RGBA"
        assert image.getchannel("A").getextrema() == (0, 255)
    app.page.locator("#gallery .ag-picture").nth(1).click()
    name, content = app.download("[data-download]")
    assert read_recipe(content).seed == app.recipes()[1]["seed"]
    app.restore(content)
    assert "Identical" in app.page.locator("#restore .ag-verdict").inner_text()
    app.open_tab("Create")
    app.page.locator("#detail .ag-switch input").uncheck()
    expect(shown).to_have_count(0)
    _, content = app.download("[data-download]")
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == "RGB"
    app.close()


@pytest.mark.slow
@pytest.mark.parametrize(("locale", "tab"), [("en-US", "Export"), ("ja-JP", "書き出し")])
def test_the_export_tab_fits_a_phone(browser, server_url, locale, tab):
    app = AppPage(browser, server_url, viewport=PHONE, locale=locale)
    app.open_tab(tab)
    expect(app.page.locator("[data-export]")).to_be_visible()
    assert app.width() == PHONE["width"]
    small = app.page.evaluate(
        """() => [...document.querySelectorAll('#export-page :is(button, .ag-chip, .ag-switch)')]
            .map((node) => node.getBoundingClientRect())
            .filter((box) => box.width > 0 && (box.width < 40 || box.height < 40)).length"""
    )
    assert small == 0
    app.close()
