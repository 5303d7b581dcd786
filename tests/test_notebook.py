"""The notebook in the docs runs from start to end."""

import ast
import json
from pathlib import Path

import pytest
from PIL import Image

NOTEBOOK = Path(__file__).parent.parent / "docs" / "latents.ipynb"


def run_cell(source: str, names: dict) -> object:
    """Run a cell as Jupyter does, and return the value of its last line."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), "exec"), names)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)


def test_the_notebook_on_latents_runs_and_shows_pictures(capsys: pytest.CaptureFixture[str]):
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    names: dict = {}
    shown = [run_cell("".join(c["source"]), names) for c in cells if c["cell_type"] == "code"]
    pictures = [value for value in shown if isinstance(value, Image.Image)]
    assert len(pictures) >= 8
    assert all(len(set(picture.convert("L").tobytes())) > 50 for picture in pictures)
    assert "variance held" in capsys.readouterr().out
