"""The main job: two dates of a place in, changes on the user's ground out, by one sensor or by two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from aoi import AOI
from aoi.formats import load_area
from detect.detectability import InjectionPlan
from imagery.errors import (
    BudgetError,
    CredentialsError,
    ImageryError,
    InsufficientImageryError,
    NoSceneError,
    RefusedFileError,
    SceneError,
    SourceError,
)
from imagery.sources.base import Source
from revisit.errors import UsageError
from revisit.joined import join_results, shared_recipe
from revisit.recipe import Recipe, check_recipe
from revisit.result import Result
from revisit.sources import Access, Opened, open_source
from revisit.stages import (
    GSD_M,
    MARGIN_PX,
    MOST_PIXELS,
    Clock,
    Dates,
    Desk,
    Progress,
    compare_dates,
    ground_of,
    padded,
    read_dates,
)
from revisit.watched import UnfinishedRunError, WatchedSource

__all__ = ["GSD_M", "MARGIN_PX", "MOST_PIXELS", "ground_of", "padded", "run"]

NONE_HERE = (InsufficientImageryError, NoSceneError)
"""There is nothing that could be compared: the other sensor may have it."""
NO_RADAR = (*NONE_HERE, SceneError, RefusedFileError, UsageError)
"""There is no radar to be had beside an optical pair."""
FAILED = (SourceError, CredentialsError, BudgetError)
"""There may be radar, but it could not be fetched."""


@dataclass(frozen=True, kw_only=True)
class _Looks:
    """The dates of each sensor that can be compared; one of them at least."""

    optical: Dates | None = None
    radar: Dates | None = None
    notes: tuple[str, ...] = ()
    """Why one is missing."""
    complete: bool = True
    """False where one may be missing because a source failed."""


@contextmanager
def _ended_early(watched: WatchedSource, opened: Opened, *, area: str) -> Iterator[None]:
    """Say of a failure of the source what had been read until then."""
    try:
        yield
    except SourceError as error:
        raise UnfinishedRunError(error, watched, area=area, traffic=opened.traffic()) from error


def _opened(recipe: Recipe, source: Source | None, access: Access | None) -> AbstractContextManager[Opened]:
    """Return the source that was given, else the recipe's."""
    return nullcontext(Opened(source=source)) if source else open_source(recipe.source, access)


def _optical_missing(error: Exception) -> str:
    """Return the note of a run that had to do without an optical pair."""
    return f"no usable optical pair, so radar was compared: {error}"


def _radar_missing(error: Exception) -> str:
    """Return the note of a run that had to do without radar."""
    if isinstance(error, FAILED):
        return f"radar could not be fetched, so that the optical dates stand alone: {error}"
    return f"radar: none in the window, so that the optical dates stand alone ({error})"


def _neither(optical: Exception, radar: Exception) -> ImageryError:
    """Return the error of a run for which no sensor has a pair; of a place without any scene, that there is none."""
    kind = NoSceneError if isinstance(optical, NoSceneError) and isinstance(radar, NoSceneError) else None
    return (kind or InsufficientImageryError)(f"optical: {optical}; radar: {radar}")


def _read_radar_alone(recipe: Recipe, desk: Desk, source: Source, error: Exception) -> _Looks:
    """Read radar where there is no optical pair."""
    desk.tell(f"no usable optical pair; looking for radar: {error}")
    try:
        return _Looks(radar=read_dates(replace(recipe, sensor="s1"), desk, source), notes=(_optical_missing(error),))
    except NO_RADAR as other:
        raise _neither(error, other) from other


def _read_both(recipe: Recipe, desk: Desk, source: Source) -> _Looks:
    """Read the dates of both sensors, as far as there are any."""
    try:
        optical = read_dates(replace(recipe, sensor="s2"), desk, source)
    except NONE_HERE as error:
        return _read_radar_alone(recipe, desk, source, error)
    desk.tell("looking for radar of the same dates")
    beside = replace(desk, clock=desk.clock.of("radar "))
    try:
        return _Looks(optical=optical, radar=read_dates(replace(recipe, sensor="s1"), beside, source))
    except (*NO_RADAR, *FAILED) as error:
        return _Looks(optical=optical, notes=(_radar_missing(error),), complete=not isinstance(error, FAILED))


def _read(recipe: Recipe, desk: Desk, source: Source) -> _Looks:
    """Read the dates of the sensors that a recipe asks for."""
    if recipe.sensor == "auto":
        return _read_both(recipe, desk, source)
    dates = read_dates(recipe, desk, source)
    return _Looks(radar=dates) if recipe.sensor == "s1" else _Looks(optical=dates)


def _alone(recipe: Recipe, desk: Desk, dates: Dates, *, notes: tuple[str, ...], complete: bool = True) -> Result:
    """Return what one sensor found, at the rate of the whole run."""
    result = compare_dates(recipe, desk, dates)
    first = int(result.simulated)
    warnings = (*result.warnings[:first], *notes, *result.warnings[first:])
    return replace(result, warnings=warnings, complete=result.complete and complete)


def _together(recipe: Recipe, desk: Desk, optical: Dates, radar: Dates) -> Result:
    """Return what both sensors found; where one cannot be compared after all, what the other did."""
    own, other = shared_recipe(recipe, "s2"), shared_recipe(recipe, "s1")
    try:
        second = compare_dates(other, replace(desk, clock=desk.clock.of("radar ")), radar)
    except InsufficientImageryError as error:
        return _alone(recipe, desk, optical, notes=(_radar_missing(error),))
    try:
        first = compare_dates(own, desk, optical)
    except InsufficientImageryError as error:
        return _alone(recipe, desk, radar, notes=(_optical_missing(error),))
    desk.tell("holding the flags of both sensors against each other")
    return join_results(recipe, first, second)


def _compared(recipe: Recipe, desk: Desk, looks: _Looks) -> Result:
    """Compare the dates that were read."""
    if looks.optical and looks.radar:
        return _together(recipe, desk, looks.optical, looks.radar)
    dates = looks.optical or looks.radar
    if dates is None:
        raise InsufficientImageryError(f"no dates of {desk.ground.aoi.name} were read")
    return _alone(recipe, desk, dates, notes=looks.notes, complete=looks.complete)


def run(
    recipe: Recipe,
    *,
    aoi: AOI | None = None,
    source: Source | None = None,
    access: Access | None = None,
    progress: Progress | None = None,
    plan: InjectionPlan | None = None,
) -> Result:
    """Compare two dates of a place.

    Parameters
    ----------
    recipe
        What to compare, and how. With the sensor "auto" both sensors are compared where both have dates, each with
        half of the false alarms that are asked for; `Result.other` then holds the radar's part.
    aoi
        The recipe's area, where it has been loaded already.
    source
        Where scenes come from, instead of what the recipe's `source` says.
    access
        How the network may be used; None: freely.
    progress
        Called with one line of text at each step.
    plan
        How thoroughly to measure what could have been seen. Where it is not given, that is measured briefly, and only
        where the thresholds are calibrated.

    Returns
    -------
    Result
        Nothing is written; `revisit.outputs.write_run` does that.

    Raises
    ------
    UsageError, aoi.AOIError, imagery.errors.ImageryError
        What the user can mend; `revisit.errors.exit_code` sorts them.
    """
    clock = Clock()
    check_recipe(recipe, today=datetime.now(UTC).date())
    with clock.stage("area"):
        ground = ground_of(aoi or load_area(recipe.area), recipe.gsd or GSD_M)
    desk = Desk(ground=ground, clock=clock, tell=progress or (lambda _: None), plan=plan)
    with _opened(recipe, source, access) as opened:
        watched = WatchedSource(source=opened.source)
        with _ended_early(watched, opened, area=ground.aoi.name):
            looks = _read(recipe, desk, watched)
    result = _compared(recipe, desk, looks)
    notes = tuple(dict.fromkeys((*result.warnings, *opened.notes())))
    return replace(result, timings_s=clock.seconds, exchange=opened.traffic(), warnings=notes)
