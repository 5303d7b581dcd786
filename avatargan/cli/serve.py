"""``avatargan serve``: the app in the browser, and the HTTP API."""

from typing import Annotated

import typer

from avatargan.cli.options import (
    DeviceOption,
    EngineOption,
    UpscalerOption,
    WeightsOption,
    examples,
)

EXAMPLES = examples(
    "avatargan serve",
    "avatargan serve --port 8000 --open",
    "avatargan serve --root-path /avatars --allowed-host example.org   # behind a proxy",
)


def serve(
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="The address to listen on. The default is this machine alone; 0.0.0.0 lets the "
            "whole network in.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="0 takes any free one.")
    ] = 7860,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the app in the browser.")
    ] = False,
    root_path: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="Where a proxy shows the app, such as /avatars; it may pass the prefix on or "
            "strip it.",
        ),
    ] = "",
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A public name that a proxy serves the app under; repeat for more. The app "
            "answers to no others then, beside this machine's own.",
        ),
    ] = None,
    weights: WeightsOption = None,
    upscaler: UpscalerOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
) -> None:
    """Start the app in the browser and the HTTP API."""
    from avatargan.web import server

    server.serve(
        host,
        port,
        weights=None if weights is None else str(weights),
        upscaler=None if upscaler is None else str(upscaler),
        device=device,
        engine=engine,
        open_browser=open_browser,
        root_path=root_path,
        allowed_hosts=allowed_host or [],
    )
