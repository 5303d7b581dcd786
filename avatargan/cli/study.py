"""``avatargan study``: what a generator does, told from its own pictures alone."""

from functools import partial
from typing import Annotated, Any

import typer

from avatargan.cli.options import (
    DeviceOption,
    EngineOption,
    JsonOption,
    QuietOption,
    TaggerOption,
    UpscalerOption,
    WeightsOption,
    examples,
    load_pipeline,
)
from avatargan.cli.output import progress, show, show_json

EXAMPLES = examples(
    "avatargan study leakage",
    "avatargan study identity --characters 200 --json",
    "avatargan study path --psi 1",
)


def study(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="leakage: what else changes with an attribute; identity: how many edges move with "
            "a colour; path: how evenly pictures change along paths in z and w.",
        ),
    ],
    characters: Annotated[
        int, typer.Option(metavar="N", help="How many characters, or paths in each space.")
    ] = 64,
    seed: Annotated[int, typer.Option(metavar="INTEGER", min=0, help="Of the samples.")] = 0,
    psi: Annotated[float, typer.Option(metavar="NUMBER", help="Truncation.")] = 0.7,
    json: JsonOption = False,
    quiet: QuietOption = False,
    weights: WeightsOption = None,
    tagger: TaggerOption = None,
    upscaler: UpscalerOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
) -> None:
    """Measure a generator on its own pictures; the definitions are those of 'evaluate'.

    Choices are drawn evenly, seeds from --seed: the same call gives the same figures.
    """
    from avatargan.evaluation.study import study as run_study
    from avatargan.evaluation.threads import ThreadedJudge, one_torch_thread
    from avatargan.tagging import load_judge, load_tagger

    pipeline = load_pipeline(weights, upscaler, device, engine)
    judge = ThreadedJudge(load_tagger(tagger) if tagger is not None else load_judge())
    with one_torch_thread():
        found = run_study(
            pipeline,
            what,
            judge,
            characters=characters,
            seed=seed,
            psi=psi,
            progress=partial(progress, quiet=quiet),
        )
    if json:
        show_json(found)
    elif not quiet:
        for line in _lines(found):
            show(line)


def _lines(found: dict[str, Any]) -> list[str]:
    made_from = f"{found['characters']} characters, seed {found['seed']}, psi {found['psi']:g}"
    lines = [f"{found['study']} ({made_from}, weights {found['weights_sha256'][:12]})"]
    if found["study"] == "leakage":
        for changed, seen in found["drift"].items():
            for name, value in seen.items():
                other = found["other_verdicts"][changed][name]
                lines.append(
                    f"{changed} changed, {name} seen: drift {value:.3f}, other verdict {other:.1%}"
                )
    elif found["study"] == "identity":
        for name, value in found["by_attribute"].items():
            lines.append(f"{name} changed: {value:.1%} of edges move")
        lines.append(f"another character: {found['other_characters']:.1%}")
    else:
        for space, value in found["length"].items():
            lines.append(f"path length in {space} ({found['features']} features): {value:.4g}")
    return lines
