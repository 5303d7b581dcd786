"""Analysing pictures on the machines of a Ray cluster, with Ray Data.

Each actor keeps one process of :mod:`face_crop.workers`, so that a picture that crashes or hangs
a decoder is lost there just as it is locally. Decisions and files stay on the machine that asked,
and the results come back in order: the folder is the same as without a cluster.
"""

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from avatargan.errors import AvatarGanError
from avatargan.ray_cluster import start_ray
from face_crop.analysis import Analysis, MakeAnalyser
from face_crop.runner import TIME_LIMIT
from face_crop.sources import Source
from face_crop.workers import Lost, WorkerPool

#: Pictures that an actor is given at a time: enough to hide what a message costs.
CHUNK = 8


class RayEngine:
    """Analyses pictures on a cluster: that of ``RAY_ADDRESS``, or one of this machine alone.

    The pictures, and a cascade of the user's own, have to be at the same place on every machine.

    Args:
        processes: how many analyse at a time; one per core of the cluster by default.
        time_limit: seconds after which a picture is given up.

    Raises:
        MissingExtraError: Ray is not installed.
    """

    def __init__(self, processes: int | None = None, time_limit: float = TIME_LIMIT) -> None:
        self._ray = start_ray()
        self._processes = processes or max(int(self._ray.cluster_resources().get("CPU", 1)), 1)
        self._time_limit = time_limit

    def analyse(
        self, make_analyser: MakeAnalyser, sources: Sequence[Source]
    ) -> Iterator[Analysis | Lost]:
        """See :meth:`face_crop.runner.Engine.analyse`.

        Raises:
            AvatarGanError: as on the machine that analysed.
        """
        make_analyser = replace(make_analyser, options=make_analyser.options.for_any_machine)
        data = self._ray.data
        context = data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        rows = [{"source": pickle.dumps(_absolute(source))} for source in sources]
        blocks = max(1, -(-len(rows) // CHUNK))
        analysed = data.from_items(rows, override_num_blocks=blocks).map_batches(
            _Actor,
            fn_constructor_args=(make_analyser, self._time_limit),
            batch_size=CHUNK,
            concurrency=(1, min(self._processes, blocks)),
            num_cpus=1,
        )
        try:
            for row in analysed.iter_rows():
                yield _unpack(row["analysis"])
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, AvatarGanError):
                raise error.cause from error
            raise


class _Actor:
    """What runs on the machines."""

    def __init__(self, make_analyser: MakeAnalyser, time_limit: float) -> None:
        self._pool: WorkerPool[Source, Analysis] = WorkerPool(make_analyser, 1, time_limit)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Analyse a batch."""
        sources = [pickle.loads(packed) for packed in batch["source"]]
        return {"analysis": [pickle.dumps(each) for each in self._pool.map(sources)]}


def _absolute(source: Source) -> Source:
    return replace(source, path=source.path.absolute())


def _unpack(packed: bytes) -> Analysis | Lost:
    analysis: Analysis | Lost = pickle.loads(packed)  # from our own actors
    return analysis
