"""What a watch has to look at and what of it is new: choices made from values alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import shapely
from shapely.geometry.base import BaseGeometry

from aoi.geometry import to_crs
from imagery.datatake import SAME_PASS
from imagery.scene import Period, Scene
from imagery.select import ENOUGH, LEAST, mismatch
from revisit.watch_values import KnownPass, Reported, SeenPass

BACK = timedelta(days=60)
"""How far before a pass one to compare it with may lie."""
LATE = timedelta(days=15)
"""A pass that is published so much later than a newer one is still found."""
WHOLE = 0.99
"""A reference of which less is valid leaves ground out; an earlier one that has it is then compared as well."""
SAME_PLACE_PX = 1.5
"""A footprint that lies within so much of reported ones is taken for theirs ..."""
SAME_SHARE = 0.75
"""... where that holds for so much of it. Two alike side by side, of which one was reported, have 0.7 together."""
CYCLE = {"s2": timedelta(days=10), "s1": timedelta(days=12)}
"""After which one satellite comes back to the same orbit."""
GIVEN_UP = timedelta(days=30)
"""A scene that cannot be read although one so much newer is there is not waited for any longer."""
SILENT = timedelta(days=36)
"""A satellite that was not seen on an orbit for so long is not expected there."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Two passes that have to be compared."""

    before: SeenPass
    after: SeenPass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What has to be looked at."""

    tasks: tuple[Task, ...]
    """Earliest first."""
    clouded: tuple[SeenPass, ...]
    """New passes of which too little is valid."""
    alone: tuple[SeenPass, ...]
    """New passes with no earlier one to compare them with: what changed before them is not known."""


def start_of(day: date) -> datetime:
    """Return the beginning of a day, UTC."""
    return datetime.combine(day, time.min, UTC)


def look_from(since: date, settled: datetime | None) -> datetime:
    """Return from when on passes are to be compared with earlier ones.

    Parameters
    ----------
    since
        The first day.
    settled
        Until when every pass was dealt with. Passes that were only looked at do not count: a call that is killed
        before it compares them must not lose them.
    """
    start = start_of(since)
    return start if settled is None else max(start, settled - LATE)


def search_period(since: date, settled: datetime | None, now: datetime) -> Period:
    """Return the time in which to search: what is new, and what it is compared with."""
    start = look_from(since, settled) - BACK
    return Period(start=start, end=max(now, start))


def _differ(one: object, other: object) -> bool:
    return one is not None and other is not None and one != other


def known_of(scene: Scene, known: Sequence[KnownPass]) -> KnownPass | None:
    """Return the pass that a scene is a product of, where it is known: reprocessed, it is the same pass."""
    for one in known:
        near = abs(one.acquired - scene.acquired) < SAME_PASS and one.sensor == scene.sensor
        if near and not _differ(one.platform, scene.platform) and not _differ(one.orbit, scene.relative_orbit):
            return one
    return None


def one_level(scenes: Sequence[Scene]) -> tuple[Scene, ...]:
    """Return scenes without those that are another level of a pass which is there as L2A."""
    corrected = [scene for scene in scenes if scene.level == "L2A"]
    kept = []
    for scene in scenes:
        other = scene.level not in (None, "L2A") and any(
            abs(scene.acquired - one.acquired) < SAME_PASS
            and not _differ(scene.platform, one.platform)
            and not _differ(scene.relative_orbit, one.relative_orbit)
            for one in corrected
        )
        if not other:
            kept.append(scene)
    return tuple(kept)


def _comparable(before: Scene, after: Scene) -> bool:
    near = after.acquired - before.acquired <= BACK
    return near and before.acquired.date() < after.acquired.date() and mismatch(before, after) is None


def _references(after: Scene, earlier: Sequence[Scene], look: Callable[[Scene], SeenPass | None]) -> list[SeenPass]:
    """Return the passes to compare one with: the last good one and, where that leaves ground out, the last whole one.

    Looked at latest first, and no further than needed, since a look may cost the reading of the scene.
    """
    found: list[SeenPass] = []
    thin: list[SeenPass] = []
    for scene in reversed(earlier):
        if not _comparable(scene, after) or (seen := look(scene)) is None or seen.refused is not None:
            continue
        if seen.share < LEAST:
            continue
        if seen.share < ENOUGH:
            thin.append(seen)
        elif not found or seen.share >= WHOLE:
            found.append(seen)
        if found and found[-1].share >= WHOLE:
            break
    return found or ([max(thin, key=lambda one: one.share)] if thin else [])


def plan_looks(
    scenes: Sequence[Scene],
    *,
    start: datetime,
    judged: frozenset[tuple[int, int]],
    look: Callable[[Scene], SeenPass | None],
) -> Plan:
    """Return which passes have to be compared with which.

    A pass that was published late is compared with the one before it, and the one after it with it: whatever the order
    in which they come, the same comparisons are made in the end, and what both halves of an interval show is told once.

    Parameters
    ----------
    scenes
        One per pass of one sensor, oldest first.
    start
        Passes from here on are compared; earlier ones only serve as references.
    judged
        Rows of passes (before, after) that were compared.
    look
        Gives how much of a pass is valid; None where it could not be looked at now.
    """
    tasks, clouded, alone = [], [], []
    for number, scene in enumerate(scenes):
        if scene.acquired < start or (after := look(scene)) is None:
            continue
        if after.share < LEAST:
            clouded.append(after)
            continue
        references = _references(scene, scenes[:number], look)
        if not references:
            alone.append(after)
        tasks += [Task(before=one, after=after) for one in references if (one.key, after.key) not in judged]
    return Plan(tasks=tuple(tasks), clouded=tuple(clouded), alone=tuple(alone))


def reported_as(outline: BaseGeometry, sign: str, reported: Sequence[Reported], *, crs: str, gsd: float) -> str | None:
    """Return the id of the change that a flag is a second sight of, or None where it is new.

    It is one where three quarters of its footprint lie within 1.5 pixels of footprints reported with the same sign: a
    ship that leaves beside one that has left touches its footprint, but is not inside it.

    Parameters
    ----------
    outline
        Of the flag, lon/lat.
    sign
        "appeared", "vanished" or "altered".
    reported
        Changes whose dates overlap those of the flag.
    crs, gsd
        Of the run's grid; `gsd` in metres.
    """
    alike = [one for one in reported if one.sign == sign]
    if not alike:
        return None
    own = to_crs(outline, crs)
    around = [to_crs(one.outline, crs).buffer(SAME_PLACE_PX * gsd) for one in alike]
    if own.intersection(shapely.union_all(around)).area < SAME_SHARE * own.area:
        return None
    covered = [own.intersection(shape).area for shape in around]
    return alike[covered.index(max(covered))].id


def _expected(passes: Sequence[KnownPass], now: datetime) -> Iterator[tuple[datetime, KnownPass]]:
    """Yield when each satellite is next over each orbit on which it was seen of late."""
    newest: dict[tuple[object, ...], KnownPass] = {}
    for one in passes:
        key = one.sensor, one.platform, one.orbit
        if key not in newest or newest[key].acquired < one.acquired:
            newest[key] = one
    for one in newest.values():
        if now - one.acquired < SILENT:
            cycle = CYCLE[one.sensor]
            yield one.acquired + cycle * ((now - one.acquired) // cycle + 1), one


def next_pass(passes: Sequence[KnownPass], now: datetime) -> tuple[datetime, KnownPass] | None:
    """Return when the next pass is to be expected and after which it is counted; None where none was seen of late.

    Counted in whole cycles of each satellite: a plan of acquisition may leave a pass out, and its publication takes
    hours.
    """
    return min(_expected(passes, now), key=lambda pair: pair[0], default=None)
