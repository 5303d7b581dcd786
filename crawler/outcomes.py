"""Why a request was not, or not yet, answered: what the parts of a crawl tell each other."""


class RefusedError(Exception):
    """The crawler will not take this: not allowed, too large, opted out, not a picture.

    ``status`` is that of the answer, None if the server was not asked. ``wish`` is set when the
    reason is that the owner does not want it to be collected.
    """

    def __init__(self, reason: str, status: int | None = None, *, wish: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.wish = wish


class PostponedError(Exception):
    """An origin cannot be asked now; a later run will try again.

    ``resting`` tells an origin that answered, and wants to be left alone for a while, from one
    that cannot be had.
    """

    def __init__(self, reason: str, origin: str, *, resting: bool = False) -> None:
        super().__init__(reason)
        self.origin = origin
        self.resting = resting


class StoppedError(Exception):
    """The run is ending; what was to be fetched stays in the queue as it is."""
