"""Starting, stopping and refusing to start."""

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from avatargan.errors import OptionError, ServerError
from avatargan.web.cache import PictureCache
from avatargan.web.server import check_host_name, check_root_path, is_loopback, listen, url_of
from tests.web.conftest import ROOT, ServerProcess


def test_a_taken_port_is_one_line_that_names_a_free_one():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = subprocess.run(
            [sys.executable, "app.py", "--port", str(port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 2
        [line] = result.stderr.strip().splitlines()
        assert f"port {port} of 127.0.0.1 is taken" in line
        with listen("127.0.0.1", int(line.split("--port ")[1])):
            pass


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("127.0.0.1", 65536, "no port 65536"),
        ("192.0.2.1", 0, "cannot listen on 192.0.2.1"),
        ("x" * 70, 0, "not an address"),
    ],
)
def test_an_address_that_cannot_be_had_is_named(host, port, words):
    with pytest.raises(ServerError, match=words):
        listen(host, port)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1"])
def test_loopback_addresses_are_known(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "studio", ""])
def test_addresses_that_others_can_reach_are_known(host):
    assert not is_loopback(host)


def test_urls_can_be_typed_into_a_browser():
    assert url_of("0.0.0.0", 7860) == "http://127.0.0.1:7860"
    assert url_of("::1", 7860) == "http://[::1]:7860"
    assert url_of("localhost", 80) == "http://localhost:80"


def test_a_stopped_server_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    server = ServerProcess(tmp_path / "log.txt")
    [path] = httpx.post(
        f"{server.url}/gradio_api/upload", files={"files": ("a.txt", b"x")}, trust_env=False
    ).json()
    assert Path(path).is_relative_to(tmp_path)
    with ThreadPoolExecutor(2) as clients:
        large = [clients.submit(ask_for_much, server.url) for _ in range(2)]
        time.sleep(0.5)
        server.stop()
        # The second may come when nobody listens any more.
        assert 503 in [answer.result() for answer in large]
    assert list((tmp_path / "temporary").iterdir()) == []
    assert server.log.read_text() == ""
    assert server.process.returncode == 0


def ask_for_much(url: str) -> int | None:
    try:
        return httpx.post(
            f"{url}/api/v1/avatars", json={"count": 36}, trust_env=False, timeout=60
        ).status_code
    except httpx.ConnectError:
        return None


@pytest.mark.slow
def test_two_quick_interrupts_end_the_server_as_one_does(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    for between in (0.0, 0.05, 0.3):
        server = ServerProcess(tmp_path / "log.txt")
        stream = f"{server.url}/gradio_api/queue/data?session_hash=a"
        with (
            ThreadPoolExecutor(1) as clients,
            httpx.stream("GET", stream, trust_env=False, timeout=60),
        ):
            clients.submit(ask_for_much, server.url)
            time.sleep(0.5)
            server.process.send_signal(signal.SIGINT)
            time.sleep(between)
            server.process.send_signal(signal.SIGINT)
            server.process.communicate(timeout=30)
        assert list((tmp_path / "temporary").iterdir()) == []
        assert server.log.read_text() == ""
        assert server.process.returncode == 0


@pytest.mark.parametrize(
    ("path", "checked"), [("", ""), ("/", ""), ("/avatars/", "/avatars"), ("a/b-c", "/a/b-c")]
)
def test_root_paths_come_with_one_slash(path, checked):
    assert check_root_path(path) == checked


@pytest.mark.parametrize("path", ["/a//b", "/../a", "http://a", "/a?b", "/a b", "/\u00e4"])
def test_what_is_no_root_path_is_refused(path):
    with pytest.raises(OptionError, match="root-path"):
        check_root_path(path)


def test_host_names_are_taken_as_browsers_send_them():
    assert check_host_name("Example.org.") == "example.org"
    assert check_host_name("b\u00fccher.example") == "xn--bcher-kva.example"
    for wrong in ("http://example.org", "example.org:80", "", "a b", "*.example.org", "x" * 300):
        with pytest.raises(OptionError, match="allowed-host"):
            check_host_name(wrong)


def test_the_cache_keeps_the_newest_pictures_within_its_size():
    cache = PictureCache()
    for index in range(5):
        path = cache.folder / f"hash{index}" / "image.png"
        path.parent.mkdir()
        path.write_bytes(bytes(100))
        os.utime(path, (time.time() - 50 + index, time.time() - 50 + index))
    assert cache.trim(largest=250) == 200
    assert sorted(path.name for path in cache.folder.iterdir()) == ["hash3", "hash4"]
    assert cache.trim(longest=47) == 100
    cache.remove()
    assert not cache.folder.exists()
