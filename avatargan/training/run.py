"""Starting and continuing runs: everything between the options and the loop."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from avatargan.dataset import open_dataset
from avatargan.errors import DatasetError, OptionError
from avatargan.networks import Critic, Generator
from avatargan.networks.loading import critic_from_weights, generator_from_weights
from avatargan.training import checkpoints
from avatargan.training.checkpoints import read_checkpoint, restore
from avatargan.training.data import Pair, Source, TrainingData
from avatargan.training.distributed import Processes
from avatargan.training.finetuning import TransferReport, start_from
from avatargan.training.refitting import refit_critic, refit_generator
from avatargan.training.run_folder import RunFolder, git_commit, versions
from avatargan.training.settings import TrainingSettings
from avatargan.training.timing import images_within
from avatargan.training.trainer import Networks, Trainer
from avatargan.weights import read_weights
from avatargan.weights_header import CRITIC_ROLE, GENERATOR_ROLE

#: The learning rate of runs that start from weights, as a part of the network's own.
FINE_TUNING_FACTOR = 0.4
#: What may change when a run is continued: nothing of what has been decided by then.
CHANGEABLE = frozenset(
    {
        "images", "precision", "compile", "deterministic", "device", "threads", "log_every",
        "sample_every", "checkpoint_every", "keep", "sample_psi", "tensorboard",
    }
)  # fmt: skip


@dataclass(frozen=True)
class SourceOptions:
    """A set of pictures as it is asked for.

    Attributes:
        path: of the set.
        style: see :class:`Source`.
        weight: see :class:`Source`.
    """

    path: Path
    style: str | None = None
    weight: float = 1.0

    def open(self) -> Source:
        """Open the set; errors as for :func:`avatargan.dataset.open_dataset`."""
        return Source(open_dataset(self.path), self.style, self.weight)


@dataclass(frozen=True)
class Initial:
    """Weights to start from.

    Attributes:
        generator: a generator's file, or the folder of a run, which has both.
        critic: a critic's file.
    """

    generator: Path | None = None
    critic: Path | None = None

    def files(self) -> tuple[Path | None, Path | None]:
        """Return the generator's file and the critic's."""
        if self.generator is not None and self.generator.is_dir():
            folder = RunFolder(self.generator)
            return folder.generator, self.critic or folder.critic
        return self.generator, self.critic


@dataclass
class Run:
    """A run that is ready to go.

    Attributes:
        folder: where it is written.
        config: what ``config.json`` holds.
        data: the pictures.
        trainer: at the position to go on from.
        transfers: what was taken over from other weights, by network.
    """

    folder: RunFolder
    config: dict[str, Any]
    data: TrainingData
    trainer: Trainer
    transfers: Mapping[str, TransferReport]


def open_data(
    sources: Sequence[SourceOptions],
    settings: TrainingSettings,
    processes: Processes,
    cache_folder: Path | None = None,
    advance: Callable[[int], None] | None = None,
) -> TrainingData:
    """Open and decode the sets; the first process decodes, the others find the result.

    Raises:
        DatasetError: a set or a picture cannot be read.
        OptionError: the styles do not fit the sets.
    """

    def open_all() -> TrainingData:
        return TrainingData(
            [source.open() for source in sources],
            settings.picture_size,
            settings.seed,
            flips=settings.flips,
            split=settings.split,
            without=Pair.read_all(settings.without),
            cache_folder=cache_folder,
            advance=advance,
        )

    if processes.is_first:
        data = open_all()
        processes.wait_for_all()
        return data
    processes.wait_for_all()
    return open_all()


def new_run(
    settings: TrainingSettings,
    data: TrainingData,
    folder: RunFolder,
    processes: Processes,
    initial: Initial | None = None,
    deadline: float | None = None,
) -> Run:
    """Prepare a run from the start.

    Args:
        settings: of the run.
        data: the pictures.
        folder: where it is written.
        processes: which of the processes this is.
        initial: weights to start from.
        deadline: by ``time.monotonic()``; the run is to be as long as ends before it.

    Raises:
        WeightsError: weights to start from do not fit.
        OptionError: the batch cannot be shared.
        OutputError: the folder cannot be written.
    """
    initial = initial or Initial()
    settings = settings_with_initial(settings, initial)
    networks = Networks.new(settings, data.attributes)
    transfers = initialise(networks, initial)
    prepare_device(settings, processes)
    trainer = Trainer(settings, networks, processes)
    if deadline is not None:
        settings = dataclasses.replace(
            settings, images=images_within(trainer, data, folder, deadline)
        )
        trainer.settings = settings
    config = {
        "settings": settings.to_json(),
        "sources": [
            {
                "path": str(source.dataset.path.resolve()),
                "style": source.style,
                "weight": source.weight,
                "pictures": len(source.dataset),
                "trained_on": len(rows),
                "sha256": source.dataset.sha256,
            }
            for source, rows in zip(data.sources, data.rows, strict=True)
        ],
        "attributes": {name: list(choices) for name, choices in data.attributes.items()},
        "initial": {part: dataclasses.asdict(report) for part, report in transfers.items()},
        "versions": versions(),
        "git_commit": git_commit(Path(__file__).parent),
        "processes": processes.count,
        "device": describe(processes.device),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if processes.is_first:
        # What has a configuration can be continued: it comes after the first checkpoint.
        checkpoints.write_checkpoint(
            folder.checkpoints, checkpoints.state_of(trainer), settings.keep
        )
        folder.write_config(config)
    return Run(folder, config, data, trainer, transfers)


def settings_with_initial(settings: TrainingSettings, initial: Initial) -> TrainingSettings:
    """Return the settings with what starting from weights decides, where nothing was asked.

    A lower learning rate, and a critic that stays as large as it was: of a critic cut down to
    smaller pictures little is left that it knew (see docs/decisions.md).

    Raises:
        WeightsError: the critic cannot be read.
    """
    generator_file, critic_file = initial.files()
    changes: dict[str, Any] = {}
    if generator_file is not None and settings.learning_rate is None:
        changes["learning_rate"] = settings.family.learning_rate * FINE_TUNING_FACTOR
    if critic_file is not None and settings.critic_resolution is None:
        critic = critic_from_weights(read_weights(critic_file, CRITIC_ROLE))
        side = critic.resolution
        if side > settings.picture_size and side in settings.family.resolutions:
            changes["critic_resolution"] = side
    return dataclasses.replace(settings, **changes)


def continued_settings(config: Mapping[str, Any], changes: Mapping[str, Any]) -> TrainingSettings:
    """Return the settings of a run with those that were asked to change.

    Raises:
        OptionError: one of them was decided when the run began.
    """
    before = TrainingSettings.from_values(config["settings"])
    for name, value in changes.items():
        if name not in CHANGEABLE and getattr(before, name, value) != value:
            raise OptionError(
                f"--{name.replace('_', '-')} cannot change in a run that is continued; "
                "start a new one with --init"
            )
    return TrainingSettings.from_values({**config["settings"], **changes})


def sources_of(config: Mapping[str, Any], moved_to: Sequence[Path] = ()) -> list[SourceOptions]:
    """Return the sets of a run.

    Args:
        config: of the run.
        moved_to: where they are now, in their order; by default where they were.

    Raises:
        OptionError: its configuration is damaged, or there are not as many places as sets.
        DatasetError: a set is not where it was.
    """
    try:
        sources = [
            SourceOptions(Path(entry["path"]), entry["style"], float(entry["weight"]))
            for entry in config["sources"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise OptionError(f"config.json: its sources are damaged ({error!r})") from error
    if not moved_to:
        for source in sources:
            if not source.path.exists():
                raise DatasetError(
                    f"{source.path}: the pictures are not there any more; if they moved, go on "
                    "with: python train.py NEW_PLACE --resume RUN"
                )
        return sources
    if len(moved_to) != len(sources):
        raise OptionError(
            f"this run has {len(sources)} sets of pictures; name where each is now, in their "
            f"order, not {len(moved_to)}"
        )
    return [
        dataclasses.replace(source, path=path)
        for source, path in zip(sources, moved_to, strict=True)
    ]


def continued_run(
    settings: TrainingSettings,
    config: dict[str, Any],
    data: TrainingData,
    folder: RunFolder,
    processes: Processes,
    deadline: float | None = None,
) -> Run:
    """Prepare a run from its newest checkpoint; arguments as of :func:`new_run`.

    Raises:
        DatasetError: the pictures are not those that the run began with.
        CheckpointError: there is no checkpoint, or it is damaged.
    """
    for source, entry in zip(data.sources, config["sources"], strict=True):
        if source.dataset.sha256 != entry["sha256"]:
            raise DatasetError(
                f"{source.dataset.path}: not the pictures or tags that this run began with; "
                "start a new one with --init"
            )
    prepare_device(settings, processes)
    trainer = Trainer(settings, Networks.new(settings, data.attributes), processes)
    path = folder.newest_checkpoint()
    restore(trainer, read_checkpoint(path), path)
    if deadline is not None:
        settings = dataclasses.replace(
            settings, images=images_within(trainer, data, folder, deadline)
        )
        trainer.settings = settings
    if processes.is_first:
        folder.rewind(trainer.images_seen)
        places = (str(source.dataset.path.resolve()) for source in data.sources)
        config = {
            **config,
            "settings": settings.to_json(),
            "sources": [
                {**entry, "path": path}
                for entry, path in zip(config["sources"], places, strict=True)
            ],
            "processes": processes.count,
        }
        folder.write_config(config)
    return Run(folder, config, data, trainer, {})


def initialise(networks: Networks, initial: Initial) -> dict[str, TransferReport]:
    """Give networks the weights to start from; return what was taken over.

    Raises:
        WeightsError: a file cannot be read, or is of another kind.
        OptionError: a critic is given without its generator.
    """
    generator_file, critic_file = initial.files()
    transfers: dict[str, TransferReport] = {}
    if generator_file is None:
        if critic_file is not None:
            raise OptionError("--init-critic needs the generator that it belongs to as --init")
        return transfers
    weights = read_weights(generator_file, GENERATOR_ROLE)
    transfers["generator"] = start_from(networks.generator, weights)
    generator, old_generator = networks.generator, generator_from_weights(weights)
    shrinks = (
        old_generator.resolution > generator.resolution
        and f"blocks.{generator.resolution}.to_rgb.weight" in transfers["generator"].copied
    )
    if shrinks and isinstance(generator, Generator) and isinstance(old_generator, Generator):
        refit_generator(generator, old_generator)
    if critic_file is None:
        return transfers
    weights = read_weights(critic_file, CRITIC_ROLE)
    transfers["critic"] = start_from(networks.critic, weights)
    critic, old_critic = networks.critic, critic_from_weights(weights)
    smaller = shrinks and critic.resolution < old_critic.resolution
    if smaller and isinstance(critic, Critic) and isinstance(old_critic, Critic):
        refit_critic(critic, old_critic, old_generator)
    return transfers


def prepare_device(settings: TrainingSettings, processes: Processes) -> None:
    """Set what torch keeps for the whole process."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    if processes.device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = not settings.deterministic
        torch.backends.cudnn.allow_tf32 = not settings.deterministic
        torch.backends.cudnn.benchmark = not settings.deterministic
    torch.use_deterministic_algorithms(settings.deterministic)


def describe(device: torch.device) -> str:
    """Return the name of a device for people."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"CPU, {torch.get_num_threads()} threads"
