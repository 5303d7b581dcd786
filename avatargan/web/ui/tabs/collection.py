"""The Collection tab: favourites and history, which live in the visitor's browser alone."""

from typing import Any

import gradio as gr

from avatargan.web.ui import controls, widgets
from avatargan.web.ui.cards import card_of, gallery_value, recipe_from_page
from avatargan.web.ui.context import Context
from avatargan.web.ui.downloads import png_function
from avatargan.web.ui.events import HIDDEN, sent
from avatargan.web.ui.messages import shown_to_user
from avatargan.web.ui.tabs import create

NAME = "collection"
TITLE = "collection_tab"


def build(context: Context) -> None:
    """Make the tab's component and its one event."""
    service = context.service
    collection = widgets.widget(
        "collection",
        events=("reopen",),
        functions=[png_function(service)],
        elem_id="collection",
    )

    def reopen(event: gr.EventData, request: gr.Request) -> list[Any]:
        """Show a picture in the Create tab with every control set to its recipe."""
        with shown_to_user(request):
            recipe = recipe_from_page(sent(event, "recipe"))
            cards = [card_of(avatar) for avatar in service.draw([recipe])]
        return [
            *controls.values_of(service, recipe),
            gallery_value(cards, 1, title="reopened_title", remember=False),
            gr.Tabs(selected=create.NAME),
        ]

    collection.reopen(
        reopen,
        None,
        [*context.controls.components, context.gallery, context.tabs],
        **HIDDEN,
    )
