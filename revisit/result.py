"""What a run found, before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Literal

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


Outcome = Literal["agrees", "opposite", "silent", "not seen"]
"""Of the other sensor at a flag's place: it flagged the same change; another; none; or it could not look."""


@dataclass(frozen=True, kw_only=True)
class Witness:
    """What the other sensor of a run saw at a flag's place, and what both are worth together."""

    sensor: str
    """The other one, "s2" or "s1"."""
    before: datetime
    after: datetime
    """Its own window, UTC."""
    outcome: Outcome
    flags: tuple[str, ...]
    """Ids of its flags there, nearest to certain first; empty where it was silent or could not look."""
    overlap: float
    """Share of the longer of the two sensors' windows that both saw, 0 to 1."""
    object: str | None
    """Class of the catalogue that fits the flag best; None where none does."""
    pd: float | None
    """Probability with which the other sensor flags such an object there; None where that was not measured."""
    ratio: float | None
    """Likelihood ratio of the flag alone: such an object against chance; None where that is not known."""
    other_ratio: float | None
    """Factor that the other sensor brings; None where it brings none."""

    @property
    def combined(self) -> float | None:
        """Likelihood ratio of both sensors together; that of the flag alone where the other brings nothing."""
        return None if self.ratio is None else self.ratio * (1.0 if self.other_ratio is None else self.other_ratio)


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A changed object with its place in the user's area."""

    id: str
    """"F1", "F2", ... strongest first; "R1", "R2", ... those of radar beside an optical sensor's."""
    object: ChangedObject
    zone: str | None
    """Name of the zone that holds most of its pixels; None outside all zones."""
    notes: tuple[str, ...]
    """Such as the accuracy of the zone's outline; the object's own notes included."""
    witness: Witness | None = None
    """What the run's other sensor saw there; None where one sensor looked."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """Two dates of a place, compared: by one sensor, or by two, each with dates of its own.

    With two sensors everything here but `flags`, `recipe`, `warnings`, `complete` and `exchange` is the optical
    sensor's, and `other` is the radar's result; `parts` are the two by themselves.
    """

    recipe: Recipe
    """As asked, for the whole run."""
    aoi: AOI
    grid: Grid
    before: Raster
    """As compared: aligned, physical units."""
    after: Raster
    scenes: tuple[SceneRecord, ...]
    alignments: tuple[AlignmentRecord, ...]
    change: Change
    flags: tuple[Flag, ...]
    """Of all sensors: the optical ones first, each sensor's strongest first."""
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
    other: Result | None = None
    """What the run's second sensor found, with its own dates, flags and share of the false alarms."""
    own: Recipe | None = None
    """The first sensor's recipe where there is a second: its share of the false alarms."""

    @property
    def sensor(self) -> str:
        """The sensor of the dates here, "s2" or "s1"."""
        return "s2" if self.before.quantity == "reflectance" else "s1"

    @property
    def parts(self) -> tuple[Result, ...]:
        """The result of each sensor by itself; of one sensor, the result as it is."""
        if self.other is None:
            return (self,)
        others = {flag.id for flag in self.other.flags}
        mine = tuple(flag for flag in self.flags if flag.id not in others)
        alone = replace(self, recipe=self.own or self.recipe, flags=mine, other=None, own=None)
        return alone, self.other

    def each_flag(self) -> Iterator[tuple[Flag, Result]]:
        """Yield each flag with the result of its own sensor, in the order of `flags`."""
        for part in self.parts:
            for flag in part.flags:
                yield flag, part

    @property
    def baseline_dates(self) -> int:
        """How many dates of a baseline were used."""
        return sum(record.role == "baseline" for record in self.scenes)

    def _repr_html_(self) -> str:
        """Return how a notebook shows the result."""
        # By name: what shows results knows them, so that an import would run in a circle.
        return str(import_module("revisit.notebook").result_html(self))
