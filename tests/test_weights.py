"""Weights files from strangers load or give a typed error; nothing else."""

import json
import os
import random
import struct
import subprocess
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from avatargan.errors import WeightsError
from avatargan.networks import load_critic, load_generator, load_upscaler
from avatargan.networks.loading import SHIPPED_CRITIC, SHIPPED_GENERATOR, SHIPPED_UPSCALER
from avatargan.weights import FORMAT, read_weights, shipped_weights, write_weights
from tests.conftest import OTHER_ATTRIBUTES, write_generator


def header_of(path):
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + length])["__metadata__"]


def change(source, target, *, metadata=(), tensors=()):
    """Copy weights with entries of the header and tensors replaced (None: left out)."""
    header = {**header_of(source), **dict(metadata)}
    contents = {**load_file(source), **dict(tensors)}
    save_file(
        {name: tensor for name, tensor in contents.items() if tensor is not None},
        target,
        {name: text for name, text in header.items() if text is not None},
    )
    return target


def test_weights_of_another_taxonomy_load(other_weights):
    generator = load_generator(other_weights)
    assert generator.attributes["ears"] == tuple(OTHER_ATTRIBUTES["ears"])
    assert generator.resolution == 32


def test_weights_without_a_style_load(tmp_path):
    write_generator(tmp_path / "plain.safetensors", {"hair": ["red", "blue"]})
    generator = load_generator(tmp_path / "plain.safetensors")
    w = generator.mapping(torch.zeros(1, generator.z_dim))
    assert generator.truncate(w, None, 0.5).shape == (1, generator.w_dim)


def test_written_weights_are_read_back(tmp_path):
    write_weights(
        tmp_path / "w.safetensors", {"a": torch.tensor([0.5])}, {"role": "generator, raw"}
    )
    file = read_weights(tmp_path / "w.safetensors", "generator")
    assert file.metadata == {"format": FORMAT, "role": "generator, raw"}
    assert file.tensors["a"].tolist() == [0.5]
    assert len(file.sha256) == 64


@pytest.mark.parametrize(
    ("name", "load", "expected"),
    [
        (SHIPPED_UPSCALER, load_generator, "expected weights of a generator, found those of a x4"),
        (SHIPPED_GENERATOR, load_upscaler, "expected weights of a x4 upscaler"),
        (SHIPPED_GENERATOR, load_critic, "expected weights of a critic"),
        (
            SHIPPED_CRITIC,
            load_generator,
            "expected weights of a generator, found those of a critic",
        ),
    ],
)
def test_weights_of_the_wrong_kind_say_which(name, load, expected):
    with pytest.raises(WeightsError, match=expected):
        load(shipped_weights(name))


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors: there is no such weights file"):
        load_generator(tmp_path / "nowhere.safetensors")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_generator(tmp_path)


def test_a_truncated_file_is_named(tmp_path):
    content = shipped_weights(SHIPPED_GENERATOR).read_bytes()
    path = tmp_path / "half.safetensors"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match=r"half\.safetensors: truncated"):
        load_generator(path)


def test_safetensors_of_another_project_are_named(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="not weights of this project"):
        load_generator(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"attributes": None}, "no 'attributes'"),
        ({"attributes": "{"}, "not JSON"),
        ({"attributes": '{"style": ["ink"], "ears": ["cat"], "glasses": ["none"]}'}, "expected"),
        ({"attributes": '{"style": ["ink"], "wings": ["two"]}'}, "embed.wings.weight"),
        ({"z_dim": None}, "'z_dim'"),
        ({"z_dim": "-5"}, "'z_dim'"),
        ({"z_dim": "16384"}, "expected"),
        ({"w_dim": "١٦"}, "'w_dim'"),
        ({"resolution": "33"}, "power of two"),
        ({"resolution": "64"}, "blocks.64"),
        ({"resolution": "16"}, "unexpected"),
    ],
)
def test_headers_that_do_not_fit_the_tensors_are_refused(
    other_weights, tmp_path, metadata, message
):
    path = change(other_weights, tmp_path / "changed.safetensors", metadata=metadata)
    with pytest.raises(WeightsError, match=message):
        load_generator(path)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"const": None}, "'const' is missing"),
        ({"more": torch.zeros(1)}, "'more' is unexpected"),
        ({"const": torch.zeros(1, 16, 4, 5)}, r"'const' is \[1, 16, 4, 5\], expected"),
        ({"const": torch.full((1, 16, 4, 4), torch.nan)}, "not finite"),
        ({"const": torch.zeros(1, 16, 4, 4, dtype=torch.int32)}, "expected floats"),
        ({"embed.ears.weight": torch.zeros(4)}, "1 dimensions"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(other_weights, tmp_path, tensors, message):
    path = change(other_weights, tmp_path / "changed.safetensors", tensors=tensors)
    with pytest.raises(WeightsError, match=message):
        load_generator(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(seed=st.integers(0, 2**32))
def test_weights_mutated_at_random_load_or_give_a_weights_error(other_weights, tmp_path, seed):
    chance = random.Random(seed)
    content = bytearray(other_weights.read_bytes())
    header_length = struct.unpack("<Q", content[:8])[0] + 8
    for _ in range(chance.choice([1, 1, 2, 5, 50])):
        # Most of the file is numbers; the header is where the damage is.
        end = header_length if chance.random() < 0.7 else len(content)
        content[chance.randrange(end)] = chance.randrange(256)
    if chance.random() < 0.3:
        del content[chance.randrange(len(content)) :]
    path = tmp_path / "mutated.safetensors"
    path.write_bytes(content)
    try:
        load_generator(path)
    except WeightsError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    "metadata", [{"resolution": "9" * 5000}, {"attributes": '{"hair": ' + "9" * 5000 + "}"}]
)
def test_numbers_of_thousands_of_digits_are_refused(tmp_path, metadata):
    path = tmp_path / "good.safetensors"
    write_generator(path, OTHER_ATTRIBUTES)
    change(path, tmp_path / "bad.safetensors", metadata=metadata)
    with pytest.raises(WeightsError, match="bad"):
        load_generator(tmp_path / "bad.safetensors")


@pytest.mark.parametrize(
    ("convert", "message"),
    [
        (lambda tensor: torch.full_like(tensor, 1e300, dtype=torch.float64), "not finite"),
        (lambda tensor: torch.full_like(tensor, torch.nan).to(torch.float8_e5m2), "not finite"),
    ],
)
def test_tensors_of_other_types_are_looked_at_as_float32(tmp_path, convert, message):
    path = tmp_path / "good.safetensors"
    write_generator(path, OTHER_ATTRIBUTES)
    name, tensor = next(iter(load_file(path).items()))
    change(path, tmp_path / "bad.safetensors", tensors={name: convert(tensor)})
    with pytest.raises(WeightsError, match=message):
        load_generator(tmp_path / "bad.safetensors")


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(WeightsError, match="a pipe or a device"):
        load_generator(tmp_path / "pipe.safetensors")


@pytest.mark.slow
def test_the_same_weights_give_the_same_bytes_in_every_process(tmp_path):
    """Recipes name weights by their SHA-256: writing them again must not change it."""
    code = (
        "import sys, torch\n"
        "from avatargan.weights import write_weights\n"
        "metadata = {name: name * 2 for name in ('role', 'resolution', 'z_dim', 'attributes')}\n"
        "write_weights(sys.argv[1], {'b': torch.ones(3), 'a': torch.zeros(2, 2)}, metadata)"
    )
    files = [tmp_path / f"{number}.safetensors" for number in range(3)]
    for file in files:
        subprocess.run([sys.executable, "-c", code, file], check=True)
    assert len({file.read_bytes() for file in files}) == 1
    assert load_file(files[0])["b"].tolist() == [1, 1, 1]
