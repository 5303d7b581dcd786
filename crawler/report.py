"""The report of a crawl folder: counts, sources, terms and a contact sheet."""

import base64
import io
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image, ImageOps

from avatargan.files import write_atomically
from crawler import manifest
from crawler.ledger import COULD_NOT_BE_HAD, Ledger
from crawler.urls import host_of

REPORT_NAME = "report.html"
_THUMBNAIL = (144, 144)
UNSTATED = "not stated"


@dataclass(frozen=True)
class Report:
    """What a crawl folder holds and how it came there."""

    ledger: str
    sites: list[str]
    pictures: int
    megabytes: float
    missing_files: int
    sources: int
    duplicates: int
    forgotten: int
    gone: int
    by_gone: dict[str, int]
    pages: int
    waiting: int
    by_host: dict[str, int]
    by_terms: dict[str, int]
    by_author: dict[str, int]
    by_attribute: dict[str, dict[str, int]]
    by_tag: dict[str, int]
    not_taken: dict[str, int]
    not_reached: list[dict[str, Any]]
    """Origins and pages that could not be had: what, reason, failures, failing_since, waiting."""
    runs: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return this as plain values for JSON."""
        return asdict(self)


def make_report(ledger: Ledger) -> Report:
    """Count what the ledger holds."""
    entries = list(manifest.entries(ledger))
    hosts = Counter(host for each in entries for host in {host_of(url) for url in each["urls"]})
    terms = Counter(each["licence"] or each["terms"] or UNSTATED for each in entries)
    attributes: dict[str, Counter[str]] = {}
    for each in entries:
        for name, value in each["attributes"].items():
            attributes.setdefault(name, Counter())[value] += 1
    not_taken = ledger.rows(
        "SELECT reason, count(*) AS n FROM targets"
        " WHERE state IN ('refused', 'failed', 'postponed')"
        " GROUP BY reason ORDER BY n DESC, reason"
    )
    return Report(
        ledger=ledger.uuid,
        sites=[row["site"] for row in ledger.rows("SELECT DISTINCT site FROM runs ORDER BY 1")],
        pictures=len(entries),
        megabytes=round(sum(each["bytes"] for each in entries) / 1e6, 3),
        missing_files=sum(not (ledger.folder / each["file"]).is_file() for each in entries),
        sources=_count(ledger, "sources WHERE superseded_at IS NULL"),
        duplicates=_count(ledger, "sources WHERE relation != 'original' AND superseded_at IS NULL"),
        forgotten=_count(ledger, "tombstones WHERE kind = 'sha256'"),
        gone=sum(each["gone"] is not None for each in entries),
        by_gone=dict(
            Counter(each["gone"]["reason"] for each in entries if each["gone"]).most_common(50)
        ),
        pages=_count(ledger, "targets WHERE kind = 'page' AND state = 'done'"),
        waiting=_count(ledger, "targets WHERE state = 'pending'") + _count(ledger, "inbox"),
        by_host=dict(hosts.most_common()),
        by_terms=dict(terms.most_common()),
        by_author=dict(Counter(each["author"] or UNSTATED for each in entries).most_common(50)),
        by_attribute={name: dict(values.most_common()) for name, values in attributes.items()},
        by_tag=dict(Counter(tag for each in entries for tag in each["tags"]).most_common(50)),
        not_taken={str(row["reason"]): row["n"] for row in not_taken},
        not_reached=_not_reached(ledger),
        runs=[dict(row) for row in ledger.rows("SELECT * FROM runs ORDER BY id DESC LIMIT 50")],
    )


def write_report(ledger: Ledger, *, thumbnails: int = 240) -> Path:
    """Write ``report.html``, one file that needs nothing else, and return its path.

    The contact sheet shows the newest ``thumbnails`` pictures.

    Raises:
        OutputError: it cannot be written.
    """
    report = make_report(ledger)
    newest = list(manifest.entries(ledger))[::-1][:thumbnails]
    sheet = [{**each, "thumbnail": _thumbnail(ledger.folder / each["file"])} for each in newest]
    # Everything on it comes from strangers' pages: escape it all, and let nothing run or load.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["is_link"] = lambda text: str(text).startswith(("http://", "https://"))
    page = environment.get_template("report.html").render(
        report=report, sheet=sheet, unstated=UNSTATED, folder=ledger.folder.resolve().name
    )
    path = ledger.folder / REPORT_NAME
    write_atomically(path, page)
    return path


def trace(ledger: Ledger, numbers: list[int]) -> list[dict[str, Any]]:
    """Return all that is known of where the pictures with these numbers come from."""
    traces = []
    for picture in ledger.pictures_by_number(numbers):
        kept = ledger.current(picture)
        rows = ledger.rows("SELECT * FROM sources WHERE picture_id = ? ORDER BY id", kept.id)
        sources = []
        for row in rows:
            source = {key: value for key, value in dict(row).items() if not key.endswith("_id")}
            source["tags"] = json.loads(row["tags"])
            source["attributes"] = json.loads(row["attributes"])
            sources.append(source)
        traces.append(
            {
                "id": ledger.picture_id(picture.id),
                "file": kept.file,
                "replaced_by": ledger.picture_id(kept.id) if kept.id != picture.id else None,
                "sha256": picture.sha256,
                "sources": sources,
            }
        )
    return traces


def _not_reached(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the origins that are put aside, then the pages that failed, at most 100 of each."""
    origins = ledger.rows(
        "SELECT o.origin AS what, o.reason, o.failures, o.failing_since,"
        " count(t.id) AS waiting FROM origins o LEFT JOIN targets t ON t.origin = o.origin"
        " AND t.state = 'postponed' WHERE o.failures > 0 GROUP BY o.origin"
        " ORDER BY o.failures DESC, o.origin LIMIT 100"
    )
    pages = ledger.rows(
        "SELECT url AS what, reason, failures, failing_since, 1 AS waiting FROM targets"
        f" WHERE kind = 'page' AND {COULD_NOT_BE_HAD} ORDER BY failures DESC, id LIMIT 100"
    )
    return [dict(row) for row in (*origins, *pages)]


def _count(ledger: Ledger, what: str) -> int:
    return int(ledger.rows(f"SELECT count(*) FROM {what}")[0][0])


def _thumbnail(path: Path) -> str | None:
    """Return a small copy as a data URI, or None when the file is gone."""
    try:
        with Image.open(path, formats=["JPEG", "PNG", "WEBP", "GIF"]) as image:
            image.draft("RGB", _THUMBNAIL)
            small = ImageOps.contain(image.convert("RGBA"), _THUMBNAIL)
    except OSError:
        return None
    content = io.BytesIO()
    small.save(content, "WEBP", quality=75)
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode()
