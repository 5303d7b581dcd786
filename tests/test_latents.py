"""Latents: drawn from the seed alone, interpolated as the field does, saved and loaded."""

import io
import os
import re
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from avatargan.errors import OptionError
from avatargan.latents import (
    LARGEST_SEED,
    Latents,
    check_seed,
    lerp,
    mix_embeddings,
    seeds_to_z,
    slerp,
    truncate,
)

SEEDS = st.integers(0, LARGEST_SEED)
FRACTIONS = st.floats(0, 1)


def vectors(dim=8):
    numbers = st.floats(-3, 3, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)
    return arrays(np.float32, dim, elements=numbers).filter(lambda v: np.linalg.norm(v) > 0.1)


@given(SEEDS)
def test_z_is_the_documented_function_of_the_seed(seed):
    expected = np.random.Generator(np.random.Philox(seed)).standard_normal(128)
    np.testing.assert_array_equal(seeds_to_z([seed], 128)[0], expected.astype(np.float32))


@given(st.lists(SEEDS, max_size=5), SEEDS)
def test_z_does_not_depend_on_its_neighbours(others, seed):
    np.testing.assert_array_equal(seeds_to_z([*others, seed], 16)[-1], seeds_to_z([seed], 16)[0])


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "7", None, True, np.float64(3)])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(OptionError, match="2\\^63-1"):
        check_seed(seed)


def test_numpy_integers_are_seeds():
    assert check_seed(np.int64(5)) == 5


@given(vectors(), vectors())
def test_slerp_starts_and_ends_at_its_ends(a, b):
    np.testing.assert_allclose(slerp(a, b, 0), a, atol=1e-5)
    try:
        np.testing.assert_allclose(slerp(a, b, 1), b, atol=1e-5)
    except OptionError:
        assert np.dot(a, b) < 0


@given(st.integers(0, 1000), FRACTIONS)
def test_slerp_turns_at_constant_speed_and_keeps_typical_lengths(seed, t):
    a, b = seeds_to_z([seed, seed + 1], 64).astype(np.float64)
    point = slerp(a, b, t).astype(np.float64)

    def angle(p, q):
        return np.arccos(np.clip(p @ q / np.linalg.norm(p) / np.linalg.norm(q), -1, 1))

    assert angle(a, point) == pytest.approx(t * angle(a, b), abs=1e-3)
    expected = (1 - t) * np.linalg.norm(a) + t * np.linalg.norm(b)
    assert np.linalg.norm(point) == pytest.approx(expected, rel=1e-5)


def test_slerp_works_row_by_row():
    a, b = seeds_to_z([1, 2, 3], 8), seeds_to_z([4, 5, 6], 8)
    rows = [slerp(a[i], b[i], 0.3) for i in range(3)]
    np.testing.assert_array_equal(slerp(a, b, 0.3), rows)


def test_slerp_names_what_it_cannot_do():
    with pytest.raises(OptionError, match="zero"):
        slerp(np.zeros(4, np.float32), np.ones(4, np.float32), 0.5)
    with pytest.raises(OptionError, match="opposite"):
        slerp(-np.ones(4, np.float32), np.ones(4, np.float32), 0.5)


@given(vectors(), vectors(), FRACTIONS)
def test_lerp_is_the_straight_line(a, b, t):
    np.testing.assert_allclose(lerp(a, b, t), a * (1 - t) + b * t, atol=1e-5)


def test_truncation_goes_from_the_mean_to_w():
    mean, w = np.array([1.0, 1.0]), np.array([3.0, 5.0])
    np.testing.assert_array_equal(truncate(w, mean, 0), mean)
    np.testing.assert_array_equal(truncate(w, mean, 1), w)
    np.testing.assert_array_equal(truncate(w, mean, 0.5), [2, 3])


def test_embeddings_mix_in_proportion():
    table = np.eye(3, dtype=np.float32)
    mixed = mix_embeddings(table, ["red", "green", "blue"], {"red": 1, "blue": 3})
    np.testing.assert_allclose(mixed, [0.25, 0, 0.75])


@pytest.mark.parametrize("weights", [{"pink": 1}, {"red": -1}, {"red": 0}, {}, {"red": np.nan}])
def test_mixtures_that_mean_nothing_are_refused(weights):
    with pytest.raises(OptionError):
        mix_embeddings(np.eye(2, dtype=np.float32), ["red", "green"], weights)


@pytest.fixture
def latents():
    return Latents(
        z=seeds_to_z([1, 2], 4),
        w=seeds_to_z([3, 4], 6),
        labels=np.array([[0, 1], [1, 0]]),
        seeds=np.array([1, 2**62]),
        psi=np.array([0.7, 1], dtype=np.float32),
        attributes={"hair": ["red", "blue"], "eyes": ["green", "gray"]},
    )


def test_latents_survive_their_file(latents, tmp_path):
    latents.save(tmp_path / "latents.npz")
    loaded = Latents.load(tmp_path / "latents.npz")
    for name in ("z", "w", "labels", "seeds", "psi"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(latents, name))
    assert loaded.attributes == latents.attributes


def rewrite(source, target, **changes):
    arrays_ = {**np.load(source), **changes}
    np.savez(target, **{name: array for name, array in arrays_.items() if array is not None})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"w": None}, "'w' is missing"),
        ({"labels": np.array([[0, 9], [1, 0]])}, "outside the choices"),
        ({"labels": np.array([[0], [1]])}, "do not fit"),
        ({"seeds": np.array([1])}, "different numbers of rows"),
        ({"psi": np.array([np.nan, 1])}, "finite"),
        ({"z": np.array([["a"]])}, "not a latents file"),
        ({"attributes": np.array("[1, 2]")}, "do not fit"),
        ({"attributes": np.array("{")}, "not a latents file"),
    ],
)
def test_inconsistent_latents_are_refused(latents, tmp_path, changes, message):
    latents.save(tmp_path / "good.npz")
    rewrite(tmp_path / "good.npz", tmp_path / "bad.npz", **changes)
    with pytest.raises(OptionError, match=re.escape(message)):
        Latents.load(tmp_path / "bad.npz")


def test_pickled_arrays_are_never_loaded(latents, tmp_path):
    latents.save(tmp_path / "good.npz")
    rewrite(tmp_path / "good.npz", tmp_path / "bad.npz", z=np.array([print, print], dtype=object))
    with pytest.raises(OptionError, match="not a latents file"):
        Latents.load(tmp_path / "bad.npz")


@given(st.data())
def test_damaged_latents_give_a_clear_error(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("latents")
    buffer = io.BytesIO()
    np.savez(buffer, z=np.zeros((1, 2), np.float32))
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "damaged.npz").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with pytest.raises(OptionError, match="damaged"):
        Latents.load(folder / "damaged.npz")


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("avatargan.latents.LARGEST_LATENTS_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("z.npy", bytes(2000))
    with pytest.raises(OptionError, match="more than latents can be"):
        Latents.load(tmp_path / "bomb.npz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(OptionError, match=r"nowhere\.npz: there is no such"):
        Latents.load(tmp_path / "nowhere.npz")


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(OptionError, match="a pipe or a device"):
        Latents.load(tmp_path / "pipe.npz")


@pytest.mark.parametrize(
    "changes",
    [
        {"attributes": np.array('{"hair": 5}')},
        {"attributes": np.array("[" * 100_000)},
        {"w": np.full((1, 4), 1e300)},
    ],
)
def test_hostile_arrays_are_refused(latents, tmp_path, changes):
    latents.save(tmp_path / "good.npz")
    rewrite(tmp_path / "good.npz", tmp_path / "bad.npz", **changes)
    with pytest.raises(OptionError, match="bad"):
        Latents.load(tmp_path / "bad.npz")


def test_an_array_that_lies_about_its_size_is_refused(latents, tmp_path):
    latents.save(tmp_path / "good.npz")
    content = (tmp_path / "good.npz").read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as good:
        arrays = {name: good.read(name) for name in good.namelist()}
    described = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        described, {"descr": "<f4", "fortran_order": False, "shape": (10**14, 4)}
    )
    arrays["z.npy"] = described.getvalue()
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as bad:
        for name, array in arrays.items():
            bad.writestr(name, array)
    with pytest.raises(OptionError, match="not a latents file"):
        Latents.load(tmp_path / "bad.npz")


def test_damaged_compressed_latents_give_a_clear_error(tmp_path):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, z=np.arange(4096, dtype=np.float32).reshape(64, 64))
    whole = buffer.getvalue()
    for position in range(60, len(whole), 61):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        (tmp_path / "damaged.npz").write_bytes(damaged)
        with pytest.raises(OptionError, match="damaged"):
            Latents.load(tmp_path / "damaged.npz")
