"""The preview page: all pictures to look through in a browser, offline."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from avatargan.export.plan import ExportPlan, PlannedPicture

#: More would make a page of many megabytes; the manifest has all.
MOST_PICTURES = 20_000

_TEMPLATE = Path(__file__).with_name("preview.html")
_PLACE = "/*DATA*/"


def page(plan: ExportPlan, pictures: Iterable[PlannedPicture]) -> Iterator[bytes]:
    """Yield the parts of a page that shows the pictures that lie beside it.

    It loads nothing from elsewhere; the pictures are loaded when they are scrolled to.
    """
    before, _, after = _TEMPLATE.read_text(encoding="utf-8").partition(_PLACE)
    taxonomy = plan.taxonomy
    head = {
        "total": plan.pictures,
        "transparent": plan.transparent,
        "attributes": {name: taxonomy.offered(name) for name in taxonomy},
        "about": f"Drawn with avatargan {plan.version} at {plan.size} px, psi {plan.psi:g}. "
        f"Licence: {plan.licence}.",
    }
    yield before.encode()
    yield _in_page(head)[:-1].encode() + b', "pictures": ['
    for number, picture in enumerate(islice(pictures, MOST_PICTURES)):
        recipe = picture.recipe
        choices = [taxonomy.offered(name).index(recipe.attributes[name]) for name in taxonomy]
        # Seeds as text: JavaScript's numbers end at 2^53.
        row = _in_page([picture.file, str(recipe.seed), *choices])
        yield (",\n" if number else "\n").encode() + row.encode()
    yield b"\n]}" + after.encode()


def _in_page(value: object) -> str:
    """Return JSON that cannot end the script element it stands in."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
