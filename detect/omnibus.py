"""When radar ground changed, over many dates: a sequential omnibus test whose rate of false alarms holds for the run.

For k dates of n-look power of one place, -2 ln Q = -2 n (k ln k + sum ln x - k ln sum x) tests "all means are equal"
(K. Conradsen, A. Nielsen and H. Skriver 2016, doi:10.1109/TGRS.2015.2510160, for one intensity channel). It is the
sum of k - 1 independent terms, each testing one date against the mean of those before it; the first of these that
stands out dates the change, and the test starts anew there.

Testing every term of every start at a level of its own gives several times as many false alarms per run as asked for.
Here a stretch of dates is searched only where its *omnibus* rejects at the level: where nothing changed at all, the
chance that a place shows any change is the level itself, however many dates there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc, gammainccinv

from detect.errors import DetectError

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

_CHUNK = 16_384
"""Places worked on at a time: their dates stay in the processor's cache."""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """When each place changed."""

    changes: NDArray[np.int8]
    """(date - 1, row, col) between each date and the next: +1 brighter, -1 darker, 0 no change."""
    statistic: FloatArray
    """(row, col) omnibus statistic of the whole run, -2 rho ln Q; NaN where not valid."""
    threshold: float
    """Of `statistic`, from which a place has changed at all."""

    @property
    def count(self) -> NDArray[np.int64]:
        """Return the number of changes (row, col)."""
        return np.asarray(np.abs(self.changes).sum(axis=0, dtype=np.int64))

    @property
    def first(self) -> NDArray[np.int64]:
        """Return the index (row, col) of the date at which a place first was no longer as before; 0 where it never."""
        changed = self.changes != 0
        return np.where(changed.any(axis=0), changed.argmax(axis=0) + 1, 0)


def omnibus_scale(dates: int, looks: float) -> float:
    """Return rho, by which -2 ln Q of that many dates is multiplied to follow chi-squared more closely.

    The same as M. Bartlett's (1937) correction for the equality of variances.
    """
    return 1 - (dates + 1) / (6 * looks * dates)


def _omnibus_survival(value: float, dates: int, looks: Sequence[float]) -> float:
    """Return the chance that the scaled omnibus of unchanged dates reaches `value`, all polarisations together.

    The second term is Box's, with the mean of the polarisations' weights (T. Anderson 2003, section 8.5).
    """
    freedom = (dates - 1) * len(looks)
    second = sum(-(dates - 1) / 4 * (1 - 1 / omnibus_scale(dates, n)) ** 2 for n in looks)
    first = float(gammaincc(freedom / 2, value / 2))
    return first + second * (float(gammaincc(freedom / 2 + 2, value / 2)) - first)


def omnibus_threshold(level: float, dates: int, looks: Sequence[float]) -> float:
    """Return what the scaled omnibus statistic of unchanged dates reaches with the chance `level`.

    Parameters
    ----------
    level
        Between 0 and 1.
    dates
        k, at least 2.
    looks
        (polarisation,) equivalent number of looks.
    """
    freedom = (dates - 1) * len(looks)
    low, high = 0.0, 2 * float(gammainccinv(freedom / 2, level / 2)) * 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _omnibus_survival(middle, dates, looks) > level else (low, middle)
    return (low + high) / 2


def _term_scale(before: int, looks: float) -> float:
    """Return rho of the test of one date against the mean of `before` others."""
    return 1 - (1 + 1 / (before * (before + 1))) / (6 * looks)


@dataclass(frozen=True, kw_only=True)
class _Tables:
    """Constants of a run, by the number of dates."""

    looks: tuple[float, ...]
    omnibus: NDArray[np.float64]
    """(dates + 1,) threshold of the omnibus over so many dates; infinite under 2."""
    scale: NDArray[np.float64]
    """(polarisation, dates + 1) 2 n rho of the omnibus."""
    term: float
    """Threshold of a single term."""
    term_scale: NDArray[np.float64]
    """(polarisation, dates + 1) 2 n rho of the test against the mean of so many."""


def _tables(dates: int, looks: tuple[float, ...], level: float) -> _Tables:
    omnibus = [np.inf, np.inf, *(omnibus_threshold(level, k, looks) for k in range(2, dates + 1))]
    scale = [[0.0, 0.0, *(2 * n * omnibus_scale(k, n) for k in range(2, dates + 1))] for n in looks]
    term_scale = [[0.0, *(2 * n * _term_scale(k, n) for k in range(1, dates + 1))] for n in looks]
    return _Tables(
        looks=looks,
        omnibus=np.array(omnibus),
        scale=np.array(scale),
        term=2 * float(gammainccinv(len(looks) / 2, level)),
        term_scale=np.array(term_scale),
    )


_Matrix = NDArray[np.float64]


def _omnibus(total: _Matrix, logs: _Matrix, count: NDArray[np.intp], tables: _Tables) -> _Matrix:
    """Return -2 rho ln Q (place,) of sums of powers and of logarithms (polarisation, place) over `count` dates."""
    k = count.astype(np.float64)
    value = np.zeros(len(count))
    with np.errstate(divide="ignore", invalid="ignore"):
        for scale, x, log in zip(tables.scale, total, logs, strict=True):
            value += scale[count] * (k * np.log(np.maximum(x, 1e-30) / np.maximum(k, 1)) - log)
    return value


def _sum(dates: FloatArray) -> _Matrix:
    """Return the sum over dates (polarisation, place); numpy's own takes six times as long on three axes."""
    total = np.zeros(dates.shape[1:])
    for one in dates:
        total += one
    return total


def _dated(power: FloatArray, tables: _Tables) -> NDArray[np.int8]:
    """Return the changes (date - 1, place) of places (date, polarisation, place) whose whole run is no single mean."""
    dates, _, places = power.shape
    logs = np.log(power)
    changes = np.zeros((dates - 1, places), np.int8)
    rest, rest_logs = _sum(power), _sum(logs)
    since = np.zeros_like(rest)
    count = np.zeros(places, np.intp)
    searched = np.ones(places, bool)
    best, best_at, best_sign = np.zeros(places), np.zeros(places, np.intp), np.zeros(places, np.int8)
    for date in range(dates):
        if date:
            term, sign = _term(power[date], logs[date], since, count, tables)
            term[~searched] = 0
            higher = term > best
            best[higher], best_at[higher], best_sign[higher] = term[higher], date - 1, sign[higher]
            changed = term >= tables.term
            if changed.any():
                changes[date - 1, changed] = sign[changed]
                left = np.full(int(changed.sum()), dates - date, np.intp)
                ahead = _omnibus(rest[:, changed], rest_logs[:, changed], left, tables)
                searched[changed] = ahead >= tables.omnibus[dates - date]
                best[changed] = 0
                count[changed] = 0
                since[:, changed] = 0
        since += power[date]
        rest -= power[date]
        rest_logs -= logs[date]
        count += 1
    # The omnibus rejected a stretch in which no single date stands out: its most likely date has the change.
    slow = np.flatnonzero(searched & (best > 0))
    changes[best_at[slow], slow] = best_sign[slow]
    return changes


def _term(
    power: FloatArray, logs: FloatArray, since: _Matrix, count: NDArray[np.intp], tables: _Tables
) -> tuple[_Matrix, NDArray[np.int8]]:
    """Return the test (place,) of one date against the mean of those since the last change, and its sign."""
    k = np.maximum(count, 1).astype(np.float64)
    value, balance = np.zeros(len(count)), np.zeros(len(count))
    for n, scale, x, log, total in zip(tables.looks, tables.term_scale, power, logs, since, strict=True):
        mean = np.log(total / k)
        value += scale[count] * ((k + 1) * np.log((total + x) / (k + 1)) - k * mean - log)
        balance += n * (log - mean)
    return value, np.where(balance > 0, 1, -1).astype(np.int8)


def _run_chunk(power: FloatArray, tables: _Tables) -> tuple[NDArray[np.int8], FloatArray]:
    """Return changes (date - 1, place) and whole-run statistic (place,) of places (date, polarisation, place)."""
    dates, _, places = power.shape
    every = np.full(places, dates, np.intp)
    statistic = _omnibus(_sum(power), _sum(np.log(power)), every, tables)
    changes = np.zeros((dates - 1, places), np.int8)
    changed = np.flatnonzero(statistic >= tables.omnibus[dates])
    if len(changed):
        changes[:, changed] = _dated(np.ascontiguousarray(power[:, :, changed]), tables)
    return changes, statistic.astype(np.float32)


def sequential_omnibus(
    dates: FloatArray, valid: BoolArray, *, looks: Sequence[float], level: float, workers: int = 2
) -> Timeline:
    """Date the changes of each place over a series.

    Memory is that of the dates, one byte per place and date for the answer, and a few megabytes.

    Parameters
    ----------
    dates
        (date, polarisation, row, col) linear power of one relative orbit, registered and levelled, oldest first.
    valid
        (row, col) True = usable on every date.
    looks
        (polarisation,) equivalent number of looks.
    level
        Chance, between 0 and 1, that a place on which nothing happened over the whole run shows a change.
    workers
        Threads.

    Raises
    ------
    DetectError
        Where there are fewer than two dates, or the shapes differ.
    """
    count, channels = dates.shape[:2]
    if count < 2 or channels != len(looks) or dates.shape[2:] != valid.shape:
        raise DetectError(
            f"a sequence needs two dates or more, looks for each polarisation and one validity: dates {dates.shape}, "
            f"{len(looks)} numbers of looks, valid {valid.shape}"
        )
    tables = _tables(count, tuple(looks), level)
    flat, seen = dates.reshape(count, channels, -1), np.flatnonzero(valid)
    changes = np.zeros((count - 1, valid.size), np.int8)
    statistic = np.full(valid.size, np.nan, np.float32)

    def work(start: int) -> None:
        places = seen[start : start + _CHUNK]
        part = np.maximum(flat[:, :, places], np.float32(1e-12))
        changes[:, places], statistic[places] = _run_chunk(part, tables)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(0, len(seen), _CHUNK)))
    return Timeline(
        changes=changes.reshape(count - 1, *valid.shape),
        statistic=statistic.reshape(valid.shape),
        threshold=float(tables.omnibus[count]),
    )
