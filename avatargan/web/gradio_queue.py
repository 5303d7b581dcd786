"""What gradio's queue leaves open: arguments that do not fit, and clients that have left.

gradio answers a call that does not fit its function with 500 or, later, with nothing that says
why; and it draws to the end for a client that has closed its page.
"""

import inspect
from typing import Any

import gradio as gr
from fastapi.exceptions import HTTPException, RequestValidationError
from gradio.route_utils import FnIndexInferError
from starlette.requests import Request
from starlette.responses import JSONResponse

from avatargan.web.guard import refuse
from avatargan.web.rest import explain_invalid_body
from avatargan.web.waiting import Waiter, waiting

#: What gradio's routes raise over requests that do not fit; errors of our own functions come back
#: through the queue.
_MISFITS = (
    FnIndexInferError,
    AttributeError,
    LookupError,
    PermissionError,
    RecursionError,
    TypeError,
    ValueError,
)


def complete_queue(blocks: gr.Blocks, gradio_app: Any) -> None:
    """Let the queue of a mounted app refuse what does not fit, and drop what nobody waits for."""
    _Queue(blocks)
    for misfit in _MISFITS:
        gradio_app.add_exception_handler(misfit, _explain_misfit)
    gradio_app.add_exception_handler(RequestValidationError, explain_invalid_body)


class _Queue:
    """Stands around three methods of gradio's queue."""

    def __init__(self, blocks: gr.Blocks) -> None:
        self.blocks = blocks
        queue = blocks._queue
        self._push, self._process, self._clean = (
            queue.push,
            queue.process_events,
            queue.clean_events,
        )
        self._waiters: dict[str, Waiter] = {}
        vars(queue).update(
            push=self.push, process_events=self.process_events, clean_events=self.clean_events
        )

    async def push(self, body: Any, request: Any, username: Any) -> Any:
        function = self.blocks.fns.get(body.fn_index)
        if function is None:
            raise HTTPException(404, f"there is no function {body.fn_index}; see /gradio_api/info")
        if len(body.data) != len(function.inputs):
            raise HTTPException(422, _expected(function, len(body.data)))
        return await self._push(body=body, request=request, username=username)

    async def process_events(self, events: list[Any], *arguments: Any) -> None:
        # The threads that draw for these events inherit the context of this call.
        with waiting(Waiter()) as waiter:
            self._waiters |= dict.fromkeys((event._id for event in events), waiter)
            try:
                await self._process(events, *arguments)
            finally:
                for event in events:
                    self._waiters.pop(event._id, None)

    async def clean_events(self, **of: Any) -> None:
        await self._clean(**of)
        for jobs in self.blocks._queue.active_jobs:
            for event in jobs or ():
                if not event.alive and event._id in self._waiters:
                    self._waiters[event._id].leave()


def _expected(function: Any, got: int) -> str:
    wanted = len(function.inputs)
    names = list(inspect.signature(function.fn).parameters) if function.fn is not None else []
    named = f" ({', '.join(names)})" if wanted and len(names) == wanted else ""
    return f"{function.api_name or 'this function'} takes {wanted} values{named}, got {got}"


def _explain_misfit(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, FnIndexInferError):
        return refuse(404, "there is no endpoint of that name; see /gradio_api/info")
    told = str(error).partition(". Please")[0] if isinstance(error, TypeError) else ""
    return refuse(422, told or "the request does not fit; see /gradio_api/info")
