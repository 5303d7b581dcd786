"""Why a request was not, or not yet, answered: what the parts of a crawl tell each other."""

from scrapy.exceptions import IgnoreRequest


class RefusedError(IgnoreRequest):
    """The crawler will not take this: not allowed, too large, opted out, not a picture.

    ``status`` is that of the answer, None if the server was not asked.
    """

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class PostponedError(IgnoreRequest):
    """The host cannot be asked now; a later run will try again."""

    def __init__(self, reason: str, host: str) -> None:
        super().__init__(reason)
        self.host = host


class StoppedError(IgnoreRequest):
    """The run is ending; what was to be fetched stays in the queue as it is."""
