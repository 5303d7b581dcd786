"""Plans: which seeds a character tries, whose a seed is, and what cannot be carried out."""

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatargan.errors import OptionError, OutputError
from avatargan.export import ExportPlan, SheetOptions, create_plan
from avatargan.export.plan import MOST_TRIES
from avatargan.export.wanted import WantedCharacter

LARGEST = 2**63 - 1


@pytest.fixture
def plan(small):
    def create(**options):
        options.setdefault("size", 32)
        return create_plan(small, **options)

    return create


def test_a_plan_survives_being_written(plan):
    original = plan(count=3, palette=["ears"], sheet=SheetOptions(columns=2, rows=2))
    assert ExportPlan.from_json(original.to_json(), "here") == original


@pytest.mark.parametrize("text", ["", "{}", '{"format": 2}', "[" * 10000])
def test_what_is_no_plan(text):
    with pytest.raises(OutputError, match=r"here: not a plan that this version"):
        ExportPlan.from_json(text, "here")


def test_sequences_of_seeds_do_not_meet(plan):
    three = plan(count=3, first_seed=10)
    tried = [list(islice(three.seeds(character), 3)) for character in range(3)]
    assert tried == [[10, 13, 16], [11, 14, 17], [12, 15, 18]]
    assert len(list(three.seeds(0))) == MOST_TRIES


@settings(deadline=None)
@given(st.data())
def test_a_seed_says_whose_it_is(small, data):
    count = data.draw(st.integers(1, 50))
    rows = data.draw(
        st.none()
        | st.lists(
            st.builds(WantedCharacter, seed=st.none() | st.integers(0, 100)),
            min_size=count,
            max_size=count,
        )
    )
    plan = create_plan(
        small,
        count=count,
        first_seed=data.draw(st.integers(0, 60)),
        characters=rows,
        size=32,
        name="{index}",
    )
    character = data.draw(st.integers(0, count - 1))
    for seed in islice(plan.seeds(character), 5):
        (picture,) = plan.draft(character, seed)
        owners = plan.character_of(picture.recipe)
        assert character in owners
        if plan.chooses_seed(character):
            assert owners == [character]


def test_rows_keep_their_own_seed_and_nobody_else_takes_it(plan):
    rows = [WantedCharacter(), WantedCharacter(seed=0), WantedCharacter(seed=3)]
    three = plan(characters=rows)
    assert list(three.seeds(1)) == [0]
    assert next(three.seeds(0)) == 6  # 0 and 3 are taken


def test_rows_ask_for_what_they_name_and_take_the_rest_from_the_options(plan):
    rows = [WantedCharacter(attributes={"ears": "fox"}, psi=0.2), WantedCharacter()]
    two = plan(characters=rows, wanted={"ears": "cat", "glasses": "thin"}, psi=0.9)
    (first,), (second,) = (two.draft(character, character) for character in range(2))
    assert first.recipe.attributes == {"style": "ink", "ears": "fox", "glasses": "thin"}
    assert second.recipe.attributes == {"style": "ink", "ears": "cat", "glasses": "thin"}
    assert (first.recipe.psi, second.recipe.psi) == (0.2, 0.9)


def test_a_palette_has_every_colour_of_one_character(plan):
    colours = plan(count=2, palette=["ears", "glasses"])
    pictures = colours.draft(1, 1)
    assert colours.pictures == 2 * 3 * 2
    assert [picture.index for picture in pictures] == list(range(6, 12))
    assert len({picture.file for picture in pictures}) == 6
    assert {picture.recipe.seed for picture in pictures} == {1}
    assert {picture.recipe.attributes["ears"] for picture in pictures} == {"cat", "fox", "round"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "must be 1 or more"),
        ({"size": 100}, r"no size 100 \(sizes: 32, 64, 128\)"),
        ({"wanted": {"hair": "pink"}}, "no attribute 'hair'"),
        ({"wanted": {"ears": "foxx"}}, "did you mean 'fox'"),
        ({"count": 5, "first_seed": LARGEST}, "seeds run past"),
        ({"first_seed": -1}, "a seed must be"),
        ({"palette": ["style"]}, "choose one of ears, glasses"),
        ({"palette": ["hair"]}, "no attribute 'hair'"),
        ({"palette": ["ears"], "wanted": {"ears": "cat"}}, "'cat' is asked for"),
        ({"palette": ["ears"], "name": "{seed}"}, r"pictures 0 and 1; add {seed} or {index}"),
        ({"count": 50, "name": "{ears}_{glasses}"}, "add {seed} or {index}"),
        ({"name": "{hair}"}, "unknown field"),
        ({"name": "{name}"}, "unknown field"),
        ({"min_confidence": 0.5}, "trained for other attributes"),
        ({"renpy": "Eileen"}, "one lower-case word"),
        ({"renpy": "show"}, "cannot be a Ren'Py image tag"),
        ({"renpy": "eileen", "name": "{ears}_A{seed}"}, "lower-case letters"),
        ({"renpy": "eileen", "name": "{ears}__{seed}"}, "lower-case letters"),
        ({"size": 128, "sheet": SheetOptions(columns=64, rows=1)}, "63x63 fit"),
    ],
)
def test_what_cannot_be_carried_out(plan, options, message):
    with pytest.raises(OptionError, match=message):
        plan(**options)


def test_rows_cannot_ask_for_one_colour_of_a_palette(plan):
    with pytest.raises(OptionError, match="'fox' is asked for"):
        plan(characters=[WantedCharacter(attributes={"ears": "fox"})], palette=["ears"])
    assert plan(characters=[WantedCharacter(attributes={"ears": "any"})], palette=["ears"])


def test_confidence_is_a_share(pipe):
    for wrong in (0, 1, -1, float("nan")):
        with pytest.raises(OptionError, match="above 0 and below 1"):
            create_plan(pipe, min_confidence=wrong)
    with pytest.raises(OptionError, match="do not go together"):
        create_plan(pipe, min_confidence=0.5, palette=["hair"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Mai", "mai"),
        ("Jos\u00e9", "Jose\u0301"),
        ("\u00c9VA", "e\u0301va"),
        ("\uac00", "\u1100\u1161"),
    ],
)
def test_names_that_collide_only_in_case_or_in_how_accents_are_written(plan, one, other):
    rows = [WantedCharacter(name=one), WantedCharacter(name=other)]
    with pytest.raises(OptionError, match=r"to pictures 0 and 1"):
        plan(characters=rows)


def test_files_are_named_after_their_seed_where_nobody_says_otherwise(plan):
    def names(**options):
        planned = plan(**options)
        seeds = [next(planned.seeds(character)) for character in range(planned.count)]
        return [planned.draft(index, seed)[0].file for index, seed in enumerate(seeds)]

    seeds = [WantedCharacter(seed=9), WantedCharacter(seed=4)]
    assert names(characters=seeds) == ["avatar_9.png", "avatar_4.png"]
    assert names(count=2, first_seed=7) == ["avatar_7.png", "avatar_8.png"]
    assert names(characters=[WantedCharacter(), *seeds]) == [
        *("avatar_0.png", "avatar_9.png", "avatar_4.png")
    ]
    assert names(characters=[*seeds, seeds[0]])[::2] == ["avatar_9_000.png", "avatar_9_002.png"]


def test_a_plan_says_whether_seeds_may_be_replaced(plan):
    assert plan(count=2).chooses_seeds
    assert plan(characters=[WantedCharacter(seed=9), WantedCharacter()]).chooses_seeds
    assert not plan(characters=[WantedCharacter(seed=9)]).chooses_seeds


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trim": True}, "add --atlas"),
        ({"rotate": True, "atlas": True}, "add --trim"),
        ({"trim": True, "rotate": True, "multiatlas": True}, "turned frames of a multiatlas"),
        ({"extrude": 16, "columns": 51}, "50x50 fit"),
    ],
)
def test_sheets_that_no_engine_could_read(plan, options, message):
    sheet = SheetOptions(**{"columns": 2, "rows": 2} | options)
    with pytest.raises(OptionError, match=message):
        plan(sheet=sheet, size=128)


def test_rows_with_one_seed_twice_collide_unless_the_index_tells_them_apart(plan):
    rows = [WantedCharacter(seed=1), WantedCharacter(seed=1)]
    with pytest.raises(OptionError, match="add"):
        plan(characters=rows, name="{seed}")
    assert plan(characters=rows, name="{index}").count == 2


def test_names_from_a_file_cannot_lead_out_of_the_folder(plan):
    with pytest.raises(OptionError, match="path separator"):
        plan(characters=[WantedCharacter(name="../mai")])
