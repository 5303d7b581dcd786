"""Devices and engines: what this machine can draw on, found out without loading a network.

torch takes over a second to import, and is imported here only where it could know of more than
the CPU.
"""

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from avatargan.errors import MissingExtraError, OptionError, did_you_mean

DEVICES = ("auto", "cuda", "mps", "cpu")
ENGINES = ("auto", "ncnn", "torch")
#: The architectures of weights that the engine ncnn can draw.
NCNN_ARCHITECTURES = ("avatar", "avatar-recolouring")


def available_devices() -> list[str]:
    """Return the devices of this machine, the fastest first."""
    devices = ["cpu"]
    if _torch_is_for_the_cpu_only():
        return devices
    import torch

    if torch.backends.mps.is_available():
        devices.insert(0, "mps")
    if torch.cuda.is_available():
        devices.insert(0, "cuda")
    return devices


def choose_device(wanted: str = "auto") -> str:
    """Return the device to use.

    Raises:
        OptionError: there is no such device, here or at all.
    """
    if wanted not in DEVICES:
        raise OptionError(
            f"there is no device '{wanted}'{did_you_mean(wanted, DEVICES)} "
            f"(devices: {', '.join(DEVICES)})"
        )
    available = available_devices()
    if wanted == "auto":
        return available[0]
    if wanted not in available:
        raise OptionError(
            f"this machine has no usable {wanted} device (available: {', '.join(available)})"
        )
    return wanted


def choose_engine(
    device: str = "auto", engine: str = "auto", architecture: str = "avatar"
) -> tuple[str, str]:
    """Return the device and the engine to use.

    Args:
        device: auto, cuda, mps or cpu.
        engine: "ncnn" draws on the CPU only, about twice as fast as "torch" does there; "auto"
            takes it for the CPU where it is installed.
        architecture: that of the weights; the engine ncnn draws only some.

    Raises:
        OptionError: there is no such device or engine, or they do not go together.
        MissingExtraError: ncnn was asked for and is not installed.
    """
    if engine not in ENGINES:
        raise OptionError(
            f"there is no engine '{engine}'{did_you_mean(engine, ENGINES)} "
            f"(engines: {', '.join(ENGINES)})"
        )
    if engine == "ncnn" and device == "auto":
        device = "cpu"
    device = choose_device(device)
    if engine == "ncnn" and device != "cpu":
        raise OptionError(f"the engine ncnn draws on the CPU, not on {device}")
    if engine == "ncnn" and architecture not in NCNN_ARCHITECTURES:
        raise OptionError(
            f"the engine ncnn cannot draw weights of the architecture {architecture}; "
            "choose the engine torch"
        )
    has_ncnn = find_spec("ncnn") is not None
    if engine == "ncnn" and not has_ncnn:
        raise MissingExtraError("the engine ncnn is not installed; 'pip install ncnn' adds it")
    if engine == "auto":
        can_draw = has_ncnn and architecture in NCNN_ARCHITECTURES
        engine = "ncnn" if device == "cpu" and can_draw else "torch"
    return device, engine


def usable_cores() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _torch_is_for_the_cpu_only() -> bool:
    if sys.platform == "darwin":
        return False
    try:
        return version("torch").endswith("+cpu")
    except PackageNotFoundError:
        return False
