"""Two dates of a series, compared at a rate of false alarms that was learned on the rest of it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from detect.calibration import Nulls, busy_places, calibrated_map, is_calibrated
from detect.change import Change, ScaleChange
from detect.filters import BoolArray
from detect.heldout import pairs_of_a_date
from detect.optical import ALIKE, Pair, PairModel, signed_direction
from detect.other_dates import holds_on_other_dates, unlike_earlier
from detect.series import Series
from detect.series_maps import Frame, departures_of
from detect.significance import AREA_SPACING_M, OBJECT_SPACING_M, odd_pixels
from detect.temporal import SeriesModel, fit_series, series_statistics, whitened

OBJECT_SHARE = 0.8
"""Share of the asked rate of false alarms that goes to objects; the rest to areas."""
JUDGED_PER_KM2 = 1.0
"""Least rate at which it is judged whether thresholds hold: lower ones are extrapolated from the same tail, and so few
chance flags are expected there that the traffic of any airfield would outnumber them."""
AREAS_JUDGED_PER_KM2 = (1 - OBJECT_SHARE, 1.0)
"""Rates at which areas are judged at least: their own share of 1 per km2, of which a few dates show little, and a rate
that shows more."""
LEAST_NDVI = 0.25
"""Normalised difference of near infrared and red from which ground counts as vegetated."""
SHADED = 255
"""Kind of ground beside buildings, whatever zone it lies in: their shadows are the noise there."""
METHOD = (
    "many dates: robust chronochrome from the median per cover, zero-mean point-spread filter, whitening; objects by "
    "the pair and state likelihood ratios against the places' own spread; areas by the smoothed difference against the "
    "level of the pair's whole ground; thresholds from held-out baseline pairs"
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


def _object_nulls(series: Series, strata: NDArray[np.uint8], model: SeriesModel, calm: BoolArray) -> Nulls:
    """Return what chance gives of objects, on each kind of searched ground."""
    return Nulls(
        maps=tuple(null.objects for null in model.nulls),
        strata=_kinds(series, strata),
        calm=calm,
        gsd=series.gsd,
        spacing_m=OBJECT_SPACING_M,
        once=pairs_of_a_date(len(series.baseline)),
    )


def _area_nulls(series: Series, model: SeriesModel, calm: BoolArray) -> Nulls:
    """Return what chance gives of areas, on all ground that was seen.

    Not on each kind of searched ground: one or two fields and yards make up a kind, and what the season does to one of
    them is not known from its own past. The ground around shows what it does to fields.
    """
    return Nulls(
        maps=tuple(null.areas for null in model.nulls),
        strata=model.seen.astype(np.uint8),
        calm=calm,
        gsd=series.gsd,
        spacing_m=AREA_SPACING_M,
        once=pairs_of_a_date(len(series.baseline)),
        folds=tuple(null.fold for null in model.nulls),
    )


def _doubt(times: float | None) -> str | None:
    """Return why thresholds of earlier dates do not hold for the two dates, if they do not."""
    if times is None:
        return None
    return (
        f"all over the ground the two dates differ in {times:.1f} times as many places as they do, as in another season"
    )


def _areas_hold(nulls: Nulls, searched: BoolArray, rate: float) -> bool:
    """Return whether the rate of areas is true on dates that it was not learned from."""
    rates = {max(rate, least) for least in AREAS_JUDGED_PER_KM2}
    return all(holds_on_other_dates(nulls, searched, per_km2=one) for one in rates)


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
        `calibrated` False where the held-out pairs contradict the learned rate of objects, at 1 per km2 or the asked
        one if that is higher, or where the two dates differ all over as no earlier ones do (`doubt`). Areas are judged
        by themselves: where their rate does not hold on each group of dates, they have no p-values, and the objects
        keep theirs.

    Raises
    ------
    TooLittleGroundError
        Where the searched ground is too small to learn from.
    """
    model = model or fit_series(series)
    maps = series_statistics(series.before, series.after, series.valid, model)
    narrow, wide = model.options.psf_px * model.options.ground_over_psf, model.options.area_extent_m / series.gsd
    calm, searched = _calm(series, strata, model), strata > 0
    object_nulls, area_nulls = _object_nulls(series, strata, model, calm), _area_nulls(series, model, calm)

    rate = OBJECT_SHARE * false_alarms_per_km2
    threshold, p_value = calibrated_map(maps.objects, object_nulls, per_km2=rate)
    direction = signed_direction(pair, pair_model, outer=narrow, options=model.options)
    objects = ScaleChange(
        scale="object",
        statistic=maps.objects,
        p_value=p_value,
        direction=_by_state(direction, series, model, pair=pair, pair_model=pair_model, outer=narrow),
        threshold=threshold,
    )
    sound = is_calibrated(object_nulls, per_km2=OBJECT_SHARE * max(false_alarms_per_km2, JUDGED_PER_KM2))
    doubt = _doubt(unlike_earlier(maps.objects, object_nulls))

    # Where the searched part alone shows too few maxima to learn from, it shows too few to judge.
    replace(area_nulls, strata=searched.astype(np.uint8)).tails()
    rate = (1 - OBJECT_SHARE) * false_alarms_per_km2
    threshold, p_value = calibrated_map(maps.areas, area_nulls, per_km2=rate)
    told = searched if _areas_hold(area_nulls, searched, rate) else np.zeros_like(searched)
    areas = ScaleChange(
        scale="area",
        statistic=maps.areas,
        p_value=np.where(told, p_value, np.float32(np.nan)),
        direction=signed_direction(pair, pair_model, outer=wide, options=model.options),
        threshold=np.where(searched, threshold, np.float32(np.nan)),
    )
    return Change(
        objects=objects,
        areas=areas,
        valid=model.seen,
        method=METHOD,
        calibrated=sound and doubt is None,
        doubt=doubt if sound else None,
    )
