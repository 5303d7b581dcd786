"""What a run would do and cost, without doing it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.functional import interpolate
from torch.utils.flop_counter import FlopCounterMode

from avatargan.attributes import Taxonomy
from avatargan.training.data import Source, merged_taxonomy, rows_of, with_styles
from avatargan.training.distributed import Processes
from avatargan.training.regularizers import dragan_penalty, r1_penalty
from avatargan.training.settings import TrainingSettings
from avatargan.training.speed import duration_lines, measured_speed
from avatargan.training.trainer import uses_bf16

#: Pictures with which costs are counted; they are in proportion to it.
_SAMPLE = 8


@dataclass(frozen=True)
class Costs:
    """What training takes.

    Attributes:
        generator_parameters: numbers in the generator.
        critic_parameters: numbers in the critic.
        draw_flops: floating point operations to draw a picture.
        image_flops: operations to learn from an image, all in all.
        state_bytes: networks, gradients, optimizers and the average.
        activation_bytes: what a process's part of the largest half of a step keeps.
        checkpoint_bytes: one checkpoint.
    """

    generator_parameters: int
    critic_parameters: int
    draw_flops: int
    image_flops: int
    state_bytes: int
    activation_bytes: int
    checkpoint_bytes: int


def costs_of(
    settings: TrainingSettings, attributes: Taxonomy, processes: int, device: torch.device
) -> Costs:
    """Count what a run takes, on shapes without values: nothing is computed."""
    with torch.device("meta"):
        shape = (attributes, settings.picture_size, settings.width)
        generator = settings.family.generator.for_training(*shape).train()
        critic = settings.family.critic.for_training(
            attributes, settings.critic_size, settings.width
        ).train()
        z = torch.zeros(_SAMPLE, generator.z_dim)
        labels = {name: torch.zeros(_SAMPLE, dtype=torch.long) for name in attributes}
        side = settings.critic_size
        images = torch.zeros(_SAMPLE, 3, side, side)

        def draw() -> Tensor:
            drawn = generator.draw(z, labels)
            return drawn if drawn.shape[-1] == side else interpolate(drawn, (side, side))

        def judge(pictures: Tensor) -> Tensor:
            # Times 1: the counter refuses networks whose very input a gradient is taken by.
            score, _ = critic(pictures * 1, labels)
            assert isinstance(score, Tensor)
            return score

        draw_flops = _flops(draw)
        generator_learns = _flops(lambda: _backward(judge(draw())))
        critic_learns = _flops(lambda: _backward(judge(images)))
        penalty = 0.0
        if settings.regularizer != "none":
            compute = dragan_penalty if settings.regularizer == "dragan" else r1_penalty
            once = _flops(lambda: _backward(compute(judge, images)))
            once *= 2 if settings.regularizer == "r1r2" else 1
            penalty = once * settings.penalty_part / settings.penalty_interval
        kept = max(_kept_bytes(lambda: judge(draw())), 2 * _kept_bytes(lambda: judge(images)))
    counts = [sum(p.numel() for p in network.parameters()) for network in (generator, critic)]
    per_process = settings.batch_per_process(processes)
    size = 0.5 if uses_bf16(settings.precision, device) else 1.0
    return Costs(
        generator_parameters=counts[0],
        critic_parameters=counts[1],
        draw_flops=round(draw_flops / _SAMPLE),
        image_flops=round((generator_learns + 2 * critic_learns + penalty) / _SAMPLE),
        # Weights, gradients, two averages of Adam; and the generator's average.
        state_bytes=4 * (4 * sum(counts) + counts[0]),
        activation_bytes=round(kept / _SAMPLE * per_process * size),
        checkpoint_bytes=4 * (3 * sum(counts) + counts[0]),
    )


def _flops(compute: Any) -> int:
    with FlopCounterMode(display=False) as counter:
        compute()
    return int(counter.get_total_flops())


def _backward(loss: Tensor) -> None:
    loss.sum().backward()  # type: ignore[no-untyped-call]


def _kept_bytes(compute: Any) -> int:
    """Return the size of what is kept for the backward pass, each tensor once."""
    kept: dict[int, tuple[Tensor, int]] = {}

    def keep(tensor: Tensor) -> Tensor:
        base = tensor._base if tensor._base is not None else tensor
        if not isinstance(base, torch.nn.Parameter):
            kept[id(base)] = (base, base.numel() * base.element_size())
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        compute()
    return sum(size for _, size in kept.values())


def amount(number: float, unit: str) -> str:
    """Return a number for people: ``amount(6.66e6, "B")`` is "6.66 MB"."""
    prefixes = ["", "k", "M", "G", "T", "P", "E"]
    power = min(int(math.log10(max(abs(number), 1)) // 3), len(prefixes) - 1)
    return f"{number / 1000**power:.3g} {prefixes[power]}{unit}".rstrip()


def plan_lines(
    settings: TrainingSettings, sources: Sequence[Source], processes: Processes
) -> list[str]:
    """Return what a run would do and take, for people.

    Raises:
        DatasetError: nothing would be left to train on.
        OptionError: the styles do not fit the sets, or the batch cannot be shared.
    """
    sources = with_styles(sources)
    attributes = merged_taxonomy(sources)
    costs = costs_of(settings, attributes, processes.count, processes.device)
    share = settings.batch_per_process(processes.count)
    rows: list[tuple[str, str]] = [
        ("network", f"{settings.network} at {settings.picture_size} px"),
        ("generator", amount(costs.generator_parameters, "") + " parameters"),
        ("critic", amount(costs.critic_parameters, "") + " parameters"),
    ]
    weights = sum(source.weight for source in sources)
    for source in sources:
        style = f", style {source.style}" if source.style is not None else ""
        part = f", {source.weight / weights:.0%} of each batch" if len(sources) > 1 else ""
        count = len(rows_of(source, settings.split))
        rows.append(("data", f"{source.dataset.path}: {count:,} pictures{style}{part}"))
    for name in attributes:
        rows.append((name, ", ".join(attributes[name])))
    total = sum(len(rows_of(source, settings.split)) for source in sources)
    rows += [
        (
            "run",
            f"{settings.images:,} images in {settings.steps:,} steps of {settings.batch}, "
            f"each picture about {settings.images / total:,.1f} times",
        ),
        ("processes", f"{processes.count}, {share} images of each batch for each"),
        ("regularizer", f"{settings.regularizer}, every {settings.penalty_interval} steps"),
        ("FLOPs", f"{amount(costs.draw_flops, '')} to draw a picture"),
        ("", f"{amount(costs.image_flops, '')} to learn from an image"),
        ("", f"{amount(costs.image_flops * settings.images, '')} for the run"),
        (
            "memory",
            f"{amount(costs.state_bytes, 'B')} for the networks and optimizers, "
            f"about {amount(costs.activation_bytes, 'B')} for a batch",
        ),
        (
            "disk",
            f"{amount(costs.checkpoint_bytes, 'B')} a checkpoint, {settings.keep} kept; "
            f"{amount(sum(len(s.dataset) for s in sources) * settings.picture_size**2 * 3, 'B')} "
            "of decoded pictures",
        ),
        ("device", describe_device(processes, settings)),
    ]
    if processes.device.type == "cpu" and processes.count == 1:
        first, *others = duration_lines(settings, measured_speed(settings, attributes))
        rows += [("time", first), *(("", line) for line in others)]
    width = max(len(label) for label, _ in rows)
    return [f"{label:>{width}}  {text}" for label, text in rows]


def describe_device(processes: Processes, settings: TrainingSettings) -> str:
    """Return what computes, and in which precision."""
    precision = "bf16" if uses_bf16(settings.precision, processes.device) else "fp32"
    return f"{processes.device.type}, {precision}"
