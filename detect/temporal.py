"""Many optical dates of one orbit: what changed between two of them, held against what usually changes.

Each date is predicted from the per-pixel median of all by a robust chronochrome per cover; what is left is filtered to
the sensor's own order and whitened. From the baseline each place has a usual state and a usual spread. *Objects*: the
greater of two likelihood ratios, that the two dates differ, and that one of them departs from the usual state and the
other does not; the first sees a stand that is never empty, the second is the stronger where it usually is. *Areas*: the smoothed
difference of the residuals against its usual size. Thresholds and p-values come from pairs of baseline dates that took
no part in the spread they are tested with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from detect import robust
from detect.calibration import Nulls, busy_places, calibrated_map, is_calibrated
from detect.change import Change, Scale, ScaleChange
from detect.chronochrome import Chronochrome, fit_chronochrome
from detect.errors import DetectError
from detect.filters import BoolArray, FloatArray, blur, difference_of_gaussians, ring_mean
from detect.optical import AREA_SHRINKAGE, Pair, PairModel, PairOptions, signed_direction
from detect.significance import AREA_SPACING_M, OBJECT_SPACING_M, odd_pixels

MIN_DATES = 4
"""Baseline dates needed to know what is usual."""
CLUSTERS = 6
SAMPLES = 8_000
OBJECT_SHARE = 0.8
"""Share of the asked rate of false alarms that goes to objects; the rest to areas."""
LEAST_NDVI = 0.25
"""Normalised difference of near infrared and red from which ground counts as vegetated."""
HOLD_OUT = 4
"""Neighbouring baseline dates that are tested together against the spread of the others."""
VARIANCE_CAP = 1.5
"""A place's own variance is believed up to this multiple of its neighbourhood's: a stand that is used now and then has two
states, and their distance is no noise."""
LOCAL_BOX_M = 150.0
"""Side of the neighbourhood that a place's variance is drawn towards."""
WINSOR = 4.0
METHOD = (
    "many dates: robust chronochrome from the median per cover, zero-mean point-spread filter, whitening; objects by the "
    "pair and state likelihood ratios against the places' own spread; areas by the smoothed difference; thresholds from "
    "held-out baseline pairs"
)


@dataclass(frozen=True, kw_only=True)
class Series:
    """Two dates and those before them, aligned on one grid."""

    before: FloatArray
    """(band, row, col) reflectance; anything where not valid."""
    after: FloatArray
    baseline: FloatArray
    """(date, band, row, col), oldest first."""
    valid: BoolArray
    """(row, col) True = usable on both dates."""
    baseline_valid: BoolArray
    """(date, row, col)."""
    gsd: float
    red_nir: tuple[int, int] | None = None
    """Indices of the red and the near-infrared band, by which vegetation is known."""

    def __post_init__(self) -> None:
        """Check the shapes and the number of dates."""
        shape = self.before.shape
        if self.after.shape != shape or self.baseline.shape[1:] != shape or self.valid.shape != shape[1:]:
            raise DetectError(
                f"shapes differ: before {shape}, after {self.after.shape}, baseline {self.baseline.shape}"
            )
        if len(self.baseline) < MIN_DATES:
            raise DetectError(f"{len(self.baseline)} baseline dates; at least {MIN_DATES} are needed")


@dataclass(frozen=True, kw_only=True)
class _Usual:
    """What is usual at each place, from some of the baseline dates."""

    state: FloatArray
    """(band, row, col) median whitened response."""
    variance: FloatArray
    """(band, row, col)."""
    dates: int


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The maps that thresholds apply to; NaN where not valid."""

    objects: FloatArray
    areas: FloatArray


@dataclass(frozen=True, kw_only=True)
class _Expectation:
    """What a date makes of the reference."""

    chronochrome: Chronochrome
    gain: FloatArray
    """(band, 1, 1) the date's contrast over the reference's: what is new on the ground is seen under the date's own light."""

    def residual(
        self, reference: FloatArray, image: FloatArray, seen: BoolArray, cover: NDArray[np.intp]
    ) -> FloatArray:
        """Return what the reference does not explain (band, row, col), in the reference's light."""
        return np.asarray(self.chronochrome.residual(reference, image, seen, cover) / self.gain, dtype=np.float32)


def _expectation(reference: FloatArray, image: FloatArray, seen: BoolArray, like: Chronochrome) -> _Expectation:
    """Fit one date."""
    spread = [_spread(x, seen) for x in (image, reference)]
    gain = np.clip(spread[0] / np.maximum(spread[1], 1e-6), 0.5, 2.0)[:, None, None]
    model = fit_chronochrome(reference, image, seen, like=like, samples=SAMPLES)
    return _Expectation(chronochrome=model, gain=gain.astype(np.float32))


def _spread(image: FloatArray, seen: BoolArray) -> NDArray[np.float64]:
    """Return the median absolute deviation (band,) of what is seen."""
    values = image[:, seen][:, robust.thin(int(seen.sum()), 100_000)].astype(np.float64)
    return np.asarray(np.median(np.abs(values - np.median(values, axis=1)[:, None]), axis=1))


@dataclass(frozen=True, kw_only=True)
class SeriesModel:
    """What was fitted to a series."""

    reference: FloatArray
    """(band, row, col) per-pixel median of all dates."""
    seen: BoolArray
    """(row, col) valid on both dates and on at least MIN_DATES of the baseline."""
    cover: NDArray[np.intp]
    expected: tuple[_Expectation, _Expectation]
    """Of the before and of the after date from the reference."""
    whitening: FloatArray
    """(band, band) inverse root of the covariance of the filtered residuals."""
    area_whitening: FloatArray
    """(band, band) inverse root of that of the smoothed residuals' differences."""
    usual: _Usual
    area_usual: FloatArray
    """(row, col) usual size of the area statistic."""
    gsd: float
    options: PairOptions
    nulls: tuple[Statistics, ...] = field(repr=False, default=())
    """Of held-out pairs of baseline dates."""


@dataclass(frozen=True, kw_only=True)
class _Ground:
    """What of the ground decides how much it varies."""

    cover: NDArray[np.intp]
    """(row, col)."""
    structure: FloatArray
    """(row, col) energy of the reference's own filtered and whitened response."""
    seen: BoolArray
    gsd: float


STRUCTURE_BINS = 12


def _filled_median(stack: FloatArray, valid: BoolArray) -> FloatArray:
    """Return the median over dates (date, band, row, col) -> (band, row, col) of what is valid; 0 where nothing is."""
    if valid.all():
        return np.median(stack, axis=0).astype(np.float32)
    ordered = np.sort(np.where(valid[:, None], stack, np.float32(np.inf)), axis=0)
    count = valid.sum(0)
    low, high = (np.maximum(count - 1, 0) // 2, np.maximum(count, 1) // 2)
    pick = [np.take_along_axis(ordered, np.broadcast_to(k, ordered.shape[1:])[None], axis=0)[0] for k in (low, high)]
    return np.where(count > 0, (pick[0] + pick[1]) / 2, 0).astype(np.float32)


def _response(residual: FloatArray, valid: BoolArray, options: PairOptions) -> FloatArray:
    return difference_of_gaussians(
        residual, valid, inner=options.psf_px, outer=options.psf_px * options.ground_over_psf
    )


def _detail(residual: FloatArray, valid: BoolArray, gsd: float, options: PairOptions) -> FloatArray:
    return blur(residual, valid, max(options.area_detail_m / gsd, 0.3))


def _root(samples: NDArray[np.float64], floor: float, shrinkage: float) -> FloatArray:
    """Return the inverse root of the robust covariance of samples (n, band)."""
    covariance = robust.shrunk(robust.covariance(samples), shrinkage) + floor**2 * np.eye(samples.shape[1])
    return np.linalg.inv(np.linalg.cholesky(covariance)).astype(np.float32)


def _turned(root: FloatArray, image: FloatArray) -> FloatArray:
    """Return the whitened image (band, row, col)."""
    return np.asarray(np.tensordot(root, image, axes=1), dtype=np.float32)


def _explained(own: FloatArray, ground: _Ground) -> FloatArray:
    """Return the variance (band, row, col) that ground of the same cover with as much structure usually has.

    Where fields meet, the light changes on both sides of the edge: the response varies with its own size there.
    """
    out = np.zeros_like(own)
    for cover in np.unique(ground.cover[ground.seen]):
        here = ground.seen & (ground.cover == cover)
        strength = ground.structure[here]
        edges = np.quantile(strength, np.linspace(0, 1, STRUCTURE_BINS + 1))
        place = np.clip(np.searchsorted(edges, strength, side="right") - 1, 0, STRUCTURE_BINS - 1)
        for k, band in enumerate(own):
            values = band[here]
            typical = [np.median(values[place == b]) if (place == b).any() else 0.0 for b in range(STRUCTURE_BINS)]
            centres = (edges[:-1] + edges[1:]) / 2
            out[k][here] = np.interp(strength, centres, np.maximum.accumulate(typical))
    return out


def _usual(responses: FloatArray, valid: BoolArray, ground: _Ground) -> _Usual:
    """Return state and variance from whitened responses (date, band, row, col).

    The variance is half the place's own (from its median absolute deviation) and half its neighbourhood's, at most
    VARIANCE_CAP of the latter.
    """
    state = _filled_median(responses, valid)
    own = (robust.MAD_TO_SIGMA * _filled_median(np.abs(responses - state), valid)) ** 2
    around = _neighbourhood(own, odd_pixels(LOCAL_BOX_M, ground.gsd))
    around = np.float32(1.15) * np.maximum(around, _explained(own, ground))
    variance = np.maximum(np.minimum((own + around) / 2, VARIANCE_CAP * around), np.float32(1e-3))
    return _Usual(state=state, variance=variance, dates=len(responses))


def _neighbourhood(values: FloatArray, size: int) -> FloatArray:
    """Return the median of each band over a box, found on every second pixel: it varies no faster."""
    out = np.empty_like(values)
    for k, band in enumerate(values):
        coarse = ndimage.median_filter(band[::2, ::2], size=max(3, (size // 2) | 1))
        out[k] = cv2.resize(coarse, band.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return out


def _ring_normal(z: FloatArray, valid: BoolArray, options: PairOptions, gsd: float) -> FloatArray:
    """Return z against the mean and spread of the ring around, which takes off what a whole quarter of the image does."""
    cut = np.clip(z, -WINSOR, WINSOR)
    outer, inner = odd_pixels(options.ring_outer_m, gsd), odd_pixels(options.ring_inner_m, gsd)
    mean = ring_mean(cut, valid, outer=outer, inner=inner)
    variance = ring_mean(cut**2, valid, outer=outer, inner=inner) - mean**2
    typical = np.median(variance[:, valid], axis=1)[:, None, None]
    spread = np.maximum(np.float32(0.8) * variance + np.float32(0.2) * typical, np.float32(0.05))
    return np.asarray((z - mean) / np.sqrt(spread), dtype=np.float32)


_Context = tuple[PairOptions, float]
"""Options and metres per pixel."""


def _object_map(first: FloatArray, second: FloatArray, usual: _Usual, seen: BoolArray, context: _Context) -> FloatArray:
    """Return max(pair, min(|state - state|, 2 pair)) of two whitened responses (band, row, col); NaN where not seen."""
    options, gsd = context

    def energy(difference: FloatArray, factor: float) -> FloatArray:
        z = _ring_normal(difference / np.sqrt(np.float32(factor) * usual.variance), seen, options, gsd)
        return np.asarray((z**2).sum(0))

    pair = energy(second - first, 2.0)
    one = 1 + 1.25 / usual.dates
    states = np.abs(energy(second - usual.state, one) - energy(first - usual.state, one))
    # What stands there on both dates departs twice, each time with the noise of a large square: no more is believed of
    # the difference than twice what the dates say of one another, which it is where one of them is as usual.
    return np.where(seen, np.maximum(pair, np.minimum(states, 2 * pair)), np.float32(np.nan))


def _area_map(
    first: FloatArray, second: FloatArray, root: FloatArray, seen: BoolArray, context: _Context
) -> FloatArray:
    """Return the smoothed root distance (row, col) of two smoothed residuals."""
    options, gsd = context
    distance = np.sqrt((_turned(root, second - first) ** 2).sum(0))[None]
    return blur(distance, seen, options.area_extent_m / gsd)[0]


def _folds(dates: int) -> list[list[int]]:
    """Return neighbouring dates in groups of about HOLD_OUT, at least two in each, leaving at least two outside."""
    size = HOLD_OUT if dates >= 2 * HOLD_OUT else 2
    groups = [list(range(k, min(k + size, dates))) for k in range(0, dates, size)]
    return [g for g in groups if len(g) > 1]


@dataclass(frozen=True, kw_only=True)
class _Stack:
    """The baseline, filtered."""

    responses: FloatArray
    """(date, band, row, col) whitened."""
    details: FloatArray
    """(date, band, row, col) smoothed residuals."""
    valid: BoolArray


def _null_statistics(stack: _Stack, root: FloatArray, ground: _Ground, context: _Context) -> list[Statistics]:
    """Return the maps of held-out pairs of baseline dates."""
    found = []
    for fold in _folds(len(stack.responses)):
        rest = [k for k in range(len(stack.responses)) if k not in fold]
        usual = _usual(stack.responses[rest], stack.valid[rest], ground)
        for a, b in combinations(fold, 2):
            both = ground.seen & stack.valid[a] & stack.valid[b]
            if both.any():
                objects = _object_map(stack.responses[a], stack.responses[b], usual, both, context)
                areas = np.where(
                    both, _area_map(stack.details[a], stack.details[b], root, both, context), np.float32(np.nan)
                )
                found.append(Statistics(objects=objects, areas=areas))
    return found


def _normal_areas(nulls: Sequence[Statistics], gsd: float) -> tuple[FloatArray, list[Statistics]]:
    """Return the usual size (row, col) of the area maps, and the maps in units of it."""
    stack = np.stack([n.areas for n in nulls])[:, None]
    known = ~np.isnan(stack[:, 0])
    typical = _filled_median(np.nan_to_num(stack), known)
    middle = float(np.median(typical[0][known.any(0)]))
    smooth = blur(typical, known.any(0), 50.0 / gsd)[0]
    usual = np.maximum(smooth, np.float32(0.5 * middle))
    return usual, [Statistics(objects=n.objects, areas=n.areas / usual) for n in nulls]


def fit_series(series: Series, options: PairOptions | None = None) -> SeriesModel:
    """Fit the usual state, spread and chance maxima of a series.

    Raises
    ------
    DetectError
        Where too little ground is valid often enough.
    """
    options = options or PairOptions()
    context = (options, series.gsd)
    images = np.nan_to_num(np.concatenate([series.baseline, series.before[None], series.after[None]]))
    valids = np.concatenate([series.baseline_valid, series.valid[None], series.valid[None]])
    seen = series.valid & (series.baseline_valid.sum(0) >= MIN_DATES)
    if seen.sum() < 100 * len(series.before):
        raise DetectError(f"only {int(seen.sum())} pixels are valid on both dates and {MIN_DATES} others")
    reference = _filled_median(images, valids)
    first = fit_chronochrome(reference, images[-1], seen, clusters=CLUSTERS, samples=SAMPLES)
    cover = first.covers(reference, seen)
    models = [_expectation(reference, x, v & seen, first) for x, v in zip(images, valids, strict=True)]
    residuals = [m.residual(reference, x, v, cover) for m, x, v in zip(models, images, valids, strict=True)]
    responses = [_response(r, v, options) for r, v in zip(residuals[:-2], valids, strict=False)]
    details = [_detail(r, v, series.gsd, options) for r, v in zip(residuals[:-2], valids, strict=False)]
    root = _root(_pooled(responses, valids, seen), options.noise_floor, 0.0)
    steps = [b - a for a, b in zip(details[:-1], details[1:], strict=True)]
    both = [a & b for a, b in zip(valids[:-3], valids[1:-2], strict=True)]
    area_root = _root(_pooled(steps, both, seen), options.noise_floor, AREA_SHRINKAGE)
    stack = _Stack(
        responses=np.stack([_turned(root, r) for r in responses]),
        details=np.stack(details),
        valid=series.baseline_valid,
    )
    own = _turned(root, _response(reference, seen, options))
    ground = _Ground(cover=cover, structure=(own**2).sum(0), seen=seen, gsd=series.gsd)
    area_usual, nulls = _normal_areas(_null_statistics(stack, area_root, ground, context), series.gsd)
    return SeriesModel(
        reference=reference,
        seen=seen,
        cover=cover,
        expected=(models[-2], models[-1]),
        whitening=root,
        area_whitening=area_root,
        usual=_usual(stack.responses, stack.valid, ground),
        area_usual=area_usual,
        gsd=series.gsd,
        options=options,
        nulls=tuple(nulls),
    )


def _pooled(images: Sequence[FloatArray], valids: Sequence[BoolArray], seen: BoolArray) -> NDArray[np.float64]:
    """Return samples (n, band) of all dates, some 100 000 in all."""
    each = max(100_000 // len(images), 1000)
    parts = [image[:, valid & seen].T for image, valid in zip(images, valids, strict=False)]
    return np.concatenate([part[robust.thin(len(part), each)] for part in parts]).astype(np.float64)


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
    seen, context = model.seen & valid, (model.options, model.gsd)
    images = [np.nan_to_num(image) for image in (before, after)]
    residuals = [e.residual(model.reference, x, seen, model.cover) for e, x in zip(model.expected, images, strict=True)]
    first, second = (_turned(model.whitening, _response(r, seen, model.options)) for r in residuals)
    objects = _object_map(first, second, model.usual, seen, context)
    details = [_detail(r, seen, model.gsd, model.options) for r in residuals]
    areas = _area_map(details[0], details[1], model.area_whitening, seen, context) / model.area_usual
    return Statistics(objects=objects, areas=np.where(seen, areas, np.float32(np.nan)))


def detect_series(
    series: Series,
    strata: NDArray[np.uint8],
    *,
    false_alarms_per_km2: float,
    model: SeriesModel | None = None,
    pair: Pair,
    pair_model: PairModel,
) -> Change:
    """Compare the two dates of a series at a rate of false alarms that was learned on the rest of it.

    Parameters
    ----------
    series
        The dates.
    strata
        (row, col) kind of searched ground, 1 and up; 0 = not searched. Each kind has its own thresholds.
    false_alarms_per_km2
        Flags that chance may give, both scales together; objects get OBJECT_SHARE of it.
    model
        Fitted to the series where not given.
    pair, pair_model
        The two dates alone, from which the sign of a change is read.

    Returns
    -------
    Change
        `calibrated` False where the held-out pairs contradict the learned rate.
    """
    model = model or fit_series(series)
    maps = series_statistics(series.before, series.after, series.valid, model)
    narrow, wide = model.options.psf_px * model.options.ground_over_psf, model.options.area_extent_m / series.gsd
    plan: tuple[tuple[Scale, FloatArray, list[FloatArray], float, float, float], ...] = (
        ("object", maps.objects, [n.objects for n in model.nulls], OBJECT_SPACING_M, OBJECT_SHARE, narrow),
        ("area", maps.areas, [n.areas for n in model.nulls], AREA_SPACING_M, 1 - OBJECT_SHARE, wide),
    )
    scales, sound = [], True
    for scale, statistic, maps_before, spacing, share, outer in plan:
        nulls = _nulls(maps_before, strata, series, model, spacing)
        rate = share * false_alarms_per_km2
        sound &= scale == "area" or is_calibrated(nulls, per_km2=rate)
        threshold, p_value = calibrated_map(statistic, nulls, per_km2=rate)
        direction = signed_direction(pair, pair_model, outer=outer, options=model.options)
        scales.append(
            ScaleChange(scale=scale, statistic=statistic, p_value=p_value, direction=direction, threshold=threshold)
        )
    return Change(objects=scales[0], areas=scales[1], valid=model.seen, method=METHOD, calibrated=sound)


def _nulls(
    maps: Sequence[FloatArray], strata: NDArray[np.uint8], series: Series, model: SeriesModel, spacing_m: float
) -> Nulls:
    """Return the null maps with the ground that they speak for.

    Places that change in many pairs are in daily use, and teach nothing about noise: except where plants grow, for
    there it is the season.
    """
    busy = busy_places(maps, strata > 0, gsd=series.gsd, spacing_m=spacing_m)
    return Nulls(
        maps=tuple(maps), strata=strata, calm=~busy | _green(series, model), gsd=series.gsd, spacing_m=spacing_m
    )


def _green(series: Series, model: SeriesModel) -> BoolArray:
    """Return vegetation and what lies within 30 m of it (row, col); nowhere where the bands to tell are missing."""
    if series.red_nir is None:
        return np.zeros_like(model.seen)
    red, infrared = (model.reference[k] for k in series.red_nir)
    plants = (infrared - red) > LEAST_NDVI * np.maximum(infrared + red, np.float32(1e-3))
    return np.asarray(cv2.dilate(plants.astype(np.uint8), np.ones((odd_pixels(60.0, series.gsd),) * 2, np.uint8)) > 0)
