"""Cutting characters out: alpha from the matting network, colours free of the old background."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from avatargan.devices import choose_engine
from avatargan.matting.edges import tighten
from avatargan.matting.foreground import estimate_foreground
from avatargan.matting.gaps import open_gaps
from avatargan.matting.loading import load_network
from avatargan.matting.network import SIZES, MattingNetwork

#: The network seldom says exactly 0 or 1; what is this near to them is taken as that.
CERTAIN = 0.03

_Predict = Callable[[Tensor], Tensor]


class Matter:
    """Cuts characters out of pictures, one picture at a time.

    What comes out depends on the picture alone. Threads may share a matter.

    Args:
        network: see :func:`avatargan.matting.loading.load_network`.
        engine: "ncnn" or "torch", which rounds a little differently; "auto" takes ncnn, the
            faster one, where it is installed.

    Attributes:
        description: what the work runs on, in words for people.

    Raises:
        OptionError: there is no such engine.
        MissingExtraError: the engine is not installed.
    """

    def __init__(self, network: MattingNetwork, engine: str = "auto") -> None:
        self._predict, self.description = _load_engine(network.eval(), engine)

    def alpha(self, image: Image.Image) -> NDArray[np.float32]:
        """Return alpha ``[height, width]`` in [0, 1]: 1 where the character is.

        Args:
            image: any mode and size; 128, 256 and 512 pixels square are matted as they are,
                others at the nearest of those above them.
        """
        alpha: NDArray[np.float32] = self._alpha(_pixels(image)).numpy()
        return alpha

    def cut_out(self, image: Image.Image) -> Image.Image:
        """Return the character as RGBA with straight alpha.

        Colours are those of the character alone, under transparent pixels too: neither laying it
        over another ground nor filtering it brings a fringe of the old one.
        """
        picture = _pixels(image)
        # What is seen is 8 bits deep, so that colours must fit the rounded alpha.
        alpha = self._alpha(picture).mul(255).round() / 255
        colours = estimate_foreground(picture, alpha)
        rgba = torch.cat([colours, alpha[None]]).mul(255).add(0.5).to(torch.uint8)
        return Image.fromarray(rgba.permute(1, 2, 0).contiguous().numpy(), "RGBA")

    @torch.inference_mode()
    def _alpha(self, picture: Tensor) -> Tensor:
        height, width = picture.shape[-2:]
        side = next((size for size in SIZES if size >= max(height, width)), SIZES[-1])
        square = picture[None]
        if (height, width) != (side, side):
            square = functional.interpolate(
                square, size=(side, side), mode="bilinear", antialias=True
            )
        alpha = self._predict(square)
        if (height, width) != (side, side):
            alpha = functional.interpolate(
                alpha, size=(height, width), mode="bilinear", antialias=True
            )
        alpha = ((alpha[0, 0] - CERTAIN) / (1 - 2 * CERTAIN)).clamp(0, 1)
        return tighten(picture, open_gaps(picture, alpha))


def load_matter(path: str | os.PathLike[str] | None = None, engine: str = "auto") -> Matter:
    """Return a matter with the weights of a file (the shipped ones by default).

    Raises:
        WeightsError: the file is missing, truncated, of the wrong kind, or inconsistent.
        OptionError: there is no such engine.
        MissingExtraError: the engine is not installed.
    """
    return Matter(load_network(Path(path) if path is not None else None), engine)


def _pixels(image: Image.Image) -> Tensor:
    """Return ``[3, H, W]`` in [0, 1]; what is transparent already counts as white."""
    if image.mode != "RGB":
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(ground, rgba).convert("RGB")
    planes = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
    return planes.float().div_(255)


def _load_engine(network: MattingNetwork, engine: str) -> tuple[_Predict, str]:
    _, engine = choose_engine("cpu", engine)
    if engine == "ncnn":
        from avatargan.matting.ncnn_network import NcnnMattingNetwork

        return NcnnMattingNetwork(network), "ncnn on one CPU thread per picture"
    return lambda pictures: network(pictures).sigmoid(), "PyTorch on cpu"
