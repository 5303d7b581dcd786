"""Carrying out a plan: deciding on the seeds, writing the pictures, then what follows from them.

Decisions are made in plan order and depend on the plan and on earlier pictures alone, never on
how much was finished before, how fast, or where. So an export that was killed and carried on ends
in the same files, byte for byte, as one that ran undisturbed.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b, sha256

import numpy as np

from avatargan.devices import usable_cores
from avatargan.errors import OutputError
from avatargan.export import atlas, layout, licence, manifest, preview, renpy
from avatargan.export.folder import ExportFolder
from avatargan.export.plan import MOST_TRIES, ExportPlan, PlannedPicture
from avatargan.export.sheets import Sheet, encode_sheet, has_stamp, lay_out, visible_part
from avatargan.export.similarity import SeenPictures, fingerprint
from avatargan.export.studio import FinishedPicture, Studio
from avatargan.export.templates import name_key
from avatargan.parallel import ordered_map
from avatargan.pictures import open_picture
from avatargan.recipe import Recipe

#: After so many likely misfits in a row the next seed is taken: a large psi has few others.
MOST_MISFITS = 20


class Exporter:
    """Carries out a plan in a folder.

    Args:
        plan: what to export; :func:`avatargan.export.plan.check_plan` has found it possible.
        folder: where to.
        studio: what draws.
        is_good: tells whether a character is likely drawn well, for plans that want it.
    """

    def __init__(
        self,
        plan: ExportPlan,
        folder: ExportFolder,
        studio: Studio,
        is_good: Callable[[Recipe], bool] | None = None,
    ) -> None:
        self.plan = plan
        self.folder = folder
        self.studio = studio
        self.is_good = is_good if plan.quality_sha256 is not None else None
        self.redrawn = 0
        self._seeds = np.zeros(plan.count, dtype=np.int64)
        self._seen = None if plan.allow_duplicates else SeenPictures(plan.count)
        self._names: set[bytes] = set()
        self._sheets: list[Sheet] = []
        self._threads = usable_cores()

    @property
    def steps(self) -> int:
        """How many files :meth:`run` will name."""
        return self.plan.pictures + layout.number_of_sheets(self.plan)

    @property
    def files(self) -> list[str]:
        """What the export ends with besides pictures and sheets, as paths inside the folder."""
        every = layout.files_besides_pictures(self.plan)
        return [file for file in every if not file.startswith(f"{layout.SHEETS}/")]

    def run(self) -> Generator[str, None, None]:
        """Export, or carry on; yield each picture and sheet once it is written or found there.

        Raises:
            OutputError: the folder is not ours to write into or the disk is full; or no seed of
                a character gives an acceptable picture.
            OptionError: the seeds run past their range.
        """
        with (
            self.folder.claimed(self.plan),
            ThreadPoolExecutor(self._threads, thread_name_prefix="write") as pool,
        ):
            yield from self._write_pictures(pool)
            yield from self._write_sheets(pool)
            self._write_texts()

    def pictures(self) -> Iterator[PlannedPicture]:
        """Yield the pictures in plan order, once all seeds are decided."""
        for character, seed in enumerate(self._seeds):
            yield from self.plan.draft(character, int(seed))

    def _write_pictures(self, pool: ThreadPoolExecutor) -> Iterator[str]:
        def write(settled: tuple[PlannedPicture, bytes | None]) -> str:
            picture, png = settled
            if png is not None:
                self.folder.write_picture(picture, png)
            return picture.file

        return ordered_map(pool, write, self._settled(pool), self.studio.window)

    def _settled(self, pool: ThreadPoolExecutor) -> Iterator[tuple[PlannedPicture, bytes | None]]:
        """Yield all pictures, and the files of those that are not there yet."""
        finished = self.folder.finished(self.plan)
        step = max(1, self.studio.window // self.plan.colours)
        for start in range(0, self.plan.count, step):
            window = range(start, min(start + step, self.plan.count))
            yield from self._settle(window, finished, pool)

    def _settle(
        self, window: range, finished: dict[int, int], pool: ThreadPoolExecutor
    ) -> Iterator[tuple[PlannedPicture, bytes | None]]:
        """Decide on a run of characters; yield their pictures, and the files of the new ones."""
        attempts = [_Attempt(self.plan, character, finished.get(character)) for character in window]
        new = [attempt for attempt in attempts if not attempt.found]
        looks = {}
        if self._seen is not None and len(finished) < self.plan.count:
            found = [attempt for attempt in attempts if attempt.found]
            files = [self.folder.path / attempt.pictures[0].file for attempt in found]
            prints = pool.map(lambda file: fingerprint(open_picture(file)), files)
            looks = {a.character: look for a, look in zip(found, prints, strict=True)}
        self._draw_until_agreed(new)
        for attempt in attempts:
            if attempt.found:
                self._accept(attempt)
                if self._seen is not None and attempt.character in looks:
                    self._seen.add(looks[attempt.character])
                for picture in attempt.pictures:
                    yield picture, None
                continue
            while not self._acceptable(attempt):
                attempt.try_next("it looked like an earlier picture")
                self._draw_until_agreed([attempt])
            self._accept(attempt)
            if self._seen is not None:
                self._seen.add(attempt.drawn[0].fingerprint)
            for picture, drawn in zip(attempt.pictures, attempt.drawn, strict=True):
                yield picture, drawn.png

    def _draw_until_agreed(self, attempts: Sequence["_Attempt"]) -> None:
        """Draw attempts, with their next seeds for as long as the judge does not agree."""
        pending = list(attempts)
        while pending:
            for attempt in pending:
                self._pass_misfits(attempt)
            recipes = [picture.recipe for attempt in pending for picture in attempt.pictures]
            drawn = iter(list(self.studio.draw(recipes)))
            for attempt in pending:
                attempt.drawn = [next(drawn) for _ in attempt.pictures]
            pending = [attempt for attempt in pending if not attempt.agreed]
            for attempt in pending:
                attempt.try_next("the judge did not see the attributes")

    def _pass_misfits(self, attempt: "_Attempt") -> None:
        """Go on to a seed whose character is likely drawn well, but not for ever."""
        if self.is_good is None or not self.plan.chooses_seed(attempt.character):
            return
        for _ in range(MOST_MISFITS):
            if self.is_good(attempt.pictures[0].recipe):
                return
            attempt.try_next("it was likely drawn badly")

    def _acceptable(self, attempt: "_Attempt") -> bool:
        if not self.plan.chooses_seed(attempt.character):
            return True
        if any(_key(picture.file) in self._names for picture in attempt.pictures):
            return False
        return self._seen is None or not self._seen.has_near(attempt.drawn[0].fingerprint)

    def _accept(self, attempt: "_Attempt") -> None:
        self._seeds[attempt.character] = attempt.seed
        self._names.update(_key(picture.file) for picture in attempt.pictures)
        self.redrawn += attempt.tries - 1

    def _write_sheets(self, pool: ThreadPoolExecutor) -> Iterator[str]:
        files = (picture.file for picture in self.pictures())
        sheets = self._noted(
            lay_out(self.plan, files, lambda file: visible_part(self.folder.path / file))
        )
        # Sheets are large: no more of them in memory than threads that work on them.
        return ordered_map(pool, self._write_sheet, sheets, self._threads - 1)

    def _noted(self, sheets: Iterator[Sheet]) -> Iterator[Sheet]:
        """Keep the sheets for the atlas of all of them, where there is to be one."""
        for sheet in sheets:
            if self.plan.sheet is not None and self.plan.sheet.multiatlas:
                self._sheets.append(sheet)
            yield sheet

    def _write_sheet(self, sheet: Sheet) -> str:
        plan, folder = self.plan, self.folder
        image = layout.sheet_image(sheet.number)
        stamp = f"{sha256(plan.to_json().encode()).hexdigest()} {sheet.number}"
        folder.publish(
            image,
            lambda: iter([encode_sheet(sheet, folder.path, stamp)]),
            is_ours=lambda path: has_stamp(path, stamp),
        )
        if plan.sheet is not None and plan.sheet.atlas:
            sheets = layout.number_of_sheets(plan)
            for path, form in (
                (layout.atlas_hash(sheet.number), atlas.hash_form),
                (layout.atlas_array(sheet.number), atlas.array_form),
            ):
                _publish_text(folder, path, form(sheet, sheets))
        return image

    def _write_texts(self) -> None:
        plan, folder = self.plan, self.folder
        _publish_text(folder, layout.LICENCE, licence.note(plan))
        if plan.manifest:
            folder.publish(layout.MANIFEST_LINES, lambda: manifest.lines(plan, self.pictures()))
            folder.publish(layout.MANIFEST_TABLE, lambda: manifest.table(plan, self.pictures()))
        if plan.sheet is not None and plan.sheet.multiatlas:
            _publish_text(folder, layout.multiatlas(), atlas.multiatlas_form(self._sheets))
        if plan.renpy is not None:
            tag = plan.renpy
            folder.publish(
                layout.renpy_script(tag),
                lambda: renpy.script(tag, (picture.file for picture in self.pictures())),
            )
        if plan.preview:
            folder.publish(layout.PREVIEW, lambda: preview.page(plan, self.pictures()))


class _Attempt:
    """A character with one of its seeds.

    Args:
        plan: the plan.
        character: which one.
        found: the seed of its finished pictures, if they are there.
    """

    def __init__(self, plan: ExportPlan, character: int, found: int | None) -> None:
        self.plan = plan
        self.character = character
        self.found = found is not None
        self.tries = 1
        self.drawn: list[FinishedPicture] = []
        self._seeds = plan.seeds(character)
        self._take(next(self._seeds) if found is None else found)

    @property
    def agreed(self) -> bool:
        """Whether these pictures have the wanted attributes, or no others can be had."""
        return not self.plan.chooses_seed(self.character) or all(p.agreed for p in self.drawn)

    def try_next(self, reason: str) -> None:
        """Go on to the next seed, because of what was wrong with this one."""
        seed = next(self._seeds, None)
        if seed is None:
            raise OutputError(
                f"picture {self.pictures[0].index} was given up after {MOST_TRIES} seeds "
                f"(of the last one, {reason}); what is finished stays; ask for more varied "
                "attributes or a larger psi, for a lower confidence, or allow duplicates"
            )
        self.tries += 1
        self._take(seed)

    def _take(self, seed: int) -> None:
        self.seed = seed
        self.pictures = self.plan.draft(self.character, seed)


def _key(file: str) -> bytes:
    """Return what tells names apart on every file system; 8 bytes, for memory."""
    return blake2b(name_key(file).encode(), digest_size=8).digest()


def _publish_text(folder: ExportFolder, name: str, text: str) -> None:
    folder.publish(name, lambda: iter([text.encode()]))
