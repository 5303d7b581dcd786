"""CSV files of wanted characters."""

import pytest

from avatargan.attributes import Taxonomy
from avatargan.errors import OptionError
from avatargan.export.wanted import read_wanted

ATTRIBUTES = Taxonomy({"hair": ["pink", "blue", "unknown"], "eyes": ["red", "green"]})


@pytest.fixture
def read(tmp_path):
    def call(text: str, encoding: str = "utf-8"):
        path = tmp_path / "cast.csv"
        path.write_bytes(text.encode(encoding))
        return read_wanted(path, ATTRIBUTES)

    return call


def test_rows(read):
    mai, other = read("name,hair,seed,psi\nMai,pink,7,0.5\n,any,,\n")
    assert (mai.name, mai.attributes, mai.seed, mai.psi) == ("Mai", {"hair": "pink"}, 7, 0.5)
    assert (other.name, other.attributes, other.seed, other.psi) == (
        None,
        {"hair": "any"},
        None,
        None,
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_what_spreadsheets_save(read, delimiter, encoding):
    text = f'name{delimiter}hair\r\n\r\n"O\'Hara, 舞"{delimiter} pink \r\n'
    (row,) = read(text, encoding)
    assert row.attributes == {"hair": "pink"}
    assert row.name == "O'Hara, 舞"


def test_names_are_read_without_regard_to_case_and_numbers_with_a_decimal_comma(read):
    (row,) = read("Name;HAIR;Eyes;Psi\nMai;Pink;ANY;0,7\n", "utf-16")
    assert (row.name, row.psi) == ("Mai", 0.7)
    assert row.attributes == {"hair": "pink", "eyes": "any"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "hair,eye\npink,red\n",
            r"cast.csv, line 1: there is no column 'eye'; did you mean 'eyes'",
        ),
        ("hair,hair\npink,blue\n", "line 1: the column 'hair' is there twice"),
        ("hair\npink\nblu\n", "line 3: hair has no choice 'blu'; did you mean 'blue'"),
        ("hair\n\n\nunknown\n", "line 4: hair has no choice 'unknown'"),
        ("hair,seed\npink,-1\n", "line 2: the seed must be an integer from 0"),
        ("seed\n1.5\n", "line 2: the seed must be"),
        ("seed\n9223372036854775808\n", "line 2: a seed must be from 0"),
        ("psi\nnan\n", "line 2: psi must be a number from 0 to 2"),
        ("psi\n3\n", "line 2: psi must be"),
        ("hair,eyes\npink\n", "line 2: 1 values do not fit 2 columns"),
        ('hair\n"pink\n', "line 2: .*end of data"),
        ("", "no rows"),
        ("hair\n", "no rows"),
    ],
)
def test_errors_name_the_file_and_the_line(read, text, message):
    with pytest.raises(OptionError, match=message):
        read(text)


def test_files_that_are_not_there_or_no_text(read, tmp_path):
    with pytest.raises(OptionError, match=r"nothing.csv: there is no such file"):
        read_wanted(tmp_path / "nothing.csv", ATTRIBUTES)
    with pytest.raises(OptionError, match="cannot be read"):
        read_wanted(tmp_path, ATTRIBUTES)
    with pytest.raises(OptionError, match="line 2: not UTF-8 text; save it as CSV in UTF-8"):
        read("haar\nblöd\n", "latin-1")
