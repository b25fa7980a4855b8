"""Radar dates of one relative orbit: what changed between two of them, held against what is usual there.

Each date is brought to the others' level on stable ground and divided by the place's mean over the baseline, visits
left out. *Objects*: the greater of two likelihood ratios for gamma powers, that the two dates differ (the pair, which
alone sees a stand or berth that is never empty), and that one of them departs from the usual state and the other does
not (the stronger where it usually is empty). *Areas*: the smoothed logarithm of their ratio against its usual size.
VV and VH are added, each with its own number of looks. Thresholds come from neighbouring baseline dates, each pair
held against the mean of the others: `detect.radar_change`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

from detect.errors import DetectError
from detect.filters import blur, ring_mean
from detect.gamma import pair_statistic
from detect.radar_evidence import Usual, above_ring, object_evidence
from detect.radar_usual import Baseline, usual_power
from detect.significance import odd_pixels
from detect.speckle import date_levels, temporal_looks, usable

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

MIN_DATES = 4
"""Baseline dates from which a usual state is known."""
AROUND_M = 50.0
"""Standard deviation of the neighbourhood whose usual size an area is held against."""


@dataclass(frozen=True, kw_only=True)
class RadarOptions:
    """How radar dates are compared. Lengths are metres."""

    ring_outer_m: float = 250.0
    ring_inner_m: float = 110.0
    """Sides of the square ring whose level is taken off each date: wind on water and rain on fields."""
    area_extent_m: float = 25.0
    """Standard deviation of the smoothing of the log-ratio for areas."""
    most_contrast: float = 3.0
    """Log-ratios count in the ring up to this many standard deviations of speckle."""


@dataclass(frozen=True, kw_only=True)
class RadarSeries:
    """Two dates and those before them, of one relative orbit, registered on one grid."""

    before: FloatArray
    """(polarisation, row, col) linear power; anything where not valid."""
    after: FloatArray
    baseline: FloatArray
    """(date, polarisation, row, col), oldest first; no dates at all are allowed, and give an uncalibrated answer."""
    valid: BoolArray
    """(row, col) True = usable on both dates."""
    baseline_valid: BoolArray
    """(date, row, col)."""
    gsd: float
    """Metres per pixel."""

    def __post_init__(self) -> None:
        """Check the shapes."""
        shape = self.before.shape
        if self.after.shape != shape or self.baseline.shape[1:] != shape or self.valid.shape != shape[1:]:
            raise DetectError(
                f"shapes differ: before {shape}, after {self.after.shape}, baseline {self.baseline.shape}, "
                f"valid {self.valid.shape}"
            )
        if self.baseline_valid.shape != (len(self.baseline), *shape[1:]):
            raise DetectError(
                f"shapes differ: baseline {self.baseline.shape}, its validity {self.baseline_valid.shape}"
            )


@dataclass(frozen=True, kw_only=True)
class RadarModel:
    """What was measured on a series; with it, any two of its dates can be compared."""

    looks: tuple[float, ...]
    """(polarisation,) equivalent number of looks."""
    levels: NDArray[np.float64]
    """(date, polarisation) of the baseline dates that show anything, before and after, in this order."""
    mean: FloatArray
    """(polarisation, row, col) usual power, visits left out; 1 where nothing is known."""
    dates: int
    """That the mean stands for at most places; 0 where there is no usual state."""
    seen: BoolArray
    """(row, col) valid on both dates, and on enough of the baseline where there is one."""
    area_usual: FloatArray
    """(polarisation, row, col) usual size of the smoothed log-ratio of two dates."""
    gsd: float
    options: RadarOptions
    nulls: tuple[RadarStatistics, ...] = field(repr=False, default=())
    """Of held-out pairs of baseline dates."""
    borne_out: tuple[FloatArray, ...] = field(repr=False, default=())
    """(row, col) of each of them: how far the dates next to the pair differ, as far as they do so in its sense."""

    def usual(self, seen: BoolArray) -> Usual:
        """Return the state that two dates are held against, where seen (row, col)."""
        return _usual(self.mean, seen, self.looks, self.dates, (self.options, self.gsd))


@dataclass(frozen=True, kw_only=True)
class RadarStatistics:
    """The maps that thresholds apply to; NaN where not valid."""

    objects: FloatArray
    areas: FloatArray
    log_ratio: FloatArray
    """(row, col) mean over the polarisations of ln(after / before), weighted by their looks."""


def _levelled(series: RadarSeries) -> tuple[FloatArray, BoolArray, NDArray[np.float64]]:
    """Return all dates with anything on them at one level, where they are valid, and their levels."""
    seen = series.baseline_valid & np.asarray(usable(series.baseline).all(axis=1))
    some = seen.any(axis=(1, 2))
    power = np.concatenate([series.baseline[some], series.before[None], series.after[None]])
    valid = np.concatenate([series.baseline_valid[some], series.valid[None], series.valid[None]])
    valid &= usable(power).all(axis=1)
    levels = np.stack([date_levels(power[:, k], valid) for k in range(power.shape[1])], axis=1)
    safe = np.where(valid[:, None], power, np.float32(1))
    return (safe / levels[:, :, None, None]).astype(np.float32), valid, levels


def _log_ratio(power: FloatArray, mean: FloatArray, seen: BoolArray) -> FloatArray:
    """Return ln(power / mean) (polarisation, row, col), 0 where not seen."""
    return np.log(np.where(seen, power / mean, np.float32(1))).astype(np.float32)


def _ring(context: _Context) -> tuple[int, int]:
    """Return the sides of the ring's outer and inner square, pixels."""
    options, gsd = context
    outer, inner = odd_pixels(options.ring_outer_m, gsd), odd_pixels(options.ring_inner_m, gsd)
    return outer, min(inner, outer - 2)


def against_ring(log_ratio: FloatArray, seen: BoolArray, looks: tuple[float, ...], context: _Context) -> FloatArray:
    """Return log-ratios to the usual against the ring around, in whose mean strong places count as speckle does."""
    outer, inner = _ring(context)
    out = np.empty_like(log_ratio)
    for k, n in enumerate(looks):
        # The logarithm of speckle of mean 1 has this mean, and this spread.
        bias, spread = float(digamma(n) - np.log(n)), float(np.sqrt(polygamma(1, n)))
        reach = context[0].most_contrast * spread
        cut = np.clip(log_ratio[k : k + 1], bias - reach, bias + reach)
        around = ring_mean(cut, seen, outer=outer, inner=inner)[0]
        out[k] = np.where(seen, log_ratio[k] - around + np.float32(bias), np.float32(0))
    return out


_Context = tuple[RadarOptions, float]
"""Options and metres per pixel."""


def _usual(mean: FloatArray, seen: BoolArray, looks: tuple[float, ...], dates: int, context: _Context) -> Usual:
    """Return the state that dates are held against, from its mean power."""
    outer, inner = _ring(context)
    return Usual(looks=looks, dates=dates, above=above_ring(mean, seen, outer=outer, inner=inner))


def _smooth(difference: FloatArray, seen: BoolArray, context: _Context) -> FloatArray:
    """Return the log-ratio of two dates (polarisation, row, col) over the extent of an area."""
    options, gsd = context
    return blur(difference, seen, max(options.area_extent_m / gsd, 0.5))


def _usual_sizes(smooth: FloatArray, seen: BoolArray, gsd: float) -> FloatArray:
    """Return the usual size of smoothed log-ratios of successive pairs of dates (pair, polarisation, row, col).

    Entry k (polarisation, row, col) is learned without pair k and its neighbours, which share a date with it; the last
    entry, one more than there are pairs, is learned from all. A size is that of the place and its neighbourhood, never
    under half of what it is at most places; single pairs count up to four times that.
    """
    middle = np.median(np.abs(smooth[..., seen]), axis=(0, 2))[:, None, None] / np.float32(0.6745)
    squares = np.minimum(smooth, 4 * middle) ** 2
    total, out = squares.sum(axis=0), np.empty((len(smooth) + 1, *smooth.shape[1:]), np.float32)
    for k in range(len(out)):
        near = squares[max(k - 1, 0) : k + 2] if k < len(smooth) else squares[:0]
        rest = np.maximum(total - near.sum(axis=0), 0) / max(len(smooth) - len(near), 1)
        around = np.sqrt(blur(rest, seen, max(AROUND_M / gsd, 0.5)))
        out[k] = np.maximum(around, middle / 2)
    return out


def fit_radar(series: RadarSeries, options: RadarOptions | None = None) -> RadarModel:
    """Measure levels, looks, the usual state and the chance maxima of a series.

    Raises
    ------
    DetectError
        Where too little ground is usable to measure the number of looks.
    """
    options = options or RadarOptions()
    power, valid, levels = _levelled(series)
    looks = tuple(temporal_looks(power[:, k], valid) for k in range(power.shape[1]))
    baseline, context = len(power) - 2, (options, series.gsd)
    seen = valid[-1] & valid[-2]
    if baseline < MIN_DATES:
        flat = np.ones_like(series.before)
        size = np.stack([np.full(seen.shape, np.sqrt(2 * polygamma(1, n)), np.float32) for n in looks])
        return RadarModel(looks=looks, levels=levels, mean=flat, dates=0, seen=seen, area_usual=size,
                          gsd=series.gsd, options=options)  # fmt: skip
    stack = usual_power(power, valid, looks, baseline)
    seen = seen & (stack.count >= MIN_DATES).all(axis=0)
    if not seen.any():
        raise DetectError(f"no pixel is usable on both dates and on {MIN_DATES} of the {baseline} baseline dates")
    nulls, size = _null_statistics(stack, seen, looks, context)
    borne_out = _borne_out(stack, seen, looks, context)
    return RadarModel(
        looks=looks,
        levels=levels,
        mean=stack.mean_without(()),
        dates=int(np.median(stack.count[:, seen])),
        seen=seen,
        area_usual=size,
        gsd=series.gsd,
        options=options,
        nulls=nulls,
        borne_out=borne_out,
    )


def _null_statistics(
    stack: Baseline, seen: BoolArray, looks: tuple[float, ...], context: _Context
) -> tuple[tuple[RadarStatistics, ...], FloatArray]:
    """Return the maps of neighbouring baseline dates against the mean of the others, and the usual size for areas."""
    baseline = len(stack.kept)
    objects, differences, grounds = [], [], []
    for first in range(baseline - 1):
        pair = (first, first + 1)
        both = seen & stack.valid[pair[0]] & stack.valid[pair[1]]
        mean = stack.mean_without(pair)
        logs = [_log_ratio(stack.power[date], mean, both) for date in pair]
        normal = [against_ring(one, both, looks, context) for one in logs]
        usual = _usual(mean, both, looks, baseline - 2, context)
        objects.append(object_evidence(normal[0], normal[1], usual))
        differences.append(logs[1] - logs[0])
        grounds.append(both)
    smooth = [_smooth(one, both, context) for one, both in zip(differences, grounds, strict=True)]
    sizes = _usual_sizes(np.stack(smooth), seen, context[1])
    return tuple(
        _masked(o, np.sqrt(((s / size) ** 2).mean(axis=0)), d, both, looks)
        for o, s, size, d, both in zip(objects, smooth, sizes, differences, grounds, strict=False)
    ), sizes[-1]


def _borne_out(stack: Baseline, seen: BoolArray, looks: tuple[float, ...], context: _Context) -> tuple[FloatArray, ...]:
    """Return, for each held-out pair, the evidence (row, col) of the dates before and after it for the same change.

    The pair's own speckle is not in it. The last pair is followed by the before date; the first has none before it.
    """
    mean, baseline = stack.mean_without(()), len(stack.kept)
    valid = stack.valid[: baseline + 1] & seen
    logs = [
        against_ring(_log_ratio(one, mean, here), here, looks, context)
        for one, here in zip(stack.power[: baseline + 1], valid, strict=True)
    ]
    weight = np.array(looks, np.float32)[:, None, None]
    found = [np.zeros(seen.shape, np.float32)]
    for first in range(1, baseline - 1):
        outer = logs[first + 2] - logs[first - 1]
        sense = (outer * weight).sum(axis=0) * ((logs[first + 1] - logs[first]) * weight).sum(axis=0)
        size = sum(pair_statistic(one, looks=n) for one, n in zip(outer, looks, strict=True))
        there = (sense > 0) & valid[first - 1] & valid[first + 2]
        found.append(np.where(there, size, np.float32(0)).astype(np.float32))
    return tuple(found)


def _masked(
    objects: FloatArray, areas: FloatArray, difference: FloatArray, seen: BoolArray, looks: tuple[float, ...]
) -> RadarStatistics:
    """Return the maps with NaN where not seen."""
    weight = np.array(looks, np.float32)[:, None, None]
    mean = (difference * weight).sum(axis=0) / weight.sum()
    objects, areas, mean = (
        np.where(seen, one, np.float32(np.nan)).astype(np.float32) for one in (objects, areas, mean)
    )
    return RadarStatistics(objects=objects, areas=areas, log_ratio=mean)


def radar_statistics(before: FloatArray, after: FloatArray, valid: BoolArray, model: RadarModel) -> RadarStatistics:
    """Return the maps of two dates under a fitted model, which changed pixels do not change.

    Parameters
    ----------
    before, after
        (polarisation, row, col) linear power as read; they have the levels of the model's last two dates.
    valid
        (row, col) True = usable on both.
    model
        Fitted to the series that the two dates belong to.
    """
    seen, context = model.seen & valid, (model.options, model.gsd)
    seen = seen & usable(before).all(axis=0) & usable(after).all(axis=0)
    dates = [
        (x / level[:, None, None]).astype(np.float32)
        for x, level in zip((before, after), model.levels[-2:], strict=True)
    ]
    logs = [_log_ratio(one, model.mean, seen) for one in dates]
    difference = logs[1] - logs[0]
    # Without a usual state each date is held against its own surroundings at its own brightness, which is no ratio.
    logs = [against_ring(one, seen, model.looks, context) for one in logs] if model.dates else logs
    areas = np.sqrt(((_smooth(difference, seen, context) / model.area_usual) ** 2).mean(axis=0))
    evidence = object_evidence(logs[0], logs[1], model.usual(seen))
    return _masked(evidence, areas, difference, seen, model.looks)
