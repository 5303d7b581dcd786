"""Choosing a renderer for a device."""

from avatargan.devices import choose_engine
from avatargan.networks import ConditionalGenerator, Generator, Upscaler
from avatargan.rendering.base import Renderer
from avatargan.rendering.torch_renderer import TorchRenderer


def create_renderer(
    generator: ConditionalGenerator, upscaler: Upscaler, device: str = "auto", engine: str = "auto"
) -> Renderer:
    """Return a renderer for a device ("auto": the fastest of this machine).

    Args:
        generator: what draws.
        upscaler: what enlarges.
        device: auto, cuda, mps or cpu.
        engine: auto, ncnn or torch; see :func:`avatargan.devices.choose_engine`.

    Raises:
        OptionError: there is no such device or engine, or they do not go together.
        MissingExtraError: ncnn was asked for and is not installed.
    """
    device, engine = choose_engine(device, engine, generator.architecture)
    if engine == "ncnn":
        from avatargan.rendering.ncnn_renderer import NcnnRenderer

        assert isinstance(generator, Generator)
        return NcnnRenderer(generator, upscaler)
    return TorchRenderer(generator, upscaler, device)
