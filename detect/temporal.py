"""Many optical dates of one orbit: what changed between two of them, held against what usually changes.

Each date is predicted from the per-pixel median of all by a robust chronochrome per cover; what is left is filtered to
the sensor's own order and whitened. From the baseline each place has a usual state and a usual spread. *Objects*: the
greater of two likelihood ratios, that the two dates differ, and that one of them departs from the usual state and the
other does not; the first sees a stand that is never empty, the second is the stronger where it usually is. *Areas*: the
smoothed difference of the residuals against its usual size and against the level of the pair's whole ground. Thresholds
and p-values come from pairs of baseline dates that took no part in the spread they are tested with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detect import robust
from detect.chronochrome import Chronochrome, fit_chronochrome
from detect.errors import DetectError
from detect.filters import BoolArray, FloatArray
from detect.heldout import Stack, null_statistics, usual_areas
from detect.optical import AREA_SHRINKAGE, PairOptions
from detect.ranks import filled_median
from detect.series import MIN_DATES, Series
from detect.series_maps import (
    Frame,
    RingLevels,
    Statistics,
    area_level,
    area_map,
    departures_of,
    detail,
    object_map,
    response,
    ring_levels,
    turned,
)
from detect.usual import Cover, Usual, usual_of

CLUSTERS = 6
SAMPLES = 8_000
SPREAD_SAMPLES = 50_000
POOLED = 100_000
"""Samples of all dates together, for a covariance."""


@dataclass(frozen=True, kw_only=True)
class _Expectation:
    """What a date makes of the reference."""

    chronochrome: Chronochrome
    gain: FloatArray
    """(band, 1, 1) the date's contrast over the reference's: what is new is seen under the date's own light."""

    def residual(
        self, reference: FloatArray, image: FloatArray, seen: BoolArray, cover: NDArray[np.intp]
    ) -> FloatArray:
        """Return what the reference does not explain (band, row, col), in the reference's light."""
        left = self.chronochrome.residual(reference, image, seen, cover=cover)
        left /= self.gain
        return left


def _expectation(
    reference: FloatArray, image: FloatArray, seen: BoolArray, *, like: Chronochrome, cover: NDArray[np.intp]
) -> _Expectation:
    """Fit one date."""
    spread = [_spread(x, seen) for x in (image, reference)]
    gain = np.clip(spread[0] / np.maximum(spread[1], 1e-6), 0.5, 2.0)[:, None, None]
    model = fit_chronochrome(reference, image, seen, like=like, cover=cover, samples=SAMPLES, noisy=False)
    return _Expectation(chronochrome=model, gain=gain.astype(np.float32))


def _spread(image: FloatArray, seen: BoolArray) -> NDArray[np.float64]:
    """Return the median absolute deviation (band,) of what is seen."""
    places = np.flatnonzero(seen)
    values = image.reshape(len(image), -1)[:, places[robust.thin(len(places), SPREAD_SAMPLES)]].astype(np.float64)
    return np.asarray(np.median(np.abs(values - np.median(values, axis=1)[:, None]), axis=1))


@dataclass(frozen=True, kw_only=True)
class SeriesModel:
    """What was fitted to a series."""

    reference: FloatArray
    """(band, row, col) per-pixel median of all dates."""
    seen: BoolArray
    """(row, col) valid on both dates and on at least MIN_DATES of the baseline."""
    cover: NDArray[np.intp]
    """(row, col) kind of ground."""
    expected: tuple[_Expectation, _Expectation]
    """Of the before and of the after date from the reference."""
    whitening: FloatArray
    """(band, band) inverse root of the covariance of the filtered residuals."""
    area_whitening: FloatArray
    """(band, band) inverse root of that of the smoothed residuals' differences."""
    usual: Usual
    levels: RingLevels
    """Of the two dates as they are: a part of the frame, or an object put into it, does not move them."""
    area_usual: FloatArray
    """(row, col) usual size of the area statistic."""
    area_level: float
    """Of the two dates as they are, against the usual size."""
    gsd: float
    options: PairOptions
    nulls: tuple[Statistics, ...] = field(repr=False, default=())
    """Of held-out pairs of baseline dates."""


def _root(samples: NDArray[np.float64], floor: float, shrinkage: float) -> FloatArray:
    """Return the inverse root of the robust covariance of samples (n, band)."""
    covariance = robust.shrunk(robust.covariance(samples), shrinkage) + floor**2 * np.eye(samples.shape[1])
    return np.linalg.inv(np.linalg.cholesky(covariance)).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class _Residuals:
    """What the reference does not explain of each date, the two tested dates last."""

    reference: FloatArray
    cover: NDArray[np.intp]
    expected: list[_Expectation]
    images: list[FloatArray]
    """(band, row, col) each."""
    valid: list[BoolArray]
    """(row, col) each, within what is seen."""
    seen: BoolArray


def _residuals(series: Series) -> _Residuals:
    """Predict each date from the median of all."""
    images = np.nan_to_num(np.concatenate([series.baseline, series.before[None], series.after[None]]))
    valid = np.concatenate([series.baseline_valid, series.valid[None], series.valid[None]])
    seen = series.valid & np.asarray(series.baseline_valid.sum(axis=0) >= MIN_DATES)
    if seen.sum() < 100 * len(series.before):
        raise DetectError(f"only {int(seen.sum())} pixels are valid on both dates and {MIN_DATES} others")
    reference = filled_median(images, valid)
    first = fit_chronochrome(reference, images[-1], seen, clusters=CLUSTERS, samples=SAMPLES, noisy=False)
    cover = first.covers(reference, seen)
    expected = [
        _expectation(reference, x, v & seen, like=first, cover=cover) for x, v in zip(images, valid, strict=True)
    ]
    left = [e.residual(reference, x, v, cover) for e, x, v in zip(expected, images, valid, strict=True)]
    return _Residuals(reference=reference, cover=cover, expected=expected, images=left, valid=list(valid), seen=seen)


def _area_root(details: Sequence[FloatArray], left: _Residuals, options: PairOptions) -> FloatArray:
    """Return the inverse root (band, band) of the covariance of the smoothed residuals' steps from date to date."""
    parts = []
    for (a, b), (here, there) in zip(pairwise(details), pairwise(left.valid[:-2]), strict=True):
        places = _few(left.seen & here & there, len(details))
        parts.append((_at(b, places) - _at(a, places)).T)
    return _root(np.concatenate(parts).astype(np.float64), options.noise_floor, AREA_SHRINKAGE)


def fit_series(series: Series, options: PairOptions | None = None) -> SeriesModel:
    """Fit the usual state, spread and chance maxima of a series.

    Raises
    ------
    DetectError
        Where too little ground is valid often enough.
    """
    options = options or PairOptions()
    left = _residuals(series)
    frame = Frame(seen=left.seen, gsd=series.gsd, options=options)
    responses = [response(r, v, options) for r, v in zip(left.images, left.valid, strict=True)]
    details = [detail(r, v, series.gsd, options) for r, v in zip(left.images, left.valid, strict=True)]
    root = _root(_pooled(responses[:-2], left.valid[:-2], left.seen), options.noise_floor, 0.0)
    white = np.stack([turned(root, r) for r in responses])
    stack = Stack(responses=white[:-2], details=np.stack(details[:-2]), valid=series.baseline_valid)
    own = turned(root, response(left.reference, left.seen, options))
    ground = Cover(kind=left.cover, structure=(own**2).sum(0), seen=left.seen, gsd=series.gsd)
    area_root = _area_root(details[:-2], left, options)
    nulls = null_statistics(stack, area_root, ground, frame)
    area_usual = usual_areas(nulls, series.gsd)
    usual = usual_of(stack.responses, stack.valid, ground)
    return SeriesModel(
        reference=left.reference,
        seen=left.seen,
        cover=left.cover,
        expected=(left.expected[-2], left.expected[-1]),
        whitening=root,
        area_whitening=area_root,
        usual=usual,
        levels=ring_levels(white[-2], white[-1], usual, frame),
        area_usual=area_usual,
        area_level=area_level(area_map(details[-2], details[-1], area_root, frame) / area_usual),
        gsd=series.gsd,
        options=options,
        nulls=tuple(replace(n, areas=_levelled(n.areas / area_usual)) for n in nulls),
    )


def _levelled(areas: FloatArray) -> FloatArray:
    """Return an area map (row, col) against its own level."""
    return areas / np.float32(area_level(areas))


def _few(where: BoolArray, dates: int) -> NDArray[np.intp]:
    """Return places (flat) of a map of which each of some dates gives its share of POOLED samples."""
    places = np.flatnonzero(where)
    return places[robust.thin(len(places), max(POOLED // dates, 1000))]


def _at(image: FloatArray, places: NDArray[np.intp]) -> FloatArray:
    """Return the values (band, place) of an image."""
    return image.reshape(len(image), -1)[:, places]


def _pooled(images: Sequence[FloatArray], valids: Sequence[BoolArray], seen: BoolArray) -> NDArray[np.float64]:
    """Return samples (n, band) of all dates."""
    parts = [_at(image, _few(valid & seen, len(images))).T for image, valid in zip(images, valids, strict=True)]
    return np.concatenate(parts).astype(np.float64)


def whitened(
    before: FloatArray, after: FloatArray, model: SeriesModel, frame: Frame
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return the whitened responses and the smoothed residuals of the two dates, (band, row, col) each."""
    residuals = [
        expected.residual(model.reference, np.nan_to_num(image), frame.seen, model.cover)
        for expected, image in zip(model.expected, (before, after), strict=True)
    ]
    responses = [turned(model.whitening, response(r, frame.seen, model.options)) for r in residuals]
    return responses, [detail(r, frame.seen, model.gsd, model.options) for r in residuals]


def series_statistics(before: FloatArray, after: FloatArray, valid: BoolArray, model: SeriesModel) -> Statistics:
    """Return both maps of two dates under a fitted model, which changed pixels do not change.

    Parameters
    ----------
    before, after
        (band, row, col), on the model's grid.
    valid
        (row, col) True = usable on both.
    model
        Fitted to the series that the two dates belong to.
    """
    frame = Frame(seen=model.seen & valid, gsd=model.gsd, options=model.options)
    (first, second), details = whitened(before, after, model, frame)
    departures = departures_of(first, second, model.usual, frame, model.levels)
    areas = area_map(details[0], details[1], model.area_whitening, frame) / model.area_usual
    areas /= np.float32(model.area_level)
    return Statistics(objects=object_map(departures, frame.seen), areas=areas)
