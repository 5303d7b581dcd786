"""Transparent backgrounds: whether they can be had here, and what makes them.

The one way from the rest of the package to the matting network, which is imported and loaded
when a picture is first to be cut out.
"""

import functools
from typing import Protocol

from PIL import Image

from avatargan.errors import WeightsError
from avatargan.weights_header import SHIPPED_MATTING, shipped_weights


class BackgroundRemover(Protocol):
    """Cuts characters out; threads may share one."""

    def cut_out(self, image: Image.Image) -> Image.Image:
        """Return an RGB picture as RGBA, straight alpha, without its background."""
        ...


def can_remove_backgrounds() -> bool:
    """Tell whether the weights of the matting network are there."""
    return shipped_weights(SHIPPED_MATTING).exists()


@functools.cache
def load_background_remover(engine: str = "auto") -> BackgroundRemover:
    """Return what cuts characters out, the same one every time.

    Args:
        engine: auto, ncnn or torch.

    Raises:
        WeightsError: the weights of the matting network are missing or damaged.
        OptionError: there is no such engine.
        MissingExtraError: the engine is not installed.
    """
    if not can_remove_backgrounds():
        raise WeightsError(
            f"transparent backgrounds need the weights {shipped_weights(SHIPPED_MATTING)}, "
            "which are not there; leave transparency out"
        )
    from avatargan.matting import load_matter

    remover: BackgroundRemover = load_matter(engine=engine)
    return remover
