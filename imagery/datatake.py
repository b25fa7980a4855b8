"""One scene a pass: the same photons come in several files, and only one of them may be compared with another date.

A pass comes twice where two UTM zones meet, in as many tiles as the area touches, in as many parts as stations received
it, in as many versions as ESA processed it, and from every source that has it. What is chosen is a value; so are the
files that complete it (`Scene.parts`) and those that may replace it (`Scene.twins`), and each other one has a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from aoi import AOI
from aoi.geometry import centre, utm_zone
from imagery.items import OFFSET_BASELINE
from imagery.scene import Scene

SAME_PASS = timedelta(minutes=30)
"""A pass over a place takes seconds, but some catalogues give the start of the datatake, up to a quarter of an hour
earlier; a satellite needs 98 minutes to come back."""
ADDS = 0.001
"""Share of the area from which a further file of a pass is worth opening."""
ENOUGH_COVERAGE, MORE_COVERAGE = 0.9, 0.1
"""Shares of the area: another zone is taken where its own covers less than the first, and the other one by the second
more."""
SOURCE_ORDER = ("folder", "earth-search", "planetary-computer", "sentinel-hub")
"""Which source is asked first where nothing else speaks for one: what lies on this machine, then what costs least."""

_UTM = re.compile(r"EPSG:32[67](\d\d)")
_STRIP = re.compile(r"_S(\d{8}T\d{6})_")
_COLLECTION = re.compile(r"/collections/([^/]+)/items/")


@dataclass(frozen=True, kw_only=True)
class _Place:
    """What the choice depends on, beside the scenes."""

    ground: BaseGeometry
    """Of the area, degrees."""
    zone: int
    """UTM zone of the grid."""

    def share(self, *scenes: Scene) -> float:
        """Return the share of the area that scenes cover together, 0 to 1, in the plane of degrees."""
        covered = unary_union([scene.footprint for scene in scenes]).intersection(self.ground)
        return float(covered.area / self.ground.area)


def _atoms(scenes: Sequence[Scene]) -> Iterator[Scene]:
    """Yield each file of a pass by itself, once."""
    seen: set[tuple[str, str]] = set()
    for scene in scenes:
        for atom in (replace(scene, parts=(), twins=()), *_atoms(scene.parts), *_atoms(scene.twins)):
            if (atom.source, atom.href) not in seen:
                seen.add((atom.source, atom.href))
                yield atom


def _differ(one: object, other: object) -> bool:
    """Return whether two facts are known and different."""
    return one is not None and other is not None and one != other


def same_pass(one: Scene, other: Scene) -> bool:
    """Return whether two scenes are of one pass of one satellite, as far as is known, and of one level."""
    facts = ((one.platform, other.platform), (one.relative_orbit, other.relative_orbit), (one.level, other.level))
    near = abs(one.acquired - other.acquired) < SAME_PASS
    return near and one.sensor == other.sensor and not any(_differ(*fact) for fact in facts)


def passes(scenes: Sequence[Scene]) -> list[list[Scene]]:
    """Return scenes grouped by pass, oldest pass first."""
    groups: list[list[Scene]] = []
    for scene in sorted(scenes, key=lambda scene: (scene.acquired, scene.id)):
        for group in reversed(groups):
            if all(same_pass(scene, other) for other in group):
                group.append(scene)
                break
        else:
            groups.append([scene])
    return groups


def zone_of(scene: Scene) -> int | None:
    """Return the number of the UTM zone of a scene's tile; None where it has none."""
    return int(scene.tile[:2]) if scene.tile else None


def is_doubtful(scene: Scene) -> bool:
    """Return whether the offset of a scene shows only when its numbers are read."""
    return any(asset.offset_doubtful for asset in scene.assets.values())


def _collection(scene: Scene) -> str | None:
    found = _COLLECTION.search(scene.href)
    return found[1] if found else None


def _processing(scene: Scene) -> tuple[object, ...]:
    """Return what files must have in common to be put together."""
    return scene.source, _collection(scene), scene.processing_baseline, is_doubtful(scene), zone_of(scene)


def _source_rank(scene: Scene) -> int:
    kind = scene.source.partition(":")[0]
    return SOURCE_ORDER.index(kind) if kind in SOURCE_ORDER else len(SOURCE_ORDER)


def _rank(scene: Scene, place: _Place) -> tuple[object, ...]:
    """Return the key by which files of one zone are sorted, best first."""
    made = scene.generated.timestamp() // 1 if scene.generated else 0.0
    baseline = scene.processing_baseline or ""
    return (
        # A footprint is drawn with few corners: a hundredth of the area is no difference.
        -round(place.share(scene), 2),
        tuple(-ord(letter) for letter in baseline.ljust(5)),
        -made,
        is_doubtful(scene),
        _source_rank(scene),
        scene.id,
    )


def _in_zone(group: Sequence[Scene], place: _Place) -> list[Scene]:
    """Return the files of the zone that is used: the grid's own unless it covers too little and another much more."""
    by_zone: dict[int, list[Scene]] = {}
    for scene in group:
        by_zone.setdefault(zone_of(scene) or place.zone, []).append(scene)
    best = max(by_zone, key=lambda zone: (place.share(*by_zone[zone]), zone == place.zone))
    own = by_zone.get(place.zone)
    if own is None:
        return by_zone[best]
    covered = place.share(*own)
    lacking = covered < ENOUGH_COVERAGE and place.share(*by_zone[best]) > covered + MORE_COVERAGE
    return by_zone[best] if lacking else own


def _strip(scene: Scene) -> str | None:
    """Return when the strip began that one station received; None where unknown."""
    found = _STRIP.search(scene.datastrip or "")
    return found[1] if found else None


def _assemble(family: Sequence[Scene], place: _Place) -> Scene:
    """Return the best file of one processing with the others that add to it as its parts."""
    best, *others = sorted(family, key=lambda scene: _rank(scene, place))
    parts: list[Scene] = []
    for other in others:
        adds = place.share(best, *parts, other) - place.share(best, *parts) > ADDS
        if adds or (other.tile == best.tile and _differ(_strip(other), _strip(best))):
            parts.append(other)
    return replace(best, parts=tuple(parts))


def _same_side(one: Scene, other: Scene) -> bool:
    """Return whether two scenes may stand for each other in a pair: processed both before, or both since, 04.00."""
    sides = {(scene.processing_baseline or OFFSET_BASELINE) >= OFFSET_BASELINE for scene in (one, other)}
    return len(sides) == 1


def _choose(group: Sequence[Scene], place: _Place) -> Scene:
    """Return the scene of a pass, with its parts and twins."""
    families: dict[tuple[object, ...], list[Scene]] = {}
    for scene in _in_zone(group, place):
        families.setdefault(_processing(scene), []).append(scene)
    whole = [_assemble(family, place) for family in families.values()]
    whole.sort(key=lambda scene: (-round(place.share(scene, *scene.parts), 2), _rank(scene, place)[1:]))
    best, *others = whole
    return replace(best, twins=tuple(other for other in others if _same_side(best, other)))


def _why(other: Scene, best: Scene, place: _Place) -> str:
    """Return why another file of the pass was not taken: the first of the criteria by which it comes later."""
    covers = round(place.share(other), 2), round(place.share(best), 2)
    earlier = bool(other.generated and best.generated and other.generated < best.generated)
    baselines = other.processing_baseline, best.processing_baseline
    criteria = (
        (_differ(zone_of(other), zone_of(best)), f"it lies in UTM zone {zone_of(other)}, the other in {zone_of(best)}"),
        (covers[0] < covers[1], f"it covers {covers[0]:.0%} of the area, the other {covers[1]:.0%}"),
        (_differ(*baselines), f"it has the processing baseline {baselines[0]}, the other {baselines[1]}"),
        (earlier, f"it was made on {other.generated:%Y-%m-%d %H:%M}, the other later" if other.generated else ""),
        (is_doubtful(other) and not is_doubtful(best), "its offset would have to be decided from its numbers"),
        (other.source != best.source, f"{best.source} comes before {other.source}"),
    )
    return next((text for met, text in criteria if met), "one of the two is enough")


def _reasons(group: Sequence[Scene], best: Scene, place: _Place) -> list[str]:
    """Return one line on each file of a pass that is not the one chosen."""
    lines = []
    completing = {(part.source, part.href) for part in best.parts}
    for other in group:
        if (other.source, other.href) == (best.source, best.href):
            continue
        if (other.source, other.href) in completing:
            lines.append(f"{other.id} ({other.source}) is of the same pass as {best.id}: read for what that lacks")
        else:
            why = _why(other, best, place)
            lines.append(f"{other.id} ({other.source}) is of the same pass as {best.id} ({best.source}): {why}")
    return lines


def one_per_pass(scenes: Sequence[Scene], *, aoi: AOI, crs: str) -> tuple[tuple[Scene, ...], tuple[str, ...]]:
    """Return one scene for each pass, and a reason for each file that is not it.

    The grid's own UTM zone comes first, then cover of the area, the highest processing baseline, the latest
    generation, an offset that is certain, and `SOURCE_ORDER`.

    Parameters
    ----------
    scenes
        Of any number of sources; their parts and twins are sorted anew.
    aoi
        The area.
    crs
        Of the grid, such as "EPSG:32636".

    Returns
    -------
    chosen
        Oldest first; each with its `parts` (same source, zone and processing) and its `twins`.
    reasons
        One line a file.
    """
    zone = _UTM.fullmatch(crs)
    own = int(zone[1]) if zone else utm_zone(centre(aoi.geometry)[0])
    place = _Place(ground=aoi.geometry, zone=own)
    chosen, reasons = [], []
    for group in passes(list(_atoms(scenes))):
        best = _choose(group, place)
        chosen.append(best)
        reasons += _reasons(group, best, place)
    return tuple(sorted(chosen, key=lambda scene: (scene.acquired, scene.id))), tuple(reasons)
