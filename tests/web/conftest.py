"""A server as users run it: a process of its own, reached over HTTP."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parent.parent.parent
SERVE = "from avatargan.web.server import serve; serve(port=0)"


class ServerProcess:
    """A server on a free port of this machine."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVE], cwd=ROOT, stdout=subprocess.PIPE, stderr=errors
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
