"""The interface in four languages."""

import json
import string

import pytest
from playwright.sync_api import expect

from avatargan.web.ui.language import LANGUAGES, translations
from tests.conftest import OTHER_ATTRIBUTES
from tests.web.app_page import AppPage
from tests.web.conftest import ROOT, ServerProcess


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        pytest.param("fr-FR", "en", marks=pytest.mark.slow),
        pytest.param("zh-CN", "zh-CN", marks=pytest.mark.slow),
        ("ja-JP", "ja"),
        pytest.param("ko-KR", "ko", marks=pytest.mark.slow),
        pytest.param("zh-TW", "zh-CN", marks=pytest.mark.slow),
    ],
)
def test_the_page_follows_the_browser(browser, server_url, locale, language):
    app = AppPage(browser, server_url, locale=locale)
    texts = translations()[language]
    page = app.page
    expect(page.locator("#draw")).to_have_text(texts["interface"]["draw"])
    for tab in ("create_tab", "collection_tab", "restore_tab"):
        expect(page.get_by_role("tab", name=texts["interface"][tab], exact=True)).to_be_visible()
    expect(page.locator("#choice-hair .ag-title")).to_have_text(texts["attributes"]["hair"])
    expect(page.locator("#choice-hair")).to_contain_text(texts["choices"]["pink"])
    expect(page.locator("#seed label")).to_have_text(texts["interface"]["seed"])
    app.type_seed("x")
    page.locator("#draw").click()
    toast = app.toast()
    assert app.toast_title() == texts["interface"]["not_possible"]
    if language != "en":
        assert texts["messages"]["refused"] in toast
    app.close()


def test_every_language_has_every_text_with_the_same_placeholders():
    def shape(language: str) -> dict[str, dict[str, set[str]]]:
        return {
            part: {key: _placeholders(text) for key, text in texts.items()}
            for part, texts in translations()[language].items()
        }

    for language in LANGUAGES:
        assert shape(language) == shape("en"), language
        assert all(text for part in translations()[language].values() for text in part.values())


def test_no_text_of_the_page_is_left_over():
    files = (ROOT / "avatargan" / "web" / "ui").rglob("*.*")
    sources = "".join(path.read_text() for path in files if path.suffix in (".js", ".py"))
    # Keys that scripts put together, such as `restore_${status}`.
    built = {f"restore_{status}" for status in ("identical", "close", "different", "other_weights")}
    built.add("history_empty")
    unused = [key for key in translations()["en"]["interface"] if f'"{key}"' not in sources]
    assert set(unused) == built


@pytest.mark.slow
def test_weights_with_other_attributes_get_other_controls(browser, other_weights, tmp_path):
    server = ServerProcess(tmp_path / "log.txt", other_weights)
    try:
        app = AppPage(browser, server.url)
        choices = {
            name: [choice for choice in names if choice != "unknown"]
            for name, names in OTHER_ATTRIBUTES.items()
        }
        for name, names in choices.items():
            inputs = app.page.locator(f"#choice-{name} input")
            values = inputs.evaluate_all("inputs => inputs.map(input => input.value)")
            assert values == ["any", *names]
        assert app.page.locator("#choice-hair").count() == 0
        app.choose("ears", "fox")
        app.choose("glasses", "thin")
        app.draw()
        assert {json.dumps(recipe["attributes"]) for recipe in app.recipes()} == {
            json.dumps({"style": "ink", "ears": "fox", "glasses": "thin"})
        }
        app.page.locator("[data-recolour=ears]").click()
        expect(app.page.locator(".ag-strip-item")).to_have_count(3)
        app.close()
    finally:
        server.stop()


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
