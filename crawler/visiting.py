"""Visiting what waits in the ledger's queue, and recording what became of each visit."""

import asyncio
import logging
import re
import time

from crawler.extract import BrokenAnswerError, PageContent, UnreadablePageError, read_page
from crawler.fetching import Fetcher
from crawler.ledger import Found, Target
from crawler.network import Fetched, FetchError, TooLargeError, unpack
from crawler.outcomes import PostponedError, RefusedError, StoppedError
from crawler.page import Page
from crawler.session import Session
from crawler.wishes import Wishes

logger = logging.getLogger(__name__)

_MAX_BARREN_PAGES = 3
_MAX_VISITS_AT_ONCE = 32
# Only pages that are made to be slow take so many seconds.
_LONGEST_READING = 60.0
_PAGES_OF_A_PREVIEW = 3
_GONE = {404, 410, 451}
_FOR_THE_MOMENT = {408, 425, 429}


async def visit_all(session: Session) -> None:
    """Visit what waits, one target per host at a time, until nothing is left or the run ends.

    Raises:
        Exception: what went wrong with the crawler or the disk, when all visits have ended.
    """
    fetcher = Fetcher(session)
    visits: dict[asyncio.Task[None], str] = {}
    problem: BaseException | None = None
    while True:
        while not session.pace.stopping and len(visits) < _MAX_VISITS_AT_ONCE:
            target = session.ledger.next_target(
                session.run, visits.values(), pages_only=session.preview
            )
            if target is None:
                break
            visits[asyncio.create_task(_visit(session, fetcher, target))] = target.host
        if not visits:
            break
        done, _ = await asyncio.wait(visits, return_when=asyncio.FIRST_COMPLETED)
        for visit in done:
            del visits[visit]
            problem = problem or visit.exception()
        if problem is not None:
            session.stop("failed")
    if problem is not None:
        raise problem
    if not session.preview:
        await _judge_kept(session, fetcher)


async def _judge_kept(session: Session, fetcher: Fetcher) -> None:
    """Look whether the owners of what is kept still allow it: by their rules as they are now."""
    ledger, site = session.ledger, session.site.name
    for origin in sorted(ledger.kept_origins(site) - session.failing_origins):
        if session.pace.stopping:
            break
        try:
            await fetcher.rules_of(origin)
        except (PostponedError, RefusedError, StoppedError) as error:
            logger.info("the rules of %s are not known: %s", origin, error)
    ledger.judge_kept(site, fetcher.known_verdict)


async def _visit(session: Session, fetcher: Fetcher, target: Target) -> None:
    try:
        answer = await fetcher.fetch(target)
        session.note_answer(target, answer.status)
        await _take(session, answer, target)
    except StoppedError:
        pass  # stays in the queue
    except PostponedError as error:
        session.postpone(target, error)
    except RefusedError as error:
        session.settle(target, "refused", str(error), error.status)
        if error.wish and error.status is not None:  # not by rules: those are judged at the end
            session.ledger.picture_gone(target.id, str(error), wish=True)
    except FetchError as error:
        session.settle(target, "failed", str(error))
        _go_behind(session, target)
        session.note_failure(target, str(error))
    session.on_event(session)


async def _take(session: Session, answer: Fetched, target: Target) -> None:
    """Record what a target answered."""
    ledger, status = session.ledger, answer.status
    if status == 200 and target.kind == "image":
        await session.store(target.id)
    elif status == 200:
        await _read(session, answer, target)
    elif status == 304 and target.kind == "image":
        ledger.picture_unchanged(target)
        session.tally["unchanged"] += 1
    elif status == 304:
        wish = Wishes(answer.headers).against_collecting
        if wish is not None:
            reason = f"its page asks not to be collected ({wish})"
            ledger.page_gone(target, reason, wish=True)
        ledger.page_unchanged(session.run, target, recheck_images=session.site.recheck_images)
        session.tally["unchanged"] += 1
    else:
        session.settle(target, "failed", f"answered {status}", status)
        if status in _GONE and target.kind == "image":
            ledger.picture_gone(target.id, f"it answered {status}", wish=status == 451)
        elif status in _GONE:
            ledger.page_gone(target, f"its page answered {status}", wish=status == 451)
        if status >= 500 or status in _FOR_THE_MOMENT:
            _go_behind(session, target)


async def _read(session: Session, answer: Fetched, target: Target) -> None:
    """Read a page in a thread, so that the run hears signals meanwhile."""
    site = session.site
    until = time.monotonic() + _LONGEST_READING

    def go_on() -> None:
        if session.pace.stopping:
            raise StoppedError("the run is ending")
        if time.monotonic() > until:
            raise UnreadablePageError(f"reading it takes more than {_LONGEST_READING:.0f} s")

    try:
        page = Page(answer.url, answer.headers, unpack(answer, site.limits.max_page_bytes))
        content = await asyncio.to_thread(read_page, page, target, site, go_on)
    except TooLargeError as error:
        raise RefusedError(f"too large: {error}", answer.status) from None
    except BrokenAnswerError as error:
        session.settle(target, "failed", str(error), answer.status)
        _go_behind(session, target)
        return
    # Parsers meet every kind of nonsense on the web, and say so with these.
    except (ValueError, LookupError, RecursionError) as error:
        session.settle(target, "refused", str(error), answer.status)
        return
    wish = content.opted_out and f"its page asks not to be collected ({content.opted_out})"
    session.ledger.finish_page(
        session.run,
        target,
        content.found,
        content.further,
        status=answer.status,
        etag=answer.validator("ETag"),
        last_modified=answer.validator("Last-Modified"),
        matches=content.matches,
        recheck_images=site.recheck_images,
        max_pages=site.limits.max_pages,
        max_barren=_MAX_BARREN_PAGES,
        wish=wish,
    )
    _note_content(session, content)


def _note_content(session: Session, content: PageContent) -> None:
    session.tally["pages"] += 1
    session.reasons.update(content.problems)
    if content.hint is not None:
        session.hint = session.hint or content.hint
    if content.opted_out:
        session.reasons[f"a page asks not to collect its pictures ({content.opted_out})"] += 1
    session.give_up_on_barren_selectors()
    if session.preview and session.tally["pages"] >= _PAGES_OF_A_PREVIEW:
        session.stop("preview")


def _go_behind(session: Session, target: Target) -> None:
    """Queue the page of the listing behind one that could not be had: it may hold the rest."""
    if target.kind != "page" or target.barren + 1 >= _MAX_BARREN_PAGES:
        return
    ledger, site = session.ledger, session.site
    if site.api is not None and target.page_number is not None:
        url: str | None = site.api.page_url(target.page_number + 1)
    else:
        before = ledger.listing_before(target)
        url = None if before is None else url_behind(before, target.url)
    if url is not None:
        number = (target.page_number or 1) + 1
        behind = Found(
            url, "page", depth=target.depth, barren=target.barren + 1, page_number=number
        )
        ledger.queue_behind(session.run, behind, max_pages=site.limits.max_pages)


def url_behind(before: str, page: str) -> str | None:
    """Return the URL of the page after ``page`` of a listing, given that of the one before it.

    The two must differ in one number that goes up by one, or ``page`` must add the number 2.
    """
    numbers = list(re.finditer(r"[0-9]{1,9}", page))
    for found in reversed(numbers):
        number = int(found[0])
        previous = page[: found.start()] + str(number - 1) + page[found.end() :]
        added = number == 2 and page.startswith(before.rstrip("/")) and found is numbers[-1]
        if number > 1 and (previous == before or added):
            return page[: found.start()] + str(number + 1) + page[found.end() :]
    return None
