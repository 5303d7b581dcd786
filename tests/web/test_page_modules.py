"""The page's modules that need no browser, under Node's own test runner; and its texts."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from avatargan.web.page_files import FOLDER, modules

HERE = Path(__file__).parent
TRANSLATIONS = FOLDER / "translations"
#: Key of a text, or the beginnings of several.
CALL = re.compile(r'text\("([a-z_]+)"|text\(`([a-z_]*)\$\{')


def test_modules_do_what_they_say():
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    result = subprocess.run(
        [node, "--test", *map(str, sorted(HERE.glob("*_modules.test.mjs")))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


@pytest.fixture(scope="module")
def english() -> dict[str, dict[str, str]]:
    return json.loads((TRANSLATIONS / "en.json").read_text())


@pytest.mark.parametrize("path", sorted(TRANSLATIONS.glob("*.json")), ids=lambda path: path.stem)
def test_every_language_has_every_text(path: Path, english):
    texts = json.loads(path.read_text())
    assert {part: sorted(keys) for part, keys in texts.items()} == {
        part: sorted(keys) for part, keys in english.items()
    }
    for part, keys in english.items():
        for key, original in keys.items():
            # What is filled in is filled in everywhere.
            assert sorted(re.findall(r"\{\w+\}", texts[part][key])) == sorted(
                re.findall(r"\{\w+\}", original)
            ), key


def test_every_text_that_a_module_asks_for_is_there(english):
    known = english["interface"]
    for module in modules():
        for key, beginning in CALL.findall(module.read_text()):
            assert not key or key in known, f"{module.name}: {key}"
            assert not beginning or any(name.startswith(beginning) for name in known), beginning
