"""The network of the tagger for any style: it looks at 128 px, and reads colours where they are.

The trunk is that of :mod:`avatargan.tagging.network`, on a copy of 64 px: it finds out what is
where. From its maps, brought together from coarse to fine (as in "Feature Pyramid Networks",
arXiv 1612.03144), come a few attention maps; what is seen at full size is averaged under each of
them. So the colour of an iris of some pixels does not have to survive down to a map of 4 x 4. With
the same trunk, training can start from weights of the other network.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatargan.tagging.network import LAST_SIZE, ConvUnit, ResidualBlock, TaggerNetwork

#: The name of this layout in the header of weights.
ARCHITECTURE = "regions"
#: Side of the pictures it takes, in pixels.
RESOLUTION = 128
#: Side of the maps that say where the colours are read.
REGION_SIZE = 64

WIDTHS = (32, 64, 128, 192)
FINE = 16
REGIONS = 6
COLOURS = 24
JOINED = 32
FEATURES = 256


class RegionNetwork(nn.Module):
    """Maps faces to features, and features to scores for every choice of every attribute.

    Args:
        choices: how many choices each attribute has.
        swaps: of choices that trade places when a picture is mirrored, the indices into all
            scores, in pairs.
        widths: channels of the trunk at 32, 16, 8 and 4 px.
        fine: channels of what is seen at full size.
        regions: how many attention maps.
        colours: width of what is said of each pixel's colour.
        joined: channels of the maps that are brought together.
        feature_dim: width of the features that all scores are read from.
        normalised: with batch normalisation, for training; see :meth:`folded`.
    """

    def __init__(
        self,
        choices: Sequence[int],
        *,
        swaps: Sequence[tuple[int, int]] = (),
        widths: Sequence[int] = WIDTHS,
        fine: int = FINE,
        regions: int = REGIONS,
        colours: int = COLOURS,
        joined: int = JOINED,
        feature_dim: int = FEATURES,
        normalised: bool = False,
    ) -> None:
        super().__init__()
        self.resolution = RESOLUTION
        self.choices = tuple(choices)
        self.swaps = tuple(swaps)
        self.widths = tuple(widths)
        self.fine_width, self.regions = fine, regions
        self.colours, self.joined = colours, joined
        self.feature_dim = feature_dim
        self.stem = ConvUnit(12, widths[0], normalised=normalised)
        self.down = nn.ModuleList(
            ConvUnit(wide, narrow, stride=2, normalised=normalised)
            for wide, narrow in pairwise(widths)
        )
        self.blocks = nn.ModuleList(
            ResidualBlock(width, normalised=normalised) for width in widths[1:]
        )
        self.fine = ConvUnit(12, fine, normalised=normalised)
        self.lateral = nn.ModuleList(nn.Conv2d(width, joined, 1) for width in widths)
        self.where = ConvUnit(joined, joined, normalised=normalised)
        self.maps = nn.Conv2d(joined, regions, 1)
        self.colour0 = nn.Conv2d(3, colours, 1)
        self.colour1 = nn.Conv2d(colours, colours, 1)
        seen = widths[-1] * LAST_SIZE**2 + regions * (colours + fine + joined)
        self.features = nn.Linear(seen, feature_dim)
        # One layer for all attributes: their names would otherwise have to be names of modules.
        self.scores = nn.Linear(feature_dim, sum(choices))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features ``[B, F]``, all scores ``[B, choices]``, maps ``[B, regions, 32, 32]``.

        Args:
            image: ``[B, 3, 128, 128]`` in [-1, 1].
        """
        small = functional.avg_pool2d(image, 2)
        x = functional.relu(self.stem(functional.pixel_unshuffle(small, 2)))
        levels = [x]
        for down, block in zip(self.down, self.blocks, strict=True):
            x = block(functional.relu(down(x)))
            levels.append(x)
        joined = self.lateral[-1](x)
        for lateral, level in zip(self.lateral[-2::-1], levels[-2::-1], strict=True):
            joined = functional.interpolate(joined, scale_factor=2.0) + lateral(level)
        joined = functional.relu(self.where(functional.relu(joined)))
        logits = self.maps(joined)
        spread = functional.interpolate(logits, scale_factor=2.0, mode="bilinear").flatten(2)
        fine = functional.relu(self.fine(functional.pixel_unshuffle(image, 2)))
        colours = functional.relu(self.colour1(functional.relu(self.colour0(small))))
        pixels = torch.cat([colours, fine], 1).flatten(2)
        under = torch.bmm(spread.softmax(2), pixels.transpose(1, 2))
        around = torch.bmm(logits.flatten(2).softmax(2), joined.flatten(2).transpose(1, 2))
        seen = torch.cat([x.flatten(1), under.flatten(1), around.flatten(1)], 1)
        features = functional.relu(self.features(seen))
        return features, self.scores(features), logits

    def glances(self, image: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the mean features ``[B, F]`` and scores of a picture and its mirror image.

        Scores are ``[B, choices]`` for each attribute; choices that a mirror swaps are swapped
        back. So a picture and its mirror image are told alike, left for right.
        """
        features, scores, _ = self(torch.cat([image, image.flip(3)]))
        (plain, mirrored), (straight, other) = features.chunk(2), scores.chunk(2)
        order = list(range(sum(self.choices)))
        for one, two in self.swaps:
            order[one], order[two] = order[two], order[one]
        mean = (straight + other[:, order]) / 2
        return (plain + mirrored) / 2, mean.split(self.choices, dim=1)

    @torch.no_grad()
    def folded(self) -> "RegionNetwork":
        """Return a network of the same function, as it is in evaluation, without normalisation."""
        folded = RegionNetwork(
            self.choices,
            swaps=self.swaps,
            widths=self.widths,
            fine=self.fine_width,
            regions=self.regions,
            colours=self.colours,
            joined=self.joined,
            feature_dim=self.feature_dim,
        )
        folded.load_state_dict(self.state_dict(), strict=False)
        for name, module in self.named_modules():
            if isinstance(module, ConvUnit):
                parent, _, child = name.rpartition(".")
                setattr(folded.get_submodule(parent), child, module.folded())
        return folded.eval().requires_grad_(False)


@torch.no_grad()
def start_from(
    network: RegionNetwork, other: TaggerNetwork | RegionNetwork, places: Mapping[int, int]
) -> None:
    """Let a network without normalisation begin with what another knows.

    At first it says the same. Where the other sees one size only, what is seen at full size adds
    nothing to the features yet.

    Args:
        network: has the same widths.
        other: without normalisation.
        places: indices into all scores of the network, and those of the other that mean the same.
    """
    known = {
        name: tensor
        for name, tensor in other.state_dict().items()
        if not name.startswith(("scores.", "features."))
    }
    network.load_state_dict(known, strict=False)
    width = other.features.weight.shape[1]
    network.features.weight[:, :width] = other.features.weight
    network.features.weight[:, width:] = 0
    network.features.bias.copy_(other.features.bias)
    for place, there in places.items():
        network.scores.weight[place] = other.scores.weight[there]
        network.scores.bias[place] = other.scores.bias[there]


def swaps_of(
    attributes: Mapping[str, Sequence[str]], mirrored: Mapping[str, Mapping[str, str]]
) -> list[tuple[int, int]]:
    """Return the indices into all scores that a mirror swaps.

    Args:
        attributes: the offered choices of each attribute, in order.
        mirrored: of some attributes, choices and what they are in a mirror.
    """
    pairs = []
    start = 0
    for name, choices in attributes.items():
        for one, other in mirrored.get(name, {}).items():
            if one in choices and other in choices and one < other:
                pairs.append((start + choices.index(one), start + choices.index(other)))
        start += len(choices)
    return pairs
