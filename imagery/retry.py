"""How long to wait and how often to try again: pure functions of numbers, and the clock they are used with."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LEAST_WAIT_S = 0.25
"""Between a failure and the next try, whatever the server says: four requests a second do not hammer."""
MOST_WAIT_S = 120.0
"""Longest wait that a server may ask for; it is asked again then, or given up."""
FIRST_CEILING_S = 1.0
"""Longest wait of our own after the first failure; it doubles with each."""
LAST_CEILING_S = 30.0
"""Where the doubling ends."""

_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")


class Clock:
    """The time and the passing of it, in one place so that tests can let a minute pass at once."""

    def now(self) -> datetime:
        """Return the time of day, UTC, as this machine believes it to be."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since some moment; they only grow."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long and how often a client tries."""

    attempts: int = 5
    """Of one request, where the server answers wrongly or breaks off. Being told to wait (429) does not count: that
    ends with `request_s`."""
    connect_attempts: int = 3
    """Of one request, where no connection comes about."""
    connect_s: float = 5.0
    """For looking a name up, and again for connecting; seconds."""
    read_s: float = 30.0
    """Longest silence of a server, and longest wait for the head of its answer, seconds."""
    slow_bytes_s: float = 1000.0
    """A body slower than this, bytes a second ..."""
    slow_over_s: float = 20.0
    """... over so many seconds is given up."""
    request_s: float = 120.0
    """From the first sending of a request to its last, waits included. A body that comes fast enough may end later."""
    run_s: float = 1800.0
    """From the making of the client to the end of its last answer."""
    requests_per_s: int = 5
    """Sent to one host in any one second at most."""
    parallel: int = 4
    """Requests to one host at the same time at most."""
    redirects: int = 3
    """Followed for one request at most."""


def backoff_s(failures: int, draw: float) -> float:
    """Return how long to wait after so many failures where the server asks for nothing: exponential, full jitter.

    Parameters
    ----------
    failures
        So far, 1 or more.
    draw
        Chance, 0 to 1: clients that failed together do not come back together.

    Returns
    -------
    float
        Seconds, `LEAST_WAIT_S` to `LAST_CEILING_S`.
    """
    return max(LEAST_WAIT_S, draw * ceiling_s(failures))


def ceiling_s(failures: int) -> float:
    """Return the longest wait of our own after so many failures (1 or more), seconds."""
    # The exponent is held down since 2.0 ** 1024 overflows.
    return min(LAST_CEILING_S, FIRST_CEILING_S * 2.0 ** min(failures - 1, 16))


def wait_s(failures: int, *, asked_s: float | None, draw: float) -> float:
    """Return how long to wait after so many failures.

    A server that asks for time gets it, between `LEAST_WAIT_S` and `MOST_WAIT_S`. The lower bound doubles with each
    failure: a server that always says "at once" and never means it is asked ever more rarely.

    Parameters
    ----------
    failures
        So far, 1 or more.
    asked_s
        By the server, seconds; None where it asked for nothing, or for nonsense.
    draw
        Chance, 0 to 1.
    """
    if asked_s is None:
        return backoff_s(failures, draw)
    least = LEAST_WAIT_S * ceiling_s(failures) / FIRST_CEILING_S
    return min(MOST_WAIT_S, max(asked_s, least))


def asked_wait_s(headers: Mapping[str, str], *, milliseconds: bool, now: datetime) -> float | None:
    """Return the wait that the header Retry-After asks for, in seconds and not below zero.

    Parameters
    ----------
    headers
        Of the answer, names in lower case.
    milliseconds
        Whether a number is in milliseconds, as of Sentinel Hub, and not in seconds (RFC 9110, section 10.2.3).
    now
        By this machine's clock. A date is held against the server's own clock where it tells the time.

    Returns
    -------
    float or None
        None where the header is missing or is neither a number nor a date.
    """
    text = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(text):
        return float(text) / (1000 if milliseconds else 1)
    date = parse_date(text)
    return None if date is None else max(0.0, (date - server_time(headers, now=now)).total_seconds())


def server_time(headers: Mapping[str, str], *, now: datetime) -> datetime:
    """Return the time when an answer was sent by the server's own clock (its Date header), or `now` without one."""
    return parse_date(headers.get("date", "")) or now


def lifetime_s(expires: datetime, headers: Mapping[str, str], *, now: datetime) -> float:
    """Return for how many seconds something is good that a server says expires at `expires`; negative: it is not.

    The server's own clock is the measure, since it also judges: a clock of ours that is a day wrong does no harm. Add
    the result to `Clock.monotonic` to know later whether it is still good.

    Parameters
    ----------
    expires
        As the server told it, with a time zone.
    headers
        Of the answer that told it, names in lower case.
    now
        By this machine's clock, when the answer came.
    """
    return (expires - server_time(headers, now=now)).total_seconds()


def parse_date(text: str) -> datetime | None:
    """Return the date of a header (RFC 9110, section 5.6.7) in UTC, or None where it is none."""
    try:
        date = parsedate_to_datetime(text)
        return date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
