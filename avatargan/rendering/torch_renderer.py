"""Rendering with PyTorch: any device, and the reference for faster ways."""

import copy
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from avatargan.latents import FloatArray
from avatargan.networks import ConditionalGenerator, Upscaler
from avatargan.rendering.base import Pixels, finish, resized, to_unit_range

#: On a graphics card every chunk has this many pictures, the last one filled up with copies.
ACCELERATOR_CHUNK = 16


class TorchRenderer:
    """Draws with PyTorch on cuda, mps or cpu."""

    def __init__(self, generator: ConditionalGenerator, upscaler: Upscaler, device: str) -> None:
        self.device = torch.device(device)
        self.generator = copy.deepcopy(generator).to(self.device).eval()
        self.upscaler = copy.deepcopy(upscaler).to(self.device).eval()
        self.chunk = 1 if device == "cpu" else ACCELERATOR_CHUNK
        name = torch.cuda.get_device_name(self.device) if device == "cuda" else device
        self.description = f"PyTorch on {name}"

    @torch.inference_mode()
    def draw(self, w: Tensor, palette: Tensor, size: int) -> Pixels:
        """See :meth:`avatargan.rendering.base.Renderer.draw`."""
        pictures: list[Pixels] = []
        with _exact_arithmetic(self.device):
            for start in range(0, len(w), self.chunk):
                part = slice(start, start + self.chunk)
                pictures += self._draw_chunk(w[part], palette[part], size)
        return np.stack(pictures) if pictures else np.zeros((0, size, size, 3), np.uint8)

    @torch.inference_mode()
    def enlarge(self, image: FloatArray, size: int) -> Pixels:
        """See :meth:`avatargan.rendering.base.Renderer.enlarge`."""
        upscaled: FloatArray | None = None
        if size > image.shape[-1]:
            planes = torch.from_numpy(to_unit_range(image))[None].to(self.device)
            upscaled = self.upscaler(planes)[0].cpu().numpy()
        return resized(image, upscaled, size)

    def _draw_chunk(self, w: Tensor, palette: Tensor, size: int) -> list[Pixels]:
        count = len(w)
        rows = torch.arange(self.chunk).clamp(max=count - 1)
        images = self.generator.synthesis_from_embedding(
            w[rows].to(self.device), palette[rows].to(self.device)
        )
        enlarged: list[FloatArray | None] = [None] * count
        if size != self.generator.resolution:
            upscaled = self.upscaler(images.clamp(-1, 1).add(1).mul(0.5))
            enlarged = list(upscaled[:count].cpu().numpy())
        planes = images[:count].cpu().numpy()
        return [finish(*pair, size) for pair in zip(planes, enlarged, strict=True)]


def _exact_arithmetic(device: torch.device) -> AbstractContextManager[None]:
    """Keep cuDNN from rounding to tf32 and from choosing algorithms by timing them."""
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
