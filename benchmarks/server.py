"""The server: how long it takes to start and to answer, and how much memory it holds.

It is started as users start it, ``python app.py``, on a free port of this machine; nothing is
sent anywhere else.
"""

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx

from avatargan.web.server import listen

ROOT = Path(__file__).parent.parent
STARTS = 3
REQUESTS = 30
CLIENTS = 4
PICTURES = 500
LARGEST_REQUEST = 36


def main() -> None:
    """Print the figures."""
    print(f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before this began")
    starts = []
    for _ in range(STARTS - 1):
        server, seconds = _start()
        starts.append(seconds)
        _stop(server)
    server, seconds = _start()
    starts.append(seconds)
    print(f"process start to app ready: {_times(starts)} s, median of {STARTS}")
    try:
        _measure(server)
    finally:
        _stop(server)


class _Server:
    def __init__(self) -> None:
        with listen("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL
        )

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=120, trust_env=False)

    def resident_mib(self, field: str = "VmRSS") -> float:
        """Return the memory of the process; Linux alone tells it in this way."""
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return float("nan")
        found = re.search(rf"{field}:\s+(\d+)", status.read_text())
        return int(found[1]) / 1024 if found else float("nan")


def _start() -> tuple[_Server, float]:
    """Return a server and the seconds until both the page and the API answered."""
    start = time.perf_counter()
    server = _Server()
    with server.client() as client:
        while True:
            if server.process.poll() is not None:
                raise RuntimeError("the server stopped while it was starting")
            try:
                client.get("/").raise_for_status()
                client.get("/api/v1/health").raise_for_status()
                return server, time.perf_counter() - start
            except httpx.TransportError:
                time.sleep(0.02)


def _stop(server: _Server) -> None:
    server.process.terminate()
    server.process.wait(timeout=30)


def _measure(server: _Server) -> None:
    with server.client() as client:
        sizes = client.get("/api/v1/attributes").json()["sizes"]
        print(f"resident memory after the start: {server.resident_mib():.0f} MiB")
        for size in sizes:
            times = [_seconds(partial(_draw, client, 1, size)) for _ in range(REQUESTS)]
            print(
                f"one picture of {size} px over HTTP, PNG and base64 included: "
                f"{_times([seconds * 1000 for seconds in times], digits=0)} ms, "
                f"median of {REQUESTS} one after the other"
            )
    elapsed = _seconds(lambda: _draw_together(server, sizes[-1]))
    print(
        f"{CLIENTS} clients at once, one picture of {sizes[-1]} px a request: "
        f"{CLIENTS * REQUESTS / elapsed:.1f} requests a second"
    )
    before = server.resident_mib()
    with server.client() as client:
        for start in range(0, PICTURES, LARGEST_REQUEST):
            _draw(client, min(LARGEST_REQUEST, PICTURES - start), sizes[-1])
    print(
        f"resident memory before and after {PICTURES} more pictures of {sizes[-1]} px: "
        f"{before:.0f} and {server.resident_mib():.0f} MiB, "
        f"at most {server.resident_mib('VmHWM'):.0f}"
    )


def _draw_together(server: _Server, size: int) -> None:
    def one_client(_: int) -> None:
        with server.client() as client:
            for _ in range(REQUESTS):
                _draw(client, 1, size)

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(one_client, range(CLIENTS)))


def _draw(client: httpx.Client, count: int, size: int) -> None:
    client.post("/api/v1/avatars", json={"count": count, "size": size}).raise_for_status()


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _times(values: list[float], digits: int = 1) -> str:
    return f"{statistics.median(values):.{digits}f} (from {min(values):.{digits}f})"


if __name__ == "__main__":
    main()
