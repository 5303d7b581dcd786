"""The static site in Chromium: seconds a picture and a strip of colours, and memory.

    python -m benchmarks site

One visit in headless Chromium, one thread of WebAssembly: the page is not isolated on its first
visit. Python's time for the same pictures is measured in the same run, for the ratio.
"""

import functools
import os
import statistics
import tempfile
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from avatargan import AvatarPipeline
from avatargan.web.site import build_site

CHROMIUM = "/usr/bin/chromium"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
REPEATS = 5
MANY = 200
MEASURE = """async ({ count, size, repeats }) => {
  const { createBackend } = await import("./backends/browser.js");
  globalThis.backend ??= createBackend();
  const times = [];
  for (let i = 0; i < repeats; i++) {
    const seeds = Array.from({ length: count }, (_, k) => 1000 * i + k);
    const before = performance.now();
    await backend.draw({ seeds, size });
    times.push((performance.now() - before) / 1000);
  }
  return times;
}"""
STRIP = """async () => {
  const [{ recipe }] = await backend.draw({ seeds: [7], size: 128 });
  const before = performance.now();
  const strip = await backend.recolour({ recipe, attribute: "hair" });
  return [(performance.now() - before) / 1000, strip.length];
}"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def main() -> None:
    """Print the figures."""
    print(f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before this began")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "site")
        files = build_site(folder)
        print(f"{len(files)} files, {sum(file.bytes for file in files) / 1e6:.1f} MB")
        handler = functools.partial(_Quiet, directory=folder)
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            _visit(f"http://127.0.0.1:{server.server_port}/")
            server.shutdown()


def _visit(address: str) -> None:
    pipe = AvatarPipeline.load(device="cpu", engine="torch")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = browser.new_page()
        page.goto(address)
        (first,) = page.evaluate(MEASURE, {"count": 1, "size": 128, "repeats": 1})
        print(f"first picture, models included: {first:.2f} s")
        for size in (128, 512):
            times = page.evaluate(MEASURE, {"count": 1, "size": size, "repeats": REPEATS})
            here = []
            for seed in range(REPEATS):
                before = time.perf_counter()
                pipe.generate([seed], size=size)
                here.append(time.perf_counter() - before)
            median, python = statistics.median(times), statistics.median(here)
            print(f"{size} px: {median:.2f} s, {median / python:.1f} times PyTorch's one picture")
        seconds, count = page.evaluate(STRIP)
        print(f"a strip of {count} colours at 128 px: {seconds:.2f} s")
        page.evaluate(MEASURE, {"count": 20, "size": 128, "repeats": MANY // 20})
        print(f"memory after {MANY} more pictures: {_memory_mib(page):.0f} MiB in its renderers")
        browser.close()


def _memory_mib(page: Page) -> float:
    """Return the proportional memory of Chromium's renderers (Linux tells it)."""
    total = 0
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes()
            if b"--type=renderer" not in command:
                continue
            rollup = (entry / "smaps_rollup").read_text()
        except OSError:
            continue
        total += int(rollup.split("Pss:")[1].split()[0])
    return total / 1024


if __name__ == "__main__":
    main()
