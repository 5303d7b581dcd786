"""Networks that look at many pictures: a thread per batch instead of many threads per layer."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from avatargan.attributes import Taxonomy
from avatargan.devices import usable_cores
from avatargan.evaluation.features import AttributeJudge, Floats, Pixels

Result = TypeVar("Result")

#: Pictures that a thread looks at in one go; results do not depend on it.
_PART = 16


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Keep torch from spreading each layer over all cores.

    The layers of small networks are so short that their threads mostly wait for each other; on a
    machine with other work that made the tagger five times slower than one thread.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class ThreadedJudge:
    """A judge that looks at parts of what it is given in several threads at once."""

    judge: AttributeJudge

    @property
    def sha256(self) -> str:
        """See :class:`AttributeJudge`."""
        return self.judge.sha256

    @property
    def attributes(self) -> Taxonomy:
        """See :class:`AttributeJudge`."""
        return self.judge.attributes

    def features(self, pictures: Pixels) -> Floats:
        """See :class:`AttributeJudge`."""
        return np.concatenate(_in_threads(self.judge.features, pictures))

    def probabilities(self, pictures: Pixels) -> Mapping[str, Floats]:
        """See :class:`AttributeJudge`."""
        parts = _in_threads(self.judge.probabilities, pictures)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _in_threads(look: Callable[[Pixels], Result], pictures: Pixels) -> list[Result]:
    parts = [pictures[start : start + _PART] for start in range(0, len(pictures), _PART)]
    with ThreadPoolExecutor(usable_cores()) as pool:
        return list(pool.map(look, parts or [pictures]))
