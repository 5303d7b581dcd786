"""The x4 upscaler: a small residual network with sub-pixel output (arXiv 1609.05158)."""

from torch import Tensor, nn
from torch.nn import functional

from avatargan.sizes import SCALE


class Upscaler(nn.Module):
    """Enlarges pictures four times, adding what bilinear interpolation cannot know.

    Args:
        channels: feature channels of the body.
        depth: convolutions in the body.
    """

    def __init__(self, channels: int = 48, depth: int = 10) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth))
        self.activations = nn.ModuleList(nn.PReLU(channels) for _ in range(depth + 1))
        self.tail = nn.Conv2d(channels, 3 * SCALE**2, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Map ``[B, 3, H, W]`` in [0, 1] to ``[B, 3, 4H, 4W]`` in about [0, 1], not clamped."""
        x = self.activations[0](self.head(image))
        for conv, activation in zip(self.body, self.activations[1:], strict=True):
            x = activation(conv(x))
        enlarged = functional.interpolate(
            image, scale_factor=SCALE, mode="bilinear", align_corners=False
        )
        return functional.pixel_shuffle(self.tail(x), SCALE) + enlarged
