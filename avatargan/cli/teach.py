"""``avatargan teach``: one more attribute for the tagger, from a few dozen examples."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avatargan.cli.options import (
    JsonOption,
    OverwriteOption,
    QuietOption,
    TaggerOption,
    examples,
)
from avatargan.cli.output import check_output_file, note, show, show_json
from avatargan.errors import OptionError, TeachingError

if TYPE_CHECKING:
    from avatargan.tagging.examples import Examples
    from avatargan.tagging.teaching import Lesson

EXAMPLES = examples(
    "avatargan teach glasses --examples glasses",
    "avatargan teach mouth --examples mouth --mistakes mistakes.png --yes",
    "avatargan tag crops --head glasses.safetensors --out tags.csv",
)
#: The user said no.
DECLINED = 1


def teach(
    attribute: Annotated[
        str, typer.Argument(metavar="ATTRIBUTE", help="Its name, such as glasses.")
    ],
    examples: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="A folder with one folder of faces per choice, such as glasses/yes and "
            "glasses/no; a few dozen each.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.safetensors",
            show_default="ATTRIBUTE.safetensors",
            help="The head to write, for 'avatargan tag --head'.",
        ),
    ] = None,
    minimum_accuracy: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0,
            max=1,
            help="A head that is right less often on examples that were held back is refused.",
        ),
    ] = 0.8,
    yes: Annotated[bool, typer.Option("--yes", help="Save it without asking.")] = False,
    mistakes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            show_default=False,
            help="A contact sheet of the examples that were told wrong.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which examples are held back together.")] = 0,
    tagger: TaggerOption = None,
    overwrite: OverwriteOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Teach the tagger one more attribute, without training a network.

    The accuracy on examples that were held back is shown before anything is saved.
    """
    out = Path(f"{attribute}.safetensors") if out is None else out
    check_output_file(out, ".safetensors", overwrite=overwrite)
    if mistakes is not None:
        check_output_file(mistakes, ".png", overwrite=overwrite)
    if not yes and not sys.stdin.isatty():
        raise OptionError("nobody is there to accept the accuracy; add --yes")

    from avatargan.tagging import load_tagger
    from avatargan.tagging.examples import read_examples
    from avatargan.tagging.heads import save_head
    from avatargan.tagging.teaching import check_new_attribute
    from avatargan.tagging.teaching import teach as teach_head

    loaded = load_tagger(tagger)
    check_new_attribute(attribute, loaded)
    found = read_examples(examples)
    lesson = teach_head(attribute, found, loaded, seed=seed)
    if not json:
        _show_figures(lesson, found)
    drawn = _draw_mistakes(lesson, found, mistakes, overwrite=overwrite)
    if lesson.figures.accuracy < minimum_accuracy:
        raise TeachingError(
            f"{lesson.figures.accuracy:.1%} right is less than the wanted {minimum_accuracy:.0%}, "
            "so nothing is saved; give more or clearer examples, or a lower --minimum-accuracy"
        )
    if not yes and not typer.confirm(f"Save it as {out}?", err=True):
        note("not saved", quiet=quiet)
        raise typer.Exit(DECLINED)
    save_head(out, lesson.head, overwrite=overwrite)
    if json:
        show_json({"file": str(out), "mistakes": drawn, **_facts(lesson, found)})
    elif not quiet:
        show(f"{out}  use it with: avatargan tag DIR --head {out}")


def _facts(lesson: "Lesson", found: "Examples") -> dict[str, Any]:
    low, high = lesson.interval
    return {
        "attribute": lesson.head.attribute,
        "choices": list(found.choices),
        "examples": len(found.files),
        "repeated": found.repeated,
        "accuracy": lesson.figures.accuracy,
        "interval": [low, high],
        "calibration_error": lesson.figures.calibration_error,
        "recall": lesson.figures.recall,
        "confusion": lesson.figures.confusion.tolist(),
    }


def _show_figures(lesson: "Lesson", found: "Examples") -> None:
    low, high = lesson.interval
    figures = lesson.figures
    if found.repeated:
        show(f"{found.repeated} examples show what another one shows, and are left out")
    show(
        f"{lesson.head.attribute}: {figures.accuracy:.1%} right of {figures.count} examples, each "
        f"asked about when it was not learnt from (95 % interval {low:.1%} to {high:.1%})"
    )
    width = max(12, *(len(choice) + 2 for choice in figures.choices))
    show("what it is, and how often it was told as")
    show(" " * width + "".join(f"{choice:>{width}}" for choice in figures.choices))
    for choice, row in zip(figures.choices, figures.confusion.tolist(), strict=True):
        show(f"{choice:<{width}}" + "".join(f"{count:>{width}}" for count in row))


def _draw_mistakes(
    lesson: "Lesson", found: "Examples", path: Path | None, *, overwrite: bool
) -> str | None:
    """Write the sheet of mistakes, if there is to be one and there are any."""
    wrong = lesson.mistakes(found.labels)
    if path is None or not len(wrong):
        return None
    from PIL import Image

    from avatargan.files import write_atomically
    from avatargan.grids import contact_sheet
    from avatargan.recipe import encode_png

    pictures = [Image.fromarray(found.pictures[index]) for index in wrong]
    captions = [
        f"{found.choices[found.labels[index]]}, told as "
        f"{found.choices[lesson.probabilities[index].argmax()]} "
        f"{lesson.probabilities[index].max():.2f}"
        for index in wrong
    ]
    sheet = contact_sheet(pictures, captions, cell=160)
    write_atomically(path, encode_png(sheet), overwrite=overwrite)
    return str(path)
