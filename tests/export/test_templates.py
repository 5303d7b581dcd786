"""File names from templates."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatargan.errors import OptionError
from avatargan.export.templates import LONGEST_NAME, NameTemplate, check_file_name

FIELDS = ("seed", "index", "hair", "visual_style")
VALUES = {"seed": 7, "index": 12, "hair": "pink", "visual_style": "ink"}


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{hair}_{seed}", "pink_7.png"),
        ("{index:04d}", "0012.png"),
        ("{hair:_<6}{index:x}", "pink__c.png"),
        ("hero.png", "hero.png"),
        ("hero-{seed}.PNG", "hero-7.png"),
        ("{{{seed}}}", "{7}.png"),
        ("キャラ_{hair}", "キャラ_pink.png"),
    ],
)
def test_fields_and_formats(template, name):
    assert NameTemplate(template, FIELDS).format(VALUES) == name


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{hari}", r"unknown field '{hari}'; did you mean 'hair'\? \(fields: seed, index, hair"),
        ("{}", "unknown field"),
        ("{0}", "unknown field"),
        ("{seed.__class__}", "unknown field"),
        ("{seed[0]}", "unknown field"),
        ("{seed!r}", "a format that cannot be used"),
        ("{seed:{index}}", "a format that cannot be used"),
        ("{seed:999999999d}", "a format that cannot be used"),
        ("{seed", "no template"),
        ("seed}", "no template"),
        ("a/{seed}", "path separator"),
        ("..\\{seed}", "path separator"),
        ("{seed}:{index}", "':', which no name can have"),
        ("{seed}\n", "which no name can have"),
        ("", "must not be empty"),
        (".png", "must not be empty"),
    ],
)
def test_what_is_no_template(template, message):
    with pytest.raises(OptionError, match=message):
        NameTemplate(template, FIELDS)


def test_formats_that_do_not_fit_the_value():
    with pytest.raises(OptionError, match="cannot be formatted"):
        NameTemplate("{hair:d}", FIELDS).format(VALUES)


@pytest.mark.parametrize(
    "hair", ["../../etc/passwd", "a\\b", "/", "..", "", "con", "a\0b", "\ud800"]
)
def test_values_cannot_lead_out_of_the_folder(hair):
    with pytest.raises(OptionError):
        NameTemplate("{hair}", FIELDS).format(VALUES | {"hair": hair})


@pytest.mark.parametrize(
    "name", ["CON", "conin$", "CONOUT$.x", "COM1", "com\u00b9", "LPT\u00b3.tar", "com0", "aux.a.b"]
)
def test_names_of_devices_of_windows_are_found(name):
    with pytest.raises(OptionError, match="reserved by Windows"):
        check_file_name(f"{name}.png")


def test_long_names_are_counted_in_bytes():
    check_file_name("x" * (LONGEST_NAME - 4) + ".png")
    with pytest.raises(OptionError, match="bytes long"):
        check_file_name("名" * 66 + ".png")


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_asked_for_is_one_file_in_the_folder_or_an_error(
    tmp_path_factory, template, hair
):
    try:
        name = NameTemplate(template, FIELDS).format(VALUES | {"hair": hair})
    except OptionError:
        return
    folder = tmp_path_factory.getbasetemp() / "names"
    folder.mkdir(exist_ok=True)
    (folder / name).touch()
    assert [path.name for path in folder.iterdir()] == [name]
    (folder / name).unlink()
