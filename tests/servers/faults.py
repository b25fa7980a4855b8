"""Faults as values, and the list of those that wait for a request."""

from __future__ import annotations

import base64
import random
import threading
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

FOR_EVER = -1
"""As `Fault.times`."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to one request, or to several in turn, instead of the true answer or to it.

    Without a `status`, a fault that cuts, delays, trickles, chunks or resets does so to the true answer, and any other
    is a plain 503. With a `status` the answer is made of what stands here alone.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with the answer; an empty text takes a header of the true answer away."""
    body: bytes = b""
    alter: bool = False
    """True: the true answer with these headers, and with `status` and `body` where they are given."""
    cut_after: int | None = None
    """Bytes of the body after which the connection is closed, while Content-Length told the whole."""
    delay_s: float = 0.0
    """Before the first byte."""
    trickle_bytes_s: float | None = None
    """Speed of the body, bytes a second."""
    chunked: bool = False
    """Send the body in chunks without telling its length."""
    reset: bool = False
    """Break the connection off without an answer, or after `cut_after` bytes of one."""
    times: int = 1
    """For how many requests; `FOR_EVER` for all that come."""

    @property
    def keeps_answer(self) -> bool:
        """Whether the true answer is what is sent."""
        touched = self.cut_after is not None or self.trickle_bytes_s or self.delay_s or self.chunked
        return self.alter or (self.status is None and bool(touched) and not self.body)

    def to_json(self) -> dict[str, Any]:
        """Return it for the control channel."""
        return asdict(self) | {"body": base64.b64encode(self.body).decode()}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Fault:
        """Return what `to_json` told."""
        return cls(**{**told, "body": base64.b64decode(told["body"])})


@dataclass
class _Rule:
    """Faults for the requests that a pattern fits."""

    pattern: str
    waiting: list[Fault]
    share: float
    """Of the requests, drawn by chance: 1 = every one."""
    rng: random.Random

    def fits(self, method: str, path: str) -> bool:
        """Return whether the pattern fits: "/a/*", or with a method "POST /a/*"; with or without the query."""
        wanted, _, pattern = self.pattern.rpartition(" ")
        names = (path, path.partition("?")[0])
        return wanted in ("", method) and any(fnmatchcase(name, pattern) for name in names)

    def take(self) -> Fault | None:
        """Return the next fault, or None."""
        if not self.waiting or (self.share < 1 and self.rng.random() >= self.share):
            return None
        if self.share < 1:
            return self.rng.choice(self.waiting)
        first = self.waiting[0]
        left = first.times if first.times == FOR_EVER else first.times - 1
        self.waiting[:1] = [replace(first, times=left)] if left else []
        return first


class FaultList:
    """The faults that wait; safe for threads."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def add(self, pattern: str, faults: list[Fault], *, share: float = 1.0, seed: int = 0) -> None:
        """Queue faults for the requests that a pattern fits; with a share under 1 they are drawn for ever."""
        with self._lock:
            # Chance in tests, from a seed: nothing here is secret.
            self._rules.append(_Rule(pattern, list(faults), share, random.Random(seed)))

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._rules.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that this request meets: that of the oldest rule that fits and has one left."""
        with self._lock:
            taken = (rule.take() for rule in self._rules if rule.fits(method, path))
            return next((fault for fault in taken if fault), None)
