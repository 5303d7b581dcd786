"""What the events of all tabs have in common."""

from typing import Any

import gradio as gr

#: Options of an event that belongs to the page: clients have the named endpoints instead.
HIDDEN: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def sent(event: gr.EventData, name: str) -> object:
    """Return what a script sent along with its event, or None."""
    data = event._data
    return data.get(name) if isinstance(data, dict) else None
