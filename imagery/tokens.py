"""A short-lived token that many requests share: fetched when first needed, renewed before it ends, by one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from imagery.credentials import Secret
from imagery.retry import Clock

MARGIN_S = 120.0
"""How long before its end a token is renewed, at most: longer than one request may take."""
MARGIN_SHARE = 0.2
"""Of a short life: else a token of two minutes would be renewed for every request."""


@dataclass(frozen=True, kw_only=True)
class Token:
    """What a token server gave."""

    value: Secret
    life_s: float
    """From its arrival, seconds. Never a time of day: clocks may be wrong."""


class Tokens:
    """Hands out the token of the day to many threads.

    Parameters
    ----------
    fetch
        Gets a new token, patiently; raises where none is to be had.
    clock
        Measures its life.
    """

    def __init__(self, fetch: Callable[[], Token], clock: Clock) -> None:
        self._fetch, self._clock = fetch, clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renew_at = 0.0

    def get(self, refused: Secret | None = None) -> Secret:
        """Return a token that is good for some time yet; never `refused`, which a server would not take.

        However many threads were refused the same token, one new one is fetched for all of them.
        """
        with self._lock:
            held = self._token
            if held is None or held.value is refused or self._clock.monotonic() >= self._renew_at:
                held = self._token = self._fetch()
                margin = min(MARGIN_S, MARGIN_SHARE * held.life_s)
                self._renew_at = self._clock.monotonic() + held.life_s - margin
            return held.value
