"""The files that people keep, drawn when they are asked for."""

from collections.abc import Callable

import gradio as gr

from avatargan.errors import AvatarGanError
from avatargan.transparency import can_remove_backgrounds
from avatargan.web.service import AvatarService
from avatargan.web.ui.cards import png_base64, recipe_from_page
from avatargan.web.ui.messages import explain

FileFunction = Callable[[str, gr.Request], dict[str, str]]


def png_function(service: AvatarService) -> FileFunction:
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


def png_functions(service: AvatarService) -> list[FileFunction]:
    """Return :func:`png_function`, and that of transparent files where they can be had."""

    def transparent_png(recipe: str, request: gr.Request) -> dict[str, str]:
        """Return the PNG of a recipe without its background in base64, or what is wrong."""
        try:
            (avatar,) = service.draw([recipe_from_page(recipe)])
            avatar = service.cut_out(avatar)
        except AvatarGanError as error:
            return {"error": explain(error, request)}
        return {"png": png_base64(avatar)}

    return [png_function(service), *([transparent_png] if can_remove_backgrounds() else [])]
