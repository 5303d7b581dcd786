"""Copies of a picture share a source, however they were encoded or turned round."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from avatargan.dataset import open_dataset, split_of
from avatargan.dataset.building import build_dataset
from avatargan.dataset.copies import find_copies, shared_sources, signature
from avatargan.tables import write_table


def recoded(pixels, quality=70, side=None):
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    image = image.resize((side, side)) if side else image
    image.save(buffer, "webp", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


@pytest.fixture(scope="module")
def faces(pipe):
    return [np.asarray(avatar.image) for avatar in pipe.draw(pipe.recipes(range(12), size=128))]


def test_copies_are_found_and_other_characters_are_not(faces):
    changed = [faces[0][:, ::-1], recoded(faces[1]), recoded(faces[2][:, ::-1], side=64)]
    signatures = np.stack([signature(pixels) for pixels in faces + changed])
    assert set(find_copies(signatures)) == {(0, 12), (1, 13), (2, 14)}


def test_recoloured_characters_are_no_copies(pipe):
    recipe = pipe.recipes(3, hair="blue", eyes="green")[0]
    drawn = [np.asarray(avatar.image) for avatar in pipe.recolour(recipe, "hair")]
    assert not list(find_copies(np.stack([signature(pixels) for pixels in drawn])))


def test_pictures_of_one_colour_are_nobodys_copies():
    plain = np.zeros((4, 32, 32, 3), np.uint8)
    plain[1:] += 200
    assert not list(find_copies(np.stack([signature(pixels) for pixels in plain])))


@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=20), st.data())
def test_whatever_is_connected_shares_a_source(sources, data):
    index = st.integers(0, len(sources) - 1)
    pairs = data.draw(st.lists(st.tuples(index, index)))
    shared, copies = shared_sources(sources, pairs)
    assert all(shared[one] == shared[other] for one, other in pairs)
    assert set(shared) <= set(sources)
    assert copies == len({place for pair in pairs for place in pair})
    # Nothing else is joined: as many sources are left as an independent union finds.
    groups = [{source} for source in set(sources)]
    for one, other in pairs:
        joined = set().union(*(g for g in groups if g & {sources[one], sources[other]}))
        groups = [g for g in groups if not g & joined] + [joined]
    assert len(set(shared)) == len(groups)


def test_a_built_set_keeps_mirrored_copies_in_one_split(faces, tmp_path):
    rows = []
    for number, pixels in enumerate(faces):
        for kind, shown in (("a", pixels), ("b", recoded(pixels[:, ::-1], 90))):
            Image.fromarray(shown).save(tmp_path / f"{number}{kind}.png")
            rows.append([f"{number}{kind}.png", "pink"])
    (tmp_path / "tags.csv").write_text(write_table(["file", "hair"], rows))
    raw = open_dataset(tmp_path)
    assert any(split_of(f"{n}a.png") != split_of(f"{n}b.png") for n in range(12))
    summary = build_dataset(raw, tmp_path / "set")
    built = open_dataset(tmp_path / "set")
    assert summary.copies == 24
    assert (built.splits[::2] == built.splits[1::2]).all()
