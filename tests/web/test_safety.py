"""What a hostile page, client or file cannot do to the server."""

import asyncio
import io
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from PIL import Image
from starlette._utils import get_route_path
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from avatargan.web.connections import BoundedProtocol
from avatargan.web.guard import RequestGuard

LIMIT = 8 * 1024 * 1024


class Listener:
    """A web server elsewhere, to which nothing must ever connect."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/secret.png"
        self.visits = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.visits += 1
            connection.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.socket.close()


# Other sites' pages


@pytest.mark.parametrize(
    "name", ["evil.example", "127.0.0.1.evil.example", "localhost..", "", "::1"]
)
@pytest.mark.parametrize("path", ["/", "/api/v1/info", "/config", "/docs"])
def test_a_name_that_points_at_this_machine_is_not_enough(client, name, path):
    response = client.get(path, headers={"host": f"{name}:7860"})
    assert response.status_code == 421


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "[::1]"])
def test_names_of_this_machine_are_answered(client, name):
    assert client.get("/api/v1/health", headers={"host": f"{name}:1"}).status_code == 200
    assert client.get("/api/v1/health", headers={"host": name}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1:1", "x"]
)
@pytest.mark.parametrize(
    "path", ["/api/v1/avatars", "/gradio_api/queue/join", "/gradio_api/upload"]
)
def test_pages_of_other_sites_cannot_ask_for_anything(client, origin, path):
    response = client.post(path, json={}, headers={"origin": origin})
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


def test_a_form_of_another_site_is_refused_where_no_origin_is_sent(client):
    response = client.post("/api/v1/avatars", json={}, headers={"sec-fetch-site": "cross-site"})
    assert response.status_code == 403


def test_the_servers_own_pages_may_ask(client, server_url):
    headers = {"origin": server_url, "sec-fetch-site": "same-origin"}
    assert client.post("/api/v1/avatars", json={"size": 128}, headers=headers).status_code == 200


def test_a_link_from_another_page_can_be_followed(client):
    assert client.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def answered(options: dict, url: str = "http://studio:7860/", **headers: str) -> str:
    """What a guarded app answers: the path it sees, or the status of the refusal."""

    async def show(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{request.method} {request.url} {get_route_path(request.scope)}")

    app = Starlette(routes=[Route("/{path:path}", show, methods=["POST"])])
    guarded = RequestGuard(
        app, **{"loopback": False, "body_bytes": 10, "body_seconds": 1} | options
    )

    async def ask() -> str:
        transport = httpx.ASGITransport(guarded)
        async with httpx.AsyncClient(transport=transport) as asker:
            response = await asker.post(url, headers=headers)
            return response.text if response.status_code == 200 else str(response.status_code)

    return asyncio.run(ask())


def test_other_names_are_right_where_the_network_is_let_in():
    assert answered({}).startswith("POST")
    assert answered({}, origin="http://studio:7860").startswith("POST")
    assert answered({}, origin="http://evil.example") == "403"


# Behind a proxy

BEHIND = {"loopback": True, "allowed_hosts": ["example.org"], "root_path": "/avatars"}


@pytest.mark.parametrize("path", ["/avatars/api", "/api"])
def test_the_prefix_of_a_proxy_may_come_or_be_stripped(path):
    assert answered(BEHIND, f"http://example.org{path}") == (
        "POST http://example.org/avatars/api /api"
    )
    assert answered(BEHIND, "http://example.org/avatarsapi").endswith(" /avatarsapi")


def test_names_that_were_allowed_are_answered_and_no_others():
    for name in ("example.org", "EXAMPLE.ORG.:8080", "localhost:1"):
        assert answered(BEHIND, f"http://{name}/").startswith("POST")
    for options in (BEHIND, BEHIND | {"loopback": False}):
        assert answered(options, "http://evil.example/") == "421"
        assert answered(options, "http://www.example.org/") == "421"


def test_pages_of_an_allowed_name_may_ask_whatever_the_proxy_calls_us():
    for origin in ("https://example.org", "http://example.org:8443"):
        assert answered(BEHIND, "http://127.0.0.1:7860/", origin=origin).startswith("POST")
    assert answered(BEHIND, "http://127.0.0.1:7860/", origin="https://evil.example") == "403"


def test_a_forwarded_name_counts_only_where_it_was_allowed():
    there = answered(BEHIND, "http://127.0.0.1/", **{"x-forwarded-host": "example.org"})
    assert there.startswith("POST http://example.org/avatars/")
    for options in (BEHIND, {"loopback": True}):
        told = answered(options, "http://127.0.0.1/", **{"x-forwarded-host": "evil.example"})
        assert told.startswith("POST http://127.0.0.1/")


# Connections


@pytest.fixture
def small_server() -> Iterator[tuple[str, int]]:
    """A server that waits half a second for headers and takes five connections."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("here")(scope, receive, send)

    class Hasty(BoundedProtocol):
        header_seconds = 0.5

    config = uvicorn.Config(app, http=Hasty, lifespan="off", limit_concurrency=5, log_level="error")
    running = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        yield address
        running.should_exit = True
        thread.join(20)


def test_headers_that_never_end_are_given_up(small_server):
    for beginning in (b"", b"GET / HTTP/1.1\r\nhost: lo"):
        with socket.create_connection(small_server, timeout=20) as connection:
            connection.sendall(beginning)
            assert connection.recv(100).startswith(b"HTTP/1.1 408")
    # The same after a request that was answered:
    with socket.create_connection(small_server, timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        answer = b""
        while not answer.endswith(b"here"):
            piece = connection.recv(1000)
            assert piece
            answer += piece
        connection.sendall(b"G")
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


def test_clients_that_never_ask_keep_nobody_out(small_server):
    silent = [socket.create_connection(small_server) for _ in range(20)]
    host, port = small_server
    assert httpx.get(f"http://{host}:{port}/", trust_env=False).text == "here"
    for connection in silent:
        connection.close()


# Sizes


@pytest.mark.parametrize("path", ["/api/v1/avatars", "/api/v1/recipe", "/gradio_api/queue/join"])
def test_a_body_that_announces_too_much_is_refused(client, path):
    response = client.post(path, content=b"0" * (LIMIT + 1))
    assert response.status_code == 413
    assert str(LIMIT) in response.json()["detail"]


@pytest.mark.parametrize("path", ["/api/v1/avatars", "/api/v1/recipe", "/gradio_api/upload"])
def test_a_body_that_announces_nothing_is_counted(client, path):
    boundary = "multipart/form-data; boundary=x"
    kind = "application/json" if path.endswith("avatars") else boundary

    def chunks() -> Iterator[bytes]:
        yield b'--x\r\ncontent-disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        for _ in range(LIMIT // 65536 + 1):
            yield bytes(65536)

    response = client.post(path, content=chunks(), headers={"content-type": kind})
    assert response.status_code == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "٣", "9" * 30])
def test_a_length_that_is_no_number_is_refused(server_url, length):
    host, port = server_url.removeprefix("http://").split(":")
    request = (
        f"POST /api/v1/avatars HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n"
        "connection: close\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request.encode())
        status = int(connection.makefile("rb").readline().split()[1])
    assert status in (400, 413)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(client):
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "png")
    response = client.post("/api/v1/recipe", files={"file": ("a.png", buffer.getvalue())})
    assert response.status_code == 422
    assert "25 megapixels" in response.json()["detail"]


def test_a_recipe_of_any_length_gets_a_short_answer(client):
    recipe = {
        "seed": 1,
        "attributes": {f"{'x' * 1000}{index}": "y" for index in range(100)},
        "psi": 1,
        "size": 128,
        "weights_sha256": client.get("/api/v1/info").json()["weights_sha256"],
        "version": "1",
    }
    response = client.post("/api/v1/avatars", json={"recipes": [recipe]})
    assert response.status_code == 422
    assert len(response.content) < 1000


# Files and addresses that clients name


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../../../etc/passwd",
        "..%2f..%2f..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
        "file:///etc/passwd",
        str(Path(__file__).parent.parent.parent / "pyproject.toml"),
        "pyproject.toml",
        "weights/avatar128.safetensors",
    ],
)
@pytest.mark.parametrize(
    "route", ["/gradio_api/file=", "/gradio_api/file/", "/static/", "/assets/"]
)
def test_files_of_this_machine_are_not_served(client, route, path):
    response = client.get(route + path)
    assert response.status_code in (403, 404)
    assert b"root:" not in response.content
    assert b"[project]" not in response.content


@pytest.mark.parametrize("route", ["file=", "file/", "proxy=", "file=%20", "file=%0a"])
@pytest.mark.parametrize("scheme", ["http", "HTTP", "https"])
def test_addresses_are_not_fetched_for_a_client(client, listener, route, scheme):
    url = listener.url.replace("http", scheme, 1)
    response = client.get(f"/gradio_api/{route}{url}")
    assert response.status_code in (400, 403, 404)
    assert listener.visits == 0


def payloads(url: str, path: Path) -> list[object]:
    """What an API client may send in place of a file it has uploaded."""
    meta = {"meta": {"_type": "gradio.FileData"}}
    return [
        {"path": url, "url": url, **meta},
        {"path": str(path), **meta},
        [{"image": {"path": "a.png", "url": path.as_uri(), **meta}, "caption": None}],
        str(path),
    ]


def test_no_event_of_the_browser_app_fetches_or_reads_what_a_client_names(client, listener):
    marker = b"what a hostile page, client or file cannot do"
    for event in client.get("/config").json()["dependencies"]:
        for payload in payloads(listener.url, Path(__file__)):
            session = f"attack{event['id']}"
            body = {
                "data": [payload] * len(event["inputs"]),
                "fn_index": event["id"],
                "session_hash": session,
            }
            joined = client.post("/gradio_api/queue/join", json=body)
            assert joined.status_code < 500 or joined.status_code == 503
            if joined.status_code != 200:
                continue
            # Leaving the queue's messages unread would let its end go unseen.
            with client.stream(
                "GET", "/gradio_api/queue/data", params={"session_hash": session}
            ) as messages:
                for line in messages.iter_lines():
                    assert marker not in line.lower().encode()
                    if '"process_completed"' in line or '"close_stream"' in line:
                        break
    assert listener.visits == 0
    assert client.get("/api/v1/health").status_code == 200


def test_the_queue_cannot_be_passed_by(client):
    for event in client.get("/config").json()["dependencies"]:
        if event["api_name"] and event["queue"]:
            response = client.post(f"/gradio_api/run/{event['api_name']}", json={"data": []})
            assert response.status_code == 404


ATTEMPTS = """
import socket, sys, urllib.request
import httpx
from avatargan.web.environment import OutgoingConnections

port = int(sys.argv[1])
tries = {
    "connect": lambda: socket.create_connection(("127.0.0.1", port)),
    "httpx": lambda: httpx.get(f"http://127.0.0.1:{port}", trust_env=False),
    "urllib": lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}"),
    "datagram": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port)),
    "name": lambda: socket.getaddrinfo("name.invalid", 80),
}
with OutgoingConnections():
    for name, attempt in tries.items():
        try:
            attempt()
        except Exception as error:
            assert "no connections to anywhere" in repr(error), (name, error)
        else:
            sys.exit(f"{name} got through")
socket.create_connection(("127.0.0.1", port)).close()
print("only afterwards")
"""


def test_the_serving_process_cannot_connect_to_anything(listener):
    port = str(listener.socket.getsockname()[1])
    result = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, port], capture_output=True, text=True, check=False
    )
    assert result.stdout == "only afterwards\n", result.stderr
    listener.socket.settimeout(5)
    assert listener.visits <= 1


# What the pages load


def test_the_page_may_load_nothing_from_elsewhere(client):
    for path in ("/", "/docs"):
        response = client.get(path)
        policy = response.headers["content-security-policy"]
        assert "default-src '" in policy
        assert not re.search(r"https?:|eval", policy)
        assert path == "/docs" or "unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"


def test_the_documentation_page_loads_its_scripts_from_here(client):
    page = client.get("/docs").text
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links
    for link in links:
        assert link.startswith("/")
        assert client.get(link).status_code == 200


def test_analytics_and_the_recording_of_runs_are_off(client):
    config = client.get("/config").json()
    assert config["analytics_enabled"] is False
    assert client.get("/monitoring/summary").status_code == 403
    assert "runs" not in json.dumps(config.get("footer_links", []))


def test_uploads_lie_in_a_private_folder_that_goes_with_the_server(client):
    [path] = client.post("/gradio_api/upload", files={"files": ("a.txt", b"mine")}).json()
    folder = next(parent for parent in Path(path).parents if "avatargan-app-" in parent.name)
    assert folder.stat().st_mode & 0o077 == 0
