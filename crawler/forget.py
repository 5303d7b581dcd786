"""Taking pictures out for good, when someone asks for their art to be removed."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from avatargan.errors import CrawlError
from avatargan.files import write_atomically
from crawler.ledger import Ledger, PictureRow
from crawler.manifest import write_manifest
from crawler.report import REPORT_NAME, write_report
from crawler.sweep import sweep
from crawler.urls import absolute_url

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA256_START = re.compile(r"[0-9a-f]{8,63}")
_PICTURE_ID = re.compile(r"([0-9a-f]{8})-([0-9]{6,})")


@dataclass(frozen=True)
class Forgetting:
    """What forgetting one thing removes."""

    asked: str
    pictures: list[PictureRow]
    picture_ids: list[str]
    urls: list[str]
    target_numbers: list[int]
    sha256: str | None = None
    """A hash that is not kept and will only be barred."""


def plan_forgetting(ledger: Ledger, asked: str) -> Forgetting:
    """Find what a URL (of a picture or its page), a hash or a picture id stands for.

    Together with a picture go all its copies and every URL that served one of them. A URL or a
    whole SHA-256 that is not known is barred for the future.

    Raises:
        CrawlError: it is none of these, or stands for no or several pictures.
    """
    text = asked.strip()
    if "://" in text:
        url = absolute_url(text, text)
        if url is None:
            raise CrawlError(f"{asked!r} is not an http or https URL")
        return _closure(ledger, asked, _served_by(ledger, url), [url])
    text = text.lower()
    identity = _PICTURE_ID.fullmatch(text)
    if identity:
        if identity[1] != ledger.uuid[:8]:
            raise CrawlError(f"{asked} is of another ledger than that of {ledger.folder}")
        numbers = _numbers(ledger, "SELECT id FROM pictures WHERE id = ?", int(identity[2]))
    elif _SHA256.fullmatch(text):
        numbers = _numbers(ledger, *_BY_SHA256, text, text)
        if not numbers:
            return Forgetting(asked, [], [], [], [], sha256=text)
    elif _SHA256_START.fullmatch(text):
        numbers = _numbers(ledger, *_BY_START, f"{text}*", f"{text}*", text)
    else:
        raise CrawlError(
            f"{asked!r} is neither a URL nor a hash (8 or more of its hex digits) nor a picture id"
        )
    if not numbers:
        raise CrawlError(f"no picture in {ledger.folder} has {asked!r}")
    if len(numbers) > 1:
        raise CrawlError(f"{asked!r} stands for {len(numbers)} pictures; give more of the hash")
    return _closure(ledger, asked, numbers, [])


def plan_forgetting_gone(ledger: Ledger) -> list[Forgetting]:
    """Plan to forget every kept picture that is gone or not to be collected any more."""
    plans: list[Forgetting] = []
    planned: set[str] = set()
    for number in ledger.gone_pictures():
        identity = ledger.picture_id(number)
        if identity not in planned:  # a copy may have taken it along
            plans.append(plan_forgetting(ledger, identity))
            planned.update(plans[-1].picture_ids)
    return plans


def forget(ledger: Ledger, plan: Forgetting, also: list[Path]) -> list[Path]:
    """Remove files and records, leave tombstones, and return the files that were removed.

    ``also`` are folders of crops and data sets: in them go the files whose name begins with the
    picture's id, and the lines that name it of their manifests and other lists (``.jsonl``).

    Raises:
        OutputError: something cannot be written.
    """
    if plan.sha256 is not None:
        ledger.add_tombstone(plan.sha256)
    ledger.erase(plan.target_numbers, [picture.id for picture in plan.pictures], plan.urls)
    # The records are gone, so a process killed from here on leaves only files without a record,
    # which the sweep of the next run or forgetting removes.
    removed = [ledger.folder / picture.file for picture in plan.pictures]
    removed = [path for path in removed if path.exists()]
    sweep(ledger)
    write_manifest(ledger)
    if (ledger.folder / REPORT_NAME).exists():
        write_report(ledger)
    for folder in also:
        removed += _forget_derived(folder, plan.picture_ids)
    return removed


_BY_SHA256 = (
    "SELECT id FROM pictures WHERE sha256 = ?"
    " UNION SELECT picture_id FROM sources WHERE sha256 = ?",
)
_BY_START = (
    "SELECT id FROM pictures WHERE sha256 GLOB ?"
    " UNION SELECT picture_id FROM sources WHERE sha256 GLOB ?"
    " UNION SELECT id FROM pictures WHERE phash = ?",
)


def _served_by(ledger: Ledger, url: str) -> set[int]:
    """Return the pictures that ``url`` served, or that were found on it if it is a page."""
    return _numbers(
        ledger,
        "SELECT picture_id FROM sources WHERE url = ? OR final_url = ? OR page_url = ?"
        " UNION SELECT s.picture_id FROM sources s JOIN links l ON l.target_id = s.target_id"
        " JOIN targets p ON p.id = l.page_id WHERE p.url = ?",
        url,
        url,
        url,
        url,
    )


def _closure(ledger: Ledger, asked: str, numbers: set[int], urls: list[str]) -> Forgetting:
    """Add the copies of the pictures, and whatever else the same URLs served."""
    targets: set[int] = set()
    while True:
        marks = ",".join("?" * len(numbers))
        targets = _numbers(
            ledger, f"SELECT target_id FROM sources WHERE picture_id IN ({marks})", *numbers
        )
        target_marks = ",".join("?" * len(targets))
        more = _numbers(
            ledger,
            f"SELECT picture_id FROM sources WHERE target_id IN ({target_marks})"
            f" UNION SELECT id FROM pictures WHERE replaced_by IN ({marks})"
            f" UNION SELECT replaced_by FROM pictures WHERE id IN ({marks})"
            "  AND replaced_by IS NOT NULL",
            *targets,
            *numbers,
            *numbers,
        )
        if more <= numbers:
            break
        numbers |= more
    for url in urls:
        targets |= _numbers(ledger, "SELECT id FROM targets WHERE url = ?", url)
    pictures = ledger.pictures_by_number(sorted(numbers))
    return Forgetting(
        asked=asked,
        pictures=pictures,
        picture_ids=[ledger.picture_id(picture.id) for picture in pictures],
        urls=urls,
        target_numbers=sorted(targets),
    )


def _numbers(ledger: Ledger, query: str, *values: object) -> set[int]:
    return {int(row[0]) for row in ledger.rows(query, *values)}


def _forget_derived(folder: Path, picture_ids: list[str]) -> list[Path]:
    removed = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        if any(path.name.startswith((f"{each}_", f"{each}.")) for each in picture_ids):
            path.unlink()
            removed.append(path)
        elif path.suffix == ".jsonl":
            _forget_lines(path, picture_ids)
    return removed


def _forget_lines(path: Path, picture_ids: list[str]) -> None:
    """Drop the lines that name one of the ids, whatever the key it stands under."""
    # Not splitlines: JSON may hold characters unescaped that it takes for ends of lines.
    lines = path.read_bytes().split(b"\n")
    kept = [line for line in lines if not _names(line, picture_ids)]
    if len(kept) < len(lines):
        write_atomically(path, b"\n".join(kept))


def _names(line: bytes, picture_ids: list[str]) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:  # not JSON, or cut off by a kill: rather a line too many than one too few
        return any(each.encode() in line for each in picture_ids)
    values = entry.values() if isinstance(entry, dict) else []
    return any(value in picture_ids for value in values if isinstance(value, str))
