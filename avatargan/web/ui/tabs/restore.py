"""The Restore tab: a PNG goes in, and every control returns to its recipe."""

from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from avatargan.errors import AvatarGanError
from avatargan.pictures import open_picture
from avatargan.recipe import Recipe
from avatargan.transparency import can_remove_backgrounds
from avatargan.web.service import AvatarService
from avatargan.web.ui import controls, widgets
from avatargan.web.ui.cards import card_of, describe, gallery_value, now
from avatargan.web.ui.context import Context
from avatargan.web.ui.endpoints import decode_base64
from avatargan.web.ui.events import HIDDEN, sent
from avatargan.web.ui.messages import explain
from avatargan.web.ui.tabs import create

NAME = "restore"
TITLE = "restore_tab"

#: Larger than any PNG that the app gives out, smaller than the server's limit of a request.
LARGEST_FILE_BYTES = 5 * 1024 * 1024
#: Other devices round differently by this much.
CLOSE = 2


def build(context: Context) -> None:
    """Make the tab's component and its events."""
    service = context.service
    restore = widgets.widget(
        "restore",
        events=("restore", "open"),
        elem_id="restore",
        largest=LARGEST_FILE_BYTES,
    )
    components = context.controls.components

    def read(event: gr.EventData, request: gr.Request) -> list[Any]:
        result, *others = answer(event, request)
        # The same file again gives the same answer: the time makes it news to the page.
        return [{**result, "answered": now()}, *others]

    def answer(event: gr.EventData, request: gr.Request) -> list[Any]:
        untouched = [gr.skip()] * (len(components) + 1)
        try:
            png = decode_base64(sent(event, "png"), LARGEST_FILE_BYTES)
            recipe = service.read_recipe(png)
            if recipe.weights_sha256 != service.pipeline.weights_sha256:
                result: dict[str, Any] = {"status": "other_weights", "card": describe(recipe)}
                return [result, *controls.values_of(service, recipe), gr.skip()]
            result = _redraw(service, recipe, png)
        except AvatarGanError as error:
            return [{"status": "refused", "message": explain(error, request)}, *untouched]
        gallery = gallery_value([result["card"]], 1, title="restored_title")
        return [result, *controls.values_of(service, recipe), gallery]

    restore.restore(read, None, [restore, *components, context.gallery], **HIDDEN)
    restore.open(lambda: gr.Tabs(selected=create.NAME), None, context.tabs, **HIDDEN)


def _redraw(service: AvatarService, recipe: Recipe, png: bytes) -> dict[str, Any]:
    """Draw the recipe and compare it with the picture that it came in."""
    (avatar,) = service.draw([recipe])
    picture = open_picture(png)
    if picture.mode == "RGBA" and can_remove_backgrounds():
        avatar = service.cut_out(avatar)
    difference = _largest_difference(picture, avatar.image)
    if difference is None or difference > CLOSE:
        status = "different"
    else:
        status = "close" if difference else "identical"
    return {"status": status, "card": card_of(avatar)}


def _largest_difference(first: Image.Image, second: Image.Image) -> int | None:
    """Return by how much of 255 two pictures differ at most; None for different sizes."""
    if first.size != second.size:
        return None
    a, b = (np.asarray(image.convert("RGBA"), dtype=np.int16) for image in (first, second))
    return int(np.abs(a - b).max())
