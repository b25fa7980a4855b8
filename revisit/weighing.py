"""What one look says for or against a claim, and what looks of several sensors and orbits say together.

Ratios are likelihood ratios: P(what was seen | the claim is true) / P(what was seen | it is false).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from revisit.evidence import Look

SURE_PD = 0.95
"""From this probability of detection on, an object that was not flagged was not there."""
LEAST_RATIO = 20.0
"""Likelihood ratio from which a flag supports a claim; its inverse is that from which silence contradicts."""
MOST_P = 0.01
"""Largest chance per place of 0.01 km2 of a flag that supports a claim."""
NEAR_M = 150.0
"""Flags of two sensors whose middles lie closer than this may be one object: half a large ship, and two products that
lie some pixels apart."""


@dataclass(frozen=True, kw_only=True)
class Support:
    """The flag that best supports a claim, with what the other sensors and orbits say of it."""

    look: Look
    ratio: float
    """Of all of them together."""
    agreeing: tuple[Look, ...] = ()
    """Looks of another sensor or orbit that flag the same."""
    denying: tuple[Look, ...] = ()
    """Looks of another sensor or orbit, or later ones, that should show it and do not."""


def ratio_of(look: Look) -> float:
    """Return the likelihood ratio of a flag: Pd over the probability of a false one."""
    return (look.pd or 0.0) / max(look.false_alarm, 1e-6)


def silence_of(look: Look) -> float:
    """Return the likelihood ratio of no flag."""
    return (1 - (look.pd or 0.0)) / max(1 - look.false_alarm, 1e-6)


def best_of(look: Look, count: int = 1) -> float:
    """Return the smallest chance of a look's matches, of `count` of them the largest; 1 where they are fewer."""
    ordered = sorted(match.p_value for match in look.matches)
    return ordered[count - 1] if len(ordered) >= count else 1.0


def is_quiet(look: Look) -> bool:
    """Return whether nothing was flagged that may be the claim's object."""
    return not look.matches and not look.unclear


def is_silent(look: Look) -> bool:
    """Return whether a look would have shown the claim's object, and shows nothing that may be it."""
    return is_quiet(look) and (look.pd or 0.0) >= SURE_PD and silence_of(look) <= 1 / LEAST_RATIO


def chance_of(looks: Sequence[Look], places: float, count: int = 1) -> float:
    """Return the chance that the best match of several looks, each of so many places, arose by chance."""
    best = min((best_of(look, count) for look in looks), default=1.0)
    return -math.expm1(places * len(looks) * math.log1p(-min(best, 1 - 1e-12)))


def _series(look: Look) -> tuple[str, str | None]:
    """Return what looks that share their faults have in common: what is odd on the reference counts on each."""
    return look.sensor, look.reference


def _together(one: Look, other: Look) -> bool:
    """Return whether two looks flag something in one spot."""
    spots = [(a.at, b.at) for a in one.matches for b in other.matches if a.at and b.at]
    return any(math.dist(a, b) <= NEAR_M for a, b in spots)


def _denies(other: Look, look: Look, *, stays: bool, stay_hours: float) -> bool:
    """Return whether a quiet look should show what `look` flags: what has left stays away, a visitor some hours."""
    if not is_quiet(other) or other.pd is None:
        return False
    if stays:
        return other.acquired > look.acquired
    near = abs(other.acquired - look.acquired) <= timedelta(hours=stay_hours)
    return near and _series(other) != _series(look)


def _weighed(look: Look, looks: Sequence[Look], *, count: int, stays: bool, stay_hours: float) -> Support:
    """Return a look's flag with what the others say: of looks that share their reference only one counts."""
    agreeing: dict[tuple[str, str | None], Look] = {}
    denying: dict[tuple[str, str | None], Look] = {}
    for other in looks:
        key = _series(other)
        if key != _series(look) and best_of(other, count) < 1 and _together(look, other):
            agreeing[key] = max((agreeing.get(key, other), other), key=ratio_of)
        elif other is not look and _denies(other, look, stays=stays, stay_hours=stay_hours):
            denying[key] = other
    against = tuple(one for key, one in denying.items() if key not in agreeing)
    ratio = ratio_of(look) * math.prod(map(ratio_of, agreeing.values())) * math.prod(map(silence_of, against))
    return Support(look=look, ratio=ratio, agreeing=tuple(agreeing.values()), denying=against)


def strongest(
    candidates: Sequence[Look], looks: Sequence[Look], *, count: int = 1, stays: bool, stay_hours: float
) -> Support | None:
    """Return the flag that best supports a claim; None where none is beyond chance.

    The log-ratios of looks that were held against different scenes add; of looks that share their reference the best
    one counts, since what is odd on the reference is odd on each of them. The caller compares the ratio with
    `LEAST_RATIO`.

    Parameters
    ----------
    candidates
        Looks whose flags can support it.
    looks
        All usable and calibrated ones, the candidates among them: they may agree or deny.
    count
        How many objects the claim speaks of: so many flags must be there on one look.
    stays
        Whether what happened lasts (an object that has left), so that a later quiet look speaks against it.
    stay_hours
        How long an object that came stays at least: a quiet look of another sensor that close speaks against it.
    """
    beyond = [look for look in candidates if best_of(look, count) <= MOST_P and look.pd is not None]
    told = [_weighed(look, looks, count=count, stays=stays, stay_hours=stay_hours) for look in beyond]
    return max(told, key=lambda one: (one.ratio, -best_of(one.look, count)), default=None)
