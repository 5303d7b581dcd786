"""The tagger says the same of a picture in whatever company, and is right about drawings."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from avatargan.errors import OptionError, WeightsError
from avatargan.tagging import load_tagger
from avatargan.tagging.evaluation import evaluate
from avatargan.tagging.network import TaggerNetwork
from avatargan.tagging.tagger import to_unit


def pictures(count, side=64):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_normalisation_folded_into_convolutions_changes_nothing():
    torch.manual_seed(0)
    network = TaggerNetwork([3, 2], widths=(8, 12, 16, 20), feature_dim=10, normalised=True)
    images = to_unit(torch.from_numpy(pictures(24)).permute(0, 3, 1, 2))
    for _ in range(3):
        network(images)  # fills in the means and variances
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    features, scores = network.eval()(images)
    folded_features, folded_scores = network.folded()(images)
    torch.testing.assert_close(folded_features, features, atol=1e-4, rtol=1e-4)
    for own, folded in zip(scores, folded_scores, strict=True):
        torch.testing.assert_close(folded, own, atol=1e-4, rtol=1e-4)
    assert not any("norm" in name for name in network.folded().state_dict())


@pytest.mark.parametrize("count", [1, 15, 16, 17, 40])
def test_what_is_said_of_a_picture_does_not_depend_on_its_company(untrained, count):
    tagger = load_tagger(untrained)
    many = tagger.look(pictures(40))
    few = tagger.look(pictures(40)[:count])
    np.testing.assert_array_equal(few.features, many.features[:count])
    np.testing.assert_array_equal(few.shapes, many.shapes[:count])
    for name, own in few.probabilities.items():
        np.testing.assert_array_equal(own, many.probabilities[name][:count])


def test_no_pictures_are_fine(untrained):
    tagger = load_tagger(untrained)
    assert tagger.features(pictures(0)).shape == (0, 12)
    assert {n: p.shape for n, p in tagger.probabilities(pictures(0)).items()} == {
        "ears": (0, 2),
        "mood": (0, 3),
    }


def test_probabilities_are_of_the_offered_choices_and_add_up_to_one(untrained):
    tagger = load_tagger(untrained)
    for name, own in tagger.probabilities(pictures(5)).items():
        assert own.dtype == np.float32
        assert own.shape == (5, len(tagger.attributes.offered(name)))
        np.testing.assert_allclose(own.sum(1), 1, atol=1e-5)


def test_mirror_images_are_told_alike(untrained):
    tagger = load_tagger(untrained)
    one, other = tagger.look(pictures(4)), tagger.look(pictures(4)[:, :, ::-1])
    np.testing.assert_allclose(one.features, other.features, atol=1e-5)
    assert not np.allclose(one.shapes, other.shapes)


def test_pictures_of_any_size_are_taken_and_their_middle_counts(untrained):
    tagger = load_tagger(untrained)
    small = pictures(2)
    large = small.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(tagger.features(small), tagger.features(large))
    wide = np.pad(small, ((0, 0), (0, 0), (8, 8), (0, 0)))
    np.testing.assert_array_equal(tagger.features(small), tagger.features(wide))


@pytest.mark.parametrize(
    "wrong",
    [pictures(2)[0], pictures(2)[..., :1], pictures(2).astype(np.float32)],
    ids=["one picture", "one channel", "floats"],
)
def test_what_is_no_batch_of_pictures_is_refused(untrained, wrong):
    with pytest.raises(OptionError, match=r"must be uint8 \[N, H, W, 3\]"):
        load_tagger(untrained).features(wrong)


def rewritten(source, target, tensors=None, **metadata):
    with safe_open(source, framework="pt") as file:
        kept = {**file.metadata(), **metadata}
    changed = {**load_file(source), **(tensors or {})}
    save_file(changed, target, {name: value for name, value in kept.items() if value is not None})
    return target


@pytest.mark.parametrize(
    ("metadata", "tensors", "message"),
    [
        ({"role": "critic"}, {}, "expected weights of a tagger"),
        ({"resolution": "128"}, {}, "resolution in the header is not 64"),
        ({"temperatures": None}, {}, "no 'temperatures'"),
        ({"temperatures": '{"ears": 1}'}, {}, "no 'temperatures'"),
        ({"temperatures": '{"ears": 0, "mood": 1}'}, {}, "not above 0"),
        ({"temperatures": '{"ears": NaN, "mood": 1}'}, {}, "not above 0"),
        ({"attributes": '{"ears": ["cat", "fox"]}'}, {}, "expected"),
        ({}, {"scores.bias": torch.tensor([1.0, float("nan"), 0, 0, 0])}, "not finite"),
        ({}, {"down.3.conv.weight": torch.zeros(8, 8, 3, 3)}, "5 levels"),
    ],
)
def test_damaged_weights_are_refused(untrained, tmp_path, metadata, tensors, message):
    path = rewritten(untrained, tmp_path / "wrong.safetensors", tensors, **metadata)
    with pytest.raises(WeightsError, match=message):
        load_tagger(path)


def test_truncated_weights_are_refused(untrained, tmp_path):
    path = tmp_path / "short.safetensors"
    shutil.copy(untrained, path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(WeightsError, match="truncated"):
        load_tagger(path)


def test_the_shipped_tagger_sees_the_colours_that_drawings_were_asked_for(shipped, drawn):
    images, wanted = drawn
    for name, least in (("hair", 0.93), ("eyes", 0.85)):
        offered = shipped.attributes.offered(name)
        told = shipped.probabilities(images)[name].argmax(1)
        right = [offered[i] == each[name] for i, each in zip(told, wanted, strict=True)]
        assert np.mean(right) >= least, name


def test_the_shipped_tagger_has_the_choices_of_the_shipped_generator(shipped, pipe):
    for name in ("hair", "eyes"):
        assert shipped.attributes.offered(name) == pipe.attributes.offered(name)


def test_the_shipped_tagger_loads_with_torch_numpy_pillow_and_safetensors_alone():
    """Training machines have no more."""
    code = (
        "import sys\n"
        "for name in ('gradio', 'cv2', 'pydantic', 'typer', 'tqdm', 'ncnn', 'sklearn', 'scipy',\n"
        "             'matplotlib'):\n"
        "    sys.modules[name] = None\n"
        "from avatargan.tagging import load_tagger\n"
        "import avatargan.tagging.training, avatargan.tagging.checkpoint, numpy\n"
        "print(load_tagger().features(numpy.zeros((1, 64, 64, 3), numpy.uint8)).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("(1, ")


@pytest.mark.slow
def test_the_shipped_tagger_on_real_held_out_faces(shipped, shared, tmp_path):
    from avatargan.dataset import open_dataset

    data = open_dataset(shared / "data" / "tagged-faces-64.tar").split("test")
    assert json.dumps(sorted(data.attributes)) == '["eyes", "hair"]'
    figures = evaluate(shipped, data, data.decoded(64, tmp_path))
    assert figures["hair"].count > 1500
    # Rounding differs between CPUs, and with it the tags of a picture or two.
    assert figures["hair"].accuracy >= 0.98
    assert figures["eyes"].accuracy >= 0.97 - 2 / figures["eyes"].count
    assert figures["hair"].calibration_error < 0.03
    assert figures["eyes"].calibration_error < 0.03
