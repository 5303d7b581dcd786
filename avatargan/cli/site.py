"""``avatargan site``: a folder of static files that draws in the visitor's own browser."""

from pathlib import Path
from typing import Annotated

import typer

from avatargan.cli.options import JsonOption, QuietOption, WeightsOption, examples
from avatargan.cli.output import note, show, show_json

EXAMPLES = examples(
    "avatargan site site",
    "python -m http.server --directory site",
    "avatargan site site --weights run/generator.safetensors",
)


def site(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="The folder to write; another site that is there is replaced."
        ),
    ],
    weights: WeightsOption = None,
    runtime: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.tgz",
            show_default="fetched by npm, once",
            help="The archive of onnxruntime-web as 'npm pack' writes it.",
        ),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a site that draws in the visitor's browser, for any host of static files.

    It needs no server of its own, and asks no other host for anything.
    """
    from avatargan.web.site import build_site

    files = build_site(
        out, weights, runtime=runtime, progress=lambda step: note(f"... {step}", quiet=quiet)
    )
    total = sum(file.bytes for file in files)
    if json:
        show_json({"folder": str(out), "files": len(files), "bytes": total})
        return
    show(f"{out}: {len(files)} files, {total / 1e6:.1f} MB")
    note(f"look at it:  python -m http.server --directory {out}", quiet=quiet)
