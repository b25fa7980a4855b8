"""Which two scenes are compared: a choice made from values alone, with its reasons."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import product

from imagery.errors import InsufficientImageryError
from imagery.scene import Period, Scene

ENOUGH = 0.9
"""Share of the searched ground of which a scene must be valid to be taken for its nearness in time alone."""
LEAST = 0.5
"""Under this share a scene is not compared at all."""
SAME_PASS = timedelta(hours=1)
"""Two scenes closer than this are two files of one pass: a satellite needs longer to come back."""
OFFSET_BASELINE = (4, 0)
"""ESA's processing baseline from which the numbers in the files carry an offset, and the processing differs."""
TILE = re.compile(r"(?:^|_)T?(\d{2}[C-X][A-Z]{2})(?:_|$)")
FIRST_RADARS = ("sentinel-1a", "sentinel-1b")
"""Between the products of these and of their successors, shifts of some pixels were seen."""

Share = Callable[[Scene], float]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the user asked for."""

    place: str
    """Name of the area, for messages."""
    before: date
    after: date
    within_days: int


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Two scenes to compare."""

    before: Scene
    after: Scene
    reasons: tuple[str, ...]
    """Why these two, one line each."""
    warnings: tuple[str, ...]
    """What is not as it should be about the pair."""


def day_period(day: date, within_days: int) -> Period:
    """Return the whole UTC day and `within_days` days on each side of it."""
    margin = timedelta(days=within_days)
    start = datetime.combine(day - margin, time.min, tzinfo=UTC)
    return Period(start=start, end=datetime.combine(day + margin, time.max, tzinfo=UTC))


def distance(scene: Scene, day: date) -> timedelta:
    """Return how far a scene is from noon UTC of a day."""
    return abs(scene.acquired - datetime.combine(day, time(12), tzinfo=UTC))


def _baseline(scene: Scene) -> tuple[int, ...] | None:
    """Return ESA's processing baseline as numbers; None where unknown or not written as numbers."""
    parts = (scene.processing_baseline or "").split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else None


def _no_two_passes(before: Scene, after: Scene) -> str | None:
    """Return why two scenes are not an earlier and a later pass."""
    if before.id == after.id:
        return f"{before.id} cannot be both before and after"
    if after.acquired - before.acquired < SAME_PASS:
        return f"{before.id} is not earlier than {after.id}, or is of the same pass"
    return None


def _other_view(before: Scene, after: Scene) -> str | None:
    """Return why two scenes look from different sides: everything with a height would seem to move."""
    orbits = before.relative_orbit, after.relative_orbit
    if None not in orbits and orbits[0] != orbits[1]:
        return f"relative orbit {orbits[0]} of {before.id} is not {orbits[1]} of {after.id}"
    if before.direction and after.direction and before.direction != after.direction:
        return f"{before.id} is {before.direction}, {after.id} is {after.direction}"
    return None


def _other_processing(before: Scene, after: Scene) -> str | None:
    """Return why two scenes come from different families of processing: other numbers for the same ground."""
    if before.level and after.level and before.level != after.level:
        return f"level {before.level} of {before.id} is not {after.level} of {after.id}"
    baselines = _baseline(before), _baseline(after)
    if None not in baselines and len({b >= OFFSET_BASELINE for b in baselines if b}) == 2:
        written = before.processing_baseline, after.processing_baseline
        return (
            f"processing baseline {written[0]} of {before.id} and {written[1]} of {after.id} lie on two sides of 04.00"
        )
    return None


def _other_polarisation(before: Scene, after: Scene) -> str | None:
    """Return why two radar scenes were not sent and received alike: one echo is not the other."""
    if {before.sensor, after.sensor} != {"s1"} or set(before.assets) == set(after.assets):
        return None
    held = (", ".join(sorted(scene.assets)) for scene in (before, after))
    return f"{before.id} has {next(held)}, {after.id} has {next(held)}: other polarisations"


def mismatch(before: Scene, after: Scene) -> str | None:
    """Return why two scenes must not be compared, or None where nothing known forbids it."""
    checks = (_no_two_passes, _other_view, _other_processing, _other_polarisation)
    return next((reason for check in checks if (reason := check(before, after))), None)


def _unknown(before: Scene, after: Scene) -> tuple[str, ...]:
    """Return which facts are not known of which scene, one line for facts that miss in the same scenes."""
    facts: list[tuple[str, object, object]] = [("relative orbit", before.relative_orbit, after.relative_orbit)]
    if "s1" not in (before.sensor, after.sensor):
        facts.append(("processing level", before.level, after.level))
        facts.append(("processing baseline", _baseline(before), _baseline(after)))
    missing: dict[str, list[str]] = {}
    for name, first, second in facts:
        where = [scene.id for scene, value in ((before, first), (after, second)) if value is None]
        if where:
            missing.setdefault(" and ".join(where), []).append(name)
    risk = "what looks like a change may be another view or another processing"
    return tuple(f"not known of {where}: {', '.join(names)}; {risk}" for where, names in missing.items())


def _tile(scene: Scene) -> str | None:
    """Return the MGRS tile of a scene, from its name where its description has none."""
    found = TILE.search(scene.id)
    return scene.tile or (found[1] if found else None)


def doubts(before: Scene, after: Scene) -> tuple[str, ...]:
    """Return what cannot be ruled out about a pair, because a fact is not known or a difference is not forbidden."""
    lines = list(_unknown(before, after))
    tiles = [tile for tile in map(_tile, (before, after)) if tile]
    if len(set(tiles)) == 2:
        lines.append(f"the scenes come from two tiles, {tiles[0]} and {tiles[1]}: resampled differently")
    radar = [scene.platform for scene in (before, after) if scene.sensor == "s1" and scene.platform]
    if len({platform in FIRST_RADARS for platform in radar}) == 2:
        lines.append(f"the scenes come from {radar[0]} and {radar[1]}, which may lie some pixels apart")
    return tuple(lines)


def _nearness(pair: tuple[Scene, Scene], wish: Wish) -> tuple[float, int, int, str, str]:
    """Return the sorting key of a pair: time first, then few doubts, then the later processing, then the names."""
    before, after = pair
    apart = distance(before, wish.before) + distance(after, wish.after)
    newest = -sum(100 * b[0] + b[1] for b in map(_baseline, pair) if b and len(b) > 1)
    return apart.total_seconds(), len(doubts(before, after)), newest, before.id, after.id


def _percent(share: float) -> str:
    """Return a share as text, never rounding something up to everything."""
    return f"{int(share * 100)} %"


def _window(day: date, wish: Wish) -> str:
    """Return the words for one of the two windows."""
    return f"{day} (+-{wish.within_days} days)"


def _try_more(wish: Wish) -> str:
    """Return what to do where a window holds too little."""
    return f"Try --within {max(2 * wish.within_days, 5)}"


def _require(scenes: Sequence[Scene], day: date, wish: Wish) -> None:
    """Refuse an empty window."""
    if not scenes:
        raise InsufficientImageryError(
            f"no pair for {wish.place}: no scene near {_window(day, wish)}. {_try_more(wish)}"
        )


def _clear_enough(scenes: Sequence[Scene], day: date, wish: Wish, share: Share) -> list[Scene]:
    """Return the scenes of which at least `LEAST` of the searched ground is valid."""
    usable = [scene for scene in scenes if share(scene) >= LEAST]
    if not usable:
        best = max(scenes, key=lambda scene: (share(scene), scene.id))
        raise InsufficientImageryError(
            f"no pair for {wish.place}: {len(scenes)} scene(s) near {_window(day, wish)}, of none is {_percent(LEAST)}"
            f" of the searched ground usable (clearest {best.acquired:%Y-%m-%d}, {_percent(share(best))})."
            f" {_try_more(wish)}"
        )
    return usable


def _thin(scene: Scene, day: date, wish: Wish, share: Share) -> tuple[str, ...]:
    """Return the warning about a scene that was taken although much of it is not valid."""
    if share(scene) >= ENOUGH:
        return ()
    wanted = f"no usable scene near {_window(day, wish)} has {_percent(ENOUGH)} of the searched ground valid"
    return (f"{wanted}; {scene.id} was taken, with {_percent(share(scene))}",)


def _reason(role: str, scene: Scene, day: date, share: Share) -> str:
    """Return one line on why a scene was taken."""
    days = (scene.acquired.date() - day).days
    apart = f"{abs(days)} day{'' if abs(days) == 1 else 's'}"
    when = "on the day" if days == 0 else f"{apart} {'later' if days > 0 else 'earlier'} than {day}"
    return f"{role}: {scene.id}, {when}, {_percent(share(scene))} of the searched ground valid"


def _most_valid(pairs: Sequence[tuple[Scene, Scene]], wish: Wish, share: Share) -> tuple[Scene, Scene] | None:
    """Return the pair with the fewest thin scenes, then the most valid ground, then the nearest; None without any."""
    usable = [pair for pair in pairs if min(share(pair[0]), share(pair[1])) >= LEAST]

    def order(pair: tuple[Scene, Scene]) -> tuple[int, float, tuple[float, int, int, str, str]]:
        thin = [share(scene) for scene in pair if share(scene) < ENOUGH]
        return len(thin), -sum(thin), _nearness(pair, wish)

    return min(usable, key=order, default=None)


def _refuse(before: Sequence[Scene], after: Sequence[Scene], wish: Wish, share: Share) -> InsufficientImageryError:
    """Return the error that says why no pair of the scenes can be compared."""
    first = _clear_enough(before, wish.before, wish, share)
    second = _clear_enough(after, wish.after, wish, share)
    reasons = [mismatch(*pair) for pair in product(first, second)]
    shown = "; ".join(sorted({reason for reason in reasons if reason})[:3])
    return InsufficientImageryError(
        f"no pair for {wish.place}: {len(first)} usable scene(s) near {_window(wish.before, wish)} and {len(second)}"
        f" near {_window(wish.after, wish)}, but none can be compared with another: {shown}"
    )


def choose_pair(before: Sequence[Scene], after: Sequence[Scene], *, wish: Wish, share: Share) -> Choice:
    """Choose the two scenes to compare.

    The nearest in time of which at least 90 % of the searched ground is valid; where there is none, the pair with the
    most valid ground, and the choice says so. The before scene is earlier than the after scene, and of another pass;
    known and different orbits and families of processing are never paired.

    Parameters
    ----------
    before, after
        Scenes of the two windows; the windows may overlap.
    wish
        What was asked for.
    share
        Valid share of the searched ground, 0 to 1, of a scene. Asked nearest pairs first and no further than needed,
        since it may cost the reading of the scene.

    Raises
    ------
    InsufficientImageryError
        Where no pair can be compared; the message says what there was.
    """
    _require(before, wish.before, wish)
    _require(after, wish.after, wish)
    pairs = sorted((p for p in product(before, after) if mismatch(*p) is None), key=lambda p: _nearness(p, wish))
    clear = (pair for pair in pairs if share(pair[0]) >= ENOUGH and share(pair[1]) >= ENOUGH)
    pair = next(clear, None) or _most_valid(pairs, wish, share)
    if pair is None:
        raise _refuse(before, after, wish, share)
    days = wish.before, wish.after
    thin = [line for scene, day in zip(pair, days, strict=True) for line in _thin(scene, day, wish, share)]
    reasons = [_reason(r, s, d, share) for r, s, d in zip(("before", "after"), pair, days, strict=True)]
    return Choice(before=pair[0], after=pair[1], reasons=tuple(reasons), warnings=(*thin, *doubts(*pair)))
