"""What ``pip install .`` leaves: a package that needs no checkout around it."""

import os
import re
import shutil
import subprocess
import sys
import venv

import httpx
import pytest

from tests.web.conftest import ROOT


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_installed_package_serves_from_any_folder(tmp_path):
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    scripts = environment / ("Scripts" if sys.platform == "win32" else "bin")
    # Building writes into the folder, and pip copies none.
    source = tmp_path / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.split(b"\0")
    for name in map(os.fsdecode, filter(None, tracked)):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    pip = [scripts / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    # As the Makefile does: gigabytes of CUDA are of no use where the small build is in reach.
    small = ["--no-deps", "--index-url", "https://download.pytorch.org/whl/cpu", "torch==2.13.0"]
    subprocess.run([*pip, "--retries", "1", "--timeout", "10", *small], check=False)
    subprocess.run([*pip, source, "-c", ROOT / "requirements.lock"], check=True, timeout=1500)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(
        [scripts / "avatargan", "serve", "--port", "0"],
        cwd=elsewhere,
        env=clean,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            url = re.search(r"http://\S+", server.stdout.readline()).group()
            answer = httpx.post(f"{url}/api/v1/avatars", json={}, trust_env=False, timeout=60)
            assert answer.status_code == 200
            assert httpx.get(url, trust_env=False).status_code == 200
        finally:
            server.terminate()
    assert list(elsewhere.iterdir()) == []
