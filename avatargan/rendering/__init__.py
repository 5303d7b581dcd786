"""Rendering: latents to pixels, on whatever the machine has.

A renderer draws each picture by itself or in chunks of one fixed size, so that on one machine a
picture's bytes do not depend on how many others are drawn with it: convolution libraries choose
their algorithms, and with them the last bits, by the size of the batch.
"""

from avatargan.rendering.base import Renderer
from avatargan.rendering.create import create_renderer

__all__ = ["Renderer", "create_renderer"]
