"""Bodies are capped while they stream, servers are verified, proxies are ignored."""

import asyncio
import datetime
import ipaddress
import json
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from crawler.addresses import AddressPolicy
from crawler.network import FetchError, Network
from tests.crawler.helpers import ROOT, tell

# Prints by how many bytes the peak memory of a process grew while it fetched a URL with a cap.
MEASURE = """
import asyncio, json, sys
from crawler.addresses import AddressPolicy
from crawler.network import Network, TooLargeError
from tests.crawler.memory import peak_memory as peak

async def main(base, path, cap):
    async with Network(AddressPolicy.PRIVATE_ONLY, user_agent="t", timeout=60.0) as network:
        await network.fetch(f"{base}/img/1.png", {}, max_bytes=100_000)
        before = peak()
        try:
            await network.fetch(base + path, {}, max_bytes=cap)
            cut_off = False
        except TooLargeError:
            cut_off = True
        print(json.dumps({
            "cut_off": cut_off, "received": network.bytes_received, "growth": peak() - before
        }))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def fetch(url, max_bytes=1_000_000, timeout=5.0, **options):
    async def attempt():
        async with Network(
            AddressPolicy.PRIVATE_ONLY, user_agent="test", timeout=timeout, **options
        ) as network:
            return await network.fetch(url, {}, max_bytes=max_bytes)

    return asyncio.run(attempt())


@pytest.mark.parametrize(
    ("path", "cap"),
    [
        ("/img/endless.png", 2_000_000),
        ("/img/endless.png", 20_000_000),
        ("/img/huge.png", 20_000_000),
    ],
)
def test_a_body_of_five_gigabytes_is_cut_off_at_the_cap_with_flat_memory(serve, path, cap):
    site = serve(huge_bytes=5_000_000_000)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, site.url, path, str(cap)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    measured = json.loads(done.stdout)
    tell(path=path, cap=cap, received=measured["received"], peak_growth=measured["growth"])
    assert measured["cut_off"]
    assert measured["received"] <= cap + 1_000_000
    assert measured["growth"] <= 2 * cap + 8_000_000
    entry = next(each for each in site.requests() if each["path"] == path)
    assert not entry["complete"]


def test_a_request_that_fails_is_sent_once(serve):
    """The HTTP library would repeat it at once, behind the back of the pace."""
    site = serve()
    with pytest.raises(FetchError, match="hung up"):
        fetch(f"{site.url}/broken/closed")
    assert site.paths() == ["/broken/closed"]


def test_a_silent_server_is_given_up(serve):
    site = serve()
    with pytest.raises(FetchError, match="too long"):
        fetch(f"{site.url}/img/slow.png", timeout=0.3)


def test_redirects_are_returned_and_not_followed(serve):
    site = serve()
    assert fetch(f"{site.url}/redirect/metadata").status == 302
    fetch(f"{site.url}/list/1")  # the site has then written down what came before
    assert site.paths()[0] == "/redirect/metadata"
    assert set(site.paths()) <= {"/redirect/metadata", "/list/1"}


def test_proxies_of_the_environment_are_ignored(serve, monkeypatch):
    site = serve(characters=1)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert fetch(f"{site.url}/list/1").status == 200


def test_a_server_with_a_certificate_of_nobody_is_not_trusted(tmp_path):
    with tls_server(tmp_path) as port, pytest.raises(FetchError, match="TLS"):
        fetch(f"https://127.0.0.1:{port}/")


def test_a_server_with_a_trusted_certificate_is_fetched_from(tmp_path):
    with tls_server(tmp_path) as port:
        trusting = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
        assert fetch(f"https://127.0.0.1:{port}/", tls=trusting).body == b"hello"


def tls_server(folder):
    """A TLS server on loopback whose certificate signs itself."""
    from contextlib import contextmanager

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *args):
            pass

    class QuietServer(HTTPServer):
        def handle_error(self, request, client_address):
            pass  # handshakes that the client breaks off

    @contextmanager
    def running():
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
        (folder / "key.pem").write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
        server = QuietServer(("127.0.0.1", 0), Hello)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    return running()
