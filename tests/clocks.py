"""A clock for tests that lets a wait pass at once."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from imagery.retry import Clock


class FastClock(Clock):
    """The true time, but that sleeping takes none: it sets the clock forward and is written down."""

    def __init__(self, *, wrong_by: timedelta = timedelta()) -> None:
        self.slept: list[float] = []
        """Every wait, in seconds."""
        self._wrong_by = wrong_by
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the time of day, wrong by as much as was said at the start."""
        return super().now() + self._wrong_by + timedelta(seconds=sum(self.slept))

    def monotonic(self) -> float:
        """Return true seconds and slept ones."""
        return super().monotonic() + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        """Set the clock forward."""
        with self._lock:
            self.slept.append(seconds)
