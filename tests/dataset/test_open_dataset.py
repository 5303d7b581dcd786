"""Tagged pictures open in every form, and what is wrong with them is named by file and line."""

import io
import json
import subprocess
import sys
import tarfile
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from avatargan.dataset import TEST, TRAIN, open_dataset, split_of
from avatargan.dataset.building import Upscaling, build_dataset
from avatargan.dataset.dataset import fit_square
from avatargan.errors import DatasetError

TAGS = "file,hair,eyes\na.png,pink,blue\nb.png,blue,\nc d.png,unknown,red\n"


def plain(colour, size=(8, 8)):
    return Image.new("RGB", size, colour)


def write_pictures(folder, tags=TAGS):
    folder.mkdir(parents=True, exist_ok=True)
    plain((255, 0, 0)).save(folder / "a.png")
    plain((0, 255, 0), (16, 8)).save(folder / "b.png")
    plain((0, 0, 255), (4, 4)).save(folder / "c d.png")
    if tags is not None:
        (folder / "tags.csv").write_text(tags)
    return folder


def pack(folder, path, prefix=""):
    with tarfile.open(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, prefix + file.name)
    return path


@pytest.fixture(params=["folder", "tar", "tar of a folder"])
def pictures(request, tmp_path):
    folder = write_pictures(tmp_path / "set")
    if request.param == "folder":
        return folder
    return pack(folder, tmp_path / "set.tar", "" if request.param == "tar" else "inside/")


def test_tags_become_labels_and_missing_ones_are_unknown(pictures):
    data = open_dataset(pictures)
    assert data.names == ("a.png", "b.png", "c d.png")
    assert dict(data.attributes) == {
        "hair": ("blue", "pink", "unknown"),
        "eyes": ("blue", "red", "unknown"),
    }
    assert data.labels["hair"].tolist() == [1, 0, 2]
    assert data.labels["eyes"].tolist() == [0, 2, 1]
    assert data.picture(0).tolist() == [[[255, 0, 0]] * 8] * 8


def test_all_pictures_are_decoded_once_into_one_map(pictures, tmp_path, monkeypatch):
    data = open_dataset(pictures)
    decoded = []
    pixels = data.decoded(8, tmp_path / "cache", advance=decoded.append)
    assert isinstance(pixels, np.memmap)
    assert pixels.shape == (3, 8, 8, 3)
    assert pixels[:, 4, 4].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert sum(decoded) == 3

    monkeypatch.setattr(type(data), "picture", None)
    assert (open_dataset(pictures).decoded(8, tmp_path / "cache") == pixels).all()


def test_a_map_that_was_cut_short_is_made_again(pictures, tmp_path):
    data = open_dataset(pictures)
    expected = np.array(data.decoded(8, tmp_path / "cache"))
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes()[:200])
    assert (data.decoded(8, tmp_path / "cache") == expected).all()


def test_pictures_without_tags_have_no_attributes(tmp_path):
    data = open_dataset(write_pictures(tmp_path / "set", tags=None))
    assert len(data) == 3
    assert dict(data.attributes) == {}


def test_the_listed_attributes_fix_the_order_of_the_choices(tmp_path):
    folder = write_pictures(tmp_path / "set")
    (folder / "attributes.json").write_text(
        json.dumps({"eyes": ["red", "blue"], "hair": ["pink", "blue", "white"]})
    )
    data = open_dataset(folder)
    assert dict(data.attributes) == {
        "eyes": ("red", "blue", "unknown"),
        "hair": ("pink", "blue", "white", "unknown"),
    }
    assert data.labels["hair"].tolist() == [0, 1, 3]


def test_attributes_that_no_column_tells_of_are_unknown(tmp_path):
    folder = write_pictures(tmp_path / "set")
    (folder / "attributes.json").write_text(
        json.dumps({"hair": ["pink", "blue"], "eyes": ["red", "blue"], "hat": ["yes", "no"]})
    )
    assert open_dataset(folder).labels["hat"].tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ("", r"tags\.csv, line 1: there is no column 'file'"),
        ("name,hair\n", r"tags\.csv, line 1: there is no column 'file'"),
        ("file,hair\n", "no rows"),
        ("file,hair\nd.png,pink\n", "line 2: there is no picture 'd.png'"),
        ("file,hair\n../a.png,pink\n", r"line 2: there is no picture '\.\./a.png'"),
        ("file,hair\na.png,pink\na.png,blue\n", "line 3: 'a.png' is in line 2 already"),
        ("file,hair\na.png\n", "line 2: 1 values do not fit 2 columns"),
        ("file,hair,hair\na.png,x,y\n", "line 1: the column 'hair' is there twice"),
        ("file,seed\na.png,1\n", "line 1: 'seed' cannot be the name of an attribute"),
        ("file,hair\na.png,pink/blue\n", "line 2: 'pink/blue' cannot be a choice of hair"),
        ("file,hair\na.png,any\n", "line 2: 'any' cannot be a choice of hair"),
        ("file,split,hair\na.png,validation,pink\n", "line 2: the split is train, test or empty"),
        ('file,hair\na.png,"pink\n', "line 2"),
        (b"file,hair\na.png,\xff\n", "line 2: not UTF-8"),
    ],
)
def test_a_wrong_line_of_the_tags_is_named(tmp_path, tags, message):
    folder = write_pictures(tmp_path / "set", tags=None)
    (folder / "tags.csv").write_bytes(tags if isinstance(tags, bytes) else tags.encode())
    with pytest.raises(DatasetError, match=message):
        open_dataset(folder)


def open_table(folder, table, **options):
    folder = write_pictures(folder, tags=None)
    (folder / "tags.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    return open_dataset(folder, **options)


def test_spellings_of_a_choice_are_one_choice_with_a_note(tmp_path):
    table = "File,Hair\na.png,Pink\nb.png,PINK\nc d.png, Unknown\n"
    data = open_table(tmp_path, table)
    assert dict(data.attributes) == {"hair": ("pink", "unknown")}
    assert data.labels["hair"].tolist() == [0, 0, 1]
    read_as = [note.partition("in the column ")[2] for note in data.notes]
    assert read_as == [
        "'hair', 'PINK', 'Pink' is read as 'pink'",
        "'hair', 'Unknown' is read as 'unknown'",
    ]


def test_the_spelling_of_listed_attributes_is_kept(tmp_path):
    write_pictures(tmp_path)
    (tmp_path / "attributes.json").write_text(json.dumps({"Hair": ["Blue", "Pink"]}))
    data = open_table(tmp_path, "file,HAIR\na.png,pink\nb.png,BLUE\nc d.png,Pink\n")
    assert dict(data.attributes) == {"Hair": ("Blue", "Pink", "unknown")}
    assert data.labels["Hair"].tolist() == [1, 0, 1]


def test_a_column_without_a_tag_is_left_out_with_a_note(tmp_path):
    table = "file,hair,hair_p,eyes,eyes_p\na.png,pink,0.9,unknown,0.3\nb.png,blue,0.8,,0.2\n"
    data = open_table(tmp_path, table)
    assert list(data.attributes) == ["hair"]
    assert [note.partition(": ")[2] for note in data.notes] == [
        "the column 'eyes' holds no tag at all; it is left out"
    ]


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
def test_names_are_found_however_their_letters_are_composed(tmp_path, on_disk):
    folder = tmp_path / "sub"
    folder.mkdir()
    name = unicodedata.normalize(on_disk, "Ève ガ.png")
    plain((1, 2, 3)).save(folder / name)
    for written in ("NFC", "NFD"):
        for path in ("sub/{}", "sub\\{}", "./sub/{}"):
            row = path.format(unicodedata.normalize(written, "Ève ガ.png"))
            data = open_table(tmp_path, f"file,hair\n{row},pink\n")
            assert data.names == (f"sub/{name}",)
            assert data.picture(0)[0, 0].tolist() == [1, 2, 3]


def test_two_rows_for_one_file_are_refused_however_they_are_written(tmp_path):
    with pytest.raises(DatasetError, match=r"line 3: '\./a\.png' is in line 2 already"):
        open_table(tmp_path, "file,hair\na.png,pink\n./a.png,blue\n")


def test_values_and_columns_outside_the_listed_attributes_are_named(tmp_path):
    folder = write_pictures(tmp_path / "set")
    listed = folder / "attributes.json"
    listed.write_text(json.dumps({"hair": ["pinkish", "blue"], "eyes": ["red", "blue"]}))
    with pytest.raises(DatasetError, match=r"line 2: hair has no choice 'pink'; did you mean"):
        open_dataset(folder)
    listed.write_text(json.dumps({"hair": ["pink", "blue"]}))
    with pytest.raises(DatasetError, match=r"line 1: the column 'eyes' is no attribute"):
        open_dataset(folder)
    listed.write_text("{")
    with pytest.raises(DatasetError, match=r"attributes\.json: the attributes are not JSON"):
        open_dataset(folder)


def test_columns_of_probabilities_and_sources_are_no_attributes(tmp_path):
    tags = "file,source,hair,hair_p\na.png,one,pink,0.9\nb.png,one,blue,0.8\n"
    data = open_dataset(write_pictures(tmp_path / "set", tags))
    assert list(data.attributes) == ["hair"]
    assert data.sources == ("one", "one")
    assert data.splits[0] == data.splits[1] == split_of("one")


def test_the_tagger_of_the_tags_is_remembered_through_a_build(tmp_path):
    table = "file,hair,tagger\na.png,pink,abc\nb.png,blue,\nc d.png,blue,def\n"
    data = open_dataset(write_pictures(tmp_path / "crops", table))
    assert list(data.attributes) == ["hair"]
    assert data.taggers == {"abc", "def"}
    build_dataset(data, tmp_path / "set", resolution=16, upscaling=Upscaling.NEVER)
    assert open_dataset(tmp_path / "set").taggers == {"abc", "def"}


def test_splits_that_the_tags_name_are_taken(tmp_path):
    tags = "file,split,hair\na.png,test,pink\nb.png,train,blue\n"
    data = open_dataset(write_pictures(tmp_path / "set", tags))
    assert data.split(TEST).names == ("a.png",)
    assert data.split(TRAIN).names == ("b.png",)


@given(st.lists(st.text(), min_size=1, max_size=50))
def test_the_split_of_a_source_depends_on_nothing_else(sources):
    assert {split_of(source) for source in sources} <= {TRAIN, TEST}
    assert [split_of(source) for source in sources] == [split_of(str(s)) for s in sources]


def test_about_a_tenth_is_kept_for_testing():
    kept = sum(split_of(f"{number}.png") == TEST for number in range(10_000))
    assert 900 < kept < 1100


def test_a_subset_has_its_own_pictures_and_identity(pictures, tmp_path):
    data = open_dataset(pictures)
    subset = data.subset([2, 0])
    assert subset.names == ("c d.png", "a.png")
    assert subset.decoded(4, tmp_path)[:, 0, 0].tolist() == [[0, 0, 255], [255, 0, 0]]
    assert subset.sha256 != data.sha256


def test_the_hash_tells_other_tags_and_other_pictures_apart(tmp_path):
    first = open_dataset(write_pictures(tmp_path / "one")).sha256
    assert open_dataset(write_pictures(tmp_path / "two")).sha256 == first
    tags = TAGS.replace("pink", "red")
    assert open_dataset(write_pictures(tmp_path / "three", tags)).sha256 != first
    plain((9, 9, 9)).save(tmp_path / "two" / "a.png")
    assert open_dataset(tmp_path / "two").sha256 != first


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([4, 8, 16]))
def test_pictures_are_fitted_from_their_middle(width, height, resolution):
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[height // 2, width // 2] = 255
    fitted = fit_square(pixels, resolution)
    assert fitted.shape == (resolution, resolution, 3)
    if min(width, height) > 2:
        assert fitted[resolution // 4 : -(resolution // 4)].any()


def test_links_to_folders_and_hidden_files_are_left_out(tmp_path):
    folder = write_pictures(tmp_path / "set", tags=None)
    (folder / "loop").symlink_to(folder)
    (folder / ".hidden.png").write_bytes((folder / "a.png").read_bytes())
    assert open_dataset(folder).names == ("a.png", "b.png", "c d.png")


def test_damaged_pictures_are_named(tmp_path):
    folder = write_pictures(tmp_path / "set")
    (folder / "b.png").write_bytes(b"not a picture")
    with pytest.raises(DatasetError, match=r"b\.png: not a readable picture"):
        open_dataset(folder).decoded(8, tmp_path / "cache")
    archive = open_dataset(pack(folder, tmp_path / "set.tar"))
    with pytest.raises(DatasetError, match=r"set\.tar: 'b\.png': not a readable picture"):
        archive.decoded(8, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def write_tar(path, members):
    """Write members in order: bytes are files, text is what a symbolic link leads to."""
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def png(colour):
    content = io.BytesIO()
    plain(colour).save(content, "png")
    return content.getvalue()


FACES = {"faces/a.png": png((255, 0, 0)), "faces/b.png": png((0, 0, 255))}
FACES_TABLE = b"file,hair\na.png,red\nb.png,blue\n"


@pytest.mark.parametrize(
    "foreign",
    [
        ["._faces"],
        ["README.md", "LICENSE"],
        ["__MACOSX/faces/._a.png", "__MACOSX/._faces", "faces/.DS_Store", "faces/._tags.csv"],
        ["Thumbs.db", "desktop.ini", ".git/tags.csv", "notes/attributes.json"],
    ],
)
@pytest.mark.parametrize("prefix", ["", "./", "/", "C:\\"])
def test_what_else_is_in_an_archive_costs_no_tags(tmp_path, foreign, prefix):
    members = dict.fromkeys(foreign, b"x") | FACES | {"faces/tags.csv": FACES_TABLE}
    if prefix == "C:\\":
        members = {name.replace("/", "\\"): content for name, content in members.items()}
    path = write_tar(tmp_path / "x.tar", {prefix + name: each for name, each in members.items()})
    data = open_dataset(path)
    assert data.names == ("a.png", "b.png")
    assert dict(data.attributes) == {"hair": ("blue", "red", "unknown")}
    assert data.labels["hair"].tolist() == [1, 0]
    assert data.picture(1)[0, 0].tolist() == [0, 0, 255]


def test_links_in_an_archive_stand_for_what_they_lead_to(tmp_path):
    table = {
        "lists/v2.csv": FACES_TABLE,
        "faces/tags.csv": "current",
        "faces/current": "../lists/v2.csv",
    }
    data = open_dataset(write_tar(tmp_path / "x.tar", FACES | table | {"faces/c.png": "a.png"}))
    assert data.labels["hair"].tolist() == [1, 0]


def test_pictures_without_tags_lose_their_common_folder_whatever_is_beside_it(tmp_path):
    path = write_tar(tmp_path / "x.tar", {"._faces": b"x", "README": b"x", **FACES})
    assert open_dataset(path).names == ("a.png", "b.png")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"faces/tags.csv": FACES_TABLE, "old/tags.csv": b"x"}, "'faces/tags.csv' and 'old/tags.c"),
        ({"faces/tags.csv": "../../tags.csv"}, r"'faces/tags.csv' cannot be read \(a link"),
        ({"faces/tags.csv": "tags.csv"}, r"'faces/tags.csv' cannot be read \(a link"),
        ({"tags.csv": FACES_TABLE}, "tags.csv, line 2: there is no picture 'a.png' beside it; did"),
        ({"lists/Tags.csv": FACES_TABLE}, "Tags.csv, line 2: there is no picture 'a.png'|no pictu"),
    ],
)
def test_a_table_in_an_archive_that_cannot_be_used_is_named(tmp_path, members, message):
    with pytest.raises(DatasetError, match=message):
        open_dataset(write_tar(tmp_path / "x.tar", FACES | members))


def test_a_table_in_a_folder_that_would_not_be_used_is_named(tmp_path):
    write_pictures(tmp_path / "one")
    with pytest.raises(DatasetError, match=r"the table 'one/tags\.csv' in it would not be used"):
        open_dataset(tmp_path)
    assert len(open_dataset(tmp_path / "one", tags=tmp_path / "one" / "tags.csv")) == 3
    (tmp_path / "tags.csv").write_text("file,hair\none/a.png,pink\n")
    assert len(open_dataset(tmp_path)) == 1
    write_pictures(tmp_path / "two")
    with pytest.raises(DatasetError, match=r"the table 'two/tags\.csv' in it would not be used"):
        open_dataset(tmp_path)


def test_a_table_that_is_a_link_to_nothing_is_named(tmp_path):
    (write_pictures(tmp_path, tags=None) / "tags.csv").symlink_to("gone.csv")
    with pytest.raises(DatasetError, match=r"tags\.csv: a link to what is not there"):
        open_dataset(tmp_path)


def test_damaged_and_compressed_archives_are_refused(tmp_path):
    whole = pack(write_pictures(tmp_path / "set"), tmp_path / "set.tar").read_bytes()
    for end in (700, 1000, 100):
        (tmp_path / "cut.tar").write_bytes(whole[:end])
        with pytest.raises(DatasetError, match=r"cut\.tar"):
            open_dataset(tmp_path / "cut.tar")
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.png"), io.BytesIO())
    with pytest.raises(DatasetError, match="not an uncompressed tar file"):
        open_dataset(tmp_path / "set.tar.gz")


def test_what_is_not_there_or_empty_is_named(tmp_path):
    with pytest.raises(DatasetError, match="no such folder or file"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="there are no pictures in it"):
        open_dataset(tmp_path)


def test_sets_open_on_training_machines():
    code = (
        "import sys\n"
        "for name in ('torch', 'cv2', 'pydantic', 'typer', 'tqdm', 'gradio'):\n"
        "    sys.modules[name] = None\n"
        "import avatargan.dataset"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
