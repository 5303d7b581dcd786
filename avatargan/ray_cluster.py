"""Work on the machines of a Ray cluster that outlives them.

Before work starts every node is asked whether it would give the same results: who differs is
named and left out. Chunks of work go to actors on the nodes; what a lost node was doing is handed
to others, and results come back in order, so that whoever asked cannot tell one machine from many.
"""

import contextlib
import hashlib
import math
import os
import platform
import shutil
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from avatargan.errors import AvatarGanError, ClusterError, MissingExtraError, one_line
from avatargan.version import __version__

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

#: A head that has not answered by then is not there.
CONNECT_SECONDS = 20.0
#: A node that has not said by then what it has is left out.
SURVEY_SECONDS = 120.0
#: Workers that may end over one chunk: more are the chunk's fault.
MOST_TRIES = 5
#: Workers that a node may lose one after the other before it gets no more.
MOST_RESTARTS = 3
#: Chunks in work and waiting, for each worker.
CHUNKS_PER_WORKER = 2


@dataclass(frozen=True)
class Needs:
    """What a node must have to work like the machine that asks.

    Attributes:
        weights: SHA-256 by path of files that must be there with that very content.
        readable: a file of the material, which must be readable at the same path.
        free_bytes: that must be free on the disk of temporary files.
    """

    weights: Mapping[str, str] = field(default_factory=dict)
    readable: str | None = None
    free_bytes: int = 256 * 2**20


@dataclass(frozen=True)
class Node:
    """A machine of the cluster.

    Attributes:
        id: Ray's name for it.
        address: its address in the network.
        cores: CPUs that it declares to Ray.
        gpus: likewise.
    """

    id: str
    address: str
    cores: int
    gpus: int


def start_ray(*, log_folder: Path | None = None) -> Any:
    """Connect to the cluster of ``RAY_ADDRESS``, or start one of this machine alone.

    Returns:
        The module ``ray``.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: there is no cluster at that address, or it does not let us in.
    """
    # Ray reports its use to its makers unless told not to; nothing here calls home. Warnings of
    # its own future, and of what it does with accelerators that it does not find, help nobody here.
    for name, value in (
        ("RAY_USAGE_STATS_ENABLED", "0"),
        ("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0"),
        ("RAY_DEDUP_LOGS", "1"),
    ):
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(
            "Ray is not installed; pip install -r requirements-ray.txt adds it"
        ) from error
    if ray.is_initialized():
        return ray
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    address = os.environ.get("RAY_ADDRESS")
    if address is None:  # a cluster of this machine, closed to others
        options |= {"_node_ip_address": "127.0.0.1", "include_dashboard": False}
    else:
        _reach(address)
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises what its parts raise: connections, versions, tokens
        where = f"the Ray cluster at {address}" if address else "a Ray cluster of this machine"
        raise ClusterError(f"cannot join {where}: {_reason(error)}") from error
    return ray


def _reach(address: str) -> None:
    """Make sure that something listens there: Ray itself would try for minutes.

    Raises:
        ClusterError: nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address in ("auto", "local") or not host or not port.isdigit():
        return  # Ray looks for it, or says what is wrong with it
    deadline = time.monotonic() + CONNECT_SECONDS
    reason = "no answer"
    while (left := deadline - time.monotonic()) > 0:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=left).close()
            return
        except OSError as error:
            reason = error.strerror or str(error)
            time.sleep(min(1.0, max(left, 0)))
    raise ClusterError(
        f"there is no Ray cluster at {address} ({reason}, for {CONNECT_SECONDS:g} seconds); "
        "start its head with 'ray start --head', or correct RAY_ADDRESS"
    )


def usable_nodes(
    ray: Any, needs: Needs, tell: Callable[[str], None] = lambda line: None
) -> list[Node]:
    """Ask every node whether it has what it needs, and return those that do.

    Args:
        ray: what :func:`start_ray` returned.
        needs: what they must have.
        tell: told of each node that is left out, and why.

    Raises:
        ClusterError: none can work.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = alive_nodes(ray)
    survey = ray.remote(num_cpus=0, max_retries=0)(_survey)
    asked = {}
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node.id, soft=False)
        asked[
            survey.options(scheduling_strategy=there).remote(dict(needs.weights), needs.readable)
        ] = node
    ray.wait(list(asked), num_returns=len(asked), timeout=SURVEY_SECONDS)
    usable, problems = [], []
    for answer, node in asked.items():
        problem = _problem(ray, answer, needs)
        if problem is None:
            usable.append(node)
        else:
            problems.append(f"{node.address} {problem}")
    for problem in problems:
        tell(f"left out: {problem}")
    if not usable:
        first = problems[0] if problems else "there are no nodes"
        raise ClusterError(f"no node of the cluster can do this work: {first}")
    return usable


def alive_nodes(ray: Any) -> list[Node]:
    """Return the nodes that Ray lists as alive; one that just went may be among them."""
    return [
        Node(
            id=node["NodeID"],
            address=node["NodeManagerAddress"],
            cores=int(node["Resources"].get("CPU", 0)),
            gpus=int(node["Resources"].get("GPU", 0)),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def _survey(weights: dict[str, str], readable: str | None) -> dict[str, Any]:
    """Run on a node: say what it has."""
    different = {}
    for path in weights:
        try:
            different[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        except OSError as error:
            different[path] = f"({error.strerror})"
    problem = None
    if readable is not None:
        try:
            with Path(readable).open("rb") as file:
                file.read(1)
        except OSError as error:
            problem = error.strerror
    return {
        "version": __version__,
        "python": platform.python_version_tuple()[:2],
        "weights": different,
        "readable": problem,
        "free": shutil.disk_usage(os.environ.get("TMPDIR", "/tmp")).free,
    }


def _problem(ray: Any, answer: Any, needs: Needs) -> str | None:
    """Return what a node lacks, in words that follow its address; None if nothing."""
    try:
        found = ray.get(answer, timeout=0.1)
    except ray.exceptions.GetTimeoutError:
        return f"has not answered for {SURVEY_SECONDS:g} seconds"
    except Exception as error:
        return f"cannot run avatargan: {_reason(error)}"
    if found["version"] != __version__:
        return f"has avatargan {found['version']}, here is {__version__}"
    if found["python"] != platform.python_version_tuple()[:2]:
        return f"has Python {'.'.join(found['python'])}, here is {platform.python_version()}"
    for path, sha256 in needs.weights.items():
        if found["weights"][path] != sha256:
            return f"has other weights, or none, at {path}: {found['weights'][path][:16]}"
    if found["readable"] is not None:
        return f"cannot read {needs.readable}: {found['readable']}"
    if found["free"] < needs.free_bytes:
        return f"has {found['free'] / 2**20:.0f} MB free on its disk for temporary files"
    return None


@dataclass(frozen=True)
class _Place:
    """Where a worker runs: the rank-th of so many on a node."""

    node: Node
    rank: int
    count: int


class ClusterWorkers(Generic[Chunk, Result]):
    """Actors on the nodes of a cluster, which work on chunks.

    Args:
        ray: what :func:`start_ray` returned.
        nodes: where they run.
        make: the class of the actors; has a method ``work`` of a chunk.
        arguments: of its constructor.
        per_node: how many run on a node; as many as it has cores by default.
        on_gpus: whether each takes a GPU where a node has some; then there are as many as GPUs.
        tell: told of nodes that are lost.
    """

    def __init__(
        self,
        ray: Any,
        nodes: Iterable[Node],
        make: type,
        arguments: tuple[Any, ...],
        *,
        per_node: int | None = None,
        on_gpus: bool = False,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._ray = ray
        self._make = make
        self._arguments = arguments
        self._tell = tell
        self._on_gpus = on_gpus
        self._restarts: dict[str, int] = {}
        self._place_of: dict[Any, _Place] = {}
        self._starting: dict[Any, Any] = {}
        self._idle: deque[Any] = deque()
        for node in nodes:
            gpus = node.gpus if on_gpus else 0
            count = per_node or gpus or max(node.cores, 1)
            for rank in range(min(count, gpus or count)):
                self._start(_Place(node, rank, count))
        self.count = len(self._starting)

    def map(self, chunks: Iterable[Chunk]) -> Iterator[Result]:
        """Yield the result of each chunk, in order; chunks are taken as results are fetched.

        Raises:
            AvatarGanError: what a worker raised; :class:`ClusterError` where no node is left, or
                where a chunk has ended several workers.
        """
        busy: dict[Any, tuple[int, Chunk, Any]] = {}
        try:
            yield from self._map(chunks, busy)
        finally:  # whoever asked may have seen enough
            self._idle.extend(worker for _, _, worker in busy.values())

    def _map(
        self, chunks: Iterable[Chunk], busy: dict[Any, tuple[int, Chunk, Any]]
    ) -> Iterator[Result]:
        source = enumerate(chunks)
        again: deque[tuple[int, Chunk]] = deque()
        results: dict[int, Result] = {}
        tries: dict[int, int] = {}
        following, exhausted, idle = 0, False, self._idle
        while True:
            room = CHUNKS_PER_WORKER * self.count
            while idle and (again or (not exhausted and len(busy) + len(results) < room)):
                job = again.popleft() if again else next(source, None)
                if job is None:
                    exhausted = True
                    break
                worker = idle.popleft()
                busy[worker.work.remote(job[1])] = (*job, worker)
            while following in results:
                yield results.pop(following)
                following += 1
            if exhausted and not busy and not again and not results:
                return
            if not busy and not self._starting and not idle:
                raise ClusterError(
                    "every node of the cluster is lost; what is finished is kept, and the same "
                    "command goes on from there"
                )
            for answer in self._next_of([*busy, *self._starting]):
                if answer in self._starting:
                    worker = self._starting.pop(answer)
                    if self._outcome(answer, worker) is not None:
                        idle.append(worker)
                    continue
                number, chunk, worker = busy.pop(answer)
                outcome = self._outcome(answer, worker)
                if outcome is not None:
                    results[number] = outcome[0]
                    idle.append(worker)
                    continue
                tries[number] = tries.get(number, 0) + 1
                if tries[number] >= MOST_TRIES:
                    raise ClusterError(
                        f"a piece of the work has ended {MOST_TRIES} workers; is memory short?"
                    )
                again.append((number, chunk))

    def _next_of(self, answers: list[Any]) -> list[Any]:
        if not answers:
            return []
        done, _ = self._ray.wait(answers, num_returns=1, timeout=1.0)
        return list(done)

    def _outcome(self, answer: Any, worker: Any) -> tuple[Any] | None:
        """Return what a worker answered, in a tuple; None where it is lost, and replaced."""
        exceptions = self._ray.exceptions
        try:
            return (self._ray.get(answer),)
        except exceptions.RayTaskError as error:
            if isinstance(error.cause, AvatarGanError):
                raise error.cause from error
            raise
        except exceptions.RayError as error:
            place = self._place_of.pop(worker)
            node = place.node
            self._restarts[node.id] = self._restarts.get(node.id, 0) + 1
            lost = f"a worker on {node.address} is lost ({_reason(error)}); others do its work"
            self._tell(lost)
            with contextlib.suppress(Exception):
                self._ray.kill(worker)
            still_there = any(other.id == node.id for other in alive_nodes(self._ray))
            if still_there and self._restarts[node.id] <= MOST_RESTARTS:
                self._start(place)
            return None

    def _start(self, place: "_Place") -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = place.node
        # On that node and no other: which of them can do the work has been asked.
        options = {
            "num_cpus": 0 if self._on_gpus and node.gpus else 1,
            "num_gpus": 1 if self._on_gpus and node.gpus else 0,
            "max_restarts": 0,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False),
        }
        worker = self._ray.remote(**options)(_WorkerActor).remote(
            self._make, self._arguments, place.rank, place.count
        )
        self._place_of[worker] = place
        self._starting[worker.is_ready.remote()] = worker


class _WorkerActor:
    """What runs on the nodes: builds the worker, then hands it chunks."""

    def __init__(self, make: type, arguments: tuple[Any, ...], rank: int, count: int) -> None:
        # Workers are what runs in parallel: each has its share of the cores.
        if hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, cores[rank::count] or {cores[rank % len(cores)]})
        self._worker = make(*arguments)

    def is_ready(self) -> bool:
        return True

    def work(self, chunk: Any) -> Any:
        return self._worker.work(chunk)


def chunk_size(items: int, workers: int, largest: int) -> int:
    """Return how many items a chunk has: few messages, and yet work for everybody to the end."""
    return max(1, min(largest, math.ceil(items / (8 * max(workers, 1)))))


def _reason(error: BaseException) -> str:
    """Return the first line of an error that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (
        one_line(lines[-1] if isinstance(error, ImportError) else lines[0])[:300]
        if lines
        else (type(error).__name__)
    )
