"""How often chance alone passes a value, from the maxima of all dates of a series on one kind of ground.

A generalised Pareto tail (J. Pickands 1975; A. Davison and R. Smith 1990) is fitted to the highest tenth of the maxima;
it may be truncated at its upper end, beyond which real changes may be the more numerous.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from detect.errors import DetectError
from detect.significance import FEWEST_PEAKS

TAIL_FROM = 0.10
"""Upper share of the maxima from which the tail is learned."""
LEAST_SHAPE, MOST_SHAPE = 0.0, 0.5
"""Limits of the Pareto shape: outside them a few maxima would decide on orders of magnitude."""
BELIEVED = 0.01
"""Maxima on all dates and all ground of a kind down to which a tail is believed."""
EXPONENTIAL = 1e-6
"""Shapes nearer to 0 are exponential."""

Values = NDArray[np.float64]


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
        if abs(self.shape) < EXPONENTIAL:
            survival = float(np.exp(-excess))
        else:
            survival = max(1 + self.shape * excess, 0.0) ** (-1 / self.shape)
        return max(self.start_rate * survival, BELIEVED / self.km2_dates)

    def threshold(self, per_km2_date: float) -> float:
        """Return the value that so many maxima per km2 and date reach by chance."""
        if per_km2_date >= self.start_rate:
            return float(self.peaks[min(int(per_km2_date * self.km2_dates), len(self.peaks) - 1)])
        ratio = self.start_rate / per_km2_date
        if abs(self.shape) < EXPONENTIAL:
            return self.start + self.scale * float(np.log(ratio))
        return self.start + self.scale / self.shape * float(ratio**self.shape - 1)


class TooFewMaximaError(DetectError):
    """Ground too small, or dates too few, to show what chance gives."""


def _survival(excess: float, scale: float, shape: float) -> float:
    """Return the share of a generalised Pareto distribution beyond an excess."""
    if not np.isfinite(excess):
        return 0.0
    if abs(shape) < EXPONENTIAL:
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
        log = excess / scale if abs(shape) < EXPONENTIAL else (1 + 1 / shape) * np.log(inside)
        share = max(1 - _survival(end, scale, shape), 1e-9)
        return float(len(excess) * (np.log(scale) + np.log(share)) + log.sum() + 50 * (parameters[1] - shape) ** 2)

    best = minimize(cost, np.array([np.log(mean), 0.05]), method="Nelder-Mead")
    return float(np.exp(best.x[0])), float(np.clip(best.x[1], LEAST_SHAPE, MOST_SHAPE))


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
