"""``avatargan export-onnx``: the networks as ONNX models, for other engines."""

from pathlib import Path
from typing import Annotated

import typer

from avatargan.cli.options import (
    JsonOption,
    OverwriteOption,
    QuietOption,
    WeightsOption,
    examples,
)
from avatargan.cli.output import note, show, show_json
from avatargan.errors import OptionError

EXAMPLES = examples(
    "avatargan export-onnx --out models",
    "avatargan export-onnx --out models --only mapping --only synthesis",
    "avatargan export-onnx --weights run/generator.safetensors --out models",
)


def export_onnx(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder to write to; made if it is missing.")
    ],
    weights: WeightsOption = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            show_default="all",
            help="Export this model and no other, such as synthesis; may be repeated.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the networks as ONNX models, with an index of what each maps to what.

    Weights are stored as fp16 and computed with in float32; the batch size is free.
    """
    if out.exists() and not out.is_dir():
        raise OptionError(f"{out} is a file; --out names a folder")

    from avatargan.onnx_export import export_onnx as export

    paths = export(out, weights, only=only or None, overwrite=overwrite)
    if json:
        show_json([{"file": str(path), "bytes": path.stat().st_size} for path in paths])
        return
    for path in paths:
        show(f"{path}  {path.stat().st_size / 1e6:.2f} MB")
    note("docs/onnx.md tells what goes in and what comes out", quiet=quiet)
