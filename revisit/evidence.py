"""What was gathered on a claim: the looks of its window, how each bears on it, and how the window is covered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Literal

from revisit.claims import Claim
from revisit.wording import plural

Outcome = Literal["supported", "contradicted", "inconclusive", "not observable", "insufficient imagery"]

LEAST_VALID = 0.7
"""Share of a place that must be valid on a look."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """A flag that a claim could mean."""

    flag: str
    """Its id, with that of its run."""
    p_value: float
    """Chance per place of 0.01 km2."""
    at: tuple[float, float] | None = None
    """(x, y) of its middle, metres of the area's grid; None where not known."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """One acquisition, held against the last usable one of its own sensor and orbit before the claim's window."""

    scene: str
    acquired: datetime
    sensor: str = "s2"
    """"s2" or "s1"."""
    reference: str | None = None
    """Scene before the window that it was held against; None where there is none."""
    since: datetime | None = None
    """When that one was acquired."""
    valid_share: float
    """Of the place, on both dates, 0 to 1."""
    rejected: str | None = None
    """Why the date cannot serve."""
    calibrated: bool = True
    doubt: str | None = None
    """Why it is not calibrated."""
    pd: float | None = None
    """Probability of flagging the claim's object there and then; None where it was not measured."""
    false_alarm: float = 0.0
    """Probability that chance alone flags such an object in the place, at the run's setting."""
    matches: tuple[Match, ...] = ()
    """Flags of the right place, sign and size."""
    unclear: int = 0
    """Flags of the right place that do not fit the claim's object, and yet may be it: neither support nor silence."""
    weak: int = 0
    """Those of them that have its size and sign, and are weaker than nearly all such objects that were put there."""
    flags: int = 0
    """All flags in the place."""
    expected: float = 0.0
    """Flags in the place by chance alone."""

    @property
    def usable(self) -> bool:
        """Whether the look says anything on the place."""
        return self.rejected is None and self.valid_share >= LEAST_VALID


@dataclass(frozen=True, kw_only=True)
class Surface:
    """How the area statistic of a place compares with unchanged ground of the same cover."""

    scene: str
    share: float
    """Of the place's valid pixels beyond the 99.9 % point, 0 to 1."""
    pd: float
    """Share of injected changes of that extent that would have been found, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that was gathered on one claim."""

    claim: Claim
    object_kind: str | None = None
    """"aircraft", "helicopter", "vehicle" or "ship"."""
    looks: tuple[Look, ...] = ()
    """Within the window, of both sensors, oldest first."""
    later: tuple[Look, ...] = ()
    """The first usable look after the window of each sensor and orbit, where the claim can use it; oldest first."""
    surface: tuple[Surface, ...] = ()
    notes: tuple[str, ...] = ()
    """What else must be said of it."""

    @property
    def references(self) -> tuple[str, ...]:
        """Scenes before the window that looks were held against, each once."""
        held = (look.reference for look in (*self.looks, *self.later) if look.reference is not None)
        return tuple(dict.fromkeys(held))


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the imagery says of one claim."""

    id: str
    verdict: Outcome
    reasons: tuple[str, ...]
    """Texts, the decisive one first."""
    pd: float | None = None
    """Largest over the looks."""
    likelihood_ratio: float | None = None
    """P(what was seen | claim true) / P(what was seen | claim false)."""
    p_value: float | None = None
    """Chance of such support anywhere in the place on any of the looks; the false-discovery control rests on it."""
    scenes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    would_change_it: tuple[str, ...] = field(default=())


def window(claim: Claim) -> tuple[datetime, datetime]:
    """Return the start and the end of a claim's window, UTC."""
    return datetime.combine(claim.start, time.min, UTC), datetime.combine(claim.end + timedelta(days=1), time.min, UTC)


def longest_gap_hours(claim: Claim, looks: Sequence[Look]) -> float:
    """Return the longest time within a claim's window without a usable look, hours."""
    start, end = window(claim)
    moments = [start, *(look.acquired for look in looks if look.usable), end]
    return max((b - a).total_seconds() for a, b in pairwise(moments)) / 3600


def _of_sensor(looks: Sequence[Look], sensor: str) -> str:
    """Return how many looks of a sensor are usable, in words; nothing where it took none."""
    own = [look for look in looks if look.sensor == sensor]
    words = {"s2": "optical", "s1": "radar"}.get(sensor, sensor)
    return f"{sum(look.usable for look in own)} of {len(own)} {words}" if own else ""


def coverage(evidence: Evidence) -> str:
    """Return how the window is covered, in words."""
    looks = evidence.looks
    gap = longest_gap_hours(evidence.claim, looks)
    told = ", ".join(part for sensor in ("s2", "s1") if (part := _of_sensor(looks, sensor))) or "none at all"
    return (
        f"usable looks in the window of {plural(evidence.claim.days, 'day')}: {told};"
        f" the longest time without one is {gap:.0f} hours"
    )
