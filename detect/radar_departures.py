"""How far every radar date of one track departs from what is usual at each place: the state statistic of each date.

Each date is brought to the level of the others on stable ground and divided by the place's mean over the other dates,
visits left out; the ring around is taken off, so that wind and rain are. The departure is the signed root of the gamma
likelihood ratio (`detect.gamma`), polarisation by polarisation: about a standard normal where nothing is there.
"""

from __future__ import annotations

import numpy as np

from detect.departures import FEWEST_DATES, Departures
from detect.errors import DetectError
from detect.filters import BoolArray, FloatArray, blur
from detect.gamma import ratio_statistic
from detect.radar import RadarOptions, against_ring
from detect.radar_usual import usual_power
from detect.speckle import date_levels, temporal_looks, usable

EMPTY_LEVEL = 0.3
"""Share of a place's dates, the darkest, by which its empty state is known: what stays for two thirds of a series and
then leaves must not be taken for the ground."""
FEWEST_EMPTY = 3
"""Dates without a visitor that show the usual state of a place."""
BODY_M = 5.4
"""Standard deviation of the smoothing in which an object's body is cut out: over half of the impulse response."""


def radar_departures(
    dates: FloatArray, valid: BoolArray, *, gsd: float, options: RadarOptions | None = None
) -> Departures:
    """Return how far each date departs from what is usual.

    Parameters
    ----------
    dates
        (date, polarisation, row, col) linear power of one track, registered, oldest first.
    valid
        (date, row, col) True = usable.
    gsd
        Metres per pixel.
    options
        See `detect.radar.RadarOptions`.

    Raises
    ------
    DetectError
        Where there are too few dates or too little usable ground.
    """
    options = options or RadarOptions()
    if len(dates) < FEWEST_DATES:
        raise DetectError(f"{len(dates)} dates; at least {FEWEST_DATES} are needed to know what is usual")
    seen = valid & usable(dates).all(axis=1)
    if not seen.any(axis=(1, 2)).all():
        raise DetectError("a date shows nothing that is usable")
    power = np.where(seen[:, None], dates, np.float32(1))
    for k in range(power.shape[1]):
        power[:, k] /= date_levels(power[:, k], seen)[:, None, None].astype(np.float32)
    power = np.where(seen[:, None], power, np.float32(1))
    looks = tuple(temporal_looks(power[:, k], seen) for k in range(power.shape[1]))
    stack = usual_power(power, seen, looks, len(power), level=EMPTY_LEVEL)
    known = seen & (stack.count >= FEWEST_EMPTY).all(axis=0)
    contrast = np.zeros(known.shape, np.float32)
    others = len(power) - 1
    for k, here in enumerate(known):
        mean = stack.mean_without((k,))
        logs = np.log(np.where(here, power[k] / mean, np.float32(1))).astype(np.float32)
        logs = against_ring(logs, here, looks, (options, gsd))
        size = [ratio_statistic(np.exp(one), looks=n, dates=others) for one, n in zip(logs, looks, strict=True)]
        power[k] = np.where(here, np.sign(logs) * np.sqrt(np.maximum(np.stack(size), 0)), np.float32(0))
        weights = np.array(looks, np.float32)[:, None, None]
        mean_log = (logs * weights).sum(axis=0, keepdims=True) / weights.sum()
        contrast[k] = np.maximum(blur(mean_log, here, max(BODY_M / gsd, 0.3))[0], 0)
    return Departures(channels=power, valid=known, contrast=contrast, usual_form=None, spread=None, gsd=gsd)
