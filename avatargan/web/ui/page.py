"""How the page is put together: theme, style sheet, scripts, languages."""

import json
from pathlib import Path
from typing import Any

import gradio as gr

from avatargan.web.ui.language import gradio_translations, translations

_FOLDER = Path(__file__).parent
#: In the order in which they need each other.
_SCRIPTS = (
    "core",
    "storage",
    "zip",
    "controls",
    "gallery",
    "detail",
    "collection",
    "restore",
    "morph",
    "export",
    "page",
)
#: Fonts of the reader's own system: the app works without internet, and looks at home.
_FONTS = [
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "Noto Sans CJK SC",
    "PingFang SC",
    "Hiragino Sans",
    "Yu Gothic UI",
    "Apple SD Gothic Neo",
    "Malgun Gothic",
    "Microsoft YaHei",
    "sans-serif",
]
_MONOSPACE_FONTS = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def launch_options() -> dict[str, Any]:
    """Return the keyword arguments of ``gr.mount_gradio_app`` that belong to the look."""
    return {
        "theme": gr.themes.Base(
            primary_hue=gr.themes.colors.pink,
            neutral_hue=gr.themes.colors.zinc,
            font=_FONTS,
            font_mono=_MONOSPACE_FONTS,
        ),
        "css": (_FOLDER / "style.css").read_text(encoding="utf-8"),
        "head": _head(),
        "i18n": gradio_translations(),
        "footer_links": ["api"],
    }


def _head() -> str:
    scripts = [
        f"window.avatarganTranslations = {_in_script(_for_page())};",
        *((_FOLDER / "scripts" / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS),
    ]
    return (
        f'<meta name="theme-color" content="#d6336c">\n<script>\n{chr(10).join(scripts)}\n</script>'
    )


def _for_page() -> dict[str, Any]:
    """Return the translations without the messages that only the server needs."""
    return {
        language: {name: texts for name, texts in parts.items() if name != "messages"}
        for language, parts in translations().items()
    }


def _in_script(value: Any) -> str:
    """Return JSON that can stand inside a script element."""
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/")
