"""Flags of two sensors held against each other: which mean the same change, and what both are worth together.

Each likelihood ratio asks how much likelier what a sensor shows is where an object of the catalogue came or went than
where chance alone speaks. The sensors' noise is taken to be independent (`docs/together.md` says where it is not), so
that the ratios multiply, class by class; a flag's ratios are means over the classes that it may be, by how well each
fits. The dates differ: what one sensor saw speaks of the other's flag only as far as their windows are one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from detect.calibrated import OBJECT_SHARE
from detect.calibration import PLACE_KM2
from detect.change import ChangedObject
from detect.detectability import ClassDetectability
from detect.targets import CATALOGUE, ObjectClass, object_class
from revisit.detectability import UNKNOWN_KINDS, WATER_KINDS
from revisit.result import Flag, Outcome, Witness

REACH_M = 30.0
"""Gap between two sensors' outlines of one change, at most: radar resolves 20 m, draws what is high towards itself by
as much, and is registered on its own."""
LEAST_SEEN = 0.5
"""Share of a flag's pixels that the other sensor must have seen on both dates for its silence to count."""
SIZE_FACTORS = (0.6, 1.6)
"""Between these times its own length, the length of a class may be a flag's, or another class's."""


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What one sensor saw of the ground."""

    sensor: str
    """"s2" or "s1"."""
    before: datetime
    after: datetime
    flags: Sequence[Flag]
    valid: NDArray[np.bool_]
    """(row, col) True = seen on both dates."""
    detectability: Sequence[ClassDetectability]
    rate: float
    """Flags by chance per km2, both scales together."""
    calibrated: bool
    """Whether that rate was measured."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A flag's ground."""

    kind: str
    """Kind of the zone that it lies in, or "area"."""
    km2: float
    """Ground in which a chance flag of the other sensor would be taken for the same change."""


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A class that a flag may be."""

    name: str
    weight: float
    """How well it fits, relative to the best."""


def strength_factor(share: float) -> float:
    """Return what a flag's strength adds to its having been flagged: a likelihood ratio that chance cannot inflate.

    (1 - q + q ln q) / (q ln^2 q) for the share q of chance flags that are at least so strong: the mean over all
    alternatives q^(k - 1) k with k from 0 to 1, whose expectation under chance is 1 (V. Vovk and R. Wang 2021,
    doi:10.1214/20-AOS2020, after T. Sellke, M. Bayarri and J. Berger 2001). 1/2 at q = 1: a flag that is just strong
    enough speaks against itself.

    Parameters
    ----------
    share
        q, above 0 to 1.

    Examples
    --------
    >>> [round(strength_factor(q), 2) for q in (1.0, 0.1, 0.001)]
    [0.5, 1.26, 20.77]
    """
    if share > 0.999:
        return 0.5
    log = math.log(share)
    return (1 - share + share * log) / (share * log**2)


def chance_share(p_value: float, rate: float) -> float:
    """Return the share, up to 1, of a sensor's chance flags of objects that are at least as strong as one flag.

    Parameters
    ----------
    p_value
        Of the flag, per place of 0.01 km2.
    rate
        Flags by chance per km2, both scales together.
    """
    stronger = -math.log1p(-min(p_value, 1 - 1e-12)) / PLACE_KM2
    return min(max(stronger / (OBJECT_SHARE * rate), 1e-9), 1.0)


def _can_be_on(model: ObjectClass, kind: str) -> bool:
    """Return whether a class can be on ground of a kind."""
    return kind in UNKNOWN_KINDS or (model.kind == "ship") == (kind in WATER_KINDS)


def guesses(item: ChangedObject, kind: str) -> tuple[Guess, ...]:
    """Return the classes that a changed object may be, best first: its candidates; of radar, those of its length.

    Radar names no candidates: neither its contrast nor the outline of its return tells one class from another.
    """
    if item.scale != "object":
        return ()
    if item.candidates:
        ordered = sorted(item.candidates, key=lambda one: -one.likelihood)
        return tuple(Guess(name=one.name, weight=one.likelihood) for one in ordered)
    if not item.length_m > 0:
        return ()
    near = [
        (abs(math.log(model.length_m / item.length_m)), model.name)
        for model in CATALOGUE.values()
        if _can_be_on(model, kind) and SIZE_FACTORS[0] <= item.length_m / model.length_m <= SIZE_FACTORS[1]
    ]
    return tuple(Guess(name=name, weight=1.0) for _, name in sorted(near))


def _stand_in(name: str, rows: Sequence[ClassDetectability]) -> str | None:
    """Return the class among those measured that stands for another: itself, or one on the same medium of its size."""
    measured = {row.object for row in rows}
    if name in measured:
        return name
    wanted = object_class(name)
    alike = [
        (abs(math.log(model.length_m / wanted.length_m)), model.name)
        for model in map(object_class, sorted(measured))
        if (model.kind == "ship") == (wanted.kind == "ship")
        and SIZE_FACTORS[0] <= model.length_m / wanted.length_m <= SIZE_FACTORS[1]
    ]
    return min(alike)[1] if alike else None


def _told(sight: Sight, kind: str, change: str) -> list[ClassDetectability]:
    """Return what was measured of a kind of ground, of one direction where it was; radar's holds for both."""
    here = [row for row in sight.detectability if row.ground == kind and row.placements]
    return [row for row in here if row.direction == change] or here


def seen_share(sight: Sight, name: str, kind: str, change: str) -> tuple[float, int] | None:
    """Return how often a class is flagged on a kind of ground, and of how many trials; None where not measured."""
    rows = _told(sight, kind, change)
    own = _stand_in(name, rows)
    chosen = [row for row in rows if row.object == own]
    trials = sum(row.placements for row in chosen)
    return (sum(row.pd * row.placements for row in chosen) / trials, trials) if trials else None


def _believed(sight: Sight, name: str, kind: str, change: str) -> float | None:
    """Return a probability of detection for a ratio: of few trials, never 0 nor 1 (H. Jeffreys' prior)."""
    seen = seen_share(sight, name, kind, change)
    return None if seen is None else (seen[0] * seen[1] + 0.5) / (seen[1] + 1)


def _by_chance(sight: Sight, km2: float) -> float:
    """Return the chance of any flag of a sensor on so much ground."""
    return -math.expm1(-sight.rate * km2)


def _speaks(sight: Sight, item: ChangedObject) -> bool:
    """Return whether a flag's strength against chance is known."""
    return sight.calibrated and item.p_value is not None and item.scale == "object"


def _evidence(sight: Sight, item: ChangedObject, pd: float, km2: float) -> float:
    """Return the likelihood ratio of a flag, for an object that is flagged with `pd`."""
    strength = strength_factor(chance_share(item.p_value or 1.0, sight.rate))
    return pd * strength / _by_chance(sight, km2)


def _silence(sight: Sight, pd: float, km2: float) -> float:
    """Return the likelihood ratio of no flag."""
    return (1 - pd) / (1 - _by_chance(sight, km2))


def overlap(one: Sight, other: Sight) -> float:
    """Return how much of the longer of two windows both sensors saw, 0 to 1: what changed then, both could see."""
    common = min(one.after, other.after) - max(one.before, other.before)
    longer = max(one.after - one.before, other.after - other.before)
    return max(common / longer, 0.0)


@dataclass(frozen=True, kw_only=True)
class _Met:
    """What the other sensor shows at a flag's place."""

    outcome: Outcome
    flags: tuple[Flag, ...] = ()


def _alike(one: str, other: str) -> bool:
    """Return whether two signs can be of one change."""
    return one == other or "altered" in {one, other}


def _order(flag: Flag) -> tuple[float, float, str]:
    """Sort the flag that chance explains least first."""
    return flag.object.p_value if flag.object.p_value is not None else 2.0, -flag.object.strength, flag.id


def _meet(flag: Flag, near: Sequence[Flag], other: Sight) -> _Met:
    """Return what the other sensor shows at a flag's place, from its flags near by."""
    alike = sorted((one for one in near if _alike(flag.object.change, one.object.change)), key=_order)
    if alike:
        return _Met(outcome="agrees", flags=tuple(alike))
    if near:
        return _Met(outcome="opposite", flags=tuple(sorted(near, key=_order)))
    seen = float(other.valid[flag.object.rows, flag.object.cols].mean())
    return _Met(outcome="silent" if seen >= LEAST_SEEN else "not seen")


def _ratios(
    flag: Flag, met: _Met, place: Place, *, own: Sight, other: Sight, classes: Sequence[Guess]
) -> tuple[float | None, float | None]:
    """Return the likelihood ratio of a flag alone, and the factor that the other sensor brings."""
    if not _speaks(own, flag.object):
        return None, None
    covered, change = overlap(own, other), flag.object.change
    alone, both, known = 0.0, 0.0, False
    total = 0.0
    for guess in classes:
        pd = _believed(own, guess.name, place.kind, change)
        if pd is None:
            continue
        here = _evidence(own, flag.object, pd, place.km2)
        there = _believed(other, guess.name, place.kind, change) if other.calibrated else None
        factor = None
        if there is not None and met.outcome == "silent":
            factor = _silence(other, there, place.km2)
        elif there is not None and met.outcome == "agrees" and _speaks(other, met.flags[0].object):
            factor = _evidence(other, met.flags[0].object, there, place.km2)
        known |= factor is not None
        mixed = 1.0 if factor is None else 1 - covered + covered * factor
        total += guess.weight
        alone += guess.weight * here
        both += guess.weight * here * mixed
    if not total:
        return None, None
    return alone / total, both / alone if known and covered > 0 else None


def _shared(flag: Flag, met: _Met, place: Place, own: Sight) -> tuple[Guess, ...]:
    """Return the classes that a flag may be: of radar, those of the optical flag that agrees, which tells more."""
    if own.sensor == "s1" and met.outcome == "agrees":
        candidates = guesses(met.flags[0].object, place.kind)
        if candidates and met.flags[0].object.candidates:
            return candidates
    return guesses(flag.object, place.kind)


def _witness(flag: Flag, met: _Met, place: Place, *, own: Sight, other: Sight) -> Witness:
    """Return what the other sensor says of a flag."""
    classes = _shared(flag, met, place, own)
    ratio, other_ratio = _ratios(flag, met, place, own=own, other=other, classes=classes)
    told = [(one.name, seen_share(other, one.name, place.kind, flag.object.change)) for one in classes]
    best = next((pair for pair in told if pair[1] is not None), (classes[0].name if classes else None, None))
    return Witness(
        sensor=other.sensor,
        before=other.before,
        after=other.after,
        outcome=met.outcome,
        flags=tuple(one.id for one in met.flags),
        overlap=overlap(own, other),
        object=best[0],
        pd=best[1][0] if best[1] else None,
        ratio=ratio,
        other_ratio=other_ratio,
    )


def _near(flag: Flag, others: Sequence[Flag], shape: tuple[int, int], gsd: float) -> tuple[list[Flag], float]:
    """Return the flags within REACH_M of one, and the ground from which a flag would count as that near, km2."""
    reach = math.ceil(REACH_M / gsd) + 1
    rows, cols = flag.object.rows, flag.object.cols
    top, left = max(int(rows.min()) - reach, 0), max(int(cols.min()) - reach, 0)
    bottom, right = min(int(rows.max()) + reach + 1, shape[0]), min(int(cols.max()) + reach + 1, shape[1])
    away = np.ones((bottom - top, right - left), np.bool_)
    away[rows - top, cols - left] = False
    # Between the centres of two pixels that touch lies one pixel, and no gap.
    close = distance_transform_edt(away) * gsd - gsd <= REACH_M
    found = []
    for other in others:
        inside = (
            (other.object.rows >= top)
            & (other.object.rows < bottom)
            & (other.object.cols >= left)
            & (other.object.cols < right)
        )
        if inside.any() and close[other.object.rows[inside] - top, other.object.cols[inside] - left].any():
            found.append(other)
    return found, float(close.sum()) * gsd**2 / 1e6


def witnesses(
    one: Sight, other: Sight, *, kinds: Mapping[str | None, str], gsd: float
) -> tuple[dict[str, Witness], dict[str, Witness]]:
    """Return what each sensor says of the other's flags, by the flags' ids.

    Parameters
    ----------
    one, other
        Of the same ground on the same grid; ids that no two flags share.
    kinds
        Kind of ground by the name of a zone, and under None that of flags outside all zones.
    gsd
        Metres per pixel.
    """
    met = [
        {flag.id: _near(flag, seen.flags, own.valid.shape, gsd) for flag in own.flags}
        for own, seen in ((one, other), (other, one))
    ]
    ground = {name: max(km2, PLACE_KM2) for half in met for name, (_, km2) in half.items()}

    def told(own: Sight, seen: Sight, half: Mapping[str, tuple[list[Flag], float]]) -> dict[str, Witness]:
        found = {}
        for flag in own.flags:
            there = _meet(flag, half[flag.id][0], seen)
            # Two flags of one change share their ground, so that both tell the same ratio.
            km2 = max(ground[one.id] for one in (flag, *there.flags[:1]))
            found[flag.id] = _witness(flag, there, Place(kind=kinds[flag.zone], km2=km2), own=own, other=seen)
        return found

    return told(one, other, met[0]), told(other, one, met[1])
