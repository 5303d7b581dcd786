"""Turning what pages say into absolute URLs, and naming hosts."""

import hashlib
from urllib.parse import urljoin, urlsplit, urlunsplit

from w3lib.url import safe_url_string

_DEFAULT_PORTS = {"http": 80, "https": 443}


def absolute_url(base: str, reference: str) -> str | None:
    """Return ``reference`` (as found on the page ``base``) as one absolute, escaped URL.

    The fragment and a default port are dropped and the host is in lower case, so that one
    resource has one spelling. None for anything but http and https, and for what cannot be parsed.
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
    return urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))


def host_of(url: str) -> str:
    """Return the host of ``url`` in lower case without port: what the request rate counts by."""
    return (urlsplit(url).hostname or "").removesuffix(".")


def origin_of(url: str) -> str:
    """Return scheme, host and port of ``url``: what one robots.txt speaks for."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


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
