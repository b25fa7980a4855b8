"""What a zone shows from date to date: how many objects, how restless its ground, and whether two sensors agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detect.chain import EVEN, SURE, Step, count_range
from detect.departures import Departures
from detect.filters import BoolArray
from detect.scan import Scan
from detect.tracks import Track

Values = NDArray[np.float64]
Witness = Literal["agrees", "differs", "does not show it", "had no date to tell"]

RESTLESS_SHARE = 0.01
"""Share of unchanged ground that counts as restless on an ordinary date."""
FEWEST_PIXELS = 100
"""Fewer pixels of a zone (a hectare) show no share of a hundredth."""
ODD_SPREADS, ODD_RATIO = 6.0, 3.0
"""How far over its usual share a zone's restless ground must be for a date to be called odd."""
NEAR_PX = 3.0
"""How far two sensors may place one object apart: what stands high leans towards the radar."""


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """How restless a zone was on each date."""

    ratio: Values
    """(date,) share of restless ground over what is usual there; 1 = as usual, NaN where it cannot be told."""
    odd: BoolArray
    """(date,) True = beyond what the other dates of the zone show."""


def count_on(tracks: Sequence[Track], date: int) -> tuple[int, int, int]:
    """Return how many objects stood at the places of some tracks on a date: least, most likely, most (95 %).

    Places that chance may have given, that are uncertain, or that the date does not show widen the range. So do those
    of which it cannot be told which state holds the object: taken on any date, perhaps, and not counted as likely.
    """
    clear = [track.sense == "object" for track in tracks]
    taken = [float(track.taken[date]) if told else EVEN for track, told in zip(tracks, clear, strict=True)]
    chances = [chance * track.chance for chance, track in zip(taken, tracks, strict=True)]
    low, high = count_range(chances)
    likely = sum(bool(track.present[date]) and track.real and told for track, told in zip(tracks, clear, strict=True))
    return min(low, likely), likely, max(high, likely)


def restlessness(seen: Departures, scan: Scan, zone: BoolArray, strata: NDArray[np.uint8]) -> Anomaly:
    """Return how much more of a zone than usual departs from its usual state on each date.

    A pixel is restless beyond the level that a hundredth of the zone passes on its middling date. A date is odd where
    its share lies more than ODD_SPREADS median absolute deviations over the zone's median and is beyond ODD_RATIO.

    Parameters
    ----------
    seen, scan
        Of one track.
    zone
        (row, col) True = in the zone.
    strata
        (row, col) kind of searched ground, as scanned.
    """
    dates = len(seen.channels)
    ground = zone & (strata > 0)
    shares = np.full(dates, np.nan)
    samples = [seen.energy(k)[ground & seen.valid[k]] for k in range(dates)]
    known = [one for one in samples if len(one) >= FEWEST_PIXELS]
    if len(known) < 3 or not scan.kinds:
        return Anomaly(ratio=shares, odd=np.zeros(dates, bool))
    level = float(np.median([np.quantile(one, 1 - RESTLESS_SHARE) for one in known]))
    for k, one in enumerate(samples):
        if len(one) >= FEWEST_PIXELS:
            shares[k] = float((one > level).mean()) / RESTLESS_SHARE
    middle = float(np.nanmedian(shares))
    spread = 1.4826 * float(np.nanmedian(np.abs(shares - middle)))
    odd = np.nan_to_num(shares) > max(middle + ODD_SPREADS * spread, ODD_RATIO)
    return Anomaly(ratio=shares, odd=np.asarray(odd))


def _near(one: Track, other: Track) -> bool:
    """Return whether two tracks are of one place."""
    rows, cols = one.place.pixels
    apart = (rows[:, None] - other.place.pixels[0][None]) ** 2 + (cols[:, None] - other.place.pixels[1][None]) ** 2
    return bool(apart.min() <= NEAR_PX**2)


@dataclass(frozen=True, kw_only=True)
class Testimony:
    """What another track says of a change."""

    witness: Witness
    dates: tuple[int, ...]
    """Of that track: those in the old and the new state nearest to the change, where it agrees; else none."""
    track: int | None
    """Which of its places spoke."""


def hear(
    track: Track, step: Step, days: Values, *, others: Sequence[Track], other_days: Values, shown: BoolArray
) -> Testimony:
    """Return what another track of dates says of a change.

    Parameters
    ----------
    track, step
        The place and its change.
    days
        (date,) of the track's own dates.
    others
        The places of the other track that changed.
    other_days
        (date,) of its dates.
    shown
        (date,) True = the other track shows this place on that date.
    """
    old, new = float(days[step.last]), float(days[step.first])
    for at, other in enumerate(others):
        if not _near(track, other):
            continue
        before = [k for k in np.flatnonzero(other.shown) if other_days[k] <= old]
        after = [k for k in np.flatnonzero(other.shown) if other_days[k] >= new]
        steps = [
            change
            for visit in other.visits
            for change in (visit.arrival, visit.departure)
            if change is not None and change.arrival == step.arrival
        ]
        for change in steps:
            if other_days[change.last] < new and other_days[change.first] > old:
                return Testimony(witness="agrees", dates=(change.last, change.first), track=at)
        sure = [abs(float(other.taken[k]) - step.arrival) > SURE for k in (after[:1] or before[-1:])]
        if any(sure):
            return Testimony(witness="differs", dates=(), track=at)
    dates = other_days[np.flatnonzero(shown)]
    told = bool((dates <= old).any() and (dates >= new).any())
    return Testimony(witness="does not show it" if told else "had no date to tell", dates=(), track=None)
