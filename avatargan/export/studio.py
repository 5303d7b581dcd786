"""Studios: where recipes become finished files, here or on other machines."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from avatargan.devices import usable_cores
from avatargan.export.judge import AttributeJudge, least_confidence
from avatargan.export.similarity import Fingerprint, fingerprint
from avatargan.parallel import ordered_map
from avatargan.pipeline import Avatar
from avatargan.recipe import Recipe, encode_png
from avatargan.transparency import BackgroundRemover


@dataclass(frozen=True)
class FinishedPicture:
    """A picture as it will lie in its file.

    Attributes:
        png: the file.
        fingerprint: what it looks like, for finding near-duplicates.
        agreed: whether the judge, if there is one, saw the attributes that were asked for.
    """

    png: bytes
    fingerprint: Fingerprint
    agreed: bool


class Studio(Protocol):
    """Turns recipes into finished pictures; each depends on its recipe alone."""

    #: How many pictures it is best given at a time.
    window: int

    def draw(self, recipes: Sequence[Recipe]) -> Iterator[FinishedPicture]:
        """Yield a picture for each recipe, in order."""
        ...


class Drawer(Protocol):
    """Draws recipes; a pipeline is one."""

    def draw(self, recipes: Iterable[Recipe]) -> Iterator[Avatar]:
        """Yield an avatar for each recipe, in order."""
        ...


class Finisher:
    """What is done to a drawn picture before it is a file.

    Args:
        remover: cuts the character out, where the background is to be transparent.
        judge: looks at the attributes, where it is asked to.
        min_confidence: how sure it must be of each.
    """

    def __init__(
        self,
        remover: BackgroundRemover | None = None,
        judge: AttributeJudge | None = None,
        min_confidence: float = 0.0,
    ) -> None:
        self.remover = remover
        self.judge = judge
        self.min_confidence = min_confidence

    def finish(self, avatar: Avatar) -> FinishedPicture:
        """Return the finished picture."""
        image, recipe = avatar.image, avatar.recipe
        agreed = (
            self.judge is None
            or least_confidence(self.judge, image, recipe.attributes) >= self.min_confidence
        )
        if self.remover is not None:
            image = self.remover.cut_out(image)
            recipe = recipe.model_copy(update={"transparent": True})
        return FinishedPicture(encode_png(image, recipe), fingerprint(image), agreed)


class LocalStudio:
    """Draws in this process; finishing runs in threads beside the drawing.

    Args:
        drawer: what draws.
        finisher: what is done to each picture then.
        window: how many pictures are decided on together; the pictures do not depend on it.
    """

    def __init__(self, drawer: Drawer, finisher: Finisher, window: int = 64) -> None:
        self.drawer = drawer
        self.finisher = finisher
        self.window = window
        threads = usable_cores()
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="finish")
        # Enough that no thread waits for work, few enough that memory stays flat.
        self.most_pending = 4 * threads

    def draw(self, recipes: Sequence[Recipe]) -> Iterator[FinishedPicture]:
        """See :meth:`Studio.draw`."""
        # The judge looks at whole pictures, and threads cut them out while others are drawn.
        whole = (recipe.model_copy(update={"transparent": False}) for recipe in recipes)
        return ordered_map(
            self.pool, self.finisher.finish, self.drawer.draw(whole), self.most_pending
        )
