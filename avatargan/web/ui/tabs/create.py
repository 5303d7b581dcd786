"""The Create tab: controls, gallery, and the chosen picture with what can be done to it."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.blocks import Block

from avatargan.errors import OptionError
from avatargan.recipe import vary as vary_recipe
from avatargan.transparency import can_remove_backgrounds
from avatargan.web.ui import controls, widgets
from avatargan.web.ui.cards import card_of, gallery_updates, recipe_from_page
from avatargan.web.ui.context import Context
from avatargan.web.ui.downloads import png_functions
from avatargan.web.ui.events import HIDDEN, sent
from avatargan.web.ui.language import interface_text
from avatargan.web.ui.messages import shown_to_user

NAME = "create"
TITLE = "create_tab"

#: With the character itself they fill the grid.
VARIATIONS = 11


def build(context: Context) -> None:
    """Make the tab's components and events."""
    service = context.service
    with gr.Row(elem_id="studio"):
        with gr.Column(elem_id="controls", min_width=280, scale=0):
            context.controls = controls.build_controls(service)
            button = gr.Button(interface_text("draw"), variant="primary", elem_id="draw")
        with gr.Column(elem_id="pictures", min_width=280, scale=1):
            context.gallery = widgets.gallery()
        with gr.Column(elem_id="chosen", min_width=300, scale=0):
            detail = widgets.widget(
                "detail",
                None,
                events=("vary", "recolour", "reopen"),
                functions=png_functions(service),
                elem_id="detail",
                transparency=can_remove_backgrounds(),
                palette={
                    name: len(service.attributes.offered(name))
                    for name in service.attributes.palette
                },
            )
    _connect(context, button, detail)


def _connect(context: Context, button: gr.Button, detail: gr.HTML) -> None:
    service = context.service
    components = context.controls.components
    everything: set[Block] = set(components)

    def draw_first() -> Iterator[Any]:
        """Show something before the visitor has asked for anything."""
        with shown_to_user(None):
            seeds = controls.seeds_from(service, None, controls.DEFAULT_COUNT)
            recipes = service.recipes(seeds)
            yield from gallery_updates(service.stream(recipes), len(recipes), remember=False)

    def draw(values: dict[Any, Any], request: gr.Request) -> Iterator[Any]:
        with shown_to_user(request):
            wishes = controls.read(service, [values[component] for component in components])
            recipes = controls.recipes_of(service, wishes)
            # The seed of the first picture shows what a lock would hold on to.
            seed = controls.seed_value(recipes[0], locked=wishes.seed is not None)
            for gallery in gallery_updates(service.stream(recipes), len(recipes)):
                yield gallery, seed
                seed = gr.skip()

    def vary(event: gr.EventData, request: gr.Request) -> Iterator[Any]:
        with shown_to_user(request):
            recipe = recipe_from_page(sent(event, "recipe"))
            recipes = [recipe, *vary_recipe(recipe, _strength(event), VARIATIONS)]
            yield from gallery_updates(
                service.stream(recipes), len(recipes), title="variations_title"
            )

    def recolour(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        with shown_to_user(request):
            text, attribute = sent(event, "recipe"), str(sent(event, "attribute"))
            avatars = service.recolour(recipe_from_page(text), attribute)
            cards = [card_of(avatar) for avatar in avatars]
            return {"of": text, "attribute": attribute, "cards": cards}

    def reopen(event: gr.EventData, request: gr.Request) -> list[Any]:
        with shown_to_user(request):
            return controls.values_of(service, recipe_from_page(sent(event, "recipe")))

    context.blocks.load(draw_first, None, context.gallery, **HIDDEN)
    button.click(draw, everything, [context.gallery, context.controls.seed], **HIDDEN)
    detail.vary(vary, None, context.gallery, **HIDDEN)
    detail.recolour(recolour, None, detail, **HIDDEN)
    detail.reopen(reopen, None, components, **HIDDEN)


def _strength(event: gr.EventData) -> float:
    strength = sent(event, "strength")
    if isinstance(strength, bool) or not isinstance(strength, int | float):
        raise OptionError("the strength of a variation must be a number")
    return float(strength)
