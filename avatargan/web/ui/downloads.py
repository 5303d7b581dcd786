"""The files that people keep, drawn when they are asked for."""

from collections.abc import Callable

import gradio as gr

from avatargan.errors import AvatarGanError
from avatargan.web.service import AvatarService
from avatargan.web.ui.cards import png_base64, recipe_from_page
from avatargan.web.ui.messages import explain


def png_function(service: AvatarService) -> Callable[[str, gr.Request], dict[str, str]]:
    """Return the function by which scripts ask for a file.

    Nothing is kept on the server between the picture and its download: the recipe draws the same
    bytes again.
    """

    def png(recipe: str, request: gr.Request) -> dict[str, str]:
        """Return the PNG of a recipe in base64, or what is wrong."""
        try:
            (avatar,) = service.draw([recipe_from_page(recipe)])
        except AvatarGanError as error:
            return {"error": explain(error, request)}
        return {"png": png_base64(avatar)}

    return png
