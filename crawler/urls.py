"""Turning what pages say into absolute URLs, and naming hosts."""

import hashlib
import re
from collections.abc import Collection
from urllib.parse import urljoin, urlsplit, urlunsplit

from w3lib.url import safe_url_string

_DEFAULT_PORTS = {"http": 80, "https": 443}


def absolute_url(base: str, reference: str, ignored_parameters: Collection[str] = ()) -> str | None:
    """Return ``reference`` (as found on the page ``base``) as one absolute, escaped URL.

    The fragment, a default port and ``ignored_parameters`` (session ids; names in lower case) are
    dropped and the host is in lower case, so that one resource has one spelling. None for
    anything but http and https, and for what cannot be parsed.
    """
    try:
        # Joined twice: escaping removes characters, and what is left may join differently.
        joined = urljoin(base, safe_url_string(urljoin(base, reference.strip())))
        parts = urlsplit(joined)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host:
        return None
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        netloc = f"{netloc}:{port}"
    if "@" in parts.netloc:  # kept, so that it is refused by name and not silently changed
        netloc = f"{parts.netloc.rpartition('@')[0]}@{netloc}"
    path, query = parts.path or "/", parts.query
    if ignored_parameters:
        path = re.sub(
            r";([^;/=]*)[^;/]*",
            lambda found: "" if found[1].lower() in ignored_parameters else found[0],
            path,
        )
        pairs = [each for each in query.split("&") if _name_in(each) not in ignored_parameters]
        query = "&".join(pairs)
    return urlunsplit((parts.scheme, netloc, path, query, ""))


def host_of(url: str) -> str:
    """Return the host of ``url`` in lower case without port: what the request rate counts by."""
    return (urlsplit(url).hostname or "").removesuffix(".")


def origin_of(url: str) -> str:
    """Return scheme, host and port of ``url``: what one robots.txt speaks for."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def name_of(origin: str) -> str:
    """Return how messages name an origin: its host, and its port where that is not the usual."""
    return urlsplit(origin).netloc


def parameters_of(url: str) -> dict[str, str]:
    """Return the parameters of ``url`` by their names in lower case: of its path and its query."""
    parts = urlsplit(url)
    pairs = [*parts.path.split(";")[1:], *parts.query.split("&")]
    return {_name_in(pair): pair.partition("=")[2] for pair in pairs if pair}


def url_digest(url: str) -> str:
    """Return the SHA-256 of ``url`` in hex: all that is kept of the URL of a forgotten picture."""
    return hashlib.sha256(url.encode()).hexdigest()


def host_matches(host: str, patterns: list[str]) -> bool:
    """Whether ``host`` is one of ``patterns``: a name, ``*.name`` (any subdomain) or ``*``."""
    return any(
        pattern == "*"
        or host == pattern
        or (pattern.startswith("*.") and host.endswith(pattern[1:]))
        for pattern in patterns
    )


def _name_in(pair: str) -> str:
    return pair.partition("=")[0].lower()
