"""Morphs: animations from one character to the next.

>>> from avatargan import AvatarPipeline
>>> from avatargan.morph import animate, plan_morph, write_animation
>>> pipe = AvatarPipeline.load()
>>> morph = plan_morph(
...     pipe, [3, 14, 15], seconds=6, fps=24, loop=True, hair=["pink", "blue", "white"]
... )
>>> write_animation(animate(pipe, morph), "morph.webp")
"""

from avatargan.morph.animation import animate
from avatargan.morph.clip import Clip
from avatargan.morph.easing import EASINGS
from avatargan.morph.latent_path import LatentPath
from avatargan.morph.metadata import read_morph
from avatargan.morph.output import check_output, encode_animation, write_animation
from avatargan.morph.plan import Morph, plan_morph

__all__ = [
    "EASINGS",
    "Clip",
    "LatentPath",
    "Morph",
    "animate",
    "check_output",
    "encode_animation",
    "plan_morph",
    "read_morph",
    "write_animation",
]
