"""A finished export as one file."""

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from avatargan.files import atomic_writer


def write_zip(folder: Path, target: Path) -> None:
    """Write all files of a folder, hidden ones too, into a ZIP.

    Args:
        folder: a finished export.
        target: the ZIP, outside the folder.

    Raises:
        OutputError: the ZIP cannot be written.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with atomic_writer(target) as file, ZipFile(file, "w") as archive:
        for path in files:
            # PNGs are compressed already.
            method = ZIP_STORED if path.suffix == ".png" else ZIP_DEFLATED
            archive.write(path, path.relative_to(folder), method)
