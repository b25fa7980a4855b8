"""What a run found, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoi import AOI, Grid
from detect.change import Change, ChangedObject
from imagery.raster import Raster
from imagery.scene import Scene
from revisit.recipe import Recipe

if TYPE_CHECKING:
    from detect.detectability import ClassDetectability


@dataclass(frozen=True, kw_only=True)
class SceneRecord:
    """A scene that took part, and what was read of it."""

    scene: Scene
    role: str
    """"before", "after" or "baseline"."""
    offset: float | Mapping[str, float] | None
    """Radiometric offset that was applied to the numbers of the files; by band where the bands differ; None where the
    scene has none."""
    sha256: str
    """Of the pixels as read, before any resampling."""
    valid_share: float
    """Of the searched ground."""


@dataclass(frozen=True, kw_only=True)
class AlignmentRecord:
    """How a scene lay against the before scene."""

    scene_id: str
    shift_px: tuple[float, float]
    """(rows, cols) to be added to the scene to lie on the before scene, before any half-way split."""
    standard_error_px: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A changed object with its place in the user's area."""

    id: str
    """"F1", "F2", ... strongest first."""
    object: ChangedObject
    zone: str | None
    """Name of the zone that holds most of its pixels; None outside all zones."""
    notes: tuple[str, ...]
    """Such as the accuracy of the zone's outline; the object's own notes included."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """Two dates of a place, compared."""

    recipe: Recipe
    aoi: AOI
    grid: Grid
    before: Raster
    """As compared: aligned, physical units."""
    after: Raster
    scenes: tuple[SceneRecord, ...]
    alignments: tuple[AlignmentRecord, ...]
    change: Change
    flags: tuple[Flag, ...]
    searched_km2: float
    """Ground that was searched, valid on both dates, km2."""
    valid_share: Mapping[str, float]
    """By zone name, and of the AOI under "area": share of pixels valid on both dates, 0 to 1."""
    simulated: bool
    """True: every output says SIMULATED."""
    warnings: tuple[str, ...]
    timings_s: Mapping[str, float]
    """Seconds by stage."""
    searched_valid_share: float = 1.0
    """Share of the searched ground that was valid on both dates, 0 to 1."""
    reasons: tuple[str, ...] = ()
    """Why these two scenes were compared, one line each."""
    exchange: Mapping[str, float] | None = None
    """Requests, bytes and processing units that the run took; None without a network."""
    complete: bool = True
    """False where the source answered in part: another scene might have been chosen."""
    detectability: tuple[ClassDetectability, ...] = ()
    """What could have been seen on these dates, by class and kind of ground; empty where it was not measured."""
    obstacle: str | None = None
    """Why a baseline of enough dates could not be used; None where it was, or where there was none."""

    @property
    def baseline_dates(self) -> int:
        """How many dates of a baseline were used."""
        return sum(record.role == "baseline" for record in self.scenes)
