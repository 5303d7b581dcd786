"""Hostile URLs: nothing private is ever contacted, however it is spelt or resolved."""

import asyncio
import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.addresses import AddressPolicy, RefusedAddressError, check_url, why_refused
from crawler.network import Network
from tests.crawler.helpers import crawl, rows

PUBLIC = "93.184.216.34"

HOSTILE = [
    # odd spellings of addresses
    "http://2130706433/",
    "http://017700000001/",
    "http://0x7f000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0177.0.0.1/",
    "http://0177.0.0.01/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0/",
    "http://0x0/",
    "http://127.0.0.1./",
    "http://10.0.0.0x1/",
    "http://3232235777/",
    "http://192.168.257/",
    "http://127%2e0%2e0%2e1/",
    "http://１２７.0.0.1/",
    "http://127。0。0。1/",
    "http://134744072/",  # a public address, oddly spelt all the same
    # addresses outside the public internet
    "http://127.0.0.1/",
    "http://10.1.2.3/",
    "http://172.16.0.1/",
    "http://192.168.1.1:8080/admin",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://169.254.169.254/latest/meta-data/",
    "http://168.63.129.16/machine",
    "http://192.0.0.192/opc/v2/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    # IPv6, and IPv4 wrapped in it
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "http://[2001:4860:4860::5efe:127.0.0.1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[ff02::1]/",
    # names that resolve to such addresses
    "http://loopback.attacker.dev/",
    "http://localhost/",
    "http://metadata.attacker.dev/",
    "http://nat.attacker.dev/",
    "http://mapped.attacker.dev/",
    "http://mixed.attacker.dev/",  # one public address and one private
    "http://nothing.attacker.dev/",
    "http://garbage.attacker.dev/",
    # URLs that two parsers read differently, and other schemes
    "http://user:secret@shop.dev/",
    "http://shop.dev@127.0.0.1/",
    "http://shop.dev\\@127.0.0.1/",
    "http://127.0.0.1\t.shop.dev/",
    "http://shop.dev:99999/",
    "http://[::1/",
    "http:///etc/passwd",
    "ftp://shop.dev/picture.png",
    "file:///etc/passwd",
    "gopher://shop.dev/",
    "data:image/png;base64,AAAA",
]

ANSWERS = {
    "loopback.attacker.dev": ["127.0.0.1"],
    "localhost": ["127.0.0.1", "::1"],
    "metadata.attacker.dev": ["169.254.169.254"],
    "nat.attacker.dev": ["100.64.1.1"],
    "mapped.attacker.dev": ["::ffff:10.0.0.1"],
    "mixed.attacker.dev": [PUBLIC, "192.168.0.1"],
    "nothing.attacker.dev": [],
    "garbage.attacker.dev": ["not an address"],
    "shop.dev": [PUBLIC],
}


class Wire:
    """Stands for resolver and sockets: counts both, and leads every socket to one loopback port."""

    def __init__(self, answers=ANSWERS, port=None):
        self.answers, self.port = answers, port
        self.looked_up, self.contacted = [], []

    async def lookup(self, host, port):
        self.looked_up.append(host)
        answers = self.answers[host]
        return answers(len(self.looked_up)) if callable(answers) else answers

    def open_socket(self, info):
        self.contacted.append(info[4][0])
        assert self.port is not None, f"a connection to {info[4][0]} was attempted"
        wire = self

        class LoopbackSocket(socket.socket):
            def connect(self, address):
                super().connect(("127.0.0.1", wire.port))

        return LoopbackSocket(socket.AF_INET, info[1], info[2])

    def network(self, policy=AddressPolicy.PUBLIC_ONLY, agent="test"):
        return Network(
            policy,
            user_agent=agent,
            timeout=5.0,
            lookup=self.lookup,
            socket_factory=self.open_socket,
        )


def test_there_are_at_least_forty_hostile_urls():
    assert len(set(HOSTILE)) >= 40


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_urls_are_refused_without_a_connection(url):
    wire = Wire()

    async def attempt():
        async with wire.network() as network:
            await network.fetch(url, {}, max_bytes=1000)

    if "nothing." in url:  # no address at all: a failure, not a refusal
        with pytest.raises(Exception, match="cannot be resolved"):
            asyncio.run(attempt())
    else:
        with pytest.raises(RefusedAddressError):
            asyncio.run(attempt())
    assert wire.contacted == []


def test_a_dns_answer_that_changes_after_the_check_changes_nothing(serve):
    site = serve(characters=1)
    # Public when first asked, private ever after: what rebinding attacks do.
    flipping = {"shop.dev": lambda times: [PUBLIC] if times == 1 else ["127.0.0.1"]}
    wire = Wire(flipping, site.port)

    async def attempt():
        async with wire.network() as network:
            first = await network.fetch("http://shop.dev/list/1", {}, max_bytes=10_000)
            with pytest.raises(RefusedAddressError):
                await network.fetch("http://shop.dev/list/1", {}, max_bytes=10_000)
            return first

    assert asyncio.run(attempt()).status == 200
    assert wire.looked_up == ["shop.dev"] * 2  # once per connection: check and use are one answer
    assert wire.contacted == [PUBLIC]


def test_a_crawl_of_a_public_site_is_not_led_into_private_networks(serve, tmp_path):
    """Every hostile URL as a redirect, as a link and as an image: only the site is contacted."""
    hostile = [url for url in HOSTILE if "\t" not in url]
    site = serve(characters=1, hostile=hostile)
    wire = Wire(port=site.port)
    description = site.describe(
        top='name = "test-site"\ncontact = "tester@crawl.test-site.dev"\n'
        'hosts = ["*"]\nimage_hosts = ["*"]',
        pages='start = ["http://shop.dev/hostile"]\nfollow = "a"\nimage = "img"',
    )
    summary = crawl(
        description,
        tmp_path / "out",
        policy=AddressPolicy.PUBLIC_ONLY,
        network_factory=lambda policy, site: wire.network(policy, site.user_agent),
    )
    assert set(wire.contacted) == {PUBLIC}
    assert site.paths().count("/robots.txt") == 1
    redirects = [path for path in site.paths() if path.startswith("/to/")]
    assert len(redirects) == len(hostile)
    assert summary.stored == 0
    refused = rows(tmp_path / "out", "SELECT count(*) FROM targets WHERE state = 'refused'")
    assert refused[0][0] >= 40


def test_private_only_contacts_nothing_public():
    wire = Wire()

    async def attempt():
        async with wire.network(AddressPolicy.PRIVATE_ONLY) as network:
            await network.fetch("http://shop.dev/", {}, max_bytes=1000)

    with pytest.raises(RefusedAddressError, match="own site"):
        asyncio.run(attempt())
    assert wire.contacted == []


@pytest.mark.parametrize("policy", list(AddressPolicy))
@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "http://100.64.0.1/", "http://[::ffff:127.0.0.1]/"]
)
def test_no_policy_allows_metadata_nat_or_mapped_addresses(policy, url):
    with pytest.raises(RefusedAddressError):
        check_url(url, policy)


@given(st.ip_addresses(v=4))
def test_whatever_python_calls_not_global_is_refused_and_so_are_all_its_ipv6_wrappings(address):
    number = int(address)
    if not address.is_global:
        assert why_refused(address, AddressPolicy.PUBLIC_ONLY)
    for wrapped in (
        (0xFFFF << 32) | number,  # mapped
        number,  # compatible
        (0x64FF9B << 96) | number,  # NAT64
        (0x2002 << 112) | (number << 80),  # 6to4
        (0x20010000 << 96) | (number ^ 0xFFFFFFFF),  # Teredo
    ):
        assert why_refused(ipaddress.IPv6Address(wrapped), AddressPolicy.PUBLIC_ONLY)


@given(st.ip_addresses(v=4), st.sampled_from(["{0}", "0x{0:x}", "0{0:o}"]))
def test_only_the_dotted_decimal_spelling_of_an_address_is_accepted(address, spelling):
    with pytest.raises(RefusedAddressError):
        check_url(f"http://{spelling.format(int(address))}/", AddressPolicy.PUBLIC_AND_PRIVATE)


@pytest.mark.parametrize(
    "url", ["http://8.8.8.8/", "https://[2606:4700::1111]/x?y=1", "http://shop.dev:8080/a%20b"]
)
def test_ordinary_public_urls_pass(url):
    assert str(check_url(url, AddressPolicy.PUBLIC_ONLY)) == url
