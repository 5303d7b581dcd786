"""The lines that a run leaves about its pictures, as JSON.

One record holds all that is known of a file: what it is, its crops, what was rejected. The
manifest and the lists of what was rejected or put in quarantine follow from the records.
"""

import json
import re
import unicodedata
from typing import Any

from face_crop.analysis import Analysis, Candidate
from face_crop.boxes import Box
from face_crop.sources import Source

#: All that is known of a file; see :func:`make_record`.
Record = dict[str, Any]

#: What every record has.
RECORD_KEYS = frozenset({"source", "sha256", "bytes", "modified_ns", "crops", "rejected"})

#: Why a picture without any crop is rejected.
NO_FACE = "no face"
NEAR_DUPLICATE = "near-duplicate"
SAME_CONTENT = "same content"

_LONGEST_STEM = 40


def to_line(entry: Record) -> bytes:
    """Return a record as one line of JSON in UTF-8.

    Names that are not UTF-8 keep their bytes: they become surrogates, which stay escaped.
    """
    return json.dumps(entry, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def crop_file(source: Source, sha256: str, number: int) -> str:
    """Return the name of a crop: safe on every system, never that of another picture's.

    Crops of a crawled picture begin with its id, by which the crawler finds them again.
    """
    if source.crawl_id is not None:
        return f"{source.crawl_id}_{number}.png"
    stem = source.name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    readable = "".join(
        char if char.isalnum() or char in "-_" else "-"
        for char in unicodedata.normalize("NFC", stem)
    )
    readable = re.sub(r"-{2,}", "-", readable)[:_LONGEST_STEM].strip("-_")
    return f"{readable}{'-' if readable else ''}{sha256[:16]}_{number}.png"


def make_record(source: Source, analysis: Analysis) -> Record:
    """Return the record of a file without crops: those follow once duplicates are decided on."""
    record: Record = {"source": source.name}
    if source.crawl_id is not None:
        record["crawl_id"] = source.crawl_id
    record |= {
        "sha256": analysis.sha256,
        "bytes": analysis.bytes,
        "modified_ns": analysis.modified_ns,
        "source_size": [analysis.width, analysis.height],
        "crops": [],
        "rejected": [],
    }
    if analysis.quarantined is not None:
        reason, detail = analysis.quarantined
        record["quarantined"] = {"reason": reason, "detail": detail}
    return record


def accepted(candidate: Candidate, file: str, size: int) -> Record:
    """Return what the manifest says of a crop."""
    assert candidate.look is not None
    return {
        "file": file,
        **_geometry(candidate),
        "scores": _scores(candidate),
        "hash": f"{candidate.look.perceptual_hash:016x}",
        "colours": candidate.look.colours.hex(),
        "size": size,
    }


def rejected(candidate: Candidate, reason: str, detail: str) -> Record:
    """Return what is said of a face that gives no crop."""
    return {
        "reason": reason,
        "detail": detail,
        **_geometry(candidate),
        "scores": _scores(candidate),
    }


def manifest_lines(record: Record) -> list[Record]:
    """Return the lines of the manifest for a file."""
    return [
        {"file": crop["file"], **_origin(record), "source_size": record["source_size"], **crop}
        for crop in record["crops"]
    ]


def rejected_lines(record: Record) -> list[Record]:
    """Return a line for each rejected face of a file, or for the file as a whole."""
    return [{**_origin(record), **each} for each in record["rejected"]]


def quarantine_lines(record: Record) -> list[Record]:
    """Return the line for a file that gives no picture, if it gives none."""
    if "quarantined" not in record:
        return []
    return [{**_origin(record), "bytes": record["bytes"], **record["quarantined"]}]


def _origin(record: Record) -> Record:
    origin = {"source": record["source"], "source_sha256": record["sha256"]}
    if "crawl_id" in record:
        origin["crawl_id"] = record["crawl_id"]
    return origin


def _geometry(candidate: Candidate) -> Record:
    return {
        "box": _numbers(candidate.box),
        "crop_box": _numbers(candidate.square),
        "angle": round(candidate.angle, 2),
    }


def _numbers(box: Box) -> list[float]:
    return [round(side, 2) for side in (box.x, box.y, box.width, box.height)]


def _scores(candidate: Candidate) -> dict[str, float]:
    return {name: round(score, 4) for name, score in candidate.scores.items()}
