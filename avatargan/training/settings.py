"""The settings of a run: every one an option of ``train.py``, with a default, checked."""

import dataclasses
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avatargan.errors import OptionError, did_you_mean
from avatargan.files import read_regular
from avatargan.latents import check_seed
from avatargan.networks.registry import NETWORKS, NetworkFamily, network_family
from avatargan.training.losses import LOSSES
from avatargan.training.regularizers import REGULARIZERS, check_regularizer

PRECISIONS = ("auto", "bf16", "fp32")
SWITCH = ("auto", "on", "off")
SPLITS = ("train", "all")
#: Pictures that share a minibatch statistic in the critic of avatar128.
STATISTIC_GROUP = 8
#: More does not fit into the counters of checkpoints.
_LARGEST_WHOLE_NUMBER = 2**63 - 1


def _setting(default: Any, help_text: str, **limits: Any) -> Any:
    return field(default=default, metadata={"help": help_text, **limits})


@dataclass(frozen=True)
class TrainingSettings:
    """What decides a run, beside its data and the weights that it starts from.

    Raises:
        OptionError: a value is out of range or contradicts another.
    """

    network: str = _setting(
        "avatar128",
        "what to train: "
        + "; ".join(f"{name}, {family.description}" for name, family in NETWORKS.items()),
        choices=tuple(NETWORKS),
    )
    resolution: int | None = _setting(
        None, "side of the pictures in pixels; the network's own by default"
    )
    width: float = _setting(
        1.0, "factor on the feature channels; below 1 for quick trials", least=0.01, most=4.0
    )
    images: int = _setting(4_000_000, "images to see in all, repetitions counted", least=1)
    batch: int = _setting(128, "images in a step, over all processes", least=2)
    seed: int = _setting(1, "decides the first weights, the order of the pictures, and all chance")
    learning_rate: float | None = _setting(
        None, "of Adam, for both networks; the network's own by default", above=0.0, most=1.0
    )
    loss: str = _setting(
        "logistic",
        "of critic and generator: each picture by itself, or each fake against a real one (with "
        "--regularizer r1r2: R3GAN's)",
        choices=LOSSES,
    )
    regularizer: str = _setting(
        "dragan",
        "gradient penalty on the critic: near real pictures, on them, on them and on fakes",
        choices=REGULARIZERS,
    )
    penalty_weight: float = _setting(0.5, "weight of the gradient penalty", least=0.0)
    penalty_interval: int = _setting(
        4, "steps from one gradient penalty to the next; its weight grows in proportion", least=1
    )
    penalty_part: float = _setting(
        0.5, "part of the real images that the penalty is computed on", above=0.0, most=1.0
    )
    class_weight: float = _setting(0.3, "weight of the loss of the auxiliary classes", least=0.0)
    shift: float = _setting(
        0.125, "augmentation: furthest shift, as a part of the side", least=0.0, most=0.5
    )
    cutout: float = _setting(
        0.5,
        "augmentation: side of the square that is hidden, as a part of the side",
        least=0.0,
        most=1.0,
    )
    cutout_probability: float = _setting(
        0.5, "augmentation: how often a square is hidden", least=0.0, most=1.0
    )
    adapt: bool = _setting(
        False, "augmentation: more of it, of places only, the more the critic overfits"
    )
    adapt_target: float = _setting(
        0.6, "augmentation: the overfitting that it holds", least=0.0, most=1.0
    )
    freeze_critic: int = _setting(
        0, "blocks of the critic, from the pixels on, that keep their weights", least=0, most=6
    )
    critic_resolution: int | None = _setting(
        None,
        "side of the pictures that the critic sees, enlarged; by default theirs, or with "
        "--init-critic its own where that is larger",
    )
    flips: bool = _setting(True, "mirror half of the pictures")
    ema_half_life: float = _setting(
        10_000.0, "half-life of the generator's average, in images", above=0.0
    )
    critic_first: int = _setting(
        0, "images at the start from which the critic alone learns", least=0
    )
    without: str = _setting(
        "",
        "choices that are left out wherever they come together, to see whether they are drawn all "
        "the same: hair=pink,eyes=green; several with semicolons",
    )
    quality_pictures: int = _setting(
        500,
        "held-out pictures that the average is measured on at each checkpoint, the best being "
        "kept; 0: never",
        least=0,
    )
    split: str = _setting(
        "train",
        "train on the pictures of that split, a tenth being kept for evaluation, or on all",
        choices=SPLITS,
    )
    precision: str = _setting(
        "auto",
        "arithmetic of the networks; auto: bf16 where the device is fast at it",
        choices=PRECISIONS,
    )
    compile: str = _setting(
        "auto", "torch.compile; auto: on CUDA, and without it where it fails", choices=SWITCH
    )
    deterministic: bool = _setting(
        False, "on CUDA, the same result in every run, at a cost in speed"
    )
    device: str = _setting("auto", "what to train on", choices=("auto", "cuda", "cpu"))
    threads: int = _setting(0, "CPU threads; 0: as many as torch takes", least=0)
    log_every: int = _setting(0, "images between lines of metrics; 0: a 500th of the run", least=0)
    sample_every: int = _setting(
        0, "images between grids of samples; 0: a 20th of the run", least=0
    )
    checkpoint_every: int = _setting(0, "images between checkpoints; 0: a 20th of the run", least=0)
    keep: int = _setting(3, "how many checkpoints to keep, the newest", least=1)
    sample_psi: float = _setting(0.7, "truncation of the samples", least=0.0, most=2.0)
    tensorboard: str = _setting(
        "auto", "write events for TensorBoard; auto: where it is installed", choices=SWITCH
    )

    def __post_init__(self) -> None:
        for setting in dataclasses.fields(self):
            _check(setting.name, getattr(self, setting.name), setting.metadata, setting.default)
        check_seed(self.seed)
        check_regularizer(self.regularizer)
        family = network_family(self.network)
        if self.resolution is not None and self.resolution not in family.resolutions:
            raise OptionError(
                f"{self.network} has no resolution {self.resolution} "
                f"(resolutions: {', '.join(map(str, family.resolutions))})"
            )

        if self.critic_resolution is not None and (
            self.critic_resolution not in family.resolutions
            or self.critic_resolution < self.picture_size
        ):
            sizes = [size for size in family.resolutions if size >= self.picture_size]
            raise OptionError(
                f"--critic-resolution must be one of {', '.join(map(str, sizes))}, "
                f"got {self.critic_resolution}"
            )

    @property
    def family(self) -> NetworkFamily:
        """The networks that are trained."""
        return network_family(self.network)

    @property
    def picture_size(self) -> int:
        """Side of the pictures in pixels."""
        return self.resolution or self.family.default_resolution

    @property
    def critic_size(self) -> int:
        """Side in pixels of what the critic sees."""
        return self.critic_resolution or self.picture_size

    @property
    def adam_learning_rate(self) -> float:
        """The learning rate before the schedule."""
        return self.learning_rate or self.family.learning_rate

    @property
    def steps(self) -> int:
        """How many steps the run takes; the last one may go beyond ``images``."""
        return math.ceil(self.images / self.batch)

    def interval(self, name: str) -> int:
        """Return how many images lie between logs, samples or checkpoints."""
        parts = {"log_every": 500, "sample_every": 20, "checkpoint_every": 20}
        given: int = getattr(self, name)
        return given or max(math.ceil(self.images / parts[name]), 1)

    def batch_per_process(self, processes: int) -> int:
        """Return how many images of a step each process takes.

        Raises:
            OptionError: the batch cannot be shared equally, or not in whole groups.
        """
        share, rest = divmod(self.batch, processes)
        if rest or share < 2:
            raise OptionError(
                f"a batch of {self.batch} cannot be shared by {processes} processes; "
                f"choose a multiple of {processes}"
            )
        for what, count in (
            (f"a batch of {share} for each process", share),
            (
                f"the gradient penalty's part of it, {self.penalty_batch(share)}",
                self.penalty_batch(share),
            ),
        ):
            if count > STATISTIC_GROUP and count % STATISTIC_GROUP:
                raise OptionError(
                    f"{what} is neither below {STATISTIC_GROUP} nor a multiple of it, "
                    "as the critic's minibatch statistic wants"
                )
        return share

    def penalty_batch(self, batch: int) -> int:
        """Return how many images of a process's batch the gradient penalty is computed on."""
        return max(round(batch * self.penalty_part), 1)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON holds them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "TrainingSettings":
        """Return settings from values by name; what is left out takes its default.

        Raises:
            OptionError: there is no setting of a name, or a value is not allowed.
        """
        names = [setting.name for setting in dataclasses.fields(cls)]
        for name in values:
            if name not in names:
                raise OptionError(f"there is no setting '{name}'{did_you_mean(name, names)}")
        return cls(**values)


def read_config(path: Path) -> dict[str, Any]:
    """Read settings from a JSON or TOML file; names may have hyphens or underscores.

    Raises:
        OptionError: the file is missing, or is not a table of settings.
    """
    try:
        text = read_regular(path).decode("utf-8-sig")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except FileNotFoundError:
        raise OptionError(f"{path}: there is no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        kind = "TOML" if path.suffix == ".toml" else "JSON"
        raise OptionError(f"{path}: cannot be read as {kind} ({error})") from error
    if not isinstance(values, dict):
        raise OptionError(f"{path}: not a table of settings")
    return {name.replace("-", "_"): value for name, value in values.items()}


def _check(name: str, value: Any, limits: Mapping[str, Any], default: Any) -> None:
    option = "--" + name.replace("_", "-")
    kinds: tuple[type, ...]
    if default is None:
        if value is None:
            return
        kinds = (int, float) if name == "learning_rate" else (int,)
    elif isinstance(default, float):
        kinds = (int, float)
    else:
        kinds = (type(default),)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        words = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
        raise OptionError(f"{option} must be {words[kinds[-1]]}, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise OptionError(f"{option} must be a finite number, got {value}")
    if isinstance(value, int) and value > _LARGEST_WHOLE_NUMBER:
        raise OptionError(f"{option} must be at most {_LARGEST_WHOLE_NUMBER}")
    if "choices" in limits and value not in limits["choices"]:
        choices = limits["choices"]
        raise OptionError(
            f"{option} has no choice '{value}'{did_you_mean(str(value), choices)} "
            f"(choices: {', '.join(choices)})"
        )
    if value < limits["least"] if "least" in limits else False:
        raise OptionError(f"{option} must be at least {limits['least']}, got {value}")
    if value > limits["most"] if "most" in limits else False:
        raise OptionError(f"{option} must be at most {limits['most']}, got {value}")
    if value <= limits["above"] if "above" in limits else False:
        raise OptionError(f"{option} must be above {limits['above']}, got {value}")
