"""Where the files of an export are, as paths inside its folder."""

from avatargan.export.plan import ExportPlan

#: The hidden folder that marks an export, and the plan in it.
MARK = ".avatargan"
PLAN = f"{MARK}/plan.json"

LICENCE = "LICENSE.txt"
MANIFEST_LINES = "manifest.jsonl"
MANIFEST_TABLE = "manifest.csv"
PREVIEW = "index.html"
#: In a folder of their own, so that no template can give a picture the name of a sheet.
SHEETS = "sheets"


def number_of_sheets(plan: ExportPlan) -> int:
    """Return how many sheets the pictures of a plan fill."""
    return -(-plan.pictures // plan.sheet.capacity) if plan.sheet is not None else 0


def sheet_image(sheet: int) -> str:
    """Return the picture of a sheet."""
    return f"{SHEETS}/sheet-{sheet}.png"


def atlas_hash(sheet: int) -> str:
    """Return the atlas of a sheet in TexturePacker's hash form."""
    return f"{SHEETS}/sheet-{sheet}.json"


def atlas_array(sheet: int) -> str:
    """Return the atlas of a sheet in TexturePacker's array form."""
    return f"{SHEETS}/sheet-{sheet}.array.json"


def multiatlas() -> str:
    """Return the one atlas of all sheets that Phaser reads."""
    return f"{SHEETS}/multiatlas.json"


def renpy_script(tag: str) -> str:
    """Return the script that defines the images of a Ren'Py character."""
    return f"{tag}.rpy"


def files_besides_pictures(plan: ExportPlan) -> list[str]:
    """Return what a finished export holds besides its pictures and its plan."""
    files = [LICENCE]
    if plan.manifest:
        files += [MANIFEST_LINES, MANIFEST_TABLE]
    if plan.renpy is not None:
        files.append(renpy_script(plan.renpy))
    for sheet in range(number_of_sheets(plan)):
        files.append(sheet_image(sheet))
        if plan.sheet is not None and plan.sheet.atlas:
            files += [atlas_hash(sheet), atlas_array(sheet)]
    if plan.sheet is not None and plan.sheet.multiatlas:
        files.append(multiatlas())
    if plan.preview:
        files.append(PREVIEW)
    return files
