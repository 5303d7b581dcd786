"""The folder of an export: whose it is, what is finished in it, and writing into it.

A hidden folder ``.avatargan`` holds the plan and marks the folder as an export's. Files of other
people are never touched: only an empty folder becomes an export's, and what is there later is
replaced only where the user asked for it.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from avatargan.errors import OutputError, RecipeError
from avatargan.export.layout import MARK, PLAN, SHEETS, files_besides_pictures
from avatargan.export.plan import ExportPlan, PlannedPicture
from avatargan.files import (
    LOCK,
    atomic_writer,
    only_writer,
    target_of_temporary,
    write_atomically,
)
from avatargan.recipe import Recipe, recipe_of

#: What file managers leave behind in folders that people call empty.
_LITTER = {".ds_store", "thumbs.db", "desktop.ini"}
_OWN_SUFFIXES = (".png", ".json", ".jsonl", ".csv", ".html", ".txt", ".rpy")
_LONGEST_IN_LEFTOVER = 100
#: In characters; rows of a CSV file would fill the screen.
LONGEST_DIFFERENCE = 120


class ExportFolder:
    """A folder that an export writes into.

    Args:
        path: the folder; it is made when something is written.
        overwrite: whether files that are in the way are replaced.
    """

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        self.path = Path(path)
        self.overwrite = overwrite

    def check(self, plan: ExportPlan) -> bool:
        """Tell whether the folder holds this export already, begun or finished; change nothing.

        Raises:
            OutputError: the folder holds files of other people, or another export and
                ``overwrite`` was not asked for.
        """
        if not self.path.exists():
            return False
        if not self.path.is_dir():
            raise OutputError(f"{self.path} is a file; choose a folder")
        held = self._held_plan()
        if held is None:
            self._require_empty()
            return False
        if held == plan:
            return True
        if not self.overwrite:
            raise OutputError(
                f"{self.path} holds another export ({_first_difference(held, plan)}); "
                "choose another folder, or ask to overwrite it"
            )
        return False

    @contextmanager
    def claimed(self, plan: ExportPlan) -> Iterator[None]:
        """Make the folder that of a plan for as long as the block runs.

        Another export that the folder held is removed, where ``overwrite`` was asked for.

        Raises:
            OutputError: as for :meth:`check`; or another process is writing here, or the folder
                cannot be written.
        """
        self.check(plan)
        try:
            (self.path / MARK).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make {self.path}: {error.strerror or error}") from error
        with only_writer(self.path / MARK, self.path):
            held = self._held_plan()  # it may have come while we waited to see the folder
            if held != plan:
                self.check(plan)
                if held is not None:
                    self._remove_export(held)
                write_atomically(self.path / PLAN, plan.to_json())
            self._remove_leftovers()
            yield

    def finished(self, plan: ExportPlan) -> dict[int, int]:
        """Return the seed of every character all of whose pictures are there.

        Only the headers of the files are read.
        """
        found: dict[tuple[int, int], int] = {}
        for _, character, recipe in self._own_pictures(plan):
            key = character, recipe.number
            found[key] = found.get(key, 0) + 1
        return {
            character: seed for (character, seed), number in found.items() if number == plan.colours
        }

    def write_picture(self, picture: PlannedPicture, png: bytes) -> None:
        """Write a picture unless it is there already.

        Raises:
            OutputError: another file has its name, or it cannot be written.
        """
        target = self.path / picture.file
        if target.exists() and not self.overwrite:
            if _recipe_in(target) == picture.recipe:
                return
            raise OutputError(
                f"{target} is not, or no longer, the picture of this export; "
                "move it away or ask to overwrite it"
            )
        write_atomically(target, png)

    def publish(
        self,
        name: str,
        chunks: Callable[[], Iterator[bytes]],
        is_ours: Callable[[Path], bool] | None = None,
    ) -> None:
        """Write a file that follows from the pictures, unless it is there already.

        Args:
            name: the path inside the folder.
            chunks: called for the content; again where there is a file to compare it with.
            is_ours: tells a finished file without comparing its content.

        Raises:
            OutputError: another file has its name, or it cannot be written.
        """
        target = self.path / name
        if target.exists():
            if is_ours(target) if is_ours is not None else _holds(target, chunks()):
                return
            if not self.overwrite:
                raise OutputError(
                    f"{target} was changed since it was exported; "
                    "move it away or ask to overwrite it"
                )
        with atomic_writer(target) as file:
            for chunk in chunks():
                file.write(chunk)

    def _held_plan(self) -> ExportPlan | None:
        place = self.path / PLAN
        try:
            text = place.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise OutputError(f"cannot read {place}: {error.strerror or error}") from error
        return ExportPlan.from_json(text, str(place))

    def _require_empty(self) -> None:
        for entry in sorted(self.path.iterdir()):
            if entry.name.casefold() in _LITTER:
                continue
            if entry.name == MARK and entry.is_dir():  # killed before the plan was written
                entry = next((e for e in entry.iterdir() if not _is_passing(e.name)), self.path)
                if entry == self.path:
                    continue
            raise OutputError(
                f"{self.path} holds files of something else ('{entry.name}'); "
                "choose a new or an empty folder"
            )

    def _own_pictures(self, plan: ExportPlan) -> Iterator[tuple[Path, int, Recipe]]:
        """Yield the finished pictures of a plan: file, character, recipe."""
        with os.scandir(self.path) as entries:
            names = [entry.name for entry in entries if entry.name.endswith(".png")]
        for name in names:
            recipe = _recipe_in(self.path / name)
            if recipe is None:
                continue
            for character in plan.character_of(recipe):
                draft = plan.draft(character, recipe.number)
                if any(planned.file == name and planned.recipe == recipe for planned in draft):
                    yield self.path / name, character, recipe
                    break

    def _remove_export(self, plan: ExportPlan) -> None:
        """Delete what an earlier plan made, and nothing else."""
        own = [path for path, _, _ in self._own_pictures(plan)]
        own += [self.path / name for name in files_besides_pictures(plan)]
        for path in own:
            path.unlink(missing_ok=True)
        with_sheets = self.path / SHEETS
        if with_sheets.is_dir() and not any(with_sheets.iterdir()):
            with_sheets.rmdir()

    def _remove_leftovers(self) -> None:
        """Delete the temporary files of a process that was killed while it wrote here."""
        for folder in (self.path, self.path / MARK, self.path / SHEETS):
            for path in folder.glob(".*.tmp"):
                name = target_of_temporary(path.name)
                if name is None:
                    continue
                if name.endswith(_OWN_SUFFIXES) or len(name) == _LONGEST_IN_LEFTOVER:
                    path.unlink(missing_ok=True)


def _is_passing(name: str) -> bool:
    """Tell whether a file is one that an export which was killed at once leaves."""
    return name == LOCK or target_of_temporary(name) is not None


def _recipe_in(path: Path) -> Recipe | None:
    """Return the recipe in the header of a PNG, without decoding it, or None."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return recipe_of(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, RecipeError):
        return None


def _holds(path: Path, chunks: Iterator[bytes]) -> bool:
    """Tell whether a file holds exactly these chunks."""
    try:
        with path.open("rb") as file:
            return all(file.read(len(chunk)) == chunk for chunk in chunks) and not file.read(1)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror or error}") from error


def _first_difference(held: ExportPlan, wanted: ExportPlan) -> str:
    before, after = held.model_dump(), wanted.model_dump()
    option = next(name for name in before if before[name] != after[name])
    was, now = before[option], after[option]
    if isinstance(was, dict) and isinstance(now, dict) and was.keys() == now.keys():
        option = next(name for name in was if was[name] != now[name])
        was, now = was[option], now[option]
    told = f"{option.replace('_', ' ')}: {was} there, {now} asked for"
    return told if len(told) < LONGEST_DIFFERENCE else f"other {option.replace('_', ' ')}"
