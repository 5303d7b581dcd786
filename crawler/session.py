"""What the parts of one run share: the site, the ledger, the pace, the network and the tallies."""

import asyncio
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from avatargan.errors import PictureError
from avatargan.files import write_atomically
from crawler.images import perceptual_signature, read_header
from crawler.ledger import Ledger, PictureRow, Received, Run, Target
from crawler.network import Network
from crawler.outcomes import PostponedError
from crawler.pace import HostPace
from crawler.similarity import same_colours
from crawler.site import SiteDescription
from crawler.urls import name_of

logger = logging.getLogger(__name__)

_REFUSALS = {401, 403, 451}
OVERLOADS = {429, 503}
# After so many refusals in a row a site has made clear that it does not want us, and after so many
# URLs in a row that stay overloaded, whatever the pauses, that it does not want us now.
_MAX_REFUSALS_IN_A_ROW = 10
_MAX_OVERLOADS_IN_A_ROW = 3
# After so many URLs in a row without an answer the others are not tried any more in this run.
_MAX_FAILURES_IN_A_ROW = 5
# After so many pages without a single match a selector is taken to be wrong.
_PAGES_BEFORE_GIVING_UP = 25
# How much larger a near duplicate has to be to take the place of the picture that is kept.
_WORTHWHILE_GAIN = 1.1


@dataclass(frozen=True)
class RunLimits:
    """Where a run stops by itself; None: nowhere."""

    max_images: int | None = None
    max_bytes: int | None = None
    max_minutes: float | None = None


@dataclass
class Session:
    """One run."""

    site: SiteDescription
    ledger: Ledger
    run: Run
    pace: HostPace
    network: Network
    limits: RunLimits
    preview: bool = False
    on_event: Callable[["Session"], None] = lambda _: None
    tally: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    hint: str | None = None
    stop_reason: str | None = None
    begun: float = field(default_factory=time.monotonic)
    failing_origins: set[str] = field(init=False)
    """Origins that were put aside when they were last asked, in this run or an earlier one."""
    _refusals_in_a_row: Counter[str] = field(default_factory=Counter)
    _failures_in_a_row: Counter[str] = field(default_factory=Counter)
    # Two copies that arrive together from two hosts must not each miss the other.
    _storing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.failing_origins = self.ledger.failing_origins()

    def stop(self, reason: str) -> None:
        """End the run in good order: what is under way is kept, nothing more is begun."""
        self.stop_reason = self.stop_reason or reason
        self.pace.stop()

    @property
    def bytes_left(self) -> int | None:
        """How many bytes may still be received; None: any number."""
        if self.limits.max_bytes is None:
            return None
        return max(self.limits.max_bytes - self.network.bytes_received, 0)

    def note_answer(self, target: Target, status: int) -> None:
        """Count the final answer to a target; a site that keeps refusing is left alone.

        Raises:
            PostponedError: the origin has refused, or was overloaded, too often in a row.
        """
        self.statuses[status] += 1
        origin = target.origin
        self._failures_in_a_row[origin] = 0
        if status not in _REFUSALS | OVERLOADS:
            self._refusals_in_a_row[origin] = 0
            if origin in self.failing_origins:
                self.ledger.origin_answers(origin)
                self.failing_origins.discard(origin)
            return
        self._refusals_in_a_row[origin] += 1
        times = _MAX_OVERLOADS_IN_A_ROW if status in OVERLOADS else _MAX_REFUSALS_IN_A_ROW
        if self._refusals_in_a_row[origin] >= times:
            reason = f"{name_of(origin)} answers {status} to one URL after the other"
            raise PostponedError(reason, origin, resting=True)

    def note_failure(self, target: Target, reason: str) -> None:
        """Count a target without an answer; an origin that gives none at all is put aside."""
        origin = target.origin
        self._failures_in_a_row[origin] += 1
        if self._failures_in_a_row[origin] >= _MAX_FAILURES_IN_A_ROW:
            self.postpone(target, PostponedError(f"{name_of(origin)}: {reason}", origin))

    def postpone(self, target: Target, error: PostponedError) -> None:
        """Leave an origin alone for the rest of the run, with all that is queued for it.

        A target that led there from elsewhere, by a redirect, is put aside alone.
        """
        self.ledger.postpone_origin(
            self.run, error.origin, str(error), target=target, resting=error.resting
        )
        self.failing_origins.add(error.origin)
        self.tally["postponed"] += 1
        self.reasons[str(error)] += 1
        logger.info("postponed %s: %s", target.url, error)

    def settle(self, target: Target, state: str, reason: str, status: int | None = None) -> None:
        """Record that a target failed or was refused."""
        self.ledger.settle(target, state, reason, status)
        self.tally[state] += 1
        self.reasons[reason] += 1
        logger.info("%s %s: %s", state, target.url, reason)
        self.on_event(self)

    def give_up_on_barren_selectors(self) -> None:
        """Stop when pages keep coming and no picture does: the selector is wrong."""
        counts = self.ledger.selector_counts(self.run)
        for name in ("pages.image", "api.fields.image"):
            pages, matches = counts.get(name, (0, 0))
            if pages >= _PAGES_BEFORE_GIVING_UP and matches == 0:
                self.stop("no matches")

    async def store_inbox(self) -> None:
        """Store what had arrived when an earlier run was killed or had reached its limit."""
        for target_id in self.ledger.waiting_in_inbox():
            if self.stop_reason is not None:
                return
            await self.store(target_id)

    async def store(self, target_id: int) -> None:
        """Check the body that arrived for a target and keep it, once, as a picture."""
        async with self._storing:
            await self._store_within_limit(target_id)

    async def _store_within_limit(self, target_id: int) -> None:
        limit = self.limits.max_images
        if limit is not None and self.tally["stored"] >= limit:
            self.stop("max-images")
            return
        received = self.ledger.take_from_inbox(target_id)
        if received is not None:
            outcome = await self._store(received)
            self.tally[outcome] += 1
            self.on_event(self)
        if limit is not None and self.tally["stored"] >= limit:
            self.stop("max-images")

    async def _store(self, received: Received) -> str:
        ledger = self.ledger
        sha256 = hashlib.sha256(received.body).hexdigest()
        forgotten = ledger.is_forgotten(sha256=sha256)
        if forgotten or ledger.is_forgotten(url=received.final_url):
            return self._refuse(received, "it was forgotten on request")
        known = ledger.picture_by_sha256(sha256)
        if known is not None:
            ledger.record_source(received, known, "exact", sha256, known.phash)
            return "duplicate"
        try:
            header = read_header(received.body, min_side=self.site.limits.min_side)
            signature = await asyncio.to_thread(perceptual_signature, received.body)
        except PictureError as error:
            return self._refuse(received, str(error))
        phash = signature.phash
        within = self.site.limits.near_duplicate_distance
        if ledger.resembles_forgotten(phash, within):
            return self._refuse(received, "it looks like one that was forgotten on request")
        picture = PictureRow(
            id=0,
            sha256=sha256,
            phash=phash,
            suffix=header.suffix,
            width=header.width,
            height=header.height,
            bytes=len(received.body),
            colours=signature.colours,
        )
        near = self._copy_of(picture, within)
        smaller = near if near is not None and _is_larger(picture, near) else None
        if near is not None and smaller is None:
            logger.info("%s looks like %s", received.url, near.sha256)
            ledger.record_source(received, near, "near", sha256, phash)
            return "duplicate"
        # First the file, then its record: a file without a record is swept away, a record without
        # a file would be a loss.
        write_atomically(ledger.folder / picture.file, received.body)
        ledger.record_picture(received, picture, replaces=smaller)
        if smaller is None:
            return "stored"
        (ledger.folder / smaller.file).unlink(missing_ok=True)
        return "replaced"

    def _copy_of(self, picture: PictureRow, within: int) -> PictureRow | None:
        """Return the kept picture that looks like this one, in shapes and in colours."""
        for near in self.ledger.near_pictures(picture.phash, within):
            colours = near.colours or self._colours_of_file(self.ledger.current(near))
            if colours is None or same_colours(picture.colours or b"", colours):
                return self.ledger.current(near)
        return None

    def _colours_of_file(self, picture: PictureRow) -> bytes | None:
        """Return the colours of a picture that was stored before ledgers knew colours."""
        try:
            body = (self.ledger.folder / picture.file).read_bytes()
            return perceptual_signature(body).colours
        except (OSError, PictureError):
            return None

    def _refuse(self, received: Received, reason: str) -> str:
        self.ledger.refuse_received(received, reason)
        self.reasons[reason] += 1
        logger.info("refused %s: %s", received.url, reason)
        return "refused"


def _is_larger(picture: PictureRow, kept: PictureRow) -> bool:
    return picture.width * picture.height > kept.width * kept.height * _WORTHWHILE_GAIN
