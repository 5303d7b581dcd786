"""Which files of a folder are looked at, in an order that does not depend on the file system.

Every file that is not hidden is taken, whatever its name: what turns out to be no picture is put
on record later. Links are followed, each folder is visited once, so loops end. In the folder of a
crawl the pictures of its manifest are taken, and nothing else.
"""

import json
import os
import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatargan.errors import CrawlError, PictureError

#: Marks a folder as that of a crawl.
CRAWL_LEDGER = "ledger.sqlite"
CRAWL_MANIFEST = "manifest.jsonl"
#: The ids that a crawl gives; names of crops begin with them.
CRAWL_ID = re.compile(r"[0-9a-f]{8}-[0-9]{6,}")
#: What file managers leave behind.
_LITTER = {"thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Source:
    """A file that may be a picture.

    Attributes:
        name: its path inside the folder, parts divided by "/". A name that is not UTF-8 has the
            surrogates of :func:`os.fsdecode`.
        path: where it is.
        crawl_id: the id that a crawl gave to the picture, if it comes from one.
        problem: why it cannot be read, where that was found out while looking for it.
    """

    name: str
    path: Path
    crawl_id: str | None = None
    problem: str | None = None


def find_sources(folder: Path, *, leave_out: Path | None = None) -> list[Source]:
    """Return the files of a folder, sorted by name.

    Args:
        folder: searched with all its subfolders; or a single file.
        leave_out: a folder that is not entered, even where a link leads to it.

    Raises:
        PictureError: there is no such folder, or it cannot be read.
        CrawlError: the manifest of a crawl is damaged.
    """
    if folder.is_file():
        return [Source(folder.name, folder)]
    if not folder.is_dir():
        raise PictureError(f"{folder}: there is no such folder")
    crawled = _crawled_pictures(folder)
    if crawled is not None:
        return crawled
    return sorted(_walk(folder, leave_out), key=lambda source: source.name)


def _crawled_pictures(folder: Path) -> list[Source] | None:
    """Return the pictures of a crawl, None where the folder is none's."""
    manifest = folder / CRAWL_MANIFEST
    if not manifest.is_file():
        if (folder / CRAWL_LEDGER).exists():
            raise CrawlError(
                f"{folder} holds a crawl that has not written its manifest yet; "
                "let a run of it come to its end, for crops carry the ids of the manifest"
            )
        return None
    if not (folder / CRAWL_LEDGER).exists() and not _is_of_a_crawl(manifest):
        return None
    # Imported here: most folders are not a crawl's.
    from crawler.manifest import read_manifest

    sources = []
    for path, entry in read_manifest(folder).items():
        identity = entry.get("id")
        if not isinstance(identity, str) or not CRAWL_ID.fullmatch(identity):
            raise CrawlError(f"{manifest} is damaged: {path} has no id")
        name = path.relative_to(folder).as_posix()
        sources.append(Source(name, path, crawl_id=identity))
    return sorted(sources, key=lambda source: source.name)


def _is_of_a_crawl(manifest: Path) -> bool:
    """Tell by the first line: other tools write files of this name, too."""
    with manifest.open("rb") as lines:
        first = lines.readline(1_000_000)
    try:
        entry: Any = json.loads(first)
    except ValueError:
        return False
    identity = entry.get("id") if isinstance(entry, dict) else None
    return isinstance(identity, str) and CRAWL_ID.fullmatch(identity) is not None


def _walk(folder: Path, leave_out: Path | None) -> list[Source]:
    """List the files: those of real folders first, then those of folders that links lead to.

    So a link never takes the place of the folder itself.
    """
    found: list[Source] = []
    visited: set[tuple[int, int]] = set()
    if leave_out is not None and leave_out.is_dir():
        visited.add(_identity(leave_out))
    folders = deque([(folder, "")])
    linked: deque[tuple[Path, str]] = deque()
    while folders or linked:
        path, prefix = folders.popleft() if folders else linked.popleft()
        try:
            identity = _identity(path)
            if identity in visited:
                continue
            visited.add(identity)
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError as error:
            if not prefix:
                raise PictureError(f"{path}: {error.strerror or error}") from error
            problem = f"the folder cannot be read: {error.strerror or error}"
            found.append(Source(prefix.rstrip("/"), path, problem=problem))
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name.casefold() in _LITTER:
                continue
            name = prefix + entry.name
            inside = Path(entry.path)
            try:
                is_folder = entry.is_dir()
            except OSError:  # a loop of links
                is_folder = False
            if is_folder:
                (linked if entry.is_symlink() else folders).append((inside, f"{name}/"))
            else:
                found.append(Source(name, inside))
    return found


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
