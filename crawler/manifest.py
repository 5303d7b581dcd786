"""The manifest: one JSON line per picture, with all that is known of where it comes from.

It carries the ledger's id to whatever is made of the pictures: a crop, a line of a data set.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from avatargan.errors import CrawlError
from avatargan.files import atomic_writer
from crawler.ledger import Context, Ledger, PictureRow

MANIFEST_NAME = "manifest.jsonl"


def entries(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """Yield the entry of each kept picture, in the order of their ids."""
    sources = defaultdict(list)
    for row in ledger.rows("SELECT * FROM sources ORDER BY id"):
        sources[row["picture_id"]].append(row)
    gone = ledger.gone_pictures()
    for picture in ledger.pictures():
        yield {
            **_entry(ledger, picture, sources[picture.id]),
            # Since when, and why, it is no longer there or not to be collected; else null.
            "gone": gone.get(picture.id),
        }


def write_manifest(ledger: Ledger) -> Path:
    """Write the manifest of a crawl folder and return its path.

    Raises:
        OutputError: it cannot be written.
    """
    path = ledger.folder / MANIFEST_NAME
    with atomic_writer(path) as file:
        for entry in entries(ledger):
            file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
    return path


def read_manifest(folder: Path) -> dict[Path, dict[str, Any]]:
    """Return the entries of the manifest in ``folder`` by the path of the picture's file.

    What crops pictures takes from here the ``id`` to give to each crop.

    Raises:
        CrawlError: there is no manifest, or it is damaged.
    """
    path = folder / MANIFEST_NAME
    try:
        with path.open(encoding="utf-8") as lines:
            loaded = [json.loads(line) for line in lines]
        return {folder / entry["file"]: entry for entry in loaded}
    except OSError as error:
        raise CrawlError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise CrawlError(f"{path} is damaged: {error}") from None


def _entry(ledger: Ledger, picture: PictureRow, sources: list[Any]) -> dict[str, Any]:
    context = Context()
    for row in sources:
        context = context.merged(
            Context(
                title=row["title"],
                author=row["author"],
                licence=row["licence"],
                terms=row["terms"],
                tags=tuple(json.loads(row["tags"])),
                attributes=json.loads(row["attributes"]),
            )
        )
    return {
        "id": ledger.picture_id(picture.id),
        "file": picture.file,
        "sha256": picture.sha256,
        "phash": f"{picture.phash:016x}",
        "width": picture.width,
        "height": picture.height,
        "bytes": picture.bytes,
        "stored_at": picture.stored_at,
        "urls": list(dict.fromkeys(row["url"] for row in sources)),
        "pages": list(dict.fromkeys(row["page_url"] for row in sources)),
        "title": context.title,
        "author": context.author,
        "licence": context.licence,
        "terms": context.terms,
        "tags": list(context.tags),
        "attributes": context.attributes,
    }
