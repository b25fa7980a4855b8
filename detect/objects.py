"""From a map of change to changed objects: where each begins and ends, how large it is, which way it changed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from detect.change import Change, ChangedObject, ScaleChange, Sign
from detect.filters import BoolArray, FloatArray, ring_mean
from detect.optical import Pair, PairModel
from detect.significance import OBJECT_SPACING_M, local_maxima, odd_pixels

REACH_M = 90.0
"""How far from its strongest pixel an object of the pixel's order may extend: half of a 120 m ship and its blur."""
BODY_SHARE = 0.3
"""Share of the peak's amplitude down to which a pixel belongs to an object."""
BODY_FLOOR = 2.5
"""Standard deviations of the usual difference under which no pixel belongs to an object."""
RING_M = (150.0, 310.0)
"""Inner and outer side of the square ring that an object's contrast is held against."""
EDGE_M = 30.0
"""Ground beside an area that is neither within nor without: its blurred edge."""
AREA_SHARE = 0.7
"""Share of the threshold down to which a pixel may belong to a changed area."""
EDGE_SHARE = 0.5
"""Share of the strongest statistic near by down to which it does: the blurred edge of an area stands at half height."""
LARGEST_OBJECT_M = 130.0
"""An area no longer than this, with object flags in it, is those objects once more."""
ROW_REACH_M = 40.0
"""How far from its objects the area of a row of objects reaches: the half height of its blur, and a pixel."""
MOSTLY = 0.5


@dataclass(frozen=True, kw_only=True)
class _Contrast:
    """The difference of the dates against its surroundings."""

    bands: FloatArray
    """(band, row, col) reflectance."""
    difference: FloatArray
    """(band, row, col) the same without taking the surroundings off."""
    amplitude: FloatArray
    """(row, col) >= 0, in standard deviations of the usual difference."""


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """One scale's map with what is needed to measure objects in it."""

    change: ScaleChange
    limit: FloatArray
    """(row, col) its thresholds, continued on to ground that is not searched."""
    contrast: _Contrast
    valid: BoolArray
    gsd: float
    blur_px: float
    """Standard deviation of the blur through which an object's edge is seen."""
    share: float
    """Share of the peak down to which a pixel belongs to it."""

    @property
    def ratio(self) -> FloatArray:
        """Statistic over threshold (row, col), 0 where not valid."""
        return np.asarray(np.nan_to_num(self.change.statistic / self.limit), dtype=np.float32)


Pixels = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of an object's own pixels."""


def _contrast(pair: Pair, model: PairModel) -> _Contrast:
    """Return the symmetric residual of the pair against the ring around each pixel."""
    forward = model.forward.expected.residual(pair.before, pair.after, pair.valid, fine=True)
    backward = model.backward.expected.residual(pair.after, pair.before, pair.valid, fine=True)
    difference = np.asarray((forward - backward) / 2, dtype=np.float32)
    outer, inner = odd_pixels(RING_M[1], pair.gsd), odd_pixels(RING_M[0], pair.gsd)
    around = ring_mean(difference, pair.valid, outer=outer, inner=inner)
    local = np.where(pair.valid, difference - around, np.float32(0))
    covariance = (model.forward.light_covariance + model.backward.light_covariance) / 2
    root = np.linalg.inv(np.linalg.cholesky(covariance)).astype(np.float32)
    white = np.tensordot(root, local, axes=1)
    return _Contrast(bands=local, difference=difference, amplitude=np.sqrt((white**2).mean(0)))


def _continued(threshold: FloatArray) -> FloatArray:
    """Return the threshold map with ground that is not searched given the value of the nearest searched ground."""
    known = ~np.isnan(threshold)
    if known.all() or not known.any():
        return threshold
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled: FloatArray = threshold[tuple(nearest)]
    return filled


def _body(layer: _Layer, free: BoolArray, peak: tuple[int, int]) -> Pixels:
    """Return the pixels of the object around a peak of the statistic, as far as they are free."""
    reach = max(2, round(REACH_M / layer.gsd))
    top, left = max(peak[0] - reach, 0), max(peak[1] - reach, 0)
    window = (slice(top, peak[0] + reach + 1), slice(left, peak[1] + reach + 1))
    here = np.where(free[window], layer.contrast.amplitude[window], np.float32(0))
    near = np.zeros_like(here)
    r, c = peak[0] - top, peak[1] - left
    core = (slice(max(r - 1, 0), r + 2), slice(max(c - 1, 0), c + 2))
    near[core] = here[core]
    parts, _ = ndimage.label(here >= max(BODY_SHARE * near.max(), BODY_FLOOR), structure=np.ones((3, 3)))
    mine = parts.flat[int(np.argmax(near))]
    rows, cols = np.nonzero(parts == mine) if mine else (np.array([r]), np.array([c]))
    return rows + top, cols + left


def _area_contrast(layer: _Layer, pixels: Pixels) -> float:
    """Return how much an area changed more than the ground beside it, in the band that shows it most; signed.

    Not against a ring of fixed size, which lies within whatever is larger, and not in the mean of the bands, since
    plants raise one while they lower others.
    """
    beside, gap = odd_pixels(RING_M[1], layer.gsd), odd_pixels(2 * EDGE_M, layer.gsd)
    window = tuple(slice(max(int(at.min()) - beside, 0), int(at.max()) + beside + 1) for at in pixels)
    own = np.zeros(layer.valid.shape, np.uint8)
    own[pixels] = 1
    near, blurred = (cv2.dilate(own[window], np.ones((side, side), np.uint8)) > 0 for side in (beside, gap))
    around = near & ~blurred & layer.valid[window]
    difference = layer.contrast.difference
    inside = difference[(slice(None), *pixels)].mean(axis=1)
    ground = np.median(difference[(slice(None), *window)][:, around], axis=1) if around.any() else 0.0
    contrast = inside - ground
    return float(contrast[int(np.argmax(np.abs(contrast)))])


def _measured(layer: _Layer, pixels: Pixels, at: tuple[int, int]) -> ChangedObject:
    """Measure one object; `at` is its strongest pixel."""
    objects = layer.change.scale == "object"
    # The pixels of a point blurred by s, seen down to a share q, have the variance s^2 ln(1/q) / 2 along each axis.
    form = _shape(pixels, layer.gsd, layer.blur_px**2 * np.log(1 / layer.share) / 2)
    values = layer.contrast.bands[(slice(None), *pixels)].mean(axis=0)
    chance = float(layer.change.p_value[at])
    return ChangedObject(
        scale=layer.change.scale,
        change=_sign(layer.change, pixels),
        rows=pixels[0],
        cols=pixels[1],
        statistic=float(layer.change.statistic[at]),
        strength=float(layer.ratio[at]) ** (1 if objects else 2),
        length_m=form.length_m,
        width_m=form.width_m,
        orientation_deg=form.orientation_deg,
        area_m2=len(pixels[0]) * layer.gsd**2,
        contrast=float(values[int(np.argmax(np.abs(values)))]) if objects else _area_contrast(layer, pixels),
        p_value=None if np.isnan(chance) else chance,
    )


def _objects(layer: _Layer) -> list[ChangedObject]:
    """Return the objects around the peaks, strongest first; a peak on an object already found belongs to it."""
    searched = ~np.isnan(layer.change.threshold)
    ratio = layer.ratio
    peaks = local_maxima(ratio, searched, odd_pixels(OBJECT_SPACING_M, layer.gsd)) & (ratio >= 1)
    rows, cols = np.nonzero(peaks)
    free, found = layer.valid.copy(), []
    for k in np.argsort(-ratio[rows, cols], kind="stable"):
        peak = int(rows[k]), int(cols[k])
        if free[peak]:
            body = _body(layer, free, peak)
            found.append(_measured(layer, body, peak))
            around = cv2.dilate(_mask(body, free.shape), np.ones((3, 3), np.uint8))
            free &= around == 0
    return found


def _mask(pixels: Pixels, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return pixels as a (row, col) map of 0 and 1."""
    out = np.zeros(shape, np.uint8)
    out[pixels] = 1
    return out


def _areas(layer: _Layer) -> list[ChangedObject]:
    """Return the connected areas that reach the threshold on searched ground, strongest first."""
    ratio = layer.ratio
    seeds = np.where(np.isnan(layer.change.threshold), np.float32(0), ratio)
    side = 2 * round(2 * layer.blur_px) + 1
    near_by = cv2.dilate(ratio, np.ones((side, side), np.uint8))
    parts, count = ndimage.label(ratio >= np.maximum(AREA_SHARE, EDGE_SHARE * near_by), structure=np.ones((3, 3)))
    labels = np.arange(1, count + 1)
    best = np.asarray(ndimage.maximum(seeds, parts, index=labels)).reshape(-1)
    places = ndimage.maximum_position(seeds, parts, index=labels)
    strongest_first = [int(k) for k in np.argsort(-best, kind="stable") if best[k] >= 1]
    found = []
    for k in strongest_first:
        rows, cols = np.nonzero(parts == k + 1)
        row, col = places[k]
        found.append(_measured(layer, (rows, cols), (int(row), int(col))))
    return found


@dataclass(frozen=True, kw_only=True)
class _Shape:
    length_m: float
    width_m: float
    orientation_deg: float


def _shape(pixels: Pixels, gsd: float, blur_variance: float) -> _Shape:
    """Return length, width and orientation of the ellipse that has the pixels' second moments, the blur taken off.

    A uniform ellipse of axis L has the variance L^2 / 16 along it; an aircraft's cross of wing and fuselage is near it.
    """
    rows, cols = (p.astype(np.float64) for p in pixels)
    variances, axes = np.linalg.eigh(np.cov(np.stack([cols, rows]), bias=True) + np.eye(2) / 12)
    # An object is never told to be smaller than a third of a pixel: its moments are all blur then.
    sides = 4 * np.sqrt(np.maximum(variances - blur_variance, 1 / 144)) * gsd
    east, south = axes[:, 1]
    return _Shape(
        length_m=float(sides[1]),
        width_m=float(sides[0]),
        orientation_deg=float(np.degrees(np.arctan2(east, -south)) % 180),
    )


def _sign(change: ScaleChange, pixels: Pixels) -> Sign:
    """Return the sign that most of the object's evidence has."""
    vote = float((change.direction[pixels] * np.nan_to_num(change.statistic[pixels])).sum())
    return "appeared" if vote > 0 else "vanished" if vote < 0 else "altered"


def _overlap(inner: ChangedObject, outer: BoolArray) -> float:
    """Return the share of an object's pixels that lie in a map."""
    return float(outer[inner.rows, inner.cols].mean())


def _is_row(area: ChangedObject, inside: list[ChangedObject], shape: tuple[int, ...], gsd: float) -> bool:
    """Return whether an area is but a row of objects: each is the stronger evidence, and hardly any of it is beyond."""
    if any(item.strength <= area.strength for item in inside):
        return False
    bodies = np.zeros(shape, np.uint8)
    for item in inside:
        bodies[item.rows, item.cols] = 1
    side = odd_pixels(2 * ROW_REACH_M, gsd)
    return _overlap(area, cv2.dilate(bodies, np.ones((side, side), np.uint8)) > 0) >= 0.9


def _without_repeats(
    objects: list[ChangedObject], areas: list[ChangedObject], shape: tuple[int, ...], gsd: float
) -> list[ChangedObject]:
    """Return both scales with each change once.

    Small areas and rows of objects give way to their objects; other areas take theirs in, unless that would hide what
    has a p-value in what has none.
    """
    kept_objects, kept_areas = list(objects), []
    for area in areas:
        ground = _mask((area.rows, area.cols), shape).astype(bool)
        inside = [item for item in kept_objects if _overlap(item, ground) >= MOSTLY]
        if inside and (area.length_m <= LARGEST_OBJECT_M or _is_row(area, inside, shape, gsd)):
            continue
        if area.p_value is not None or all(item.p_value is None for item in inside):
            kept_objects = [item for item in kept_objects if all(item is not i for i in inside)]
        note = (f"holds {len(inside)} object-sized change{'s' * (len(inside) > 1)}",) if inside else ()
        kept_areas.append(replace(area, notes=(*area.notes, *note)))
    return kept_objects + kept_areas


def find_objects(
    change: Change, pair: Pair, model: PairModel, *, psf_px: float = 0.53, area_blur_m: float = 25.0
) -> tuple[ChangedObject, ...]:
    """Return the changed objects of both scales, strongest (against the threshold of its ground) first.

    Parameters
    ----------
    change
        Of `pair`; what is searched is where its thresholds are finite or infinite, not NaN.
    pair, model
        What it was made from.
    psf_px
        Standard deviation of the sensor's point spread, pixels.
    area_blur_m
        Standard deviation of the smoothing of the area statistic, metres.
    """
    contrast = _contrast(pair, model)
    objects, areas = (
        _Layer(
            change=scale,
            limit=_continued(scale.threshold),
            contrast=contrast,
            valid=pair.valid,
            gsd=pair.gsd,
            blur_px=blur_px,
            share=share,
        )
        for scale, blur_px, share in (
            (change.objects, psf_px, BODY_SHARE),
            (change.areas, area_blur_m / pair.gsd, EDGE_SHARE),
        )
    )
    merged = _without_repeats(_objects(objects), _areas(areas), pair.valid.shape, pair.gsd)
    return tuple(sorted(merged, key=lambda item: -item.strength))
