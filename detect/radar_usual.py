"""The usual radar power of each place over a baseline of dates, visits left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

VISIT_CHANCE = 1e-3
"""A date that is brighter than its place usually is by more than speckle would be with this chance holds a visitor."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """All dates, of which the first are the baseline."""

    power: FloatArray
    """(date, polarisation, row, col), levelled; 1 where not valid."""
    valid: BoolArray
    """(date, row, col)."""
    kept: BoolArray
    """(date, polarisation, row, col) True = baseline date without a visitor there."""
    total: FloatArray
    """(polarisation, row, col) sum of what is kept."""
    count: FloatArray
    """(polarisation, row, col) number of it."""

    def mean_without(self, left_out: tuple[int, ...]) -> FloatArray:
        """Return the mean of what is kept (polarisation, row, col), some dates left out."""
        total, count = self.total.copy(), self.count.copy()
        for date in left_out:
            total -= np.where(self.kept[date], self.power[date], np.float32(0))
            count -= self.kept[date]
        return np.where(count > 0.5, total / np.maximum(count, 1), np.float32(1))


def _without_visits(power: FloatArray, valid: BoolArray, looks: tuple[float, ...], level: float) -> BoolArray:
    """Return which baseline dates (date, polarisation, row, col) are as their place usually is.

    The median (level 0.5) holds where less than half of the dates have a visitor; where more have one, it is the
    visitor's. A lower level holds where up to 1 - level of them do.
    """
    kept = np.empty(power.shape, bool)
    for k, n in enumerate(looks):
        known = np.where(valid, power[:, k], np.float32(np.nan))
        usual = _nan_median(known, level)
        most = gammaincinv(n, 1 - VISIT_CHANCE) / gammaincinv(n, level)
        kept[:, k] = valid & (power[:, k] <= np.float32(most) * usual)
    return kept


def _nan_median(dates: FloatArray, level: float = 0.5) -> FloatArray:
    """Return the median over dates (date, row, col), or another level, of what is not NaN; NaN where nothing is.

    NaN sorts last, so the middle of what is known is found by its count; numpy's own nanmedian takes a hundred times
    as long.
    """
    ordered = np.sort(dates, axis=0)
    last = np.maximum(np.isfinite(ordered).sum(axis=0) - 1, 0)
    # Between the two middle ones, or at the lower of the two about another level: the upper may be a visitor's.
    ends = [np.floor(last * level).astype(np.intp)] * 2 if level < 0.5 else [last // 2, (last + 1) // 2]
    low, high = (np.take_along_axis(ordered, k[None], axis=0)[0] for k in ends)
    return np.asarray((low + high) / 2, dtype=np.float32)


def usual_power(
    power: FloatArray, valid: BoolArray, looks: tuple[float, ...], baseline: int, *, level: float = 0.5
) -> Baseline:
    """Return the dates with what is needed to leave some of them out; `level` as for `_without_visits`."""
    kept = _without_visits(power[:baseline], valid[:baseline], looks, level)
    total = np.where(kept, power[:baseline], np.float32(0)).sum(axis=0, dtype=np.float64)
    return Baseline(
        power=power,
        valid=valid,
        kept=kept,
        total=total.astype(np.float32),
        count=kept.sum(axis=0).astype(np.float32),
    )
