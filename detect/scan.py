"""Places that departed from their usual state on some date of a series, and how many chance alone would give.

Every date's departures have maxima by chance. A generalised Pareto tail (J. Pickands 1975; A. Davison and R. Smith
1990) is fitted to the highest tenth of all dates' maxima on a kind of ground, without those places that stand out so
far that hardly one of them is chance: what really came and went must not teach what chance gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import minimize

from detect.departures import Departures
from detect.errors import DetectError
from detect.filters import BoolArray, FloatArray
from detect.significance import FEWEST_PEAKS, OBJECT_SPACING_M, local_maxima, odd_pixels

TAIL_FROM, TAIL_TO = 0.10, 0.015
"""Upper shares of the maxima between which the first tail is learned: below is no tail yet; above, at a busy airfield,
real changes may be the more numerous."""
STRICT_PER_KM2 = 0.05
"""Places per km2, over all dates, that chance alone may give beyond what is taken for real when the tail is learned."""
LEAST_SHAPE, MOST_SHAPE = 0.0, 0.5
"""Limits of the Pareto shape: outside them a few maxima would decide on orders of magnitude."""
PLACE_KM2 = 0.01
"""The ground that one p-value speaks of."""
BELIEVED = 0.01
"""Maxima on all dates and all ground of a kind down to which a tail is believed."""
REACH_M = 90.0
"""How far from its strongest pixel an object may extend: half of a 120 m ship and its blur."""
BODY_SHARE, BODY_FLOOR = 0.3, 2.5
"""Share of the peak's contrast, and standard deviations, down to which a pixel belongs to an optical object."""
RADAR_BODY_SHARE, RADAR_BODY_FLOOR = 0.4, 1.0
"""The same of a log-ratio of radar power, and its floor (4.3 dB)."""
HALO_M = 25.0
"""How far around an object its own filter response and sidelobes reach."""

Values = NDArray[np.float64]
Pixels = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, kw_only=True)
class ScanTail:
    """How often chance maxima pass a value on one kind of ground."""

    peaks: Values
    """Maxima of all dates, highest first."""
    km2_dates: float
    """Ground times dates that they were seen on."""
    start: float
    """Value from which the fitted tail holds."""
    start_rate: float
    """Maxima per km2 and date beyond `start`."""
    scale: float
    shape: float

    def rate(self, value: float) -> float:
        """Return the maxima per km2 and date that reach `value` by chance."""
        if value <= self.start:
            return float((self.peaks >= value).sum()) / self.km2_dates
        excess = (value - self.start) / self.scale
        if abs(self.shape) < 1e-6:
            survival = float(np.exp(-excess))
        else:
            survival = max(1 + self.shape * excess, 0.0) ** (-1 / self.shape)
        return max(self.start_rate * survival, BELIEVED / self.km2_dates)

    def threshold(self, per_km2_date: float) -> float:
        """Return the value that so many maxima per km2 and date reach by chance."""
        if per_km2_date >= self.start_rate:
            return float(self.peaks[min(int(per_km2_date * self.km2_dates), len(self.peaks) - 1)])
        ratio = self.start_rate / per_km2_date
        if abs(self.shape) < 1e-6:
            return self.start + self.scale * float(np.log(ratio))
        return self.start + self.scale / self.shape * float(ratio**self.shape - 1)


class TooFewMaximaError(DetectError):
    """Ground too small, or dates too few, to show what chance gives."""


def fit_scan_tail(peaks: Values, km2_dates: float, *, upper: float = 0.0) -> ScanTail:
    """Fit the tail of chance maxima, whatever stands beyond its upper end.

    Parameters
    ----------
    peaks
        Maxima of all dates on one kind of ground.
    km2_dates
        Ground times dates that they were found on.
    upper
        Highest share of the maxima that may be no chance; the fit is truncated there.

    Raises
    ------
    TooFewMaximaError
        Where fewer than FEWEST_PEAKS lie in the tail.
    """
    ordered = np.sort(peaks.astype(np.float64))[::-1]
    first, last = int(upper * len(ordered)), int(TAIL_FROM * len(ordered))
    if last - first < FEWEST_PEAKS or km2_dates <= 0:
        raise TooFewMaximaError(f"{len(ordered)} maxima of all dates do not show what chance gives")
    start, end = float(ordered[last]), float(ordered[first]) if first else np.inf
    scale, shape = _fit_truncated(ordered[first:last] - start, end - start)
    # The share beyond the start that lies under the end is known; what is beyond the end may be no chance.
    inside = 1 - _survival(end - start, scale, shape)
    rate = (last - first) / max(inside, 0.2) / km2_dates
    return ScanTail(peaks=ordered, km2_dates=km2_dates, start=start, start_rate=rate, scale=scale, shape=shape)


def _survival(excess: float, scale: float, shape: float) -> float:
    """Return the share of a generalised Pareto distribution beyond an excess."""
    if not np.isfinite(excess):
        return 0.0
    if abs(shape) < 1e-6:
        return float(np.exp(-excess / scale))
    return float(max(1 + shape * excess / scale, 0.0) ** (-1 / shape))


def _fit_truncated(excess: Values, end: float) -> tuple[float, float]:
    """Return scale and shape of the distribution whose values up to `end` are `excess`, by maximum likelihood."""
    mean = max(float(excess.mean()), 1e-9)

    def cost(parameters: Values) -> float:
        scale, shape = float(np.exp(parameters[0])), float(np.clip(parameters[1], LEAST_SHAPE, MOST_SHAPE))
        inside = 1 + shape * np.maximum(excess, 0) / scale
        if inside.min() <= 0:
            return 1e12
        log = excess / scale if abs(shape) < 1e-6 else (1 + 1 / shape) * np.log(inside)
        share = max(1 - _survival(end, scale, shape), 1e-9)
        return float(len(excess) * (np.log(scale) + np.log(share)) + log.sum() + 50 * (parameters[1] - shape) ** 2)

    best = minimize(cost, np.array([np.log(mean), 0.05]), method="Nelder-Mead")
    return float(np.exp(best.x[0])), float(np.clip(best.x[1], LEAST_SHAPE, MOST_SHAPE))


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place that departed from its usual state at least once."""

    at: tuple[int, int]
    """(row, col) of its strongest pixel."""
    date: int
    """Index of the date on which it departed most."""
    pixels: Pixels
    """Of the object's body on that date."""
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
    tails: dict[int, ScanTail]
    """By kind of ground."""


@dataclass(frozen=True, kw_only=True)
class _Peaks:
    """Maxima of all dates."""

    values: Values
    kinds: NDArray[np.uint8]
    rows: NDArray[np.intp]
    cols: NDArray[np.intp]
    ground: dict[int, float]
    """km2 times dates by kind of ground."""

    def tails(self, kept: BoolArray, *, upper: float) -> dict[int, ScanTail]:
        """Return each kind's tail from the maxima that are kept; a kind too small takes that of all together."""
        together = fit_scan_tail(self.values[kept], sum(self.ground.values()), upper=upper)
        tails = {}
        for kind, km2_dates in self.ground.items():
            try:
                tails[kind] = fit_scan_tail(self.values[kept & (self.kinds == kind)], km2_dates, upper=upper)
            except TooFewMaximaError:
                tails[kind] = together
        return tails


def _peaks(seen: Departures, strata: NDArray[np.uint8], energies: Sequence[FloatArray]) -> _Peaks:
    """Return the maxima of all dates, each kind of ground by itself."""
    size, km2 = odd_pixels(OBJECT_SPACING_M, seen.gsd), (seen.gsd / 1000) ** 2
    ground = {int(kind): 0.0 for kind in np.unique(strata[strata > 0])}
    parts: list[tuple[Values, NDArray[np.intp], NDArray[np.intp]]] = []
    for energy, valid in zip(energies, seen.valid, strict=True):
        highest = np.zeros(strata.shape, bool)
        for kind in ground:
            here = valid & (strata == kind)
            highest |= local_maxima(energy, here, size)
            ground[kind] += float(here.sum()) * km2
        rows, cols = np.nonzero(highest)
        parts.append((energy[rows, cols].astype(np.float64), rows, cols))
    values, rows, cols = (np.concatenate([part[k] for part in parts]) for k in range(3))
    return _Peaks(values=values, kinds=strata[rows, cols], rows=rows, cols=cols, ground=ground)


def _tails(
    seen: Departures, strata: NDArray[np.uint8], energies: Sequence[FloatArray]
) -> tuple[dict[int, ScanTail], dict[int, float]]:
    """Return each kind's tail, learned once more without the places that the first tails show to be no chance.

    The second value is the ground times dates that showed it, km2, by kind.
    """
    peaks = _peaks(seen, strata, energies)
    everything = np.ones(len(peaks.values), bool)
    first = peaks.tails(everything, upper=TAIL_TO)
    limits = {kind: tail.threshold(STRICT_PER_KM2 / len(energies)) for kind, tail in first.items()}
    beyond = peaks.values > np.array([limits[int(kind)] for kind in peaks.kinds])
    changed = np.zeros(strata.shape, np.uint8)
    changed[peaks.rows[beyond], peaks.cols[beyond]] = 1
    side = 2 * odd_pixels(OBJECT_SPACING_M, seen.gsd) + 1
    near = cv2.dilate(changed, np.ones((side, side), np.uint8)) > 0
    kept = ~near[peaks.rows, peaks.cols]
    try:
        return peaks.tails(np.asarray(kept), upper=0.0), peaks.ground
    except TooFewMaximaError:
        return first, peaks.ground


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


def scan_places(seen: Departures, strata: NDArray[np.uint8], *, false_places_per_km2: float) -> Scan:
    """Find the places that departed from their usual state by more than chance on some date.

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
    dates = len(seen.channels)
    energies = [seen.energy(k) for k in range(dates)]
    tails, ground = _tails(seen, strata, energies)
    limit = np.full(strata.shape, np.inf, np.float32)
    for kind, tail in tails.items():
        limit[strata == kind] = tail.threshold(false_places_per_km2 / dates)
    best, when = np.zeros(strata.shape, np.float32), np.zeros(strata.shape, np.int16)
    for k, energy in enumerate(energies):
        ratio = np.nan_to_num(energy) / limit
        higher = ratio > best
        best[higher], when[higher] = ratio[higher], k
    peaks = local_maxima(best, strata > 0, odd_pixels(OBJECT_SPACING_M, seen.gsd)) & (best >= 1)
    rows, cols = np.nonzero(peaks)
    free, places = np.ones(strata.shape, bool), []
    halo = odd_pixels(2 * HALO_M, seen.gsd)
    for k in np.argsort(-best[rows, cols], kind="stable"):
        at = int(rows[k]), int(cols[k])
        if not free[at]:
            continue
        body = _body(seen, int(when[at]), at)
        kind, value = int(strata[at]), float(best[at] * limit[at])
        rate = tails[kind].rate(value)
        places.append(
            Place(
                at=at,
                date=int(when[at]),
                pixels=body,
                kind=kind,
                statistic=value,
                threshold=float(limit[at]),
                p_value=float(1 - np.exp(-rate * dates * PLACE_KM2)),
                false_places=rate * ground[kind],
            )
        )
        taken = np.zeros(strata.shape, np.uint8)
        taken[body] = 1
        free &= cv2.dilate(taken, np.ones((halo, halo), np.uint8)) == 0
    expected = false_places_per_km2 * sum(ground.values()) / dates
    return Scan(places=tuple(places), expected_false=expected, tails=tails)


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
