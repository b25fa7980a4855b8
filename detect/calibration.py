"""False-alarm rates that are true: thresholds and chances from dates of the same ground on which nothing was asked.

Pairs of baseline dates are tested as the asked pair is. Their maxima, per km2 and pair, are what chance and ordinary
traffic give there. Within the data the rate is counted; beyond it a generalised Pareto tail is fitted to the highest
tenth (J. Pickands 1975; A. Davison and R. Smith 1990). Places that change in many baseline pairs (a stand in daily use)
are no noise of the ground and are left out of what is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import pdtr, pdtrc

from detect.change import ChangedObject
from detect.errors import DetectError
from detect.filters import BoolArray, FloatArray
from detect.significance import FEWEST_PEAKS, TooFewMaximaError, local_maxima, odd_pixels, tail_threshold

PLACE_KM2 = 0.01
"""The ground that one p-value speaks of."""
COUNTED = 10
"""Maxima that must lie beyond a threshold for the rate to be counted rather than extrapolated."""
TAIL_SHARE = 0.1
MOST_SHAPE, LEAST_SHAPE = 0.5, -0.2
"""Limits of the Pareto shape: outside them a few maxima would decide on orders of magnitude."""
WITHIN = 2.0
"""Factor between actual and asked rate that is called calibrated."""
CONTRADICTED = 0.01
BUSY_SHARE = 0.1
"""Share of the baseline pairs in which a place must change to be called busy."""
BUSY_RATE = 0.5
"""Maxima per km2 and pair beyond which a place counts as changed for that purpose."""


@dataclass(frozen=True, kw_only=True)
class NullTail:
    """How often chance maxima pass a value on one kind of ground."""

    peaks: NDArray[np.float64]
    """Maxima of all pairs, highest first."""
    km2: float
    """Ground times pairs that they were seen on."""
    start: float
    """Value from which the fitted tail holds."""
    start_rate: float
    """Maxima per km2 and pair beyond `start`."""
    scale: float
    shape: float
    """Of the generalised Pareto distribution of the excess over `start`."""

    def rate(self, value: FloatArray | float) -> NDArray[np.float64]:
        """Return the maxima per km2 and pair that reach `value`: counted while there are COUNTED, else by the tail."""
        at = np.asarray(value, dtype=np.float64)
        above = np.searchsorted(-self.peaks, -at, side="right")
        excess = np.maximum(at - self.start, 0) / self.scale
        if abs(self.shape) < 1e-6:
            survival = np.exp(-excess)
        else:
            survival = np.maximum(1 + self.shape * excess, 0) ** (-1 / self.shape)
        # One chance in ten of what the data could show is as far as a tail is believed.
        tail = np.maximum(self.start_rate * survival, 0.1 / self.km2)
        return np.where((above >= COUNTED) | (at <= self.start), above / self.km2, tail)

    def threshold(self, per_km2: float) -> float:
        """Return the value that `per_km2` maxima per km2 and pair reach."""
        if per_km2 * self.km2 >= COUNTED or per_km2 >= self.start_rate:
            return float(self.peaks[min(int(per_km2 * self.km2), len(self.peaks) - 1)])
        ratio = self.start_rate / per_km2
        if abs(self.shape) < 1e-6:
            return float(self.start + self.scale * np.log(ratio))
        return float(self.start + self.scale / self.shape * (ratio**self.shape - 1))

    def p_value(self, value: FloatArray) -> FloatArray:
        """Return the chance (0 to 1) that a place of PLACE_KM2 holds a maximum of at least `value`; NaN stays NaN."""
        chance = 1 - np.exp(-self.rate(np.nan_to_num(value)) * PLACE_KM2)
        return np.where(np.isnan(value), np.nan, chance).astype(np.float32)


class TooLittleGroundError(DetectError):
    """Too few maxima to learn a rate from."""


def fit_tail(peaks: NDArray[np.float64], km2: float) -> NullTail:
    """Fit the null distribution of maxima.

    Parameters
    ----------
    peaks
        Maxima of the statistic on ground and pairs without asked change.
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
    excess = np.maximum(ordered[:count] - start, 1e-9)
    scale, shape = _fit_pareto(excess)
    return NullTail(peaks=ordered, km2=km2, start=start, start_rate=count / km2, scale=scale, shape=shape)


def _fit_pareto(excess: NDArray[np.float64]) -> tuple[float, float]:
    """Return scale and shape of the generalised Pareto distribution by maximum likelihood, the shape in its limits."""
    mean = float(excess.mean())

    def cost(parameters: NDArray[np.float64]) -> float:
        scale, shape = float(np.exp(parameters[0])), float(np.clip(parameters[1], LEAST_SHAPE, MOST_SHAPE))
        inside = 1 + shape * excess / scale
        if inside.min() <= 0:
            return 1e12
        log = excess / scale if abs(shape) < 1e-6 else (1 + 1 / shape) * np.log(inside)
        return float(len(excess) * np.log(scale) + log.sum() + 50 * (parameters[1] - shape) ** 2)

    best = minimize(cost, np.array([np.log(mean), 0.05]), method="Nelder-Mead")
    return float(np.exp(best.x[0])), float(np.clip(best.x[1], LEAST_SHAPE, MOST_SHAPE))


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
    once: int = 1
    """Pairs in which one date takes part: what is odd on one date passes a threshold in so many of them together."""
    folds: tuple[int, ...] = ()
    """Of each map, the group of dates that it is of: maps of two groups share no date. Empty: not told."""

    def of_fold(self, fold: int, *, inside: bool) -> Nulls:
        """Return the maps of one group of dates, or of all others."""
        kept = [k for k, mine in enumerate(self.folds) if (mine == fold) == inside]
        return replace(self, maps=tuple(self.maps[k] for k in kept), folds=tuple(self.folds[k] for k in kept))

    def peaks(self, kind: int | None = None) -> tuple[NDArray[np.float64], float]:
        """Return the maxima on one kind of calm ground (None: on all), and the km2 times pairs that they stand for."""
        ground = self.calm & (self.strata > 0 if kind is None else self.strata == kind)
        size = odd_pixels(self.spacing_m, self.gsd)
        grounds = [ground & ~np.isnan(one) for one in self.maps]
        found = [one[local_maxima(one, here, size)] for one, here in zip(self.maps, grounds, strict=True)]
        seen = sum(int(here.sum()) for here in grounds)
        return np.concatenate([*found, np.empty(0, np.float32)]).astype(np.float64), seen * (self.gsd / 1000) ** 2

    def kinds(self) -> list[int]:
        """Return the kinds of ground."""
        return [int(kind) for kind in np.unique(self.strata[self.strata > 0])]

    def tails(self) -> dict[int, NullTail]:
        """Return each kind's null distribution; a kind too small to have one takes that of all together."""
        together = fit_tail(*self.peaks())
        tails = {}
        for kind in self.kinds():
            try:
                tails[kind] = fit_tail(*self.peaks(kind))
            except TooLittleGroundError:
                tails[kind] = together
        return tails


def busy_places(maps: Sequence[FloatArray], ground: BoolArray, *, once: int, gsd: float, spacing_m: float) -> BoolArray:
    """Return the places (row, col) that changed in more than BUSY_SHARE of the baseline pairs, and on several dates.

    Parameters
    ----------
    maps
        Statistics (row, col) of baseline pairs.
    ground
        (row, col) True = ground that is asked about.
    once
        Pairs in which one date takes part: what changed in no more of them may have changed once.
    gsd
        Metres per pixel.
    spacing_m
        Side of the square in which only the strongest counts.

    Returns
    -------
    BoolArray
        All False where the ground is too small to tell.
    """
    seen = [ground & ~np.isnan(one) for one in maps]
    size = odd_pixels(spacing_m, gsd)
    peaks = [one[local_maxima(one, here, size)] for one, here in zip(maps, seen, strict=True)]
    # All pairs together: one alone may show too few maxima, and its own changes.
    km2 = float(sum(int(here.sum()) for here in seen)) * (gsd / 1000) ** 2
    try:
        limit = tail_threshold(np.concatenate([*peaks, np.empty(0, np.float32)]), km2=km2, per_km2=BUSY_RATE)
    except TooFewMaximaError:
        return np.zeros_like(ground)
    share = np.zeros(ground.shape, np.float32)
    for one in maps:
        share += cv2.dilate((np.nan_to_num(one) > limit).astype(np.uint8), np.ones((5, 5), np.uint8))
    busy = (share > max(once, BUSY_SHARE * len(maps))).astype(np.uint8)
    return np.asarray(cv2.dilate(busy, np.ones((size, size), np.uint8)) > 0)


def calibrated_map(statistic: FloatArray, nulls: Nulls, *, per_km2: float) -> tuple[FloatArray, FloatArray]:
    """Return threshold and p-value (row, col) of a statistic, each kind of ground by its own null maxima.

    Parameters
    ----------
    statistic
        (row, col) >= 0; NaN where not valid.
    nulls
        The same statistic of pairs without asked change. NaN in both maps where nothing is searched.
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
    """Return whether thresholds learned on half of the pairs give the asked rate on the other half, within WITHIN.

    Chance is allowed for: the rate is contradicted only where a Poisson count of that many dates is beyond 1 in 100 for
    every rate within the factor.
    """
    middle = len(nulls.maps) // 2
    halves = (
        replace(nulls, maps=nulls.maps[:middle], folds=nulls.folds[:middle]),
        replace(nulls, maps=nulls.maps[middle:], folds=nulls.folds[middle:]),
    )
    if not middle:
        return False
    try:
        told = [passed(one.tails(), other, per_km2=per_km2) for one, other in (halves, halves[::-1])]
    except TooLittleGroundError:
        return False
    return not (too_many(told, CONTRADICTED) or too_few(told, CONTRADICTED))


Passed = tuple[float, float]
"""Maxima beyond a threshold, and how many were asked for, over the pairs that share a date."""


def passed(tails: dict[int, NullTail], tested: Nulls, *, per_km2: float) -> Passed:
    """Return how many maxima of some maps pass the thresholds that others gave, and how many were asked for."""
    count, expected = 0, 0.0
    for kind, tail in tails.items():
        peaks, km2 = tested.peaks(kind)
        count += int((peaks >= tail.threshold(per_km2)).sum())
        expected += per_km2 * km2
    return count / tested.once, expected / tested.once


def too_many(told: Sequence[Passed], limit: float) -> bool:
    """Return whether chance gives so many with less than `limit`, even if WITHIN times the asked were the truth."""
    count, expected = (sum(part) for part in zip(*told, strict=True))
    return int(count) > 0 and float(pdtrc(int(count) - 1, WITHIN * expected)) < limit


def too_few(told: Sequence[Passed], limit: float) -> bool:
    """Return whether chance gives so few with less than `limit`, even if the asked over WITHIN were the truth."""
    count, expected = (sum(part) for part in zip(*told, strict=True))
    return float(pdtr(int(count), expected / WITHIN)) < limit


def with_chances(objects: Sequence[ChangedObject], searched_km2: float) -> tuple[ChangedObject, ...]:
    """Return the objects with the number of such flags that chance would give in the searched ground.

    Unchanged where they have no p-value: the change is not calibrated.
    """
    return tuple(
        item if item.p_value is None else replace(item, false_alarms=item.p_value * searched_km2 / PLACE_KM2)
        for item in objects
    )
