"""Options that several commands share, and what they lead to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from avatargan.pipeline import AvatarPipeline

WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        show_default=False,
        help="Weights of a generator (.safetensors); the shipped ones by default.",
    ),
]
UpscalerOption = Annotated[
    Path | None,
    typer.Option(
        "--upscaler",
        metavar="FILE",
        show_default=False,
        help="Weights of an upscaler (.safetensors); the shipped ones by default.",
    ),
]
TaggerOption = Annotated[
    Path | None,
    typer.Option(
        "--tagger",
        metavar="FILE",
        show_default=False,
        help="Weights of a tagger (.safetensors); the shipped ones by default.",
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="Where to draw: auto, cuda, mps or cpu.")
]
EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        help="What draws: auto, ncnn (fast on a CPU) or torch (any device).",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on stdout, all else on stderr.")
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that are there already.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="No progress bar, no summary.")]


def load_pipeline(
    weights: Path | None, upscaler: Path | None, device: str, engine: str
) -> "AvatarPipeline":
    """Load the pipeline that the shared options ask for; errors as for its ``load``."""
    from avatargan.pipeline import AvatarPipeline

    return AvatarPipeline.load(weights, upscaler=upscaler, device=device, engine=engine)


def examples(*lines: str) -> str:
    """Return the end of a command's help: example command lines, one below the other."""
    # A form of its own: \b keeps the help formatter from joining the lines to a paragraph.
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
