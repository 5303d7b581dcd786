"""The folder that crops go to: whose it is, what is done, and writing into it.

A hidden folder ``.avatargan`` holds the options and a journal with one record per file. A crop is
announced in the journal before it is written, and the record follows when all crops of a picture
are there, so that a process killed at any moment leaves nothing that the next one cannot put right.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from avatargan.errors import OutputError
from avatargan.files import (
    LOCK,
    atomic_writer,
    only_writer,
    open_regular,
    read_regular,
    target_of_temporary,
    write_atomically,
)
from face_crop.records import (
    RECORD_KEYS,
    Record,
    manifest_lines,
    quarantine_lines,
    rejected_lines,
    to_line,
)

MARK = ".avatargan"
OPTIONS = "crop-options.json"
JOURNAL = "crop-journal.jsonl"
MANIFEST, REJECTED, QUARANTINE = "manifest.jsonl", "rejected.jsonl", "quarantine.jsonl"

_LISTS: dict[str, Callable[[Record], list[Record]]] = {
    MANIFEST: manifest_lines,
    REJECTED: rejected_lines,
    QUARANTINE: quarantine_lines,
}
#: What file managers leave behind in folders that people call empty.
_LITTER = {".ds_store", "thumbs.db", "desktop.ini"}
#: Key of the journal's lines that announce crops.
_WRITING = "writing"
#: Records after which the journal is forced to the disk. Those that a power cut takes are made
#: anew; a killed process loses none.
_SYNCED_EVERY = 64


class CropFolder:
    """A folder that a run of the cropper writes into.

    Args:
        path: the folder; it is made when something is written.
        options: what the run is asked for (:meth:`CropOptions.record`).
        restart: whether what a run with other options left there is removed.
    """

    def __init__(self, path: Path, options: dict[str, Any], *, restart: bool = False) -> None:
        self.path = path
        self.options = options
        self.restart = restart
        self._journal: BinaryIO | None = None
        self._unsynced = 0

    def check(self) -> dict[str, Record]:
        """Return the records that a run with the same options left there, by source.

        Records whose crops are not all there any more are left out. Nothing is changed.

        Raises:
            OutputError: the folder holds files of something else, or crops made with other
                options and ``restart`` was not asked for.
        """
        if not self.path.exists():
            return {}
        if not self.path.is_dir():
            raise OutputError(f"{self.path} is a file; choose a folder")
        held = self._held_options()
        if held is None:
            self._require_empty()
            return {}
        if self.restart:
            return {}
        if held != self.options:
            raise OutputError(
                f"{self.path} holds crops made with other options "
                f"({_first_difference(held, self.options)}); choose a new folder, "
                "or start over with --restart"
            )
        there = {entry.name for entry in self.path.iterdir()}
        records, _ = self._read_journal()
        return {
            source: record
            for source, record in records.items()
            if all(crop["file"] in there for crop in record["crops"])
        }

    @contextmanager
    def claimed(self) -> Iterator[dict[str, Record]]:
        """Make the folder that of this run for as long as the block runs; give what is done.

        Raises:
            OutputError: as for :meth:`check`; or another process is writing here, or the folder
                cannot be written.
        """
        self.check()
        mark = self.path / MARK
        try:
            mark.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make {self.path}: {error.strerror or error}") from error
        with only_writer(mark, self.path):
            records = self.check()  # another process may have worked here while we waited
            if self.restart:
                self._remove_all()
            self._remove_leftovers(records)
            if self._held_options() is None:
                write_atomically(mark / OPTIONS, json.dumps(self.options, indent=1) + "\n")
            self._rewrite_journal(records.values())
            self._journal = (mark / JOURNAL).open("ab")
            try:
                yield records
            finally:
                self._journal.close()
                self._journal = None

    def write(self, record: Record, crops: dict[str, bytes]) -> None:
        """Write the crops of a picture, then its record.

        Args:
            record: the finished record.
            crops: the files by their names.

        Raises:
            OutputError: the disk is full, or the folder can no longer be written.
        """
        assert self._journal is not None, "the folder has to be claimed"
        if crops:
            announced: Record = {_WRITING: list(crops)}
            if "crawl_id" in record:
                announced["crawl_id"] = record["crawl_id"]
            self._append(announced)
        for name, png in crops.items():
            write_atomically(self.path / name, png)
        self._append(record)

    def publish(self, records: Iterable[Record]) -> None:
        """Write the manifest and the other lists.

        Args:
            records: those of all files, in the order in which they are to be listed.

        Raises:
            OutputError: they cannot be written.
        """
        records = list(records)
        for name, lines_of in _LISTS.items():
            with atomic_writer(self.path / name) as file:
                for record in records:
                    file.writelines(to_line(line) for line in lines_of(record))
        self._rewrite_journal(records)

    def remove_crops(self, record: Record) -> None:
        """Delete the crops of a record that is to be made anew."""
        for crop in record["crops"]:
            self._crop_path(crop["file"]).unlink(missing_ok=True)

    def _crop_path(self, name: str) -> Path:
        """Return where a crop is; what a journal from elsewhere names leads nowhere else."""
        if Path(name).name != name:
            raise OutputError(f"{self.path / MARK / JOURNAL} is damaged: {name!r} is no crop")
        return self.path / name

    def _append(self, entry: Record) -> None:
        assert self._journal is not None
        try:
            self._journal.write(to_line(entry))
            self._journal.flush()
            self._unsynced += 1
            if self._unsynced >= _SYNCED_EVERY:
                os.fsync(self._journal.fileno())
                self._unsynced = 0
        except OSError as error:
            raise OutputError(
                f"cannot write into {self.path}: {error.strerror or error}"
            ) from error

    def _held_options(self) -> dict[str, Any] | None:
        place = self.path / MARK / OPTIONS
        try:
            held: dict[str, Any] = json.loads(read_regular(place))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise OutputError(f"cannot read {place}: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            raise OutputError(f"{place} is damaged ({error}); choose a new folder") from error
        if not isinstance(held, dict):
            raise OutputError(f"{place} is damaged (no options); choose a new folder")
        return held

    def _require_empty(self) -> None:
        for entry in sorted(self.path.iterdir()):
            if entry.name.casefold() in _LITTER:
                continue
            if entry.name == MARK and entry.is_dir():  # killed before the options were written
                names = {inside.name for inside in entry.iterdir()} - {LOCK}
                if all(target_of_temporary(name) == OPTIONS for name in names):
                    continue
            raise OutputError(
                f"{self.path} holds files of something else ('{entry.name}'); "
                "choose a new or an empty folder"
            )

    def _read_journal(self) -> tuple[dict[str, Record], set[str]]:
        """Return the records by source, and all crops that were announced.

        A line that is damaged, or was cut off by a kill, is left out: its picture is done again,
        with the same crops.
        """
        records: dict[str, Record] = {}
        announced: set[str] = set()
        place = self.path / MARK / JOURNAL
        try:
            with open_regular(place) as lines:
                for line in lines:
                    entry = _parse(line)
                    if _WRITING in entry:
                        announced.update(_strings(entry[_WRITING]))
                    elif _is_record(entry):
                        records[entry["source"]] = entry
        except FileNotFoundError:
            pass
        except OSError as error:
            raise OutputError(f"cannot read {place}: {error.strerror or error}") from error
        return records, announced

    def _rewrite_journal(self, records: Iterable[Record]) -> None:
        place = self.path / MARK / JOURNAL
        with atomic_writer(place) as file:
            file.writelines(to_line(record) for record in records)
        if self._journal is not None:
            self._journal.close()
            self._journal = place.open("ab")

    def _remove_leftovers(self, kept: dict[str, Record]) -> None:
        """Delete what a killed process was just writing, and crops of records that are void."""
        records, announced = self._read_journal()
        known = announced.union(
            *({crop["file"] for crop in record["crops"]} for record in records.values())
        )
        done = {crop["file"] for record in kept.values() for crop in record["crops"]}
        for name in known - done:
            self._crop_path(name).unlink(missing_ok=True)
        for folder, own in (
            (self.path, known | {*_LISTS}),
            (self.path / MARK, {OPTIONS, JOURNAL}),
        ):
            for path in folder.glob(".*.tmp"):
                target = target_of_temporary(path.name)
                if target is not None and any(name.startswith(target) for name in own):
                    path.unlink(missing_ok=True)

    def _remove_all(self) -> None:
        """Delete what an earlier run made, and nothing else."""
        self._remove_leftovers({})
        for name in _LISTS:
            (self.path / name).unlink(missing_ok=True)
        for name in (JOURNAL, OPTIONS):
            (self.path / MARK / name).unlink(missing_ok=True)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


def _strings(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _is_record(entry: dict[str, Any]) -> bool:
    """Tell whether a line of a journal, which may come from elsewhere, is a whole record."""
    if not entry.keys() >= RECORD_KEYS or not isinstance(entry["source"], str):
        return False
    crops, rejected = entry["crops"], entry["rejected"]
    if not isinstance(crops, list) or not isinstance(rejected, list):
        return False
    try:
        for crop in crops:
            if not isinstance(crop["file"], str):
                return False
            int(crop["hash"], 16)
            bytes.fromhex(crop["colours"])
        if not all(isinstance(each["reason"], str) for each in rejected):
            return False
        quarantined = entry.get("quarantined", {"reason": ""})
        return isinstance(quarantined["reason"], str)
    except (TypeError, ValueError, KeyError):
        return False


def _first_difference(held: dict[str, Any], wanted: dict[str, Any]) -> str:
    names = [name for name in {**wanted, **held} if held.get(name) != wanted.get(name)]
    name = names[0]
    was, now = held.get(name), wanted.get(name)
    option = "version" if name == "version" else f"--{name.replace('_', '-')}"
    if isinstance(now, str) and len(now) == 64:  # the hash of a file
        return f"another file for {option}"
    return f"{option}: {was} there, {now} asked for"
