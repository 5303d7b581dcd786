"""One run of a crawl, from the description to the summary."""

import asyncio
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from avatargan.errors import CrawlError, OptionError
from crawler.addresses import AddressPolicy
from crawler.ledger import Found, Ledger, Run
from crawler.manifest import write_manifest
from crawler.network import Network
from crawler.pace import HostPace
from crawler.session import RunLimits, Session
from crawler.site import SiteDescription
from crawler.sweep import sweep
from crawler.urls import parameters_of
from crawler.visiting import visit_all

# Selectors without which there is nothing to collect; the others only make the records poorer.
_ESSENTIAL = re.compile(r"(pages\.(image|follow|each)|api\.(posts|fields\.image|require\..*))\Z")


@dataclass(frozen=True)
class RunSummary:
    """What one run did. Counts are of this run, except ``pictures``."""

    site: str
    outcome: str
    resumed: bool
    seconds: float
    pages: int
    stored: int
    duplicates: int
    unchanged: int
    refused: int
    failed: int
    postponed: int
    bytes_received: int
    pictures: int
    waiting: int
    reasons: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    gone: int = 0
    """Kept pictures that are no longer there, or whose owner no longer wants them collected."""
    not_reached: list[dict[str, Any]] = field(default_factory=list)
    """What could not be had and will be tried again: url, reason, failures, failing_since."""

    def to_dict(self) -> dict[str, Any]:
        """Return this as plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Preview:
    """What the first page of a site would give: nothing of it is kept."""

    url: str
    read: list[str]
    page_links: list[str]
    pictures: list[Found]
    matches: dict[str, int]


# So many URLs of the same pictures, different in one parameter only, are worth a warning.
_REPEATED_OFTEN = 3

NetworkFactory = Callable[[AddressPolicy, SiteDescription], Network]


def make_network(policy: AddressPolicy, site: SiteDescription) -> Network:
    """Return the network access for a run."""
    return Network(policy, user_agent=site.user_agent, timeout=site.rate.timeout_seconds)


def effective_limits(site: SiteDescription, options: RunLimits) -> RunLimits:
    """Return the limits of a run: those of the command line, else those of the description."""
    return RunLimits(
        max_images=options.max_images or site.limits.max_images,
        max_bytes=options.max_bytes or site.limits.max_bytes,
        max_minutes=options.max_minutes or site.limits.max_minutes,
    )


async def run_crawl(
    site: SiteDescription,
    folder: Path,
    limits: RunLimits,
    *,
    policy: AddressPolicy = AddressPolicy.PUBLIC_ONLY,
    pause: float | None = None,
    on_event: Callable[[Session], None] = lambda _: None,
    stop_on_signals: bool = False,
    network_factory: NetworkFactory = make_network,
) -> RunSummary:
    """Collect the pictures of ``site`` into ``folder`` until all is visited or a limit is reached.

    Args:
        site: what to collect.
        folder: gets the ledger, the pictures and the manifest.
        limits: of this run; where it has none, those of the description hold.
        policy: which addresses may be contacted.
        pause: seconds between requests to a host instead of the description's; below one second
            only with ``AddressPolicy.PRIVATE_ONLY``.
        on_event: called when something was stored, read or refused.
        stop_on_signals: end in good order on SIGINT and SIGTERM (main thread only).
        network_factory: makes the network access.

    Raises:
        CrawlError: the description is not filled in, the site refuses the crawler, or an
            essential selector matched nothing.
        OutputError: the folder cannot be written.
        OptionError: ``pause`` is shorter than the description's and the site is not private.
    """
    _check_filled_in(site, policy)
    if network_factory is make_network:
        _check_pause(site, policy, pause)
    limits = effective_limits(site, limits)
    with Ledger.create(folder) as ledger:
        sweep(ledger)
        run = ledger.begin_run(site.name, site.digest, site.user_agent)
        outcome = "aborted"
        try:
            async with network_factory(policy, site) as network:
                session = Session(
                    site=site,
                    ledger=ledger,
                    run=run,
                    pace=_pace(ledger, site, pause),
                    network=network,
                    limits=limits,
                    on_event=on_event,
                )
                await _crawl(session, stop_on_signals=stop_on_signals)
            outcome = _outcome(session)
        finally:
            ledger.end_run(run, outcome)
        write_manifest(ledger)
        if outcome == "nothing":
            raise CrawlError(_why_nothing(session))
        return _summary(session, outcome)


async def preview_site(
    site: SiteDescription,
    *,
    policy: AddressPolicy = AddressPolicy.PUBLIC_ONLY,
    pause: float | None = None,
    network_factory: NetworkFactory = make_network,
) -> Preview:
    """Fetch robots.txt, the first start page and up to two pages it leads to.

    Returns what the selectors match on them. No picture is fetched.

    Raises:
        CrawlError: the page cannot be fetched, or an essential selector matched nothing.
        OptionError: ``pause`` is shorter than the description's and the site is not private.
    """
    _check_filled_in(site, policy)
    if network_factory is make_network:
        _check_pause(site, policy, pause)
    with TemporaryDirectory() as scratch, Ledger.create(Path(scratch)) as ledger:
        run = ledger.begin_run(site.name, site.digest, site.user_agent)
        async with network_factory(policy, site) as network:
            session = Session(
                site=site,
                ledger=ledger,
                run=run,
                pace=_pace(ledger, site, pause),
                network=network,
                limits=RunLimits(),
                preview=True,
            )
            await _crawl(session, stop_on_signals=False)
        if session.tally["pages"] == 0:
            raise CrawlError(_why_nothing(session))
        counts = ledger.selector_counts(run)
        images = ledger.found(run, "image")
        missing = _matched_nothing(site, counts, essential=True)
        # A start page may well show no picture itself, as long as it leads on.
        pages = [
            found.url for found in ledger.found(run, "page") if found.url != site.start_urls[0]
        ]
        if missing and not (images or pages):
            raise CrawlError(missing[0])
        return Preview(
            url=site.start_urls[0],
            read=ledger.pages_read(run),
            page_links=pages,
            pictures=images,
            matches={name: matches for name, (_, matches) in counts.items()},
        )


async def _crawl(session: Session, *, stop_on_signals: bool) -> None:
    site, loop = session.site, asyncio.get_running_loop()
    number = site.api.first_page if site.api is not None else None
    start = site.start_urls[:1] if session.preview else site.start_urls
    session.ledger.add_start(
        session.run,
        [Found(url, "page", page_number=number) for url in start],
        recheck_images=site.recheck_images,
    )
    if stop_on_signals:
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, _interrupt, session, name)
    timer = None
    if session.limits.max_minutes is not None:
        timer = loop.call_later(session.limits.max_minutes * 60, session.stop, "max-minutes")
    try:
        await session.store_inbox()
        await visit_all(session)
    finally:
        if timer is not None:
            timer.cancel()


def _interrupt(session: Session, name: signal.Signals) -> None:
    session.stop("interrupted")
    # The next signal ends the process at once, which the ledger survives too.
    asyncio.get_running_loop().remove_signal_handler(name)


def _pace(ledger: Ledger, site: SiteDescription, pause: float | None) -> HostPace:
    return HostPace(
        ledger,
        pause=site.rate.seconds_between_requests if pause is None else pause,
        max_wait=site.rate.max_wait_minutes * 60,
    )


def _check_filled_in(site: SiteDescription, policy: AddressPolicy) -> None:
    placeholder = site.placeholder()
    if placeholder is not None and policy is not AddressPolicy.PRIVATE_ONLY:
        raise CrawlError(
            f"the description still holds the placeholder {placeholder!r}; "
            "fill in the site's hosts and your own contact"
        )


def _check_pause(site: SiteDescription, policy: AddressPolicy, pause: float | None) -> None:
    gentle = pause is None or pause >= site.rate.seconds_between_requests
    if not gentle and policy is not AddressPolicy.PRIVATE_ONLY:
        raise OptionError(
            f"a pause of {pause} s is shorter than the description's; "
            "only one's own private site may be crawled faster"
        )


def _outcome(session: Session) -> str:
    if session.stop_reason == "no matches":
        return "nothing"
    ledger, run = session.ledger, session.run
    left = ledger.count_pending(run) or ledger.waiting_in_inbox()
    if session.stop_reason is not None and (left or session.stop_reason == "interrupted"):
        return session.stop_reason
    counts = ledger.selector_counts(run)
    if _matched_nothing(session.site, counts, essential=True) and not session.tally["postponed"]:
        return "nothing"
    asked = session.statuses or session.reasons
    if asked and not _reached(session) and not ledger.is_under_way(run):
        return "nothing"
    if ledger.is_resting(run):
        return "postponed"
    return "incomplete" if ledger.not_reached(run) else "finished"


def _reached(session: Session) -> bool:
    tally = session.tally
    return any(tally[each] for each in ("pages", "unchanged", "stored", "duplicate", "replaced"))


def _why_nothing(session: Session) -> str:
    site = session.site
    reason = next(iter(session.reasons), "no start page was read")
    if session.tally["postponed"]:
        return f"nothing could be fetched from {site.start_urls[0]} for now: {reason}"
    missing = _matched_nothing(site, session.ledger.selector_counts(session.run), essential=True)
    if missing:
        return missing[0] + (f"; {session.hint}" if session.hint else "")
    if session.statuses and set(session.statuses) <= {401, 403, 451}:
        refusals = " or ".join(str(status) for status in sorted(session.statuses))
        return (
            f"{site.name} answered {refusals} to every request: it does not want this crawler; "
            "ask its owner, and take no for an answer"
        )
    return f"nothing could be fetched from {site.start_urls[0]}: {reason}"


def _matched_nothing(
    site: SiteDescription, counts: dict[str, tuple[int, int]], *, essential: bool
) -> list[str]:
    """Return a message for each selector that was tried and never matched."""
    return [
        f"{name} ({_selector_text(site, name)}) matched nothing on the {pages} page(s) read; "
        "compare it with the source of a page"
        for name, (pages, matches) in counts.items()
        if pages and not matches and bool(_ESSENTIAL.match(name)) is essential
    ]


def _selector_text(site: SiteDescription, name: str) -> str:
    value: Any = site.model_dump()
    if name.startswith("api.require."):
        return name.removeprefix("api.require.")
    for part in name.split("."):
        value = value[part]
    return str(value)


def _summary(session: Session, outcome: str) -> RunSummary:
    tally, ledger, run = session.tally, session.ledger, session.run
    counts = ledger.selector_counts(run)
    return RunSummary(
        site=session.site.name,
        outcome=outcome,
        resumed=run.resumed,
        seconds=round(time.monotonic() - session.begun, 3),
        pages=tally["pages"],
        stored=tally["stored"],
        duplicates=tally["duplicate"] + tally["replaced"],
        unchanged=tally["unchanged"],
        refused=tally["refused"],
        failed=tally["failed"],
        postponed=_postponed(ledger, run),
        bytes_received=session.network.bytes_received,
        pictures=len(ledger.pictures()),
        waiting=ledger.count_pending(run) + len(ledger.waiting_in_inbox()),
        reasons=dict(Counter(session.reasons).most_common()),
        warnings=[
            *_matched_nothing(session.site, counts, essential=False),
            *_repeated_parameters(session),
        ],
        gone=len(ledger.gone_pictures()),
        not_reached=[dict(row) for row in ledger.not_reached(run)],
    )


def _repeated_parameters(session: Session) -> list[str]:
    """Return a warning for each parameter of URLs that makes one picture many."""
    same: dict[tuple[int, str], list[str]] = {}
    for row in session.ledger.rows(
        "SELECT s.picture_id, s.url FROM sources s JOIN targets t ON t.id = s.target_id"
        " WHERE t.site = ? AND s.superseded_at IS NULL AND s.relation != 'near'",
        session.site.name,
    ):
        plain = re.split(r"[?;]", row["url"], maxsplit=1)[0]
        same.setdefault((row["picture_id"], plain), []).append(row["url"])
    times: Counter[str] = Counter()
    for urls in same.values():
        values: dict[str, set[str]] = {}
        for url in urls:
            for name, value in parameters_of(url).items():
                values.setdefault(name, set()).add(value)
        times.update({name: len(each) for name, each in values.items() if len(each) > 1})
    return [
        f"{number} URLs that differ in {name!r} gave pictures that were there already; "
        f'ignore_parameters = ["{name}"] fetches each once'
        for name, number in times.items()
        if number >= _REPEATED_OFTEN
    ]


def _postponed(ledger: Ledger, run: Run) -> int:
    return int(
        ledger.rows(
            "SELECT count(*) FROM targets WHERE site = ? AND round = ? AND state = 'postponed'",
            run.site,
            run.round,
        )[0][0]
    )
