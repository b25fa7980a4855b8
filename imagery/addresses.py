"""Which addresses may be asked: their names before anything is sent, and the machines behind them before connecting."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

from imagery.errors import AddressError
from imagery.exchange import Hosts
from imagery.redact import one_line

MAX_LENGTH = 8192
"""Characters of an address; a signed one has some hundreds."""

Reach = Literal["public", "configured", "loopback"]
"""What machine an address may lead to: one on the public Internet, any, or this one."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\]")
_PARTS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^\]]*\]|[^:/?#]*)(?::(?P<port>[0-9]{1,5}))?(?:[/?].*)?", re.IGNORECASE
)
# What RFC 3986 lets stand in an address. Parsers disagree about everything else: a host may hide behind it.
_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_IPv4 = ipaddress.IPv4Address
_IPv6 = ipaddress.IPv6Address


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Whom an address asks."""

    scheme: Literal["http", "https"]
    host: str
    """In lower case; an IPv6 address in brackets."""
    port: int

    def __str__(self) -> str:
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine by its name: `localhost`, 127.x.y.z or ::1."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


def parse_origin(url: str) -> Origin:
    """Return whom `url` asks.

    Raises
    ------
    AddressError
        For anything but a plain http or https address: with a user or a fragment, with characters that no address has,
        with a host that is no host name, with no port number, or too long.
    """
    if len(url) > MAX_LENGTH:
        raise AddressError(f"an address of {len(url):,} characters, over the cap of {MAX_LENGTH:,}; not asked")
    found = _PARTS.fullmatch(url)
    if not found or not _CHARACTERS.fullmatch(url) or "#" in url:
        raise _refused(url, "it is no plain http or https address")
    host, port = found["host"].lower(), found["port"]
    if "@" in host:
        raise _refused(url, "a user or password stands in it")
    if not _HOST.fullmatch(host) or len(host) > 253:
        raise _refused(url, "its host is no host name")
    scheme: Literal["http", "https"] = "https" if found["scheme"].lower() == "https" else "http"
    number = int(port) if port else _DEFAULT_PORTS[scheme]
    if not 0 < number < 65536:
        raise _refused(url, f"{number} is no port")
    return Origin(scheme=scheme, host=host, port=number)


def same_origin(one: str, other: str) -> bool:
    """Return whether two addresses have the same scheme, host and port; False where one of them is none.

    Examples
    --------
    >>> same_origin("https://example.org/a", "https://EXAMPLE.org:443/b?c=d")
    True
    """
    try:
        return parse_origin(one) == parse_origin(other)
    except AddressError:
        return False


def reach_of(url: str, hosts: Hosts) -> Reach:
    """Return what machine `url` may lead to, provided that `hosts` allows it at all.

    "configured" where the user gave its origin, "loopback" where the user gave a loopback origin and this is one too,
    "public" for https on port 443 of the hosts below `hosts.suffixes`.

    Raises
    ------
    AddressError
        For every other address.
    """
    asked = parse_origin(url)
    given = [parse_origin(origin) for origin in hosts.configured]
    if asked.is_loopback:
        if any(origin.is_loopback for origin in given):
            return "loopback"
        raise _refused(url, "it leads to this machine itself")
    if asked.scheme != "https":
        raise _refused(url, "only https is, or http on this machine itself: anybody on the way could change the answer")
    if asked in given:
        return "configured"
    if not any(_is_below(asked.host, suffix) for suffix in hosts.suffixes):
        raise _refused(url, "its host is none of this source's")
    if asked.port != _DEFAULT_PORTS["https"]:
        raise _refused(url, f"port {asked.port} is not the one of https (443)")
    return "public"


def may_connect(ip: str, reach: Reach) -> bool:
    """Return whether an address of that reach may lead to the machine `ip` (a numeric address)."""
    if reach == "configured":
        return True
    return ipaddress.ip_address(ip).is_loopback if reach == "loopback" else is_public(ip)


def is_public(ip: str) -> bool:
    """Return whether a numeric address belongs to the public Internet, also through the IPv6 forms of IPv4 addresses.

    Not public: private, shared (100.64.0.0/10), loopback, link-local (where clouds keep their metadata service),
    multicast, reserved and documentation addresses; and text that is no numeric address.

    References
    ----------
    The special-purpose address registries of IANA (RFC 6890); RFC 6052 for 64:ff9b::/96; RFC 3056 for 2002::/16.

    Examples
    --------
    >>> is_public("8.8.8.8"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    try:
        address = ipaddress.ip_address(ip.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    inner = _inner(address) if isinstance(address, _IPv6) else None
    if inner is not None:
        return is_public(str(inner))
    local = isinstance(address, _IPv6) and (address.is_site_local or address.teredo is not None)
    return address.is_global and not (local or address.is_multicast or address.is_reserved)


def _inner(address: _IPv6) -> _IPv4 | None:
    """Return the IPv4 address that an IPv6 address stands for: mapped, 6to4, or translated."""
    if address in _NAT64:
        return _IPv4(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _is_below(host: str, suffix: str) -> bool:
    suffix = suffix.lower().strip(".")
    return bool(suffix) and (host == suffix or host.endswith("." + suffix))


def _refused(url: str, why: str) -> AddressError:
    return AddressError(f"the address {one_line(url.split('?', maxsplit=1)[0], most=120)!r} is not asked: {why}")
