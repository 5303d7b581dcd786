"""Train a generator: ``python train.py DATASET --out RUN``; see docs/training.md.

Runs with torch, numpy, Pillow and safetensors alone; tqdm and TensorBoard are used where they are
installed.
"""

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

# Waiting threads that spin take the cores from each other wherever there are more of them than
# idle cores. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What cuBLAS wants for --deterministic; read when it is first used.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

from avatargan.devices import choose_device
from avatargan.errors import AvatarGanError, OptionError, OutputError, one_line, shortened
from avatargan.files import user_cache_folder
from avatargan.training import run as runs
from avatargan.training.distributed import joined_processes
from avatargan.training.loop import Outcome, train
from avatargan.training.observers import ProgressObserver
from avatargan.training.plan import plan_lines
from avatargan.training.recipes import RECIPES, recipe
from avatargan.training.report import write_report
from avatargan.training.run_folder import RunFolder
from avatargan.training.settings import TrainingSettings, read_config
from avatargan.training.speed import duration_lines, measured_speed
from avatargan.training.stopping import StopRequest

#: Minutes.
LONGEST_RUN = 100_000

EXAMPLES = """examples:
  python train.py faces.tar --out runs/faces                      # the shipped network at 128 px
  python train.py faces.tar --out runs/small --network dcgan64 --images 300000 --batch 64
  python train.py faces.tar --dry-run                             # what it would take
  python train.py --resume runs/faces                             # go on where it stopped
  python train.py moved/faces.tar --resume runs/faces             # the pictures are elsewhere now
  python train.py --report runs/faces                             # its report so far
  python train.py drawn.tar tv.tar --style visual-novel:3 --style tv:1 --out runs/two
  python train.py mine/ --style mine --init weights/avatar128.safetensors \\
      --init-critic weights/avatar128-critic.safetensors --resolution 64 --batch 16 \\
      --images 4000 --out runs/mine                               # fine-tune
  python train.py --recipe shipped drawn.tar tv.tar --style visual-novel:3 --style tv:1 \\
      --minutes 25 --out runs/next                                # a generation in 25 minutes
  torchrun --nproc-per-node=2 train.py faces.tar --out runs/faces # two graphics cards

Ctrl-C and SIGTERM save a checkpoint and leave; --resume goes on from the newest.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, train; return the exit code."""
    given = _parser().parse_args(arguments)
    try:
        outcome = _run(given)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except AvatarGanError as error:
        return _fail(str(error))
    except OSError as error:
        # A path that cannot even be looked at: its name is too long, its folder is not the user's.
        if error.filename is None:
            raise
        return _fail(f"{os.fsdecode(error.filename)}: {error.strerror}")
    if outcome is not None and outcome.signal is not None:
        return 128 + outcome.signal
    return 0


def _fail(message: str) -> int:
    """Say on one line what the user has to mend; return the exit code."""
    print(f"error: {shortened(one_line(message))}", file=sys.stderr)  # noqa: T201
    return 2


def _show(text: str) -> None:
    """Print a result.

    Raises:
        OutputError: the output went to a file, and the disk is full.
    """
    try:
        print(text, flush=True)  # noqa: T201
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write the output: {error.strerror}") from error


def _run(given: argparse.Namespace) -> Outcome | None:
    if given.report is not None:
        _show(str(write_report(RunFolder(given.report))))
        return None
    started = time.monotonic()
    changes = _settings_given(given)
    if given.minutes is not None and "images" in changes:
        raise OptionError("--minutes decides how many images are seen: leave out --images")
    if given.minutes is not None and not 0.05 <= given.minutes <= LONGEST_RUN:
        raise OptionError(f"--minutes must be from 0.05 to {LONGEST_RUN}, got {given.minutes}")
    deadline = None if given.minutes is None else started + 60 * given.minutes
    if given.resume is not None:
        _refuse_with_resume(given)
        folder = RunFolder(given.resume)
        config = folder.read_config()
        settings = runs.continued_settings(config, changes)
        sources = runs.sources_of(config, given.datasets)
    else:
        config = None
        settings = TrainingSettings.from_values(changes)
        sources = _sources(given)
        if given.out is None and not given.dry_run:
            raise OptionError("name a folder for the run with --out")
        folder = RunFolder(given.out or Path("run"))
        if not given.dry_run and os.environ.get("RANK", "0") == "0":
            folder.check_new()
    with ExitStack() as stack:
        device = choose_device(settings.device)
        processes = stack.enter_context(joined_processes(device))
        settings.batch_per_process(processes.count)
        observer = ProgressObserver(settings, processes, given.quiet)
        stack.callback(observer.close)
        if given.dry_run:
            opened = [source.open() for source in sources]
            observer.say(*(line for source in opened for line in source.dataset.notes))
            runs.prepare_device(settings, processes)
            lines = plan_lines(settings, opened, processes)
            _show("\n".join(lines))
            return None
        if processes.is_first:
            stack.enter_context(folder.lock())
        cache = given.cache_folder or user_cache_folder("decoded", beside=folder.path)
        data = runs.open_data(sources, settings, processes, cache, observer.decoded)
        observer.say(*(line for source in data.sources for line in source.dataset.notes))
        if config is None:
            initial = runs.Initial(given.init, given.init_critic)
            run = runs.new_run(settings, data, folder, processes, initial, deadline)
        else:
            run = runs.continued_run(settings, config, data, folder, processes, deadline)
        if deadline is not None:
            observer.settings = run.trainer.settings
            observer.say(f"{run.trainer.settings.images:,} images fit into the time that is left")
        return _train(run, observer)


def _train(run: runs.Run, observer: ProgressObserver) -> Outcome:
    for part, transfer in run.transfers.items():
        observer.say(*(f"{part}: {line}" for line in transfer.lines()))
    observer.say(*run.trainer.notes)
    processes, settings = run.trainer.processes, run.trainer.settings
    if observer.shows and processes.device.type == "cpu" and processes.count == 1:
        speed = measured_speed(settings, run.data.attributes)
        observer.say(*duration_lines(settings, speed, run.trainer.images_seen))
    observer.start(run)
    with StopRequest() as stop:
        outcome = train(run.trainer, run.data, run.folder, observer, stop)
    if outcome.signal is None:
        if run.trainer.processes.is_first:
            write_report(run.folder)
        best = f" (the best on held-out pictures: {run.folder.best})"
        best = best if run.folder.best.exists() else ""
        observer.say(f"done: {run.folder.generator}{best}, {run.folder.report}")
    else:
        observer.say(
            f"stopped at {outcome.images_seen:,} images; "
            f"go on with: python train.py --resume {run.folder.path}"
        )
    return outcome


def _sources(given: argparse.Namespace) -> list[runs.SourceOptions]:
    """Return the sets that were named, each with its style.

    Raises:
        OptionError: there are none, or not one --style for each.
    """
    if not given.datasets:
        raise OptionError("name a set of pictures to train on, or a run with --resume")
    styles = given.style or []
    if len(styles) not in (0, len(given.datasets)):
        raise OptionError(
            f"{len(given.datasets)} sets need as many --style, in their order; "
            f"there are {len(styles)}"
        )
    sources = []
    for index, path in enumerate(given.datasets):
        name, weight = _style(styles[index]) if styles else (None, 1.0)
        sources.append(runs.SourceOptions(path, name, weight))
    return sources


def _style(text: str) -> tuple[str, float]:
    name, colon, weight = text.partition(":")
    try:
        return name, float(weight) if colon else 1.0
    except ValueError:
        raise OptionError(f"--style is NAME or NAME:WEIGHT, such as tv:1; got '{text}'") from None


def _refuse_with_resume(given: argparse.Namespace) -> None:
    for name in ("out", "init", "init_critic", "style", "recipe"):
        if getattr(given, name):
            what = f"--{name.replace('_', '-')}"
            raise OptionError(f"--resume goes on as the run began: it takes no {what}")


def _settings_given(given: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of the configuration file, and over them those of the options."""
    values = dict(recipe(given.recipe).settings) if given.recipe is not None else {}
    if given.config is not None:
        values |= read_config(given.config)
    for setting in dataclasses.fields(TrainingSettings):
        value = getattr(given, setting.name, None)
        if value is not None:
            values[setting.name] = value
    return values


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="train.py",
        description="Train a conditional avatar generator on tagged pictures.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "datasets",
        nargs="*",
        type=Path,
        metavar="DATASET",
        help="a built set, or a folder or .tar of pictures, with tags.csv or without",
    )
    add("--out", type=Path, metavar="RUN", help="folder of the new run")
    add("--resume", type=Path, metavar="RUN", help="go on with a run from its newest checkpoint")
    add(
        "--style",
        action="append",
        metavar="NAME[:WEIGHT]",
        help="the style of a set and how often it is drawn from; once for each set, in order",
    )
    add("--init", type=Path, metavar="WEIGHTS", help="a generator, or a run, to start from")
    add("--init-critic", type=Path, metavar="WEIGHTS", help="a critic to start from")
    add(
        "--recipe",
        metavar="|".join(RECIPES),
        help="settings that belong together: "
        + "; ".join(f"{name}, {each.description}" for name, each in RECIPES.items()),
    )
    add(
        "--minutes",
        type=float,
        metavar="X",
        help="end within this time, start and compiling counted: the machine is timed for some "
        "seconds, and the run made as long as fits",
    )
    add("--config", type=Path, metavar="FILE", help="settings from a .json or .toml file")
    add("--cache-folder", type=Path, metavar="FOLDER", help="where decoded pictures are kept")
    add("--report", type=Path, metavar="RUN", help="write the report of a run anew, and leave")
    add("--dry-run", action="store_true", help="say what the run would take, and leave")
    add("--quiet", action="store_true", help="no progress")
    group = parser.add_argument_group("settings")
    for setting in dataclasses.fields(TrainingSettings):
        option = "--" + setting.name.replace("_", "-")
        text = setting.metadata["help"].replace("%", "%%")
        if isinstance(setting.default, bool):
            action = argparse.BooleanOptionalAction
            on = "yes" if setting.default else "no"
            group.add_argument(option, action=action, default=None, help=f"{text} (default: {on})")
            continue
        default = "" if setting.default is None else f" (default: {setting.default})"
        kinds = {"resolution": int, "critic_resolution": int, "learning_rate": float}
        group.add_argument(
            option,
            type=kinds.get(setting.name, type(setting.default)),
            metavar=_metavar(setting.metadata, kinds.get(setting.name, type(setting.default))),
            help=text + default,
        )
    return parser


def _metavar(limits: Any, kind: type) -> str:
    if "choices" in limits:
        return "|".join(limits["choices"])
    return {int: "N", float: "X"}.get(kind, "WORD")


class _Parser(argparse.ArgumentParser):
    """Reports mistakes in one line, as every command here does."""

    def error(self, message: str) -> Any:
        print(f"error: {message}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


if __name__ == "__main__":
    sys.exit(main())
