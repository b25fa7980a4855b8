"""Delivering to a receiver that the user named: sent until it acknowledges, and no further than it may lead."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from imagery.addresses import Reach, parse_origin
from imagery.errors import AddressError, SourceError, UnreachableError
from imagery.http import answers
from imagery.http.connection import FailedError
from imagery.http.transport import Outgoing, Transport
from imagery.redact import quiet_loggers, redact
from imagery.retry import LEAST_WAIT_S, Clock, Patience, asked_wait_s, wait_s

PATIENCE = Patience(attempts=4, connect_s=5.0, read_s=15.0, request_s=60.0)
"""A receiver that does not take something within a minute gets it at the next call."""
WORDS_BYTES = 2048
"""Of a refusal that are read; of an acknowledgement nothing is."""
SHORTEST_TOKEN = 6
"""Characters of a part of an address that may be a token."""
_AGAIN = frozenset({408, 425, 429})
_CHANCE = random.SystemRandom()


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """What is delivered."""

    url: str
    """Of the receiver; it may hold a secret, and is never shown."""
    reach: Reach
    """Where it may lead."""
    body: bytes
    headers: Callable[[], Mapping[str, str]]
    """Made anew for each attempt, since a signature holds the time."""


@dataclass(frozen=True, kw_only=True)
class _Refusal:
    """An attempt that was not acknowledged."""

    text: str
    again: bool
    """Whether another attempt may end otherwise."""
    asked_s: float | None = None
    reached: bool = True


def _said(status: int, body: bytes, url: str) -> str:
    """Return what an answer says, without words that repeat a part of the address: a token may stand in its path."""
    words = answers.server_words(body)
    parts = [part for part in re.split(r"[/?&=#]", url.partition("://")[2])[1:] if len(part) >= SHORTEST_TOKEN]
    return f"answered {status}" + (f" ({words})" if words and not any(part in words for part in parts) else "")


def _judged(status: int, headers: Mapping[str, str], said: str, clock: Clock) -> _Refusal | None:
    """Return what a status means; None for an acknowledgement."""
    if 200 <= status < 300:
        return None
    if status in answers.REDIRECTS:
        return _Refusal(
            text=f"{said}: it redirects, which is not followed; give the address that it leads to", again=False
        )
    asked = asked_wait_s(headers, milliseconds=False, now=clock.now())
    return _Refusal(text=said, again=status in _AGAIN or status >= 500, asked_s=asked)


def _attempt(parcel: Parcel, transport: Transport, clock: Clock) -> _Refusal | None:
    """Send once; None where the receiver acknowledged.

    The head of an answer is the acknowledgement: what follows it is not read, however long it is.
    """
    outgoing = Outgoing(method="POST", url=parcel.url, headers=parcel.headers(), body=parcel.body, reach=parcel.reach)
    try:
        with transport.exchange(outgoing) as incoming:
            body = bytearray()
            if not 200 <= incoming.status < 300:
                with suppress(FailedError):
                    for piece in incoming.pieces(WORDS_BYTES, give_up=lambda: False):
                        body += piece
            said = _said(incoming.status, bytes(body[:WORDS_BYTES]), parcel.url)
            return _judged(incoming.status, incoming.headers, said, clock)
    except FailedError as failed:
        if failed.kind == "barred":
            raise AddressError(f"{parse_origin(parcel.url)}: {failed.text}") from None
        return _Refusal(text=failed.text, again=failed.kind != "tls", reached=failed.kind == "broken")


def deliver(parcel: Parcel, *, patience: Patience = PATIENCE, clock: Clock | None = None) -> int:
    """Send something until its receiver acknowledges it with a status of 200 to 299.

    Redirects are not followed, and machines that `parcel.reach` leaves out are not connected to.

    Returns
    -------
    int
        How many attempts it took.

    Raises
    ------
    AddressError
        Where the name leads to a machine that must not be reached; nothing was sent.
    UnreachableError, SourceError
        Where no attempt was acknowledged. It may have arrived all the same: the receiver's answer can be lost.
    """
    quiet_loggers()
    clock = clock or Clock()
    transport, started, failures = Transport(patience), clock.monotonic(), 0
    try:
        while (refusal := _attempt(parcel, transport, clock)) is not None:
            failures += 1
            left = started + patience.request_s - clock.monotonic()
            most = patience.attempts if refusal.reached else patience.connect_attempts
            if not refusal.again or failures >= most or left < LEAST_WAIT_S:
                tried = f"{failures} attempt{'s' if failures != 1 else ''}"
                kind = SourceError if refusal.reached else UnreachableError
                raise kind(redact(f"{parse_origin(parcel.url)}: {refusal.text} ({tried})"))
            clock.sleep(min(left, wait_s(failures, asked_s=refusal.asked_s, draw=_CHANCE.random())))
    finally:
        transport.close()
    return failures + 1
