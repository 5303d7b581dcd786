"""The network for any style: the same for a picture and its mirror image, left for right."""

import json

import pytest
import torch

from avatargan.attributes import Taxonomy
from avatargan.errors import WeightsError
from avatargan.tagging import load_tagger
from avatargan.tagging.regions import RegionNetwork, swaps_of
from avatargan.tagging.tagger import save_tagger
from avatargan.weights import read_weights, write_weights
from avatargan.weights_header import TAGGER_ROLE

ATTRIBUTES = Taxonomy({"hair": ("red", "blue"), "turn": ("left", "front", "right")})
MIRRORED = {"turn": {"left": "right", "right": "left"}}


def small(**more):
    torch.manual_seed(0)
    offered = {name: ATTRIBUTES.offered(name) for name in ATTRIBUTES}
    return RegionNetwork(
        [2, 3],
        swaps=swaps_of(offered, MIRRORED),
        widths=(8, 8, 8, 8),
        fine=8,
        regions=2,
        colours=4,
        joined=8,
        feature_dim=12,
        **more,
    )


def pictures(count=3):
    return torch.rand(count, 3, 128, 128, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_a_mirror_image_looks_the_other_way_and_is_told_alike_otherwise():
    network = small().eval()
    features, (hair, turn) = network.glances(pictures())
    mirrored, (same, other) = network.glances(pictures().flip(3))
    assert torch.allclose(features, mirrored, atol=1e-5)
    assert torch.allclose(hair, same, atol=1e-5)
    assert torch.allclose(turn[:, [2, 1, 0]], other, atol=1e-5)
    assert not torch.allclose(turn, other, atol=1e-5)


def test_folding_changes_nothing():
    network = small(normalised=True)
    network(pictures(8))  # statistics that are not those of the start
    network.eval()
    assert torch.allclose(network(pictures())[1], network.folded()(pictures())[1], atol=1e-4)


def test_a_file_says_what_network_it_is_of(tmp_path):
    path = tmp_path / "tagger.safetensors"
    network = small().eval()
    save_tagger(path, network, ATTRIBUTES, {"hair": 1.0, "turn": 2.0}, mirrored=MIRRORED)
    loaded = load_tagger(path)
    assert loaded.network.swaps == network.swaps
    assert loaded.network.resolution == 128
    told, own = (net.glances(pictures())[1][1] for net in (loaded.network, network))
    assert torch.allclose(told, own, atol=0.05)


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("architecture", "pyramids", "laid out as 'pyramids'"),
        ("mirrored", "[1]", "'mirrored' in the header"),
        ("silences", "{", "'silences' in the header"),
        ("resolution", "64", "is not 128"),
    ],
)
def test_a_header_that_fits_nothing_is_an_error(tmp_path, entry, value, message):
    path = tmp_path / "tagger.safetensors"
    save_tagger(path, small(), ATTRIBUTES, {"hair": 1.0, "turn": 2.0})
    weights = read_weights(path, TAGGER_ROLE)
    write_weights(path, weights.tensors, {**weights.metadata, entry: value})
    with pytest.raises(WeightsError, match=message):
        load_tagger(path)
    assert json.loads(weights.metadata["temperatures"])["turn"] == 2
