"""ONNX models give what PyTorch gives."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from avatargan.errors import OptionError, OutputError
from avatargan.latents import FloatArray
from avatargan.networks.loading import generator_from_weights
from avatargan.onnx_export import INDEX, export_onnx, models
from avatargan.weights import read_weights
from avatargan.weights_header import GENERATOR_ROLE, SHIPPED_GENERATOR, shipped_weights

TOLERANCE = 1e-4


def run(path: Path, **inputs: FloatArray) -> FloatArray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, inputs)
    return np.asarray(output)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model of the shipped weights, as the command writes them."""
    folder = tmp_path_factory.mktemp("onnx")
    command = [sys.executable, "-m", "avatargan", "export-onnx", "--out", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert {Path(row["file"]) for row in json.loads(done.stdout)} == set(folder.iterdir())
    return folder


def test_every_model_gives_what_its_network_gives_at_any_batch_size(folder: Path) -> None:
    generator = generator_from_weights(
        read_weights(shipped_weights(SHIPPED_GENERATOR), GENERATOR_ROLE)
    )
    torch.manual_seed(1)
    for name, model in models(generator).items():
        for batch in (1, 3):
            inputs = {
                key: torch.rand(batch, *example.shape[1:])
                if example.is_floating_point()
                else torch.arange(batch) % 2
                for key, example in model.inputs.items()
            }
            with torch.no_grad():
                expected = model.network(*inputs.values()).numpy()
            given = run(folder / f"{name}.onnx", **{k: v.numpy() for k, v in inputs.items()})
            assert np.abs(given - expected).max() < TOLERANCE, name


def test_the_index_holds_what_drawing_needs_beside_the_networks(folder: Path) -> None:
    index = json.loads((folder / INDEX).read_text())
    weights = read_weights(shipped_weights(SHIPPED_GENERATOR), GENERATOR_ROLE)
    generator = generator_from_weights(weights)
    assert index["weights_sha256"] == weights.sha256
    assert np.array_equal(np.float32(index["w_mean"]), generator.w_mean.numpy())
    for name in generator.attributes.palette:
        table = generator.embed[name].weight.detach().numpy()  # type: ignore[union-attr]
        assert np.array_equal(np.float32(index["embeddings"][name]), table)


def test_weights_take_half_the_bytes(folder: Path) -> None:
    size = (folder / "synthesis.onnx").stat().st_size
    assert size < 1.05 * shipped_weights(SHIPPED_GENERATOR).stat().st_size


def test_weights_of_any_taxonomy_are_exported(other_weights: Path, tmp_path: Path) -> None:
    *_, index = export_onnx(tmp_path, other_weights, only=["mapping", "synthesis"])
    generator = generator_from_weights(read_weights(other_weights, GENERATOR_ROLE))
    w = torch.randn(2, generator.blocks_of_w, generator.w_dim)
    palette = torch.randn(2, generator.palette_dim)
    with torch.no_grad():
        expected = generator.synthesis_from_embedding(w, palette).numpy()
    given = run(tmp_path / "synthesis.onnx", w=w.numpy(), palette=palette.numpy())
    assert np.abs(given - expected).max() < TOLERANCE
    assert json.loads(index.read_text())["attributes"]["ears"] == ["cat", "fox", "round", "unknown"]


def test_files_that_are_there_stay(other_weights: Path, tmp_path: Path) -> None:
    (tmp_path / "mapping.onnx").write_text("mine")
    with pytest.raises(OutputError, match=r"mapping\.onnx"):
        export_onnx(tmp_path, other_weights, only=["mapping"])
    assert (tmp_path / "mapping.onnx").read_text() == "mine"


def test_an_unknown_model_is_named(other_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"no model 'maping'.*mapping"):
        export_onnx(tmp_path, other_weights, only=["maping"])
