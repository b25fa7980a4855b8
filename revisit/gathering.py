"""From comparisons to the evidence on one claim."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from detect.targets import object_class
from imagery.scene import Scene
from revisit.claims import Claim
from revisit.comparing import Compared, Comparer, class_for, length_of, rate_for
from revisit.errors import UsageError
from revisit.evidence import LEAST_VALID, Evidence, Look, Match, Surface
from revisit.lookplan import LookPlan, Share, plan_looks
from revisit.places import Place
from revisit.result import Flag, Result
from revisit.seen import pooled
from revisit.surface import surface_of
from revisit.verdict import sign_of
from revisit.wording import why_uncalibrated

SIZE_FACTORS = (0.6, 1.6)
"""Between these times its own length, the length of a flag may be an object's."""
MOST_LOOKS = 100
"""Comparisons for one claim: half a year of passes of one orbit, and an hour's work."""
UNREAD = "not read: no image of 10 m could tell"
DIRECTIONS: Mapping[str, tuple[str, ...]] = {
    "appeared": ("appeared",),
    "present": ("appeared",),
    "left": ("vanished",),
    "unchanged": ("appeared", "vanished"),
}


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """The evidence on a claim, with the comparisons that it rests on."""

    evidence: Evidence
    place: Place
    compared: Mapping[str, Compared] = field(default_factory=dict)
    """By the scene of the look."""


def _in_place(flag: Flag, place: Place) -> bool:
    """Return whether a flag lies in a place: by its zone, or by its middle."""
    if place.zone is not None and flag.zone == place.zone:
        return True
    middle = (round(float(flag.object.rows.mean())), round(float(flag.object.cols.mean())))
    return bool(place.pixels[middle])


def fits(flag: Flag, name: str | None, length_m: float | None) -> bool:
    """Return whether a flag may be an object: as a candidate, or by its length."""
    if name is not None and name in {candidate.name for candidate in flag.object.candidates}:
        return True
    if length_m is None:
        return False
    return SIZE_FACTORS[0] <= flag.object.length_m / length_m <= SIZE_FACTORS[1]


def probability(result: Result, claim: Claim, place: Place) -> float | None:
    """Return the probability that a claim's object would have been flagged in its place; None where not measured.

    Of several directions the least: who says that nothing changed denies both.
    """
    name = class_for(claim, place)
    if name is None or claim.kind not in DIRECTIONS:
        return None
    rows = [row for row in result.detectability if row.object == name]
    here = [row for row in rows if row.ground == place.kind] if place.kind else rows
    shares = [pooled([row for row in here if row.direction == way]) for way in DIRECTIONS[claim.kind]]
    known = [share for share in shares if share is not None]
    return min(known) if len(known) == len(shares) else None


@dataclass(frozen=True, kw_only=True)
class _Sorted:
    """The flags in a place, as a claim sees them."""

    matches: tuple[Match, ...]
    unclear: int
    flags: int


def _sorted_flags(compared: Compared, result: Result, claim: Claim, place: Place) -> _Sorted:
    """Return which flags in a place a claim can mean."""
    inside = [flag for flag in result.flags if _in_place(flag, place)]
    name, length, sign = class_for(claim, place), length_of(claim, place), sign_of(claim.kind)
    fitting = [f for f in inside if sign in {None, f.object.change} and fits(f, name, length)]
    matches = [
        Match(flag=f"{compared.name}/{flag.id}", p_value=flag.object.p_value)
        for flag in fitting
        if flag.object.p_value is not None
    ]
    # A flag without a probability may be it and proves nothing: it must not pass for silence.
    return _Sorted(matches=tuple(matches), unclear=len(inside) - len(matches), flags=len(inside))


def look_of(scene: Scene, compared: Compared, claim: Claim, place: Place) -> Look:
    """Return a look at a claim's place, from the comparison of its scene with the reference."""
    result = compared.result
    if result is None:
        return Look(scene=scene.id, acquired=scene.acquired, valid_share=0.0, rejected=compared.reason)
    share = float(result.change.valid[place.pixels].mean())
    km2 = place.km2 * share
    found = _sorted_flags(compared, result, claim, place)
    rate = result.recipe.false_alarms_per_km2
    return Look(
        scene=scene.id,
        acquired=scene.acquired,
        valid_share=share,
        calibrated=result.change.calibrated,
        doubt=why_uncalibrated(result),
        pd=probability(result, claim, place),
        false_alarm=-math.expm1(-rate * km2),
        matches=found.matches,
        unclear=found.unclear,
        flags=found.flags,
        expected=rate * km2,
    )


@dataclass(kw_only=True)
class Gatherer:
    """Gathers the evidence on the claims about one area."""

    scenes: Sequence[Scene]
    """One per pass, of the windows of all claims."""
    comparer: Comparer
    share_in: Callable[[Place], Share]
    """From a place to what tells its valid share on a scene."""

    def gather(self, claim: Claim, place: Place) -> Gathered:
        """Return the evidence on a claim.

        Raises
        ------
        SourceError
            Where the source failed.
        """
        if claim.kind == "state":
            return Gathered(evidence=self._unread(claim, place), place=place)
        share = self.share_in(place)
        plan = plan_looks(claim, self.scenes, share=share)
        looks, compared = self._looks(plan, claim, place, share)
        later = looks.pop() if plan.later is not None else None
        name = class_for(claim, place)
        evidence = Evidence(
            claim=claim,
            object_kind=object_class(name).kind if name else None,
            reference=plan.reference.id if plan.reference else None,
            looks=tuple(sorted([*looks, *_refused(plan)], key=lambda look: (look.acquired, look.scene))),
            later=later,
            surface=_surfaces(claim, place, compared) if claim.kind == "surface" else (),
        )
        return Gathered(evidence=evidence, place=place, compared=compared)

    def _looks(
        self, plan: LookPlan, claim: Claim, place: Place, share: Share
    ) -> tuple[list[Look], dict[str, Compared]]:
        """Return the looks of a plan, the later one last, and their comparisons."""
        looks, compared = [], {}
        for scene in _in_turn(plan, claim):
            valid = share(scene)
            if plan.reference is None or valid < LEAST_VALID:
                looks.append(Look(scene=scene.id, acquired=scene.acquired, valid_share=valid))
                continue
            compared[scene.id] = self.comparer.compare(plan.reference, scene, rate_for(claim, place))
            looks.append(look_of(scene, compared[scene.id], claim, place))
            if claim.kind == "surface" and looks[-1].usable:
                break
        return looks, compared

    def _unread(self, claim: Claim, place: Place) -> Evidence:
        """Return the passes in the window of a claim that no image can decide."""
        plan = plan_looks(claim, self.scenes, share=lambda _: 1.0)
        looks = [
            Look(scene=scene.id, acquired=scene.acquired, valid_share=0.0, rejected=UNREAD) for scene in plan.looks
        ]
        name = class_for(claim, place)
        return Evidence(claim=claim, object_kind=object_class(name).kind if name else None, looks=tuple(looks))


def _in_turn(plan: LookPlan, claim: Claim) -> tuple[Scene, ...]:
    """Return the scenes that are looked at: of a surface, which stays, the latest first, until one is clear.

    Raises
    ------
    UsageError
        Where they are too many to be compared.
    """
    scenes = (*plan.looks, *([plan.later] if plan.later else []))
    if claim.kind == "surface":
        return scenes[::-1]
    if len(scenes) > MOST_LOOKS:
        raise UsageError(
            f"{claim.id}: {len(scenes)} passes in its window; {MOST_LOOKS} at most are compared: shorten it"
        )
    return scenes


def _refused(plan: LookPlan) -> list[Look]:
    """Return the looks that must not be compared with the reference."""
    return [
        Look(scene=scene.id, acquired=scene.acquired, valid_share=0.0, rejected=reason)
        for scene, reason in plan.rejected
    ]


def _surfaces(claim: Claim, place: Place, compared: Mapping[str, Compared]) -> tuple[Surface, ...]:
    """Return how the place's surface looks on each look, as far as that can be told."""
    told = [
        surface_of(scene, one.result, place, seed=claim.id) for scene, one in compared.items() if one.result is not None
    ]
    return tuple(surface for surface in told if surface is not None)
