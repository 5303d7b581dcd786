"""Features: independent of the batch, resized as published, and only from files that fit."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avatargan.errors import WeightsError
from avatargan.evaluation import load_inception, load_lpips
from avatargan.evaluation.evaluation import ThreadedJudge
from avatargan.evaluation.features import PixelFeatures, resize_as_published
from avatargan.tagging import load_tagger


class LooksLikeInception(torch.nn.Module):
    """2,048 numbers of a 299 px picture, the first three its corner and its middle."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert list(x.shape[1:]) == [3, 299, 299]
        means = x.mean(dim=3).flatten(1)  # [B, 897]
        result = torch.zeros(x.shape[0], 2048)
        result[:, : means.shape[1]] = means
        result[:, -3:] = x[:, :, 0, 0]
        return result


class LooksLikeLpips(torch.nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).square().mean(dim=[1, 2, 3], keepdim=True)


class GivesTooLittle(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=[2, 3])


def save_script(module, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(module), path)
    return path


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory):
    return save_script(LooksLikeInception(), tmp_path_factory.mktemp("nets") / "inception.pt")


def pictures(seed, count, size=20):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def published_resize(plane, side):
    """TensorFlow 1's resize_bilinear, pixel by pixel, as its kernel is written."""
    height, width = plane.shape
    result = np.zeros((side, side))
    for row in range(side):
        for column in range(side):
            y, x = row * height / side, column * width / side
            top, left = int(y), int(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            upper = plane[top, left] + (plane[top, right] - plane[top, left]) * (x - left)
            lower = plane[bottom, left] + (plane[bottom, right] - plane[bottom, left]) * (x - left)
            result[row, column] = upper + (lower - upper) * (y - top)
    return result


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), old=st.integers(1, 12), new=st.integers(1, 25))
def test_pictures_are_resized_as_the_first_implementation_did(seed, old, new):
    plane = np.random.default_rng(seed).random((old, old))
    found = resize_as_published(torch.tensor(plane)[None, None].float(), new)[0, 0]
    assert found.numpy() == pytest.approx(published_resize(plane, new), abs=1e-5)


def test_inception_sees_values_as_published(inception_file):
    inception = load_inception(inception_file)
    colours = np.zeros((3, 8, 8, 3), np.uint8)
    colours[1], colours[2] = 128, 255
    features = inception.features(colours)
    assert features.shape == (3, 2048)
    assert features[:, -1].tolist() == [-1, 0, 0.9921875]


def test_features_do_not_depend_on_the_batch(inception_file, tagger_weights):
    faces = pictures(1, 21)
    tagger = ThreadedJudge(load_tagger(tagger_weights))
    for extractor in (load_inception(inception_file), PixelFeatures(), tagger):
        whole = extractor.features(faces)
        parts = np.concatenate([extractor.features(faces[:1]), extractor.features(faces[1:])])
        assert whole.tobytes() == parts.tobytes()
    whole = tagger.probabilities(faces)
    assert whole["hair"].shape == (21, 3)
    assert whole["hair"][5:6].tobytes() == tagger.probabilities(faces[5:6])["hair"].tobytes()


def test_lpips_gives_a_distance_for_each_pair(tmp_path):
    lpips = load_lpips(save_script(LooksLikeLpips(), tmp_path / "lpips.pt"))
    one, other = pictures(1, 11), pictures(2, 11)
    difference = one.astype(float) / 127.5 - other.astype(float) / 127.5
    expected = np.square(difference).mean((1, 2, 3))
    assert lpips.distances(one, other) == pytest.approx(expected, rel=1e-5)
    assert lpips.distances(one[3:4], other[3:4])[0] == lpips.distances(one, other)[3]


def test_files_that_do_not_fit_are_refused(tmp_path, inception_file):
    with pytest.raises(WeightsError, match=r"missing\.pt: there is no such TorchScript file"):
        load_inception(tmp_path / "missing.pt")
    with pytest.raises(WeightsError, match="not a TorchScript file"):
        load_inception(tmp_path)
    text = tmp_path / "text.pt"
    text.write_text("no network")
    with pytest.raises(WeightsError, match=r"text\.pt: not a TorchScript file"):
        load_inception(text)
    small = save_script(GivesTooLittle(), tmp_path / "small.pt")
    with pytest.raises(WeightsError, match=r"gives \[3\] numbers per picture"):
        load_inception(small)
    with pytest.raises(WeightsError, match="does not take pictures"):
        load_lpips(small)
    with pytest.raises(WeightsError, match="does not take pictures"):
        load_inception(save_script(LooksLikeLpips(), tmp_path / "lpips.pt"))


def test_pixels_tell_copies_whatever_their_contrast():
    # Kept in the middle of the range, so that nothing is clipped.
    original = 64 + np.repeat(np.repeat(pictures(3, 2, 16) // 2, 4, 1), 4, 2)
    faded = (128 + (original.astype(int) - 128) // 2).astype(np.uint8)
    features = PixelFeatures().features(np.concatenate([original, faded]))
    assert np.linalg.norm(features, axis=1) == pytest.approx(1)
    assert features[0] @ features[2] > 0.999
    assert abs(features[0] @ features[1]) < 0.3


def test_plain_pictures_are_no_copies_of_anything():
    plain = np.full((2, 32, 32, 3), 200, np.uint8)
    assert np.isfinite(PixelFeatures().features(plain)).all()
