"""The languages of the interface: ``translations/*.json``, one file per language.

Each file has four parts: ``interface`` (texts on the page), ``messages`` (what went wrong),
``attributes`` and ``choices`` (names that weights use; others are shown as they are). Gradio and
the page's scripts choose by the language of the browser; messages of the server go by the
``Accept-Language`` of the request, which says the same.
"""

import functools
import json
from pathlib import Path

import gradio as gr
from gradio.i18n import I18nData

Translation = dict[str, dict[str, str]]

LANGUAGES = ("en", "zh-CN", "ja", "ko")
FALLBACK = "en"
#: Other tags under which browsers ask for these languages. Readers of traditional characters are
#: better served by simplified ones than by English.
ALIASES = {"zh": "zh-CN", "zh-TW": "zh-CN"}

_FOLDER = Path(__file__).parent / "translations"
_i18n = gr.I18n()
#: Keeps our keys apart from those of Gradio's own translations.
_PREFIX = "avatargan_"


@functools.cache
def translations() -> dict[str, Translation]:
    """Return every language's texts."""
    return {
        language: json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
        for language in LANGUAGES
    }


def gradio_translations() -> gr.I18n:
    """Return the texts of the page in the form that ``mount_gradio_app`` takes."""
    texts = {
        language: {_PREFIX + key: text for key, text in parts["interface"].items()}
        for language, parts in translations().items()
    }
    texts |= {alias: texts[language] for alias, language in ALIASES.items()}
    return gr.I18n(**texts)


def interface_text(key: str) -> I18nData:
    """Return a text that the browser looks up; for labels of Gradio's components."""
    if key not in translations()[FALLBACK]["interface"]:
        raise KeyError(f"no translation is called '{key}'")
    return _i18n(_PREFIX + key)


def language_of(request: gr.Request | None) -> str:
    """Return which of our languages the browser behind a request prefers."""
    header = request.headers.get("accept-language", "") if request is not None else ""
    first = header.split(",")[0].split(";")[0].strip().lower()
    for language in LANGUAGES:
        if first.split("-")[0] == language.split("-")[0].lower():
            return language
    return FALLBACK


def message(request: gr.Request | None, key: str, **values: object) -> str:
    """Return a message in the language of the browser, its ``{placeholders}`` filled in."""
    return translations()[language_of(request)]["messages"][key].format(**values)
