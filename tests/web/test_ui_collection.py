"""Favourites and history in a real browser."""

import io
import json
import zipfile

import pytest
from playwright.sync_api import expect

from avatargan import Recipe, read_recipe
from tests.web.app_page import AppPage


def test_a_favourite_survives_a_reload_and_reopens_with_all_its_settings(app: AppPage):
    app.choose("hair", "purple")
    app.choose("eyes", "green")
    app.choose("size", "256")
    app.set_count(2)
    app.type_seed("41")
    app.draw()
    app.page.locator("#gallery .ag-picture").nth(1).click()
    app.heart()
    kept = app.recipe_in_detail()
    app.reload()
    assert app.chosen("hair") == "any"
    app.open_tab("Collection")
    expect(app.shelf("favourites")).to_have_count(1)
    app.shelf("favourites").locator(".ag-picture").click()
    expect(app.page.locator("#gallery h2")).to_have_text("From your collection")
    assert app.recipes() == [kept]
    assert (app.chosen("hair"), app.chosen("eyes"), app.chosen("size")) == (
        "purple",
        "green",
        "256",
    )
    assert app.seed() == "42"
    assert app.is_locked()
    app.draw()
    assert app.recipes() == [kept]


@pytest.mark.slow
def test_history_keeps_what_was_asked_for_newest_first(app: AppPage):
    app.set_count(1)
    for seed in ("1", "2"):
        app.type_seed(seed)
        app.draw()
    app.open_tab("Collection")
    expect(app.shelf("history")).to_have_count(2)
    recipes = app.shelf("history").evaluate_all("cells => cells.map(c => c.dataset.recipe)")
    assert [json.loads(recipe)["seed"] for recipe in recipes] == [2, 1]
    app.page.locator("[data-clear]").click()
    expect(app.shelf("history")).to_have_count(2)  # asks first
    app.page.locator("[data-clear]").click()
    expect(app.shelf("history")).to_have_count(0)


@pytest.mark.slow
def test_favourites_can_be_removed(app: AppPage):
    app.heart()
    app.open_tab("Collection")
    expect(app.shelf("favourites")).to_have_count(1)
    app.shelf("favourites").hover()
    app.shelf("favourites").locator(".ag-remove").click()
    expect(app.shelf("favourites")).to_have_count(0)
    app.open_tab("Create")
    expect(app.page.locator("#detail .ag-heart")).to_have_attribute("aria-pressed", "false")


@pytest.mark.slow
def test_all_favourites_download_as_one_zip(app: AppPage, pipe):
    for index in range(3):
        app.page.locator("#gallery .ag-picture").nth(index).click()
        app.heart()
    wanted = {Recipe.from_json(json.dumps(recipe)).to_json() for recipe in app.recipes()[:3]}
    app.open_tab("Collection")
    name, content = app.download("[data-zip]")
    assert name == "avatargan-favourites.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        files = {read.filename: archive.read(read) for read in archive.infolist()}
    assert len(files) == 3
    recipes = [read_recipe(content) for content in files.values()]
    assert {recipe.to_json() for recipe in recipes} == wanted
    assert set(files.values()) == {avatar.to_png() for avatar in pipe.draw(recipes)}


GOOD_ENTRY = {
    "recipe": "{}",
    "thumbnail": "data:image/jpeg;base64,AAAA",
    "name": "avatar-1",
    "seed": "1",
    "attributes": {"hair": "red"},
}


DAMAGED = [
    ("not JSON", 0),
    ("null", 0),
    ('{"a": 1}', 0),
    (json.dumps([None, 3, "x", [], {}]), 0),
    (json.dumps([GOOD_ENTRY | {"thumbnail": "javascript:alert(1)"}, GOOD_ENTRY]), 1),
    (json.dumps([GOOD_ENTRY | {"attributes": None}, GOOD_ENTRY | {"seed": 7}]), 0),
    (json.dumps([GOOD_ENTRY | {"name": "<img src=x onerror=alert(1)>"}]), 0),
    (json.dumps([GOOD_ENTRY] * 300), 200),
]


@pytest.mark.slow
def test_damaged_storage_is_read_as_far_as_it_is_whole(app: AppPage):
    for stored, usable in DAMAGED:
        app.page.evaluate("text => localStorage.setItem('avatargan.favourites', text)", stored)
        assert app.page.evaluate("avatargan.storage.favourites().length") == usable, stored


@pytest.mark.slow
def test_a_page_with_damaged_storage_still_works(browser, server_url):
    storage = {
        "avatargan.favourites": json.dumps([None, GOOD_ENTRY]),
        "avatargan.history": "{",
    }
    app = AppPage(browser, server_url, storage=storage)
    app.open_tab("Collection")
    expect(app.shelf("favourites")).to_have_count(1)
    expect(app.shelf("history")).to_have_count(0)
    # A recipe that is none is refused by the server, with a message.
    app.shelf("favourites").locator(".ag-picture").click()
    assert "not a recipe" in app.toast()
    app.close()
