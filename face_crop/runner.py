"""Carrying out a run: analysing what is missing, deciding on duplicates, writing.

Decisions are made in the order of the files' names and depend on earlier files alone, never on
which process was faster. So runs with any number of processes, on one machine or many, killed and
carried on or not, end in the same files, byte for byte.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from avatargan.errors import OptionError, PictureError
from face_crop.analysis import Analysis, MakeAnalyser
from face_crop.cascade import load_cascade
from face_crop.duplicates import Look, SeenLooks
from face_crop.folder import CropFolder
from face_crop.options import CropOptions
from face_crop.reading import UnreadableError, read_content
from face_crop.records import (
    NEAR_DUPLICATE,
    NO_FACE,
    SAME_CONTENT,
    Record,
    accepted,
    crop_file,
    make_record,
    rejected,
)
from face_crop.sources import Source, find_sources
from face_crop.workers import Lost, WorkerPool

#: Seconds after which a picture is given up: long, for on a busy machine good ones take time.
TIME_LIMIT = 300.0


class Engine(Protocol):
    """What analyses pictures, here or on other machines."""

    def analyse(
        self, make_analyser: MakeAnalyser, sources: Sequence[Source]
    ) -> Iterator[Analysis | Lost]:
        """Yield what became of each file, in order."""
        ...


@dataclass(frozen=True)
class LocalEngine:
    """Analyses pictures in processes of this machine.

    Attributes:
        processes: how many.
        time_limit: seconds after which a picture is given up.
    """

    processes: int
    time_limit: float = TIME_LIMIT

    def analyse(
        self, make_analyser: MakeAnalyser, sources: Sequence[Source]
    ) -> Iterator[Analysis | Lost]:
        """See :meth:`Engine.analyse`."""
        processes = min(self.processes, len(sources))
        pool: WorkerPool[Source, Analysis] = WorkerPool(make_analyser, processes, self.time_limit)
        with pool:
            yield from pool.map(sources)


@dataclass(frozen=True)
class Summary:
    """What a folder of crops holds.

    Attributes:
        pictures: files that were looked at.
        crops: how many crops there are.
        rejected: how many faces or pictures were rejected, by reason.
        quarantined: how many files gave no picture, by reason.
    """

    pictures: int
    crops: int
    rejected: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Summary":
        """Count records."""
        pictures = crops = 0
        reasons: Counter[str] = Counter()
        quarantined: Counter[str] = Counter()
        for record in records:
            pictures += 1
            crops += len(record["crops"])
            reasons.update(each["reason"] for each in record["rejected"])
            if "quarantined" in record:
                quarantined[record["quarantined"]["reason"]] += 1
        return cls(pictures, crops, dict(reasons.most_common()), dict(quarantined.most_common()))


class CropRun:
    """Crops the faces of a folder of pictures into another.

    Args:
        source: the folder of pictures, or a single one; never changed.
        out: the folder for the crops: new, empty, or that of an earlier run, which is carried on.
        options: what is asked for.
        restart: remove what a run with other options left in ``out``.

    Raises:
        PictureError: there is no such folder, or nothing in it.
        OptionError: one of the folders is inside the other.
        OutputError: ``out`` holds something else.
        CascadeError: the cascade is missing or is none.
        CrawlError: the manifest of a crawl is damaged.
    """

    def __init__(
        self, source: Path, out: Path, options: CropOptions, *, restart: bool = False
    ) -> None:
        if not source.exists():
            raise PictureError(f"{source}: there is no such folder")
        _check_apart(source, out)
        load_cascade(options.detector.cascade)  # found out here, and not in every process
        self.options = options
        self.sources = find_sources(source, leave_out=out)
        if not self.sources:
            raise PictureError(f"{source}: there are no files in this folder")
        self.folder = CropFolder(out, options.record(), restart=restart)
        self.missing = self._find_missing(self.folder.check())
        self.summary = Summary(0, 0)

    def run(self, engine: Engine) -> Iterator[str]:
        """Crop what is missing; yield the name of each file once it is finished.

        However it ends, the lists are written for what is finished.

        Raises:
            OutputError: the folder cannot be written, or the disk is full.
        """
        with self.folder.claimed() as records:
            self.missing = self._find_missing(records)
            for source in self.missing:
                outdated = records.pop(source.name, None)
                if outdated is not None:
                    self.folder.remove_crops(outdated)
            decider = _Decider(self.options, records.values())
            try:
                yield from self._run(engine, decider, records)
            finally:
                in_order = [records[name] for name in sorted(records)]
                self.folder.publish(in_order)
                self.summary = Summary.of(in_order)

    def _run(
        self, engine: Engine, decider: "_Decider", records: dict[str, Record]
    ) -> Iterator[str]:
        if not self.missing:
            return
        analyses = engine.analyse(MakeAnalyser(self.options), self.missing)
        for source, analysis in zip(self.missing, analyses, strict=True):
            if isinstance(analysis, Lost):
                analysis = _as_quarantined(source, analysis)
            record, crops = decider.decide(source, analysis)
            self.folder.write(record, crops)
            records[source.name] = record
            yield source.name

    def _find_missing(self, records: dict[str, Record]) -> list[Source]:
        return [
            source
            for source in self.sources
            if source.name not in records or _has_changed(source, records[source.name])
        ]


class _Decider:
    """Decides what depends on earlier pictures: which of the same are left out.

    Args:
        options: what is asked for.
        records: those of files that are done.
    """

    def __init__(self, options: CropOptions, records: Iterable[Record]) -> None:
        self._options = options
        self._first_of_content: dict[str, str] = {}
        self._looks = SeenLooks(options.near_duplicates)
        for record in records:
            if "quarantined" not in record:
                self._first_of_content.setdefault(record["sha256"], record["source"])
            for crop in record["crops"]:
                look = Look(int(crop["hash"], 16), bytes.fromhex(crop["colours"]))
                self._looks.add(crop["file"], look)

    def decide(self, source: Source, analysis: Analysis) -> tuple[Record, dict[str, bytes]]:
        """Return the record of a file, and its crops by their names."""
        record = make_record(source, analysis)
        crops: dict[str, bytes] = {}
        if analysis.quarantined is not None:
            return record, crops
        first = self._first_of_content.setdefault(analysis.sha256, source.name)
        if first != source.name:
            record["rejected"].append({"reason": SAME_CONTENT, "detail": first})
            return record, crops
        if not analysis.candidates:
            record["rejected"].append({"reason": NO_FACE, "detail": "no face was found"})
        for candidate in analysis.candidates:
            if candidate.rejected is not None:
                record["rejected"].append(rejected(candidate, *candidate.rejected))
                continue
            assert candidate.png is not None
            assert candidate.look is not None
            near = self._looks.find_near(candidate.look, crops.keys())
            if near is not None:
                record["rejected"].append(rejected(candidate, NEAR_DUPLICATE, near))
                continue
            file = crop_file(source, analysis.sha256, candidate.number)
            self._looks.add(file, candidate.look)
            record["crops"].append(accepted(candidate, file, self._options.size))
            crops[file] = candidate.png
        return record, crops


def _check_apart(source: Path, out: Path) -> None:
    here, there = source.resolve(), out.resolve()
    if here == there:
        raise OptionError(f"the crops of {source} cannot go into the same folder; choose another")
    if here in there.parents or there in here.parents:
        raise OptionError(
            f"{source} and {out} lie one inside the other; choose a folder of its own for the crops"
        )


def _has_changed(source: Source, record: Record) -> bool:
    """Tell whether a file is no longer what its record is about.

    The content decides; it is read only where size or time say that it may differ.
    """
    if not record["sha256"]:  # it could not be read; perhaps it can now
        return True
    try:
        status = source.path.stat()
    except OSError:
        return True
    if (status.st_size, status.st_mtime_ns) == (record["bytes"], record["modified_ns"]):
        return False
    if status.st_size != record["bytes"]:
        return True
    try:
        return bool(read_content(source.path).sha256 != record["sha256"])
    except UnreadableError:
        return True


def _as_quarantined(source: Source, lost: Lost) -> Analysis:
    identity: dict[str, Any] = {}
    try:
        content = read_content(source.path)
        identity = {
            "sha256": content.sha256,
            "bytes": len(content.data),
            "modified_ns": content.modified_ns,
        }
    except UnreadableError:
        pass  # it is recorded all the same
    return Analysis(**identity, quarantined=(lost.reason, lost.detail))
