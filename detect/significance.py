"""From a statistic to a threshold."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainccinv

from detect.errors import DetectError

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

OBJECT_SPACING_M = 70.0
"""Side of the square in which only the strongest place counts: two aircraft parked closer are one flag."""
AREA_SPACING_M = 150.0

TAIL_FROM, TAIL_TO = 0.35, 0.08
"""Upper shares of the local maxima between which the tail is learned: below it is not a tail yet, above it real
changes may stand among the noise."""
FEWEST_PEAKS = 30
"""Fewer local maxima do not show a tail."""


def local_maxima(statistic: FloatArray, where: BoolArray, size_px: int) -> BoolArray:
    """Return the places (row, col) that are the largest of the `size_px` square around them.

    Parameters
    ----------
    statistic
        (row, col) >= 0; NaN is never a maximum.
    where
        (row, col) True = may be one, and may outdo one.
    size_px
        Side of the square, odd pixels.
    """
    filled = np.where(where & np.isfinite(statistic), statistic, np.float32(-1))
    highest = cv2.dilate(filled, np.ones((size_px, size_px), np.uint8), borderValue=-1)
    return np.asarray((filled == highest) & (filled > 0))


def odd_pixels(metres: float, gsd: float) -> int:
    """Return a length as an odd number of pixels, at least 3."""
    return max(3, 2 * round(metres / gsd / 2 - 0.5) + 1)


class TooFewMaximaError(DetectError):
    """Ground too small to show the tail of its own noise."""


def own_threshold(
    statistic: FloatArray, where: BoolArray, *, gsd: float, spacing_m: float, per_km2: float, floor: float
) -> float:
    """Return the value that chance maxima of this very map would pass `per_km2` times per km2.

    The maxima's upper tail is taken as exponential (for the chi-squared and the Gaussian family it is, closely). Its
    scale is learned by maximum likelihood between the upper TAIL_FROM and TAIL_TO shares, all higher ones counting
    only as "higher" (censored), so that strong real changes do not raise it. Widespread real change does: then the
    threshold is too high, and where the tail is heavier than exponential it is too low. From two dates that cannot be
    told apart; hence "not calibrated".

    Parameters
    ----------
    statistic
        (row, col) >= 0.
    where
        (row, col) True = the ground whose maxima count.
    gsd
        Metres per pixel.
    spacing_m
        Side of the square in which only the strongest counts.
    per_km2
        Asked rate, > 0.
    floor
        Least threshold, whatever the map says; what the statistic reaches by pure Gaussian noise.

    Raises
    ------
    TooFewMaximaError
        Where the ground is too small.
    """
    peaks = statistic[local_maxima(statistic, where, odd_pixels(spacing_m, gsd))]
    return tail_threshold(peaks, km2=float(where.sum()) * (gsd / 1000) ** 2, per_km2=per_km2, floor=floor)


def tail_threshold(peaks: FloatArray, *, km2: float, per_km2: float, floor: float = 0.0) -> float:
    """Return the value that chance maxima pass `per_km2` times per km2, by the exponential tail of `own_threshold`.

    Parameters
    ----------
    peaks
        (n,) local maxima.
    km2
        Ground that they were found on, all maps together.
    per_km2, floor
        As for `own_threshold`.

    Raises
    ------
    TooFewMaximaError
        Where there are fewer than FEWEST_PEAKS.
    """
    if len(peaks) < FEWEST_PEAKS:
        raise TooFewMaximaError(f"{len(peaks)} local maxima do not show a tail; {FEWEST_PEAKS} are needed")
    values = peaks.astype(np.float64)
    start, end = np.quantile(values, [1 - TAIL_FROM, 1 - TAIL_TO])
    beyond = values[values > start]
    seen = int((beyond <= end).sum())
    scale = (np.minimum(beyond, end) - start).sum() / max(seen, 1)
    rate = len(beyond) / km2
    return float(max(start + scale * np.log(max(rate / per_km2, 1.0)), floor))


def gaussian_floor(bands: int, *, spacing_m: float, per_km2: float) -> float:
    """Return the squared distance that Gaussian noise in `bands` bands passes `per_km2` times per km2 of places."""
    places = 1e6 / spacing_m**2
    # The upper quantile of chi-squared; scipy.stats would say it more plainly and take two seconds to import.
    return float(2 * gammainccinv(bands / 2, min(per_km2 / places, 0.5)))


def by_stratum(
    statistic: FloatArray, strata: NDArray[np.uint8], rule: Callable[[FloatArray, BoolArray], float]
) -> FloatArray:
    """Return the threshold map (row, col): `rule` applied to each kind of ground, NaN where nothing is searched.

    Parameters
    ----------
    statistic
        (row, col) >= 0.
    strata
        (row, col) kind of ground, 1 and up; 0 = not searched.
    rule
        From a statistic and the ground whose maxima count to a threshold; may raise TooFewMaximaError. A kind that is
        too small takes the threshold of all kinds together; where that is too small as well, nothing can be flagged:
        infinite.
    """
    out = np.full(statistic.shape, np.nan, np.float32)
    try:
        together = rule(statistic, strata > 0)
    except TooFewMaximaError:
        together = float("inf")
    for kind in np.unique(strata[strata > 0]):
        here = strata == kind
        try:
            out[here] = rule(statistic, here)
        except TooFewMaximaError:
            out[here] = together
    return out
