"""Errors, exit codes and help, whatever the command."""

import json
import os
import subprocess
import sys

import pytest

from avatargan.cli import app, main
from avatargan.errors import OptionError
from avatargan.version import __version__


@pytest.fixture
def raising():
    """Let ``avatargan raising`` raise what the test asks for."""
    errors = []

    @app.command(name="raising", hidden=True)
    def command() -> None:
        raise errors[0]

    yield errors
    app.registered_commands.pop()


def test_no_arguments_show_the_help(run):
    outcome = run()
    assert outcome.code == 0
    assert "info" in outcome.stdout
    assert "Examples:" in outcome.stdout


def test_version(run):
    outcome = run("--version")
    assert (outcome.code, outcome.stdout) == (0, f"avatargan {__version__}\n")


def test_unknown_command_names_the_nearest(run):
    assert "no such command 'inof'; did you mean 'info'?" in run("inof").error


def test_unknown_option_names_the_nearest_and_the_help(run):
    error = run("info", "--devise", "cpu").error
    assert "--devise; did you mean '--device'?" in error
    assert "avatargan info --help" in error


def test_user_errors_are_one_line_whatever_they_quote(run, raising):
    raising.append(OptionError("bad\nname \x1b[31m"))
    assert run("raising").error == "bad name ?[31m"


def test_bugs_keep_their_traceback(raising):
    raising.append(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        main(["raising"])


def test_interrupting_is_no_error(run, raising):
    raising.append(KeyboardInterrupt())
    outcome = run("raising")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (130, "", "interrupted\n")


def test_help_imports_neither_torch_nor_gradio():
    script = (
        "import sys; from avatargan.cli import main; main(['info', '--help']); main(['info']);"
        "sys.exit(bool({'torch', 'gradio', 'ncnn'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_a_closed_pipe_is_silent():
    process = subprocess.Popen(
        [sys.executable, "-m", "avatargan", "info"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


def test_a_full_disk_is_a_user_error():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        result = subprocess.run(
            [sys.executable, "-m", "avatargan", "info", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert result.returncode == 2
    assert result.stderr.startswith("error: cannot write the output: No space left")


@pytest.mark.parametrize(("closed", "kept"), [(">&-", ""), ("2>&-", "avatargan")])
def test_closed_streams_are_no_error(weights, closed, kept):
    command = f'"{sys.executable}" -m avatargan info --weights "{weights}" {closed}'
    outcome = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert kept in outcome.stdout


def test_what_the_system_says_about_a_path_is_one_line(run, raising):
    raising.append(PermissionError(13, "Permission denied", "/root/avatars"))
    assert run("raising").error == "/root/avatars: Permission denied"


def test_a_disk_that_is_full_is_no_bug(run, raising):
    raising.append(OSError(28, "No space left on device"))
    assert "cannot write a temporary file: No space left on device; free" in run("raising").error


def test_what_is_quoted_from_a_hostile_file_does_not_flood_the_terminal(run, raising):
    raising.append(OptionError(f"tags.csv: no picture '{'x' * 100_000}'; choose another"))
    error = run("raising").error
    assert len(error) < 1100
    assert error.startswith("tags.csv: no picture 'xxx")
    assert error.endswith("'; choose another")


def test_names_that_are_not_utf8_are_shown_with_an_escape(tmp_path):
    missing = os.fsencode(tmp_path) + b"/\xff.tar"
    script = "import sys; from avatargan.cli import _replace_closed_streams as open_, output;"
    script += "open_(); output.show_json({'file': sys.argv[1]})"
    command = [sys.executable, "-c", script, missing]
    environment = {
        **os.environ,
        "PYTHONUTF8": "0",
        "LC_ALL": "C.UTF-8",
        "PYTHONIOENCODING": "utf-8",
    }
    outcome = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert json.loads(outcome.stdout)["file"] == os.fsdecode(missing)
