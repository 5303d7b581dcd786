"""Transparent backgrounds: alpha mattes with soft edges, and colours without a fringe.

>>> from avatargan.matting import load_matter
>>> matter = load_matter()
>>> matter.cut_out(avatar.image).save("avatar.png")  # RGBA, straight alpha
"""

from avatargan.matting.matter import Matter, load_matter

__all__ = ["Matter", "load_matter"]
