"""Opening a set: one function for all the forms that tagged pictures come in."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from avatargan.attributes import Taxonomy
from avatargan.dataset.dataset import Dataset, open_map, require_pictures, split_of
from avatargan.dataset.stores import (
    FolderStore,
    PictureStore,
    ShardStore,
    TarStore,
    tables_among,
)
from avatargan.dataset.tags import TAGS_FILE, Tags, read_tags, with_unknown
from avatargan.errors import DatasetError, TaxonomyError
from avatargan.files import read_regular

ATTRIBUTES_FILE = "attributes.json"
#: Its presence tells a built set from a folder of pictures.
INDEX_FILE = "dataset.json"
BUILT_FORMAT = "avatargan dataset"
BUILT_VERSION = 1


def open_dataset(
    path: str | os.PathLike[str], *, tags: str | os.PathLike[str] | None = None
) -> Dataset:
    """Open tagged pictures.

    Args:
        path: a set that was built, a folder of pictures with a ``tags.csv``, an uncompressed tar
            file of such a folder, or either without tags. With a ``tags.csv``, the pictures are
            those that it lists; ``attributes.json`` beside it fixes the attributes and the order
            of their choices.
        tags: a ``tags.csv`` somewhere else.

    Raises:
        DatasetError: there is nothing of the kind, or it is damaged; the message names the file
            and the line.
    """
    path = Path(path)
    table = None if tags is None else Path(tags)
    if path.is_dir():
        if (path / INDEX_FILE).exists():
            return require_pictures(_open_built(path))
        store: PictureStore
        store = folder = FolderStore.open(path)
        tables = tables_among(folder.others)
        if tables and "/" in tables[0] and table is None:
            raise DatasetError(
                f"{path}: the table '{tables[0]}' in it would not be used; open its folder, or "
                "name the table"
            )
        tag_content = _read_if_there(path / (tables[0] if tables else TAGS_FILE))
        if tables and tag_content is None:
            raise DatasetError(f"{path / tables[0]}: a link to what is not there")
        attributes = _read_if_there(path / ATTRIBUTES_FILE)
    elif path.is_file():
        store = archive = TarStore.open(path)
        tables = tables_among(archive.members)
        tag_content, attributes = (
            archive.content(name) if name in archive.members else None
            for name in (tables[0] if tables else TAGS_FILE, ATTRIBUTES_FILE)
        )
    elif not path.exists():
        raise DatasetError(f"{path}: there is no such folder or file")
    else:
        raise DatasetError(f"{path}: neither a folder nor a file")
    place = str(path / (tables[0] if tables else TAGS_FILE))
    if table is not None:
        place, tag_content = str(table), _read_if_there(table)
        attributes = _read_if_there(table.parent / ATTRIBUTES_FILE) or attributes
        if tag_content is None:
            raise DatasetError(f"{table}: there is no such file")
    if not store.names:
        raise DatasetError(f"{path}: there are no pictures in it")
    if tag_content is None:
        return _untagged(path, store)
    taxonomy = None
    if attributes is not None:
        taxonomy = _taxonomy(attributes, str(path / ATTRIBUTES_FILE))
    read = read_tags(tag_content, place, store.names, taxonomy)
    if table is None:
        _require_no_other_table(path, tables[1:], read, store)
    return _tagged(path, store, read)


def _require_no_other_table(
    path: Path, tables: Sequence[str], read: Tags, store: PictureStore
) -> None:
    """Make sure that no pictures are left out whose tags are in a table further inside.

    Raises:
        DatasetError: there are; the message names the table.
    """
    for name in tables:
        inside = f"{name.rpartition('/')[0]}/"
        left_out = any(picture.startswith(inside) for picture in store.names)
        if left_out and not any(picture.startswith(inside) for picture in read.files):
            raise DatasetError(
                f"{path}: the table '{name}' in it would not be used, and the one that is lists "
                "none of the pictures beside it; join the two"
            )


def _untagged(path: Path, store: PictureStore) -> Dataset:
    names = store.names
    splits = np.array([split_of(name) for name in names])
    return Dataset(path, Taxonomy({}), names, {}, names, splits, store, np.arange(len(names)))


def _tagged(path: Path, store: PictureStore, tags: Tags) -> Dataset:
    index = {name: place for place, name in enumerate(store.names)}
    splits = [
        split or split_of(source) for split, source in zip(tags.splits, tags.sources, strict=True)
    ]
    return Dataset(
        path,
        tags.attributes,
        tags.files,
        tags.labels,
        tags.sources,
        np.array(splits),
        store,
        np.array([index[name] for name in tags.files], dtype=np.int64),
        tags.notes,
        tags.taggers,
    )


def _open_built(path: Path) -> Dataset:
    """Open what ``avatargan dataset build`` wrote."""
    place = path / INDEX_FILE
    index = _read_index(place)
    tag_content, attributes = (_read_if_there(path / name) for name in (TAGS_FILE, ATTRIBUTES_FILE))
    try:
        resolution = int(index["resolution"])
        shards = tuple(
            open_map(
                path / Path(shard["file"]).name, (int(shard["count"]), resolution, resolution, 3)
            )
            for shard in index["shards"]
        )
        names = tuple(str(name) for name in index["files"])
        sha256 = str(index["sha256"])
        taggers = frozenset(str(tagger) for tagger in index.get("taggers", ()))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DatasetError(f"{place}: damaged ({error!r}); build the set again") from error
    if sum(map(len, shards)) != len(names):
        raise DatasetError(f"{place}: its shards do not hold {len(names)} pictures; build it again")
    store = ShardStore(shards, names, sha256)
    if tag_content is None:
        raise DatasetError(f"{path}: {TAGS_FILE} is missing; build the set again")
    taxonomy = None
    if attributes is not None:
        taxonomy = _taxonomy(attributes, str(path / ATTRIBUTES_FILE))
    tags = read_tags(tag_content, str(path / TAGS_FILE), names, taxonomy)
    return _tagged(path, store, replace(tags, taggers=tags.taggers | taggers))


def _read_index(place: Path) -> dict[str, Any]:
    try:
        index = json.loads(_read_if_there(place) or b"")
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{place}: not JSON ({error}); build the set again") from error
    if not isinstance(index, dict) or index.get("format") != BUILT_FORMAT:
        raise DatasetError(f"{place}: not the index of a built set")
    if index.get("version") != BUILT_VERSION:
        raise DatasetError(
            f"{place}: of version {index.get('version')}, this program reads {BUILT_VERSION}; "
            "build the set again"
        )
    return index


def _taxonomy(content: bytes, place: str) -> Taxonomy:
    try:
        taxonomy = Taxonomy.from_json(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DatasetError(f"{place}: not UTF-8 text") from error
    except TaxonomyError as error:
        raise DatasetError(f"{place}: {error}") from error
    return with_unknown(taxonomy)


def _read_if_there(path: Path) -> bytes | None:
    try:
        return read_regular(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}") from error
