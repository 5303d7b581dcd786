"""File names from templates such as ``{hair}_{eyes}_{index:04d}``."""

import re
import string
import unicodedata
from collections.abc import Iterable, Mapping

from avatargan.errors import OptionError, did_you_mean

SUFFIX = ".png"
#: In UTF-8, with the suffix. File systems take 255; a temporary name beside the file is longer.
LONGEST_NAME = 200

_SEPARATORS = "/\\"
# Windows takes none of these in a name; an export should survive being copied there.
_FORBIDDEN = '<>:"|?*'
_RESERVED_STEMS = {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"} | {
    f"{port}{number}"
    for port in ("com", "lpt")
    for number in "0123456789\N{SUPERSCRIPT ONE}\N{SUPERSCRIPT TWO}\N{SUPERSCRIPT THREE}"
}
# Widths of three digits at most: a width is also how much memory a hostile template could take.
_FORMAT_SPEC = re.compile(r"(?:.?[<>=^])?[-+ ]?0?\d{0,3}[_,]?(?:\.\d{1,3})?[sdxXob]?")


class NameTemplate:
    """A file name with fields in braces; format specifications such as ``{index:04d}`` work.

    Args:
        text: the template; ".png" at its end may be left out.
        fields: the names that may stand in braces.

    Raises:
        OptionError: an unknown field, a malformed template, or one that no file can be called.
    """

    def __init__(self, text: str, fields: Iterable[str]) -> None:
        self.text = text
        known = list(fields)
        stem = text[: -len(SUFFIX)] if text.lower().endswith(SUFFIX) else text
        try:
            parts = list(string.Formatter().parse(stem))
        except ValueError as error:
            raise OptionError(f"the name '{text}' is no template: {error}") from error
        for literal, _, _, _ in parts:
            _check_characters(literal, f"the name '{text}'")
        self.fields: tuple[str, ...] = tuple(field for _, field, _, _ in parts if field is not None)
        for _, field, spec, conversion in parts:
            if field is None:
                continue
            if field not in known:
                raise OptionError(
                    f"the name '{text}' has an unknown field "
                    f"'{{{field}}}'{did_you_mean(field, known)} (fields: {', '.join(known)})"
                )
            if conversion or not _FORMAT_SPEC.fullmatch(spec or ""):
                raise OptionError(f"the name '{text}' has a format that cannot be used: '{spec}'")
        if not stem:
            raise OptionError("the name of the files must not be empty")
        self._stem = stem

    def format(self, values: Mapping[str, int | str]) -> str:
        """Return the file name for these values.

        Raises:
            OptionError: a format does not fit its value, or no file can have that name.
        """
        try:
            stem = self._stem.format_map(values)
        except ValueError as error:
            raise OptionError(f"the name '{self.text}' cannot be formatted: {error}") from error
        return check_file_name(stem + SUFFIX)


def name_key(name: str) -> str:
    """Return what tells names apart on every file system.

    Some ignore case; macOS takes an accented letter and the letter with an accent for the same.
    """
    folded = unicodedata.normalize("NFC", name).casefold()
    return unicodedata.normalize("NFC", folded)


def check_file_name(name: str) -> str:
    """Return a name that every common file system takes.

    Raises:
        OptionError: it has path separators or other forbidden characters, is too long, hidden,
            or reserved.
    """
    _check_characters(name, f"the file name '{name}'")
    stem = name.partition(".")[0]
    if name.startswith("."):
        raise OptionError(f"the file name '{name}' would be hidden: it begins with a dot")
    if name.startswith((" ", "-")) or stem.endswith(" "):
        raise OptionError(f"the file name '{name}' begins or ends with a space or a dash")
    if stem.casefold() in _RESERVED_STEMS:
        raise OptionError(f"the file name '{name}' is reserved by Windows")
    if len(name.encode()) > LONGEST_NAME:
        raise OptionError(
            f"the file name '{name[:40]}...' is {len(name.encode())} bytes long; "
            f"{LONGEST_NAME} are the most"
        )
    return name


def _check_characters(text: str, what: str) -> None:
    if any(separator in text for separator in _SEPARATORS):
        raise OptionError(f"{what} has a path separator; files go into one folder")
    for character in text:
        if character in _FORBIDDEN or not character.isprintable():
            raise OptionError(f"{what} has the character {character!r}, which no name can have")
