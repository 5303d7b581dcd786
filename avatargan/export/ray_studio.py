"""Drawing on the machines of a Ray cluster; decisions and files stay in this process.

Every machine finishes pictures just as this one would, so that the export is the same as without
a cluster, as long as the machines draw alike (the same device and engine).
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from avatargan.errors import AvatarGanError, WeightsError
from avatargan.export.create import create_studio
from avatargan.export.plan import ExportPlan
from avatargan.export.studio import FinishedPicture
from avatargan.parallel import ordered_map
from avatargan.pipeline import AvatarPipeline
from avatargan.ray_cluster import start_ray
from avatargan.recipe import Recipe

#: Pictures that a machine is given at a time: enough to hide what a message costs.
CHUNK = 16


class RayStudio:
    """Draws on a Ray cluster: that of ``RAY_ADDRESS``, or one of this machine alone.

    Args:
        plan: the plan whose pictures are drawn.
        weights: the generator's file, at the same place on every machine.
        upscaler: the upscaler's file, likewise.
        device: see :meth:`AvatarPipeline.load`.
        engine: likewise.
        machines: how many processes draw; one on every machine of the cluster by default.

    Raises:
        MissingExtraError: Ray is not installed.
    """

    def __init__(
        self,
        plan: ExportPlan,
        weights: Path | None = None,
        upscaler: Path | None = None,
        device: str = "auto",
        engine: str = "auto",
        machines: int | None = None,
    ) -> None:
        ray = start_ray()
        if machines is None:
            machines = sum(bool(node["Alive"]) for node in ray.nodes())
        worker = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(_Worker)
        arguments = (plan.to_json(), _absolute(weights), _absolute(upscaler), device, engine)
        self._ray = ray
        self._workers = [worker.remote(*arguments) for _ in range(machines)]
        # One chunk in work and one waiting on each machine.
        self._pool = ThreadPoolExecutor(2 * machines, thread_name_prefix="ray")
        self.window = 4 * CHUNK * machines

    def draw(self, recipes: Sequence[Recipe]) -> Iterator[FinishedPicture]:
        """See :meth:`Studio.draw`.

        Raises:
            AvatarGanError: as on the machine that drew.
        """
        pending = iter(recipes)
        chunks = iter(lambda: list(islice(pending, CHUNK)), [])
        numbered = enumerate(chunks)
        for pictures in ordered_map(self._pool, self._draw_chunk, numbered, 2 * len(self._workers)):
            yield from pictures

    def _draw_chunk(self, numbered: tuple[int, list[Recipe]]) -> list[FinishedPicture]:
        number, recipes = numbered
        worker = self._workers[number % len(self._workers)]
        try:
            texts = [recipe.to_json() for recipe in recipes]
            pictures: list[FinishedPicture] = self._ray.get(worker.draw.remote(texts))
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, AvatarGanError):
                raise error.cause from error
            raise
        return pictures


class _Worker:
    """What runs on the machines."""

    def __init__(
        self, plan: str, weights: str | None, upscaler: str | None, device: str, engine: str
    ) -> None:
        self.failure: WeightsError | None = None
        parsed = ExportPlan.from_json(plan, "the plan")
        pipeline = AvatarPipeline.load(weights, upscaler=upscaler, device=device, engine=engine)
        if pipeline.weights_sha256 != parsed.weights_sha256:
            self.failure = WeightsError(
                f"a machine of the cluster has other weights at {weights or 'its installation'}"
            )
        self.studio = create_studio(parsed, pipeline)

    def draw(self, recipes: list[str]) -> list[FinishedPicture]:
        """Return the finished pictures of recipes."""
        if self.failure is not None:
            raise self.failure
        return list(self.studio.draw([Recipe.from_json(text) for text in recipes]))


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
