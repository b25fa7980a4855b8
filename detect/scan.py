"""Places that departed from their usual state on some date of a series, and how many chance alone would give.

Every date's departures have maxima by chance. A generalised Pareto tail (J. Pickands 1975; A. Davison and R. Smith
1990) is fitted to the highest tenth of all dates' maxima on a kind of ground, without those places that stand out so
far that hardly one of them is chance: what really came and went must not teach what chance gives.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from detect.calibrated import SHADED
from detect.departures import Departures
from detect.filters import BoolArray, FloatArray
from detect.scan_tail import ScanTail, TooFewMaximaError, Values, chance_limits, common_shape, fit_scan_tail
from detect.significance import OBJECT_SPACING_M, local_maxima, odd_pixels

STRICT_PER_KM2 = 0.05
"""Places per km2, over all dates, that chance may give beyond what is taken for real when the tail is learned."""
PLACE_KM2 = 0.01
"""The ground that one p-value speaks of."""
REACH_M = 90.0
"""How far from its strongest pixel an object may extend: half of a 120 m ship and its blur."""
BODY_SHARE, BODY_FLOOR = 0.3, 2.5
"""Share of the peak's contrast, and standard deviations, down to which a pixel belongs to an optical object."""
RADAR_BODY_SHARE, RADAR_BODY_FLOOR = 0.4, 1.0
"""The same of a log-ratio of radar power, and its floor (4.3 dB)."""
RUNS = (1, 2, 4, 8)
"""Dates in a row whose departures are taken together: what stays shows more clearly than on any one date."""
HALO_M = 25.0
"""How far around an object its own filter response and sidelobes reach."""

Pixels = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place that departed from its usual state at least once."""

    at: tuple[int, int]
    """(row, col) of its strongest pixel."""
    date: int
    """Index of the date on which it departed most."""
    pixels: Pixels
    """Of the object's body on that date."""
    run: int
    """Dates in a row over which it departed most clearly."""
    kind: int
    """Of ground."""
    statistic: float
    threshold: float
    p_value: float
    """Chance that 0.01 km2 of such ground shows as strong a departure on any of the dates."""
    false_places: float
    """How many places as strong chance alone would give on all ground of its kind over all dates."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What a series of one sensor and side shows to have come or gone."""

    places: tuple[Place, ...]
    """Strongest first."""
    expected_false: float
    """How many of them chance alone would give."""
    tails: dict[int, dict[int, ScanTail]]
    """By number of dates in a row and kind of ground."""
    kinds: tuple[int, ...]
    """Of ground."""


@dataclass(frozen=True, kw_only=True)
class _Peaks:
    """Maxima of all dates."""

    values: Values
    kinds: NDArray[np.uint8]
    rows: NDArray[np.intp]
    cols: NDArray[np.intp]
    ground: dict[int, float]
    """km2 times dates by kind of ground."""

    def of(self, kind: int, kept: BoolArray) -> tuple[Values, float]:
        """Return the kept maxima of a kind of ground, and the ground times dates they speak of."""
        own = self.kinds == kind
        mine = own & kept
        return self.values[mine], self.ground[kind] * float(mine.sum()) / max(float(own.sum()), 1.0)

    def limits(self, per_km2_date: float) -> dict[int, float]:
        """Return by kind the value from which a maximum is hardly chance, as far as the bulk of them tells."""
        samples = {kind: self.values[self.kinds == kind] for kind in self.ground}
        return chance_limits(samples, self.ground, per_km2_date=per_km2_date)

    def tails(self, kept: BoolArray, limits: dict[int, float]) -> dict[int, ScanTail]:
        """Return each kind's tail from the maxima that are kept; a kind too small takes that of all together.

        Ground without a limit has a shape of its own: its noise is of another kind.
        """
        samples = {kind: self.of(kind, kept) for kind in self.ground}
        alike = [(peaks, limits[kind]) for kind, (peaks, _) in samples.items() if np.isfinite(limits[kind])]
        shape = common_shape(alike)
        everything = np.concatenate([peaks for peaks, _ in samples.values()])
        together = fit_scan_tail(everything, sum(km2 for _, km2 in samples.values()), end=max(limits.values()))
        tails = {}
        for kind, (peaks, km2_dates) in samples.items():
            try:
                tails[kind] = fit_scan_tail(
                    peaks, km2_dates, end=limits[kind], usual_shape=shape if np.isfinite(limits[kind]) else None
                )
            except TooFewMaximaError:
                tails[kind] = together
        return tails


def _peaks(strata: NDArray[np.uint8], energies: Iterable[FloatArray], gsd: float) -> _Peaks:
    """Return the maxima of all dates, each kind of ground by itself."""
    size, km2 = odd_pixels(OBJECT_SPACING_M, gsd), (gsd / 1000) ** 2
    ground = {int(kind): 0.0 for kind in np.unique(strata[strata > 0])}
    parts: list[tuple[Values, NDArray[np.intp], NDArray[np.intp]]] = []
    for energy in energies:
        valid = np.isfinite(energy)
        highest = np.zeros(strata.shape, bool)
        for kind in ground:
            here = valid & (strata == kind)
            highest |= local_maxima(energy, here, size)
            ground[kind] += float(here.sum()) * km2
        rows, cols = np.nonzero(highest)
        parts.append((energy[rows, cols].astype(np.float64), rows, cols))
    values, rows, cols = (np.concatenate([part[k] for part in parts]) for k in range(3))
    return _Peaks(values=values, kinds=strata[rows, cols], rows=rows, cols=cols, ground=ground)


def _without_changes(peaks: _Peaks, limits: dict[int, float], shape: tuple[int, int], gsd: float) -> BoolArray:
    """Return which maxima are kept: those that are not near a place that on any date stands out too far for chance."""
    each = np.array([limits[kind] for kind in peaks.kinds.tolist()])
    changed = np.zeros(shape, np.uint8)
    beyond = peaks.values > each
    changed[peaks.rows[beyond], peaks.cols[beyond]] = 1
    side = 2 * odd_pixels(OBJECT_SPACING_M, gsd) + 1
    near = cv2.dilate(changed, np.ones((side, side), np.uint8)) > 0
    return np.asarray(~near[peaks.rows, peaks.cols] | np.isinf(each))


def _tails(seen: Departures, strata: NDArray[np.uint8], peaks: _Peaks, windows: int) -> dict[int, ScanTail]:
    """Return the tails of some run of dates by kind of ground, learned without the places that came or went."""
    limits = peaks.limits(STRICT_PER_KM2 / windows)
    if seen.usual_form is not None and SHADED in limits:
        # Beside buildings what comes and goes is their shadows: there it is the noise, and all of it teaches.
        limits[SHADED] = np.inf
    kept = _without_changes(peaks, limits, strata.shape, seen.gsd)
    try:
        return peaks.tails(kept, limits)
    except TooFewMaximaError:
        # So much came and went that what is left shows no tail: the bulk of all of it has to do.
        return peaks.tails(np.ones_like(kept), limits)


def _body(seen: Departures, date: int, peak: tuple[int, int]) -> Pixels:
    """Return the pixels of what stands at a peak on a date."""
    radar = seen.usual_form is None
    share, floor = (RADAR_BODY_SHARE, RADAR_BODY_FLOOR) if radar else (BODY_SHARE, BODY_FLOOR)
    reach = max(2, round(REACH_M / seen.gsd))
    top, left = max(peak[0] - reach, 0), max(peak[1] - reach, 0)
    window = (slice(top, peak[0] + reach + 1), slice(left, peak[1] + reach + 1))
    here = np.where(seen.valid[date][window], seen.contrast[date][window], np.float32(0))
    near = np.zeros_like(here)
    r, c = peak[0] - top, peak[1] - left
    core = (slice(max(r - 1, 0), r + 2), slice(max(c - 1, 0), c + 2))
    near[core] = here[core]
    parts, _ = ndimage.label(here >= max(share * near.max(), floor), structure=np.ones((3, 3)))
    mine = parts.flat[int(np.argmax(near))]
    rows, cols = np.nonzero(parts == mine) if mine else (np.array([r]), np.array([c]))
    return rows + top, cols + left


@dataclass(frozen=True, kw_only=True)
class _Best:
    """The strongest departure of every place over all runs of dates."""

    ratio: FloatArray
    """(row, col) of the statistic over its threshold."""
    limit: FloatArray
    """(row, col) that threshold."""
    run: NDArray[np.int16]
    """(row, col) dates in a row."""
    start: NDArray[np.int16]
    """(row, col) the first of them."""

    def take(self, energy: FloatArray, limit: FloatArray, run: int, start: int) -> None:
        """Note where a run's statistic (row, col) is the strongest so far."""
        ratio = np.nan_to_num(energy) / limit
        higher = ratio > self.ratio
        self.ratio[higher], self.limit[higher] = ratio[higher], limit[higher]
        self.run[higher], self.start[higher] = run, start


def _run_energy(seen: Departures, start: int, run: int) -> FloatArray:
    """Return the squared length (row, col) of the mean departure over a run of dates, NaN where not all show it."""
    if run == 1:
        return seen.energy(start)
    part = slice(start, start + run)
    total = seen.channels[part].sum(axis=0) / np.float32(np.sqrt(run))
    if seen.usual_form is None:
        total = np.maximum(total, 0)
    known = seen.valid[part].all(axis=0)
    return np.where(known, (total**2).sum(axis=0), np.float32(np.nan)).astype(np.float32)


def _limits(strata: NDArray[np.uint8], tails: dict[int, ScanTail], per_km2_date: float) -> FloatArray:
    """Return the threshold (row, col) of each kind of ground; infinite where nothing is searched."""
    limit = np.full(strata.shape, np.inf, np.float32)
    for kind, tail in tails.items():
        limit[strata == kind] = tail.threshold(per_km2_date)
    return limit


def _squared(part: FloatArray) -> FloatArray:
    """Return the squared length (date,) of departures (date, channel)."""
    return np.asarray((part**2).sum(axis=1))


def _strongest_date(seen: Departures, at: tuple[int, int], start: int, run: int) -> int:
    """Return the date of a run on which a place departs most."""
    part = seen.channels[start : start + run, :, at[0], at[1]]
    return start + int(np.argmax(_squared(np.maximum(part, 0) if seen.usual_form is None else part)))


def _places(
    seen: Departures,
    strata: NDArray[np.uint8],
    best: _Best,
    *,
    tails: dict[int, dict[int, ScanTail]],
    grounds: dict[int, dict[int, float]],
) -> tuple[Place, ...]:
    """Return the places around the peaks, strongest first; a peak on an object already found belongs to it."""
    peaks = local_maxima(best.ratio, strata > 0, odd_pixels(OBJECT_SPACING_M, seen.gsd)) & (best.ratio >= 1)
    rows, cols = np.nonzero(peaks)
    free, places = np.ones(strata.shape, bool), []
    halo = odd_pixels(2 * HALO_M, seen.gsd)
    for k in np.argsort(-best.ratio[rows, cols], kind="stable"):
        at = int(rows[k]), int(cols[k])
        if not free[at]:
            continue
        run, kind = int(best.run[at]), int(strata[at])
        date = _strongest_date(seen, at, int(best.start[at]), run)
        body = _body(seen, date, at)
        value = float(best.ratio[at] * best.limit[at])
        rate = tails[run][kind].rate(value) * len(tails)
        windows = len(seen.channels) - run + 1
        places.append(
            Place(
                at=at,
                date=date,
                pixels=body,
                run=run,
                kind=kind,
                statistic=value,
                threshold=float(best.limit[at]),
                p_value=float(1 - np.exp(-rate * windows * PLACE_KM2)),
                false_places=rate * grounds[run][kind],
            )
        )
        taken = np.zeros(strata.shape, np.uint8)
        taken[body] = 1
        free &= cv2.dilate(taken, np.ones((halo, halo), np.uint8)) == 0
    return tuple(places)


def strongest_near(seen: Departures, at: tuple[int, int]) -> tuple[Values, BoolArray]:
    """Return the strongest departure (date, channel) within a pixel of a place, and which dates show it (date,)."""
    rows, cols = (slice(max(k - 1, 0), k + 2) for k in at)
    part = seen.channels[:, :, rows, cols].astype(np.float64)
    shown = seen.valid[:, at[0], at[1]]
    upward = np.maximum(part, 0) if seen.usual_form is None else part
    size = np.where(seen.valid[:, rows, cols], (upward**2).sum(axis=1), -1.0).reshape(len(part), -1)
    best = np.argmax(size, axis=1)
    flat = part.reshape(*part.shape[:2], -1)
    return np.take_along_axis(flat, best[:, None, None], axis=2)[:, :, 0], np.asarray(shown)


def scan_places(seen: Departures, strata: NDArray[np.uint8], *, false_places_per_km2: float) -> Scan:
    """Find the places that departed from their usual state by more than chance on some date or run of dates.

    Parameters
    ----------
    seen
        The departures of all dates.
    strata
        (row, col) kind of searched ground, 1 and up; 0 = not searched.
    false_places_per_km2
        Places that chance alone may give per km2 over all dates together.

    Raises
    ------
    TooFewMaximaError
        Where ground and dates are too few to show what chance gives.
    """
    dates, shape = len(seen.channels), strata.shape
    best = _Best(
        ratio=np.zeros(shape, np.float32),
        limit=np.full(shape, np.inf, np.float32),
        run=np.ones(shape, np.int16),
        start=np.zeros(shape, np.int16),
    )
    tails: dict[int, dict[int, ScanTail]] = {}
    grounds: dict[int, dict[int, float]] = {}
    runs = [run for run in RUNS if run <= dates // 2]
    for run in runs:
        starts = range(dates - run + 1)
        peaks = _peaks(strata, (_run_energy(seen, start, run) for start in starts), seen.gsd)
        try:
            tails[run], grounds[run] = _tails(seen, strata, peaks, len(starts)), peaks.ground
        except TooFewMaximaError:
            if run == 1:
                raise
            continue
        limit = _limits(strata, tails[run], false_places_per_km2 / len(runs) / len(starts))
        # Made again rather than kept: those of all dates would take half as much memory as the dates themselves.
        for start in starts:
            best.take(_run_energy(seen, start, run), limit, run, start)
    places = _places(seen, strata, best, tails=tails, grounds=grounds)
    expected = false_places_per_km2 * sum(grounds[1].values()) / dates
    return Scan(places=places, expected_false=expected, tails=tails, kinds=tuple(tails[1]))
