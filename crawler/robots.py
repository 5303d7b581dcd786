"""What the owner of an origin allows: robots.txt, ``/.well-known/tdmrep.json`` and ``/ai.txt``.

A robots.txt that cannot be read forbids everything. The other two state nothing when they cannot
be read: almost nobody has them.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from protego import Protego

from crawler.wishes import (
    AI_TXT_PATH,
    PRODUCT,
    TDMREP_PATH,
    allows_training,
    forbids_training,
    most_specific,
    read_tdmrep,
)

MAX_BYTES = 1_000_000
"""A longer robots.txt is taken as unreadable. RFC 9309 asks for at least 500 KiB."""

MAX_AGE = 24 * 3600.0
"""Seconds after which rules are read again (RFC 9309)."""

FORBIDDEN = "forbidden by robots.txt"

_AGENT_LINE = re.compile(r"\s*user[ -]?agent\s*:\s*([^#]*)", re.IGNORECASE)
_USAGE_LINE = re.compile(
    r"\s*(content-signals?|content-usage|disallowaitraining)\s*:\s*([^#]*)", re.IGNORECASE
)


@dataclass(frozen=True)
class RobotsRules:
    """The rules of one origin for this crawler."""

    parsed: Protego | None
    allow_all: bool = False
    usage: list[tuple[str, bool]] = field(default_factory=list)
    """(path pattern, training is unwelcome) from Content-Signal and Content-Usage lines."""
    reserved: list[tuple[str, bool]] = field(default_factory=list)
    """(path pattern, mining is reserved) from ``tdmrep.json``."""
    ai_txt: Protego | None = None

    def allows(self, url: str) -> bool:
        """Whether the rules allow to fetch ``url``."""
        return self.why_refused(url) is None

    def why_refused(self, url: str) -> str | None:
        """Return why the owner does not want ``url`` to be fetched, or None."""
        allowed = self.allow_all if self.parsed is None else self.parsed.can_fetch(url, PRODUCT)
        if not allowed:
            return FORBIDDEN
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        if most_specific(self.usage, path):
            return "robots.txt asks not to train on it (Content-Signal or Content-Usage)"
        if most_specific(self.reserved, path):
            return f"mining is reserved ({TDMREP_PATH})"
        if self.ai_txt is not None and not self.ai_txt.can_fetch(url, PRODUCT):
            return f"forbidden by {AI_TXT_PATH}"
        return None

    @property
    def delay(self) -> float:
        """Seconds that the site asks to leave between requests (Crawl-delay, Request-rate)."""
        if self.parsed is None:
            return 0.0
        rate = self.parsed.request_rate(PRODUCT)
        by_rate = rate.seconds / rate.requests if rate is not None and rate.requests else 0.0
        return max(float(self.parsed.crawl_delay(PRODUCT) or 0.0), by_rate)


class RobotsUnavailableError(Exception):
    """robots.txt could not be read, so nothing may be fetched for now."""


def read_robots(status: int, body: bytes) -> RobotsRules:
    """Return the rules that the answer to a request for robots.txt stands for.

    As in RFC 9309 a missing file (404 and its kin) allows everything and a failing server forbids
    everything. A refusal (401, 403), which the RFC lets pass as missing, forbids everything too.

    Raises:
        RobotsUnavailableError: the server failed (5xx), is overloaded (429) or redirects too far.
    """
    if status == 200:
        text = _normalised(_text(body))
        return RobotsRules(Protego.parse(text), usage=_usage_rules(text))
    if status in {401, 403}:
        return RobotsRules(None, allow_all=False)
    if 400 <= status < 500 and status != 429:
        return RobotsRules(None, allow_all=True)
    if 200 < status < 300:
        return RobotsRules(None, allow_all=True)
    raise RobotsUnavailableError(f"it answered {status}")


def read_ai_txt(body: bytes) -> Protego | None:
    """Return the rules of an ``ai.txt``, None for a page in its place."""
    text = _text(body)
    if text.lstrip()[:1] in ("<", "{", ""):
        return None
    return Protego.parse(_normalised(text))


def with_reservations(
    rules: RobotsRules, tdmrep: bytes | None, ai_txt: bytes | None
) -> RobotsRules:
    """Return ``rules`` together with what the two other files, where there are any, say."""
    return RobotsRules(
        rules.parsed,
        rules.allow_all,
        usage=rules.usage,
        reserved=[] if tdmrep is None else read_tdmrep(tdmrep),
        ai_txt=None if ai_txt is None else read_ai_txt(ai_txt),
    )


def _text(body: bytes) -> str:
    marked = body.startswith((b"\xff\xfe", b"\xfe\xff"))
    return body.decode("utf-16" if marked else "utf-8-sig", errors="replace")


def _normalised(text: str) -> str:
    """Return robots.txt with one bare product name a line: no version, no contact, no list."""
    lines = []
    for line in text.splitlines():
        agent = _AGENT_LINE.match(line)
        names = agent[1].split(",") if agent else []
        bare = [re.split(r"[\s/(]", name.strip(" \t\"'"), maxsplit=1)[0] for name in names]
        bare = [name if name == "*" else name.rstrip("*") for name in bare if name]
        lines += [f"User-agent: {name}" for name in bare if name] if bare else [line]
    return "\n".join(lines)


def _usage_rules(text: str) -> list[tuple[str, bool]]:
    """Return what Content-Signal and Content-Usage lines say of training, for our group or all.

    A line before the first group speaks to everybody.
    """
    for_all: list[tuple[str, bool]] = []
    ours: list[tuple[str, bool]] = []
    everybody: list[tuple[str, bool]] = []
    agents: list[str] = []
    named = in_agents = False
    for line in text.splitlines():
        if agent := _AGENT_LINE.match(line):
            agents = (
                [*agents, agent[1].strip().lower()] if in_agents else [agent[1].strip().lower()]
            )
            in_agents = True
            named = named or any(_means_us(each) for each in agents)
            continue
        in_agents = in_agents and not line.split("#")[0].strip()
        usage = _USAGE_LINE.match(line)
        if usage is None:
            continue
        rule = _usage_rule(usage[1].lower(), usage[2].strip())
        if rule is not None:
            for applies, rules in (
                (not agents, for_all),
                (any(map(_means_us, agents)), ours),
                ("*" in agents, everybody),
            ):
                if applies:
                    rules.append(rule)
    return for_all + (ours if named else everybody)


def _usage_rule(key: str, value: str) -> tuple[str, bool] | None:
    if key == "disallowaitraining":
        return (value or "/", True)
    pattern = "/"
    if value.startswith(("/", "*")):
        pattern, _, value = value.partition(" ")
    if forbids_training(value):
        return (pattern, True)
    return (pattern, False) if allows_training(value) else None


def _means_us(agent: str) -> bool:
    return agent != "*" and agent in PRODUCT
