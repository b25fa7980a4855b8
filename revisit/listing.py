"""What imagery of a place there is: every pass with its cover and cloud over the area, and what would be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from shapely.ops import unary_union

from aoi import AOI, Grid
from imagery.datatake import one_per_pass
from imagery.errors import ImageryError
from imagery.raster import BoolArray
from imagery.scene import Period, Scene
from imagery.select import Choice, Wish, choose_pair, day_period
from imagery.sources.base import Found, Source
from revisit.plain import iso_time, rounded
from revisit.scenes import Reader

WITHIN_DAYS = 10
"""How far from its day `compare` takes a scene where nothing else is said."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One pass of a satellite over the area."""

    scene: Scene
    coverage: float
    """Share of the area that its files cover, 0 to 1."""
    clear: float | None
    """Valid share of the searched ground, 0 to 1; None for radar, and where it could not be had."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The passes of a period."""

    passes: tuple[Pass, ...]
    """Oldest first."""
    found: Found
    reasons: tuple[str, ...]
    """Why files of the same pass were left out."""
    choice: Choice | None
    """What `compare` would take for the first and the last day; None where it could not."""
    refusal: str | None
    """Why there is no choice."""
    problems: tuple[str, ...]
    """Which scenes could not be looked at, and why."""


def coverage(scene: Scene, aoi: AOI) -> float:
    """Return the share of the area that the files of a scene cover, 0 to 1, in degrees' plane."""
    footprint = unary_union([scene.footprint, *(part.footprint for part in scene.parts)])
    return float(footprint.intersection(aoi.geometry).area / aoi.geometry.area)


def _pass(scene: Scene, aoi: AOI, reader: Reader) -> Pass:
    """Return one pass; only an optical one has cloud."""
    clear = reader.share(scene) if scene.sensor == "s2" else None
    return Pass(scene=scene, coverage=coverage(scene, aoi), clear=None if scene.id in reader.problems else clear)


def _choose(scenes: Sequence[Scene], wish: Wish, reader: Reader) -> tuple[Choice | None, str | None]:
    """Return what `compare` would take, or why it could not."""
    before, after = (
        [s for s in scenes if window.start <= s.acquired <= window.end]
        for window in (day_period(day, wish.within_days) for day in (wish.before, wish.after))
    )
    try:
        return choose_pair(before, after, wish=wish, share=reader.share), None
    except ImageryError as error:
        return None, str(error)


def list_scenes(
    source: Source,
    aoi: AOI,
    days: tuple[date, date],
    *,
    grid: Grid,
    searched: BoolArray,
    sensor: str,
    progress: Callable[[str], None],
) -> Listing:
    """List the passes over an area between two days, both included.

    Parameters
    ----------
    source
        Where to search.
    aoi, grid
        Place; its grid decides which of two tiles of a pass is its own.
    days
        First and last.
    searched
        (row, col) on the grid: the ground that should be clear.
    sensor
        "s2" or "s1".
    progress
        Told of each scene that is looked at.

    Raises
    ------
    SourceError
        Where the source failed.
    """
    period = Period(start=day_period(days[0], 0).start, end=day_period(days[1], 0).end)
    found = source.search(aoi, [period], sensor=sensor)
    scenes, reasons = one_per_pass(found.scenes, aoi=aoi, crs=grid.crs)
    reader = Reader(source=source, grid=grid, searched=np.asarray(searched), progress=progress)
    passes = tuple(_pass(scene, aoi, reader) for scene in scenes)
    choice, refusal = None, None
    if sensor == "s2" and days[0] < days[1]:
        wish = Wish(place=aoi.name, before=days[0], after=days[1], within_days=WITHIN_DAYS)
        choice, refusal = _choose(scenes, wish, reader)
    problems = tuple(f"{name}: {error}" for name, error in sorted(reader.problems.items()))
    found = replace(found, scenes=scenes)
    return Listing(
        passes=passes, found=found, reasons=tuple(reasons), choice=choice, refusal=refusal, problems=problems
    )


def _plain_pass(listed: Pass) -> dict[str, Any]:
    """Return one pass as plain JSON values."""
    scene = listed.scene
    return {
        "id": scene.id,
        "acquired": iso_time(scene.acquired),
        "platform": scene.platform,
        "orbit": scene.relative_orbit,
        "direction": scene.direction,
        "tile": scene.tile,
        "processing_baseline": scene.processing_baseline,
        "source": scene.source,
        "href": scene.href,
        "parts": [part.id for part in scene.parts],
        "coverage": rounded(listed.coverage, 4),
        "clear": rounded(listed.clear, 4),
        "notes": list(scene.notes),
    }


def plain_listing(listing: Listing) -> dict[str, Any]:
    """Return a listing as plain JSON values."""
    choice = listing.choice
    return {
        "complete": listing.found.complete,
        "asked": [
            {"source": asked.name, "scenes": asked.scenes, "complete": asked.complete, "note": asked.note}
            for asked in listing.found.asked
        ],
        "passes": [_plain_pass(listed) for listed in listing.passes],
        "left_out": list(listing.reasons),
        "compare": choice and {"before": choice.before.id, "after": choice.after.id, "reasons": list(choice.reasons)},
        "compare_refused": listing.refusal,
        "warnings": [*listing.found.warnings, *listing.problems, *(choice.warnings if choice else ())],
    }
