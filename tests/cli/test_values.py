import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatargan.cli.values import LARGEST_COUNT, parse_psis, parse_seed, parse_seeds
from avatargan.errors import OptionError
from avatargan.latents import LARGEST_SEED


@given(st.integers(0, LARGEST_SEED))
def test_every_seed_is_read(seed):
    assert parse_seed(str(seed)) == seed
    assert parse_seeds(f"{seed}-{seed}") == [seed]


@given(st.text())
def test_any_text_is_a_seed_or_a_clear_error(text):
    try:
        seed = parse_seed(text)
    except OptionError:
        return
    assert 0 <= seed <= LARGEST_SEED


@given(st.text(alphabet="0123456789-, ", max_size=30))
def test_any_list_gives_distinct_seeds_or_a_clear_error(text):
    try:
        seeds = parse_seeds(text)
    except OptionError:
        return
    assert 0 < len(seeds) == len(set(seeds)) <= LARGEST_COUNT


def test_lists_keep_their_order():
    assert parse_seeds("9, 1-3,2") == [9, 1, 2, 3]


def test_limits_hold_over_the_whole_list():
    half = LARGEST_COUNT // 2
    with pytest.raises(OptionError, match="more than"):
        parse_seeds(f"0-{half},{2 * half}-{3 * half}")


def test_psis():
    assert parse_psis("0, 0.7,2") == [0.0, 0.7, 2.0]
    with pytest.raises(OptionError, match="more than once"):
        parse_psis("0.7,0.70")
