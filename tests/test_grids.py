import numpy as np
import pytest
from PIL import Image

from avatargan.errors import OptionError
from avatargan.grids import DARK, LIGHT, Axis, contact_sheet, xy_grid


def plain(colour, size=40, mode="RGB"):
    return Image.new(mode, (size, size), colour)


def count(sheet, colour):
    return int((np.asarray(sheet) == colour).all(axis=-1).sum())


def centres(sheet, colours):
    """Return the middle of each plainly coloured picture, as (x, y)."""
    found = []
    for colour in colours:
        rows, columns = np.nonzero((np.asarray(sheet) == colour).all(axis=-1))
        found.append((int(columns.mean()), int(rows.mean())))
    return found


COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (0, 200, 200), (200, 0, 200)]


def test_a_sheet_shows_every_picture_in_reading_order():
    sheet = contact_sheet([plain(colour) for colour in COLOURS[:5]], columns=2, cell=40)
    places = centres(sheet, COLOURS[:5])
    assert places == sorted(places, key=lambda place: (place[1], place[0]))
    assert len({x for x, _ in places}) == 2
    assert len({y for _, y in places}) == 3


def test_a_sheet_is_about_square_by_default():
    sheet = contact_sheet([plain("red")] * 36, cell=40)
    assert sheet.width == sheet.height


def test_a_sheet_has_no_gaps_where_it_can():
    sheet = contact_sheet([plain((200, 0, 0))] * 8, cell=40)
    assert count(sheet, (200, 0, 0)) > 8 * 1500
    assert sheet.width > sheet.height


def test_captions_need_room_and_are_drawn():
    pictures = [plain(colour) for colour in COLOURS[:2]]
    bare = contact_sheet(pictures, cell=64)
    captioned = contact_sheet(pictures, ["1", "a caption much longer than its picture"], cell=64)
    assert captioned.height > bare.height
    assert captioned.width == bare.width
    margin = np.asarray(captioned)[:, :8]
    assert (margin == LIGHT.background).all()


def test_pictures_are_fitted_to_the_cells():
    sheet = contact_sheet([plain((200, 0, 0), size=100)], cell=40)
    assert sheet.size == contact_sheet([plain((200, 0, 0))], cell=40).size
    assert 1500 < count(sheet, (200, 0, 0)) <= 1600


def test_transparent_pictures_show_the_background():
    sheet = contact_sheet([plain((200, 0, 0, 0), mode="RGBA")], cell=40, theme=DARK)
    assert count(sheet, DARK.background) == sheet.width * sheet.height


def test_a_grid_places_pictures_row_after_row():
    x, y = [Axis("seed", "12")], [Axis("hair", ["pink", "blue"])]
    places = centres(xy_grid(map(plain, COLOURS[:4]), x, y, cell=40), COLOURS[:4])
    (a, b, c, d) = places
    assert a[1] == b[1] < c[1] == d[1]
    assert a[0] == c[0] < b[0] == d[0]


def test_nested_rows_are_grouped():
    y = [Axis("hair", ["pink", "blue"]), Axis("eyes", ["red", "green", "aqua"])]
    middles = [y for _, y in centres(xy_grid(map(plain, COLOURS), [], y, cell=40), COLOURS)]
    steps = np.diff(middles)
    assert steps[0] == steps[1] == steps[3] == steps[4] < steps[2]


def test_headings_are_drawn_beside_the_pictures():
    def ink(x, y):
        grid = np.asarray(xy_grid([plain((200, 0, 0))], x, y, cell=64)).astype(int)
        return int((np.abs(grid - LIGHT.text).max(axis=-1) < 40).sum())

    assert ink([], []) == 0
    across, down = [Axis("seed", ["77"])], [Axis("hair", ["pink"])]
    assert 0 < ink(across, []) < ink(across, down)


def test_long_headings_stay_within_their_columns():
    x = [Axis("seed", ["9" * 400, "1"])]
    grid = xy_grid([plain("red"), plain("blue")], x, [], cell=64)
    short = xy_grid([plain("red"), plain("blue")], [Axis("seed", "12")], [], cell=64)
    assert grid.size == short.size
    assert (np.asarray(grid)[:, :10] == LIGHT.background).all()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: contact_sheet([]), "at least one picture"),
        (lambda: contact_sheet([plain("red")], ["a", "b"]), "2 captions do not fit 1 pictures"),
        (lambda: contact_sheet([plain("red")], cell=5000), "a cell must be from"),
        (lambda: contact_sheet([plain("red")] * 2000, cell=128), "25 megapixels"),
        (lambda: xy_grid([], [Axis("seed", ["1"])], []), "too few"),
        (lambda: xy_grid([plain("red")] * 2, [Axis("seed", ["1"])], []), "too many"),
        (lambda: xy_grid([], [Axis("seed", [])], []), "the axis seed of a grid has no values"),
    ],
)
def test_what_cannot_be_drawn(draw, message):
    with pytest.raises(OptionError, match=message):
        draw()
