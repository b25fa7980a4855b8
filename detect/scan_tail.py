"""How often chance alone passes a value, from the maxima of all dates of a series on one kind of ground.

A generalised Pareto tail (J. Pickands 1975; A. Davison and R. Smith 1990) is fitted to the highest tenth of the maxima.
It is truncated at its upper end, beyond which real changes are the more numerous. Each kind of ground has a scale of
its own; the shape, which a few dozen maxima leave open, is drawn towards that of all kinds, as in regional frequency
analysis (J. Hosking and J. Wallis 1993, doi:10.1029/92WR01980).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from detect.errors import DetectError
from detect.significance import FEWEST_PEAKS

TAIL_FROM = 0.10
"""Upper share of the maxima from which the tail is learned."""
BULK_TO = 0.03
"""Upper share of the maxima that says nothing of how far chance reaches: at a busy airfield it is real change."""
SHAPES = tuple(np.linspace(0.0, 0.5, 21).tolist())
"""Pareto shapes that are tried: outside them a few maxima would decide on orders of magnitude."""
SHAPE_SPREAD = 0.1
"""How far the shape of one kind of ground lies from that of the others."""
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


def _cost(excess: Values, end: float, scale: float, shape: float) -> float:
    """Return the negative log likelihood of excesses of a generalised Pareto distribution truncated at `end`."""
    inside = 1 + shape * np.maximum(excess, 0) / scale
    log = excess / scale if abs(shape) < EXPONENTIAL else (1 + 1 / shape) * np.log(inside)
    share = max(1 - _survival(end, scale, shape), 1e-9)
    return float(len(excess) * (np.log(scale) + np.log(share)) + log.sum())


def _best_scale(excess: Values, end: float, shape: float) -> tuple[float, float]:
    """Return the most likely scale at a shape, and its negative log likelihood."""
    mean = max(float(excess.mean()), 1e-9)
    found = minimize_scalar(
        lambda log: _cost(excess, end, mean * float(np.exp(log)), shape), bounds=(-2.5, 2.5), method="bounded"
    )
    return mean * float(np.exp(found.x)), float(found.fun)


def _tail_of(peaks: Values, end: float) -> tuple[Values, float, float]:
    """Return the excesses of the highest TAIL_FROM of some maxima, their start, and their end above it."""
    ordered = np.sort(peaks)[::-1]
    last = int(TAIL_FROM * len(ordered))
    if last < FEWEST_PEAKS:
        raise TooFewMaximaError(f"{len(ordered)} maxima of all dates do not show what chance gives")
    start = float(ordered[last])
    beyond = ordered[:last]
    return beyond[beyond <= max(end, start)] - start, start, max(end - start, 1e-9)


def common_shape(samples: Sequence[tuple[Values, float]]) -> float:
    """Return the Pareto shape that fits the tails of several kinds of ground best, each with a scale of its own.

    Parameters
    ----------
    samples
        Maxima of a kind, and the value beyond which they may be no chance. Kinds with too few count for nothing.
    """
    total = np.zeros(len(SHAPES))
    for peaks, end in samples:
        try:
            excess, _, reach = _tail_of(peaks, end)
        except TooFewMaximaError:
            continue
        if len(excess):
            total += [_best_scale(excess, reach, shape)[1] for shape in SHAPES]
    return float(SHAPES[int(np.argmin(total))])


def chance_limits(
    samples: Mapping[int, Values], km2_dates: Mapping[int, float], *, per_km2_date: float
) -> dict[int, float]:
    """Return by kind of ground the value from which a maximum is hardly chance, as far as the bulk of maxima tells.

    An exponential tail is laid through the maxima between the shares TAIL_FROM and BULK_TO: what came and went is among
    those above, and must not teach how far chance reaches. The kinds are laid over one another by their medians and
    their upper tenths: of one alone, so narrow a band of shares would hold too few.

    Raises
    ------
    TooFewMaximaError
        Where there are too few.
    """
    levels, bulk = dict[int, tuple[float, float]](), list[tuple[Values, Values]]()
    for kind, peaks in samples.items():
        if len(peaks) < FEWEST_PEAKS:
            continue
        middle, start, end = np.quantile(peaks, [0.5, 1 - TAIL_FROM, 1 - BULK_TO])
        levels[kind] = float(start), max(float(start - middle), 1e-9)
        inside = (peaks > start) & (peaks <= end)
        bulk.append(
            ((peaks[inside] - start) / levels[kind][1], np.full(int(inside.sum()), (end - start) / levels[kind][1]))
        )
    excess, ends = (np.concatenate([part[k] for part in bulk] or [np.empty(0)]) for k in range(2))
    if len(excess) < FEWEST_PEAKS:
        raise TooFewMaximaError(
            f"{sum(len(x) for x in samples.values())} maxima of all dates do not show what chance gives"
        )

    def cost(log: float) -> float:
        scale = float(np.exp(log))
        return float(len(excess) * log + np.log(-np.expm1(-ends / scale)).sum() + excess.sum() / scale)

    scale = float(np.exp(minimize_scalar(cost, bounds=(-3.0, 3.0), method="bounded").x))
    limits = {}
    for kind, (start, unit) in levels.items():
        rate = TAIL_FROM * len(samples[kind]) / max(km2_dates[kind], 1e-9)
        limits[kind] = start + unit * scale * float(np.log(max(rate / per_km2_date, 1.0)))
    return {kind: limits.get(kind, max(limits.values())) for kind in samples}


def fit_scan_tail(
    peaks: Values, km2_dates: float, *, end: float = np.inf, usual_shape: float | None = None
) -> ScanTail:
    """Fit the tail of chance maxima.

    Parameters
    ----------
    peaks
        Maxima of all dates on one kind of ground, without the places that came or went.
    km2_dates
        Ground times dates that they were found on.
    end
        Value beyond which maxima were taken for no chance: the tail is fitted below it, and goes on beyond.
    usual_shape
        Of other ground of the same series, which this ground's own is drawn towards: a few dozen maxima leave the
        shape open. None: its own alone.

    Raises
    ------
    TooFewMaximaError
        Where fewer than FEWEST_PEAKS lie in the tail.
    """
    ordered = np.sort(peaks.astype(np.float64))[::-1]
    if km2_dates <= 0:
        raise TooFewMaximaError("no ground shows what chance gives")
    excess, start, reach = _tail_of(ordered, end)
    if len(excess) < FEWEST_PEAKS:
        raise TooFewMaximaError(f"{len(excess)} maxima of all dates do not show what chance gives")

    def cost(shape: float) -> float:
        away = 0.0 if usual_shape is None else (shape - usual_shape) / SHAPE_SPREAD
        return _best_scale(excess, reach, shape)[1] + away**2 / 2

    shape = float(min(SHAPES, key=cost))
    scale, _ = _best_scale(excess, reach, shape)
    # Of the tail, the share under its end is what was counted.
    inside = 1 - _survival(reach, scale, shape)
    rate = len(excess) / max(inside, 0.2) / km2_dates
    return ScanTail(peaks=ordered, km2_dates=km2_dates, start=start, start_rate=rate, scale=scale, shape=shape)
