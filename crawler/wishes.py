"""The wish to be left out, in every spelling that owners use.

Four vocabularies: robots directives (``noai``, in X-Robots-Tag headers and meta elements), usage
preferences (``ai-train=no``, in Content-Signal and Content-Usage, as headers, meta elements and
lines of robots.txt), the TDM reservation protocol (headers, meta elements, ``tdmrep.json``), and
``ai.txt``. Whoever writes one of them is obeyed; the spelling is read generously.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy

PRODUCT = "avatargan-crawler"
"""The name of this crawler in user agents, robots.txt and directives."""

TDMREP_PATH = "/.well-known/tdmrep.json"
AI_TXT_PATH = "/ai.txt"

Headers = CIMultiDict[str] | CIMultiDictProxy[str]

_NO_PICTURES = {
    *("none", "noindex", "noimageindex", "noai", "noimageai"),
    *("noml", "notdm", "notrain", "noaitrain", "noaitraining", "noimageaitraining"),
}
_NO_LINKS = {"none", "nofollow"}
# Directives with a value after a colon, which is not the name of another crawler before one.
_VALUED = ("max-image-preview", "max-snippet", "max-video-preview", "unavailable_after")
# "no ai", "no-image-ai", "no_index" are the words without gaps.
_GAP = re.compile(r"\bno(?:[\s_-]*image)?[\s_-]+(?=(?:image|ai|index|follow|ml|tdm|train)\b)")
_FOR_ONE_CRAWLER = re.compile(r"\s*[\"']?([a-z*][a-z0-9_.*-]*)(?:/[^\s:]*)?(?:\s*\([^)]*\))?\s*:")
_WORD = re.compile(r"[a-z][a-z-]*")

# Uses that making a training set falls under, in the vocabularies of Content-Signal, of
# Content-Usage and of the drafts before them.
_TRAINING = {
    *("ai", "bots", "tdm", "genai", "train", "training"),
    *("ai-train", "train-ai", "ai-training", "genai-train", "train-genai", "genai-training"),
}
_PREFERENCE = re.compile(r"(?<![a-z_-])([a-z][a-z_-]*+)\s*[=:]\s*[\"']?(\?[01]|[a-z0-9]+)")
_NO = {"n", "no", "?0", "0", "false", "none", "disallow", "deny"}
_YES = {"y", "yes", "?1", "1", "true", "allow"}


def robots_directives(values: Iterable[str]) -> set[str]:
    """Return the directives that apply to us in values of X-Robots-Tag or robots meta elements.

    ``somebot: noindex, nofollow`` speaks, to the end of the line, to one crawler alone.
    """
    words: set[str] = set()
    for value in values:
        for_us = True
        for part in re.split(r"[,;]", _GAP.sub(_close_gap, value.lower())):
            name = _FOR_ONE_CRAWLER.match(part)
            if name is not None and not _is_directive(name[1]):
                for_us = name[1].strip("*") in ("", PRODUCT)
                part = part[name.end() :]
            if for_us:
                found = {word.replace("-", "") for word in _WORD.findall(part)}
                is_valued = name is not None and name[1] in _VALUED
                words |= found - {"none"} if is_valued else found
    return words


def forbids_training(value: str) -> str | None:
    """Return the preference against training in a Content-Signal or Content-Usage, or None."""
    for use, answer in _PREFERENCE.findall(value.lower()):
        if use.replace("_", "-") in _TRAINING and answer in _NO:
            return f"{use}={answer}"
    return None


def allows_training(value: str) -> bool:
    """Whether a Content-Signal or Content-Usage says that training is welcome."""
    return any(
        use.replace("_", "-") in _TRAINING and answer in _YES
        for use, answer in _PREFERENCE.findall(value.lower())
    )


def is_reserved(value: object) -> bool:
    """Whether a TDM-Reservation reserves the right to mine: 1, in any spelling."""
    text = str(value).strip().strip("\"'").lower()
    return re.match(r"(\?1|1|true|yes)\b", text) is not None


class Wishes:
    """What headers, and of a page the meta elements, ask for.

    Args:
        headers: of the answer.
        meta: (name, content) of each meta element, the name in any case.
    """

    def __init__(self, headers: Headers, meta: Iterable[tuple[str, str]] = ()) -> None:
        stated: dict[str, list[str]] = {}
        for name, value in [*headers.items(), *meta]:
            stated.setdefault(name.strip().lower(), []).append(value)
        robots = (*stated.get("x-robots-tag", []), *stated.get("robots", []))
        named = [value for name, values in stated.items() if _is_our_name(name) for value in values]
        self._directives = robots_directives([*robots, *named])
        usage = [*stated.get("content-signal", []), *stated.get("content-usage", [])]
        self._against = next((found for each in usage if (found := forbids_training(each))), None)
        self._reserved = any(map(is_reserved, stated.get("tdm-reservation", [])))

    @property
    def against_collecting(self) -> str | None:
        """The wish that forbids to collect pictures, as its owner spelt it, or None."""
        directive = min(self._directives & _NO_PICTURES, default=None)
        return directive or self._against or ("tdm-reservation: 1" if self._reserved else None)

    @property
    def against_following(self) -> bool:
        """Whether the links of the page are not to be followed."""
        return bool(self._directives & _NO_LINKS)


def read_tdmrep(body: bytes) -> list[tuple[str, bool]]:
    """Return (path pattern, reserved) for each rule of a ``tdmrep.json``; none if unreadable."""
    try:
        rules: Any = json.loads(body.decode("utf-8-sig", errors="replace"))
    except (ValueError, RecursionError):
        return []
    rules = rules if isinstance(rules, list) else [rules]
    found = []
    for rule in rules:
        if isinstance(rule, Mapping):
            values = {str(key).lower().replace("_", "-"): value for key, value in rule.items()}
            location = values.get("location", "/")
            if isinstance(location, str) and "tdm-reservation" in values:
                found.append((location or "/", is_reserved(values["tdm-reservation"])))
    return found


def path_matches(pattern: str, path: str) -> bool:
    """Whether a path pattern of robots.txt or ``tdmrep.json`` (``*``, final ``$``) fits."""
    whole = pattern.endswith("$")
    parts = pattern.removesuffix("$").split("*")
    # A path is bounded by the length of a URL, and a star never goes back on what it took, so
    # this is linear where a regular expression of many stars is not.
    if not path.startswith(parts[0]):
        return False
    at = len(parts[0])
    for part in parts[1:-1]:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    if len(parts) == 1:
        return not whole or at == len(path)
    if whole:
        return path.endswith(parts[-1]) and len(path) - len(parts[-1]) >= at
    return path.find(parts[-1], at) >= 0


def most_specific(rules: Iterable[tuple[str, bool]], path: str) -> bool:
    """Return the verdict of the longest pattern that fits ``path``; False when none does."""
    fitting = [(len(pattern), forbids) for pattern, forbids in rules if path_matches(pattern, path)]
    return max(fitting, default=(0, False))[1]


def _is_directive(word: str) -> bool:
    return word in _VALUED or word.replace("-", "") in _NO_PICTURES | _NO_LINKS


def _is_our_name(name: str) -> bool:
    return name.split("/")[0].strip() == PRODUCT


def _close_gap(match: re.Match[str]) -> str:
    return re.sub(r"[\s_-]+", "", match[0])
