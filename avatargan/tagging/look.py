"""Mending tags by looking: a page for each attribute, least sure first, and the way back.

The pages need no server: what a person changes there is saved by the browser as ``mended.csv``,
which :func:`mend` brings into the table of tags.
"""

import base64
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avatargan.attributes import UNKNOWN, Taxonomy
from avatargan.dataset import Dataset
from avatargan.dataset.dataset import fit_square
from avatargan.dataset.tags import FILE, OTHER_COLUMNS, PROBABILITY_ENDING
from avatargan.errors import DatasetError, TableError, did_you_mean
from avatargan.files import write_atomically
from avatargan.tables import read_table, write_table

#: Pictures on a page; the least sure of an attribute.
MOST_ON_PAGE = 300
#: Side of the pictures on a page.
THUMBNAIL = 112
#: The columns of what a page saves.
MENDED_COLUMNS = (FILE, "attribute", "choice")

_STYLE = """
:root { color-scheme: light dark;
  --page: light-dark(#f6f5f8, #17161c); --card: light-dark(#fff, #211f29);
  --line: light-dark(#e2dfe9, #34313f); --text: light-dark(#232029, #eceaf2);
  --soft: light-dark(#6d6878, #9d97ab); --mark: #d9487d; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 20px 16px 90px; background: var(--page);
  color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 22px; margin: 0 0 4px; }
p { max-width: 72ch; margin: 4px 0 14px; color: var(--soft); }
nav a { margin-right: 12px; color: inherit; }
main { display: grid; gap: 10px; grid-template-columns: repeat(auto-fill, minmax(136px, 1fr)); }
label { display: block; background: var(--card); border: 2px solid var(--line); border-radius: 10px;
  padding: 8px; font-size: 12.5px; color: var(--soft); overflow-wrap: anywhere; }
label.changed { border-color: var(--mark); }
label img { display: block; width: 112px; height: 112px; margin: 0 auto 6px; border-radius: 6px; }
select { width: 100%; min-height: 34px; font: inherit; font-size: 14px; margin-bottom: 4px; }
footer { position: fixed; inset: auto 0 0 0; padding: 10px 16px; background: var(--card);
  border-top: 1px solid var(--line); display: flex; gap: 14px; align-items: center;
  justify-content: center; flex-wrap: wrap; }
button { font: inherit; padding: 8px 16px; border-radius: 8px; border: 0; background: var(--mark);
  color: #fff; }
button:disabled { opacity: 0.45; }
"""
_SCRIPT = """
const changed = new Map(), button = document.querySelector("button");
const count = document.querySelector("output");
document.querySelector("main").addEventListener("change", (event) => {
  const select = event.target, label = select.closest("label");
  const differs = select.value !== select.dataset.was;
  label.classList.toggle("changed", differs);
  differs ? changed.set(select.name, select.value) : changed.delete(select.name);
  count.textContent = `${changed.size} changed`;
  button.disabled = !changed.size;
});
button.addEventListener("click", () => {
  const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
  const rows = [...changed].map(([file, choice]) => [file, ATTRIBUTE, choice].map(quoted).join());
  const text = ["file,attribute,choice", ...rows, ""].join("\\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `mended-${ATTRIBUTE}.csv`;
  link.click();
  button.dataset.saved = changed.size;
});
addEventListener("beforeunload", (event) => {
  if (changed.size && button.dataset.saved !== String(changed.size)) event.preventDefault();
});
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:;
 style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<p>{intro}</p>
<nav>{links}</nav>
<main>
{cards}
</main>
<footer><output>0 changed</output><button disabled>Save mended-{attribute}.csv</button></footer>
<script>const ATTRIBUTE = {attribute_json};{script}</script>
</body>
</html>
"""


def look_files(attributes: Taxonomy, folder: Path) -> dict[str, Path]:
    """Return where the page of each attribute goes."""
    return {name: folder / f"{name}.html" for name in attributes}


def write_look(
    folder: Path, data: Dataset, probabilities: Mapping[str, NDArray[np.float32]]
) -> Iterator[Path]:
    """Write a page for each attribute, and yield it.

    Args:
        folder: where they go; it is made where it is missing.
        data: the tagged pictures.
        probabilities: of the likeliest choice of each attribute, ``[N]``.

    Raises:
        OutputError: a page cannot be written.
        DatasetError: a picture cannot be read.
    """
    files = look_files(data.attributes, folder)
    for name, path in files.items():
        sure = probabilities[name]
        order = np.argsort(sure, kind="stable")[:MOST_ON_PAGE]
        cards = "\n".join(_card(data, name, int(i), float(sure[i])) for i in order)
        shown = f"the {len(order):,} least sure of {len(data):,}"
        links = " ".join(
            f"<a href='{escape(other.name)}'>{escape(each)}</a>" for each, other in files.items()
        )
        page = _PAGE.format(
            title=f"{escape(name)}: {shown}",
            style=_STYLE,
            intro="Least sure first. Change what is wrong, save, and bring it into the table with "
            f"<code>avatargan tag DIR --mend mended-{escape(name)}.csv</code>.",
            links=links,
            cards=cards,
            attribute=escape(name),
            attribute_json=json.dumps(name),
            script=_SCRIPT,
        )
        write_atomically(path, page)
        yield path


def _card(data: Dataset, name: str, index: int, sure: float) -> str:
    picture = Image.fromarray(fit_square(data.picture(index), THUMBNAIL))
    buffer = io.BytesIO()
    picture.save(buffer, "webp", quality=80)
    source = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    said = data.attributes[name][int(data.labels[name][index])]
    choices = "".join(
        f"<option{' selected' if choice == said else ''}>{escape(choice)}</option>"
        for choice in (*data.attributes.offered(name), UNKNOWN)
    )
    file = escape(data.names[index])
    return (
        f'<label><img src="{source}" alt="" loading="lazy"><select name="{file}" '
        f'data-was="{escape(said)}">{choices}</select>{sure:.2f} {file}</label>'
    )


@dataclass(frozen=True)
class Mended:
    """What came of mending.

    Attributes:
        content: the new text of the table.
        changed: how many tags are another now.
    """

    content: str
    changed: int


def mend(table: bytes, place: str, mended: bytes, mended_place: str) -> Mended:
    """Return a table of tags with what a person changed; these tags are sure.

    Args:
        table: the content of ``tags.csv``.
        place: its name, for messages.
        mended: the content of a file with the columns file, attribute and choice.
        mended_place: its name, for messages.

    Raises:
        DatasetError: one of them is no such table, or names a file or attribute that there is not.
    """
    try:
        old, new = read_table(table, place), read_table(mended, mended_place)
    except TableError as error:
        raise DatasetError(str(error)) from error
    columns = list(old.columns)
    if FILE not in columns:
        raise DatasetError(f"{place}: there is no column 'file'")
    if not set(MENDED_COLUMNS) <= set(new.columns):
        raise DatasetError(f"{mended_place}: the columns must be {', '.join(MENDED_COLUMNS)}")
    rows = {cells[columns.index(FILE)]: list(cells) for _, cells in old.rows}
    where = [new.columns.index(name) for name in MENDED_COLUMNS]
    changed = 0
    for line, cells in new.rows:
        file, attribute, choice = (cells[index] for index in where)
        if file not in rows:
            raise DatasetError(f"{new.at(line)}: '{file}' is not in {place}")
        if attribute not in columns or attribute in OTHER_COLUMNS:
            raise DatasetError(
                f"{new.at(line)}: {place} has no column '{attribute}'"
                f"{did_you_mean(attribute, columns)}"
            )
        row = rows[file]
        changed += row[columns.index(attribute)] != choice
        row[columns.index(attribute)] = choice
        if attribute + PROBABILITY_ENDING in columns:
            row[columns.index(attribute + PROBABILITY_ENDING)] = "1.000"
    return Mended(write_table(columns, rows.values()), changed)
