"""The taxonomy comes from the header of the weights and answers for every choice."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatargan.attributes import ANY, Taxonomy
from avatargan.errors import AttributeChoiceError, TaxonomyError
from avatargan.latents import LARGEST_SEED

SHIPPED_LIKE = Taxonomy(
    {
        "style": ["visual-novel", "tv"],
        "hair": ["aqua", "black", "pink", "unknown"],
        "eyes": ["aqua", "blue", "red", "unknown"],
    }
)
SEEDS = st.integers(0, LARGEST_SEED)


def test_unknown_is_never_offered():
    assert SHIPPED_LIKE.offered("hair") == ("aqua", "black", "pink")


def test_the_style_is_the_identity_and_the_rest_the_palette():
    assert SHIPPED_LIKE.identity == "style"
    assert SHIPPED_LIKE.palette == ("hair", "eyes")
    assert Taxonomy({"hair": ["red"]}).identity is None


def test_left_out_attributes_take_the_first_style_and_any_colour():
    resolved = {seed: SHIPPED_LIKE.resolve({}, seed) for seed in range(50)}
    assert {attributes["style"] for attributes in resolved.values()} == {"visual-novel"}
    assert {attributes["hair"] for attributes in resolved.values()} == {"aqua", "black", "pink"}


@given(SEEDS)
def test_any_is_drawn_from_the_seed_and_the_name_alone(seed):
    alone = Taxonomy({"eyes": SHIPPED_LIKE["eyes"]}).resolve({"eyes": ANY}, seed)
    beside_others = SHIPPED_LIKE.resolve({"hair": "pink", "eyes": ANY}, seed)
    assert beside_others["eyes"] == alone["eyes"]


def test_experimental_choices_are_offered_and_never_drawn_for_any():
    assert SHIPPED_LIKE.offered("style") == ("visual-novel", "tv")
    assert SHIPPED_LIKE.experimental("style") == ("tv",)
    drawn = {SHIPPED_LIKE.resolve({"style": ANY}, seed)["style"] for seed in range(50)}
    assert drawn == {"visual-novel"}
    assert SHIPPED_LIKE.resolve({"style": "tv"}, 1)["style"] == "tv"
    alone = Taxonomy({"style": ["tv"]})
    assert alone.experimental("style") == ()
    assert alone.resolve({"style": ANY}, 1) == {"style": "tv"}


def test_any_draws_every_choice_about_equally_often():
    drawn = Counter(SHIPPED_LIKE.resolve({"hair": ANY}, seed)["hair"] for seed in range(3000))
    assert all(900 < count < 1100 for count in drawn.values())


def test_hair_and_eyes_are_drawn_independently():
    """Both have aqua first: drawing them from one number would always pair the two."""
    pairs = [SHIPPED_LIKE.resolve({"eyes": ANY}, seed) for seed in range(900)]
    both = sum(p["hair"] == "aqua" and p["eyes"] == "aqua" for p in pairs)
    assert 60 < both < 140


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"hair": "pnik"}, "hair has no choice 'pnik'; did you mean 'pink'?"),
        ({"hair": "Pink"}, "did you mean 'pink'"),
        ({"hair": "unknown"}, "hair has no choice 'unknown'"),
        ({"hiar": "pink"}, "no attribute 'hiar'; did you mean 'hair'?"),
        ({"wings": "two"}, r"no attribute 'wings' \(attributes: style, hair, eyes\)"),
    ],
)
def test_mistakes_name_the_choices_and_the_nearest_spelling(wanted, message):
    with pytest.raises(AttributeChoiceError, match=message):
        SHIPPED_LIKE.resolve(wanted, 1)


def test_indices_follow_the_header():
    assert [SHIPPED_LIKE.index("hair", choice) for choice in SHIPPED_LIKE["hair"]] == [0, 1, 2, 3]
    with pytest.raises(AttributeChoiceError, match=r"choices: aqua, black, pink\)"):
        SHIPPED_LIKE.index("hair", "any colour")


def test_json_round_trip():
    assert dict(Taxonomy.from_json(SHIPPED_LIKE.to_json())) == dict(SHIPPED_LIKE)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "[]",
        "{}",
        '{"hair": []}',
        '{"hair": ["unknown"]}',
        '{"hair": "pink"}',
        '{"hair": [1]}',
        '{"hair": ["pink", "pink"]}',
        '{"hair": ["any"]}',
        '{"hair": ["../../etc"]}',
        '{"<script>": ["pink"]}',
        '{"hair": ["' + "a" * 41 + '"]}',
        "[" * 100_000,
    ],
)
def test_malformed_headers_are_refused(header):
    with pytest.raises(TaxonomyError):
        Taxonomy.from_json(header)


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_json_is_a_taxonomy_or_a_weights_error(value):
    try:
        taxonomy = Taxonomy.from_json(json.dumps(value))
    except TaxonomyError:
        return
    assert all(taxonomy.offered(name) for name in taxonomy)
