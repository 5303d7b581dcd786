"""What other systems than POSIX ones have: the commands that draw and serve need no more."""

import re
import subprocess
import sys

import pytest

from tests.web.conftest import ROOT

POSIX_ONLY = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}
#: What crawls and trains may: neither is on the way of drawing, exporting or serving.
ELSEWHERE = {"crawler/ledger.py", "avatargan/training/run_folder.py"}


IMPORT = re.compile(rf"^\s*(import|from)\s+({'|'.join(sorted(POSIX_ONLY))})\b", re.MULTILINE)


def test_no_module_imports_what_only_posix_has():
    found = {
        str(path.relative_to(ROOT))
        for package in ("avatargan", "crawler", "face_crop")
        for path in (ROOT / package).rglob("*.py")
        if IMPORT.search(path.read_text())
    }
    assert found <= ELSEWHERE


#: What Windows lacks. Only our own modules are kept from importing them: libraries have ways
#: around, which they take where the import fails for them alone.
SCRIPT = """
import builtins, sys

POSIX_ONLY = {posix_only}
ordinary = builtins.__import__

def guarded(name, globals=None, locals=None, fromlist=(), level=0):
    importer = (globals or {}).get("__name__", "").partition(".")[0]
    if name.partition(".")[0] in POSIX_ONLY and importer in {"avatargan", "crawler", "face_crop"}:
        raise ModuleNotFoundError(f"{name}, imported by {globals['__name__']}", name=name)
    return ordinary(name, globals, locals, fromlist, level)

builtins.__import__ = guarded

from avatargan.cli import main

folder, weights = sys.argv[1:]
every = ["--weights", weights, "--quiet"]
for arguments in (
    ["generate", "--seed", "1", "--out", f"{folder}/generated", *every],
    ["export", "--count", "2", "--sheet", "2x1", "--out", f"{folder}/exported", *every],
    ["verify", f"{folder}/exported/avatar_0.png", *every],
):
    assert main(arguments) == 0, arguments

from avatargan.pipeline import AvatarPipeline
from avatargan.web.server import create_app, listen
from avatargan.web.service import AvatarService

service = AvatarService(AvatarPipeline.load(weights, device="cpu"))
create_app(service)
listen("127.0.0.1", 0).close()
service.close()
print("all of it")
"""


@pytest.mark.slow
def test_generate_export_and_serve_need_nothing_that_only_posix_has(tmp_path, weights):
    script = SCRIPT.replace("{posix_only}", repr(POSIX_ONLY))
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), str(weights)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.endswith("all of it\n"), result.stderr
