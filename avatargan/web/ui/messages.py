"""Errors of the package as messages in the browser's language."""

from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from avatargan.errors import AvatarGanError, BusyError, PictureError, RecipeError
from avatargan.web.ui.language import FALLBACK, language_of, message


def explain(error: AvatarGanError, request: gr.Request | None) -> str:
    """Return one line for people: in English the error's own, elsewhere what it amounts to.

    The package's messages are English; a translated sentence comes first where there is one, and
    the original follows for its details.
    """
    if language_of(request) == FALLBACK:
        return str(error)
    return f"{message(request, _kind(error))} ({error})"


@contextmanager
def shown_to_user(request: gr.Request | None) -> Iterator[None]:
    """Turn errors that the user can mend into a toast.

    Raises:
        gr.Error: in place of an ``AvatarGanError``.
    """
    try:
        yield
    except AvatarGanError as error:
        raise gr.Error(explain(error, request), print_exception=False) from error


def _kind(error: AvatarGanError) -> str:
    if isinstance(error, BusyError):
        return "busy"
    if isinstance(error, PictureError):
        return "unreadable"
    if isinstance(error, RecipeError):
        return "recipe"
    return "refused"
