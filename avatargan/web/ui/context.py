"""What the tabs share while the app is being built."""

from dataclasses import dataclass, field

import gradio as gr

from avatargan.web.service import AvatarService
from avatargan.web.ui.controls import Controls


@dataclass
class Context:
    """Handed to every tab's ``build``.

    Attributes:
        service: what draws.
        blocks: the app, for its ``load`` event.
        tabs: the row of tabs; return ``gr.Tabs(selected=NAME)`` to it to show one.
        controls: the controls of the Create tab, which other tabs set to a recipe.
        gallery: the pictures of the Create tab; see :func:`avatargan.web.ui.cards.gallery_value`.
    """

    service: AvatarService
    blocks: gr.Blocks
    tabs: gr.Tabs
    controls: Controls = field(init=False)
    gallery: gr.HTML = field(init=False)
