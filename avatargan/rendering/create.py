"""Choosing a renderer for a device."""

from avatargan.errors import MissingExtraError, OptionError, did_you_mean
from avatargan.networks import Generator, Upscaler
from avatargan.rendering.base import Renderer, choose_device
from avatargan.rendering.torch_renderer import TorchRenderer

ENGINES = ("auto", "ncnn", "torch")


def create_renderer(
    generator: Generator, upscaler: Upscaler, device: str = "auto", engine: str = "auto"
) -> Renderer:
    """Return a renderer for a device ("auto": the fastest of this machine).

    Args:
        generator: what draws.
        upscaler: what enlarges.
        device: auto, cuda, mps or cpu.
        engine: "ncnn" draws on the CPU only, about twice as fast as "torch" does there; "auto"
            takes it for the CPU where it is installed.

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
    if engine != "torch" and device == "cpu":
        try:
            from avatargan.rendering.ncnn_renderer import NcnnRenderer
        except ImportError as error:
            if engine == "ncnn":
                raise MissingExtraError(
                    "the engine ncnn is not installed; 'pip install ncnn' adds it"
                ) from error
        else:
            return NcnnRenderer(generator, upscaler)
    return TorchRenderer(generator, upscaler, device)
