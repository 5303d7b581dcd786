"""The errors a user can cause, each one line that names the thing and the remedy.

Entry points turn an :class:`AvatarGanError` into that line and exit code 2 (or an HTTP 4xx);
anything else is a bug and keeps its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches

#: Characters; paths may be of 4096 and names in hostile files of any length.
_LONGEST_MESSAGE = 1000


class AvatarGanError(Exception):
    """Base of every error that the user, not the program, has to mend."""


class OptionError(AvatarGanError, ValueError):
    """An option or argument is out of range, of the wrong type or contradicts another."""


class AttributeChoiceError(OptionError):
    """An attribute, or a choice of one, is not in the taxonomy of the weights."""


class TaxonomyError(AvatarGanError):
    """What should say which attributes and choices there are does not."""


class TableError(AvatarGanError):
    """A table cannot be read; the message names the file and the line."""


class DatasetError(AvatarGanError):
    """Tagged pictures cannot be used: a file, a line, a column or a value is not as it should."""


class TeachingError(AvatarGanError):
    """An attribute that was taught is told wrong too often."""


class WeightsError(AvatarGanError):
    """A weights file is missing, truncated, of the wrong kind or of another taxonomy."""


class RecipeError(AvatarGanError):
    """A recipe is missing from a picture, malformed, or made with other weights."""


class PictureError(AvatarGanError):
    """A picture cannot be read, is not an image, or is larger than the limit."""


class OutputError(AvatarGanError):
    """A result cannot be written: it exists already, the folder is read-only, the disk is full."""


class CascadeError(AvatarGanError):
    """A face cascade is missing, empty, or a file of something else."""


class CrawlError(AvatarGanError):
    """A crawl cannot be done: its description, the site, the folder or the ledger forbids it."""


class CheckpointError(AvatarGanError):
    """A checkpoint is missing, damaged, or of another run."""


class DivergenceError(AvatarGanError):
    """Training has left the numbers that can be computed with."""


class BusyError(AvatarGanError):
    """The server has as many requests as it takes, or one of them took too long."""


class ServerError(AvatarGanError):
    """The server cannot start: the port is taken or the address is not this machine's."""


class ClusterError(AvatarGanError):
    """A cluster cannot be reached, or cannot do the work."""


class MissingExtraError(AvatarGanError):
    """An optional dependency is not installed."""


def shortened(line: str) -> str:
    """Return a message without the middle of what it quotes, where that is very long."""
    if len(line) <= _LONGEST_MESSAGE:
        return line
    half = _LONGEST_MESSAGE // 2
    return f"{line[:half]} [...] {line[-half:]}"


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest spelling of ``word``, or an empty string."""
    nearest = get_close_matches(word.lower(), list(choices), n=1)
    return f"; did you mean '{nearest[0]}'?" if nearest else ""


def one_line(text: str) -> str:
    """Return a text out of a file or a request, which may hold anything, so that it breaks neither
    the line nor the terminal.
    """
    line = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in line)
