"""Starting the test site as a process, and running crawls of it."""

import asyncio
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from crawler.addresses import AddressPolicy
from crawler.cli import main
from crawler.ledger import Ledger
from crawler.run import run_crawl
from crawler.session import RunLimits
from crawler.site import load_site
from tests.crawler.site_server import POLICIES

ROOT = Path(__file__).parents[2]
# What is asked for before anything else of an origin.
OWNERS_FILES = {"/robots.txt", *POLICIES}
# Between requests to the test site: short, and only allowed because the site is private.
PAUSE = 0.004


# All images of the gallery but those that make a crawl wait for a timeout.
QUICK_IMAGES = "figure img:not([src*=slow]):not([src*=short])"


def tell(**figures) -> None:
    """Write measured figures to stdout, where ``pytest -s`` shows them."""
    sys.stdout.write(f"\nmeasured {json.dumps(figures)}\n")


@dataclass
class RunningSite:
    port: int
    folder: Path
    log: Path
    server: "SiteServer"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def requests(self) -> list[dict]:
        entries = [json.loads(line) for line in self.log.read_text().splitlines()]
        return sorted(entries, key=lambda entry: entry["arrived"])

    def paths(self, status: int | None = None) -> list[str]:
        """The paths asked for, without the two files that are looked for beside robots.txt."""
        return [
            entry["path"]
            for entry in self.requests()
            if entry["path"] not in POLICIES and status in (None, entry["status"])
        ]

    def reconfigure(self, **changes) -> None:
        """Change the configuration of the running site; the crawler knows nothing of it."""
        path = self.folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        self.server.tell(path)

    def clear_log(self) -> None:
        with self.log.open("r+") as log:
            log.truncate(0)

    def describe(self, **changes: str) -> Path:
        """Write a description of this site as pages; ``changes`` replace or add whole tables."""
        tables = {
            "top": 'name = "test-site"\ncontact = "tester@crawl.test-site.dev"',
            "pages": f'start = ["{self.url}/list/1"]\nfollow = "a.character"\n'
            'next = "a[rel=next]"\nmax_depth = 1\nimage = "figure img"\ntags = "dd::text"\n'
            'title = "h1::text"\nauthor = ".artist::text"',
            "attributes.hair": '"blonde hair" = "blonde"\n"brown hair" = "brown"\n'
            '"black hair" = "black"\n"silver hair" = "gray"',
            "attributes.eyes": '"blue eyes" = "blue"',
            "rate": "retries = 1\ntimeout_seconds = 1.0",
            "limits": "max_image_bytes = 3_000_000\nmin_side = 32",
        } | changes
        text = tables.pop("top") + "\n"
        text += "".join(f"\n[{name}]\n{body}\n" for name, body in tables.items() if body)
        path = self.folder / "site.toml"
        path.write_text(text)
        return path


class SiteServer:
    """The process that serves all test sites."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crawler.site_server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )

    def open_site(self, folder: Path, **config) -> RunningSite:
        """Open a site of its own port; its configuration and log lie in ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "requests.jsonl"
        log.touch()
        path = folder / "config.json"
        path.write_text(json.dumps({"log": str(log), **config}))
        return RunningSite(self.tell(path), folder, log, self)

    def tell(self, path: Path) -> int:
        """Have a configuration read, and return the port of its site."""
        self._process.stdin.write(f"{path}\n")
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


def crawl(description: Path, out: Path, pause: float = PAUSE, **options):
    """Run a crawl of the test site in this process and return its summary."""
    policy = options.pop("policy", AddressPolicy.PRIVATE_ONLY)
    factory = options.pop("network_factory", None)
    more = {} if factory is None else {"network_factory": factory}
    return asyncio.run(
        run_crawl(
            load_site(description), out, RunLimits(**options), policy=policy, pause=pause, **more
        )
    )


def command(*arguments, cwd=ROOT):
    """Run ``python -m crawler`` as a user does, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "crawler", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def quick_command(*arguments):
    """The same in this process: quicker, for the many ways in which a command can be wrong."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        mock.patch.object(sys, "argv", ["crawler", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def rows(out: Path, query: str, *values):
    with Ledger.open(out) as ledger:
        return [tuple(row) for row in ledger.rows(query, *values)]
