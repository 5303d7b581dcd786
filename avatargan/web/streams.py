"""Answers that come piece by piece, and whose work ends when the client has left.

Two forms. *Pictures*: one JSON object a line (NDJSON), sent as soon as it is drawn. *Jobs*: lines
that tell how far the work is, and after the last of them the file itself.
"""

import json
import threading
from collections.abc import AsyncIterator, Generator, Iterable
from itertools import chain
from typing import Any

from starlette.concurrency import iterate_in_threadpool
from starlette.responses import StreamingResponse

from avatargan.errors import AvatarGanError, one_line

NDJSON = "application/x-ndjson"
#: Lines of JSON, then the bytes of a file.
JOB = "application/vnd.avatargan.job"


def stream_lines(lines: Generator[bytes, None, None], media_type: str) -> StreamingResponse:
    """Return a response of the lines.

    What refuses the request comes with the first of them, so that it is made before anything is
    answered; an error after it becomes the last line.

    Raises:
        AvatarGanError: the request is refused.
    """
    first = next(lines, b"")
    return StreamingResponse(_until_the_client_leaves(first, lines), media_type=media_type)


def json_line(value: dict[str, Any]) -> bytes:
    """Return an object as a line."""
    return json.dumps(value, ensure_ascii=True).encode() + b"\n"


def problem(error: AvatarGanError) -> dict[str, str]:
    """Return an error as all refusals are told: for people, and for programs."""
    return {"detail": one_line(str(error)), "kind": kind_of(error)}


def kind_of(error: Exception) -> str:
    """Return what an error is called in answers: "busy", "option", "recipe" and so on."""
    kinds = [kind for kind in type(error).__mro__ if AvatarGanError in kind.__bases__]
    return (kinds[0] if kinds else type(error)).__name__.removesuffix("Error").lower()


async def _until_the_client_leaves(
    first: bytes, lines: Generator[bytes, None, None]
) -> AsyncIterator[bytes]:
    def with_last_words() -> Iterable[bytes]:
        try:
            yield from chain([first], lines)
        except AvatarGanError as error:
            yield json_line(problem(error))

    try:
        async for line in iterate_in_threadpool(with_last_words()):
            yield line
    finally:
        # In a thread: it waits until the work has noticed.
        threading.Thread(target=lines.close, name="stream-end", daemon=True).start()
