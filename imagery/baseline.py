"""Which earlier dates show how much unchanged ground differs: a choice made from values alone, with its reasons.

The dates of a baseline set the noise and the thresholds. So they must look from the same side and come from the same
processing as the pair, whatever satellite of the family took them, and nothing may be among them that lies between the
two dates, where the change that is asked for has happened already or not yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from imagery.coregister import Alignment
from imagery.scene import Period, Scene
from imagery.select import SAME_PASS, doubts, mismatch

REACH = timedelta(days=400)
"""No date earlier than this before the before scene: a year and a month, so that last year's season is reached."""
CLEAR = 0.8
"""Share of the searched ground of which a date must be valid."""
MOST_SHIFT_PX = 1.5
"""A date further off is not what its georeference says; resampling would not mend it."""
ODD_SCORE_MADS, ODD_SCORE_SHARE = 4.0, 0.6
"""A date correlates oddly with the before scene where it lies this many MADs under the median of the dates, and under
this share of it: the first alone would reject one of twenty dates that are all alike."""
YEAR_DAYS = 365.25

Judge = Callable[[Scene], str | None]
"""Why a date cannot serve, or None where it can."""


@dataclass(frozen=True, kw_only=True)
class BaselineChoice:
    """The dates that serve, in the order in which they were asked for, and why others do not."""

    scenes: tuple[Scene, ...]
    rejected: tuple[str, ...]
    """One line a date that was looked at and rejected."""


def baseline_period(before: Scene) -> Period:
    """Return the span of time in which dates of the baseline may lie."""
    return Period(start=before.acquired - REACH, end=before.acquired - SAME_PASS)


def _season_days(scene: Scene, before: Scene) -> float:
    """Return how many days of the year lie between two scenes, 0 to 183."""
    apart = abs((before.acquired.date() - scene.acquired.date()).days) % YEAR_DAYS
    # A quarter of a day is the calendar's rounding, not a season.
    return round(min(apart, YEAR_DAYS - apart))


def baseline_order(scenes: Sequence[Scene], *, before: Scene, after: Scene) -> tuple[Scene, ...]:
    """Return the scenes that may serve, in the order in which they are to be taken: nearest in season, then in time.

    Parameters
    ----------
    scenes
        As found, of any order.
    before, after
        The pair. What is known to be of another relative orbit, direction or family of processing is left out, and
        what is not earlier than the before scene by more than one pass and less than 400 days.

    Returns
    -------
    tuple
        One or more files of one pass stand side by side, the one with the fewest doubts first.
    """
    period = baseline_period(before)
    fit = [
        scene
        for scene in scenes
        if period.start <= scene.acquired <= period.end
        and mismatch(scene, before) is None
        and mismatch(scene, after) is None
    ]

    def order(scene: Scene) -> tuple[float, timedelta, int, str]:
        days = before.acquired.date() - scene.acquired.date()
        return _season_days(scene, before), days, len(doubts(scene, before)), scene.id

    return tuple(sorted(fit, key=order))


def choose_baseline(ordered: Sequence[Scene], *, most: int, judge: Judge) -> BaselineChoice:
    """Take the first `most` dates that serve, one of each pass.

    Parameters
    ----------
    ordered
        See `baseline_order`.
    most
        How many are wanted; 0 asks for none.
    judge
        Asked in this order and no further than needed, since it may cost the reading of the scene.
    """
    taken: list[Scene] = []
    rejected: list[str] = []
    for scene in ordered:
        if len(taken) >= most:
            break
        if any(abs(scene.acquired - other.acquired) < SAME_PASS for other in taken):
            continue
        reason = judge(scene)
        if reason is None:
            taken.append(scene)
        else:
            rejected.append(f"baseline: {scene.id} rejected: {reason}")
    return BaselineChoice(scenes=tuple(taken), rejected=tuple(rejected))


def thin(valid_share: float) -> str | None:
    """Return why a date with this valid share (0 to 1) of the searched ground cannot serve."""
    if valid_share >= CLEAR:
        return None
    return f"only {int(valid_share * 100)} % of the searched ground is valid, {int(CLEAR * 100)} % needed"


def displaced(alignment: Alignment) -> str | None:
    """Return why a date that lies so against the before scene cannot serve."""
    length = float(np.hypot(*alignment.shift_px))
    if length <= MOST_SHIFT_PX:
        return None
    return f"it lies {length:.2f} px off the before scene, {MOST_SHIFT_PX:g} px at most"


def odd_scores(scores: Sequence[float]) -> tuple[str | None, ...]:
    """Return for each date why it cannot serve beside the others, from how each correlates with the before scene.

    Parameters
    ----------
    scores
        `Alignment.score` of each date, -1 to 1.
    """
    if not scores:
        return ()
    middle = float(np.median(scores))
    spread = float(np.median(np.abs(np.asarray(scores) - middle)))
    least = min(middle - ODD_SCORE_MADS * spread, ODD_SCORE_SHARE * middle)
    reason = "its structure correlates by {:.2f} with the before scene, that of the other dates by {:.2f}"
    return tuple(reason.format(score, middle) if score < least else None for score in scores)


_FACTS = {
    "relative orbit": "relative_orbit",
    "processing level": "level",
    "processing baseline": "processing_baseline",
}


def baseline_doubts(scenes: Sequence[Scene], before: Scene) -> tuple[str, ...]:
    """Return what is not known of the dates of a baseline though it is of the pair, one line a fact."""
    lines = []
    for name, field in _FACTS.items():
        unknown = sum(getattr(scene, field) is None for scene in scenes)
        if unknown and getattr(before, field) is not None:
            lines.append(
                f"baseline: not known of {unknown} of {len(scenes)} dates: {name};"
                " they may show another view or another processing"
            )
    return tuple(lines)
