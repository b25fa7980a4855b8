"""Tokens of OAuth 2 that a library of the provider asks for: its patience and its errors are replaced by ours.

What such libraries raise may carry requests, and so secrets. Nothing of it goes further: not the error, not its cause.
"""

from __future__ import annotations

import math
import os
import queue
import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from imagery.credentials import Secret
from imagery.errors import (
    BadAnswerError,
    CredentialsError,
    ImageryError,
    RateLimitedError,
    SourceError,
    UnreachableError,
)
from imagery.exchange import Hosts, Request
from imagery.http.answers import Setback, judge_status
from imagery.http.transport import authorities
from imagery.redact import one_line
from imagery.retry import LEAST_WAIT_S, Clock, Patience, wait_s
from imagery.tokens import Token

ANSWER_S = 10.0
"""For one attempt, from connecting to the last byte: a library may set no limit of its own. Two attempts must fit into
the half minute in which a run without a network has to say so."""
CONNECT_ATTEMPTS = 2
"""Where no connection comes about."""
SECONDS_UP_TO = 120.0
"""A larger number in Retry-After is in milliseconds: gateways in front of token servers write seconds, Sentinel Hub
itself milliseconds, and nobody asks for more than two minutes."""
LEAST_LIFE_S, MOST_LIFE_S = 1.0, 7 * 24 * 3600.0
REFUSALS = frozenset(
    ("access_denied", "invalid_client", "invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client")
)
"""What asking again does not change (RFC 6749, section 5.2)."""

_PRINTABLE = re.compile(r"[\x21-\x7e]{1,16384}")


@dataclass(frozen=True, kw_only=True)
class Grant:
    """How a token is asked for."""

    ask: Callable[[], Mapping[str, Any]]
    """Asks once, with the provider's library, and returns the answer's fields; raises what that library raises."""
    url: str
    """Where it asks, for messages."""
    hint: str
    """What to do where the credentials are refused."""


def obtain_token(grant: Grant, *, clock: Clock, patience: Patience, sent: Callable[[], None]) -> Token:
    """Get a token, waiting where the server asks for it or fails.

    Parameters
    ----------
    grant
        How to ask.
    clock
        Waits.
    patience
        How often and how long.
    sent
        Called before each attempt, to count it.

    Raises
    ------
    CredentialsError
        Where the server does not take the credentials: asked once.
    RateLimitedError, UnreachableError, BadAnswerError, SourceError
        Where no token came in spite of all patience.
    """
    _share_authorities()
    begun, failures = clock.monotonic(), 0
    while True:
        sent()
        outcome = _attempt(grant)
        if isinstance(outcome, Token):
            return outcome
        if isinstance(outcome, ImageryError):
            raise outcome
        failures += 1
        left = begun + patience.request_s - clock.monotonic()
        if left < LEAST_WAIT_S or failures >= _most(outcome, patience):
            raise outcome.error(f"{_host(grant)}: {outcome.text}; no token after {failures} attempts")
        wait = wait_s(failures, asked_s=outcome.asked_s, draw=random.random())  # noqa: S311 - jitter, no secret
        clock.sleep(min(left, wait))


def _share_authorities() -> None:
    """Let the library trust whom our own connections trust: what uses `requests` looks into this variable alone."""
    trusted = authorities(os.environ)
    if isinstance(trusted, str):
        os.environ.setdefault("REQUESTS_CA_BUNDLE", trusted)


def _most(setback: Setback, patience: Patience) -> float:
    """Return how many attempts a kind of failure is worth; being told to wait ends with the time alone."""
    if setback.kind == "busy":
        return float("inf")
    return CONNECT_ATTEMPTS if setback.kind == "unreachable" else patience.attempts


def _host(grant: Grant) -> str:
    return urlsplit(grant.url).netloc


def _attempt(grant: Grant) -> Token | Setback | ImageryError:
    """Ask once, in a thread that may be left behind: what the library waits for has no limit."""
    answers: queue.SimpleQueue[Mapping[str, Any] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(grant.ask())
        except Exception as error:  # noqa: BLE001 - handed over whole, and judged or raised there
            answers.put(error)

    threading.Thread(target=ask, daemon=True, name="token").start()
    try:
        answer = answers.get(timeout=ANSWER_S)
    except queue.Empty:
        return Setback(text=f"no answer within {ANSWER_S:g} s", error=UnreachableError, kind="unreachable")
    return _judged(answer, grant) if isinstance(answer, Exception) else _token(answer, grant)


def _token(fields: Mapping[str, Any], grant: Grant) -> Token | ImageryError:
    text, life = fields.get("access_token"), fields.get("expires_in")
    if not isinstance(text, str) or not _PRINTABLE.fullmatch(text):
        return BadAnswerError(f"{_host(grant)}: its answer holds no token that could be sent on")
    try:
        seconds = float(str(life))
    except ValueError:
        seconds = math.nan
    if not LEAST_LIFE_S <= seconds <= MOST_LIFE_S:
        return BadAnswerError(f"{_host(grant)}: its token is good for {str(life)[:40]!r} s; a number is expected")
    return Token(value=Secret(text), life_s=seconds)


def _judged(error: Exception, grant: Grant) -> Setback | ImageryError:
    """Return what an error of the library means; raise what is a bug."""
    # The library may wrap what `requests` raised.
    error = getattr(error, "request_exception", None) or error
    if hasattr(error, "error") and hasattr(error, "description"):
        return _judged_grant(error, grant)
    response = getattr(error, "response", None)
    if isinstance(error, requests.HTTPError) and response is not None:
        return _judged_status(response, grant)
    if isinstance(error, requests.exceptions.SSLError):
        return UnreachableError(
            f"{_host(grant)}: its certificate is not trusted, so no credentials were sent; a proxy that looks into"
            " connections needs its own authority in REQUESTS_CA_BUNDLE"
        )
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return Setback(text="cannot be connected to", error=UnreachableError, kind="unreachable")
    if isinstance(error, requests.RequestException):
        return SourceError(f"{_host(grant)}: no token could be asked for ({type(error).__name__})")
    if isinstance(error, KeyError | TypeError | ValueError | AttributeError | Warning):
        # What libraries raise where they take an answer for granted, such as one without `expires_in`, or a list.
        return BadAnswerError(
            f"{_host(grant)}: its answer makes no sense as a token with its expires_in ({type(error).__name__})"
        )
    raise error


def _judged_grant(error: Any, grant: Grant) -> Setback | ImageryError:
    """Return what an error in the words of OAuth (oauthlib's `OAuth2Error`) means."""
    if error.error == "insecure_transport":
        return CredentialsError(f"{_host(grant)}: credentials are sent over https only; its address begins with http:")
    if error.error == "missing_token":
        return BadAnswerError(
            f"{_host(grant)}: this is not an OAuth answer, it holds no token. Is a proxy or the login page of a network"
            " (captive portal) in between? Open any page in a browser and try again"
        )
    said = one_line(f"{error.error}: {error.description}" if error.description else str(error.error), most=120)
    if error.error in REFUSALS:
        return CredentialsError(f"{_host(grant)} does not take the credentials ({said}). {grant.hint}")
    # Such as of a limit of requests; the library does not hand on the status.
    return Setback(text=f"gave no token ({said})", error=RateLimitedError)


def _judged_status(response: requests.Response, grant: Grant) -> Setback | ImageryError:
    headers = {name.lower(): value for name, value in response.headers.items()}
    text = headers.get("retry-after", "").strip()
    in_ms = text.isdigit() and float(text) > SECONDS_UP_TO
    asked = Request(url=grant.url, hosts=Hosts(suffixes=()), method="POST", retry_after_ms=in_ms)
    judged = judge_status(asked, response.status_code, headers, response.content[:4096], now=Clock().now())
    if isinstance(judged, Setback):
        return judged
    if response.status_code in (400, 401):
        return CredentialsError(f"{_host(grant)} {judged}. {grant.hint}")
    return type(judged)(f"{_host(grant)}: {judged}")
