"""Tables as spreadsheets, editors and people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatargan.errors import TableError
from avatargan.tables import read_number, read_table, write_table

ROWS = [("a.png", "ピンク"), ("Ève, 1.png", "red"), ("b.png", "")]


def read(text: str | bytes, encoding: str = "utf-8"):
    content = text if isinstance(text, bytes) else text.encode(encoding)
    table = read_table(content, "t.csv")
    return table.columns, [cells for _, cells in table.rows]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_what_programs_save(separator, encoding, line_end):
    rows = [("file", "hair"), *ROWS]
    lines = [separator.join(f'"{cell}"' for cell in row) for row in rows]
    assert read(line_end.join([*lines, ""]), encoding) == (("file", "hair"), ROWS)
    assert read(f"sep={separator}{line_end}" + line_end.join(lines), encoding)[1] == ROWS


def test_excel_pads_with_empty_cells():
    assert read("File;Hair;;\na.png;pink;;\n;;;\nb.png;red;;\n") == (
        ("file", "hair"),
        [("a.png", "pink"), ("b.png", "red")],
    )


def test_lines_are_counted_where_rows_begin():
    table = read_table(b'file,note\n\n"a\nb",x\n\nc,y\n', "t.csv")
    assert [line for line, _ in table.rows] == [3, 6]
    assert table.rows[0][1] == ("a\nb", "x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,hair\na,b,c\n", "t.csv, line 2: 3 values do not fit 2 columns"),
        (b"file,hair\na\n", "line 2: 1 values do not fit 2 columns"),
        (b"file,Hair,hair \n", "line 1: the column 'hair' is there twice"),
        (b"file,,hair\na,b,c\n", "line 1: column 2 has no name"),
        (b'file\na\n"b\nc\n', "line 3: .*end of data"),
        (b"file,hair\na,\x00\n", "line 2: holds a NUL character; save it as CSV in UTF-8"),
        (b"file\na\x00\xff\n", "line 2: not UTF-8 text"),
        ("file\n色".encode("shift_jis"), "line 2: not UTF-8 text; save it as CSV in UTF-8"),
        ("\ufefffile\na".encode("utf-16-le") + b"\x00", "line 2: not UTF-16 text"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(content, message):
    with pytest.raises(TableError, match=message):
        read(content)


@given(st.binary(max_size=200))
def test_bytes_are_a_table_or_an_error_of_one_line(content):
    try:
        read(content)
    except TableError as error:
        assert "\n" not in str(error) or b"\n" in content


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=5))
def test_what_is_written_is_read(rows):
    rows = [row for row in rows if any(cell.strip() for cell in row) and "\0" not in "".join(row)]
    try:
        content = write_table(("file", "note"), rows).encode()
    except UnicodeEncodeError:
        return
    assert read(content)[1] == rows


@pytest.mark.parametrize(
    ("text", "number"),
    [("0.7", 0.7), ("0,7", 0.7), (" 1 ", 1), (",5", 0.5), ("1e1", 10), ("-2", -2)],
)
def test_numbers(text, number):
    assert read_number(text) == number


@pytest.mark.parametrize("text", ["", "nan", "inf", "1_0", "1,000.5", "٣", "0x1", "1" * 99])
def test_what_is_no_number(text):
    assert read_number(text) is None
