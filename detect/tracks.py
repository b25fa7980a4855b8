"""Single places through all dates of a series: who came, who stayed, who left, and between which dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detect.chain import EVEN, SURE, Noise, Posterior, Step, fit_noise, follow_place, steps_of
from detect.departures import Departures
from detect.optical import ALIKE
from detect.scan import BODY_SHARE, Pixels, Place, Scan, strongest_near

Values = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Sense = Literal["object", "unclear"]

NOISE_PLACES = 400
"""Calm places of a kind of ground from which the noise of its dates is learned."""
ALIKE_STRONG = 3.0
"""Factor in the expected number of chance places within which two places count as alike strong."""
FEWEST_SHOWN = 3
"""Dates that must show a place for it to be followed."""
PIECE_M, AFLOAT_PIECE_M = 30.0, 60.0
"""How far apart the bright points of one large object may seem to radar, on land and afloat: what comes and goes
between the same dates and lies no farther apart is one object. Ships are longer than aircraft."""

PSF_PX = 0.53
"""Standard deviation of Sentinel-2's point spread, pixels."""
RADAR_RESPONSE_M = 9.0
"""Standard deviation of the power of Sentinel-1's impulse response."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One stay of an object at a place."""

    first: int
    """Index of the first date that shows it."""
    last: int
    """Index of the last date that shows it."""
    arrival: Step | None
    """None: it was there on the first date that shows the place."""
    departure: Step | None
    """None: it was there on the last date that shows the place."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """One place through all dates."""

    place: Place
    taken: Values
    """(date,) probability that an object stood there, given that the place changed at all."""
    shown: BoolArray
    """(date,) True = the date shows the place."""
    sense: Sense
    """"unclear": the two states stand out of the ground around alike, and the rarer is taken for the object."""
    visits: tuple[Visit, ...]
    chance: float
    """That the place is none of chance's: 1 - the local false discovery rate at its strength."""

    @property
    def real(self) -> bool:
        """Whether the place is more likely no chance than chance."""
        return self.chance >= EVEN

    @property
    def present(self) -> BoolArray:
        """(date,) whether an object more likely than not stood there."""
        return np.asarray(self.taken >= EVEN)


def _noise_of(seen: Departures, scan: Scan, strata: NDArray[np.uint8], rng: np.random.Generator) -> dict[int, Noise]:
    """Return the noise of each kind of ground, from places at which nothing stood out on any date."""
    worst = np.zeros(strata.shape, np.float32)
    for date in range(len(seen.channels)):
        worst = np.maximum(worst, np.nan_to_num(seen.energy(date)))
    out = {}
    for kind in scan.kinds:
        limit = min((p.threshold for p in scan.places if p.kind == kind and p.run == 1), default=np.inf)
        calm = (strata == kind) & seen.valid.any(axis=0) & (worst < limit)
        rows, cols = np.nonzero(calm)
        picks = rng.permutation(len(rows))[:NOISE_PLACES]
        samples = []
        for k in picks:
            values, shown = strongest_near(seen, (int(rows[k]), int(cols[k])))
            samples.append(values[shown])
        if samples:
            out[kind] = fit_noise(np.concatenate(samples))
    return out


def _stands_out(seen: Departures, place: Place, weight: Values) -> float:
    """Return how much a place stands out of its surroundings, mean of the dates by their weights (date,)."""
    assert seen.usual_form is not None and seen.spread is not None  # noqa: PT018, S101 - told to the type checker
    body = (slice(None), *place.pixels)
    total = max(float(weight.sum()), 1e-9)
    mean = np.tensordot(weight / total, seen.channels[(slice(None), slice(None), *place.pixels)], axes=1)
    form = seen.usual_form[body] + mean * seen.spread[body]
    return float((form**2).sum())


def _sense(seen: Departures, place: Place, posterior: Posterior) -> tuple[bool, Sense]:
    """Return whether the state that departs is the one with the object, and how clear that is."""
    if seen.usual_form is None:
        return True, "object"
    shown = posterior.shown.astype(np.float64)
    taken, empty = (_stands_out(seen, place, shown * chance) for chance in (posterior.taken, 1 - posterior.taken))
    if min(taken, empty) > ALIKE * max(taken, empty):
        rare = float((shown * posterior.taken).sum()) <= float(shown.sum()) / 2
        return rare, "unclear"
    return taken > empty, "object"


def _visits(present: BoolArray, shown: BoolArray, steps: Sequence[Step]) -> tuple[Visit, ...]:
    """Return the stays at a place."""
    dates = np.flatnonzero(shown)
    here = present[dates]
    visits, start = [], None
    arrivals = [step for step in steps if step.arrival]
    departures = [step for step in steps if not step.arrival]
    for k, there in enumerate(here.tolist()):
        if there and start is None:
            start = k
        if start is not None and (not there or k == len(here) - 1):
            end = k if there else k - 1
            arrival = arrivals.pop(0) if start > 0 and arrivals else None
            departure = departures.pop(0) if not there and departures else None
            first, last = int(dates[start]), int(dates[end])
            visits.append(Visit(first=first, last=last, arrival=arrival, departure=departure))
            start = None
    return tuple(visits)


def _is_sure(visit: Visit, taken: Values, shown: BoolArray) -> bool:
    """Return whether at least one date shows a visitor for sure."""
    dates = np.flatnonzero(shown[visit.first : visit.last + 1]) + visit.first
    return bool((taken[dates] >= SURE).any())


def _track(seen: Departures, place: Place, days: Values, noise: Noise, chance: float) -> Track | None:
    """Follow one place; None where it did not change after all."""
    values, shown = strongest_near(seen, place.at)
    if shown.sum() < FEWEST_SHOWN:
        return None
    posterior = follow_place(values, shown, days, noise)
    upright, sense = _sense(seen, place, posterior)
    steps = steps_of(posterior)
    if not steps:
        return None
    if not upright:
        steps = tuple(replace(step, arrival=not step.arrival) for step in steps)
    taken = posterior.taken if upright else 1 - posterior.taken
    visits = _visits(taken >= EVEN, shown, steps)
    if not any(_is_sure(visit, taken, shown) for visit in visits):
        return None
    return Track(place=place, taken=taken, shown=shown, sense=sense, visits=visits, chance=chance)


def _chances(places: Sequence[Place], kinds: int) -> list[float]:
    """Return for each place the chance that it is none of chance's.

    1 - the local false discovery rate (B. Efron 2005): of the places about as strong, chance alone gives so many on
    each kind of ground, and so many were found.
    """
    strengths = np.array([place.false_places for place in places])
    out = []
    for own in strengths:
        alike = int(((strengths >= own / ALIKE_STRONG) & (strengths <= own * ALIKE_STRONG)).sum())
        expected = own * (ALIKE_STRONG - 1 / ALIKE_STRONG) * kinds
        out.append(float(1 - min(expected / alike, 1.0)))
    return out


def _stays(track: Track) -> tuple[tuple[int, int], ...]:
    """Return the dates of the visits of a track."""
    return tuple((visit.first, visit.last) for visit in track.visits)


def _close(one: Pixels, other: Pixels, reach_px: float) -> bool:
    """Return whether two bodies lie no farther apart than that."""
    apart = (one[0][:, None] - other[0][None]) ** 2 + (one[1][:, None] - other[1][None]) ** 2
    return bool(apart.min() <= reach_px**2)


def _joined(tracks: Sequence[Track], gsd: float, water: BoolArray | None) -> tuple[Track, ...]:
    """Return radar tracks with the pieces of one object together, under the strongest of them."""
    whole: list[Track] = []
    for track in tracks:
        afloat = water is not None and bool(water[track.place.at])
        reach = (AFLOAT_PIECE_M if afloat else PIECE_M) / gsd
        for k, other in enumerate(whole):
            if _stays(track) == _stays(other) and _close(track.place.pixels, other.place.pixels, reach):
                rows, cols = (np.r_[a, b] for a, b in zip(other.place.pixels, track.place.pixels, strict=True))
                both = np.unique(np.stack([rows, cols]), axis=1)
                place = replace(other.place, pixels=(both[0], both[1]))
                whole[k] = replace(other, place=place)
                break
        else:
            whole.append(track)
    return tuple(whole)


def size_of(pixels: Pixels, *, gsd: float, radar: bool) -> tuple[float, float]:
    """Return length and width, metres, of the ellipse with the second moments of a body, the sensor's blur taken off.

    A uniform ellipse of axis L has the variance L^2 / 16 along it. To radar the size is that of the bright return.
    """
    rows, cols = (p.astype(np.float64) for p in pixels)
    variances = np.linalg.eigvalsh(np.cov(np.stack([cols, rows]), bias=True) + np.eye(2) / 12)
    blur = (RADAR_RESPONSE_M / gsd) ** 2 if radar else PSF_PX**2 * np.log(1 / BODY_SHARE) / 2
    width, length = 4 * np.sqrt(np.maximum(variances - blur, 1 / 144)) * gsd
    return float(length), float(width)


def follow_places(
    seen: Departures,
    scan: Scan,
    days: Values,
    strata: NDArray[np.uint8],
    *,
    rng: np.random.Generator,
    water: BoolArray | None = None,
) -> tuple[Track, ...]:
    """Follow the places of a scan through all dates.

    Parameters
    ----------
    seen, scan
        Of one sensor and side.
    days
        (date,) when, in days, rising.
    strata
        (row, col) kind of searched ground, as scanned.
    rng
        Picks the calm places from which the noise is learned.
    water
        (row, col) True = ships lie there; None: nowhere.

    Returns
    -------
    tuple
        Those that changed, strongest first.
    """
    if not scan.places:
        return ()
    noise = _noise_of(seen, scan, strata, rng)
    ordered = sorted(scan.places, key=lambda place: place.false_places)
    found = [
        _track(seen, place, days, noise[place.kind], chance)
        for place, chance in zip(ordered, _chances(ordered, len(scan.kinds)), strict=True)
        if place.kind in noise
    ]
    tracks = tuple(track for track in found if track is not None)
    return _joined(tracks, seen.gsd, water) if seen.usual_form is None else tracks
