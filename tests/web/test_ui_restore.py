"""The Restore tab in a real browser."""

import io

import pytest
from PIL import Image
from playwright.sync_api import expect

from avatargan import AvatarPipeline
from avatargan.recipe import encode_png
from tests.web.app_page import AppPage


def verdict(app: AppPage) -> str:
    return app.page.locator("#restore .ag-verdict").inner_text()


def test_a_png_sets_every_control_and_is_drawn_again(app: AppPage, pipe: AvatarPipeline):
    seed = 2**63 - 2
    [avatar] = pipe.generate([seed], hair="green", eyes="purple", psi=0.45, size=256)
    app.restore(avatar.to_png())
    assert "Identical, pixel for pixel" in verdict(app)
    app.page.locator("[data-open]").click()
    expect(app.page.locator("#draw")).to_be_visible()
    assert app.recipes() == [avatar.recipe.model_dump(mode="json")]
    assert (app.chosen("hair"), app.chosen("eyes"), app.chosen("size")) == (
        "green",
        "purple",
        "256",
    )
    assert app.page.locator("#slider-psi input").input_value() == "0.45"
    assert (app.seed(), app.is_locked()) == (str(seed), True)
    app.draw()
    assert app.recipes() == [avatar.recipe.model_dump(mode="json")]


@pytest.mark.slow
def test_the_same_file_can_be_restored_twice(app: AppPage, pipe: AvatarPipeline):
    [avatar] = pipe.generate([3], size=128)
    for _ in range(2):
        app.restore(avatar.to_png())
        assert "Identical" in verdict(app)
        app.page.locator("#restore .ag-compare").wait_for()


@pytest.mark.slow
def test_an_edited_picture_is_told_from_the_original(app: AppPage, pipe: AvatarPipeline):
    [avatar] = pipe.generate([3], size=128)
    edited = avatar.image.copy()
    edited.putpixel((5, 5), (0, 255, 0))
    app.restore(encode_png(edited, avatar.recipe))
    assert "edited" in verdict(app)


@pytest.mark.slow
def test_a_recipe_of_other_weights_sets_what_fits(app: AppPage, pipe: AvatarPipeline):
    [avatar] = pipe.generate([3], hair="red", size=128)
    foreign = avatar.recipe.model_copy(
        update={
            "weights_sha256": "0" * 64,
            "attributes": {"hair": "red", "eyes": "rainbow", "wings": "large"},
        }
    )
    app.restore(encode_png(avatar.image, foreign))
    assert "other weights" in verdict(app)
    app.open_tab("Create")
    assert (app.chosen("hair"), app.chosen("eyes"), app.seed()) == ("red", "any", "3")


def png_without_recipe() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "png")
    return buffer.getvalue()


UNUSABLE = [
    (png_without_recipe(), "no recipe in this picture"),
    (png_without_recipe()[:60], "not a readable picture"),
    (b"GIF89a not a PNG", "not a PNG"),
    (b"", "not a PNG"),
]


def test_a_file_without_a_recipe_gets_a_clear_message(app: AppPage):
    before = app.recipes()
    for content, message in UNUSABLE:
        app.restore(content)
        expect(app.page.locator("#restore .ag-verdict")).to_contain_text(message)
    app.open_tab("Create")
    assert app.recipes() == before


def test_a_huge_file_is_refused_before_it_is_sent(app: AppPage):
    app.restore(bytes(6 * 1024 * 1024))
    assert "larger than 5 MB" in verdict(app)
