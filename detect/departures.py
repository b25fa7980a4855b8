"""How far every optical date of a series departs from what is usual at each place, in units of what is usual.

The steps are those of `detect.temporal`, for all dates alike: each date is predicted from the per-pixel median of all
by a robust chronochrome per cover; what is left is filtered to the sensor's own order, whitened, and held against the
place's usual state and spread, and against the ring around it on that date.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect import robust
from detect.chronochrome import Chronochrome, fit_chronochrome
from detect.errors import DetectError
from detect.filters import BoolArray, FloatArray, ring_mean, ring_moments
from detect.optical import PairOptions
from detect.ranks import filled_median
from detect.series import MIN_DATES
from detect.series_maps import response, turned
from detect.significance import odd_pixels
from detect.usual import Cover, Usual, usual_of

CLUSTERS = 6
SAMPLES = 8_000
SPREAD_SAMPLES = 50_000
POOLED = 100_000
"""Samples of all dates together, for a covariance."""
WINSOR = 4.0
"""Standard deviations beyond which a place says no more of the noise around it."""
BODY_RING_M = (310.0, 150.0)
"""Outer and inner side of the square ring that an object's body is held against."""
FEWEST_DATES = MIN_DATES + 1


@dataclass(frozen=True, kw_only=True)
class Departures:
    """What a series of one sensor and one side shows of each place on each date."""

    channels: FloatArray
    """(date, channel, row, col) departure from the usual state, in its standard deviations; 0 where not valid."""
    valid: BoolArray
    """(date, row, col) True = the date shows the place, and enough others do."""
    contrast: FloatArray
    """(date, row, col) size of what the usual does not explain, before any filter, in its standard deviations: what
    an object's body is cut out of."""
    usual_form: FloatArray | None
    """(channel, row, col) how the usual state itself stands out of its surroundings, in the channels' units; None
    where a departure upwards is an object by itself (radar)."""
    spread: FloatArray | None
    """(channel, row, col) of one standard deviation, in those units."""
    gsd: float

    def energy(self, date: int) -> FloatArray:
        """Return the squared length (row, col) of a date's departure; NaN where not valid.

        Of radar only what is brighter than usual counts: objects are, and speckle's dark tail adds false alarms.
        """
        z = self.channels[date]
        if self.usual_form is None:
            z = np.maximum(z, 0)
        return np.where(self.valid[date], (z**2).sum(axis=0), np.float32(np.nan)).astype(np.float32)


def _gain(image: FloatArray, reference: FloatArray, seen: BoolArray) -> FloatArray:
    """Return the contrast (band, 1, 1) of a date over the reference's."""
    places = np.flatnonzero(seen)
    few = places[robust.thin(len(places), SPREAD_SAMPLES)]
    spreads = []
    for one in (image, reference):
        values = one.reshape(len(one), -1)[:, few].astype(np.float64)
        spreads.append(np.median(np.abs(values - np.median(values, axis=1)[:, None]), axis=1))
    ratio = np.clip(spreads[0] / np.maximum(spreads[1], 1e-6), 0.5, 2.0)
    return np.asarray(ratio[:, None, None], dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class _Ground:
    """What all dates are predicted from."""

    reference: FloatArray
    seen: BoolArray
    first: Chronochrome
    cover: NDArray[np.intp]
    gsd: float
    options: PairOptions

    def residual(self, image: FloatArray, valid: BoolArray) -> FloatArray:
        """Return what the reference does not explain of a date (band, row, col), in the reference's light."""
        seen = valid & self.seen
        model = fit_chronochrome(
            self.reference, image, seen, like=self.first, cover=self.cover, samples=SAMPLES, noisy=False
        )
        left = model.residual(self.reference, image, seen, cover=self.cover)
        left /= _gain(image, self.reference, seen)
        return left

    def body(self, residual: FloatArray, seen: BoolArray) -> FloatArray:
        """Return how strongly each pixel (row, col) stands out of the ring around, in the date's own noise."""
        outer, inner = (odd_pixels(side, self.gsd) for side in BODY_RING_M)
        local = np.where(seen, residual - ring_mean(residual, seen, outer=outer, inner=inner), np.float32(0))
        places = np.flatnonzero(seen)
        few = local.reshape(len(local), -1)[:, places[robust.thin(len(places), SPREAD_SAMPLES)]]
        floor = self.options.noise_floor**2 * np.eye(len(local))
        root = np.linalg.inv(np.linalg.cholesky(robust.covariance(few.T.astype(np.float64)) + floor))
        return np.asarray(np.sqrt((turned(root.astype(np.float32), local) ** 2).mean(axis=0)))


def odd_dates(valid: BoolArray) -> BoolArray:
    """Return the dates (date, row, col) that teach what is usual: of an even number at a place, not the first.

    Between two states on as many dates each, the median of all lies halfway: every date would depart from it, and what
    came and stayed, as clear as it is, would have come on none.
    """
    even = (valid.sum(axis=0) % 2 == 0) & valid.any(axis=0)
    first = np.argmax(valid, axis=0)
    rows, cols = np.nonzero(even)
    taught = valid.copy()
    taught[first[rows, cols], rows, cols] = False
    return taught


def _lay_ground(dates: FloatArray, valid: BoolArray, gsd: float, options: PairOptions) -> _Ground:
    """Return the reference of a series and its kinds of cover."""
    seen = np.asarray(valid.sum(axis=0) >= FEWEST_DATES)
    if seen.sum() < 100 * dates.shape[1]:
        raise DetectError(f"only {int(seen.sum())} pixels are valid on {FEWEST_DATES} dates or more")
    reference = filled_median(dates, odd_dates(valid))
    # Any date will do: only the kinds of cover of the reference are taken from it.
    first = fit_chronochrome(reference, reference, seen, clusters=CLUSTERS, samples=SAMPLES, noisy=False)
    cover = first.covers(reference, seen)
    return _Ground(reference=reference, seen=seen, first=first, cover=cover, gsd=gsd, options=options)


def _root(responses: FloatArray, valid: BoolArray, floor: float) -> FloatArray:
    """Return the inverse root (band, band) of the robust covariance of all dates' responses."""
    parts = []
    for image, seen in zip(responses, valid, strict=True):
        places = np.flatnonzero(seen)
        few = places[robust.thin(len(places), max(POOLED // len(responses), 1000))]
        parts.append(image.reshape(len(image), -1)[:, few].T)
    covariance = robust.covariance(np.concatenate(parts).astype(np.float64)) + floor**2 * np.eye(responses.shape[1])
    return np.linalg.inv(np.linalg.cholesky(covariance)).astype(np.float32)


def _standardise(white: FloatArray, valid: BoolArray, usual: Usual, ground: _Ground) -> None:
    """Turn whitened responses (date, band, row, col) into departures, in place: date by date, against the ring."""
    spread = np.sqrt(usual.variance) * np.float32(np.sqrt(1 + 1.25 / usual.dates))
    outer, inner = (odd_pixels(side, ground.gsd) for side in (ground.options.ring_outer_m, ground.options.ring_inner_m))
    for one, seen in zip(white, valid, strict=True):
        np.subtract(one, usual.state, out=one)
        np.divide(one, spread, out=one)
        if not seen.any():
            one[:] = 0
            continue
        mean, variance = ring_moments(one, seen, outer=outer, inner=inner, most=WINSOR)
        places = np.flatnonzero(seen)
        few = places[robust.thin(len(places), SPREAD_SAMPLES)]
        typical = np.median(variance.reshape(len(variance), -1)[:, few], axis=1)[:, None, None]
        noise = np.maximum(np.float32(0.8) * variance + np.float32(0.2) * typical, np.float32(0.05))
        np.subtract(one, mean, out=one)
        np.divide(one, np.sqrt(noise), out=one)
        one[:, ~seen] = 0


def optical_departures(
    dates: FloatArray, valid: BoolArray, *, gsd: float, options: PairOptions | None = None
) -> Departures:
    """Return how far each date departs from what is usual.

    Parameters
    ----------
    dates
        (date, band, row, col) reflectance of one relative orbit, aligned; anything where not valid.
    valid
        (date, row, col) True = usable.
    gsd
        Metres per pixel.
    options
        See `detect.optical.PairOptions`.

    Raises
    ------
    DetectError
        Where too little ground is valid on FEWEST_DATES dates.
    """
    options = options or PairOptions()
    if len(dates) < FEWEST_DATES:
        raise DetectError(f"{len(dates)} dates; at least {FEWEST_DATES} are needed to know what is usual")
    safe = np.where(valid[:, None], dates, np.float32(0))
    ground = _lay_ground(safe, valid, gsd, options)
    contrast = np.zeros((len(dates), *valid.shape[1:]), np.float32)
    known = valid & ground.seen
    for k, (image, seen) in enumerate(zip(safe, known, strict=True)):
        if seen.sum() < 100 * len(image):
            known[k] = False
            image[:] = 0
            continue
        left = ground.residual(image, seen)
        contrast[k] = ground.body(left, seen)
        image[:] = response(left, seen, options)
    root = _root(safe, known, options.noise_floor)
    for image in safe:
        image[:] = turned(root, image)
    form = turned(root, response(ground.reference, ground.seen, options))
    kinds = Cover(kind=ground.cover, structure=(form**2).sum(axis=0), seen=ground.seen, gsd=gsd)
    usual = usual_of(safe, odd_dates(known), kinds)
    _standardise(safe, known, usual, ground)
    return Departures(
        channels=safe,
        valid=known,
        contrast=contrast,
        usual_form=(form + usual.state).astype(np.float32),
        spread=np.sqrt(usual.variance),
        gsd=gsd,
    )
