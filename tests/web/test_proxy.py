"""Behind nginx, as people serve the app to others: below a path, or under a name of its own."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from gradio_client import Client

from tests.web.conftest import ServerProcess

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
NAME = "avatars.example"
CONFIGURATION = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  proxy_http_version 1.1;
  proxy_buffering off;
  server {{
    listen 127.0.0.1:{port};
    server_name {name};
    client_max_body_size 10m;
    proxy_set_header X-Forwarded-Host $http_host;
    location / {{ {root} }}
    location /avatars/ {{ proxy_pass {url}{passed}; }}
  }}
}}
"""


@pytest.fixture
def behind_nginx(request, tmp_path, other_weights) -> Iterator[tuple[str, ServerProcess]]:
    """The address of the page as nginx shows it: prefix "kept" or "stripped", or the "domain"."""
    if NGINX is None:
        pytest.skip("there is no nginx; Debian's package is called nginx-light")
    domain = request.param == "domain"
    server = ServerProcess(
        tmp_path / "log.txt",
        other_weights,
        options={"allowed_hosts": [NAME], "root_path": "" if domain else "/avatars"},
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(
            folder=tmp_path,
            port=port,
            name=NAME,
            url=server.url,
            root=f"proxy_pass {server.url};" if domain else "return 404;",
            passed="/" if request.param == "stripped" else "",
        )
    )
    nginx = subprocess.Popen(
        [NGINX, "-p", tmp_path, "-c", configuration], stderr=subprocess.DEVNULL
    )
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"http://{NAME}:{port}{'' if domain else '/avatars'}/", server
    nginx.terminate()
    nginx.wait(20)
    server.stop()


@pytest.mark.parametrize(
    "behind_nginx",
    [
        "stripped",
        pytest.param("kept", marks=pytest.mark.slow),
        pytest.param("domain", marks=pytest.mark.slow),
    ],
    indirect=True,
)
def test_everything_is_reached_through_nginx(behind_nginx, monkeypatch):
    address, server = behind_nginx
    reach_by_name(monkeypatch)
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        # What the pages load lies below the same address:
        for page in ("", "docs"):
            html = client.get(page).text
            links = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"#]+)"', html)
            assert links
            own = [link for link in links if not link.startswith("data:")]
            for link in {urljoin(f"{address}{page}", link) for link in own}:
                assert link.startswith(address), link
                assert client.get(link).status_code == 200, link
        # What the documentation tries out:
        [listed] = re.findall(r"url: '([^']+)'", client.get("docs").text)
        described = client.get(urljoin(address, listed)).json()
        base = described["servers"][0]["url"] if "servers" in described else ""
        health = urljoin(address, f"{base}/api/v1/health")
        assert health.startswith(address)
        assert client.get(health).json() == {"status": "ok"}
        # What the page asks for, as a browser says from where:
        origin = {"origin": "https://" + urlsplit(address).netloc}
        drawn = client.post("api/v1/avatars", json={"size": 32}, headers=origin)
        assert drawn.status_code == 200
        elsewhere = {"origin": "https://elsewhere.example"}
        assert client.post("api/v1/avatars", json={}, headers=elsewhere).status_code == 403
    api = Client(address, verbose=False, analytics_enabled=False)
    assert api.predict(api_name="/attributes")["sizes"]
    direct = httpx.get(server.url, headers={"host": "elsewhere.example"}, trust_env=False)
    assert direct.status_code == 421


def reach_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the name be found on this machine, as a name server would say."""
    look_up = socket.getaddrinfo

    def found(host: object, *arguments: object, **options: object) -> object:
        here = host in (NAME, NAME.encode())
        return look_up("127.0.0.1" if here else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", found)
