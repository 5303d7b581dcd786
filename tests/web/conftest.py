"""A server as users run it: a process of its own, reached over HTTP."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.web.app_page import CHROMIUM, CHROMIUM_OPTIONS, AppPage

ROOT = Path(__file__).parent.parent.parent
SERVE = (
    "{prelude}; from avatargan.web.server import serve; "
    "serve(port=0, weights={weights!r}, **{options!r})"
)


class ServerProcess:
    """A server on a free port of this machine, with the shipped weights or others.

    Args:
        log: where its messages go.
        weights: a generator's file.
        prelude: Python that the process runs first.
        options: further ones of ``serve``.
    """

    def __init__(
        self,
        log: Path,
        weights: Path | None = None,
        prelude: str = "pass",
        options: Mapping[str, object] | None = None,
    ) -> None:
        self.log = log
        command = SERVE.format(
            prelude=prelude, weights=weights and str(weights), options=dict(options or {})
        )
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", command],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert "http://" in line, f"the server did not start: {log.read_text()}"
        self.url = line.split()[-1]

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=30)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The process that all tests of a session talk to."""
    process = ServerProcess(tmp_path_factory.mktemp("server") / "log.txt")
    yield process
    process.stop()


@pytest.fixture(scope="session")
def server_url(server: ServerProcess) -> str:
    """Its address, without a slash at the end."""
    return server.url


@pytest.fixture(scope="session")
def client(server_url: str) -> Iterator[httpx.Client]:
    """An HTTP client of that server."""
    # trust_env: a proxy of this machine must not see what is meant for loopback.
    with httpx.Client(base_url=server_url, timeout=60, trust_env=False) as session:
        yield session


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium.

    For a module, not a session: while playwright runs, nothing else in this thread can use asyncio.
    """
    if not CHROMIUM.exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}; Debian's package is called chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=list(CHROMIUM_OPTIONS)
        )
        yield chromium
        chromium.close()


@pytest.fixture
def app(browser: Browser, server_url: str) -> Iterator[AppPage]:
    """The app in a browser that has never been here, the first pictures drawn."""
    page = AppPage(browser, server_url)
    yield page
    page.close()
