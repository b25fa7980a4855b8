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
from revisit.reasons import seen_on, sensors_of, why_open
from revisit.weighing import (
    LEAST_RATIO,
    MOST_P,
    SURE_PD,
    best_of,
    chance_of,
    is_quiet,
    is_silent,
    silence_of,
    strongest,
)

LEAST_PD = 0.5
"""Under this probability of detection, on every look, nothing seen and nothing missed says anything."""
SURFACE_SHARE, NO_SURFACE_SHARE = 0.5, 0.01
"""Share of a polygon beyond the 99.9 % point of unchanged ground: over the first a surface claim is supported, under
the second contradicted."""
STAY_HOURS = {"aircraft": 2.0, "helicopter": 6.0, "vehicle": 6.0, "ship": 12.0}
"""The shortest stay that a contradiction must not miss, hours; an assumption, printed with the verdict."""
EDGE = timedelta(hours=24)
"""Statements name days: what happened within one of the window's ends may have been within it."""
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
    looks = (*evidence.looks, *(evidence.later if evidence.claim.kind == "left" else ()))
    if any(look.usable for look in looks):
        return None
    held = evidence.references or not looks
    head = "no usable look in the window" if held else "no usable look before the window to hold it against"
    why = [f"{look.scene}: {look.rejected or f'{100 * look.valid_share:.0f} % of the place valid'}" for look in looks]
    return head, *why, coverage(evidence)


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
        told = f"{thing} would have been flagged there with a probability of {max(known):.2f} at best"
        return (f"{told}: neither a flag nor its absence says anything",)
    return None


def _looks_for(evidence: Evidence) -> list[Look]:
    """Return the usable looks that can bear on a claim."""
    looks = [look for look in evidence.looks if look.usable]
    # What has left within the window is still gone after it.
    return looks + ([look for look in evidence.later if look.usable] if evidence.claim.kind == "left" else [])


def _sound(evidence: Evidence) -> list[Look]:
    """Return the looks whose false flags are known."""
    return [look for look in _looks_for(evidence) if look.calibrated]


def _stay(evidence: Evidence) -> float:
    """Return how long the claim's object stays at least, hours."""
    return STAY_HOURS.get(evidence.object_kind or "", min(STAY_HOURS.values()))


def _verdict(evidence: Evidence, outcome: Outcome, reasons: Sequence[str], **values: object) -> Verdict:
    """Return a verdict with the scenes and the flags that it rests on."""
    looks = _looks_for(evidence)
    known = [look.pd for look in looks if look.pd is not None]
    scenes = [*evidence.references, *(look.scene for look in looks)]
    flags = [match.flag for look in looks for match in look.matches]
    odd = [look for look in looks if not look.calibrated] if evidence.claim.kind != "surface" else []
    doubts = [f"{look.scene} is set aside: not calibrated ({look.doubt})" for look in odd]
    base = Verdict(
        id=evidence.claim.id,
        verdict=outcome,
        reasons=tuple(dict.fromkeys((*reasons, *doubts, *evidence.notes))),
        pd=max(known, default=None),
        scenes=tuple(dict.fromkeys(scenes)),
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
        by_radar = any(look.sensor == "s1" for look in evidence.looks)
        return ("a usable look in the window", *(() if by_radar else ("radar, which cloud does not stop",)))
    if outcome == "supported":
        return ("another explanation of the flagged change, which imagery of 1 m or finer would show",)
    if outcome == "contradicted":
        return (_REFUTES.get(kind, "proof that it came and went between the looks"),)
    return ("a look in the longest gap of the window", f"imagery of {finer.removeprefix('imagery of ')}")


def _uncalibrated(evidence: Evidence) -> Verdict:
    """Return that nothing can be said of objects by comparisons whose false flags are not known."""
    told = "none of the comparisons is calibrated: how often chance flags is not known"
    return _verdict(evidence, "inconclusive", (told, coverage(evidence)))


def _of_object(evidence: Evidence, places: float) -> Verdict:
    """Decide a claim that an object is present, appeared or left."""
    looks, count = _sound(evidence), evidence.claim.count or 1
    if not looks:
        return _uncalibrated(evidence)
    chance, gone = chance_of(looks, places, count), evidence.claim.kind == "left"
    timely = [look for look in looks if not gone or look.acquired <= window(evidence.claim)[1] + EDGE]
    found = strongest(timely, looks, count=count, stays=gone, stay_hours=_stay(evidence))
    if found is not None and found.ratio >= LEAST_RATIO:
        told = (*seen_on(found, count), coverage(evidence))
        return _verdict(evidence, "supported", told, likelihood_ratio=found.ratio, p_value=chance)
    if found is None and (refutation := _refutation(evidence, looks)) is not None:
        reason, ratio = refutation
        return _verdict(evidence, "contradicted", (reason, coverage(evidence)), likelihood_ratio=ratio)
    flagged = [look for look in looks if best_of(look, count) <= MOST_P]
    late = [] if any(look in timely for look in flagged) else flagged
    if late:
        told = (f"{late[0].scene}: gone by then, but that is after the window: it may have left later",)
    else:
        told = why_open(looks, count, found)
    return _verdict(evidence, "inconclusive", (*told, coverage(evidence)), p_value=chance)


def _all_silent(looks: Sequence[Look]) -> list[Look]:
    """Return the looks whose silence tells, where each that is known to see the object is among them; else none.

    A look whose probability of detection was not measured counts as a gap, but must be quiet itself.
    """
    sure = [look for look in looks if is_silent(look)]
    others = [look for look in looks if not is_silent(look)]
    return sure if all(look.pd is None and is_quiet(look) for look in others) else []


def _refutation(evidence: Evidence, looks: Sequence[Look]) -> tuple[str, float] | None:
    """Return the reason and the likelihood ratio of a contradiction; None where silence does not contradict."""
    claim = evidence.claim
    if claim.kind == "left":
        # Still there at or after the end of the window.
        _, end = window(claim)
        late = _all_silent([look for look in looks if look.acquired >= end - timedelta(hours=12)])
        if not late:
            return None
        told = f"{late[-1].scene} ({sensors_of(late)}): nothing had vanished there by then, Pd {late[-1].pd or 0.0:.2f}"
        return told, _together_silent(late)
    if claim.kind == "present":
        # What stood there before and after is no change: the detector of changes is silent on it.
        return None
    sure = _all_silent(looks)
    gap = longest_gap_hours(claim, sure)
    if sure and gap <= _stay(evidence):
        told = f"on none of {len(sure)} looks ({sensors_of(sure)}), the longest gap {gap:.0f} hours"
        return told, math.prod(map(silence_of, sure))
    return None


def _together_silent(looks: Sequence[Look]) -> float:
    """Return the likelihood ratio of silence on looks of one state: the best of each reference, multiplied."""
    best: dict[tuple[str, str | None], float] = {}
    for look in looks:
        key = look.sensor, look.reference
        best[key] = min(best.get(key, 1.0), silence_of(look))
    return math.prod(best.values())


def _of_unchanged(evidence: Evidence, places: float) -> Verdict:
    """Decide a claim that nothing of a kind changed."""
    looks = _sound(evidence)
    if not looks:
        return _uncalibrated(evidence)
    chance = chance_of(looks, places)
    start, end = window(evidence.claim)
    timely = [look for look in looks if look.since is None or look.since >= start - EDGE]
    found = strongest(timely, looks, stays=False, stay_hours=_stay(evidence))
    if found is not None and found.ratio >= LEAST_RATIO:
        told = (*seen_on(found, 1), coverage(evidence))
        return _verdict(evidence, "contradicted", told, likelihood_ratio=1 / found.ratio, p_value=chance)
    sure = _all_silent(looks) if found is None else []
    if sure and sure[-1].acquired >= start + (end - start) / 2:
        last = sure[-1]
        reason = (
            f"{last.scene} ({sensors_of(sure)}): as before the window; a change of one such object would have been"
            f" seen, Pd {last.pd or 0.0:.2f}"
        )
        ratio = 1 / max(_together_silent(sure), 1e-6)
        return _verdict(evidence, "supported", (reason, coverage(evidence)), likelihood_ratio=ratio)
    early = [look for look in looks if look not in timely and best_of(look) <= MOST_P]
    if found is None and early:
        day = f"{early[0].since:%Y-%m-%d}"
        told = (f"{early[0].scene}: a change of that size since {day}, which may have been before the window",)
    else:
        told = why_open(looks, 1, found)
    return _verdict(evidence, "inconclusive", (*told, coverage(evidence)))


def _of_activity(evidence: Evidence, places: float) -> Verdict:  # noqa: ARG001 - one signature for all kinds
    """Decide a claim of activity: more flagged changes than chance gives."""
    looks = _sound(evidence)
    if not looks:
        return _uncalibrated(evidence)
    look = min(looks, key=lambda look: poisson_tail(look.flags, look.expected))
    # Looks share their reference, so that what is odd there counts on each: the best alone, among so many.
    chance = min(1.0, len(looks) * poisson_tail(look.flags, look.expected))
    told = f"{look.scene} ({sensors_of([look])}): {look.flags} changes flagged; chance alone gives {look.expected:.2g}"
    if chance <= MOST_P:
        limits = "this is activity beyond the usual: an image says neither whose it is nor what for"
        return _verdict(evidence, "supported", (told, limits, coverage(evidence)), p_value=chance)
    return _verdict(
        evidence,
        "inconclusive",
        (f"{told}: no more than chance; quiet looks exclude nothing between them", coverage(evidence)),
        p_value=chance,
    )


def _of_surface(evidence: Evidence, places: float) -> Verdict:  # noqa: ARG001 - one signature for all kinds
    """Decide a claim that the surface of a place was changed."""
    if not evidence.surface:
        return _verdict(evidence, "inconclusive", ("the area map could not be held against unchanged ground",))
    best = max(evidence.surface, key=lambda surface: surface.share)
    since = next((look.since for look in evidence.looks if look.scene == best.scene), None)
    when = f"{best.scene}{f', held against {since:%Y-%m-%d}' if since else ''}"
    told = (
        f"{when}: {100 * best.share:.1f} % of the place differs more than 99.9 % of the unchanged ground of the same"
        " cover does"
    )
    seen = f"of changes of the whole place put there, a share of {best.pd:.2f} would have been found"
    outcome: Outcome = "inconclusive"
    if best.share > SURFACE_SHARE:
        outcome = "supported"
    elif best.share < NO_SURFACE_SHARE and best.pd >= SURE_PD:
        outcome = "contradicted"
    return _verdict(evidence, outcome, (told, seen, coverage(evidence)), pd=best.pd)


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
