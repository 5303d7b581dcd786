"""The Create tab in a real browser."""

import pytest
from playwright.sync_api import expect

from avatargan import AvatarPipeline, Recipe
from tests.web.app_page import PHONE, AppPage

LARGEST_SEED = 2**63 - 1


def test_shows_pictures_before_anything_is_asked_for(app: AppPage):
    assert len(app.recipes()) == 12
    assert app.recipe_in_detail() == app.recipes()[0]


def test_draws_what_the_controls_say(app: AppPage, pipe: AvatarPipeline):
    app.choose("hair", "pink")
    app.choose("eyes", "red")
    app.choose("size", "128")
    app.set_count(3)
    app.draw()
    recipes = app.recipes()
    assert len(recipes) == 3
    assert {(r["attributes"]["hair"], r["attributes"]["eyes"]) for r in recipes} == {
        ("pink", "red")
    }
    assert {recipe["size"] for recipe in recipes} == {128}
    assert app.seed() == str(recipes[0]["seed"])


def test_every_attribute_of_the_weights_has_its_choices_and_any(app: AppPage, pipe):
    for name in pipe.attributes:
        inputs = app.page.locator(f"#choice-{name} input")
        values = inputs.evaluate_all("inputs => inputs.map(input => input.value)")
        assert values == ["any", *pipe.attributes.offered(name)]


def test_a_locked_seed_draws_the_same_pictures_again(app: AppPage):
    app.set_count(2)
    app.draw()
    first, picture = app.recipes(), app.picture_in_detail()
    app.page.locator("#seed .ag-lock").click()
    app.draw()
    assert (app.recipes(), app.picture_in_detail()) == (first, picture)


@pytest.mark.slow
def test_an_unlocked_seed_is_rolled_for_every_draw(app: AppPage):
    app.set_count(1)
    app.draw()
    first = app.seed()
    app.draw()
    assert app.seed() != first


@pytest.mark.slow
def test_the_dice_rolls_a_seed_that_is_then_drawn(app: AppPage):
    app.set_count(1)
    app.page.locator("#seed .ag-dice").click()
    rolled = app.seed()
    assert app.is_locked()
    app.draw()
    assert str(app.recipes()[0]["seed"]) == app.seed() == rolled


def test_enter_draws_and_large_seeds_keep_every_digit(app: AppPage):
    app.set_count(1)
    app.type_seed(str(LARGEST_SEED))
    app.draw_with_enter()
    assert [recipe["seed"] for recipe in app.recipes()] == [LARGEST_SEED]
    name, _ = app.download("[data-download]")
    assert str(LARGEST_SEED) in name


@pytest.mark.slow
def test_a_seed_that_is_none_is_explained(app: AppPage):
    app.type_seed("twelve")
    app.page.locator("#draw").click()
    assert "a seed must be an integer from 0 to 2^63-1, got 'twelve'" in app.toast()


def test_the_download_is_the_png_with_its_recipe(app: AppPage, pipe: AvatarPipeline):
    app.set_count(1)
    app.type_seed("7")
    app.draw()
    name, content = app.download("[data-download]")
    [avatar] = pipe.generate([7])
    assert content == avatar.to_png()
    assert name.startswith("avatar-7-")
    assert name.endswith(".png")


def test_recolours_with_the_identity_held(app: AppPage, pipe: AvatarPipeline):
    before = app.recipe_in_detail()
    app.page.locator("[data-recolour=hair]").click()
    strip = app.page.locator(".ag-strip-item")
    expect(strip).to_have_count(len(pipe.attributes.offered("hair")))
    strip.nth(pipe.attributes.offered("hair").index("green")).click()
    after = app.recipe_in_detail()
    assert after["attributes"] == before["attributes"] | {"hair": "green"}
    assert after["seed"] == before["seed"]
    expect(strip).to_have_count(len(pipe.attributes.offered("hair")))


def test_draws_variations_and_goes_back(app: AppPage):
    first = app.recipes()
    app.page.locator("[data-vary]").click()
    expect(app.page.locator("#gallery h2")).to_have_text("Variations")
    app.wait_for_pictures()
    character, *variations = app.recipes()
    assert character == first[0]
    assert len(variations) == 11
    assert all(len(variation["variation"]) == 1 for variation in variations)
    app.page.locator(".ag-back").click()
    assert app.recipes() == first


@pytest.mark.slow
def test_settings_of_a_variation_draw_that_variation(app: AppPage):
    app.page.locator("[data-vary]").click()
    expect(app.page.locator("#gallery h2")).to_have_text("Variations")
    app.wait_for_pictures()
    app.page.locator("#gallery .ag-picture").nth(3).click()
    wanted = app.recipe_in_detail()
    app.page.locator("[data-reopen]").click()
    expect(app.page.locator("#seed .ag-variation-note")).to_contain_text("Variation")
    app.draw()
    assert app.recipes() == [wanted]


def test_two_visitors_do_not_see_one_anothers_pictures(app: AppPage, browser, server_url):
    other = AppPage(browser, server_url)
    app.type_seed("5")
    app.set_count(1)
    app.draw()
    assert len(app.recipes()) == 1
    assert len(other.recipes()) == 12
    other.open_tab("Collection")
    assert other.shelf("history").count() == 0
    other.close()


@pytest.mark.slow
def test_choices_can_be_made_with_the_keyboard(app: AppPage):
    app.page.locator("#choice-hair input:checked").focus()
    app.page.keyboard.press("ArrowRight")
    assert app.chosen("hair") != "any"


def test_a_phone_sees_everything_without_scrolling_sideways(browser, server_url):
    app = AppPage(browser, server_url, viewport=PHONE)
    assert app.width() == PHONE["width"]
    columns = app.page.locator("#gallery .ag-grid").evaluate(
        "grid => getComputedStyle(grid).gridTemplateColumns.split(' ').length"
    )
    assert columns == 2
    first = app.page.locator("#gallery .ag-picture").first
    assert first.bounding_box()["y"] < PHONE["height"], "no picture in sight"
    # The chosen picture is a sheet of its own.
    first.click()
    expect(app.page.locator("[data-download]")).to_be_in_viewport()
    assert app.width() == PHONE["width"]
    app.page.locator(".ag-close").click()
    expect(app.page.locator("#detail")).to_be_hidden()
    app.page.locator(".ag-disclosure").click()
    expect(app.page.locator("#seed")).to_be_visible()
    app.close()


def test_buttons_are_large_enough_for_fingers(browser, server_url):
    app = AppPage(browser, server_url, viewport=PHONE)
    small = app.page.evaluate(
        """() => [...document.querySelectorAll('.ag button, .ag-chip, #draw')]
            .map((node) => [node.className, node.getBoundingClientRect()])
            .filter(([, box]) => box.width > 0 && (box.width < 40 || box.height < 40))
            .map(([name, box]) => `${name} ${box.width} x ${box.height}`)"""
    )
    assert small == []
    app.close()


def test_nothing_is_fetched_from_elsewhere(app: AppPage, server_url: str):
    app.draw()
    foreign = [url for url in app.requests if not url.startswith((server_url, "data:", "blob:"))]
    assert foreign == []


@pytest.mark.slow
def test_recipes_on_the_page_are_recipes(app: AppPage):
    for text in app.page.locator("#gallery [data-recipe]").evaluate_all(
        "cells => cells.map(cell => cell.dataset.recipe)"
    ):
        assert Recipe.from_json(text).to_json() == text
