"""The app's own components: a ``gr.HTML`` each, brought to life by a script in ``scripts/``.

A widget's script is registered under the widget's name and gets the element, its properties and
Gradio's functions; see ``scripts/core.js``.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from avatargan.attributes import ANY
from avatargan.web.ui.colours import colour_of


def widget(
    name: str,
    value: Any = None,
    *,
    events: Sequence[str] = (),
    functions: Sequence[Callable[..., Any]] = (),
    elem_id: str | None = None,
    **properties: Any,
) -> gr.HTML:
    """Return a component whose script is called ``name``.

    Args:
        name: as registered in ``scripts/``.
        value: whatever the script makes of it.
        events: names of events beside ``change`` that the script triggers; each becomes a method
            of the component.
        functions: Python functions that the script may call; they take what strangers send.
        elem_id: id in the page.
        properties: handed to the script.
    """
    # The scripts may be loaded after the component: the list holds what waits for them. Gradio
    # finds the names of events by looking for them in this text.
    script = (
        "(window.avatarganWidgets ||= []).push("
        f"{{name: {json.dumps(name)}, events: {json.dumps(list(events))}, "
        "element, trigger, props, server, watch})"
    )
    return gr.HTML(
        value,
        html_template='<div class="ag-widget" data-host></div>',
        js_on_load=script,
        server_functions=list(functions) or None,
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes=["ag", f"ag-{name}-widget"],
        **properties,
    )


def choice(
    attribute: str, choices: Sequence[str], value: str, *, elem_id: str | None = None
) -> gr.HTML:
    """Return chips for an attribute, "any" among them.

    Where the name of a choice is a colour, the chips are dots of colour with the names below.
    """
    return widget(
        "choice",
        value,
        elem_id=elem_id or f"choice-{attribute}",
        attribute=attribute,
        choices=[{"name": name, "colour": colour_of(name)} for name in (ANY, *choices)],
    )


def short_choice(
    title: str, choices: Sequence[str], value: str, *, elem_id: str | None = None
) -> gr.HTML:
    """Return chips in the line of their title, which is a key of the translations."""
    return widget(
        "choice",
        value,
        elem_id=elem_id or f"choice-{title}",
        title=title,
        inline=True,
        choices=[{"name": name, "colour": None} for name in choices],
    )


def slider(
    name: str,
    value: float,
    smallest: float,
    largest: float,
    step: float,
    *,
    low: str = "",
    high: str = "",
    elem_id: str | None = None,
) -> gr.HTML:
    """Return a slider; ``low`` and ``high`` are keys of words for its ends."""
    return widget(
        "slider",
        value,
        elem_id=elem_id or f"slider-{name}",
        title=name,
        smallest=smallest,
        largest=largest,
        step=step,
        low=low,
        high=high,
    )


def seed(elem_id: str = "seed") -> gr.HTML:
    """Return the control of the seed: text, a lock, a dice, and the steps of a variation."""
    return widget("seed", {"seed": "", "locked": False, "variation": []}, elem_id=elem_id)


def text_field(title: str, value: str, *, elem_id: str, longest: int) -> gr.HTML:
    """Return a line to type in; ``title`` is a key of the translations."""
    return widget("text", value, elem_id=elem_id, title=title, longest=longest)


def switch(title: str, value: bool, *, elem_id: str) -> gr.HTML:
    """Return a switch, on or off; ``title`` is a key of the translations."""
    return widget("switch", value, elem_id=elem_id, title=title)


def disclosure(title: str, target: str) -> gr.HTML:
    """Return a button that shows and hides what has the id ``target``, on narrow screens only."""
    return widget("disclosure", title=title, target=target)


def gallery() -> gr.HTML:
    """Return the grid of pictures; its values come from :mod:`avatargan.web.ui.cards`."""
    return widget("gallery", None, elem_id="gallery")


def header() -> gr.HTML:
    """Return the name of the app, and the switch between light and dark."""
    return widget("header", elem_id="header")


def footer(**facts: str) -> gr.HTML:
    """Return the last line of the page."""
    return widget("footer", elem_id="footer", facts=facts)
