"""The two maps of a series: how far two dates differ, and one of them departs, in units of what is usual there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from detect import robust
from detect.filters import BoolArray, FloatArray, blur, difference_of_gaussians, ring_moments
from detect.optical import PairOptions
from detect.significance import odd_pixels
from detect.usual import Usual

SAMPLES = 20_000
"""Pixels that an image's typical noise is learned from."""
AREA_LEVEL = 0.9
"""Share of the ground that an area map's level is read at: high enough to know how unevenly the ground drifts, and
low enough that a tenth of it may have changed."""
STANDING = 0.2
"""Share of what stands out alike on both dates by which it differs between them: another sun and haze on it, shadows,
and a rest of a shift. On simulated aprons 0.05 on average, and up to 0.4 of the shadow of a large aircraft."""
WINSOR = 4.0
"""Standard deviations beyond which a place says no more of the noise around it."""


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The maps that thresholds apply to; NaN where not valid."""

    objects: FloatArray
    areas: FloatArray
    fold: int = 0
    """Of held-out pairs: the group of neighbouring dates that both are of. Pairs of two groups share no date."""


@dataclass(frozen=True, kw_only=True)
class RingLevels:
    """The image's own noise, which the noise of each ring is drawn towards: (band,) variances."""

    pair: FloatArray
    """Of the difference of the two dates."""
    before: FloatArray
    """Of the before date's departure from the usual state."""
    after: FloatArray


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where maps are made, and how."""

    seen: BoolArray
    """(row, col)."""
    gsd: float
    options: PairOptions


def response(residual: FloatArray, valid: BoolArray, options: PairOptions) -> FloatArray:
    """Return the point-spread response (band, row, col) of a residual."""
    return difference_of_gaussians(
        residual, valid, inner=options.psf_px, outer=options.psf_px * options.ground_over_psf
    )


def detail(residual: FloatArray, valid: BoolArray, gsd: float, options: PairOptions) -> FloatArray:
    """Return a residual (band, row, col) with its finest detail smoothed."""
    return blur(residual, valid, max(options.area_detail_m / gsd, 0.3))


def turned(root: FloatArray, image: FloatArray) -> FloatArray:
    """Return the whitened image (band, row, col)."""
    return np.asarray(np.tensordot(root, image, axes=1), dtype=np.float32)


def _standing(before: FloatArray, after: FloatArray) -> FloatArray:
    """Return the length (row, col) of what two departures (band, row, col) have in common: of the one along the other.

    It is 0 where either date is as usual, and so takes nothing from what came or went.
    """
    shared = (before * after).sum(0)
    longest = np.sqrt(np.maximum((before**2).sum(0), (after**2).sum(0)))
    common = np.maximum(shared, np.float32(0)) / np.maximum(longest, np.float32(1e-6))
    # A rest of a shift moves it by a part of a pixel.
    return np.asarray(cv2.dilate(common, np.ones((3, 3), np.uint8)), dtype=np.float32)


def _departures(first: FloatArray, second: FloatArray, usual: Usual) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the pair's difference and each date's departure from the usual state, in standard deviations."""
    spread = np.sqrt(usual.variance)
    one = np.float32(np.sqrt(1 + 1.25 / usual.dates))
    earlier, later = first - usual.state, second - usual.state
    standing = np.float32(STANDING) * _standing(earlier, later)
    zs = (
        (second - first) / np.sqrt(2 * usual.variance + standing**2),
        earlier / (one * spread),
        later / (one * spread),
    )
    pair, before, after = (np.asarray(z, dtype=np.float32) for z in zs)
    return pair, before, after


def _ring_moments(z: FloatArray, frame: Frame) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance (band, row, col) of the ring around each pixel, cut at WINSOR."""
    outer, inner = (odd_pixels(side, frame.gsd) for side in (frame.options.ring_outer_m, frame.options.ring_inner_m))
    return ring_moments(z, frame.seen, outer=outer, inner=inner, most=WINSOR)


def _typical(variance: FloatArray, seen: BoolArray) -> FloatArray:
    """Return the median (band,) of variances (band, row, col) over what is seen."""
    places = np.flatnonzero(seen)
    few = places[robust.thin(len(places), SAMPLES)]
    return np.median(variance.reshape(len(variance), -1)[:, few], axis=1).astype(np.float32)


def ring_levels(first: FloatArray, second: FloatArray, usual: Usual, frame: Frame) -> RingLevels:
    """Return the typical variance of the rings of two whitened responses, for parts of the frame to take over."""
    levels = []
    for z in _departures(first, second, usual):
        _, variance = _ring_moments(z, frame)
        levels.append(_typical(variance, frame.seen))
    return RingLevels(pair=levels[0], before=levels[1], after=levels[2])


def _energy(z: FloatArray, level: FloatArray | None, frame: Frame) -> FloatArray:
    """Return the squared length (row, col) of z against the mean and spread of the ring around.

    That takes off what a whole quarter of the image does.
    """
    mean, variance = _ring_moments(z, frame)
    typical = (_typical(variance, frame.seen) if level is None else level)[:, None, None]
    spread = np.maximum(np.float32(0.8) * variance + np.float32(0.2) * typical, np.float32(0.05))
    return np.asarray(((z - mean) ** 2 / spread).sum(0))


@dataclass(frozen=True, kw_only=True)
class Departures:
    """Squared distances (row, col) in units of what is usual."""

    pair: FloatArray
    """Of the two dates from one another."""
    before: FloatArray
    """Of the before date from the usual state."""
    after: FloatArray


def departures_of(
    first: FloatArray, second: FloatArray, usual: Usual, frame: Frame, levels: RingLevels | None = None
) -> Departures:
    """Return how far two whitened responses (band, row, col) are from one another and from the usual state.

    Parameters
    ----------
    first, second
        Of the before and of the after date.
    usual
        On the same frame.
    frame
        Where.
    levels
        Of the whole, where this is a part of it; None: of these responses themselves.
    """
    known = (None, None, None) if levels is None else (levels.pair, levels.before, levels.after)
    pair, before, after = (
        _energy(z, level, frame) for z, level in zip(_departures(first, second, usual), known, strict=True)
    )
    return Departures(pair=pair, before=before, after=after)


def object_map(found: Departures, seen: BoolArray) -> FloatArray:
    """Return max(pair, min(|after - before|, 2 pair)) (row, col); NaN where not seen."""
    # What stands there on both dates departs twice, each time with the noise of a large square: no more is believed of
    # the difference than twice what the dates say of one another, which it is where one of them is as usual.
    states = np.minimum(np.abs(found.after - found.before), 2 * found.pair)
    return np.where(seen, np.maximum(found.pair, states), np.float32(np.nan))


def area_level(areas: FloatArray) -> float:
    """Return the value of an area map (row, col; NaN where not seen) that AREA_LEVEL of its ground lies under.

    Over tens of metres two dates differ by what the season, the haze or the rain did to all of the ground: a pair is a
    sample of one of that, however many pixels it has. Held against its own level, it can be compared with other pairs.
    """
    return max(float(np.quantile(areas[~np.isnan(areas)], AREA_LEVEL)), 1e-6)


def area_map(first: FloatArray, second: FloatArray, root: FloatArray, frame: Frame) -> FloatArray:
    """Return the smoothed root distance (row, col) of two smoothed residuals; NaN where not seen."""
    distance = np.sqrt((turned(root, second - first) ** 2).sum(0))[None]
    smooth = blur(distance, frame.seen, frame.options.area_extent_m / frame.gsd)[0]
    return np.where(frame.seen, smooth, np.float32(np.nan))
