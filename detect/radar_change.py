"""From the maps of radar dates to a change with thresholds and chances, and to the changed objects in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from detect.change import Change, ChangedObject, Scale, ScaleChange, Sign
from detect.filters import blur
from detect.radar import RadarModel, RadarSeries, RadarStatistics, fit_radar, radar_statistics
from detect.radar_nulls import Nulls, TooLittleGroundError, busy_places, calibrated_map, is_calibrated, without_lasting
from detect.significance import (
    AREA_SPACING_M,
    OBJECT_SPACING_M,
    by_stratum,
    gaussian_floor,
    local_maxima,
    odd_pixels,
    own_threshold,
)

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Pixels = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of an object's own pixels."""

OBJECT_SHARE = 0.8
"""Share of the asked rate of false alarms that goes to objects; the rest to areas."""
PLAN: tuple[tuple[Scale, float, float], ...] = (
    ("object", OBJECT_SPACING_M, OBJECT_SHARE),
    ("area", AREA_SPACING_M, 1 - OBJECT_SHARE),
)
METHOD_SERIES = (
    "radar, many dates of one orbit: gamma likelihood ratios of the pair and against the baseline's mean, VV and VH "
    "added, each date against the ring around; areas by the smoothed log-ratio; thresholds from held-out baseline pairs"
)
METHOD_PAIR = "radar, two dates: gamma likelihood ratio of the pair, VV and VH added; areas by the smoothed log-ratio"
RESPONSE_M = 9.0
"""Standard deviation of the power of the impulse response: Sentinel-1 IW GRD resolves 20 m by 22 m."""
BODY_SHARE = 0.4
"""Share of the log-ratio at its strongest pixel down to which a pixel belongs to an object."""
BODY_FLOOR = 1.0
"""Least log-ratio of an object's pixel: 4.3 dB, two standard deviations of two averaged looks."""
REACH_M = 120.0
"""How far from its strongest pixel an object may extend: a long ship seen from one end."""
AREA_SHARE, EDGE_SHARE = 0.7, 0.5
"""Shares of the threshold, and of the strongest place near by, down to which a pixel belongs to an area."""
LARGEST_OBJECT_M = 200.0
"""An area no longer than this, with object flags in it, is those objects once more; the
smoothing adds to its length."""
STANDS_OUT = 1.5
"""Least difference of log-ratios (6.5 dB) by which an object in a larger area is a change of its own: wind that lifts a
whole basin is one area, and the ship that left it is not the wind."""


def detect_radar(
    series: RadarSeries, strata: NDArray[np.uint8], *, false_alarms_per_km2: float, model: RadarModel | None = None
) -> Change:
    """Compare the two dates of a radar series.

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

    Returns
    -------
    Change
        Calibrated where there is a baseline and held-out pairs do not contradict the learned rate; without a baseline
        the thresholds are those of the very pair that is tested.

    Raises
    ------
    DetectError
        Where too little ground is usable.
    """
    model = model or fit_radar(series)
    maps = radar_statistics(series.before, series.after, series.valid, model)
    ground = np.where(model.seen, strata, np.uint8(0)).astype(np.uint8)
    by_scale: dict[Scale, ScaleChange] = {}
    sound = model.dates > 0
    for scale, _, share in PLAN:
        rate = share * false_alarms_per_km2
        statistic = _of_scale(maps, scale)
        threshold, p_value, told = _thresholds(statistic, model, ground, scale, rate)
        sound &= told
        by_scale[scale] = ScaleChange(
            scale=scale,
            statistic=statistic,
            p_value=p_value,
            direction=np.sign(np.nan_to_num(maps.log_ratio)).astype(np.int8),
            threshold=threshold,
        )
    return Change(
        objects=by_scale["object"],
        areas=by_scale["area"],
        valid=model.seen,
        method=METHOD_SERIES if model.dates else METHOD_PAIR,
        calibrated=sound,
    )


def _thresholds(
    statistic: FloatArray, model: RadarModel, ground: NDArray[np.uint8], scale: Scale, rate: float
) -> tuple[FloatArray, FloatArray, bool]:
    """Return thresholds, p-values (row, col), and whether they are those of held-out pairs.

    Where there is no baseline, or the ground is too small to show a rate over all its pairs, the thresholds are those
    of the map itself.
    """
    spacing = next(spacing for name, spacing, _ in PLAN if name == scale)
    try:
        if model.dates:
            nulls = _nulls(model, ground, scale, spacing)
            threshold, p_value = calibrated_map(statistic, nulls, per_km2=rate)
            return threshold, p_value, scale == "area" or is_calibrated(nulls, per_km2=rate)
    except TooLittleGroundError:
        pass
    return _own(statistic, ground, model, spacing, rate), np.full_like(statistic, np.nan), False


def _of_scale(maps: RadarStatistics, scale: Scale) -> FloatArray:
    return maps.objects if scale == "object" else maps.areas


def _nulls(model: RadarModel, strata: NDArray[np.uint8], scale: Scale, spacing_m: float) -> Nulls:
    """Return the maps of held-out pairs, and the ground that is not in daily use."""
    maps = tuple(_of_scale(one, scale) for one in model.nulls)
    busy = busy_places(maps, strata > 0, gsd=model.gsd, spacing_m=spacing_m)
    if scale == "object":
        maps = without_lasting(maps, model.borne_out, strata > 0, gsd=model.gsd, spacing_m=spacing_m)
    return Nulls(maps=maps, strata=strata, calm=~busy, gsd=model.gsd, spacing_m=spacing_m)


def _own(
    statistic: FloatArray, strata: NDArray[np.uint8], model: RadarModel, spacing_m: float, rate: float
) -> FloatArray:
    """Return thresholds (row, col) from the tail of the map itself."""
    floor = gaussian_floor(len(model.looks), spacing_m=spacing_m, per_km2=rate) if spacing_m < AREA_SPACING_M else 0.0
    rule = partial(own_threshold, gsd=model.gsd, per_km2=rate, spacing_m=spacing_m, floor=floor)
    return by_stratum(statistic, strata, rule)


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """One scale's map with what is needed to measure objects in it."""

    change: ScaleChange
    log_ratio: FloatArray
    """(row, col) ln(after / before), over the grain of what is sought, 0 where not valid."""
    ratio: FloatArray
    """(row, col) statistic over threshold, 0 where nothing is searched."""
    gsd: float


def _layer(change: ScaleChange, log_ratio: FloatArray, gsd: float) -> _Layer:
    ratio = np.nan_to_num(change.statistic / change.threshold, nan=0.0, posinf=0.0)
    return _Layer(change=change, log_ratio=log_ratio, ratio=ratio.astype(np.float32), gsd=gsd)


def _body(layer: _Layer, free: BoolArray, peak: tuple[int, int]) -> Pixels:
    """Return the pixels of the object around a peak of the statistic: of its sign, and not much weaker."""
    reach = max(2, round(REACH_M / layer.gsd))
    top, left = max(peak[0] - reach, 0), max(peak[1] - reach, 0)
    window = (slice(top, peak[0] + reach + 1), slice(left, peak[1] + reach + 1))
    signed = layer.log_ratio[window] * np.float32(np.sign(layer.log_ratio[peak]) or 1)
    strength = np.where(free[window], signed, np.float32(0))
    at = peak[0] - top, peak[1] - left
    parts, _ = ndimage.label(strength >= max(BODY_SHARE * strength[at], BODY_FLOOR))
    if not parts[at]:
        return np.array([peak[0]]), np.array([peak[1]])
    rows, cols = np.nonzero(parts == parts[at])
    return rows + top, cols + left


def _sides(pixels: Pixels, gsd: float, blur_variance: float) -> tuple[float, float, float]:
    """Return length, width (metres) and orientation (degrees) of the ellipse with the pixels' moments, blur taken off.

    A uniform ellipse of axis L has the variance L^2 / 16 along it.
    """
    rows, cols = (p.astype(np.float64) for p in pixels)
    variances, axes = np.linalg.eigh(np.cov(np.stack([cols, rows]), bias=True) + np.eye(2) / 12)
    sides = 4 * np.sqrt(np.maximum(variances - blur_variance, 1 / 144)) * gsd
    east, south = axes[:, 1]
    return float(sides[1]), float(sides[0]), float(np.degrees(np.arctan2(east, -south)) % 180)


def _measured(layer: _Layer, pixels: Pixels, at: tuple[int, int], blur_variance: float) -> ChangedObject:
    """Measure one object; `at` is its strongest pixel."""
    length, width, orientation = _sides(pixels, layer.gsd, blur_variance)
    values = layer.log_ratio[pixels]
    vote = float(values.sum())
    sign: Sign = "appeared" if vote > 0 else "vanished" if vote < 0 else "altered"
    objects = layer.change.scale == "object"
    return ChangedObject(
        scale=layer.change.scale,
        change=sign,
        rows=pixels[0],
        cols=pixels[1],
        statistic=float(layer.change.statistic[at]),
        strength=float(layer.ratio[at]) ** (1 if objects else 2),
        length_m=length,
        width_m=width,
        orientation_deg=orientation,
        area_m2=len(pixels[0]) * layer.gsd**2,
        contrast=float(values[int(np.argmax(np.abs(values)))] if objects else values.mean()),
    )


def _objects(layer: _Layer, valid: BoolArray) -> list[ChangedObject]:
    """Return the objects around the peaks, strongest first; a peak on an object already found belongs to it."""
    searched = np.isfinite(layer.change.threshold)
    peaks = local_maxima(layer.ratio, searched, odd_pixels(OBJECT_SPACING_M, layer.gsd)) & (layer.ratio >= 1)
    rows, cols = np.nonzero(peaks)
    free, found = valid.copy(), []
    for k in np.argsort(-layer.ratio[rows, cols], kind="stable"):
        peak = int(rows[k]), int(cols[k])
        if not free[peak]:
            continue
        body = _body(layer, free, peak)
        # A point of log-ratio d is seen down to a share q of it: a disc whose edge lies (1 - q) d below the peak, and
        # of a Gaussian of variance s^2 that disc has the variance s^2 (1 - q) d / 2.
        drop = (1 - BODY_SHARE) * abs(float(layer.log_ratio[peak]))
        found.append(_measured(layer, body, peak, (RESPONSE_M / layer.gsd) ** 2 * drop / 2))
        taken = np.zeros(free.shape, np.uint8)
        taken[body] = 1
        free &= cv2.dilate(taken, np.ones((3, 3), np.uint8)) == 0
    return found


def _areas(layer: _Layer, blur_px: float) -> list[ChangedObject]:
    """Return the connected areas of one sign that reach the threshold on searched ground, strongest first."""
    side = 2 * round(2 * blur_px) + 1
    near_by = cv2.dilate(layer.ratio, np.ones((side, side), np.uint8))
    found = []
    for sign in (1, -1):
        own = (layer.ratio >= np.maximum(AREA_SHARE, EDGE_SHARE * near_by)) & (layer.log_ratio * sign > 0)
        parts, count = ndimage.label(own, structure=np.ones((3, 3)))
        index = np.arange(1, count + 1)
        best = np.asarray(ndimage.maximum(layer.ratio, parts, index=index)).reshape(-1)
        places = ndimage.maximum_position(layer.ratio, parts, index=index)
        for k in np.flatnonzero(best >= 1):
            at = int(places[k][0]), int(places[k][1])
            rows, cols = np.nonzero(parts == k + 1)
            found.append(_measured(layer, (rows, cols), at, blur_px**2 * np.log(1 / EDGE_SHARE) / 2))
    return sorted(found, key=lambda item: -item.strength)


def _explained(item: ChangedObject, area: ChangedObject) -> bool:
    """Return whether an object within an area is no more than the area: of its sign, and not standing out from it."""
    return item.contrast * area.contrast > 0 and abs(item.contrast) - abs(area.contrast) < STANDS_OUT


def _once(objects: list[ChangedObject], areas: list[ChangedObject], shape: tuple[int, ...]) -> list[ChangedObject]:
    """Return both scales with each change once.

    Small areas give way to their objects; others take in what does not stand out from them.
    """
    kept_areas = []
    for area in areas:
        ground = np.zeros(shape, bool)
        ground[area.rows, area.cols] = True
        inside = [item for item in objects if ground[item.rows, item.cols].mean() >= 0.5]
        if inside and area.length_m <= LARGEST_OBJECT_M:
            continue
        inside = [item for item in inside if _explained(item, area)]
        objects = [item for item in objects if all(item is not one for one in inside)]
        note = (f"holds {len(inside)} object-sized change{'s' * (len(inside) > 1)}",) if inside else ()
        kept_areas.append(replace(area, notes=(*area.notes, *note)))
    return objects + kept_areas


def find_radar_objects(change: Change, series: RadarSeries, model: RadarModel) -> tuple[ChangedObject, ...]:
    """Return the changed objects of both scales, strongest (against the threshold of its ground) first.

    `contrast` is ln(after / before) of the power, at an object's strongest pixel or over an area. Lengths are of the
    bright return, which sidelobes and several bounces make longer than the object.

    Parameters
    ----------
    change
        Of `series`; what is searched is where its thresholds are not NaN.
    series, model
        What it was made from.
    """
    maps = radar_statistics(series.before, series.after, series.valid, model)
    log_ratio = np.nan_to_num(maps.log_ratio)
    blur_px = model.options.area_extent_m / series.gsd
    fine, wide = (
        blur(log_ratio[None], change.valid, max(sigma, 0.3))[0] for sigma in (0.6 * RESPONSE_M / series.gsd, blur_px)
    )
    objects = _objects(_layer(change.objects, fine, series.gsd), change.valid)
    areas = _areas(_layer(change.areas, wide, series.gsd), blur_px)
    return tuple(sorted(_once(objects, areas, change.valid.shape), key=lambda item: -item.strength))
