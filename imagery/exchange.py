"""What is asked of a server over HTTP and what it answers, as values: no sockets here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """Which hosts an address may name; every other one is refused before anything is sent."""

    suffixes: tuple[str, ...]
    """Public hosts over https on port 443: exactly these, or below them after a dot."""
    configured: tuple[str, ...] = ()
    """Origins that the user gave, such as "http://127.0.0.1:8080": scheme, host and port as written. Only these may be
    private or loopback. A loopback origin allows every port of its host, http only on loopback."""


@dataclass(frozen=True, kw_only=True)
class Signed:
    """How a request really goes out: with what must never be stored, printed or used as a key."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


Sign = Callable[[str, bool], Signed]
"""Called with the unsigned address just before each sending; True where the last signature was refused (401, 403), so
that a new one must be had. Called again once at most."""


@dataclass(frozen=True, kw_only=True)
class Response:
    """A complete answer with a status of 200 to 299."""

    url: str
    """Unsigned."""
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes
    received: datetime
    """When the server answered, UTC: also for an answer from the cache."""
    from_cache: bool = False


Check = Callable[[Response], None]
"""Raises `BadAnswerError` for a wrong body: such an answer is asked for again, and never kept."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One question to a server; everything in it may be printed."""

    url: str
    """Unsigned, without credentials."""
    hosts: Hosts
    method: Literal["GET", "POST", "HEAD"] = "GET"
    body: Mapping[str, Any] | None = None
    """Sent as JSON with sorted keys."""
    content: bytes | None = None
    """Sent as it is instead, with the type that `headers` names."""
    headers: Mapping[str, str] = field(default_factory=dict)
    span: tuple[int, int] | None = None
    """(first byte, number of bytes) of a range request; an answer 200 instead of 206 raises `NoRangeError`."""
    version: str | None = None
    """The entity tag that the object must have; another one raises `ChangedError`. Part of the cache key."""
    sign: Sign | None = None
    retry_after_ms: bool = False
    """Sentinel Hub writes Retry-After in milliseconds, everyone else in seconds."""
    most_bytes: int = 64 * MIB
    """A longer answer is refused."""
    keep: timedelta | None = None
    """How long a kept answer serves without asking again; None: it is not kept. Offline it serves for ever."""
    check: Check | None = None


@dataclass(kw_only=True)
class Traffic:
    """What went over the wire so far."""

    requests: int = 0
    """Sent, retries and redirects included."""
    retries: int = 0
    received_bytes: int = 0
    from_cache: int = 0
    """Answers that needed no request."""
    processing_units: float = 0.0
    """Of Sentinel Hub: as it counts them, and as estimated where it does not say."""
