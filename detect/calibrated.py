"""Two dates of a series, compared at a rate of false alarms that was learned on the rest of it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from detect.calibration import Nulls, busy_places, calibrated_map, is_calibrated
from detect.change import Change, Scale, ScaleChange
from detect.filters import BoolArray, FloatArray
from detect.heldout import pairs_of_a_date
from detect.optical import ALIKE, Pair, PairModel, signed_direction
from detect.series import Series
from detect.series_maps import Frame, departures_of
from detect.significance import AREA_SPACING_M, OBJECT_SPACING_M, odd_pixels
from detect.temporal import SeriesModel, fit_series, series_statistics, whitened

OBJECT_SHARE = 0.8
"""Share of the asked rate of false alarms that goes to objects; the rest to areas."""
JUDGED_PER_KM2 = 1.0
"""Least rate at which it is judged whether thresholds hold: lower ones are extrapolated from the same tail, and so few
chance flags are expected there that the traffic of any airfield would outnumber them."""
LEAST_NDVI = 0.25
"""Normalised difference of near infrared and red from which ground counts as vegetated."""
SHADED = 255
"""Kind of ground beside buildings, whatever zone it lies in: their shadows are the noise there."""
METHOD = (
    "many dates: robust chronochrome from the median per cover, zero-mean point-spread filter, whitening; objects by "
    "the pair and state likelihood ratios against the places' own spread; areas by the smoothed difference; thresholds "
    "from held-out baseline pairs"
)


def _kinds(series: Series, strata: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the kinds of ground that have thresholds of their own (row, col); 0 = not searched."""
    if series.near_buildings is None:
        return strata
    return np.where((strata > 0) & series.near_buildings, np.uint8(SHADED), strata)


def _calm(series: Series, strata: NDArray[np.uint8], model: SeriesModel) -> BoolArray:
    """Return the ground (row, col) whose changes teach what chance gives.

    Places that change on several dates are in daily use, and say nothing of noise. What counts as a change differs
    where plants grow; and where buildings throw shadows all of it teaches, for there it is the noise.
    """
    green, shaded = _green(series, model), np.zeros_like(model.seen)
    if series.near_buildings is not None:
        shaded = series.near_buildings
    maps, once = [null.objects for null in model.nulls], pairs_of_a_date(len(series.baseline))
    calm = np.ones_like(model.seen)
    for ground in ((strata > 0) & ~green & ~shaded, (strata > 0) & green & ~shaded):
        calm &= ~busy_places(maps, ground, once=once, gsd=series.gsd, spacing_m=OBJECT_SPACING_M) | ~ground
    return calm


def _green(series: Series, model: SeriesModel) -> BoolArray:
    """Return vegetation and what lies within 30 m of it (row, col); nowhere where the bands to tell are missing."""
    if series.red_nir is None:
        return np.zeros_like(model.seen)
    red, infrared = (model.reference[k] for k in series.red_nir)
    plants = (infrared - red) > LEAST_NDVI * np.maximum(infrared + red, np.float32(1e-3))
    return np.asarray(cv2.dilate(plants.astype(np.uint8), np.ones((odd_pixels(60.0, series.gsd),) * 2, np.uint8)) > 0)


def _by_state(
    sign: NDArray[np.int8], series: Series, model: SeriesModel, *, pair: Pair, pair_model: PairModel, outer: float
) -> NDArray[np.int8]:
    """Return the sign of change (row, col): that of the date which departs from the usual state, against that state.

    What departs may have arrived, or may have left a stand that is never empty otherwise: which of the two, the usual
    state tells better than the other date alone. A stand in daily use has no usual state; there the sign that the two
    dates alone give is kept.
    """
    frame = Frame(seen=model.seen & series.valid, gsd=series.gsd, options=model.options)
    (first, second), _ = whitened(series.before, series.after, model, frame)
    found = departures_of(first, second, model.usual, frame, model.levels)
    usual = np.nan_to_num(model.reference)
    later, earlier = (
        signed_direction(one, pair_model, outer=outer, options=model.options)
        for one in (replace(pair, before=usual), replace(pair, after=usual))
    )
    least, most = np.minimum(found.before, found.after), np.maximum(found.before, found.after)
    state = np.where(least > ALIKE * most, 0, np.where(found.after > found.before, later, earlier))
    return np.where(frame.seen & ~model.usual.in_use, state, sign).astype(np.int8)


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
        `calibrated` False where the held-out pairs contradict the learned rate, at 1 per km2 or the asked one if
        that is higher.
    """
    model = model or fit_series(series)
    maps = series_statistics(series.before, series.after, series.valid, model)
    narrow, wide = model.options.psf_px * model.options.ground_over_psf, model.options.area_extent_m / series.gsd
    plan: tuple[tuple[Scale, FloatArray, list[FloatArray], float, float, float], ...] = (
        ("object", maps.objects, [n.objects for n in model.nulls], OBJECT_SPACING_M, OBJECT_SHARE, narrow),
        ("area", maps.areas, [n.areas for n in model.nulls], AREA_SPACING_M, 1 - OBJECT_SHARE, wide),
    )
    scales, sound = [], True
    kinds, calm, once = _kinds(series, strata), _calm(series, strata, model), pairs_of_a_date(len(series.baseline))
    for scale, statistic, maps_before, spacing, share, outer in plan:
        nulls = Nulls(maps=tuple(maps_before), strata=kinds, calm=calm, gsd=series.gsd, spacing_m=spacing, once=once)
        rate = share * false_alarms_per_km2
        judged = share * max(false_alarms_per_km2, JUDGED_PER_KM2)
        sound &= scale == "area" or is_calibrated(nulls, per_km2=judged)
        threshold, p_value = calibrated_map(statistic, nulls, per_km2=rate)
        direction = signed_direction(pair, pair_model, outer=outer, options=model.options)
        if scale == "object":
            direction = _by_state(direction, series, model, pair=pair, pair_model=pair_model, outer=outer)
        scales.append(
            ScaleChange(scale=scale, statistic=statistic, p_value=p_value, direction=direction, threshold=threshold)
        )
    return Change(objects=scales[0], areas=scales[1], valid=model.seen, method=METHOD, calibrated=sound)
