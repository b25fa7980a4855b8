"""Radar speckle: how many looks an image has, and what a date is brighter than another as a whole.

Backscatter power of n independent looks follows a gamma distribution of shape n. A product's number of looks is
nominal: over sea near the noise floor, on structured ground, and after resampling the equivalent number (ENL) differs
by a factor of up to two, so it is measured on the dates at hand. All estimates here are medians, which ships and
buildings do not move.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

from detect.errors import DetectError
from detect.robust import thin

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

FEWEST_RATIOS = 400
"""Fewer ratios of pixels (20 x 20 on two dates) do not show a number of looks to a tenth."""
LEAST_LOOKS, MOST_LOOKS = 0.5, 500.0
"""Between which a number of looks is sought."""
STABLE_SHARE = 0.5
"""Share of the pixels, those that vary least from date to date, on which dates are calibrated."""
UPPER_QUARTILE = 0.75
MOST_PIXELS = 40_000
"""Pixels on which levels are measured: the error is then half a per cent."""


def usable(power: FloatArray) -> BoolArray:
    """Return where backscatter is a positive finite number: what is 0 or less is a product's empty border or fault.

    Parameters
    ----------
    power
        Linear power, any shape.
    """
    return np.asarray(np.isfinite(power) & (power > 0))


def _typical_ratio(looks: float) -> float:
    """Return the median of |ln(x / y)| of two samples of equal mean: ln of the F distribution's upper quartile."""
    return float(np.log(fdtri(2 * looks, 2 * looks, UPPER_QUARTILE)))


def looks_of_ratios(log_ratios: FloatArray) -> float:
    """Return the number of looks (ENL) of pixels of equal mean from the logarithms of their ratios.

    The ratio of two gamma variates of n looks and equal mean follows F(2n, 2n). Its logarithm is symmetric, so the
    median of its absolute value is the logarithm of the upper quartile of F, and falls with n.

    Parameters
    ----------
    log_ratios
        ln(x / y) of independent pixels or dates, any shape; NaN counts for nothing.

    Raises
    ------
    DetectError
        Where there are fewer than FEWEST_RATIOS.
    """
    known = np.abs(log_ratios[np.isfinite(log_ratios)])
    if known.size < FEWEST_RATIOS:
        raise DetectError(f"{known.size} ratios do not show the number of looks; {FEWEST_RATIOS} are needed")
    typical = float(np.median(known))
    low, high = np.log(LEAST_LOOKS), np.log(MOST_LOOKS)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _typical_ratio(float(np.exp(middle))) > typical else (low, middle)
    return float(np.exp((low + high) / 2))


def temporal_looks(dates: FloatArray, valid: BoolArray) -> float:
    """Return the number of looks that a series of one polarisation shows from each date to the next.

    Neighbouring dates are compared, so that seasons and slow drift do not count as speckle; a change of a few per cent
    of the ground does not move a median.

    Parameters
    ----------
    dates
        (date, row, col) linear power, calibrated, in the order of time.
    valid
        (date, row, col) True = usable.

    Raises
    ------
    DetectError
        Where too little ground is usable on neighbouring dates.
    """
    logs = np.log(np.where(valid, dates, np.float32(1)))
    both = valid[1:] & valid[:-1]
    return looks_of_ratios((logs[1:] - logs[:-1])[both])


def spatial_looks(image: FloatArray, valid: BoolArray, *, apart_px: int = 4) -> float:
    """Return the number of looks that one date shows from pixels `apart_px` apart, in rows and in columns.

    Speckle of a Sentinel-1 pixel reaches over its neighbours, so these are no witness. Texture counts as speckle: on
    anything but level ground such as a calm sea it is a lower bound.

    Parameters
    ----------
    image
        (row, col) linear power.
    valid
        (row, col) True = usable.

    Raises
    ------
    DetectError
        Where too little is usable.
    """
    logs = np.where(valid, np.log(np.where(valid, image, np.float32(1))), np.float32(np.nan))
    down, across = logs[apart_px:] - logs[:-apart_px], logs[:, apart_px:] - logs[:, :-apart_px]
    return looks_of_ratios(np.concatenate([down.ravel(), across.ravel()]))


def date_levels(dates: FloatArray, valid: BoolArray) -> NDArray[np.float64]:
    """Return the level (date,) of each date: dividing a date by it puts its stable ground at the level of the others.

    The level is where most ratios to each pixel's own mean over the dates (of logarithms) are found, on the
    STABLE_SHARE of the pixels that vary least. Weather that dims the whole scene, and a calibration that drifts, go
    with it; ships, and rain on a third of the ground, do not steer it.

    Parameters
    ----------
    dates
        (date, row, col) linear power of one polarisation.
    valid
        (date, row, col) True = usable.

    Raises
    ------
    DetectError
        Where a date has no pixel in common with the others.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> power = rng.gamma(4.4, 1 / 4.4, (6, 99, 99)).astype(np.float32)
    >>> power[2] *= 2
    >>> date_levels(power, usable(power)).round(1).tolist()
    [1.0, 1.0, 2.0, 1.0, 1.0, 1.0]
    """
    often = valid.sum(0) > len(dates) / 2
    if not often.any():
        raise DetectError(f"no pixel is usable on more than half of the {len(dates)} dates")
    some = thin(int(often.sum()), MOST_PIXELS)
    known = valid[:, often][:, some]
    logs = np.log(np.where(known, dates[:, often][:, some], np.float32(1)).astype(np.float64))
    empty = np.flatnonzero(~known.any(axis=1))
    if len(empty):
        raise DetectError(f"date {empty[0] + 1} of {len(dates)} has no pixel that is usable on the others too")
    ratios = np.where(known, logs, np.nan)
    # Held against the mean over the dates, not the median: that is some date's own value, whose ratio would be 1.
    ratios -= np.nanmean(ratios, axis=0)
    levels = np.array([_most(one[np.isfinite(one)]) for one in ratios])
    spread = np.nanmedian(np.abs(ratios - levels[:, None]), axis=0)
    stable = ratios[:, spread <= np.quantile(spread, STABLE_SHARE)]
    levels = np.array([_most(one[np.isfinite(one)]) for one in stable])
    return np.asarray(np.exp(levels - np.median(levels)))


def _most(values: NDArray[np.float64]) -> float:
    """Return the median of what lies around the shortest half of the values: it holds while most of them agree."""
    ordered = np.sort(values)
    half = (len(ordered) + 1) // 2
    start = int(np.argmin(ordered[half - 1 :] - ordered[: len(ordered) - half + 1]))
    middle, width = ordered[start + half // 2], ordered[start + half - 1] - ordered[start]
    return float(np.median(ordered[np.abs(ordered - middle) <= width]))
