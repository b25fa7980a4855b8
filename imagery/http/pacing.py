"""Politeness towards each host: how fast, how many at once, and when to leave it alone for a while."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from imagery.retry import Clock, Patience

WINDOW_S = 1.0
"""What `Patience.requests_per_s` counts over."""
RECOVER_AFTER = 20
"""Answers without trouble after which a crowded host gets one more request at a time."""
AVOID_S = 30.0
"""How long a host that could not be connected to is not tried again: each command then says so within seconds."""


class _Host:
    """What is known of one host. Its lock guards all of it."""

    def __init__(self, patience: Patience) -> None:
        self.free = threading.Condition()
        self.limit = patience.parallel
        self.active = 0
        self.well = 0
        self.starts: deque[float] = deque(maxlen=patience.requests_per_s)
        self.not_before = float("-inf")
        self.down: tuple[float, str] | None = None


class Pacer:
    """Says when the next request to a host may go; safe for threads."""

    def __init__(self, patience: Patience, clock: Clock) -> None:
        self._patience, self._clock = patience, clock
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, host: str) -> Iterator[None]:
        """Wait until a request may go to `host`, and hold its place among the parallel ones."""
        state = self._state(host)
        with state.free:
            state.free.wait_for(lambda: state.active < state.limit)
            state.active += 1
        try:
            wait = self._book(state)
            if wait > 0:
                self._clock.sleep(wait)
            yield
        finally:
            with state.free:
                state.active -= 1
                state.free.notify()

    def _book(self, state: _Host) -> float:
        """Take the next free moment of a host and return how long it is until then, seconds."""
        with state.free:
            now = self._clock.monotonic()
            full = len(state.starts) == state.starts.maxlen
            start = max(now, state.not_before, state.starts[0] + WINDOW_S if full else now)
            state.starts.append(start)
            return start - now

    def crowded(self, host: str, wait: float | None) -> None:
        """Note that a host has too much to do: half as many at once, and nobody asks before its time is over.

        Parameters
        ----------
        host
            Its name and port.
        wait
            The time that it asked for, seconds.
        """
        state = self._state(host)
        with state.free:
            state.limit, state.well = max(1, state.limit // 2), 0
            if wait is not None:
                state.not_before = max(state.not_before, self._clock.monotonic() + wait)

    def went_well(self, host: str) -> None:
        """Note a good answer: a host that was crowded gets its requests back, one after the other."""
        state = self._state(host)
        with state.free:
            state.well, state.down = state.well + 1, None
            if state.well % RECOVER_AFTER == 0 and state.limit < self._patience.parallel:
                state.limit += 1
                state.free.notify()

    def went_down(self, host: str, reason: str) -> None:
        """Note that a host could not be connected to, however often it was tried."""
        state = self._state(host)
        with state.free:
            state.down = (self._clock.monotonic() + AVOID_S, reason)

    def is_down(self, host: str) -> str | None:
        """Return why a host is not worth a try at present, or None where it is."""
        down = self._state(host).down
        return down[1] if down and self._clock.monotonic() < down[0] else None

    def parallel(self, host: str) -> int:
        """Return how many requests at once a host gets at present."""
        return self._state(host).limit

    def _state(self, host: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(host, _Host(self._patience))
