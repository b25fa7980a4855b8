"""Asks servers: until there is a complete, checked answer, or an error that says what to do."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from imagery.addresses import parse_origin, reach_of
from imagery.cache import Cache
from imagery.documents import MAX_JSON_BYTES, parse_json
from imagery.errors import (
    BadAnswerError,
    ChangedError,
    ImageryError,
    OfflineError,
    RateLimitedError,
    RefusedFileError,
    SourceError,
    UnreachableError,
)
from imagery.exchange import Request, Response, Traffic
from imagery.http.answers import Setback
from imagery.http.attempt import Sender, Trial
from imagery.redact import one_line, quiet_loggers, redact
from imagery.retry import LEAST_WAIT_S, Clock, Patience, wait_s

_CHANCE = random.SystemRandom()
_ADVICE: Mapping[type[ImageryError], str] = {
    UnreachableError: "Check the network and the proxy settings, or use another source",
    RateLimitedError: "Try again later; what was fetched so far is kept",
    BadAnswerError: "Try again later, or use another source",
}


class Client:
    """Asks servers; safe for threads.

    Nothing is given back but complete, checked answers; what `Request.keep` allows is kept in the cache, and nothing
    else. Errors are those of `imagery.errors`, with the host, what happened, how often it was tried and what to do, and
    without any secret.

    Parameters
    ----------
    cache
        Where answers are kept and looked for first; None: nowhere.
    offline
        Whether nothing may be sent. Kept answers then serve whatever their age.
    patience
        How long and how often to try.
    watch
        Called with the traffic so far whenever there was some, by one thread at a time; it must not use the client.
    clock
        The time.
    """

    def __init__(
        self,
        *,
        cache: Cache | None = None,
        offline: bool = False,
        patience: Patience | None = None,
        watch: Callable[[Traffic], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        quiet_loggers()
        self.traffic = Traffic()
        """What went over the wire so far."""
        self._cache, self._offline, self._watch = cache, offline, watch
        self._patience, self._clock = patience or Patience(), clock or Clock()
        self._ends = self._clock.monotonic() + self._patience.run_s
        self._sender = Sender(self._patience, self._clock, ends=self._ends, count=self._count)
        self._notes: list[str] = []
        self._lock = threading.Lock()

    @property
    def notes(self) -> list[str]:
        """What the run should warn of: entries of the cache that were damaged, objects that changed."""
        return [*self._notes, *(self._cache.notes if self._cache else ())]

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._sender.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def json(self, request: Request) -> Any:
        """Send a request and return its answer parsed as JSON, within the caps of `imagery.documents`.

        What is no JSON is asked for again like any wrong answer. Raises as `send` does.
        """
        parsed: list[Any] = []

        def check(response: Response) -> None:
            parsed[:] = [_parse(response.content)]
            if request.check:
                request.check(response)

        self.send(replace(request, check=check, most_bytes=min(request.most_bytes, MAX_JSON_BYTES)))
        return parsed[0]

    def send(self, request: Request) -> Response:
        """Send a request, as often as it takes and patience allows, and return its answer.

        Raises
        ------
        AddressError
            Where the address, or one that it redirects to, is not among `request.hosts`.
        UnreachableError, RateLimitedError, BadAnswerError
            Where all attempts ended so.
        NoRangeError, ChangedError, GoneError, CredentialsError, SourceError
            At once, where another attempt would bring the same.
        OfflineError
            Where nothing may be sent and nothing is kept.
        """
        if self._cache is None or request.keep is None:
            return self._fetch(request)
        key = self._cache.key(request)
        kept = self._kept(request, self._cache.get(key))
        if kept or self._offline:
            return kept or self._fetch(request)
        with self._cache.lock(key):
            # Whoever held the lock may have fetched it.
            kept = self._kept(request, self._cache.get(key))
            if kept is None:
                kept = self._fetch(request)
                self._cache.put(key, kept)
        return kept

    def distrust(self, request: Request) -> None:
        """Ask again the next time, though an answer is kept: it was sound by itself and does not fit the others.

        Where nothing may be sent, the kept answer serves as before.
        """
        if self._cache is None or request.keep is None or self._offline:
            return
        key = self._cache.key(request)
        with self._cache.lock(key):
            if found := self._cache.get(key):
                self._cache.put(key, replace(found, received=found.received - request.keep - timedelta(days=1)))

    def _kept(self, request: Request, found: Response | None) -> Response | None:
        """Return a kept answer that is young enough and passes the check, or None."""
        if found is None or request.keep is None:
            return None
        age = self._clock.now() - found.received
        # One from the future was kept by a clock that was wrong: how old it is, nobody knows.
        if not self._offline and not timedelta(0) <= age < request.keep:
            return None
        response = replace(found, from_cache=True)
        try:
            if request.check:
                request.check(response)
        except BadAnswerError as error:
            self._note(f"{request.url}: the answer kept in the cache is not used: {error}")
            return None
        self._count(from_cache=1)
        return response

    def _fetch(self, request: Request) -> Response:
        """Ask the server until there is an answer or an end."""
        host = str(parse_origin(request.url))
        if self._offline:
            shown = one_line(request.url, most=200)
            raise OfflineError(f"{shown} is not in the cache, and nothing may be sent: run it once with the network")
        reach_of(request.url, request.hosts)
        self._check_time(host)
        trial = Trial(request=request, host=host)
        while True:
            outcome = self._sender.attempt(trial)
            if isinstance(outcome, Response):
                self._sender.pacer.went_well(host)
                return outcome
            if isinstance(outcome, ImageryError):
                raise self._final(trial, outcome)
            wait = self._next_wait(trial, outcome)
            self._count(retries=1)
            self._clock.sleep(wait)

    def _check_time(self, host: str) -> None:
        """Raise where the run is over, or the host was just found to be out of reach."""
        if self._clock.monotonic() >= self._ends:
            over = f"not asked, since the {self._patience.run_s:g} s for one run are over; what was fetched is kept"
            raise SourceError(f"{host}: {over}, so run the same again")
        down = self._sender.pacer.is_down(host)
        if down:
            raise UnreachableError(f"{host}: {down}; not tried again so soon. {_ADVICE[UnreachableError]}")

    def _final(self, trial: Trial, error: ImageryError) -> ImageryError:
        """Return an error with the host it speaks of."""
        if isinstance(error, ChangedError):
            self._note(f"{trial.request.url}: {error}")
        return type(error)(redact(f"{trial.host}: {error}"))

    def _next_wait(self, trial: Trial, setback: Setback) -> float:
        """Return how long to wait before the next attempt, seconds.

        Raises
        ------
        ImageryError
            Of the kind that the setback names, where it was the last attempt.
        """
        if setback.kind == "signature":
            return 0.0
        trial.failures[setback.kind] += 1
        now, patience, failures = self._clock.monotonic(), self._patience, trial.failures
        started = trial.started if trial.started is not None else now
        left = min(started + patience.request_s, self._ends) - now
        used_up = failures.total() - failures["busy"] >= patience.attempts
        if used_up or failures["unreachable"] >= patience.connect_attempts or left < LEAST_WAIT_S:
            raise self._given_up(trial, setback, took=now - started)
        wait = min(left, wait_s(failures.total(), asked_s=setback.asked_s, draw=_CHANCE.random()))
        if setback.crowded:
            self._sender.pacer.crowded(trial.host, wait if setback.asked_s is not None else None)
        return wait

    def _given_up(self, trial: Trial, setback: Setback, *, took: float) -> ImageryError:
        """Return the error for a request whose attempts are used up."""
        if setback.kind == "unreachable":
            self._sender.pacer.went_down(trial.host, setback.text)
        count = trial.failures.total()
        tried = f"{count} attempt{'s' if count != 1 else ''} in {took:.0f} s"
        advice = _ADVICE.get(setback.error, _ADVICE[BadAnswerError])
        return setback.error(redact(f"{trial.host}: {setback.text} ({tried}). {advice}"))

    def _note(self, note: str) -> None:
        with self._lock:
            if redact(note) not in self._notes:
                self._notes.append(redact(note))

    def _count(self, **more: float) -> None:
        """Add to the traffic, and show it."""
        with self._lock:
            for name, value in more.items():
                setattr(self.traffic, name, getattr(self.traffic, name) + value)
            if self._watch:
                self._watch(replace(self.traffic))


def _parse(content: bytes) -> Any:
    """Parse JSON, or raise `BadAnswerError`, which says where a page came in its place."""
    try:
        return parse_json(content)
    except RefusedFileError as error:
        page = content.lstrip()[:1] == b"<"
        hint = "; it is a page, perhaps the log-in of a network or a proxy" if page else ""
        reason = f"did not answer in JSON ({error}{hint})"
    raise BadAnswerError(reason)
