"""avatargan: draws anime avatars with chosen attributes.

    >>> from avatargan import AvatarPipeline
    >>> pipe = AvatarPipeline.load()
    >>> avatars = pipe.generate(seeds=[1, 2, 3], hair="pink", eyes=["blue", "red", "any"])
    >>> avatars[0].image, avatars[0].recipe  # a PIL image, and what it was drawn from

Names are loaded when they are used: code that trains imports the networks from machines that
have only torch, numpy, pillow and safetensors.
"""

from typing import TYPE_CHECKING, Any

from avatargan.version import __version__

if TYPE_CHECKING:
    from avatargan.pipeline import Avatar, AvatarPipeline
    from avatargan.recipe import Recipe, Variation, read_recipe, vary

__all__ = [
    "Avatar",
    "AvatarPipeline",
    "Recipe",
    "Variation",
    "__version__",
    "read_recipe",
    "vary",
]

_HOMES = {
    "Avatar": "avatargan.pipeline",
    "AvatarPipeline": "avatargan.pipeline",
    "Recipe": "avatargan.recipe",
    "Variation": "avatargan.recipe",
    "read_recipe": "avatargan.recipe",
    "vary": "avatargan.recipe",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'avatargan' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
