"""One attempt at a request: signed, sent, followed where it is redirected to, read and checked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin

from imagery.addresses import parse_origin, reach_of, same_origin
from imagery.errors import AddressError, BadAnswerError, ImageryError, SourceError, UnreachableError
from imagery.exchange import Request, Response, Signed
from imagery.http import answers
from imagery.http.answers import Kind, Setback
from imagery.http.connection import FailedError
from imagery.http.pacing import Pacer
from imagery.http.transport import Incoming, Outgoing, Transport
from imagery.redact import one_line
from imagery.retry import Clock, Patience

USER_AGENT = "revisit (satellite change detection)"
WORDS_BYTES = 8192
"""Of the body of an error that are read."""

Count = Callable[..., None]
"""Adds to the traffic, by the names of its fields."""


@dataclass(kw_only=True)
class Trial:
    """One request on its way through its attempts."""

    request: Request
    host: str
    """And port."""
    started: float | None = None
    """When it was first sent, by the monotonic clock: waiting for its turn does not count."""
    failures: Counter[Kind] = field(default_factory=Counter)
    refused: bool = False
    """Whether the next signature must be a new one."""
    renewed: bool = False
    """Whether there was a new one."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """Head and body as they came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Sender:
    """Makes single attempts; safe for threads.

    Parameters
    ----------
    patience
        How long to wait for a server.
    clock
        The time.
    ends
        When the run is over, by the monotonic clock.
    count
        Where the traffic is counted.
    """

    def __init__(self, patience: Patience, clock: Clock, *, ends: float, count: Count) -> None:
        self.pacer = Pacer(patience, clock)
        self.transport = Transport(patience)
        self._patience, self._clock, self._ends, self._count = patience, clock, ends, count

    def attempt(self, trial: Trial) -> Response | Setback | ImageryError:
        """Send a request once, and wherever it is redirected to."""
        try:
            outgoing = self._outgoing(trial)
            for _ in range(self._patience.redirects + 1):
                answer = self._exchange(trial, outgoing)
                if not isinstance(answer, _Answer):
                    return answer
                if answer.status not in answers.REDIRECTS:
                    return self._judge(trial, outgoing, answer)
                outgoing = _redirected(trial.request, outgoing, answer)
        except FailedError as failed:
            return _outcome(failed)
        return SourceError(f"redirects more than {self._patience.redirects} times; not followed further")

    def _outgoing(self, trial: Trial) -> Outgoing:
        """Return the request as it goes out, signed where it has to be."""
        request, renew = trial.request, trial.refused
        trial.refused, trial.renewed = False, trial.renewed or renew
        signed = request.sign(request.url, renew) if request.sign else Signed(url=request.url)
        body = request.content
        if request.body is not None:
            body = json.dumps(request.body, sort_keys=True, allow_nan=False).encode()
        return Outgoing(
            method=request.method,
            url=signed.url,
            headers=_headers(request) | {name.lower(): value for name, value in signed.headers.items()},
            body=body,
            reach=reach_of(signed.url, request.hosts),
        )

    def _exchange(self, trial: Trial, outgoing: Outgoing) -> _Answer | Setback | ImageryError:
        """Send and receive once. The body is read only where the head is right."""
        with self.pacer.turn(str(parse_origin(outgoing.url))):
            if trial.started is None:
                trial.started = self._clock.monotonic()
            self._count(requests=1)
            with self.transport.exchange(outgoing) as incoming:
                if not 200 <= incoming.status < 300:
                    return self._words(incoming)
                wrong = answers.refused_head(trial.request, incoming.status, incoming.headers)
                return wrong or self._body(trial.request, incoming)

    def _words(self, incoming: Incoming) -> _Answer:
        """Return an answer that is none, with the beginning of what it says."""
        body = bytearray()
        with suppress(FailedError):
            for piece in incoming.pieces(WORDS_BYTES, give_up=self._is_over):
                self._count(received_bytes=len(piece))
                body += piece
        plain = answers.decoded(bytes(body), incoming.headers, most=WORDS_BYTES)
        words = plain if isinstance(plain, bytes) else b""
        return _Answer(status=incoming.status, headers=incoming.headers, body=words[:WORDS_BYTES])

    def _body(self, request: Request, incoming: Incoming) -> _Answer | Setback | ImageryError:
        """Read a body, whole and within its cap."""
        cap = answers.cap_of(request, incoming.headers)
        if not isinstance(cap, int):
            return cap
        body = bytearray()
        for piece in incoming.pieces(cap, give_up=self._is_over):
            self._count(received_bytes=len(piece))
            body += piece
        has_body = request.method != "HEAD" and incoming.status != 204
        if request.span is not None and has_body and len(body) != cap:
            return Setback(text=f"sent {len(body):,} bytes of {cap:,} asked for", error=BadAnswerError)
        if len(body) > cap:
            return answers.too_long(cap)
        if request.span is None and has_body and not answers.shows_its_end(incoming.headers, bytes(body)):
            return Setback(text="does not say how long its answer is: it may be cut short", error=BadAnswerError)
        content = answers.decoded(bytes(body), incoming.headers, most=request.most_bytes)
        if not isinstance(content, bytes):
            return content
        return _Answer(status=incoming.status, headers=incoming.headers, body=content)

    def _judge(self, trial: Trial, outgoing: Outgoing, answer: _Answer) -> Response | Setback | ImageryError:
        """Return the response that an answer is, or what is wrong with it."""
        request = trial.request
        if not 200 <= answer.status < 300:
            # A token in a header that is no good is answered 401; 403 speaks of a signature where the address has one.
            refusals = (401,) if outgoing.url == request.url else (401, 403)
            if request.sign and answer.status in refusals and not trial.renewed:
                trial.refused = True
                return Setback(text="refuses the signature", error=SourceError, kind="signature")
            return answers.judge_status(request, answer.status, answer.headers, answer.body, now=self._clock.now())
        self._count(processing_units=answers.processing_units(answer.headers))
        response = Response(
            url=request.url,
            status=answer.status,
            headers=answers.kept_headers(answer.headers),
            content=answer.body,
            received=self._clock.now(),
        )
        try:
            if request.check:
                request.check(response)
        except BadAnswerError as error:
            return Setback(text=one_line(str(error)), error=type(error))
        return response

    def _is_over(self) -> bool:
        return self._clock.monotonic() >= self._ends


def _headers(request: Request) -> dict[str, str]:
    """Return the headers of a request that anybody may see; names in lower case."""
    part = request.span or request.version or request.method == "HEAD"
    headers = {"user-agent": USER_AGENT, "accept": "*/*", "accept-encoding": "identity" if part else "gzip"}
    if request.body is not None:
        headers["content-type"] = "application/json"
    if request.span is not None:
        headers["range"] = f"bytes={request.span[0]}-{sum(request.span) - 1}"
    return headers | {name.lower(): value for name, value in request.headers.items()}


def _redirected(request: Request, before: Outgoing, answer: _Answer) -> Outgoing:
    """Return the request that a redirect asks for.

    Raises
    ------
    AddressError
        Where it leads to where nothing may be sent, or off the public Internet.
    """
    url = _joined(before.url, answer.headers.get("location", "").split("#", maxsplit=1)[0])
    reach = reach_of(url, request.hosts)
    if before.reach == "public" != reach:
        raise AddressError(f"redirected from the public Internet to {parse_origin(url)}; not followed")
    if before.body is not None and answer.status not in (307, 308):
        raise AddressError(f"redirected with {answer.status}, which would drop what was asked; not followed")
    # What signs a request is for the one that it was made for.
    headers = before.headers if same_origin(url, before.url) else _headers(request)
    return replace(before, url=url, headers=headers, reach=reach)


def _joined(base: str, location: str) -> str:
    """Return the address that a redirect names, also relatively; where it is none, what will be refused as none."""
    try:
        return urljoin(base, location)
    except ValueError:
        return location


def _outcome(failed: FailedError) -> Setback | ImageryError:
    """Return what a failed exchange means for the request."""
    if failed.kind == "barred":
        return AddressError(failed.text)
    if failed.kind == "tls":
        return UnreachableError(failed.text)
    if failed.kind == "unreachable":
        return Setback(text=failed.text, error=UnreachableError, kind="unreachable")
    return Setback(text=failed.text, error=BadAnswerError)
