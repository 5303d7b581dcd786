"""Web sites to crawl, served by a process of its own: ``python -m tests.crawler.site_server``.

For each line on stdin, the path of a JSON file with a site's configuration, a site is opened on a
port of its own on loopback, and the port is printed; a path that was given before changes the
configuration of its site. Every request is written to the log named in
the file, one JSON line each, with the times at which it arrived and ended by this process's clock:
what a crawler did is measured by the server and not by the crawler.
"""

import contextlib
import json
import sys
import threading
import time
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.crawler.drawing import drawn, scenes

DEFAULTS = {
    "log": "requests.jsonl",
    "characters": 6,
    "per_page": 3,
    "robots": "User-agent: *\nDisallow: /private/\n",
    "robots_status": 200,
    "robots_delay": 0,
    "robots_to": None,  # redirect robots.txt there
    "status": None,  # answer this to everything but robots.txt
    "hazards": False,
    "validators": True,
    "scenes": False,
    "huge_bytes": 5_000_000_000,
    "retry_after": "1",
    "posts": 0,
    "page_headers": {},
    "image_headers": {},
    "broken_pages": {},  # number of a listing's page: a status, "closed", or "json" for half of one
    "gone": {},  # path: what answers instead of it: a status, or a body
    "raw": {},  # path: [type, latin-1 body, headers]
    "policies": {},  # content of /ai.txt and of /.well-known/tdmrep.json
    "hostile": [],  # URLs that /hostile links to, shows as images and redirects to
}

POLICIES = ("/.well-known/tdmrep.json", "/ai.txt")

HAIR = ("blonde", "brown", "black", "silver")

# What a listing of a site with hazards links to besides its characters.
HAZARD_PAGES = (
    "/private/page",
    "/redirect/private",
    "/redirect/out",
    "/redirect/metadata",
    "/redirect/file",
    "/redirect/loop",
    "/redirect/chain/4",
    "/redirect/chain/3",
    "/broken/closed",
    "/status/404",
    "/endless/1",
    "/gallery",
    "http://2130706433/decimal",
    "http://169.254.169.254/latest/meta-data/",
)
# What its gallery shows: name and how the server answers.
HAZARD_IMAGES = (
    "/private/img.png",
    "/img/busy.png",  # 503 with Retry-After, then the picture
    "/img/limited.png",  # 429 with Retry-After, then the picture
    "/img/html.png",  # HTML under an image's name and type
    "/img/text.jpg",
    "/img/empty.png",
    "/img/truncated.png",
    "/img/bomb.png",  # the header of a 100000x100000 picture
    "/img/tiny.png",
    "/img/short.png",  # fewer bytes than announced
    "/img/slow.png",  # headers, then nothing
    "/img/endless.png",  # huge, without a length
    "/img/huge.png",  # huge, with one
    "/img/gzip.png",  # compressed without being asked
    "/img/optout.png",  # X-Robots-Tag: noai
    "/img/copy.png",  # exactly the picture of character 1
    "/img/near.jpg",  # the picture of character 1, encoded anew
    "/img/redirected.png",  # redirects to a picture
)


def main() -> None:
    sites = {}
    for line in sys.stdin:
        config = DEFAULTS | json.loads(Path(line.strip()).read_text())
        site = sites.get(line)
        if site is None:
            site = sites[line] = open_site(config)
            threading.Thread(target=site.serve_forever, daemon=True).start()
        site.config = config
        sys.stdout.write(f"{site.server_address[1]}\n")
        sys.stdout.flush()


def open_site(config) -> ThreadingHTTPServer:
    site = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.daemon_threads = True
    site.config = config
    site.log = Path(config["log"])
    site.seen = set()
    site.pictures = scenes() if config["scenes"] else []
    return site


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log_lock = threading.Lock()

    def do_GET(self):
        arrived = time.monotonic()
        self.status, complete = 0, False
        try:
            self.answer()
            self.wfile.flush()
            complete = True
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        entry = {
            "arrived": arrived,
            "ended": time.monotonic(),
            "path": self.path,
            "host": self.headers.get("Host", ""),
            "agent": self.headers.get("User-Agent", ""),
            "conditional": "If-None-Match" in self.headers or "If-Modified-Since" in self.headers,
            "cookie": self.headers.get("Cookie"),
            "status": self.status,
            "complete": complete,
        }
        with self.log_lock, self.server.log.open("a") as log:
            log.write(json.dumps(entry) + "\n")

    def answer(self):
        config = self.server.config
        path = urlsplit(self.path).path
        if path == "/robots.txt":
            time.sleep(config["robots_delay"])
            if config["robots_to"] is not None:
                self.send(302, b"", "text/plain", {"Location": config["robots_to"]})
                return
            self.send(config["robots_status"], config["robots"].encode(), "text/plain")
        elif path in config["policies"]:
            self.send(200, config["policies"][path].encode(), "application/octet-stream")
        elif path in POLICIES:
            self.send(404, b"no", "text/plain")
        elif config["status"] is not None:
            self.send(config["status"], b"no", "text/plain")
        elif self.path in config["gone"]:
            self.gone(config["gone"][self.path])
        elif self.path in config["raw"]:
            kind, body, headers = config["raw"][self.path]
            self.send(200, body.encode("latin-1"), kind, headers)
        elif path.startswith("/img/") or path == "/private/img.png":
            self.image(path.rsplit("/", 1)[1])
        elif path.startswith("/list/"):
            self.listing(int(path.rsplit("/", 1)[1]))
        elif path.startswith("/character/"):
            self.character(int(path.rsplit("/", 1)[1]))
        elif path.startswith("/endless/"):
            self.endless(int(path.rsplit("/", 1)[1]))
        elif path == "/gallery":
            shown = "".join(f'<figure><img src="{each}"></figure>' for each in HAZARD_IMAGES)
            self.html(f"<h1>Gallery</h1>{shown}")
        elif path.startswith("/redirect/"):
            self.redirect(path)
        elif path == "/hostile":
            hostile = [escape(url) for url in config["hostile"]]
            links = "".join(f'<a href="{url}">x</a><img src="{url}">' for url in hostile)
            links += "".join(f'<a href="/to/{index}">x</a>' for index in range(len(hostile)))
            self.html(links)
        elif path.startswith("/to/"):
            to = config["hostile"][int(path.removeprefix("/to/"))]
            self.send(302, b"", "text/plain", {"Location": to.encode().decode("latin-1")})
        elif path == "/broken/closed":
            self.hang_up()
        elif path == "/api/posts.json":
            self.posts()
        elif path.startswith("/status/"):
            self.send(int(path.rsplit("/", 1)[1]), b"no", "text/plain")
        else:
            self.html("<h1>Private</h1>")

    def gone(self, instead):
        if isinstance(instead, int):
            self.send(instead, b"no", "text/plain")
        else:
            self.send(200, instead.encode(), "text/html")

    def hang_up(self):
        self.connection.close()
        self.status = 0

    def broken_page(self, number):
        """Answer a page of a listing that is broken, and tell whether it is."""
        failure = self.server.config["broken_pages"].get(str(number))
        if failure == "closed":
            self.hang_up()
        elif failure == "json":
            self.send(200, b'[{"id": 1, "file_url": "/im', "application/json")
        elif failure is not None:
            self.send(failure, b"no", "text/plain")
        return failure is not None

    def listing(self, number):
        config = self.server.config
        if self.broken_page(number):
            return
        per_page = config["per_page"]
        first = (number - 1) * per_page + 1
        last = min(number * per_page, config["characters"])
        links = [f"/character/{each}" for each in range(first, last + 1)]
        if config["hazards"] and number == 1:
            links += HAZARD_PAGES
        body = "".join(f'<li><a class="character" href="{link}">x</a></li>' for link in links)
        if last < config["characters"]:
            body += f'<a rel="next" href="/list/{number + 1}">next</a>'
        self.html(f"<ul class=characters>{body}</ul>")

    def character(self, number):
        hair = HAIR[number % len(HAIR)]
        self.html(
            f"<h1>Character {number}</h1>"
            f"<figure class=portrait><img src='/img/{number}.png'></figure>"
            f"<dl class=profile><dd>{hair} hair</dd><dd>Blue Eyes</dd></dl>"
            f"<p class='artist illustrator'>Artist {number % 3}</p>"
            "<a rel=license href='https://creativecommons.org/licenses/by/4.0/'>CC BY</a>"
        )

    def endless(self, number):
        self.html(
            "<figure><img src='/img/1.png'></figure>"
            f"<a rel=next href='/endless/{number + 1}'>next</a>"
        )

    def posts(self):
        query = parse_qs(urlsplit(self.path).query)
        page, limit = int(query["page"][0]), int(query["limit"][0])
        if self.broken_page(page):
            return
        first = (page - 1) * limit + 1
        posts = [
            {
                "id": each,
                "file_url": f"/img/{each}.png",
                "tag_string_general": f"solo {HAIR[each % 4]}_hair blue_eyes smile",
                "tag_string_artist": f"artist_{each % 3}",
                "rating": "e" if each % 5 == 0 else "g",
            }
            for each in range(first, min(first + limit, self.server.config["posts"] + 1))
        ]
        self.send(200, json.dumps(posts).encode(), "application/json")

    def redirect(self, path):
        port = self.server.server_address[1]
        kind = path.removeprefix("/redirect/")
        if kind.startswith("chain/"):
            left = int(kind.removeprefix("chain/"))
            to = f"/redirect/chain/{left - 1}" if left > 1 else "/character/1"
        else:
            to = {
                "private": "/private/redirected",
                "out": f"http://localhost:{port}/private/elsewhere",
                "metadata": "http://169.254.169.254/latest/meta-data/",
                "file": "file:///etc/passwd",
                "loop": "/redirect/loop",
            }[kind]
        self.send(302, b"", "text/plain", {"Location": to})

    def image(self, name):
        config = self.server.config
        headers = dict(config["image_headers"])
        picture = drawn(1)
        match name:
            case "busy.png" | "limited.png" if self.first_time(name):
                retry = {"Retry-After": config["retry_after"]}
                self.send(503 if name == "busy.png" else 429, b"later", "text/plain", retry)
                return
            case "busy.png":
                picture = drawn(9001)
            case "limited.png":
                picture = drawn(9002)
            case "html.png":
                picture = b"<html><body>not a picture</body></html>"
            case "text.jpg":
                picture = b"\xff\xd8\xff not a picture either"
            case "empty.png":
                picture = b""
            case "truncated.png":
                picture = drawn(9003)[:700]
            case "bomb.png":
                picture = bomb()
            case "tiny.png":
                picture = drawn(9004, side=16)
            case "short.png":
                self.head(200, "image/png", {"Content-Length": "100000"})
                self.wfile.write(drawn(9005))
                self.close_connection = True
                return
            case "slow.png":
                self.head(200, "image/png", {"Content-Length": "1000"})
                self.wfile.flush()
                time.sleep(30)
                return
            case "endless.png" | "huge.png":
                self.huge(announced=name == "huge.png")
                return
            case "gzip.png":
                headers["Content-Encoding"] = "gzip"
            case "optout.png":
                headers["X-Robots-Tag"] = "noai"
            case "near.jpg":
                picture = drawn(1, suffix="JPEG", quality=70)
            case "redirected.png":
                self.send(302, b"", "text/plain", {"Location": "/img/9006.png"})
                return
            case _ if name.partition(".")[0].isdigit():
                picture = self.numbered(int(name.partition(".")[0]))
        kind = "image/png"
        if self.not_modified(name):
            return
        if config["validators"]:
            headers["ETag"] = f'"{name}"'
            headers["Last-Modified"] = "Wed, 01 Jan 2025 00:00:00 GMT"
        self.send(200, picture, kind, headers)

    def numbered(self, number):
        pictures = self.server.pictures
        return pictures[number - 1] if number <= len(pictures) else drawn(number)

    def huge(self, *, announced):
        total = self.server.config["huge_bytes"]
        self.head(200, "image/png", {"Content-Length": str(total)} if announced else {})
        self.close_connection = True
        block = b"\x89PNG" + bytes(1 << 20)
        for _ in range(total // len(block)):
            self.wfile.write(block)

    def first_time(self, name):
        first = name not in self.server.seen
        self.server.seen.add(name)
        return first

    def html(self, body):
        name = self.path
        if self.not_modified(name):
            return
        headers = dict(self.server.config["page_headers"])
        if self.server.config["validators"]:
            headers["ETag"] = f'"{name}"'
        page = f"<html><head></head><body>{body}</body></html>"
        self.send(200, page.encode(), "text/html; charset=utf-8", headers)

    def not_modified(self, name):
        same = self.headers.get("If-None-Match") == f'"{name}"'
        if same and self.server.config["validators"]:
            kind = "image_headers" if name.endswith(".png") else "page_headers"
            self.send(304, b"", "text/plain", self.server.config[kind])
            return True
        return False

    def send(self, status, body, kind, headers=None):
        extra = {} if status == 304 else {"Content-Length": str(len(body))}
        self.head(status, kind, {**extra, **(headers or {})})
        if status != 304:
            self.wfile.write(body)

    def head(self, status, kind, headers):
        self.status = status
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args):
        pass

    def handle(self):
        # A crawler that is killed leaves its connection half way through a request.
        with contextlib.suppress(ConnectionResetError, BrokenPipeError, ValueError, OSError):
            super().handle()


def bomb() -> bytes:
    """A PNG whose header promises 100000 x 100000 pixels."""
    import struct
    import zlib

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", len(header))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 0)
        + b"IDAT"
        + struct.pack(">I", zlib.crc32(b"IDAT"))
    )


if __name__ == "__main__":
    main()
