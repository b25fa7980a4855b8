"""Thresholds and chances from dates on which nothing was asked, each left out of what it is tested against.

The maxima of a statistic between baseline dates, per km2 and pair, are what chance and weather give on this very
ground. Where enough of them lie beyond a value, its rate is counted; further out a generalised Pareto tail is fitted
to the highest tenth by probability-weighted moments (J. Hosking and J. Wallis 1987,
doi:10.1080/00401706.1987.10488243).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtr, pdtrc

from detect.errors import DetectError
from detect.significance import FEWEST_PEAKS, TooFewMaximaError, local_maxima, odd_pixels, own_threshold

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

PLACE_KM2 = 0.01
"""The ground that one p-value speaks of."""
COUNTED = 10
"""Maxima beyond a value from which their rate is counted and not extrapolated."""
TAIL_SHARE = 0.1
LEAST_SHAPE, MOST_SHAPE = -0.2, 0.5
"""Limits of the Pareto shape: outside them a few maxima would decide on orders of magnitude."""
WITHIN = 2.0
"""Factor between actual and asked rate that is called calibrated."""
CONTRADICTED = 0.01
BUSY_SHARE = 0.25
"""Share of the pairs in which a place must change to be in daily use."""
BUSY_PER_KM2 = 2.0
BUSY_FACTOR = 3.0
"""A place in use counts where it passes so many times the value that chance maxima pass at that rate. Visits of
aircraft and ships do; without the factor the noisiest ground would be left out, whose noise is to be learned: on real
towns the actual rate was then four times the asked one."""

LASTING_FACTOR = 1.0
"""A change is real where it passes so many times the value of BUSY_PER_KM2, and other dates bear it out."""
BORNE_OUT = 13.8
"""Evidence of the dates next to a pair that chance gives to one place in a thousand (chi-squared, two
polarisations), and in the sense of the pair's change to one in two thousand."""


class TooLittleGroundError(DetectError):
    """Too few maxima to learn a rate from."""


@dataclass(frozen=True, kw_only=True)
class Tail:
    """How often chance maxima reach a value on one kind of ground."""

    peaks: NDArray[np.float64]
    """Maxima of all pairs, highest first."""
    km2: float
    """Ground times pairs on which they were seen."""
    start: float
    """Value from which the fitted tail holds."""
    start_rate: float
    """Maxima per km2 and pair beyond `start`."""
    scale: float
    shape: float
    """Of the generalised Pareto distribution of the excess over `start`."""

    def rate(self, value: FloatArray) -> NDArray[np.float64]:
        """Return the maxima per km2 and pair that reach `value`, any shape."""
        at = np.asarray(value, np.float64)
        above = np.searchsorted(-self.peaks, -at, side="right")
        excess = np.maximum(at - self.start, 0) / self.scale
        inner = np.maximum(1 + self.shape * excess, 0)
        survival = np.exp(-excess) if abs(self.shape) < 1e-6 else inner ** (-1 / self.shape)
        # A tenth of the least rate that the data could show is as far as a tail is believed.
        beyond = np.maximum(self.start_rate * survival, 0.1 / self.km2)
        return np.where((above >= COUNTED) | (at <= self.start), above / self.km2, beyond)

    def threshold(self, per_km2: float) -> float:
        """Return the value that `per_km2` maxima per km2 and pair reach."""
        wanted = per_km2 * self.km2
        if wanted >= COUNTED or per_km2 >= self.start_rate:
            return float(self.peaks[min(int(wanted), len(self.peaks) - 1)])
        ratio = self.start_rate / per_km2
        if abs(self.shape) < 1e-6:
            return float(self.start + self.scale * np.log(ratio))
        return float(self.start + self.scale / self.shape * (ratio**self.shape - 1))

    def p_value(self, value: FloatArray) -> FloatArray:
        """Return the chance that a place of PLACE_KM2 holds a maximum of at least `value`; NaN stays NaN."""
        chance = 1 - np.exp(-self.rate(np.nan_to_num(value)) * PLACE_KM2)
        return np.where(np.isnan(value), np.nan, chance).astype(np.float32)


def fit_tail(peaks: NDArray[np.float64], km2: float) -> Tail:
    """Fit the distribution of chance maxima.

    Parameters
    ----------
    peaks
        Maxima found on ground and pairs without asked change.
    km2
        Ground times pairs they were found on.

    Raises
    ------
    TooLittleGroundError
        Where there are fewer than FEWEST_PEAKS.
    """
    if len(peaks) < FEWEST_PEAKS or km2 <= 0:
        raise TooLittleGroundError(f"{len(peaks)} maxima do not show a rate; {FEWEST_PEAKS} are needed")
    ordered = np.sort(peaks.astype(np.float64))[::-1]
    count = max(int(TAIL_SHARE * len(ordered)), FEWEST_PEAKS // 2)
    start = float(ordered[count])
    excess = ordered[:count] - start + 1e-9
    # Moments of the excess, plain and weighted by the share that lies above: the highest weighs least.
    mean, weighted = excess.mean(), (excess * (np.arange(count) + 0.35) / count).mean()
    shape = float(np.clip(2 - mean / (mean - 2 * weighted), LEAST_SHAPE, MOST_SHAPE)) if mean > 2 * weighted else 0.0
    return Tail(
        peaks=ordered, km2=km2, start=start, start_rate=count / km2, scale=float(mean * (1 - shape)), shape=shape
    )


@dataclass(frozen=True, kw_only=True)
class Nulls:
    """Maps of a statistic between dates on which nothing was asked, and the ground that they speak for."""

    maps: tuple[FloatArray, ...]
    """Of baseline pairs, (row, col) each; NaN where not valid."""
    strata: NDArray[np.uint8]
    """(row, col) kind of searched ground, 1 and up; 0 = not searched."""
    calm: BoolArray
    """(row, col) False on places in daily use, which teach nothing about noise."""
    gsd: float
    spacing_m: float
    """Side of the square in which only the strongest counts."""

    def peaks(self, kind: int | None = None) -> tuple[NDArray[np.float64], float]:
        """Return the maxima on one kind of calm ground (None: on all), and the km2 times pairs that they stand for."""
        ground = self.calm & (self.strata > 0 if kind is None else self.strata == kind)
        size = odd_pixels(self.spacing_m, self.gsd)
        grounds = [ground & ~np.isnan(one) for one in self.maps]
        found = [one[local_maxima(one, here, size)] for one, here in zip(self.maps, grounds, strict=True)]
        seen = sum(int(here.sum()) for here in grounds)
        return np.concatenate([*found, np.empty(0, np.float32)]).astype(np.float64), seen * (self.gsd / 1000) ** 2

    def tails(self) -> dict[int, Tail]:
        """Return the tail of each kind of ground; a kind too small to show one takes that of all together."""
        together, tails = fit_tail(*self.peaks()), {}
        for kind in (int(k) for k in np.unique(self.strata[self.strata > 0])):
            try:
                tails[kind] = fit_tail(*self.peaks(kind))
            except TooLittleGroundError:
                tails[kind] = together
        return tails


def _busy_limit(statistic: FloatArray, ground: BoolArray, gsd: float, spacing_m: float) -> float:
    """Return the value that chance maxima of a map pass BUSY_PER_KM2 times per km2, by its tail, or its highest."""
    try:
        return own_threshold(statistic, ground, gsd=gsd, spacing_m=spacing_m, per_km2=BUSY_PER_KM2, floor=0.0)
    except TooFewMaximaError:
        return float(np.max(statistic[ground], initial=0.0))


def busy_places(maps: Sequence[FloatArray], ground: BoolArray, *, gsd: float, spacing_m: float) -> BoolArray:
    """Return the places (row, col) that changed in more than BUSY_SHARE of the pairs of dates.

    Parameters
    ----------
    maps
        Statistics (row, col) of pairs of baseline dates.
    ground
        (row, col) True = ground that is asked about.
    gsd
        Metres per pixel.
    spacing_m
        Side of the square in which only the strongest counts.
    """
    limits = [_busy_limit(one, ground & ~np.isnan(one), gsd, spacing_m) for one in maps]
    limit = BUSY_FACTOR * float(np.median(limits))
    near = np.ones((5, 5), np.uint8)
    share = sum(cv2.dilate((np.nan_to_num(one) > limit).astype(np.uint8), near).astype(np.float32) for one in maps)
    side = odd_pixels(spacing_m, gsd)
    busy = np.asarray(share > BUSY_SHARE * len(maps)).astype(np.uint8)
    return np.asarray(cv2.dilate(busy, np.ones((side, side), np.uint8)) > 0)


def without_lasting(
    maps: Sequence[FloatArray], borne_out: Sequence[FloatArray], ground: BoolArray, *, gsd: float, spacing_m: float
) -> tuple[FloatArray, ...]:
    """Return statistics of pairs of baseline dates without the changes that lasted; they are NaN there.

    An aircraft that came during the baseline and stayed is no chance: two such arrivals make a tail from which nothing
    that leaves stands out. What tells them from chance are dates that take no part in the pair.

    Parameters
    ----------
    maps
        Statistics (row, col) of pairs.
    borne_out
        (row, col) of each: evidence of the dates before and after the pair, which are not in it, for the same change.
    ground, gsd, spacing_m
        As for `busy_places`.
    """
    limits = [_busy_limit(one, ground & ~np.isnan(one), gsd, spacing_m) for one in maps]
    limit = LASTING_FACTOR * float(np.median(limits))
    side = odd_pixels(spacing_m, gsd)
    around, left = np.ones((side, side), np.uint8), []
    for one, evidence in zip(maps, borne_out, strict=True):
        real = ((np.nan_to_num(one) > limit) & (evidence > BORNE_OUT)).astype(np.uint8)
        left.append(np.where(cv2.dilate(real, around) > 0, np.float32(np.nan), one))
    return tuple(left)


def calibrated_map(statistic: FloatArray, nulls: Nulls, *, per_km2: float) -> tuple[FloatArray, FloatArray]:
    """Return threshold and p-value (row, col) of a statistic, each kind of ground by its own chance maxima.

    Parameters
    ----------
    statistic
        (row, col) >= 0; NaN where not valid.
    nulls
        The same statistic of pairs without asked change. Both maps are NaN where nothing is searched.
    per_km2
        Asked rate of false alarms.

    Raises
    ------
    TooLittleGroundError
        Where even all kinds together show no rate.
    """
    threshold = np.full(statistic.shape, np.nan, np.float32)
    p_value = np.full(statistic.shape, np.nan, np.float32)
    for kind, tail in nulls.tails().items():
        here = nulls.strata == kind
        threshold[here] = tail.threshold(per_km2)
        p_value[here] = tail.p_value(statistic[here])
    return threshold, p_value


def is_calibrated(nulls: Nulls, *, per_km2: float) -> bool:
    """Return whether thresholds of every second pair give the asked rate on the others, within WITHIN.

    Chance is allowed for: the rate is contradicted only where a Poisson count of that many has less than one chance in
    a hundred for every rate within the factor.
    """
    halves = [replace(nulls, maps=nulls.maps[start::2]) for start in (0, 1)]
    count, expected = 0, 0.0
    try:
        for learned, tested in (halves, halves[::-1]):
            for kind, tail in learned.tails().items():
                peaks, km2 = tested.peaks(kind)
                count += int((peaks >= tail.threshold(per_km2)).sum())
                expected += per_km2 * km2
    except TooLittleGroundError:
        return False
    too_many = count > 0 and float(pdtrc(count - 1, WITHIN * expected)) < CONTRADICTED
    too_few = float(pdtr(count, expected / WITHIN)) < CONTRADICTED
    return not (too_many or too_few)
