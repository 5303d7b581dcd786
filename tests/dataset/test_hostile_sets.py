"""Sets from strangers, damaged or made to do damage, are refused in words and in no time."""

import json
import os
import shutil
import struct
import tarfile

import numpy as np
import pytest
from PIL import Image

from avatargan.cli import main
from avatargan.dataset import open_dataset
from avatargan.dataset.building import Upscaling, build_dataset
from avatargan.dataset.crops import read_crop_facts
from avatargan.errors import DatasetError, OutputError


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, name in enumerate(("a.png", "b.png")):
        Image.effect_noise((32, 32), 50 + index).convert("RGB").save(folder / name)
    (folder / "tags.csv").write_text("file,hair\na.png,red\nb.png,blue\n")
    return folder


@pytest.fixture
def built(pictures, tmp_path):
    build_dataset(
        open_dataset(pictures), tmp_path / "set", resolution=32, upscaling=Upscaling.NEVER
    )
    return tmp_path / "set"


@pytest.mark.parametrize("name", ["tags.csv", "attributes.json"])
def test_a_pipe_in_place_of_a_table_is_not_waited_for(pictures, name):
    (pictures / name).unlink(missing_ok=True)
    os.mkfifo(pictures / name)
    with pytest.raises(DatasetError, match=f"{name}: a pipe or a device"):
        open_dataset(pictures)


def test_tags_from_a_device_are_refused(pictures):
    with pytest.raises(DatasetError, match="/dev/zero: a pipe or a device"):
        open_dataset(pictures, tags="/dev/zero")


@pytest.mark.parametrize("name", ["dataset.json", "pictures-00000.npy"])
def test_a_pipe_in_a_built_set_is_not_waited_for(built, name):
    (built / name).unlink()
    os.mkfifo(built / name)
    with pytest.raises(DatasetError, match="a pipe or a device"):
        open_dataset(built)


def test_a_picture_that_is_a_pipe_is_not_waited_for_when_pictures_are_identified(pictures):
    (pictures / "a.png").unlink()
    os.mkfifo(pictures / "a.png")
    with pytest.raises(DatasetError, match=r"a\.png: a pipe or a device"):
        open_dataset(pictures).decoded(32)


def test_numbers_without_end_in_the_index(built):
    index = json.loads((built / "dataset.json").read_text())
    (built / "dataset.json").write_text(json.dumps(index | {"resolution": float("inf")}))
    with pytest.raises(DatasetError, match=r"dataset\.json: damaged"):
        open_dataset(built)


def npy(header):
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(100)


SHAPE = b"{'descr':'|u1','fortran_order':False,'shape':(%d,%d,9,9)}"


@pytest.mark.parametrize(
    "header", [b"{'descr':", b"(" * 5000, SHAPE % (10**11, 10**8), SHAPE % (-2, 32)]
)
def test_headers_of_shards_that_lie(built, header):
    (built / "pictures-00000.npy").write_bytes(npy(header))
    with pytest.raises(DatasetError, match=r"pictures-00000\.npy: "):
        open_dataset(built)


def test_an_archive_of_arrays_is_no_shard(built):
    np.savez(built / "x.npz", a=np.zeros(3))
    (built / "x.npz").rename(built / "pictures-00000.npy")
    with pytest.raises(DatasetError, match="missing or damaged"):
        open_dataset(built)


def tar_header(name, kind, size):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "content",
    [
        (tar_header("L", tarfile.GNUTYPE_LONGNAME, 5) + b"name".ljust(512, b"\0")) * 3000,
        tar_header("L", tarfile.GNUTYPE_LONGNAME, 2**62) + bytes(1024),
    ],
    ids=["names upon names", "a name of exabytes"],
)
def test_tar_headers_that_take_stack_or_memory(tmp_path, content):
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(DatasetError, match=r"x\.tar: not an uncompressed tar file"):
        open_dataset(tmp_path / "x.tar")


def test_sixty_thousand_columns_are_refused_at_once(pictures):
    columns = ",".join(f"c{number}" for number in range(60_000))
    (pictures / "tags.csv").write_text(f"file,{columns}\n")
    with pytest.raises(DatasetError, match="there are no rows"):
        open_dataset(pictures)


def test_any_name_of_a_file_survives_a_build(tmp_path):
    folder = tmp_path / "crops"
    folder.mkdir()
    names = ["a\nb.png", "c\rd.png", 'q"uo,te.png', " 日本語 .png", "x" * 251 + ".png"]
    for index, name in enumerate([*names, "\udcff.png"]):
        Image.effect_noise((32, 32), 40 + index).convert("RGB").save(folder / name)
    out = tmp_path / "set"
    summary = build_dataset(open_dataset(folder), out, resolution=32, upscaling=Upscaling.NEVER)
    assert sorted(open_dataset(out).names) == sorted(names)
    assert list(summary.left_out) == ["\\udcff.png"]
    assert main(["tag", str(folder), "--quiet"]) == 0
    assert sorted(open_dataset(folder).names) == sorted(names)


@pytest.mark.parametrize(
    "crop",
    [
        {"crop_box": [0, 0, float("inf"), float("inf")]},
        {"crop_box": [0, 0, -5, -5]},
        {"source_sha256": "\ud800"},
    ],
)
def test_facts_of_crops_that_cannot_be(tmp_path, crop):
    line = {"file": "a.png", "crop_box": [0, 0, 9, 9], "source_sha256": "x"} | crop
    (tmp_path / "manifest.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(DatasetError, match="line 1: not a line of the cropper"):
        read_crop_facts(tmp_path)


def test_replacing_a_set_does_not_remove_what_else_is_in_its_folder(pictures, built):
    shutil.move(pictures, built / "mine")
    with pytest.raises(OutputError, match="holds 'mine', which is not the set's"):
        build_dataset(open_dataset(built / "mine"), built, overwrite=True)
    assert (built / "mine" / "a.png").exists()


def test_sheets_are_png_files(pictures, tmp_path, capsys):
    assert main(["dataset", "inspect", str(pictures), "--out", str(tmp_path / "x.txt")]) == 2
    assert "x.txt: the name of this file should end in .png" in capsys.readouterr().err
