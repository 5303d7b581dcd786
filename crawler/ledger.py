"""The ledger: one SQLite file that is the only truth about a crawl folder.

Every step of a crawl is one transaction, so that a process killed at any moment leaves a ledger
from which the next run carries on. Its tables are described in ``schema.sql``.
"""

import fcntl
import json
import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from avatargan.errors import CrawlError, OutputError
from crawler.similarity import distance
from crawler.site import Kind
from crawler.urls import host_of, origin_of, url_digest

LEDGER_NAME = "ledger.sqlite"
PICTURES_NAME = "pictures"
SCHEMA_VERSION = 2
ROUND_OVER = ("finished", "incomplete", "nothing")
"""Outcomes of a run after which the next run visits everything again."""

COULD_NOT_BE_HAD = (
    "(state = 'failed' AND (status IS NULL OR status IN (200, 408, 425, 429) OR status >= 500))"
)
"""SQL: a target that failed, by no answer or one that may be another next time."""

_APPLICATION_ID = 0x41564743  # "AVGC": tells this ledger from any other SQLite file
_MAX_PROCESSING_ATTEMPTS = 3
# Beginnings of SQLite's names for what the user, not the program, has to mend.
_DISK_ERRORS = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_BUSY")


Blob = bytes  # a name that the field ``bytes`` of a picture does not hide


@dataclass(frozen=True)
class Context:
    """What a page says about a picture it shows."""

    page: str | None = None
    """The picture's own page, where an API names it; else the page it was found on."""
    title: str | None = None
    author: str | None = None
    licence: str | None = None
    terms: str | None = None
    tags: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)

    def merged(self, other: "Context") -> "Context":
        """Return both together: all tags, and of the rest what was known first."""
        return Context(
            page=self.page or other.page,
            title=self.title or other.title,
            author=self.author or other.author,
            licence=self.licence or other.licence,
            terms=self.terms or other.terms,
            tags=tuple(dict.fromkeys((*self.tags, *other.tags))),
            attributes={**other.attributes, **self.attributes},
        )

    def to_json(self) -> str:
        """Return this as JSON without what is unknown."""
        return json.dumps({key: value for key, value in vars(self).items() if value})

    @classmethod
    def from_json(cls, text: str) -> "Context":
        """Return what :meth:`to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        return cls(**{**values, "tags": tuple(values.get("tags", ()))})


@dataclass(frozen=True)
class Found:
    """A URL that a page names: a further page, or a picture with its context."""

    url: str
    kind: Kind
    depth: int = 0
    barren: int = 0
    page_number: int | None = None
    context: Context = Context()


@dataclass(frozen=True)
class Target:
    """One row of the queue: a URL to fetch.

    It has validators for a conditional request if it was read, kept or refused before.
    """

    id: int
    url: str
    host: str
    origin: str
    kind: Kind
    depth: int
    barren: int
    page_number: int | None
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True)
class Received:
    """A body in the inbox."""

    target_id: int
    url: str
    final_url: str
    received_at: str
    etag: str | None
    last_modified: str | None
    attempts: int
    body: bytes
    context: Context


@dataclass(frozen=True)
class PictureRow:
    """A picture as the ledger keeps it."""

    id: int
    sha256: str
    phash: int
    suffix: str
    width: int
    height: int
    bytes: int
    stored_at: str = ""
    replaced_by: int | None = None
    colours: Blob | None = None

    @property
    def file(self) -> str:
        """Path of the file within the crawl folder, with forward slashes."""
        return picture_file(self.sha256, self.suffix)


@dataclass(frozen=True)
class Run:
    """A run that has begun."""

    id: int
    site: str
    digest: str
    round: int
    resumed: bool


def now() -> str:
    """Return the present moment as the ledger writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def picture_file(sha256: str, suffix: str) -> str:
    """Return where the picture with this hash lies within a crawl folder."""
    return f"{PICTURES_NAME}/{sha256[:2]}/{sha256}{suffix}"


class Ledger:
    """An open ledger. Use as a context manager; see :meth:`open` and :meth:`create`."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: int | None) -> None:
        self.folder = folder
        self._connection = connection
        self._lock = lock
        row = connection.execute("SELECT uuid FROM ledger").fetchone()
        self.uuid = str(row["uuid"])
        self._hashes: dict[int, int] | None = None

    # Opening and closing

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Open the ledger of ``folder`` for writing, making both when they are missing.

        Raises:
            OutputError: the folder cannot be written.
            CrawlError: the ledger is of another version, or another process is writing to it.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = _lock(folder)
        except OSError as error:
            raise OutputError(f"cannot write {folder}: {error.strerror or error}") from None
        return cls._connect(folder, lock)

    @classmethod
    def open(cls, folder: Path, *, writing: bool = False) -> Self:
        """Open the ledger that ``folder`` already has.

        Raises:
            CrawlError: there is none, it is of another version, or (``writing``) in use.
        """
        if not (folder / LEDGER_NAME).is_file():
            raise CrawlError(f"{folder} holds no {LEDGER_NAME}: it is not the folder of a crawl")
        try:
            lock = _lock(folder) if writing else None
        except OSError as error:
            raise OutputError(f"cannot write {folder}: {error.strerror or error}") from None
        return cls._connect(folder, lock)

    @classmethod
    def _connect(cls, folder: Path, lock: int | None) -> Self:
        path = folder / LEDGER_NAME
        connection = None
        try:
            connection = sqlite3.connect(path, isolation_level=None, timeout=30)
            connection.row_factory = sqlite3.Row
            _prepare(connection, path)
            return cls(folder, connection, lock)
        except sqlite3.DatabaseError as error:
            _close(connection, lock)
            raise CrawlError(f"{path} cannot be used as a ledger: {error}") from None
        except BaseException:
            _close(connection, lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let other processes write."""
        _close(self._connection, self._lock)
        self._lock = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing of what is done inside becomes part of the ledger.

        Raises:
            OutputError: the disk is full or refuses to be written.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                if self._connection.in_transaction:  # SQLite rolls back by itself on some errors
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if error.sqlite_errorname.startswith(_DISK_ERRORS):
                path = self.folder / LEDGER_NAME
                raise OutputError(f"cannot write {path}: {error}") from error
            raise

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows that a reading query gives."""
        return self._connection.execute(query, values).fetchall()

    # Runs

    def begin_run(self, site: str, digest: str, user_agent: str) -> Run:
        """Record that a run begins: it carries on the last round of the site, or starts the next.

        A round is carried on when its last run was killed or stopped on its way, the description
        still collects the same and something can be done at once. Origins that cannot be had, and
        those that ask for a rest run after run, do not hold up the next round: what was put aside
        on them is tried again in it.
        """
        with self.transaction() as connection:
            last = connection.execute(
                "SELECT round, outcome, digest FROM runs WHERE site = ? ORDER BY id DESC LIMIT 1",
                (site,),
            ).fetchone()
            same = last is not None and last["digest"] == digest
            resumed = (
                same
                and last["outcome"] not in ROUND_OVER
                and _is_something_left(connection, site, last["round"])
            )
            number = (last["round"] if last else 0) + (0 if resumed else 1)
            cursor = connection.execute(
                "INSERT INTO runs (site, digest, round, user_agent, started_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (site, digest, number, user_agent, now()),
            )
            connection.execute(
                "UPDATE targets SET state = 'pending', reason = NULL, round = ?"
                " WHERE site = ? AND state = 'postponed'",
                (number, site),
            )
            if last is not None and not same:
                # Other selectors see other things on the same pages, other limits let other
                # pictures in: "not modified" would hide both.
                connection.execute(
                    "UPDATE targets SET etag = NULL, last_modified = NULL,"
                    " status = iif(kind = 'image', NULL, status)"
                    " WHERE site = ? AND (kind = 'page' OR state = 'refused')",
                    (site,),
                )
        assert cursor.lastrowid is not None
        return Run(cursor.lastrowid, site, digest, number, resumed)

    def end_run(self, run: Run, outcome: str) -> None:
        """Record how a run ended; an outcome of ``ROUND_OVER`` ends its round as well."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE runs SET ended_at = ?, outcome = ? WHERE id = ?", (now(), outcome, run.id)
            )
        self._connection.execute("PRAGMA incremental_vacuum").fetchall()

    # Hosts and their pace

    def last_request(self, host: str) -> tuple[float, float | None]:
        """Return start and end of the last request to ``host``; no end while it is under way."""
        row = self._connection.execute(
            "SELECT started, ended FROM hosts WHERE host = ?", (host,)
        ).fetchone()
        return (0.0, 0.0) if row is None else (row["started"], row["ended"])

    def rests_until(self, origin: str) -> float:
        """Return until when ``origin`` asked to be left alone, in seconds since 1970."""
        rows = self.rows("SELECT not_before FROM origins WHERE origin = ?", origin)
        return float(rows[0]["not_before"]) if rows else 0.0

    def request_started(self, host: str, moment: float) -> None:
        """Record, before it is sent, that a request to ``host`` begins."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO hosts (host, started) VALUES (?, ?)"
                " ON CONFLICT (host) DO UPDATE SET started = excluded.started, ended = NULL",
                (host, moment),
            )

    def request_ended(self, host: str, moment: float) -> None:
        """Record that the request to ``host`` has ended."""
        with self.transaction() as connection:
            connection.execute("UPDATE hosts SET ended = ? WHERE host = ?", (moment, host))

    def rest(self, origin: str, until: float) -> None:
        """Record that ``origin`` asked to be left alone until then."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO origins (origin, not_before) VALUES (?, ?) ON CONFLICT DO UPDATE"
                " SET not_before = max(not_before, excluded.not_before)",
                (origin, until),
            )

    def failing_origins(self) -> set[str]:
        """Return the origins that were put aside when they were last asked."""
        return {row[0] for row in self.rows("SELECT origin FROM origins WHERE failures > 0")}

    def origin_answers(self, origin: str) -> None:
        """Record that an origin that was put aside can be had again."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE origins SET failures = 0, failing_since = NULL, failed_at = NULL,"
                " resting = 0, reason = NULL WHERE origin = ?",
                (origin,),
            )

    # The queue

    def add_start(self, run: Run, found: Iterable[Found], *, recheck_images: bool) -> None:
        """Put the start pages into the queue, unless this round has visited them already."""
        with self.transaction() as connection:
            for each in found:
                _add_target(connection, run, None, each, recheck_images=recheck_images)

    def next_target(
        self, run: Run, busy_hosts: Iterable[str], *, pages_only: bool = False
    ) -> Target | None:
        """Return the next pending target of the round on a host that is not busy.

        Pictures come before pages, so that what was found is kept before more is looked for.
        """
        busy = list(busy_hosts)
        row = self._connection.execute(
            "SELECT * FROM targets WHERE site = ? AND round = ? AND state = 'pending'"
            f" AND host NOT IN ({','.join('?' * len(busy))})"
            + (" AND kind = 'page'" if pages_only else "")
            + " ORDER BY kind = 'page', id LIMIT 1",
            (run.site, run.round, *busy),
        ).fetchone()
        if row is None:
            return None
        return Target(**{key: row[key] for key in Target.__dataclass_fields__})

    def count_pending(self, run: Run) -> int:
        """Return how many targets of the round wait."""
        return self._count("site = ? AND round = ? AND state = 'pending'", run.site, run.round)

    def is_under_way(self, run: Run) -> bool:
        """Whether a run carried on a round in which pages had been read already."""
        condition = "site = ? AND round = ? AND kind = 'page' AND state = 'done'"
        return run.resumed and self._count(condition, run.site, run.round) > 0

    def pages_read(self, run: Run) -> list[str]:
        """Return the URLs of the pages that were read in this round, in their order."""
        return [
            row["url"]
            for row in self.rows(
                "SELECT url FROM targets WHERE site = ? AND round = ? AND kind = 'page'"
                " AND state = 'done' ORDER BY fetched_at, id",
                run.site,
                run.round,
            )
        ]

    def count_pages(self, run: Run) -> int:
        """Return how many pages this round has visited or means to visit."""
        return self._count("site = ? AND round = ? AND kind = 'page'", run.site, run.round)

    def _count(self, condition: str, *values: object) -> int:
        row = self._connection.execute(
            f"SELECT count(*) FROM targets WHERE {condition}", values
        ).fetchone()
        return int(row[0])

    def settle(self, target: Target, state: str, reason: str, status: int | None) -> None:
        """Record that a target failed or was refused."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE targets SET state = ?, reason = ?, status = ?, fetched_at = ?,"
                " failures = failures + 1, failing_since = ifnull(failing_since, ?) WHERE id = ?",
                (state, reason, status, now(), now(), target.id),
            )

    def postpone_origin(
        self, run: Run, origin: str, reason: str, *, target: Target, resting: bool
    ) -> None:
        """Put aside, to a later run, an origin, everything that waits on it, and ``target``."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO origins (origin, failures, failing_since, failed_at, resting, reason)"
                " VALUES (?, 1, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET failures = failures + 1,"
                " failing_since = ifnull(failing_since, excluded.failing_since),"
                " failed_at = excluded.failed_at, resting = excluded.resting,"
                " reason = excluded.reason",
                (origin, now(), now(), resting, reason),
            )
            connection.execute(
                "UPDATE targets SET state = 'postponed', reason = ?, status = NULL,"
                " failures = failures + 1, failing_since = ifnull(failing_since, ?)"
                " WHERE id = ? OR (site = ? AND origin = ? AND state = 'pending')",
                (reason, now(), target.id, run.site, origin),
            )

    def is_resting(self, run: Run) -> bool:
        """Whether something of the round waits for an origin that asked for a rest."""
        return bool(
            self.rows(
                "SELECT 1 FROM targets t JOIN origins o ON o.origin = t.origin WHERE t.site = ?"
                " AND t.round = ? AND t.state = 'postponed' AND o.resting LIMIT 1",
                run.site,
                run.round,
            )
        )

    def not_reached(self, run: Run) -> list[sqlite3.Row]:
        """Return what could not be had, pages first: url, kind, reason, failures, failing_since.

        An answer that says that there is nothing (404) or that it is not for us (403) is not among
        them.
        """
        return self.rows(
            "SELECT url, kind, origin, reason, failures, failing_since FROM targets"
            f" WHERE site = ? AND round = ? AND (state = 'postponed' OR {COULD_NOT_BE_HAD})"
            " ORDER BY kind = 'image', id",
            run.site,
            run.round,
        )

    def listing_before(self, page: Target) -> str | None:
        """Return the URL of the page that named ``page`` as the next of its listing, or None."""
        rows = self.rows(
            "SELECT p.url FROM links l JOIN targets p ON p.id = l.page_id WHERE l.target_id = ?"
            " AND ifnull(p.page_number, 1) = ? ORDER BY p.id LIMIT 1",
            page.id,
            (page.page_number or 1) - 1,
        )
        return str(rows[0]["url"]) if rows else None

    def queue_behind(self, run: Run, found: Found, *, max_pages: int) -> None:
        """Queue the page of a listing behind one that could not be had."""
        with self.transaction() as connection:
            if self.count_pages(run) < max_pages:
                _add_target(connection, run, None, found, recheck_images=False)

    def finish_page(
        self,
        run: Run,
        page: Target,
        found: list[Found],
        further: Found | None,
        *,
        status: int,
        etag: str | None,
        last_modified: str | None,
        matches: dict[str, int],
        recheck_images: bool,
        max_pages: int,
        max_barren: int,
        wish: str | None = None,
    ) -> int:
        """Record in one step that a page was read and what it names; return how much was new.

        ``further`` is the next page of a listing. It is followed only while listings keep bringing
        something: after ``max_barren`` pages in a row with nothing new the listing is endless.
        A ``wish`` of the page that its pictures are not collected marks those that are kept.
        """
        with self.transaction() as connection:
            before = _kept_on_page(connection, page)
            connection.execute("DELETE FROM links WHERE page_id = ?", (page.id,))
            room = max_pages - self.count_pages(run)
            new = 0
            for each in found:
                if each.kind == "page" and room <= 0:
                    continue
                added = _add_target(connection, run, page, each, recheck_images=recheck_images)
                new += added
                room -= added if each.kind == "page" else 0
            barren = 0 if new else page.barren + 1
            if further is not None and barren < max_barren and room > 0:
                further = replace(further, barren=barren)
                _add_target(connection, run, page, further, recheck_images=recheck_images)
            connection.execute(
                "UPDATE targets SET state = 'done', reason = NULL, status = ?, fetched_at = ?,"
                " etag = ?, last_modified = ?, failures = 0, failing_since = NULL WHERE id = ?",
                (status, now(), etag, last_modified, page.id),
            )
            if wish is not None:
                _mark_orphans(connection, before, wish, wish=True)
            else:
                _clear_marks_of_page(connection, page)
            for name, count in matches.items():
                connection.execute(
                    "INSERT INTO selectors VALUES (?, ?, ?, 1, ?) ON CONFLICT DO UPDATE"
                    " SET pages = pages + 1, matches = matches + excluded.matches",
                    (run.site, run.digest, name, count),
                )
        return new

    def page_gone(self, page: Target, reason: str, *, wish: bool) -> None:
        """Record that a page that was read before is no longer there, or not for us.

        It no longer names its pictures, and is read in full when it is asked for again.
        """
        with self.transaction() as connection:
            before = _kept_on_page(connection, page)
            connection.execute(
                "DELETE FROM links WHERE page_id = ?"
                " AND target_id IN (SELECT id FROM targets WHERE kind = 'image')",
                (page.id,),
            )
            connection.execute(
                "UPDATE targets SET etag = NULL, last_modified = NULL WHERE id = ?", (page.id,)
            )
            _mark_orphans(connection, before, reason, wish=wish)

    def picture_gone(self, target_id: int, reason: str, *, wish: bool) -> None:
        """Mark what is kept from a URL that no longer serves it, or whose owner says no."""
        with self.transaction() as connection:
            _mark_gone(connection, [target_id], "answer", reason, wish=wish)

    def judge_kept(self, site: str, verdict: Callable[[str], str | None]) -> None:
        """Mark the kept pictures that the rules of their owners now forbid.

        A picture is forbidden when its own URL is, or when every page that names it is. Marks
        that an earlier judgement made are taken back where the rules allow it again.

        Args:
            site: name of the site.
            verdict: why a URL may not be fetched, an empty text when it may, None when the rules
                of its origin are not known.
        """
        pages: dict[int, list[str | None]] = {}
        own: dict[int, str | None] = {}
        for row in self.rows(
            "SELECT s.target_id, s.url, p.url AS page FROM sources s"
            " JOIN targets t ON t.id = s.target_id LEFT JOIN links l ON l.target_id = t.id"
            " LEFT JOIN targets p ON p.id = l.page_id"
            " WHERE t.site = ? AND s.superseded_at IS NULL ORDER BY s.target_id",
            site,
        ):
            number = row["target_id"]
            if number not in own:
                own[number], pages[number] = verdict(row["url"]), []
            if row["page"] is not None:
                pages[number].append(verdict(row["page"]))
        with self.transaction() as connection:
            for number, reason in own.items():
                of_pages = pages[number]
                if not reason and of_pages and all(of_pages):
                    reason = f"its page: {of_pages[0]}"
                if reason:
                    _mark_gone(connection, [number], "rules", reason, wish=True)
                elif reason is not None and (not of_pages or "" in of_pages):
                    _clear_marks(connection, number, "rules")

    def kept_origins(self, site: str) -> set[str]:
        """Return the origins that the kept pictures of a site came from."""
        return {
            row["origin"]
            for row in self.rows(
                "SELECT DISTINCT t.origin FROM sources s JOIN targets t ON t.id = s.target_id"
                " WHERE t.site = ? AND s.superseded_at IS NULL",
                site,
            )
        }

    def gone_pictures(self) -> dict[int, dict[str, str]]:
        """Return reason and time of the kept pictures that are gone, by their numbers.

        One is gone when an owner does not want it to be collected, or when none of its URLs
        serves it any more.
        """
        gone: dict[int, dict[str, str]] = {}
        for row in self.rows(
            "SELECT picture_id, gone_reason, gone_at FROM sources s WHERE superseded_at IS NULL"
            " AND gone_at IS NOT NULL AND (gone_wish OR NOT EXISTS (SELECT 1 FROM sources o"
            " WHERE o.picture_id = s.picture_id AND o.superseded_at IS NULL"
            " AND o.gone_at IS NULL)) ORDER BY gone_at, id"
        ):
            gone.setdefault(
                row["picture_id"], {"since": row["gone_at"], "reason": row["gone_reason"]}
            )
        return gone

    def page_unchanged(self, run: Run, page: Target, *, recheck_images: bool) -> None:
        """Record that a page answered "not modified": what it named last time stands."""
        with self.transaction() as connection:
            for row in connection.execute(
                "SELECT t.* FROM links l JOIN targets t ON t.id = l.target_id WHERE l.page_id = ?",
                (page.id,),
            ).fetchall():
                found = Found(
                    url=row["url"],
                    kind=row["kind"],
                    depth=row["depth"],
                    barren=row["barren"],
                    page_number=row["page_number"],
                    context=Context.from_json(row["context"]),
                )
                _add_target(connection, run, page, found, recheck_images=recheck_images)
            connection.execute(
                "UPDATE targets SET state = 'done', reason = NULL, status = 304, fetched_at = ?,"
                " failures = 0, failing_since = NULL WHERE id = ?",
                (now(), page.id),
            )
            _clear_marks_of_page(connection, page)

    def picture_unchanged(self, target: Target) -> None:
        """Record that a picture answered "not modified": it stays kept, or refused."""
        with self.transaction() as connection:
            state = "done" if _keeps_picture(connection, target.id) else "refused"
            connection.execute(
                "UPDATE targets SET state = ?, status = 304, fetched_at = ?, failures = 0,"
                " failing_since = NULL WHERE id = ?",
                (state, now(), target.id),
            )
            _clear_marks(connection, target.id, "answer")

    def selector_counts(self, run: Run) -> dict[str, tuple[int, int]]:
        """Return for each selector on how many pages it was tried and how often it matched."""
        return {
            row["name"]: (row["pages"], row["matches"])
            for row in self.rows(
                "SELECT * FROM selectors WHERE site = ? AND digest = ?", run.site, run.digest
            )
        }

    # Arriving pictures

    def receive(
        self,
        target_id: int,
        *,
        final_url: str,
        etag: str | None,
        last_modified: str | None,
        body: bytes,
    ) -> None:
        """Keep a body the moment it has arrived, so that it is never fetched a second time."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO inbox"
                " (target_id, received_at, final_url, etag, last_modified, body)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (target_id, now(), final_url, etag, last_modified, body),
            )
            # No longer pending: a run that is killed now finds it in the inbox, not in the queue.
            connection.execute(
                "UPDATE targets SET state = 'done', reason = NULL, status = 200, fetched_at = ?,"
                " etag = ?, last_modified = ?, failures = 0, failing_since = NULL WHERE id = ?",
                (now(), etag, last_modified, target_id),
            )

    def waiting_in_inbox(self) -> list[int]:
        """Return the targets whose bodies have arrived and are not yet stored."""
        return [row["target_id"] for row in self.rows("SELECT target_id FROM inbox ORDER BY 1")]

    def take_from_inbox(self, target_id: int) -> Received | None:
        """Return a body to be stored, counting the attempt: one that kills us is given up."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE inbox SET attempts = attempts + 1 WHERE target_id = ?", (target_id,)
            )
            row = connection.execute(
                "SELECT i.*, t.url, t.context FROM inbox i JOIN targets t ON t.id = i.target_id"
                " WHERE i.target_id = ?",
                (target_id,),
            ).fetchone()
            if row is None:
                return None
            if row["attempts"] > _MAX_PROCESSING_ATTEMPTS:
                _refuse_received(connection, target_id, "reading it failed again and again")
                return None
        return Received(
            target_id=target_id,
            url=row["url"],
            final_url=row["final_url"],
            received_at=row["received_at"],
            etag=row["etag"],
            last_modified=row["last_modified"],
            attempts=row["attempts"],
            body=row["body"],
            context=Context.from_json(row["context"]),
        )

    def refuse_received(self, received: Received, reason: str) -> None:
        """Drop a body from the inbox and record why; what was kept from its URL is gone."""
        with self.transaction() as connection:
            _refuse_received(connection, received.target_id, reason)
            _mark_gone(connection, [received.target_id], "answer", reason, wish=False)

    def picture_by_sha256(self, sha256: str) -> PictureRow | None:
        """Return the picture with exactly this content, its larger copy if that replaced it."""
        rows = self.rows("SELECT * FROM pictures WHERE sha256 = ?", sha256)
        return self.current(_picture(rows[0])) if rows else None

    def current(self, picture: PictureRow) -> PictureRow:
        """Return ``picture``, or the larger copy that is kept in its place."""
        while picture.replaced_by is not None:
            rows = self.rows("SELECT * FROM pictures WHERE id = ?", picture.replaced_by)
            picture = _picture(rows[0])
        return picture

    def near_pictures(self, phash: int, within: int) -> list[PictureRow]:
        """Return the pictures whose hashes differ by at most ``within`` bits, nearest first."""
        if self._hashes is None:
            self._hashes = {
                row["id"]: int(row["phash"], 16)
                for row in self.rows("SELECT id, phash FROM pictures")
            }
        near = sorted(
            (bits, number)
            for number, known in self._hashes.items()
            if (bits := distance(phash, known)) <= within
        )
        return [
            _picture(self.rows("SELECT * FROM pictures WHERE id = ?", number)[0])
            for _, number in near
        ]

    def is_forgotten(self, *, url: str | None = None, sha256: str | None = None) -> bool:
        """Whether a URL or content was asked to be forgotten."""
        kind, digest = ("url", url_digest(url)) if url is not None else ("sha256", sha256)
        return bool(
            self.rows("SELECT 1 FROM tombstones WHERE kind = ? AND digest = ?", kind, digest)
        )

    def resembles_forgotten(self, phash: int, within: int) -> bool:
        """Whether a picture looks like one that was asked to be forgotten."""
        return any(
            distance(phash, int(row["digest"], 16)) <= within
            for row in self.rows("SELECT digest FROM tombstones WHERE kind = 'phash'")
        )

    def record_source(
        self, received: Received, picture: PictureRow, relation: str, sha256: str, phash: int
    ) -> None:
        """Record that a URL served a copy of a picture that is kept already."""
        with self.transaction() as connection:
            _insert_source(connection, received, picture.id, relation, sha256, phash)

    def record_picture(
        self, received: Received, picture: PictureRow, *, replaces: PictureRow | None = None
    ) -> PictureRow:
        """Record a picture whose file is in place; ``replaces`` is a smaller copy of it."""
        with self.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO pictures"
                " (sha256, phash, colours, suffix, width, height, bytes, stored_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    picture.sha256,
                    f"{picture.phash:016x}",
                    picture.colours,
                    picture.suffix,
                    picture.width,
                    picture.height,
                    picture.bytes,
                    now(),
                ),
            )
            assert cursor.lastrowid is not None
            number = cursor.lastrowid
            if replaces is not None:
                connection.execute(
                    "UPDATE pictures SET replaced_by = ? WHERE id = ?", (number, replaces.id)
                )
                connection.execute(
                    "UPDATE sources SET picture_id = ?, relation = 'near' WHERE picture_id = ?",
                    (number, replaces.id),
                )
            _insert_source(connection, received, number, "original", picture.sha256, picture.phash)
        if self._hashes is not None:
            self._hashes[number] = picture.phash
        return replace(picture, id=number)

    # Reading

    def pictures(self) -> list[PictureRow]:
        """Return the pictures that are kept, in the order of their ids."""
        return [
            _picture(row)
            for row in self.rows("SELECT * FROM pictures WHERE replaced_by IS NULL ORDER BY id")
        ]

    def pictures_by_number(self, numbers: Iterable[int]) -> list[PictureRow]:
        """Return the pictures with these numbers, replaced ones included."""
        wanted = list(numbers)
        marks = ",".join("?" * len(wanted))
        return [
            _picture(row)
            for row in self.rows(
                f"SELECT * FROM pictures WHERE id IN ({marks}) ORDER BY id", *wanted
            )
        ]

    def found(self, run: Run, kind: Kind) -> list[Found]:
        """Return the targets of one kind that the site has named, in the order they were found."""
        return [
            Found(row["url"], kind, depth=row["depth"], context=Context.from_json(row["context"]))
            for row in self.rows(
                "SELECT * FROM targets WHERE site = ? AND kind = ? ORDER BY id", run.site, kind
            )
        ]

    def picture_id(self, number: int) -> str:
        """Return the id that follows a picture through crops and data sets: unique everywhere."""
        return f"{self.uuid[:8]}-{number:06d}"

    # Forgetting

    def erase(self, target_ids: list[int], picture_ids: list[int], urls: list[str]) -> None:
        """Remove targets and pictures with all their records and leave tombstones in their place.

        ``urls`` are forgotten even if nothing is known of them.
        """
        with self.transaction() as connection:
            moment = now()
            stones: set[tuple[str, str]] = {("url", url_digest(url)) for url in urls}
            for number in picture_ids:
                for table, column in (("pictures", "id"), ("sources", "picture_id")):
                    for row in connection.execute(
                        f"SELECT * FROM {table} WHERE {column} = ?", (number,)
                    ).fetchall():
                        stones |= {("sha256", row["sha256"]), ("phash", row["phash"])}
                        if table == "sources":
                            stones |= {
                                ("url", url_digest(row["url"])),
                                ("url", url_digest(row["final_url"])),
                            }
            for number in target_ids:
                for row in connection.execute("SELECT url FROM targets WHERE id = ?", (number,)):
                    stones.add(("url", url_digest(row["url"])))
            connection.executemany(
                "INSERT OR IGNORE INTO tombstones VALUES (?, ?, ?)",
                [(kind, digest, moment) for kind, digest in sorted(stones)],
            )
            for number in picture_ids:
                connection.execute(
                    "UPDATE pictures SET replaced_by = NULL WHERE replaced_by = ?", (number,)
                )
            connection.executemany("DELETE FROM targets WHERE id = ?", [(n,) for n in target_ids])
            connection.executemany("DELETE FROM pictures WHERE id = ?", [(n,) for n in picture_ids])
        self._hashes = None
        # Deleted rows were overwritten (secure_delete); the write-ahead log still holds copies.
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def add_tombstone(self, sha256: str) -> None:
        """Forget a content that is not kept: it will not be stored if it is ever met."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO tombstones VALUES ('sha256', ?, ?)", (sha256, now())
            )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    # A killed process loses nothing. When the power fails the last records may be missing, never
    # torn: what they were about is fetched again.
    connection.execute("PRAGMA synchronous = NORMAL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables == 0 and version == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        schema = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
        identity = f"INSERT INTO ledger VALUES ('{uuid.uuid4().hex}', '{now()}');"
        # One transaction, so that a process killed here leaves an empty file or a whole ledger.
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{schema}\n{identity}\n"
            f"PRAGMA application_id = {_APPLICATION_ID};\n"
            f"PRAGMA user_version = {SCHEMA_VERSION};\nCOMMIT;"
        )
        return
    if application != _APPLICATION_ID:
        raise CrawlError(f"{path} is not the ledger of a crawl; choose another folder")
    if version == 1:
        _upgrade(connection)
    elif version != SCHEMA_VERSION:
        raise CrawlError(
            f"{path} is a ledger of version {version} and this crawler writes version "
            f"{SCHEMA_VERSION}; use the crawler that made it, or another folder"
        )


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring a ledger of version 1 to version 2, in one transaction and without loss."""
    connection.create_function("origin_of", 1, origin_of, deterministic=True)
    schema = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
    table = schema[schema.index("CREATE TABLE origins") :].partition(";")[0]
    connection.executescript(
        f"""
        BEGIN IMMEDIATE;
        {table};
        ALTER TABLE targets ADD COLUMN origin TEXT NOT NULL DEFAULT '';
        ALTER TABLE targets ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE targets ADD COLUMN failing_since TEXT;
        UPDATE targets SET origin = origin_of(url);
        INSERT INTO origins (origin, not_before) SELECT DISTINCT t.origin, h.not_before
            FROM targets t JOIN hosts h ON h.host = t.host WHERE h.not_before > 0;
        ALTER TABLE hosts DROP COLUMN not_before;
        ALTER TABLE pictures ADD COLUMN colours BLOB;
        ALTER TABLE sources ADD COLUMN gone_at TEXT;
        ALTER TABLE sources ADD COLUMN gone_reason TEXT;
        ALTER TABLE sources ADD COLUMN gone_by TEXT
            CHECK (gone_by IN ('answer', 'page', 'rules'));
        ALTER TABLE sources ADD COLUMN gone_wish INTEGER NOT NULL DEFAULT 0;
        PRAGMA user_version = 2;
        COMMIT;
        """
    )


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        # Let go by the system when the process ends, however it ends.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise CrawlError(
            f"another process is writing to {folder}; wait for it or stop it first"
        ) from None
    return descriptor


def _close(connection: sqlite3.Connection | None, lock: int | None) -> None:
    if connection is not None:
        connection.close()
    if lock is not None:
        os.close(lock)


def _add_target(
    connection: sqlite3.Connection,
    run: Run,
    page: Target | None,
    found: Found,
    *,
    recheck_images: bool,
) -> int:
    """Queue ``found`` unless it was forgotten or seen in this round; return 1 if it was new."""
    if connection.execute(
        "SELECT 1 FROM tombstones WHERE kind = 'url' AND digest = ?", (url_digest(found.url),)
    ).fetchone():
        return 0
    known = connection.execute(
        "SELECT * FROM targets WHERE site = ? AND url = ?", (run.site, found.url)
    ).fetchone()
    if known is None:
        number = connection.execute(
            "INSERT INTO targets"
            " (site, url, host, origin, kind, depth, barren, page_number, round, state, context)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?)",
            (
                run.site,
                found.url,
                host_of(found.url),
                origin_of(found.url),
                found.kind,
                found.depth,
                found.barren,
                found.page_number,
                run.round,
                found.context.to_json(),
            ),
        ).lastrowid
        assert number is not None
        new = 1
    else:
        number = known["id"]
        new = int(known["round"] < run.round)
        if found.kind == "image":
            # Within a round pages add to each other, for listings rarely give the tags; a new
            # round replaces what an earlier one read.
            before = Context.from_json(known["context"])
            context = found.context if new else before.merged(found.context)
            if context != before:
                _update_context(connection, number, context)
        if new:
            state = "pending"
            kept = _keeps_picture(connection, number)
            judged = kept or (known["state"] == "refused" and known["status"] in (200, 304))
            if found.kind == "image" and judged and not _is_gone(connection, number):
                # Asked for again only if the server can answer "not modified".
                has_validator = known["etag"] or known["last_modified"]
                if not (recheck_images and has_validator):
                    state = "done" if kept else "refused"
            connection.execute(
                "UPDATE targets SET round = ?, state = ?, depth = ?, barren = ?, page_number = ?"
                " WHERE id = ?",
                (run.round, state, found.depth, found.barren, found.page_number, number),
            )
    if page is not None:
        connection.execute("INSERT OR IGNORE INTO links VALUES (?, ?)", (page.id, number))
    return new


def _is_something_left(connection: sqlite3.Connection, site: str, number: int) -> bool:
    """Whether a round has something that can be done at once."""
    row = connection.execute(
        "SELECT 1 FROM inbox UNION ALL SELECT 1 FROM targets t"
        " LEFT JOIN origins o ON o.origin = t.origin WHERE t.site = ? AND t.round = ?"
        " AND (t.state = 'pending' OR (t.state = 'postponed' AND o.resting AND o.failures < 2"
        " AND o.not_before <= ?)) LIMIT 1",
        (site, number, time.time()),
    ).fetchone()
    return row is not None


def _kept_on_page(connection: sqlite3.Connection, page: Target) -> list[int]:
    return [
        row["target_id"]
        for row in connection.execute(
            "SELECT l.target_id FROM links l JOIN sources s ON s.target_id = l.target_id"
            " WHERE l.page_id = ? AND s.superseded_at IS NULL",
            (page.id,),
        ).fetchall()
    ]


def _mark_orphans(
    connection: sqlite3.Connection, target_ids: list[int], reason: str, *, wish: bool
) -> None:
    """Mark what is kept of these as gone, unless another page still names it."""
    orphans = [
        number
        for number in target_ids
        if not connection.execute("SELECT 1 FROM links WHERE target_id = ?", (number,)).fetchone()
    ]
    _mark_gone(connection, orphans, "page", reason, wish=wish)


def _mark_gone(
    connection: sqlite3.Connection, target_ids: list[int], by: str, reason: str, *, wish: bool
) -> None:
    connection.executemany(
        "UPDATE sources SET gone_at = ?, gone_reason = ?, gone_by = ?, gone_wish = ?"
        " WHERE target_id = ? AND superseded_at IS NULL AND gone_reason IS NOT ?",
        [(now(), reason, by, wish, number, reason) for number in target_ids],
    )


def _clear_marks(connection: sqlite3.Connection, target_id: int, by: str) -> None:
    connection.execute(
        "UPDATE sources SET gone_at = NULL, gone_reason = NULL, gone_by = NULL"
        " WHERE target_id = ? AND gone_by = ?",
        (target_id, by),
    )


def _clear_marks_of_page(connection: sqlite3.Connection, page: Target) -> None:
    """Take back the marks that pages made on what this page, which may be read, names."""
    for row in connection.execute(
        "SELECT target_id FROM links WHERE page_id = ?", (page.id,)
    ).fetchall():
        _clear_marks(connection, row["target_id"], "page")


def _keeps_picture(connection: sqlite3.Connection, target_id: int) -> bool:
    row = connection.execute(
        "SELECT 1 FROM sources WHERE target_id = ? AND superseded_at IS NULL", (target_id,)
    ).fetchone()
    return row is not None


def _is_gone(connection: sqlite3.Connection, target_id: int) -> bool:
    """Whether the last answer of a URL was no longer the picture that is kept from it."""
    row = connection.execute(
        "SELECT 1 FROM sources WHERE target_id = ? AND superseded_at IS NULL"
        " AND gone_by = 'answer'",
        (target_id,),
    ).fetchone()
    return row is not None


def _update_context(connection: sqlite3.Connection, target_id: int, context: Context) -> None:
    connection.execute(
        "UPDATE targets SET context = ? WHERE id = ?", (context.to_json(), target_id)
    )
    connection.execute(
        "UPDATE sources SET title = ?, author = ?, licence = ?, terms = ?, tags = ?,"
        " attributes = ? WHERE target_id = ? AND superseded_at IS NULL",
        (*_context_columns(context), target_id),
    )


def _context_columns(context: Context) -> tuple[str | None, ...]:
    return (
        context.title,
        context.author,
        context.licence,
        context.terms,
        json.dumps(list(context.tags), ensure_ascii=False),
        json.dumps(context.attributes, ensure_ascii=False),
    )


def _insert_source(
    connection: sqlite3.Connection,
    received: Received,
    picture_id: int,
    relation: str,
    sha256: str,
    phash: int,
) -> None:
    target_id = received.target_id
    same = connection.execute(
        "UPDATE sources SET fetched_at = ?, etag = ?, last_modified = ?, gone_at = NULL,"
        " gone_reason = NULL, gone_by = NULL, gone_wish = 0"
        " WHERE target_id = ? AND superseded_at IS NULL AND sha256 = ?",
        (received.received_at, received.etag, received.last_modified, target_id, sha256),
    )
    if same.rowcount == 0:
        _insert_new_source(connection, received, picture_id, relation, sha256, phash)
    connection.execute(
        "UPDATE targets SET state = 'done', reason = NULL, status = 200, etag = ?,"
        " last_modified = ? WHERE id = ?",
        (received.etag, received.last_modified, target_id),
    )
    connection.execute("DELETE FROM inbox WHERE target_id = ?", (target_id,))


def _insert_new_source(
    connection: sqlite3.Connection,
    received: Received,
    picture_id: int,
    relation: str,
    sha256: str,
    phash: int,
) -> None:
    target_id = received.target_id
    # The context as it is now: another page may have added tags since the body arrived.
    row = connection.execute("SELECT context FROM targets WHERE id = ?", (target_id,)).fetchone()
    page = connection.execute(
        "SELECT p.url FROM links l JOIN targets p ON p.id = l.page_id WHERE l.target_id = ?"
        " ORDER BY p.id LIMIT 1",
        (target_id,),
    ).fetchone()
    context = Context.from_json(row["context"])
    connection.execute(
        "UPDATE sources SET superseded_at = ? WHERE target_id = ? AND superseded_at IS NULL",
        (now(), target_id),
    )
    connection.execute(
        "INSERT INTO sources (picture_id, target_id, url, final_url, fetched_at, etag,"
        " last_modified, relation, sha256, phash, bytes, page_url, title, author, licence, terms,"
        " tags, attributes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            picture_id,
            target_id,
            received.url,
            received.final_url,
            received.received_at,
            received.etag,
            received.last_modified,
            relation,
            sha256,
            f"{phash:016x}",
            len(received.body),
            context.page or (page["url"] if page else received.url),
            *_context_columns(context),
        ),
    )


def _refuse_received(connection: sqlite3.Connection, target_id: int, reason: str) -> None:
    connection.execute("DELETE FROM inbox WHERE target_id = ?", (target_id,))
    connection.execute(
        "UPDATE targets SET state = 'refused', reason = ? WHERE id = ?", (reason, target_id)
    )


def _picture(row: sqlite3.Row) -> PictureRow:
    return PictureRow(
        id=row["id"],
        sha256=row["sha256"],
        phash=int(row["phash"], 16),
        suffix=row["suffix"],
        width=row["width"],
        height=row["height"],
        bytes=row["bytes"],
        stored_at=row["stored_at"],
        replaced_by=row["replaced_by"],
        colours=row["colours"],
    )
