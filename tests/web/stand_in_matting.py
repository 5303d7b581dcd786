"""A stand-in for the matting network, for servers without its weights: keeps a disc."""

import numpy as np
from PIL import Image

from avatargan import transparency


class DiscRemover:
    """Cuts a disc out of pictures."""

    def cut_out(self, image: Image.Image) -> Image.Image:
        across = np.linspace(-1, 1, image.width)
        inside = across[:, None] ** 2 + across[None, :] ** 2 < 1
        cut = image.copy()
        cut.putalpha(Image.fromarray(np.where(inside, 255, 0).astype(np.uint8)))
        return cut


def install() -> None:
    """Let this process cut out discs; before anything that cuts out is imported."""
    transparency.can_remove_backgrounds = lambda: True
    transparency.load_background_remover = lambda engine="auto": DiscRemover()


def remove() -> None:
    """Let this process find no weights of a matting network."""
    transparency.can_remove_backgrounds = lambda: False
