"""Drawing on the machines of a Ray cluster; decisions and files stay in this process.

Every machine finishes pictures just as this one would, so that the export is the same as without
a cluster, as long as the machines draw alike (the same device and engine).
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from avatargan.errors import WeightsError
from avatargan.export.create import create_studio
from avatargan.export.plan import ExportPlan
from avatargan.export.studio import FinishedPicture
from avatargan.pipeline import AvatarPipeline
from avatargan.ray_cluster import ClusterWorkers, Needs, start_ray, usable_nodes
from avatargan.recipe import Recipe

#: Pictures that a worker is given at a time: enough to hide what a message costs.
CHUNK = 16
#: Chunks of each worker that are decided on together.
CHUNKS_AHEAD = 4


class RayStudio:
    """Draws on a Ray cluster: that of ``RAY_ADDRESS``, or one of this machine alone.

    As many processes draw on each machine as it declares cores, with a thread each; where the
    device is a GPU, as many as it declares GPUs.

    Args:
        plan: the plan whose pictures are drawn.
        weights: the generator's file, at the same place on every machine.
        upscaler: the upscaler's file, likewise.
        device: see :meth:`AvatarPipeline.load`.
        engine: likewise.
        per_node: how many processes draw on each machine.
        tell: told of machines that are left out or lost.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: there is no cluster, or none of its machines can draw this.
    """

    def __init__(
        self,
        plan: ExportPlan,
        weights: Path | None = None,
        upscaler: Path | None = None,
        device: str = "auto",
        engine: str = "auto",
        per_node: int | None = None,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        ray = start_ray()
        # Files that come with the package are as its version is; others may differ.
        needed = {} if weights is None else {str(weights.absolute()): plan.weights_sha256}
        self._workers: ClusterWorkers[list[str], list[FinishedPicture]] = ClusterWorkers(
            ray,
            usable_nodes(ray, Needs(weights=needed), tell),
            _Worker,
            (plan.to_json(), _absolute(weights), _absolute(upscaler), device, engine),
            per_node=per_node,
            on_gpus=device in ("auto", "cuda"),
            tell=tell,
        )
        self.window = CHUNKS_AHEAD * CHUNK * self._workers.count

    def draw(self, recipes: Sequence[Recipe]) -> Iterator[FinishedPicture]:
        """See :meth:`Studio.draw`.

        Raises:
            AvatarGanError: as on the machine that drew; :class:`ClusterError` where all are lost.
        """
        texts = [recipe.to_json() for recipe in recipes]
        chunks = (texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK))
        for pictures in self._workers.map(chunks):
            yield from pictures


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

    def work(self, recipes: list[str]) -> list[FinishedPicture]:
        """Return the finished pictures of recipes."""
        if self.failure is not None:
            raise self.failure
        return list(self.studio.draw([Recipe.from_json(text) for text in recipes]))


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
