"""``avatargan tag``: the attributes of all pictures of a folder, as a table."""

import io
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avatargan.cli.options import (
    JsonOption,
    OverwriteOption,
    QuietOption,
    TaggerOption,
    examples,
)
from avatargan.cli.output import (
    check_output_file,
    note,
    progress,
    refuse_existing,
    show,
    show_json,
)
from avatargan.errors import DatasetError, OptionError, one_line

if TYPE_CHECKING:
    from avatargan.tagging.folder import FolderTagger, SkippedPicture, TagTable

EXAMPLES = examples(
    "avatargan tag crops",
    "avatargan tag crops --out tags.csv --sheet sheet.png",
    "avatargan tag crops --look look",
    "avatargan tag crops --mend mended-hair.csv",
    "avatargan tag crops --head glasses.safetensors --threshold 0.8 --out tags.csv",
)


def tag(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder of faces; folders in it count too.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            show_default="tags.csv in the folder",
            help="The table to write: file, then each attribute and its probability.",
        ),
    ] = None,
    head: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="One more attribute, taught with 'avatargan teach'; may be given several times.",
        ),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(
            metavar="P", min=0, max=1, help="Tags that are less likely than this become 'unknown'."
        ),
    ] = 0.6,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            show_default=False,
            help="A contact sheet with a row per choice, to look at; one file per attribute.",
        ),
    ] = None,
    look: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            show_default=False,
            help="A page for each attribute, least sure first, on which tags can be mended.",
        ),
    ] = None,
    mend: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.csv",
            show_default=False,
            help="Tag nothing, but bring what such a page saved into the table; may be given "
            "several times.",
        ),
    ] = None,
    skipped: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            show_default=False,
            help="A table of the files that cannot be read, and why; on stderr by default.",
        ),
    ] = None,
    tagger: TaggerOption = None,
    overwrite: OverwriteOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Tag faces: hair, eyes and what else the tagger knows, with a probability each.

    Files that cannot be read are listed and left out. The table and the pictures beside it are a
    set to train from: see 'avatargan dataset'.
    """
    out = folder / "tags.csv" if out is None else out
    if mend:
        _mend(out, mend, json=json, quiet=quiet)
        return
    check_output_file(out, ".csv", overwrite=overwrite)
    if skipped is not None:
        check_output_file(skipped, ".csv", overwrite=overwrite)
        if skipped.resolve() == out.resolve():
            raise OptionError(f"--skipped and the table cannot both be {out}; choose another file")

    from avatargan.tagging import load_tagger
    from avatargan.tagging.folder import FolderTagger, TagTable
    from avatargan.tagging.heads import load_head
    from avatargan.tagging.look import look_files

    tagging = FolderTagger(
        folder,
        load_tagger(tagger),
        heads=[load_head(path) for path in head or ()],
        threshold=threshold,
    )
    sheets = _sheet_files(sheet, list(tagging.attributes), overwrite=overwrite)
    if look is not None:
        refuse_existing(look_files(tagging.attributes, look).values(), overwrite=overwrite)
    table = TagTable(tagging)
    unreadable = _write_table(tagging, table, out, overwrite=overwrite, quiet=quiet)
    if skipped is not None:
        _write_skipped(skipped, unreadable, overwrite=overwrite)
    else:
        for each in unreadable:
            note(f"skipped {one_line(f'{each.file}: {each.reason}')}")
    _draw_sheets(table, sheets, overwrite=overwrite)
    pages = _write_pages(table, look, quiet=quiet)
    summary: dict[str, Any] = {
        "file": str(out),
        "pictures": len(table.files),
        "skipped": [{"file": each.file, "reason": each.reason} for each in unreadable],
        "threshold": threshold,
        "attributes": {name: table.counts(name) for name in tagging.attributes},
        "sheets": {name: str(path) for name, path in sheets.items()},
        "look": [str(path) for path in pages],
    }
    if json:
        show_json(summary)
    elif not quiet:
        _show(summary)


def _mend(table: Path, mended: list[Path], *, json: bool, quiet: bool) -> None:
    """Bring what people changed into a table.

    Raises:
        DatasetError: a file cannot be read or does not fit.
    """
    from avatargan.files import write_atomically
    from avatargan.tagging.look import mend

    changed = 0
    content = _content(table)
    for path in mended:
        done = mend(content, str(table), _content(path), str(path))
        content, changed = done.content.encode(), changed + done.changed
    write_atomically(table, content)
    if json:
        show_json({"file": str(table), "changed": changed})
    elif not quiet:
        show(f"{table}  {changed:,} tags changed")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror or error}") from error


def _write_pages(table: "TagTable", folder: Path | None, *, quiet: bool) -> list[Path]:
    if folder is None:
        return []
    from avatargan.tagging.look import write_look

    data = table.dataset()
    pages = write_look(folder, data, table.probabilities)
    return list(progress(pages, len(data.attributes), unit="page", quiet=quiet))


def _sheet_files(sheet: Path | None, names: list[str], *, overwrite: bool) -> dict[str, Path]:
    """Return where the sheet of each attribute goes."""
    if sheet is None:
        return {}
    check_output_file(sheet, ".png", overwrite=True)
    if len(names) == 1:
        files = {names[0]: sheet}
    else:
        files = {name: sheet.with_stem(f"{sheet.stem}-{name}") for name in names}
    refuse_existing(files.values(), overwrite=overwrite)
    return files


def _write_table(
    tagging: "FolderTagger", table: "TagTable", out: Path, *, overwrite: bool, quiet: bool
) -> "list[SkippedPicture]":
    """Tag everything and write the table in one step; return what could not be read.

    Raises:
        DatasetError: nothing could be read.
    """
    from avatargan.files import atomic_writer
    from avatargan.tables import TableWriter
    from avatargan.tagging.folder import SkippedPicture

    unreadable = []
    with ExitStack() as stack:
        file = stack.enter_context(atomic_writer(out, overwrite=overwrite))
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        stack.callback(text.detach)
        writer = TableWriter(text)
        writer.add(table.columns)
        for each in progress(tagging.run(), len(tagging.files), unit="picture", quiet=quiet):
            if isinstance(each, SkippedPicture):
                unreadable.append(each)
            else:
                writer.add(table.add(each))
        if not table.files:
            first = unreadable[0]
            raise DatasetError(
                f"{tagging.folder}: none of the {len(unreadable)} pictures can be read; the first: "
                f"{first.file}: {first.reason}"
            )
    return unreadable


def _write_skipped(path: Path, unreadable: "list[SkippedPicture]", *, overwrite: bool) -> None:
    from avatargan.files import write_atomically
    from avatargan.tables import write_table

    rows = ((each.file, one_line(each.reason)) for each in unreadable)
    write_atomically(path, write_table(("file", "reason"), rows), overwrite=overwrite)


def _draw_sheets(table: "TagTable", sheets: dict[str, Path], *, overwrite: bool) -> None:
    if not sheets:
        return
    from avatargan.dataset.inspection import sheet_by_attribute
    from avatargan.files import write_atomically
    from avatargan.recipe import encode_png

    data = table.dataset()
    for name, path in sheets.items():
        picture = sheet_by_attribute(data, name)
        write_atomically(path, encode_png(picture), overwrite=overwrite)


def _show(summary: dict[str, Any]) -> None:
    left_out = len(summary["skipped"])
    skipped = f", {left_out:,} skipped" if left_out else ""
    show(f"{summary['file']}  {summary['pictures']:,} pictures tagged{skipped}")
    for name, counts in summary["attributes"].items():
        found = sorted(counts.items(), key=lambda item: -item[1])
        show(f"{name}: {', '.join(f'{choice} {count:,}' for choice, count in found if count)}")
    for path in (*summary["sheets"].values(), *summary["look"]):
        show(path)
