"""The server: the browser app and the REST API on one port of this machine."""

import asyncio
import contextlib
import errno
import ipaddress
import re
import signal
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import typer

from avatargan.errors import OptionError, ServerError
from avatargan.version import __version__
from avatargan.web import environment
from avatargan.web.cache import PictureCache

if TYPE_CHECKING:
    from fastapi import FastAPI

    from avatargan.pipeline import AvatarPipeline
    from avatargan.web.service import AvatarService

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 7860
#: Open connections, each tab of a browser holding one or two; further ones are answered with 503.
MOST_CONNECTIONS = 200
#: Tabs that gradio remembers the last values of, some megabytes of pictures each. Nothing is lost
#: with the others: what the app needs to know, the page sends along.
MOST_SESSIONS = 32
SHUTDOWN_SECONDS = 3
#: How many ports above a taken one are tried in order to name a free one.
PORTS_TO_TRY = 100
LARGEST_PORT = 65535
_PATH = re.compile(r"(?!\.)[A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
_HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def serve(
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    *,
    weights: str | None = None,
    upscaler: str | None = None,
    device: str = "auto",
    engine: str = "auto",
    open_browser: bool = False,
    root_path: str = "",
    allowed_hosts: Sequence[str] = (),
) -> None:
    """Load the weights, serve until interrupted, and say where as soon as the app answers.

    The process is expected to end afterwards: it listens to no further signal.

    Args:
        host: the address to listen on; others than loopback let other machines in.
        port: 0 takes any free one.
        weights: as for ``AvatarPipeline.load``, as are upscaler, device and engine.
        upscaler: a file.
        device: where to draw.
        engine: what to draw with.
        open_browser: whether to open the page.
        root_path: the path below which a proxy shows the app, such as "/avatars".
        allowed_hosts: public names of a proxy, which the app answers to beside those of this
            machine.

    Raises:
        OptionError: the root path is no path, or an allowed host no name.
        ServerError: the port is taken or the address is not one of this machine's.
        WeightsError, OptionError: as for ``AvatarPipeline.load``.
    """
    root_path = check_root_path(root_path)
    allowed_hosts = [check_host_name(name) for name in allowed_hosts]
    listener = listen(host, port)
    url = url_of(host, listener.getsockname()[1])
    if not is_loopback(host):
        typer.echo(
            f"warning: listening on {host}: everyone who can reach this machine can use the app, "
            "and nothing is encrypted",
            err=True,
        )

    def announce() -> None:
        typer.echo(f"avatargan is ready: {url}")
        if open_browser:
            webbrowser.open(url)

    _on_signals(_interrupt_once)
    cache = PictureCache()
    try:
        environment.prepare(cache.folder)
        with listener, environment.OutgoingConnections():
            with environment.collector_paused():
                service = _load_service(weights, upscaler, device, engine)
                app = create_app(
                    service,
                    host=host,
                    cache=cache,
                    root_path=root_path,
                    allowed_hosts=allowed_hosts,
                )
            _run(app, listener, announce, service)
    finally:
        cache.remove()


def create_app(
    service: "AvatarService",
    *,
    host: str = DEFAULT_HOST,
    cache: PictureCache | None = None,
    root_path: str = "",
    allowed_hosts: Sequence[str] = (),
) -> "FastAPI":
    """Return the app: the page at "/", the REST API, its documentation, gradio's endpoints.

    Args:
        service: what draws.
        host: the address that the app will be served at; on loopback only this machine's own
            names are accepted.
        cache: the folder that the environment was prepared with, to be kept small.
        root_path: as :func:`check_root_path` returns it.
        allowed_hosts: as :func:`check_host_name` returns them.
    """
    import gradio
    from fastapi_offline import FastAPIOffline
    from starlette.routing import Mount

    from avatargan.web import rest
    from avatargan.web.endpoints import build_endpoints
    from avatargan.web.gradio_queue import complete_queue
    from avatargan.web.guard import RequestGuard
    from avatargan.web.page_files import PageRoute

    @asynccontextmanager
    async def lifespan(_: "FastAPI") -> AsyncIterator[None]:
        threading.Thread(target=service.warm_up, name="warm-up", daemon=True).start()
        async with cache.kept_small() if cache is not None else contextlib.nullcontext():
            yield
        service.close()

    # FastAPI's own documentation pages load their scripts from elsewhere.
    app = FastAPIOffline(
        title="avatargan",
        version=__version__,
        description="Draws anime avatars with chosen attributes.",
        docs_url="/docs",
        redoc_url=None,
        openapi_url=f"{rest.PREFIX}/openapi.json",
        static_url="/docs/static",
        swagger_ui_parameters={"defaultModelsExpandDepth": 0, "tryItOutEnabled": True},
        lifespan=lifespan,
    )
    app.include_router(rest.create_router(service))
    rest.add_error_handlers(app)
    app.add_middleware(
        RequestGuard,
        loopback=is_loopback(host),
        body_bytes=service.limits.body_bytes,
        body_seconds=service.limits.seconds,
        allowed_hosts=allowed_hosts,
        root_path=root_path,
    )
    app.router.routes.append(PageRoute())
    blocks = build_endpoints(service)
    blocks.state_session_capacity = MOST_SESSIONS
    blocks.queue(
        max_size=service.limits.requests,
        api_open=False,  # routes that would pass the queue by
        default_concurrency_limit=service.limits.requests,  # the service has the order
    )
    # Last, so that it gets what is left of the paths: gradio_client finds it at the address of
    # the app.
    gradio.mount_gradio_app(
        app,
        blocks,
        path="/",
        show_error=False,
        max_file_size=service.limits.body_bytes,
        ssr_mode=False,
        mcp_server=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=["api"],
        root_path=root_path or None,
    )
    [mount] = [route for route in app.routes if isinstance(route, Mount) and route.path == ""]
    complete_queue(blocks, mount.app)
    return app


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address.

    Raises:
        ServerError: the port is taken (the message names a free one), or the address is unknown.
    """
    if not 0 <= port <= LARGEST_PORT:
        raise ServerError(f"there is no port {port}; choose one from 0 to {LARGEST_PORT}")
    try:
        return _bind(host, port)
    except (socket.gaierror, UnicodeError):
        raise ServerError(f"'{host}' is not an address of this machine") from None
    except PermissionError:
        raise ServerError(
            f"port {port} is reserved for the system; choose one above 1023"
        ) from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            free = _free_port(host, port)
            raise ServerError(
                f"port {port} of {host} is taken by another program; try --port {free}"
            ) from None
        raise ServerError(f"cannot listen on {host}: {error.strerror or error}") from error


def check_root_path(path: str) -> str:
    """Return a path without a slash at its end, "" for the root.

    Raises:
        OptionError: it is no path.
    """
    path = path.strip("/")
    if not _PATH.fullmatch(path):
        raise OptionError(
            f"--root-path: '{path}' is not a path such as /avatars "
            "(letters, digits and . _ ~ - between slashes)"
        )
    return f"/{path}" if path else ""


def check_host_name(name: str) -> str:
    """Return a host name as browsers send it: in lower case, other scripts in their ASCII form.

    Raises:
        OptionError: it is no name.
    """
    try:
        ascii_name = name.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        ascii_name = ""
    if not _HOST_NAME.fullmatch(ascii_name):
        raise OptionError(
            f"--allowed-host: '{name}' is not a host name such as avatars.example.org, "
            "without http:// and port"
        )
    return ascii_name


def is_loopback(host: str) -> bool:
    """Tell whether only programs on this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_of(host: str, port: int) -> str:
    """Return what to type into a browser on this machine."""
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # A port whose last server has just stopped is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def _free_port(host: str, taken: int) -> int:
    for port in range(taken + 1, min(taken + PORTS_TO_TRY, LARGEST_PORT) + 1):
        with contextlib.suppress(OSError), _bind(host, port):
            return port
    with _bind(host, 0) as listener:
        return int(listener.getsockname()[1])


def _load_service(
    weights: str | None, upscaler: str | None, device: str, engine: str
) -> "AvatarService":
    """Load the pipeline while gradio is imported, which takes as long."""

    def load() -> "AvatarPipeline":
        from avatargan.pipeline import AvatarPipeline

        return AvatarPipeline.load(weights, upscaler=upscaler, device=device, engine=engine)

    with ThreadPoolExecutor(1) as background:
        loading = background.submit(load)
        import avatargan.web.endpoints  # noqa: F401

        pipeline = loading.result()
    from avatargan.web.service import AvatarService

    return AvatarService(pipeline)


def _run(
    app: "FastAPI",
    listener: socket.socket,
    announce: Callable[[], None],
    service: "AvatarService",
) -> None:
    import uvicorn

    from avatargan.web.connections import BoundedProtocol

    class Server(uvicorn.Server):
        """Says when it is ready, and refuses what waits as soon as it is told to stop."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            self._loop = asyncio.get_running_loop()
            await super().startup(sockets)
            if self.started:
                announce()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            service.stop()
            await super().shutdown(sockets)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if self.should_exit:
                # Streams that are still open are not waited for; uvicorn would skip all the rest.
                self._loop.call_soon_threadsafe(self._cancel_requests)
            self.should_exit = True

        def _cancel_requests(self) -> None:
            for task in self.server_state.tasks:
                task.cancel()

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            # uvicorn would raise the signals again afterwards, in the middle of cleaning up.
            _on_signals(self.handle_exit)
            yield
            _on_signals(signal.SIG_IGN)

    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        log_level="warning",
        access_log=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        # What a proxy says about its client is not to be believed of strangers.
        proxy_headers=False,
        server_header=False,
    )
    Server(config).run(sockets=[listener])


def _interrupt_once(*_: object) -> NoReturn:
    """Give up loading at the first signal; no further one interrupts the cleaning up."""
    _on_signals(signal.SIG_IGN)
    raise KeyboardInterrupt


def _on_signals(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    """Handle what tells the process to stop, whose end is not to be interrupted by the next."""
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGBREAK"):  # the last one is of Windows
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), handler)
