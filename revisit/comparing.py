"""The comparisons that a file of claims needs, each made once and written as a run of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from aoi import AOI, Grid
from detect.detectability import InjectionPlan
from detect.errors import DetectError
from detect.targets import CATALOGUE, object_class
from imagery.errors import BudgetError, CredentialsError, ImageryError, SourceError
from imagery.raster import Raster
from imagery.scene import Period, Scene
from imagery.select import SAME_PASS
from imagery.sources.base import Found, Source, Survey
from revisit.claims import Claim
from revisit.detectability import WATER_KINDS
from revisit.errors import UsageError
from revisit.outputs import write_run
from revisit.pipeline import run
from revisit.places import ClaimedArea, Place
from revisit.recipe import Recipe
from revisit.result import Result

RATES = (1.0, 0.25, 0.06, 0.02)
"""Flags per km2 by chance alone that are asked for; few steps, so that claims share their comparisons."""
FALSE_IN_PLACE = 0.04
"""False flags in a claim's place: with a probability of detection of 0.8 the likelihood ratio then reaches 20."""
ACTIVITY_RATE = 0.06
"""For claims of activity, which count flags instead of asking for one."""
BASELINE = 20
FAILURES = (SourceError, CredentialsError, BudgetError)
"""What ends the looking: the next scene would fare no better."""
PLACEMENTS = 60
"""Objects put into the images, by class, kind of ground and direction."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Two dates of an area, compared or not."""

    name: str
    """Of the run's folder."""
    result: Result | None = None
    reason: str | None = None
    """Why there is no result."""


def rate_for(claim: Claim, place: Place) -> float | None:
    """Return the rate of false flags, per km2, at which a claim is looked at; None where any will do."""
    if claim.kind == "activity":
        return ACTIVITY_RATE
    if claim.kind == "surface":
        return None
    return next((rate for rate in RATES if rate * place.km2 <= FALSE_IN_PLACE), RATES[-1])


def class_for(claim: Claim, place: Place) -> str | None:
    """Return the class of the catalogue that stands for a claim's object; None where it speaks of none.

    An object that is given by its length is the longest class that is not longer, of a ship where only ships lie; what
    is shorter than all of them is the shortest, which is seen more often than it.
    """
    if claim.object or claim.length_m is None:
        return claim.object
    afloat = place.kind in WATER_KINDS
    sizes = sorted((c for c in CATALOGUE.values() if (c.kind == "ship") == afloat), key=lambda c: c.length_m)
    fitting = [c for c in sizes if c.length_m <= claim.length_m]
    return (fitting or sizes)[-1 if fitting else 0].name


def length_of(claim: Claim, place: Place) -> float | None:
    """Return the length of a claim's object, metres."""
    name = class_for(claim, place)
    return claim.length_m or (object_class(name).length_m if name else None)


def rejection(error: Exception) -> str:
    """Return why two dates could not be compared, in one line."""
    return " ".join(str(error).split())


@dataclass(frozen=True, kw_only=True)
class _TrackSource:
    """A source that shows the passes of one track only: the days of two passes may hold others as well."""

    source: Source
    like: Scene
    """A scene of the track."""

    @property
    def name(self) -> str:
        """Of the source behind."""
        return self.source.name

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return what the source finds, of this track."""
        found = self.source.search(aoi, periods, sensor=sensor)
        if self.like.relative_orbit is None:
            return found
        own = (scene for scene in found.scenes if scene.relative_orbit in {None, self.like.relative_orbit})
        return replace(found, scenes=tuple(own))

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        """Return what the source tells."""
        return self.source.survey(scene, grid)

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Return what the source reads."""
        return self.source.read(scene, grid, bands)


@dataclass(kw_only=True)
class Comparer:
    """Compares dates of one area, each pair once."""

    area: ClaimedArea
    source: Source
    spec: str
    """What `--source` said."""
    folder: Path
    """Of all runs."""
    classes: Sequence[str]
    """Of the objects that the claims speak of."""
    tell: Callable[[str], None]
    made: dict[tuple[str, str, float], Compared] = field(default_factory=dict)

    def compare(self, before: Scene, after: Scene, rate: float | None) -> Compared:
        """Return two dates compared, or why they cannot be; at any rate that they were compared at where it is None.

        Raises
        ------
        SourceError, CredentialsError, BudgetError
            Where the source failed, or would cost too much.
        """
        if rate is None:
            done = (one for (first, second, _), one in self.made.items() if (first, second) == (before.id, after.id))
            return next(done, None) or self.compare(before, after, RATES[0])
        key = before.id, after.id, rate
        if key not in self.made:
            self.made[key] = self._compared(self._name(before, after, rate), before, after, rate)
        return self.made[key]

    def _name(self, before: Scene, after: Scene, rate: float) -> str:
        """Return the name of a run: with its rate where the same dates were compared at another."""
        track = "" if after.sensor == "s2" else f"_{after.sensor}-{after.relative_orbit or 'x'}"
        name = f"{self.area.slug}{track}_{before.acquired:%Y-%m-%d}_{after.acquired:%Y-%m-%d}"
        taken = {compared.name for compared in self.made.values()}
        return f"{name}_{rate:g}-per-km2" if name in taken else name

    def _compared(self, name: str, before: Scene, after: Scene, rate: float) -> Compared:
        """Compare two dates and write the run."""
        self.tell(f"comparing {before.id} with {after.id} at {self.area.where}")
        recipe = Recipe(
            area=self.area.spec,
            before=before.acquired.date(),
            after=after.acquired.date(),
            sensor=after.sensor,
            source=self.spec,
            within_days=0,
            baseline=BASELINE,
            false_alarms_per_km2=rate,
        )
        plan = InjectionPlan(classes=tuple(self.classes), placements=PLACEMENTS) if self.classes else None
        try:
            source = _TrackSource(source=self.source, like=after)
            result = run(recipe, aoi=self.area.aoi, source=source, progress=self.tell, plan=plan)
        except FAILURES:
            raise
        except (ImageryError, DetectError, UsageError) as error:
            return Compared(name=name, reason=rejection(error))
        pairs = ((before, result.before), (after, result.after))
        if any(abs(scene.acquired - raster.acquired) > SAME_PASS for scene, raster in pairs):
            return Compared(name=name, reason=f"the days of {before.id} and {after.id} hold other passes as well")
        write_run(replace(result, timings_s={}), self.folder / name)
        return Compared(name=name, result=result)
