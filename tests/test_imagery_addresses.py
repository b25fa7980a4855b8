"""Which addresses are asked, by their names and by the machines behind them."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagery.addresses import is_public, may_connect, parse_origin, reach_of, same_origin
from imagery.errors import AddressError, SourceError
from imagery.exchange import Hosts

PUBLIC = Hosts(suffixes=("earth-search.aws.element84.com", "blob.core.windows.net"))
LOCAL = Hosts(suffixes=("example.org",), configured=("http://127.0.0.1:8080",))
OWN = Hosts(suffixes=("example.org",), configured=("https://stac.corp.test:8443",))


@pytest.mark.parametrize(
    ("url", "hosts", "expected"),
    [
        ("https://earth-search.aws.element84.com/v1/search", PUBLIC, "public"),
        ("https://EARTH-search.aws.element84.com:443/v1", PUBLIC, "public"),
        ("https://account.blob.core.windows.net/c/a%20b.tif?sig=x%2B", PUBLIC, "public"),
        ("http://127.0.0.1:8080/a", LOCAL, "loopback"),
        ("http://127.0.0.1:9/other-port", LOCAL, "loopback"),
        ("https://localhost:9/a", LOCAL, "loopback"),
        ("http://[::1]:9/a", LOCAL, "loopback"),
        ("https://stac.corp.test:8443/v1", OWN, "configured"),
        ("https://a.example.org/v1", OWN, "public"),
    ],
)
def test_allowed(url: str, hosts: Hosts, expected: str) -> None:
    assert reach_of(url, hosts) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://earth-search.aws.element84.com/v1",
        "https://earth-search.aws.element84.com:8443/v1",
        "https://earth-search.aws.element84.com.evil.test/v1",
        "https://evil-earth-search.aws.element84.com/v1",
        "https://user@earth-search.aws.element84.com/v1",
        "https://earth-search.aws.element84.com@evil.test/v1",
        "https://evil.test\\@earth-search.aws.element84.com/v1",
        "https://evil.test#@earth-search.aws.element84.com/v1",
        "https://evil.test?@earth-search.aws.element84.com/v1",
        "https://earth-search.aws.element84.com\n.evil.test/",
        " https://earth-search.aws.element84.com/v1",
        "https://earth-search.aws.element84.com/<x>",
        "https://earth-search.aws.element84.com:99999/v1",
        "https://earth-search.aws.element84.com:/v1 x",
        "https://" + "a" * 64 + ".blob.core.windows.net/",
        "https://earth-search.aws.element84.com/" + "a" * 9000,
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://2852039166/latest/meta-data",
        "https://0x7f.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://localhost/",
        "/vsicurl/https://earth-search.aws.element84.com/v1",
        "zip+https://earth-search.aws.element84.com/v1!a",
        "file:///etc/passwd",
        "s3://sentinel-s2-l2a/tiles/36/S/YE",
        "//earth-search.aws.element84.com/v1",
        "https:///v1",
        "",
    ],
)
def test_row_20_refused(url: str) -> None:
    with pytest.raises(AddressError, match="not asked"):
        reach_of(url, PUBLIC)


def test_a_configured_origin_opens_nothing_else() -> None:
    for url in ("https://stac.corp.test/v1", "http://stac.corp.test:8443/v1", "https://x.stac.corp.test:8443/"):
        with pytest.raises(AddressError):
            reach_of(url, OWN)
    with pytest.raises(AddressError, match="only https"):
        reach_of("http://10.0.0.5:8080/", Hosts(suffixes=(), configured=("http://10.0.0.5:8080",)))


def test_an_empty_suffix_allows_nothing() -> None:
    with pytest.raises(AddressError, match="none of this source's"):
        reach_of("https://example.org/", Hosts(suffixes=("", ".")))


def test_a_refusal_shows_no_secret() -> None:
    with pytest.raises(SourceError) as caught:
        reach_of("https://me:cAnary@evil.test/a?sig=cAnary", PUBLIC)
    assert "cAnary" not in str(caught.value)


@given(st.text() | st.from_regex(r"https?://[a-z0-9.:@\[\]%-]{0,20}(/.*)?", fullmatch=True))
def test_any_text_is_an_origin_or_refused(text: str) -> None:
    try:
        origin = parse_origin(text)
    except AddressError:
        return
    assert parse_origin(str(origin)) == origin
    assert same_origin(text, str(origin))


def test_origins_differ_by_scheme_host_or_port() -> None:
    assert same_origin("https://example.org/a", "https://EXAMPLE.org:443/b")
    assert not same_origin("https://example.org", "http://example.org")
    assert not same_origin("https://example.org", "https://example.org:8443")
    assert not same_origin("https://example.org", "https://www.example.org")
    assert not same_origin("example.org", "example.org")


# From the registries of IANA, without the help of `ipaddress.is_global`.
CLOSED = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "::/128", "::1/128", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "2001:db8::/32", "2001::/32",
    "64:ff9b:1::/48",
]  # fmt: skip


def addresses_of(network: str) -> st.SearchStrategy[str]:
    """Draw addresses of a network, its ends included."""
    whole = ipaddress.ip_network(network)
    return st.integers(int(whole[0]), int(whole[-1])).map(lambda number: str(type(whole[0])(number)))


@given(st.sampled_from(CLOSED).flatmap(addresses_of))
def test_closed_networks_are_not_public(ip: str) -> None:
    assert not is_public(ip)
    assert not may_connect(ip, "public")


@given(st.sampled_from(CLOSED[:13]).flatmap(addresses_of))
def test_row_30_closed_networks_are_not_public_in_any_form_of_ipv6(ip: str) -> None:
    number = int(ipaddress.IPv4Address(ip))
    forms = [ipaddress.IPv6Address(base + number) for base in (0xFFFF << 32, 0x64FF9B << 96)]
    forms += [ipaddress.IPv6Address((0x2002 << 112) + (number << 80))]
    assert [is_public(str(form)) for form in forms] == [False, False, False]


@pytest.mark.parametrize(
    "ip", ["8.8.8.8", "52.218.0.1", "2a00:1450:4001:81b::200e", "64:ff9b::8.8.8.8", "2002:808:808::"]
)
def test_the_internet_is_public(ip: str) -> None:
    assert may_connect(ip, "public")
    assert may_connect(ip, "configured")
    assert not may_connect(ip, "loopback")


@pytest.mark.parametrize("text", ["", "example.org", "127.1", "2130706433", "fe80::1%eth0"])
def test_what_is_no_public_numeric_address_is_not_public(text: str) -> None:
    assert not is_public(text)


def test_loopback_reaches_this_machine_alone() -> None:
    assert may_connect("127.0.0.1", "loopback")
    assert may_connect("::1", "loopback")
    assert not may_connect("10.0.0.1", "loopback")
    assert may_connect("10.0.0.1", "configured")
