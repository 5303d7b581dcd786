"""Which URLs and network addresses the crawler may contact.

A page decides what its links and redirects say, so without these checks any page could make the
crawler speak to the network it runs in (server-side request forgery).
"""

import ipaddress
import re
from enum import Enum
from urllib.parse import urlsplit

import yarl

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressPolicy(Enum):
    """Which addresses may be contacted."""

    PUBLIC_ONLY = "public only"
    PUBLIC_AND_PRIVATE = "public and private"
    PRIVATE_ONLY = "private only"


class RefusedAddressError(OSError):
    """A URL, host or address is outside the policy. An ``OSError``: network code passes it on."""


# The registries of special-purpose addresses (RFC 6890 and successors), written out because
# ``ipaddress.is_global`` differs between patch releases of Python and knows nothing of metadata
# services at public addresses.
_NEVER_V4 = [
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8",  # "this" network
        "100.64.0.0/10",  # carrier-grade NAT; some clouds keep their metadata service here
        "169.254.0.0/16",  # link-local, with the metadata service of most clouds
        "168.63.129.16/32",  # a cloud's host agent, at a public address
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
]
_NEVER_V6 = [
    ipaddress.ip_network(block)
    for block in (
        "2001::/23",  # protocol assignments, with Teredo, which embeds an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which embeds an IPv4 address
        "3fff::/20",  # documentation
        "fd00:ec2::/32",  # a cloud's metadata service
    )
]
_UNICAST_V6 = ipaddress.ip_network("2000::/3")  # everything public lies in here
# One's own machine or local network: what ``--allow-private`` adds.
_PRIVATE = [
    ipaddress.ip_network(block)
    for block in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
    )
]

# ISATAP interface identifiers embed an IPv4 address in the low half of any IPv6 address.
_ISATAP_MARKS = (0x00005EFE, 0x02005EFE)

_HOST_NAME = re.compile(r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_-]{1,63}")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_UNSAFE_CHARACTER = re.compile(r"[\x00-\x20\x7f\\]")


def why_refused(address: IPAddress, policy: AddressPolicy) -> str | None:
    """Return why ``policy`` forbids to contact ``address``, or None when it may be contacted."""
    private = any(address.version == block.version and address in block for block in _PRIVATE)
    if _is_never_contacted(address):
        return f"{address} is a special-purpose address"
    if private and policy is AddressPolicy.PUBLIC_ONLY:
        return f"{address} is a private address"
    if not private and policy is AddressPolicy.PRIVATE_ONLY:
        return f"{address} is not a private address, and only one's own site may be contacted"
    if private:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST_V6:
        return f"{address} is not a public address"
    if not address.is_global:
        return f"{address} is not a public address"
    return None


def _is_never_contacted(address: IPAddress) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return any(address in block for block in _NEVER_V4)
    embeds_ipv4 = (int(address) >> 32) & 0xFFFFFFFF in _ISATAP_MARKS
    return embeds_ipv4 or address.scope_id is not None or any(address in b for b in _NEVER_V6)


def check_address(text: str, policy: AddressPolicy) -> IPAddress:
    """Parse one address as a resolver gives it and return it, if ``policy`` allows it.

    Raises:
        RefusedAddressError: it is not an address, or not one that may be contacted.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise RefusedAddressError(f"{text!r} is not a network address") from None
    reason = why_refused(address, policy)
    if reason:
        raise RefusedAddressError(reason)
    return address


def check_url(url: str, policy: AddressPolicy) -> yarl.URL:
    """Return ``url`` as the network code will use it, if it may be contacted.

    Nothing is looked up here: names are checked for their form, addresses against ``policy``.
    IPv4 addresses have one spelling, the dotted decimal one; the decimal, octal, hexadecimal and
    shortened ones that system resolvers accept exist only to get around checks.

    Raises:
        RefusedAddressError: the scheme, the host's spelling or its address is not allowed.
    """
    if not url.isascii() or _UNSAFE_CHARACTER.search(url):
        raise RefusedAddressError(f"{url!r} holds characters that do not belong in a URL")
    try:
        parsed = yarl.URL(url, encoded=True)
        split = urlsplit(url)
        host, port = parsed.raw_host, parsed.port
        other_reading = (split.hostname, split.port or parsed.port)
    except ValueError as error:
        raise RefusedAddressError(f"{url!r} is not a valid URL ({error})") from None
    if parsed.scheme not in {"http", "https"}:
        raise RefusedAddressError(f"{url!r} is neither http nor https")
    if "@" in split.netloc:
        raise RefusedAddressError(f"{url!r} holds a user name or password")
    # Two parsers that disagree on the host are the classic way around a check.
    if not host or (host.lower(), port) != other_reading:
        raise RefusedAddressError(f"the host of {url!r} is ambiguous or missing")
    if not port or not 0 < port < 65536:
        raise RefusedAddressError(f"the port of {url!r} is not valid")
    check_host(host.lower(), policy)
    return parsed


def check_host(host: str, policy: AddressPolicy) -> None:
    """Check a host in lower case: the form of a name, the address and spelling of a literal.

    Raises:
        RefusedAddressError: it is malformed, an odd spelling of an address, or refused.
    """
    if ":" in host:
        check_address(host, policy)
        return
    name = host.removesuffix(".")
    if not _HOST_NAME.fullmatch(name):
        raise RefusedAddressError(f"{host!r} is not a valid host name")
    # The rule of the URL standard: a last label that looks numeric makes the host an IPv4 address.
    if not _NUMERIC_LABEL.fullmatch(name.rsplit(".", 1)[-1]):
        return
    try:
        canonical = str(ipaddress.IPv4Address(host))
    except ValueError:
        canonical = ""
    if canonical != host:
        raise RefusedAddressError(f"{host!r} is an odd spelling of an IPv4 address")
    check_address(host, policy)
