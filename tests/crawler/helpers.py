"""Starting the test site as a process, and running crawls of it."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crawler.addresses import AddressPolicy
from crawler.ledger import Ledger
from crawler.run import run_crawl
from crawler.session import RunLimits
from crawler.site import load_site

ROOT = Path(__file__).parents[2]
# Between requests to the test site: short, and only allowed because the site is private.
PAUSE = 0.004


@dataclass
class RunningSite:
    port: int
    folder: Path
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def requests(self) -> list[dict]:
        entries = [json.loads(line) for line in self.log.read_text().splitlines()]
        return sorted(entries, key=lambda entry: entry["arrived"])

    def paths(self, status: int | None = None) -> list[str]:
        return [e["path"] for e in self.requests() if status is None or e["status"] == status]

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


@contextmanager
def running_site(folder: Path, **config):
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "requests.jsonl"
    (folder / "config.json").write_text(json.dumps({"log": str(log), **config}))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crawler.site_server", str(folder / "config.json")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        port = int(process.stdout.readline())
        log.touch()
        yield RunningSite(port, folder, log)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


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


def command(*arguments, cwd=ROOT, **environment):
    """Run ``python -m crawler`` as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "crawler", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def rows(out: Path, query: str, *values):
    with Ledger.open(out) as ledger:
        return [tuple(row) for row in ledger.rows(query, *values)]
