"""Analysing pictures on the machines of a Ray cluster.

Each worker keeps one process of :mod:`face_crop.workers`, so that a picture that crashes or hangs
a decoder is lost there just as it is locally. Decisions and files stay on the machine that asked,
and the results come back in order: the folder is the same as without a cluster.
"""

import itertools
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from avatargan.ray_cluster import ClusterWorkers, Needs, chunk_size, start_ray, usable_nodes
from face_crop.analysis import Analysis, MakeAnalyser
from face_crop.reading import NOT_A_FILE, UNREADABLE, UnreadableError, read_content
from face_crop.runner import TIME_LIMIT
from face_crop.sources import Source
from face_crop.workers import Lost, WorkerPool

#: Pictures that a worker is given at a time at most.
LARGEST_CHUNK = 32
#: Pictures of a job that are looked through for one that can be read.
LOOKED_THROUGH = 100


class RayEngine:
    """Analyses pictures on a cluster: that of ``RAY_ADDRESS``, or one of this machine alone.

    The pictures, and a cascade of the user's own, have to be at the same place on every machine.

    Args:
        processes: how many analyse on each machine; one per core by default.
        time_limit: seconds after which a picture is given up.
        tell: told of machines that are left out or lost.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: there is no cluster.
    """

    def __init__(
        self,
        processes: int | None = None,
        time_limit: float = TIME_LIMIT,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._ray = start_ray()
        self._processes = processes
        self._time_limit = time_limit
        self._tell = tell

    def analyse(
        self, make_analyser: MakeAnalyser, sources: Sequence[Source]
    ) -> Iterator[Analysis | Lost]:
        """See :meth:`face_crop.runner.Engine.analyse`.

        Raises:
            AvatarGanError: as on the machine that analysed; :class:`ClusterError` where none can
                work, or all are lost.
        """
        make_analyser = replace(make_analyser, options=make_analyser.options.for_any_machine)
        needs = Needs(readable=_readable(sources))
        workers: ClusterWorkers[bytes, bytes] = ClusterWorkers(
            self._ray,
            usable_nodes(self._ray, needs, self._tell),
            _Worker,
            (make_analyser, self._time_limit),
            per_node=self._processes,
            tell=self._tell,
        )
        size = chunk_size(len(sources), workers.count, LARGEST_CHUNK)
        here = None
        starts = range(0, len(sources), size)
        chunks = (pickle.dumps([_absolute(each) for each in sources[i : i + size]]) for i in starts)
        answers = (pickle.loads(packed) for packed in workers.map(chunks))  # from our own workers
        for source, analysis in zip(sources, itertools.chain.from_iterable(answers), strict=True):
            if _may_be_the_node(analysis) and source.problem is None:
                # What this machine can read is no reason for quarantine.
                here = here or make_analyser()
                analysis = here(source)
            yield analysis


class _Worker:
    """What runs on the machines."""

    def __init__(self, make_analyser: MakeAnalyser, time_limit: float) -> None:
        self._pool: WorkerPool[Source, Analysis] = WorkerPool(make_analyser, 1, time_limit)

    def work(self, packed: bytes) -> bytes:
        """Analyse a chunk."""
        return pickle.dumps(list(self._pool.map(pickle.loads(packed))))


def _readable(sources: Sequence[Source]) -> str | None:
    """Return a picture that this machine can read, for the others to try."""
    for source in sources[:LOOKED_THROUGH]:
        if source.problem is None:
            try:
                read_content(source.path)
            except UnreadableError:
                continue
            return str(source.path.absolute())
    return None


def _may_be_the_node(analysis: Analysis | Lost) -> bool:
    return (
        isinstance(analysis, Analysis)
        and analysis.quarantined is not None
        and analysis.quarantined[0] in (UNREADABLE, NOT_A_FILE)
    )


def _absolute(source: Source) -> Source:
    return replace(source, path=source.path.absolute())
