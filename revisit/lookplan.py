"""Which looks a claim is held against: chosen from the passes alone, before anything is compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from imagery.scene import Scene
from imagery.select import mismatch
from revisit.claims import Claim
from revisit.evidence import LEAST_VALID, window

BACK_DAYS = 45
"""How far before a claim's window a look to hold it against may lie: farther back it is another season."""
ON_DAYS = 15
"""How far after the window a look may still say that something had not left."""

Share = Callable[[Scene], float]
"""Valid share of the claim's place on a scene, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """The passes of one sensor on one relative orbit: what may be held against each other."""

    sensor: str
    """"s2" or "s1"."""
    orbit: int | None
    """Relative orbit; None where it is not known, or where it is not known of some scene of the sensor."""
    scenes: tuple[Scene, ...]
    """Oldest first."""


@dataclass(frozen=True, kw_only=True)
class LookPlan:
    """The scenes for one claim, of one track."""

    reference: Scene | None
    """The last usable one before the window; None where there is none."""
    looks: tuple[Scene, ...]
    """All of the window that may be compared with the reference, oldest first, cloudy ones included."""
    later: Scene | None
    """The first usable one after the window, where the claim can use it."""
    rejected: tuple[tuple[Scene, str], ...]
    """Scenes of the window that must not be compared with the reference, and why."""


def tracks(scenes: Sequence[Scene]) -> tuple[Track, ...]:
    """Return scenes by sensor and relative orbit, optical ones first.

    Where the orbit of any scene of a sensor is not known, that sensor's scenes stay together: what is known to differ
    is then refused pair by pair, with the reason.
    """
    found: list[Track] = []
    for sensor in sorted({scene.sensor for scene in scenes}, reverse=True):
        own = sorted((s for s in scenes if s.sensor == sensor), key=lambda s: (s.acquired, s.id))
        orbits = {scene.relative_orbit for scene in own}
        if None in orbits:
            found.append(Track(sensor=sensor, orbit=None, scenes=tuple(own)))
            continue
        for orbit in sorted(o for o in orbits if o is not None):
            alike = tuple(scene for scene in own if scene.relative_orbit == orbit)
            found.append(Track(sensor=sensor, orbit=orbit, scenes=alike))
    return tuple(found)


def span(claim: Claim) -> tuple[datetime, datetime]:
    """Return the time in which scenes are of use for a claim, UTC."""
    start, end = window(claim)
    return start - timedelta(days=BACK_DAYS), end + timedelta(days=ON_DAYS)


def _before(claim: Claim) -> datetime:
    """Return until when a reference may be taken.

    "Unchanged since the 10th" is held against the 10th itself; whatever appeared or left did so from the first day on.
    """
    day = claim.start + timedelta(days=1) if claim.kind == "unchanged" else claim.start
    return datetime.combine(day, time.min, UTC)


def plan_looks(claim: Claim, scenes: Sequence[Scene], *, share: Share) -> LookPlan:
    """Choose the scenes for a claim.

    Parameters
    ----------
    claim
        With its window.
    scenes
        One per pass, of one track.
    share
        Asked for scenes before the window, latest first, until one is usable; for those after it, earliest first.
    """
    ordered = sorted(scenes, key=lambda scene: (scene.acquired, scene.id))
    earliest, latest = span(claim)
    _, end = window(claim)
    limit = _before(claim)
    earlier = [scene for scene in ordered if earliest <= scene.acquired < limit]
    reference = next((scene for scene in reversed(earlier) if share(scene) >= LEAST_VALID), None)
    inside = [scene for scene in ordered if limit <= scene.acquired < end]
    if reference is None:
        return LookPlan(reference=None, looks=tuple(inside), later=None, rejected=())
    reasons = [(scene, mismatch(reference, scene)) for scene in inside]
    after = [scene for scene in ordered if end <= scene.acquired < latest and mismatch(reference, scene) is None]
    later = next((scene for scene in after if share(scene) >= LEAST_VALID), None) if claim.kind == "left" else None
    return LookPlan(
        reference=reference,
        looks=tuple(scene for scene, reason in reasons if reason is None),
        later=later,
        rejected=tuple((scene, reason) for scene, reason in reasons if reason is not None),
    )
