"""What each choice of an attribute looks like, and pulling a painted part towards that.

Colours are CIE L*a*b* (D65), in which equal steps look equal.
"""

import torch
from torch import Tensor

#: Rows: red, green, blue; columns: X, Y, Z of D65 white 1 (IEC 61966-2-1).
_TO_XYZ = torch.tensor(
    [
        [0.4124564, 0.2126729, 0.0193339],
        [0.3575761, 0.7151522, 0.1191920],
        [0.1804375, 0.0721750, 0.9503041],
    ]
)
_WHITE = torch.tensor([0.95047, 1.0, 1.08883])
_LINEAR_BELOW = (6 / 29) ** 3


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Map sRGB ``[..., 3]`` in [0, 1] to L* in [0, 100], a* and b*."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ / _WHITE
    f = torch.where(xyz > _LINEAR_BELOW, xyz.clamp(min=1e-9) ** (1 / 3), xyz * 7.787037 + 4 / 29)
    x, y, z = f.unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Map L*a*b* ``[..., 3]`` to sRGB in [0, 1], clamped."""
    lightness, a, b = lab.unbind(-1)
    y = (lightness + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], dim=-1)
    xyz = torch.where(f > 6 / 29, f**3, (f - 4 / 29) / 7.787037) * _WHITE
    linear = (xyz @ torch.linalg.inv(_TO_XYZ)).clamp(0, 1)
    rgb = torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgb.clamp(0, 1)


def middle(lab: Tensor, mask: Tensor) -> Tensor:
    """Return the median colour ``[3]`` of the pixels ``[3, H, W]`` where a mask is above a half."""
    inside = lab.permute(1, 2, 0)[mask > 0.5]
    return inside.median(0).values if len(inside) else torch.tensor([50.0, 0.0, 0.0])


def pulled(picture: Tensor, mask: Tensor, colour: Tensor, strength: float = 1.0) -> Tensor:
    """Move a part's colours so that their median comes to ``colour``.

    Lightness moves along a power curve, which leaves black lines black and highlights white; hue
    and chroma move by one step, less where it is nearly black or white.

    Args:
        picture: ``[3, H, W]`` in [-1, 1].
        mask: of the part, ``[H, W]``; the whole picture is changed.
        colour: L*a*b*.
        strength: 0 changes nothing, 1 goes all the way.
    """
    lab = rgb_to_lab((picture.permute(1, 2, 0) + 1) / 2).permute(2, 0, 1)
    now = middle(lab, mask)
    goal = now + strength * (colour - now)
    share = (lab[:1] / 100).clamp(0.001, 1)
    power = torch.log((goal[0] / 100).clamp(0.03, 0.97)) / torch.log(
        (now[0] / 100).clamp(0.03, 0.97)
    )
    lightness = 100 * share**power
    # 1 at the median, 0 at black and at white.
    height = (lightness * (100 - lightness)) / (goal[0] * (100 - goal[0])).clamp(min=1)
    tint = lab[1:] + (goal[1:] - now[1:])[:, None, None] * height.clamp(max=1)
    moved = torch.cat([lightness, tint]).permute(1, 2, 0)
    return (lab_to_rgb(moved) * 2 - 1).permute(2, 0, 1)
