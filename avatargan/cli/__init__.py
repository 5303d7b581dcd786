"""The command line, ``avatargan`` or ``python -m avatargan``: one module per command.

Commands parse and validate; the package does the work. What takes long to import (torch, the
pipeline, the server) is imported inside the commands, so that ``--help`` answers at once.
"""

import errno
import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

import crawler.cli
import face_crop.cli
from avatargan.cli import (
    dataset,
    edit,
    evaluate,
    export,
    export_onnx,
    generate,
    grid,
    info,
    mix,
    morph,
    options,
    serve,
    site,
    sketch,
    sliders,
    study,
    tag,
    teach,
    train_sketch,
    train_tagger,
    verify,
)
from avatargan.cli.attribute_options import (
    AttributeCommand,
    AttributeListCommand,
    AttributeSequenceCommand,
)
from avatargan.errors import AvatarGanError, did_you_mean, one_line, shortened
from avatargan.version import __version__

#: The user pressed Ctrl-C: 128 + SIGINT, as shells have it.
INTERRUPTED = 130
USER_ERROR = 2

app = typer.Typer(
    name="avatargan",
    help="Draw anime avatars with chosen attributes.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"avatargan {__version__}")
        raise typer.Exit


@app.callback(
    invoke_without_command=True,
    epilog=options.examples(
        "avatargan generate --hair pink --eyes blue --count 4",
        "avatargan COMMAND --help",
    ),
)
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Draw anime avatars with chosen attributes."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command(cls=AttributeCommand, epilog=generate.EXAMPLES)(generate.generate)
app.command(cls=AttributeCommand, epilog=export.EXAMPLES)(export.export)
app.command(name="export-onnx", epilog=export_onnx.EXAMPLES)(export_onnx.export_onnx)
app.command(cls=AttributeListCommand, epilog=grid.EXAMPLES)(grid.grid)
app.command(epilog=verify.EXAMPLES)(verify.verify)
app.command(epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command(epilog=info.EXAMPLES)(info.info)
app.command(cls=AttributeSequenceCommand, epilog=morph.EXAMPLES)(morph.morph)
app.command(epilog=sliders.EXAMPLES)(sliders.sliders)
app.command(epilog=mix.EXAMPLES)(mix.mix)
app.command(epilog=edit.EXAMPLES)(edit.edit)
app.command(epilog=study.EXAMPLES)(study.study)
app.command(epilog=serve.EXAMPLES)(serve.serve)
app.command(epilog=site.EXAMPLES)(site.site)
app.add_typer(crawler.cli.app, name="crawl")
app.command(epilog=tag.EXAMPLES)(tag.tag)
app.command(epilog=teach.EXAMPLES)(teach.teach)
app.command(cls=AttributeCommand, epilog=sketch.EXAMPLES)(sketch.sketch)
app.command(name="train-sketch", epilog=train_sketch.EXAMPLES)(train_sketch.train_sketch)
app.command(name="train-tagger", epilog=train_tagger.EXAMPLES)(train_tagger.train_tagger)
app.add_typer(dataset.app, name="dataset")
app.add_typer(face_crop.cli.app, name="crop")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command of ``avatargan`` and return its exit code; see :func:`run_program`."""
    return run_program(app, "avatargan", arguments)


def run_program(program: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Errors that the user has to mend become one line on stderr and exit code 2; anything else is
    a bug and keeps its traceback.

    Args:
        program: the commands.
        name: what the user calls it.
        arguments: what follows the name of the program; ``sys.argv`` by default.
    """
    # Pictures that are too large are refused with an error; Pillow's warning would be a second.
    warnings.filterwarnings("ignore", "Image size", RuntimeWarning)
    warnings.filterwarnings("ignore", "Invalid APNG", UserWarning)
    _replace_closed_streams()
    command = typer.main.get_command(program)
    try:
        code = command.main(
            args=None if arguments is None else list(arguments),
            prog_name=name,
            standalone_mode=False,
        )
        sys.stdout.flush()
    except AvatarGanError as error:
        return _fail(str(error), USER_ERROR)
    except typer.TyperException as error:
        return _fail_usage(error)
    except BrokenPipeError:
        # Whoever read the output has seen enough. Without this, the interpreter would complain
        # when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        # A path that cannot even be looked at: its name is too long, its folder is not the user's.
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            what = error.filename or "a temporary file"
            reason = f"cannot write {os.fsdecode(what)}: {error.strerror}; free some of the disk"
            return _fail(f"{reason}, or name a folder on another one in TMPDIR", USER_ERROR)
        if error.filename is None:
            raise
        return _fail(f"{os.fsdecode(error.filename)}: {error.strerror}", USER_ERROR)
    if code == INTERRUPTED:
        typer.echo("interrupted", err=True)
    return int(code or 0)


def _replace_closed_streams() -> None:
    """Let a program whose caller closed stdout or stderr write to nowhere instead of failing."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files that are not UTF-8 are shown with an escape, which JSON has too.
        sys.stdout.reconfigure(errors="backslashreplace")


def _fail(message: str, code: int) -> int:
    typer.echo(f"error: {shortened(one_line(message))}", err=True)
    return code


def _fail_usage(error: typer.TyperException) -> int:
    message = error.format_message()
    if message.startswith("Usage: "):  # a group of commands was called without one
        typer.echo(message, err=True)
        return error.exit_code
    context = getattr(error, "ctx", None)
    option = getattr(error, "option_name", None)
    if context is not None and option is not None and message.startswith("No such option"):
        known = [name for param in context.command.get_params(context) for name in param.opts]
        message = f"no such option: {option}{did_you_mean(option, known)}"
    message = message.replace(". Did you mean", "; did you mean")
    message = message[:1].lower() + message[1:].rstrip(".")
    if context is not None:
        message = f"{message} (see '{context.command_path} --help')"
    return _fail(message, error.exit_code)
