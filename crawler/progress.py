"""The progress bar of a run."""

import sys
from types import TracebackType
from typing import Self

from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]

from crawler.session import RunLimits, Session


class CrawlProgress:
    """Shows on stderr how many pictures are stored and what else has happened.

    Without a terminal nothing is shown. Use as a context manager and pass as ``on_event``.
    """

    def __init__(self, limits: RunLimits) -> None:
        self._bar = tqdm(
            total=limits.max_images, unit="picture", disable=None, file=sys.stderr, mininterval=0.5
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()

    def __call__(self, session: Session) -> None:
        """Show where the run stands."""
        tally = session.tally
        waits = ", ".join(
            f"{host} in {seconds:.0f} s"
            for host, seconds in session.pace.waiting.items()
            if seconds > 2
        )
        self._bar.n = tally["stored"]
        self._bar.set_postfix_str(
            f"pages {tally['pages']}, known {tally['duplicate'] + tally['unchanged']}, "
            f"refused {tally['refused']}, failed {tally['failed']}, "
            f"{session.network.bytes_received / 1e6:.1f} MB"
            + (f", waiting for {waits}" if waits else ""),
            refresh=False,
        )
        self._bar.update(0)
