"""From comparisons to the evidence on one claim."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from detect.detectability import ClassDetectability
from detect.targets import object_class
from imagery.scene import Scene
from revisit.claims import Claim
from revisit.comparing import FAILURES, Compared, Comparer, class_for, length_of, rate_for, rejection
from revisit.errors import UsageError
from revisit.evidence import LEAST_VALID, Evidence, Look, Match, Surface
from revisit.lookplan import LookPlan, Share, plan_looks, tracks
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
UNHELD = "no usable pass of its orbit before the window to hold it against"
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


def _middle(flag: Flag, result: Result) -> tuple[float, float]:
    """Return where the middle of a flag lies, metres."""
    place, gsd = result.grid.transform, result.grid.gsd
    col, row = float(flag.object.cols.mean()) + 0.5, float(flag.object.rows.mean()) + 0.5
    return place.c + col * gsd, place.f - row * gsd


def fits(flag: Flag, name: str | None, length_m: float | None) -> bool:
    """Return whether a flag may be an object: as a candidate, or by its length."""
    if name is not None and name in {candidate.name for candidate in flag.object.candidates}:
        return True
    if length_m is None:
        return False
    return SIZE_FACTORS[0] <= flag.object.length_m / length_m <= SIZE_FACTORS[1]


def _of_visitors(row: ClassDetectability) -> ClassDetectability:
    """Return a row for a place where no such object had stood for long: what left it was a visitor."""
    return row if row.visitor_pd is None else replace(row, pd=row.visitor_pd)


def probability(result: Result, claim: Claim, place: Place) -> float | None:
    """Return the probability that a claim's object would have been flagged in its place; None where not measured.

    Of several directions the least: who says that nothing changed denies both.
    """
    name = class_for(claim, place)
    if name is None or claim.kind not in DIRECTIONS:
        return None
    rows = [row for row in result.detectability if row.object == name]
    here = [row for row in rows if row.ground == place.kind] if place.kind else rows
    here = [_of_visitors(row) if place.zone in row.vacant else row for row in here]
    shares = [pooled([row for row in here if row.direction == way]) for way in DIRECTIONS[claim.kind]]
    known = [share for share in shares if share is not None]
    return min(known) if len(known) == len(shares) else None


def is_too_weak(flag: Flag, result: Result, name: str | None, place: Place) -> bool:
    """Return whether nearly all objects of a class that were put on such ground came out stronger than a flag.

    What chance flags lies close over the threshold; what stands there and is large seldom does.
    """
    rows = [
        row for row in result.detectability if row.object == name and flag.object.change in {row.direction, "altered"}
    ]
    here = [row for row in rows if row.ground == place.kind] if place.kind else rows
    known = [row.least_strength for row in here if not math.isnan(row.least_strength)]
    return flag.object.scale == "object" and bool(known) and flag.object.strength < min(known)


@dataclass(frozen=True, kw_only=True)
class _Sorted:
    """The flags in a place, as a claim sees them."""

    matches: tuple[Match, ...]
    unclear: int
    weak: int
    flags: int


def _sorted_flags(compared: Compared, result: Result, claim: Claim, place: Place) -> _Sorted:
    """Return which flags in a place a claim can mean."""
    inside = [flag for flag in result.flags if _in_place(flag, place)]
    name, length, sign = class_for(claim, place), length_of(claim, place), sign_of(claim.kind)
    fitting = [f for f in inside if sign in {None, f.object.change} and fits(f, name, length)]
    strong = [flag for flag in fitting if not is_too_weak(flag, result, name, place)]
    matches = [
        Match(flag=f"{compared.name}/{flag.id}", p_value=flag.object.p_value, at=_middle(flag, result))
        for flag in strong
        if flag.object.p_value is not None
    ]
    # A weak flag, or one without a probability, may be it and proves nothing: it must not pass for silence.
    return _Sorted(
        matches=tuple(matches),
        unclear=len(inside) - len(matches),
        weak=len(fitting) - len(strong),
        flags=len(inside),
    )


def look_of(scene: Scene, reference: Scene, compared: Compared, claim: Claim, place: Place) -> Look:
    """Return a look at a claim's place, from the comparison of its scene with the reference."""
    result = compared.result
    bare = _bare(scene, reference)
    if result is None:
        return replace(bare, rejected=compared.reason)
    share = float(result.change.valid[place.pixels].mean())
    km2 = place.km2 * share
    found = _sorted_flags(compared, result, claim, place)
    rate = result.recipe.false_alarms_per_km2
    return replace(
        bare,
        valid_share=share,
        calibrated=result.change.calibrated,
        doubt=why_uncalibrated(result),
        pd=probability(result, claim, place),
        false_alarm=-math.expm1(-rate * km2),
        matches=found.matches,
        unclear=found.unclear,
        weak=found.weak,
        flags=found.flags,
        expected=rate * km2,
    )


def _bare(scene: Scene, reference: Scene | None, *, share: float = 0.0, rejected: str | None = None) -> Look:
    """Return a look of which nothing but its scene is known."""
    return Look(
        scene=scene.id,
        acquired=scene.acquired,
        sensor=scene.sensor,
        reference=reference.id if reference else None,
        since=reference.acquired if reference else None,
        valid_share=share,
        rejected=rejected,
    )


@dataclass(kw_only=True)
class _Gathering:
    """The looks at one claim's place, as they come in."""

    looks: list[Look] = field(default_factory=list)
    later: list[Look] = field(default_factory=list)
    compared: dict[str, Compared] = field(default_factory=dict)


@dataclass(kw_only=True)
class Gatherer:
    """Gathers the evidence on the claims about one area."""

    scenes: Sequence[Scene]
    """One per pass, of both sensors, of the windows of all claims."""
    comparer: Comparer
    share_in: Callable[[Place], Share]
    """From a place to what tells its valid share on a scene."""
    radar_failed: str | None = None
    """Why radar could not be read; from then on none is asked for in this area."""

    def gather(self, claim: Claim, place: Place) -> Gathered:
        """Return the evidence on a claim.

        Raises
        ------
        SourceError, CredentialsError, BudgetError
            Where the source failed on optical imagery; where it failed on radar, `radar_failed` says so.
        """
        name = class_for(claim, place)
        kind = object_class(name).kind if name else None
        if claim.kind == "state":
            return Gathered(evidence=self._unread(claim, kind), place=place)
        found = _Gathering()
        for track in tracks([scene for scene in self.scenes if claim.kind != "surface" or scene.sensor == "s2"]):
            self._look(track.scenes, claim, place, found)
        evidence = Evidence(
            claim=claim,
            object_kind=kind,
            looks=tuple(sorted(found.looks, key=lambda look: (look.acquired, look.scene))),
            later=tuple(sorted(found.later, key=lambda look: (look.acquired, look.scene))),
            surface=_surfaces(claim, place, found.compared) if claim.kind == "surface" else (),
        )
        return Gathered(evidence=evidence, place=place, compared=found.compared)

    def _look(self, scenes: Sequence[Scene], claim: Claim, place: Place, found: _Gathering) -> None:
        """Look at a claim's place on the passes of one track."""
        try:
            if scenes[0].sensor == "s2" or self.radar_failed is None:
                self._compare(plan_looks(claim, scenes, share=self.share_in(place)), claim, place, found)
                return
        except FAILURES as error:
            if scenes[0].sensor == "s2":
                raise
            self.radar_failed = rejection(error)
        taken = {look.scene for look in (*found.looks, *found.later)}
        plan = plan_looks(claim, scenes, share=lambda _: 1.0)
        why = f"radar was not read: {self.radar_failed}"
        found.looks += [_bare(s, None, rejected=why) for s in plan.looks if s.id not in taken]

    def _compare(self, plan: LookPlan, claim: Claim, place: Place, found: _Gathering) -> None:
        """Compare the scenes of a plan with its reference."""
        share = self.share_in(place)
        found.looks += [_bare(scene, plan.reference, rejected=reason) for scene, reason in plan.rejected]
        for scene in _in_turn(plan, claim):
            into = found.later if scene is plan.later else found.looks
            valid = share(scene)
            if plan.reference is None:
                into.append(_bare(scene, None, share=valid, rejected=UNHELD))
            elif valid < LEAST_VALID:
                into.append(_bare(scene, plan.reference, share=valid))
            else:
                done = self.comparer.compare(plan.reference, scene, rate_for(claim, place))
                found.compared[scene.id] = done
                into.append(look_of(scene, plan.reference, done, claim, place))
                if claim.kind == "surface" and into[-1].usable:
                    break

    def _unread(self, claim: Claim, kind: str | None) -> Evidence:
        """Return the passes in the window of a claim that no image can decide."""
        looks: list[Look] = []
        for track in tracks(self.scenes):
            plan = plan_looks(claim, track.scenes, share=lambda _: 1.0)
            looks += [_bare(scene, None, rejected=UNREAD) for scene in plan.looks]
        return Evidence(
            claim=claim, object_kind=kind, looks=tuple(sorted(looks, key=lambda look: (look.acquired, look.scene)))
        )


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


def _surfaces(claim: Claim, place: Place, compared: Mapping[str, Compared]) -> tuple[Surface, ...]:
    """Return how the place's surface looks on each look, as far as that can be told."""
    told = [
        surface_of(scene, one.result, place, seed=claim.id) for scene, one in compared.items() if one.result is not None
    ]
    return tuple(surface for surface in told if surface is not None)
