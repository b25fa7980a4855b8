"""What imagery says of a claim: observability first, then likelihood ratios, then the window that was covered.

Pure rules over values; nothing is read or detected here. A verdict is a statement on what 10 m imagery can bear on:
"consistent with", never "proof of".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from revisit.chance import poisson_tail
from revisit.claims import Kind
from revisit.evidence import Evidence, Look, Outcome, Verdict, coverage, longest_gap_hours, window

LEAST_PD = 0.5
"""Under this probability of detection, on every look, nothing seen and nothing missed says anything."""
SURE_PD = 0.95
"""From this probability of detection on, an object that was not flagged was not there."""
LEAST_RATIO = 20.0
"""Likelihood ratio from which a flag supports a claim; its inverse is that from which silence contradicts."""
MOST_P = 0.01
"""Largest chance per place of 0.01 km2 of a flag that supports a claim."""
SURFACE_SHARE, NO_SURFACE_SHARE = 0.5, 0.01
"""Share of a polygon beyond the 99.9 % point of unchanged ground: over the first a surface claim is supported, under
the second contradicted."""
STAY_HOURS = {"aircraft": 2.0, "helicopter": 6.0, "vehicle": 6.0, "ship": 12.0}
"""The shortest stay that a contradiction must not miss, hours; an assumption, printed with the verdict."""
SETTLES = {
    "state": "imagery of 0.5 m or finer",
    "aircraft": "3 m",
    "helicopter": "1 m",
    "vehicle": "1 m",
    "ship": "3 m",
}
"""Pixel spacing that would show what 10 m cannot."""

_SIGN: Mapping[str, str] = {"appeared": "appeared", "present": "appeared", "left": "vanished"}


_REFUTES: Mapping[str, str] = {
    "surface": "a change that leaves the same cover, which imagery of 1 m or finer would show",
    "unchanged": "another explanation of the flagged change, which imagery of 1 m or finer would show",
    "left": "proof that it left after the looks, or that something alike took its place",
}
"""What would overturn a contradiction, by the kind of claim."""


def _insufficient(evidence: Evidence) -> tuple[str, ...] | None:
    """Return why there is not enough imagery; None where there is."""
    looks = evidence.looks
    if evidence.claim.kind == "left" and evidence.later is not None:
        looks = (*looks, evidence.later)
    if evidence.reference is None:
        return "no usable look before the window to hold it against", coverage(evidence)
    if any(look.usable for look in looks):
        return None
    why = [f"{look.scene}: {look.rejected or f'{look.valid_share:.0%} of the place valid'}" for look in looks]
    return "no usable look in the window", *why, coverage(evidence)


def _unseeable(evidence: Evidence) -> tuple[str, ...] | None:
    """Return why nothing of the kind can be seen at this pixel spacing; None where it can."""
    claim = evidence.claim
    if claim.kind == "state":
        return (
            "the statement is about a state, a loading or an identity below the pixel of 10 m: no such image shows it",
        )
    if claim.kind in {"surface", "activity"}:
        return None
    known = [look.pd for look in _looks_for(evidence) if look.pd is not None]
    if known and max(known) < LEAST_PD:
        thing = claim.object or f"an object of {claim.length_m:g} m" if claim.length_m else claim.object
        return (f"{thing} would have been flagged there with a probability of {max(known):.2f} at best",)
    return None


def _looks_for(evidence: Evidence) -> list[Look]:
    """Return the usable looks that can bear on a claim."""
    looks = [look for look in evidence.looks if look.usable]
    # What has left within the window is still gone after it.
    if evidence.claim.kind == "left" and evidence.later is not None and evidence.later.usable:
        looks.append(evidence.later)
    return looks


def _ratio(look: Look) -> float:
    """Return the likelihood ratio of a flag: Pd over the probability of a false one."""
    return (look.pd or 0.0) / max(look.false_alarm, 1e-6)


def _silence(look: Look) -> float:
    """Return the likelihood ratio of no flag."""
    return (1 - (look.pd or 0.0)) / max(1 - look.false_alarm, 1e-6)


def _best(look: Look, count: int = 1) -> float:
    """Return the smallest chance of a look's matches, of `count` of them the largest; 1 where they are fewer."""
    ordered = sorted(match.p_value for match in look.matches)
    return ordered[count - 1] if len(ordered) >= count else 1.0


def _support(look: Look, count: int = 1) -> bool:
    """Return whether a look holds as many flags as a claim speaks of objects, each beyond chance."""
    return _best(look, count) <= MOST_P and _ratio(look) >= LEAST_RATIO


def _silent(look: Look) -> bool:
    """Return whether a look would have shown the claim's object, and shows nothing that may be it."""
    quiet = not look.matches and not look.unclear
    return quiet and (look.pd or 0.0) >= SURE_PD and _silence(look) <= 1 / LEAST_RATIO


def _chance(looks: Sequence[Look], places: float, count: int = 1) -> float:
    """Return the chance that the best match of several looks, each of so many places, arose by chance."""
    best = min((_best(look, count) for look in looks), default=1.0)
    return -math.expm1(places * len(looks) * math.log1p(-min(best, 1 - 1e-12)))


def _verdict(evidence: Evidence, outcome: Outcome, reasons: Sequence[str], **values: object) -> Verdict:
    """Return a verdict with the scenes and the flags that it rests on."""
    looks = _looks_for(evidence)
    known = [look.pd for look in looks if look.pd is not None]
    scenes = [evidence.reference, *(look.scene for look in looks)] if evidence.reference else []
    flags = [match.flag for look in looks for match in look.matches]
    base = Verdict(
        id=evidence.claim.id,
        verdict=outcome,
        reasons=(*reasons, *evidence.notes),
        pd=max(known, default=None),
        scenes=tuple(scene for scene in scenes if scene),
        flags=tuple(flags),
        would_change_it=_would_change(evidence, outcome),
    )
    return replace(base, **values)  # type: ignore[arg-type]


def _would_change(evidence: Evidence, outcome: Outcome) -> tuple[str, ...]:
    """Return what would change a verdict."""
    kind = evidence.claim.kind
    finer = SETTLES["state"] if kind == "state" else SETTLES.get(evidence.object_kind or "", "imagery of 3 m")
    if outcome == "not observable":
        return (f"{finer}" if kind == "state" else f"imagery of {finer} or finer, taken in the window",)
    if outcome == "insufficient imagery":
        return ("a clear look in the window, by any sensor", "radar, which cloud does not stop")
    if outcome == "supported":
        return ("another explanation of the flagged change, which imagery of 1 m or finer would show",)
    if outcome == "contradicted":
        return (_REFUTES.get(kind, "proof that it came and went between the looks"),)
    return ("a look in the longest gap of the window", f"imagery of {finer.removeprefix('imagery of ')}")


def _uncalibrated(evidence: Evidence) -> Verdict:
    """Return that nothing can be said of objects by comparisons whose false flags are not known."""
    doubts = dict.fromkeys(look.doubt for look in _looks_for(evidence) if not look.calibrated and look.doubt)
    told = "; ".join(["the comparison is not calibrated", *filter(None, doubts)])
    return _verdict(evidence, "inconclusive", (told, coverage(evidence)))


def _of_object(evidence: Evidence, places: float) -> Verdict:
    """Decide a claim that an object is present, appeared or left."""
    looks, count = _looks_for(evidence), evidence.claim.count or 1
    supporting = [look for look in looks if _support(look, count)]
    chance = _chance(looks, places, count)
    if not all(look.calibrated for look in looks):
        return _uncalibrated(evidence)
    if supporting:
        look = min(supporting, key=lambda look: _best(look, count))
        what = "a change" if count == 1 else f"{count} changes"
        p = _best(look, count)
        seen = f"{look.scene}: {what} consistent with it, chance {p:.2g} per place; Pd {look.pd:.2f}"
        return _verdict(
            evidence, "supported", (seen, coverage(evidence)), likelihood_ratio=_ratio(look), p_value=chance
        )
    if (refutation := _refutation(evidence, looks)) is not None:
        reason, ratio = refutation
        return _verdict(evidence, "contradicted", (reason, coverage(evidence)), likelihood_ratio=ratio)
    return _verdict(evidence, "inconclusive", (_why_open(looks, count), coverage(evidence)), p_value=chance)


def _why_open(looks: Sequence[Look], count: int = 1) -> str:
    """Return why neither side is decided."""
    matched = [look for look in looks if look.matches]
    fullest = max(matched, key=lambda look: (len(look.matches), -_best(look)), default=None)
    if fullest is not None and len(fullest.matches) < count:
        return f"{fullest.scene}: {len(fullest.matches)} of the {count} that the statement speaks of would fit"
    if matched:
        look = min(matched, key=_best)
        return f"a change that fits was flagged, but chance explains it too well (likelihood ratio {_ratio(look):.1f})"
    best = max((look.pd or 0.0 for look in looks), default=0.0)
    if other := sum(look.unclear for look in looks):
        return f"{other} change(s) flagged there have another size or sign than the statement's; Pd {best:.2f}"
    return f"nothing that fits was flagged; with Pd {best:.2f} and the gaps of the window that excludes nothing"


def _refutation(evidence: Evidence, looks: Sequence[Look]) -> tuple[str, float] | None:
    """Return the reason and the likelihood ratio of a contradiction; None where silence does not contradict."""
    claim, ratios = evidence.claim, [_silence(look) for look in looks]
    sure = [look for look in looks if _silent(look)]
    if claim.kind == "left":
        # Still there at or after the end of the window: one sure look decides.
        _, end = window(claim)
        late = [look for look in sure if look.acquired >= end - timedelta(hours=12)]
        if late:
            return f"{late[-1].scene}: nothing had vanished there by then, Pd {late[-1].pd:.2f}", _silence(late[-1])
        return None
    if claim.kind == "present":
        # What stood there before and after is no change: the detector of changes is silent on it.
        return None
    stay = STAY_HOURS.get(evidence.object_kind or "", min(STAY_HOURS.values()))
    gap = longest_gap_hours(claim, evidence.looks)
    if sure and len(sure) == len(looks) and gap <= stay:
        return f"on none of {len(looks)} looks, the longest gap {gap:.0f} hours", math.prod(ratios)
    return None


def _of_unchanged(evidence: Evidence, places: float) -> Verdict:
    """Decide a claim that nothing of a kind changed."""
    looks = _looks_for(evidence)
    if not all(look.calibrated for look in looks):
        return _uncalibrated(evidence)
    changed = [look for look in looks if _support(look)]
    if changed:
        look = min(changed, key=_best)
        reason = f"{look.scene}: a change of that size, chance {_best(look):.2g} per place"
        ratio = max(look.false_alarm, 1e-6) / max(look.pd or 0.0, 1e-6)
        return _verdict(
            evidence,
            "contradicted",
            (reason, coverage(evidence)),
            likelihood_ratio=ratio,
            p_value=_chance(looks, places),
        )
    sure = [look for look in looks if _silent(look)]
    if sure and len(sure) == len(looks):
        last = sure[-1]
        reason = (
            f"{last.scene}: as before the window; a change of one such object would have been seen, Pd {last.pd:.2f}"
        )
        return _verdict(
            evidence, "supported", (reason, coverage(evidence)), likelihood_ratio=1 / max(_silence(last), 1e-6)
        )
    return _verdict(evidence, "inconclusive", (_why_open(looks), coverage(evidence)))


def _of_activity(evidence: Evidence, places: float) -> Verdict:  # noqa: ARG001 - one signature for all kinds
    """Decide a claim of activity: more flagged changes than chance gives."""
    looks = _looks_for(evidence)
    if not all(look.calibrated for look in looks):
        return _uncalibrated(evidence)
    look = min(looks, key=lambda look: poisson_tail(look.flags, look.expected))
    # All looks share their reference, so that what is odd there counts on each: the best alone, among so many.
    chance = min(1.0, len(looks) * poisson_tail(look.flags, look.expected))
    told = f"{look.scene}: {look.flags} changes flagged, where chance alone gives {look.expected:.2f}"
    if chance <= MOST_P:
        limits = "this is activity beyond the usual: an image says neither whose it is nor what for"
        return _verdict(evidence, "supported", (told, limits, coverage(evidence)), p_value=chance)
    return _verdict(
        evidence,
        "inconclusive",
        (f"{told}: no more than chance; quiet looks exclude nothing between them",),
        p_value=chance,
    )


def _of_surface(evidence: Evidence, places: float) -> Verdict:  # noqa: ARG001 - one signature for all kinds
    """Decide a claim that the surface of a place was changed."""
    if not evidence.surface:
        return _verdict(evidence, "inconclusive", ("the area map could not be held against unchanged ground",))
    best = max(evidence.surface, key=lambda surface: surface.share)
    told = f"{best.scene}: {best.share:.1%} of the place lies beyond the 99.9 % point of unchanged ground of its cover"
    if best.share > SURFACE_SHARE:
        return _verdict(evidence, "supported", (told,), pd=best.pd)
    if best.share < NO_SURFACE_SHARE and best.pd >= SURE_PD:
        return _verdict(
            evidence, "contradicted", (told, f"such a change would have been found: Pd {best.pd:.2f}"), pd=best.pd
        )
    return _verdict(evidence, "inconclusive", (told, f"Pd of such a change {best.pd:.2f}"), pd=best.pd)


_DECIDE = {
    "present": _of_object,
    "appeared": _of_object,
    "left": _of_object,
    "unchanged": _of_unchanged,
    "activity": _of_activity,
    "surface": _of_surface,
}


def sign_of(kind: Kind) -> str | None:
    """Return the sign of change that a kind of claim speaks of; None where any will do."""
    return _SIGN.get(kind)


def decide(evidence: Evidence, *, places: float) -> Verdict:
    """Return the verdict on one claim, before the claims of a file are looked at together.

    Parameters
    ----------
    evidence
        What was gathered.
    places
        Size of the claim's place in places of 0.01 km2.

    Returns
    -------
    Verdict
        Observability is decided before any score is looked at.
    """
    if evidence.claim.kind == "state":
        return _verdict(evidence, "not observable", _unseeable(evidence) or ())
    if (why := _insufficient(evidence)) is not None:
        return _verdict(evidence, "insufficient imagery", why)
    if (why := _unseeable(evidence)) is not None:
        return _verdict(evidence, "not observable", (*why, coverage(evidence)))
    return _DECIDE[evidence.claim.kind](evidence, places)
