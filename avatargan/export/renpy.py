"""Ren'Py: names of images, and the script that defines them.

Ren'Py by itself would call ``eileen_happy.png`` the image "eileen_happy"; the script makes it
"eileen happy", tag and attributes, so that ``show eileen happy`` finds it.
"""

import re
from collections.abc import Iterable, Iterator

from avatargan.errors import OptionError
from avatargan.export.templates import SUFFIX

# What Ren'Py's script language keeps for itself cannot be part of an image's name.
_KEYWORDS = frozenset(
    [
        "as",
        "at",
        "behind",
        "call",
        "expression",
        "hide",
        "if",
        "in",
        "image",
        "init",
        "jump",
        "menu",
        "onlayer",
        "python",
        "return",
        "scene",
        "show",
        "transform",
        "while",
        "window",
        "with",
        "zorder",
    ]
)
_TAG = re.compile(r"[a-z][a-z0-9]*")
_COMPONENT = re.compile(r"[a-z0-9][a-z0-9-]*")


def check_tag(tag: str) -> str:
    """Return an image tag.

    Raises:
        OptionError: it is not a word of lower-case letters and digits, or Ren'Py keeps it.
    """
    if not _TAG.fullmatch(tag) or tag in _KEYWORDS:
        raise OptionError(
            f"'{tag}' cannot be a Ren'Py image tag; take one lower-case word, such as eileen"
        )
    return tag


def image_name(stem: str) -> str:
    """Return the name of the image of a file: "eileen happy" for ``eileen_happy``."""
    return stem.replace("_", " ")


def check_image_name(stem: str) -> str:
    """Return the stem of a file name whose parts are a tag and attributes.

    Raises:
        OptionError: a part cannot be an image attribute of Ren'Py.
    """
    for part in stem.split("_"):
        if not _COMPONENT.fullmatch(part) or part in _KEYWORDS:
            raise OptionError(
                f"the file name '{stem}' is none for Ren'Py: between underscores there must be "
                f"lower-case letters and digits, not '{part}'"
            )
    return stem


def script(tag: str, files: Iterable[str]) -> Iterator[bytes]:
    """Yield the lines of a script that defines an image for every file."""
    yield f"# Images of {tag}; this goes into game/, the pictures into game/images/.\n".encode()
    for file in files:
        yield f'image {image_name(file.removesuffix(SUFFIX))} = "{file}"\n'.encode()
