"""The one thing between the network and the pipeline: thread-safe, bounded, fair.

The browser app and the REST API both draw through an :class:`AvatarService`. Requests are drawn
in small portions, first come first served, so that one picture does not wait for somebody's
thirty-six. What nobody waits for any more (see :mod:`avatargan.web.waiting`) is dropped.
"""

import itertools
import queue
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    InvalidStateError,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any, TypeVar

from PIL import Image

from avatargan.attributes import Taxonomy
from avatargan.editing.fitting import STEPS
from avatargan.editing.pictures import Edit, edit_picture
from avatargan.errors import BusyError, OptionError, PictureError, RecipeError
from avatargan.pictures import open_picture
from avatargan.pipeline import DEFAULT_PSI, Avatar, AvatarPipeline
from avatargan.recipe import Recipe, read_recipe, vary
from avatargan.sketching import DEFAULT_FOLLOW, Sketched, Sketcher
from avatargan.transparency import load_background_remover
from avatargan.web.waiting import AbandonedError, current_waiter

T = TypeVar("T")

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Seeds that are rolled rather than given stay below this: short enough to read out, and exact in
#: every JSON reader, JavaScript's included.
ROLLED_SEEDS = 2**32


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may ask of the machine."""

    #: Pictures in one request.
    pictures: int = 36
    #: Pixels in one request: weights of a high resolution get fewer pictures.
    pixels: int = 36 * 1024 * 1024
    #: Bytes of one request's body, an uploaded PNG included.
    body_bytes: int = 8 * 1024 * 1024
    #: Requests that are being drawn or wait for it; further ones are refused.
    requests: int = 32
    #: Portions drawn at the same time; the renderer spreads each over the cores.
    concurrent_draws: int = 1
    #: A request that is not finished by then is given up.
    seconds: float = 60.0
    #: Pictures in one export.
    export_pictures: int = 200
    #: Pixels in one export.
    export_pixels: int = 64 * 1024 * 1024
    #: Exports and animations that are made at the same time; further ones are refused.
    jobs: int = 4
    #: An export or an animation that is not finished by then is given up.
    job_seconds: float = 600.0
    #: Refining steps of one picture that is edited.
    edit_steps: int = 200


@dataclass(frozen=True)
class EditProgress:
    """How far the editing of a picture has come.

    Attributes:
        done: steps that are done.
        of: how many there are.
        drawn: the character so far, now and then.
    """

    done: int
    of: int
    drawn: Image.Image | None


class AvatarService:
    """Draws for many clients at once.

    Attributes:
        pipeline: what draws; call it through this class only.
        limits: see :class:`Limits`.
    """

    def __init__(self, pipeline: AvatarPipeline, limits: Limits | None = None) -> None:
        self.pipeline = pipeline
        self.limits = limits or Limits()
        # Its queue is first in, first out, which a semaphore does not promise; and memory that
        # the libraries keep for each thread stays that of a few.
        self._workers = ThreadPoolExecutor(
            self.limits.concurrent_draws, thread_name_prefix="avatar-service"
        )
        self._admissions = threading.BoundedSemaphore(self.limits.requests)
        self._jobs = threading.BoundedSemaphore(self.limits.jobs)
        self._edits = threading.BoundedSemaphore(1)
        self._stopped: Future[None] = Future()

    @property
    def attributes(self) -> Taxonomy:
        """The taxonomy of the weights."""
        return self.pipeline.attributes

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sides in pixels that can be drawn."""
        return self.pipeline.sizes

    @property
    def default_size(self) -> int:
        """The side in pixels where nobody asks for another."""
        return self.pipeline.default_size

    @property
    def default_psi(self) -> float:
        """The truncation where nobody asks for another."""
        return DEFAULT_PSI

    def random_seeds(
        self,
        count: int,
        attributes: Mapping[str, str | Sequence[str]] | None = None,
        *,
        psi: float = DEFAULT_PSI,
        any_quality: bool = False,
    ) -> list[int]:
        """Return fresh seeds, each below 2^32, whose characters are likely drawn well.

        Args:
            count: how many.
            attributes: what they will be drawn with; of lists nothing is read.
            psi: what they will be drawn with.
            any_quality: take the first that come.

        Raises:
            OptionError: the count is not from 1 to the limit, or there is no such attribute or
                choice.
        """
        self._check_count(count)
        rolled = iter(lambda: secrets.randbelow(ROLLED_SEEDS), None)
        if any_quality:
            return list(itertools.islice(rolled, count))
        alike = {n: choice for n, choice in (attributes or {}).items() if isinstance(choice, str)}
        return self.pipeline.good_seeds(rolled, count, psi=psi, **alike)

    def recipes(
        self,
        seeds: Sequence[int],
        attributes: Mapping[str, str | Sequence[str]] | None = None,
        *,
        psi: float = DEFAULT_PSI,
        size: int | None = None,
        sliders: Mapping[str, float] | None = None,
    ) -> list[Recipe]:
        """Return what is to be drawn, "any" resolved already; see ``AvatarPipeline.generate``.

        Args:
            seeds: one per picture.
            attributes: by name, one choice for all or one per seed.
            psi: truncation.
            size: side in pixels; the largest by default.
            sliders: amounts by name; see :meth:`AvatarPipeline.slide`.

        Raises:
            OptionError: there are too many, or a value is not one of those there are.
        """
        self._check_count(len(seeds))
        attributes = attributes or {}
        for name in attributes:
            self.attributes.offered(name)  # refuses what is no attribute
        recipes = self.pipeline.recipes(seeds, psi=psi, size=size, **attributes)
        return [self.pipeline.slide(recipe, sliders or {}) for recipe in recipes]

    def generate(
        self,
        seeds: Sequence[int],
        attributes: Mapping[str, str | Sequence[str]] | None = None,
        *,
        psi: float = DEFAULT_PSI,
        size: int | None = None,
    ) -> list[Avatar]:
        """Draw one avatar per seed; see :meth:`recipes` and :meth:`draw`."""
        return self.draw(self.recipes(seeds, attributes, psi=psi, size=size))

    def vary(
        self, recipe: Recipe, strength: float = 0.3, n: int = 6, *, start: int = 0
    ) -> list[Avatar]:
        """Draw n characters that look like this one; see :func:`avatargan.recipe.vary`.

        Raises:
            OptionError: n, strength or start is out of range.
            RecipeError, BusyError: as for :meth:`draw`.
        """
        self._check_count(n)
        self.pipeline.check_recipe(recipe)
        return self.draw(vary(recipe, strength, n, start=start))

    def recolour(self, recipe: Recipe, attribute: str) -> list[Avatar]:
        """Draw the same character once with every choice of a palette attribute.

        Raises:
            OptionError: there is no such attribute, or it is not part of the palette.
            RecipeError, BusyError: as for :meth:`draw`.
        """
        return self.draw(self.pipeline.recolourings(recipe, attribute))

    def mix(
        self,
        recipes: Sequence[Recipe],
        n: int = 6,
        *,
        shape: int = 0,
        colours: int = 0,
        strength: float = 1.0,
        start: int = 0,
    ) -> list[Avatar]:
        """Draw n children of characters; see :func:`avatargan.editing.mixing.mix`.

        Raises:
            OptionError: a number is out of range.
            RecipeError, BusyError: as for :meth:`draw`.
        """
        self._check_count(n)
        return self.draw(
            self.pipeline.children(
                recipes, n, shape=shape, colours=colours, strength=strength, start=start
            )
        )

    def draw(self, recipes: Iterable[Recipe]) -> list[Avatar]:
        """Draw recipes and return them all; errors as for :meth:`stream`."""
        return list(self.stream(recipes))

    def stream(self, recipes: Iterable[Recipe]) -> Iterator[Avatar]:
        """Draw recipes and yield each as soon as its portion is done.

        Raises:
            OptionError: there are too many recipes.
            RecipeError: a recipe cannot be drawn; nothing was drawn then.
            BusyError: too many requests are waiting, or this one waited too long.
            AbandonedError: the client of this thread's request has left.
        """
        wanted = list(islice(recipes, self.limits.pictures + 1))
        self._check_count(len(wanted))
        self._check_pixels(wanted)
        for number, recipe in enumerate(wanted, start=1):
            name = f"recipe {number} of {len(wanted)}" if len(wanted) > 1 else ""
            self.pipeline.check_recipe(recipe, name)
        step = self.pipeline.renderer.chunk
        with self._admission() as deadline:
            for start in range(0, len(wanted), step):
                portion = wanted[start : start + step]
                yield from self._run(partial(self._draw_portion, portion), deadline)

    def in_turns(self, items: Iterator[T]) -> Iterator[T]:
        """Yield what an iterator draws, in portions that take turns with other requests.

        For work that is bounded in other ways than by a number of recipes, such as animations.

        Raises:
            BusyError: as for :meth:`stream`.
        """
        step = self.pipeline.renderer.chunk
        with self._admission() as deadline:
            while portion := self._run(lambda: list(islice(items, step)), deadline):
                yield from portion

    def run(self, work: Callable[[], T]) -> T:
        """Return what ``work`` draws, once it is its turn; errors as for :meth:`stream`."""
        with self._admission() as deadline:
            return self._run(work, deadline)

    @contextmanager
    def job(self) -> Iterator[float]:
        """Count work of many requests in and out, such as an export.

        What it draws still goes through :meth:`in_turns` and :meth:`run`.

        Yields:
            When it has to be given up, by :func:`time.monotonic`.

        Raises:
            BusyError: as many as there may be are being made already.
        """
        if not self._jobs.acquire(blocking=False):
            raise BusyError("too many exports and animations are being made; try again in a moment")
        try:
            yield time.monotonic() + self.limits.job_seconds
        finally:
            self._jobs.release()

    def edit(
        self,
        picture: bytes,
        *,
        steps: int = STEPS,
        size: int | None = None,
        face: int = 1,
        whole: bool = False,
    ) -> Generator[EditProgress | Edit, None, None]:
        """Find the character nearest to an uploaded picture; yield how far it is, then the result.

        One picture is edited at a time: it takes all the cores for seconds.

        Raises:
            PictureError: the picture cannot be read, is too small, or has not as many faces.
            OptionError: a number is out of range, or these weights cannot edit.
            BusyError: another picture is being edited, or it took too long.
        """
        if not 0 <= steps <= self.limits.edit_steps:
            raise OptionError(f"steps go from 0 to {self.limits.edit_steps} here, got {steps}")
        image = open_picture(picture)
        with self.job() as deadline:
            if not self._edits.acquire(blocking=False):
                raise BusyError("another picture is being edited; try again in a moment")
            events: queue.SimpleQueue[EditProgress | Edit | BaseException] = queue.SimpleQueue()
            stopped = threading.Event()

            def report(done: int, of: int, drawn: Image.Image | None) -> None:
                if stopped.is_set() or time.monotonic() > deadline:
                    raise BusyError("the picture took too long, or nobody waits for it any more")
                events.put(EditProgress(done, of, drawn))

            def work() -> None:
                try:
                    events.put(
                        edit_picture(
                            self.pipeline,
                            image,
                            steps=steps,
                            size=size,
                            face=face,
                            whole=whole,
                            progress=report,
                        )
                    )
                except BaseException as error:  # handed to the thread that waits
                    events.put(error)
                finally:
                    self._edits.release()

            threading.Thread(target=work, name="edit", daemon=True).start()
            try:
                while True:
                    event = events.get()
                    if isinstance(event, BaseException):
                        raise event
                    yield event
                    if isinstance(event, Edit):
                        return
            finally:
                stopped.set()

    def cut_out(self, avatar: Avatar) -> Avatar:
        """Return an avatar without its background, RGBA.

        Raises:
            WeightsError: the weights of the matting network are missing or damaged.
            BusyError: as for :meth:`stream`.
        """
        if avatar.recipe.transparent:
            return avatar
        image = self.run(lambda: load_background_remover().cut_out(avatar.image))
        return Avatar(image, avatar.recipe.model_copy(update={"transparent": True}))

    def sketch(
        self,
        sketch: bytes | None,
        hints: bytes | None = None,
        labels: bytes | None = None,
        *,
        follow: float = DEFAULT_FOLLOW,
        count: int = 1,
        size: int | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> Sketched:
        """Turn drawn lines into avatars; see :meth:`avatargan.sketching.Sketcher.sketch`.

        Args:
            sketch: a picture file.
            hints: a picture file, too, or None.
            labels: a picture file, too, or None.
            follow, count, size, attributes: see there.

        Raises:
            PictureError: a file is damaged or too large; the message names which.
            OptionError: the sketch is empty, or an option is out of range.
            WeightsError: there are no sketch networks for these weights.
            BusyError: as for :meth:`stream`.
        """
        self._check_count(count)

        def work() -> Sketched:
            lines, dabs, parts = (
                _opened(name, content)
                for name, content in (("sketch", sketch), ("hints", hints), ("labels", labels))
            )
            if lines is None:
                raise OptionError("sketch: a picture is needed")
            return self._sketcher.sketch(
                lines,
                hints=dabs,
                labels=parts,
                follow=follow,
                count=count,
                size=size,
                attributes=attributes,
            )

        return self.run(work)

    @cached_property
    def _sketcher(self) -> Sketcher:
        # Loaded by the first sketch: who never draws one pays nothing.
        return Sketcher.load(self.pipeline)

    def read_recipe(self, png: bytes) -> Recipe:
        """Return the recipe inside a PNG file.

        Raises:
            PictureError: the file is damaged or too large.
            RecipeError: it holds no recipe, or is not a PNG.
            BusyError: as for :meth:`stream`.
        """
        if not png.startswith(PNG_SIGNATURE):
            raise RecipeError(
                "there is no recipe in this file, for it is not a PNG; "
                "use a picture as avatargan saved it"
            )
        with self._admission() as deadline:
            return self._run(lambda: read_recipe(png), deadline)

    def warm_up(self) -> None:
        """Draw one picture of each size, so that the first visitor does not wait for it."""
        with suppress(BusyError):  # visitors who are there already warm it up as well
            for size in self.sizes:
                self.generate([0], size=size)

    def stop(self) -> None:
        """Refuse all that waits and all that comes, at once, without waiting for the drawing."""
        with suppress(InvalidStateError):
            self._stopped.set_result(None)

    def close(self) -> None:
        """Finish the portion that is being drawn and drop what waits."""
        self.stop()
        self._workers.shutdown(wait=True, cancel_futures=True)

    @contextmanager
    def _admission(self) -> Iterator[float]:
        """Count a request in and out; yield the time at which it is given up."""
        if not self._admissions.acquire(blocking=False):
            raise BusyError("too many requests are waiting to be drawn; try again in a moment")
        try:
            yield time.monotonic() + self.limits.seconds
        finally:
            self._admissions.release()

    def _draw_portion(self, recipes: Sequence[Recipe]) -> list[Avatar]:
        return list(self.pipeline.draw(recipes))

    def _run(self, work: Callable[[], T], deadline: float) -> T:
        waiter = current_waiter()
        ends: list[Future[Any]] = [self._stopped]
        if waiter is not None:
            ends.append(waiter.left)
        if not any(end.done() for end in ends):
            try:
                future = self._workers.submit(work)
            except RuntimeError:  # what a closed pool raises
                raise BusyError("the server is stopping") from None
            remaining = max(0.0, deadline - time.monotonic())
            wait([future, *ends], timeout=remaining, return_when=FIRST_COMPLETED)
            if future.done() and not future.cancelled():
                return future.result()
            # What has begun is finished, a portion at most; what waits in the queue is taken out.
            future.cancel()
        if self._stopped.done():
            raise BusyError("the server is stopping")
        if waiter is not None and waiter.left.done():
            raise AbandonedError
        raise BusyError(
            f"the request was not finished within {self.limits.seconds:g} seconds; "
            "ask for fewer or smaller pictures, or try again later"
        )

    def _check_count(self, count: int) -> None:
        if not 1 <= count <= self.limits.pictures:
            raise OptionError(
                f"one request draws from 1 to {self.limits.pictures} pictures, "
                f"this one asks for {'more' if count > self.limits.pictures else count}"
            )

    def _check_pixels(self, recipes: Sequence[Recipe]) -> None:
        pixels = sum(recipe.size**2 for recipe in recipes)
        if pixels > self.limits.pixels:
            raise OptionError(
                f"one request draws at most {self.limits.pixels / 1e6:.0f} megapixels, "
                f"this one asks for {pixels / 1e6:.0f}; ask for fewer or smaller pictures"
            )


def _opened(name: str, content: bytes | None) -> Image.Image | None:
    if content is None:
        return None
    try:
        return open_picture(content)
    except PictureError as error:
        raise PictureError(f"{name}: {str(error).removeprefix('the picture: ')}") from error
