"""``kill -9`` at any moment: no picture is lost, and none that had arrived is fetched again."""

import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from crawler.ledger import LEDGER_NAME, Ledger
from tests.crawler.helpers import ROOT, crawl, tell

OWN = ("--allow-private", "--private-pause")


def start(description, out, pause):
    return subprocess.Popen(
        [sys.executable, "-m", "crawler", "run", str(description), str(out), *OWN, str(pause)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def arrived_urls(out):
    """Image URLs whose bodies the ledger holds, and check that the ledger is whole."""
    if not (out / LEDGER_NAME).is_file():
        return set()
    connection = sqlite3.connect(out / LEDGER_NAME)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            return set()  # killed before the schema was written
        query = (
            "SELECT url FROM sources UNION SELECT t.url FROM inbox i"
            " JOIN targets t ON t.id = i.target_id"
        )
        return {row[0] for row in connection.execute(query)}
    finally:
        connection.close()


def crawl_with_kills(site, out, *, kills, pictures, pause, seed):
    """Kill a crawl again and again, finish it, and count what was lost or fetched twice."""
    description = site.describe()
    chance = random.Random(seed)
    done = 0
    arrived_before, refetched = {}, []
    while done < kills:
        seen = len(site.requests())
        process = start(description, out, pause)
        # Not before it has sent something, and then at any moment.
        while len(site.requests()) == seen and process.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, pictures * pause * 4 / kills))
        assert process.poll() is None, process.stderr.read().decode()
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
        done += 1
        time.sleep(0.05)  # the server writes its log after the client is gone
        for path in site.paths(200)[seen:]:
            if arrived_before.get(path):
                refetched.append(path)
        for url in arrived_urls(out):
            arrived_before[url.removeprefix(site.url)] = True
    before = len(site.requests())
    summary = crawl(description, out, pause=pause)
    refetched += [path for path in site.paths(200)[before:] if arrived_before.get(path)]
    with Ledger.open(out) as ledger:
        sources = {row["url"] for row in ledger.rows("SELECT url FROM sources")}
        assert not ledger.waiting_in_inbox()
        files = [out / picture.file for picture in ledger.pictures()]
    expected = {f"{site.url}/img/{number}.png" for number in range(1, pictures + 1)}
    fetched = [path for path in site.paths(200) if path.startswith("/img/")]
    tell(
        kills=done,
        pictures=len(expected),
        lost=len(expected - sources),
        fetched_again_after_arriving=len(refetched),
        cut_off_in_transfer_by_a_kill=len(fetched) - len(set(fetched)),
    )
    assert summary.outcome == "finished"
    assert sources == expected
    assert all(path.is_file() for path in files)
    assert refetched == []
    on_disk = {path for path in (out / "pictures").rglob("*") if path.is_file()}
    assert on_disk == set(files)


def test_a_few_kills_lose_nothing_and_refetch_nothing(serve, tmp_path):
    site = serve(characters=20, per_page=10)
    crawl_with_kills(site, tmp_path / "out", kills=2, pictures=20, pause=0.01, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_kills_lose_nothing_and_refetch_nothing(serve, tmp_path):
    site = serve(characters=180, per_page=9, scenes=True)
    crawl_with_kills(site, tmp_path / "out", kills=20, pictures=180, pause=0.03, seed=2)


# Runs a crawl in which one function, named by module and path, kills the process instead.
DIE_AT = """
import os, signal, sys
from importlib import import_module
from crawler.cli import main

module, names = sys.argv[1].split(":")
*owners, name = names.split(".")
owner = import_module(module)
for each in owners:
    owner = getattr(owner, each)
setattr(owner, name, lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL))
sys.argv = ["crawler", *sys.argv[2:]]
main()
"""


@pytest.mark.parametrize(
    "moment",
    [
        "crawler.session:perceptual_signature",
        "crawler.session:write_atomically",
        "crawler.ledger:Ledger.record_picture",
    ],
)
def test_death_between_arrival_and_record_refetches_nothing(serve, tmp_path, moment):
    site = serve(characters=1)
    options = [*OWN, "0.01"]
    killed = subprocess.run(
        [sys.executable, "-c", DIE_AT, moment, "run", site.describe(), tmp_path / "out", *options],
        cwd=ROOT,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL
    assert arrived_urls(tmp_path / "out") == {f"{site.url}/img/1.png"}
    assert crawl(site.describe(), tmp_path / "out").stored == 1
    assert site.paths(200).count("/img/1.png") == 1


def test_a_picture_that_kills_the_process_again_and_again_is_given_up(serve, tmp_path):
    site = serve(characters=1)
    crawl(site.describe(), tmp_path / "out", max_minutes=0.05)
    with Ledger.open(tmp_path / "out", writing=True) as ledger:
        target = ledger.rows("SELECT id FROM targets WHERE kind = 'image'")[0][0]
        ledger.receive(target, final_url="x", etag=None, last_modified=None, body=b"poison")
        taken = [ledger.take_from_inbox(target) for _ in range(4)]
        assert [each is not None for each in taken] == [True, True, True, False]
        assert ledger.waiting_in_inbox() == []
