"""The page in a real browser: a few visits, each with much of what a visitor does."""

import io
import json
import re
import zipfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from avatargan.morph import Morph
from avatargan.morph.metadata import EXIF_DESCRIPTION
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import encode_png, read_recipe
from tests.web.app_page import PHONE, AppPage

AXE = Path(__file__).parent.parent / "js" / "node_modules" / "axe-core" / "axe.min.js"
TABS = ("create", "sketch", "picture", "collection", "morph", "export")
#: Words of the English page that every other language has words of its own for.
ENGLISH = re.compile(
    r"\b(Draw|Download|Collection|Favourites|Variety|Undo|Restore|Colours|Details|Any|Hair)\b"
)


def test_draw_change_undo_keep_and_come_back(app: AppPage, pipe: AvatarPipeline):
    page = app.page
    app.choose("hair", "pink")
    app.draw()
    assert app.count() == 6
    # What is on screen is the file, recipe and all; it is what Python draws.
    recipe = read_recipe(app.picture_on_screen())
    assert recipe.attributes["hair"] == "pink"
    [drawn] = pipe.draw([recipe])
    assert app.picture_on_screen() == drawn.to_png()
    name, content = app.download("[data-download]")
    assert content == drawn.to_png()
    assert name.startswith(f"avatar-{recipe.seed}-visual-novel-pink-")
    # The address is that character's link.
    link = parse_qs(urlsplit(page.url).fragment)
    assert link["seed"] == [str(recipe.seed)]
    assert link["hair"] == ["pink"]

    # The same character with other hair, in its place; taken back and done again.
    before = app.find(".figure img").get_attribute("src")
    app.find(".panel [data-attribute=hair] input[value=blue]").check()
    expect(app.find(".detail-words")).to_contain_text("Hair Blue")
    assert read_recipe(app.picture_on_screen()).seed == recipe.seed
    page.keyboard.press("z")
    expect(app.find(".figure img")).to_have_attribute("src", before)
    page.keyboard.press("Shift+Z")
    expect(app.find(".detail-words")).to_contain_text("Hair Blue")

    # Arrow keys choose, F keeps.
    app.find("#gallery-grid .picture").first.focus()
    page.keyboard.press("ArrowRight")
    expect(app.find("#gallery-grid .cell.chosen")).to_have_count(1)
    expect(app.find(".place")).to_have_text("2 / 6")
    page.keyboard.press("f")
    expect(app.find("#gallery-grid .cell.kept")).to_have_count(1)

    # A reload keeps settings, set, and the chosen picture.
    chosen = read_recipe(app.picture_on_screen())
    page.reload()
    app.wait_for_pictures()
    expect(app.find(".place")).to_have_text("2 / 6")
    assert read_recipe(app.picture_on_screen()) == chosen
    assert app.settings()["attributes"]["hair"] == "pink"

    # Removing a favourite can be taken back; another tab sees both.
    app.tab("collection")
    shelf = app.find("[data-shelf=favourites] .cell")
    expect(shelf).to_have_count(1)
    other = app.new_tab()
    other.locator("#tab-collection").click()
    expect(other.locator("[data-shelf=favourites] .cell")).to_have_count(1)
    page.bring_to_front()
    shelf.hover()
    shelf.locator(".remove").click()
    expect(shelf).to_have_count(0)
    expect(other.locator("[data-shelf=favourites] .cell")).to_have_count(0)
    app.find("#toast button").click()
    expect(shelf).to_have_count(1)

    # Back returns to the tab before.
    page.go_back()
    expect(app.find("#panel-of-create")).to_be_visible()


def test_a_second_draw_replaces_the_first_and_cancel_stops_it(app: AppPage):
    app.page.evaluate("localStorage.clear()")
    app.find(".controls input[name=count]").fill("36")
    app.find("[name^=segments] >> nth=2").check()
    app.find("[data-draw]").click()
    expect(app.find(".draw-row.busy")).to_have_count(1)
    app.find("#gallery-grid .placeholder").first.wait_for(state="attached")
    app.find(".controls input[name=count]").fill("2")
    app.draw()
    assert app.count() == 2
    app.find(".controls input[name=count]").fill("36")
    app.find("[data-draw]").click()
    app.find("#gallery-grid .picture").nth(1).wait_for()
    app.find(".draw-row .cancel").click()
    app.wait_for_pictures()
    assert 1 <= app.count() < 36
    expect(app.find("[data-draw]")).to_have_text("Draw")


def test_a_saved_picture_comes_back_and_others_say_why_not(app: AppPage, pipe: AvatarPipeline):
    seed = 2**63 - 1
    [avatar] = pipe.generate([seed], hair="white", eyes="red", size=128)
    app.open_file("a.png", avatar.to_png())
    expect(app.find(".result .verdict")).to_contain_text("Identical")
    app.find("[data-open]").click()
    assert app.picture_on_screen() == avatar.to_png()
    assert app.settings()["seed"] == str(seed)
    expect(app.find(".seed input")).to_have_value(str(seed))

    edited = avatar.image.copy()
    edited.putpixel((5, 5), (1, 2, 3))
    app.open_file("edited.png", encode_png(edited, avatar.recipe))
    expect(app.find(".result .verdict")).to_contain_text("edited since")

    other = avatar.recipe.model_copy(update={"weights_sha256": "0" * 64})
    app.open_file("other.png", encode_png(avatar.image, other))
    expect(app.find(".result .verdict")).to_contain_text("weights that are not here")
    expect(app.find(".result [data-open]")).to_be_visible()

    app.open_file("notes.txt", b"hello", "text/plain")
    expect(app.find(".result [role=alert]")).to_be_visible()


def test_links_open_their_character_and_wrong_ones_say_so(app: AppPage, pipe: AvatarPipeline):
    page = app.page
    page.goto(f"{app.url}/#seed=7&hair=pink&eyes=blue&style=visual-novel&psi=0.7&size=128")
    app.find(".grid.single").wait_for()
    app.wait_for_pictures()
    [avatar] = pipe.generate([7], hair="pink", eyes="blue", size=128)
    assert app.picture_on_screen() == avatar.to_png()
    expect(app.find(".controls [data-attribute=eyes] input[value=blue]")).to_be_checked()

    # A variation has a link of the other form, which is copied and opened.
    app.find("[data-panel=variations]").click()
    app.after_another_set(lambda: app.find("[data-vary]").click())
    app.pick(3)
    shown = app.picture_on_screen()
    app.find("[data-copy-link]").click()
    link = page.evaluate("navigator.clipboard.readText()")
    assert "#r=" in link
    assert len(link) < 2000
    second = app.context.new_page()
    second.goto(link)
    expect(second.locator("#gallery-grid")).to_have_attribute("aria-busy", "false")
    expect(second.locator(".figure img")).to_have_attribute("src", re.compile("blob:"))
    app.page = second
    assert app.picture_on_screen() == shown
    app.page = page
    page.evaluate("location.hash = '#r=nonsense'")
    assert "cannot be read" in app.toast()


def test_a_phone(browser: Browser, server_url: str):
    app = AppPage(browser, server_url, viewport=PHONE)
    page = app.page
    assert page.evaluate("scrollY") == 0
    for name in TABS:
        app.tab(name)
        assert app.overflow() == 0, name
    app.tab("create")
    for needed in ("[data-draw]", ".controls [data-attribute=hair] .swatch >> nth=0"):
        expect(app.find(needed)).to_be_in_viewport()
    # The sheet has the focus, keeps it, and Back closes it without leaving.
    app.pick(1)
    sheet = app.find("dialog.sheet")
    expect(sheet).to_be_visible()
    for _ in range(25):
        assert page.evaluate("document.querySelector('dialog.sheet').matches(':focus-within')")
        page.keyboard.press("Tab")
    for panel in ("variations", "facts", "colours"):
        app.find(f"[data-panel={panel}]").click()
        for needed in ("[data-close]", ".figure", "[data-download]"):
            expect(sheet.locator(needed)).to_be_in_viewport()
    page.go_back()
    expect(sheet).to_be_hidden()
    page.go_forward()
    expect(sheet).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    assert page.url.startswith(app.url)
    app.close()


@pytest.mark.parametrize(
    ("locale", "lang", "draw"),
    [
        ("ja-JP", "ja", "描く"),
        pytest.param("zh-CN", "zh-CN", "绘制", marks=pytest.mark.slow),
        pytest.param("zh-TW", "zh-TW", "繪製", marks=pytest.mark.slow),
        pytest.param("ko-KR", "ko", "그리기", marks=pytest.mark.slow),
    ],
)
def test_the_page_speaks_the_visitors_language_throughout(
    browser: Browser, server_url: str, locale: str, lang: str, draw: str
):
    app = AppPage(browser, server_url, locale=locale)
    expect(app.find("html")).to_have_attribute("lang", lang)
    expect(app.find("[data-draw]")).to_have_text(draw)
    for name in TABS:
        app.tab(name)
        assert not ENGLISH.search(app.find("body").inner_text())
    # What goes wrong, too.
    app.open_file("a.png", b"no picture")
    assert not re.search("[a-z]{4}", app.find(".result [role=alert]").inner_text())
    app.close()


def test_morphs_and_exports_become_files(app: AppPage, pipe: AvatarPipeline):
    for index in range(3):
        app.pick(index)
        app.page.keyboard.press("f")
        expect(app.find("#gallery-grid .cell.kept")).to_have_count(index + 1)
    app.tab("morph")
    cells = app.find("#panel-of-morph .cell")
    expect(app.find(".number")).to_have_text(["1", "2", "3"])
    cells.first.locator("button").click()
    cells.nth(1).locator("button").click()
    expect(app.find("[data-make]")).to_be_disabled()
    expect(app.find("#panel-of-morph")).to_contain_text("at least two")
    cells.first.locator("button").click()
    app.find("#panel-of-morph input[name=seconds]").fill("0.5")
    app.find("#panel-of-morph .segments input").first.check()
    app.find("[data-make]").click()
    app.find(".player img").wait_for()
    name, webp = app.download("[data-format=webp]")
    assert name == "morph.webp"
    with Image.open(io.BytesIO(webp)) as image:
        morph = Morph.from_json(image.getexif()[EXIF_DESCRIPTION])
    assert (morph.seconds, len(morph.keyframes)) == (1.0, 2)

    app.tab("export")
    app.find("#export-name").fill("{hare}")
    expect(app.find("#export-example")).to_contain_text("did you mean 'hair'")
    app.find("#export-name").fill("{hair}_{seed}")
    app.find("#panel-of-export [data-name=export-size] input").first.check()
    app.find("input[name=export-count]").fill("3")
    app.find("#panel-of-export .seed input").fill("40")
    expect(app.find("#export-example")).to_contain_text("_40.png")
    app.find("[data-export]").click()
    _, content = app.download("[data-download-zip]")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        pictures = [name for name in archive.namelist() if name.endswith(".png")]
        assert sorted(read_recipe(archive.read(name)).seed for name in pictures) == [40, 41, 42]

    # Favourites go through the same door.
    app.find("#panel-of-export [data-name=export-source] input[value=favourites]").check()
    app.find("[data-export]").click()
    _, content = app.download("[data-download-zip]")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        rows = archive.read("manifest.jsonl").decode().splitlines()
        for row in map(json.loads, rows):
            assert read_recipe(archive.read(row["file"])).attributes == row["recipe"]["attributes"]
    assert len(rows) == 3


def test_a_collection_is_named_filtered_mixed_and_moved(app: AppPage, browser: Browser):
    for index in range(3):
        app.pick(index)
        app.page.keyboard.press("f")
        expect(app.find("#gallery-grid .cell.kept")).to_have_count(index + 1)
    app.tab("collection")
    cells = app.find("[data-shelf=favourites] .cell")
    order = [cells.nth(index).get_attribute("data-key") for index in range(3)]
    cells.nth(2).locator(".picture").focus()
    app.page.keyboard.press("Alt+ArrowLeft")
    app.page.keyboard.press("Alt+ArrowLeft")
    moved = [order[2], order[0], order[1]]
    assert [cells.nth(index).get_attribute("data-key") for index in range(3)] == moved
    cells.first.hover()
    cells.first.locator(".cell-actions .button").first.click()
    app.find("#entry-name").fill("Sir Blue")
    app.find("#entry-tags").fill("knight, blue team")
    app.page.keyboard.press("Enter")
    app.find(".filter .tag", has_text="knight").click()
    expect(cells).to_have_count(1)
    expect(cells).to_contain_text("Sir Blue")
    app.find(".filter .tag", has_text="knight").click()

    name, collection = app.download("[data-backup]")
    assert name == "avatargan-collection.json"
    app.find("[data-select]").click()
    cells.nth(0).locator(".picture").click()
    cells.nth(1).locator(".picture").click()
    _, content = app.download("[data-zip]")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert len(archive.namelist()) == 2
        assert "Sir Blue.png" in archive.namelist()
    app.find("[data-mix]").click()
    app.find("[data-whose=shape] input").nth(1).check()
    app.after_another_set(lambda: app.find("[data-mix-draw]").click())
    assert app.count() == 12

    other = AppPage(browser, app.url)
    other.tab("collection")
    other.find("#panel-of-collection input[type=file]").set_input_files(
        {"name": name, "mimeType": "application/json", "buffer": collection}
    )
    expect(other.find("[data-shelf=favourites] .cell")).to_have_count(3)
    other.close()


def test_a_lost_connection_is_said_and_nothing_is_lost(app: AppPage):
    before = app.find("#gallery-grid").get_attribute("data-set")
    app.context.set_offline(True)
    app.find("[data-draw]").click()
    expect(app.find("#offline")).to_be_visible()
    expect(app.find("#gallery-grid")).to_have_attribute("data-set", before)
    assert app.count() == 6
    app.context.set_offline(False)
    expect(app.find("#offline")).to_be_hidden(timeout=15_000)
    app.draw()


def test_the_guided_way_ends_with_a_character(app: AppPage):
    app.find("[data-guide]").click()
    for _ in range(4):  # face, hair, eyes, details
        app.find("[data-guide-pick]").nth(2).click()
    app.find("[data-guide-heart]").click()
    app.page.keyboard.press("Escape")
    expect(app.find("dialog.window")).to_have_count(0)
    app.tab("collection")
    expect(app.find("[data-shelf=favourites] .cell")).to_have_count(1)


@pytest.mark.parametrize("dark", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_nothing_that_axe_finds_is_wrong(browser: Browser, server_url: str, dark: bool):
    if not AXE.exists():
        pytest.skip("axe-core is not installed ('npm ci --prefix tests/js')")
    app = AppPage(browser, server_url, dark=dark)
    # The page's own rules keep scripts of others out; the debugger's are not bound by them.
    app.page.evaluate(AXE.read_text())
    app.page.keyboard.press("f")

    def check(what: str) -> None:
        found = app.page.evaluate("async () => (await axe.run()).violations")
        told = [(one["id"], one["nodes"][0]["html"][:200]) for one in found]
        assert not told, f"{what}: {told}"

    for name in TABS:
        app.tab(name)
        check(name)
    app.tab("create")
    app.find("[data-help]").click()
    check("help")
    app.page.keyboard.press("Escape")
    app.find("[data-zoom]").click()
    check("zoom")
    app.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 390, 768, 1100, 1440, 1920])
@pytest.mark.parametrize("dark", [False, True])
def test_every_width(browser: Browser, server_url: str, width: int, dark: bool):
    app = AppPage(browser, server_url, viewport={"width": width, "height": 840}, dark=dark)
    for name in TABS:
        app.tab(name)
        assert app.overflow() == 0, name
    app.tab("create")
    expect(app.find("[data-draw]")).to_be_in_viewport()
    app.pick(3)
    expect(app.find("[data-download]")).to_be_in_viewport()
    expect(app.find(".panel [data-attribute=hair] .swatch").first).to_be_in_viewport()
    app.close()


@pytest.mark.slow
def test_a_picture_of_ones_own_becomes_a_character(app: AppPage, pipe: AvatarPipeline):
    [avatar] = pipe.generate([5], hair="blue", eyes="green", size=128)
    drawn = io.BytesIO()
    avatar.image.save(drawn, "png")  # without its recipe
    app.open_file("mine.png", drawn.getvalue())
    expect(app.find(".result .verdict")).to_be_visible(timeout=600_000)
    expect(app.find(".result .verdict")).to_contain_text("%")
    app.find("[data-open]").click()
    assert read_recipe(app.picture_on_screen()).attributes["hair"] == "blue"
    expect(app.find(".seed .lock")).to_have_attribute("aria-pressed", "false")
