"""A tiny generator, a tiny untrained tagger and a small tagged set, all through their own files."""

import numpy as np
import pytest
import torch
from PIL import Image

from avatargan.attributes import Taxonomy
from avatargan.tagging.network import TaggerNetwork
from avatargan.tagging.tagger import save_tagger
from tests.conftest import write_generator

GENERATOR_ATTRIBUTES = {
    "style": ["round", "square"],
    "hair": ["pink", "blue", "teal", "unknown"],
    "glasses": ["yes", "no"],
}
#: It does not know the style, nor teal hair, and knows green hair, which cannot be drawn.
TAGGER_ATTRIBUTES = {
    "hair": ["blue", "green", "pink", "unknown"],
    "glasses": ["no", "yes", "unknown"],
}
PICTURES = 240


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Features are cached for each test by itself."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def generator_weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "generator.safetensors"
    write_generator(path, GENERATOR_ATTRIBUTES)
    return path


@pytest.fixture(scope="session")
def tagger_weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tagger.safetensors"
    write_tagger(path, TAGGER_ATTRIBUTES)
    return path


def write_tagger(path, attributes):
    """Write weights of a small untrained tagger."""
    torch.manual_seed(1)
    taxonomy = Taxonomy(attributes)
    network = TaggerNetwork(
        [len(taxonomy.offered(name)) for name in taxonomy], widths=(8, 8, 8, 8), feature_dim=24
    ).eval()
    save_tagger(path, network, taxonomy, dict.fromkeys(taxonomy, 0.1))


@pytest.fixture(scope="session")
def faces(tmp_path_factory):
    """A folder of blotches with tags; some tags are missing, and one hair cannot be drawn."""
    folder = tmp_path_factory.mktemp("faces")
    random = np.random.default_rng(5)
    lines = ["file,hair,glasses"]
    for index in range(PICTURES):
        coarse = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((24, 24)).save(folder / f"{index:03}.png")
        hair = ("pink", "blue", "green", "unknown")[index % 4]
        lines.append(f"{index:03}.png,{hair},{'yes' if index % 3 else 'no'}")
    (folder / "tags.csv").write_text("\n".join(lines) + "\n")
    return folder
