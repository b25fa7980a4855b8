"""The main job: two dates of a place in, changes on the user's ground out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from aoi import AOI, Grid
from aoi.formats import load_area
from aoi.geometry import grid_for
from detect.detectability import ClassDetectability, InjectionPlan
from imagery.coregister import Aligned, Alignment, align
from imagery.errors import InsufficientImageryError, NoSceneError, RefusedFileError, SceneError, SourceError
from imagery.raster import BoolArray, Raster
from imagery.scene import Scene
from imagery.sources.base import Source
from revisit.baseline import Baseline, gather
from revisit.detectability import assess
from revisit.detection import Detected, find_changes, fit
from revisit.errors import UsageError
from revisit.flags import SIMULATED, make_flags
from revisit.ground import Ground, ground_warnings, lay_out
from revisit.radar import find_radar_changes, gather_radar
from revisit.recipe import Recipe, check_recipe
from revisit.result import AlignmentRecord, Result
from revisit.scenes import Pair, pick_pair
from revisit.sources import Access, Opened, open_source
from revisit.watched import UnfinishedRunError, WatchedSource
from revisit.wording import plural

GSD_M = 10.0
"""Pixel spacing of Sentinel-2's finest bands."""
MARGIN_PX = 32
"""Read around the area, so that filters have context and the shift room; cut off before anything is reported."""
MOST_PIXELS = 40_000_000
"""4000 km2 at 10 m: what can be compared in one piece within a laptop's memory."""
BRIEF = InjectionPlan(placements=20)
"""A hundredth of a second each, by class, kind of ground and direction."""
SHAKY_PX = 0.3
"""From this error of the co-registration on, edges alone can look like changes."""

Progress = Callable[[str], None]


@dataclass(kw_only=True)
class _Clock:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)


def _grid(aoi: AOI, gsd: float) -> Grid:
    """Return the run's grid, refusing one that no laptop's memory holds."""
    grid = grid_for(aoi, gsd)
    if grid.width * grid.height > MOST_PIXELS:
        raise UsageError(
            f"{aoi.name} needs {grid.height} x {grid.width} pixels of {gsd:g} m; more than {MOST_PIXELS} cannot be"
            " compared in one piece: cut the area into parts"
        )
    return grid


def ground_of(aoi: AOI, gsd: float = GSD_M) -> Ground:
    """Return an area on the grid on which its dates are compared.

    Raises
    ------
    UsageError
        Where no laptop's memory holds it.
    """
    return lay_out(aoi, _grid(aoi, gsd))


def padded(inner: BoolArray) -> BoolArray:
    """Return a map of the grid with the margin around it, which is False."""
    whole: BoolArray = np.pad(inner, MARGIN_PX)
    return whole


def _crop_raster(raster: Raster, grid: Grid) -> Raster:
    """Return the raster without the margin."""
    rows, cols = (slice(MARGIN_PX, MARGIN_PX + size) for size in grid.shape)
    return replace(
        raster,
        data=raster.data[:, rows, cols],
        valid=raster.valid[rows, cols],
        uncertain=raster.uncertain[rows, cols],
        grid=grid,
    )


def _alignment_warnings(alignment: Alignment) -> list[str]:
    """Return what is not as it should be about the co-registration."""
    error = max(alignment.residual_px)
    if error < SHAKY_PX:
        return []
    return [f"the dates could be aligned only to {error:.2f} px: edges and buildings may look changed"]


def _alignment_record(scene_id: str, alignment: Alignment) -> AlignmentRecord:
    """Return how a scene lay against the before scene."""
    return AlignmentRecord(
        scene_id=scene_id, shift_px=alignment.shift_px, standard_error_px=alignment.standard_error_px
    )


def _alignment_records(pair: Pair, alignment: Alignment, baseline: Baseline) -> tuple[AlignmentRecord, ...]:
    """Return how each scene lay against the before scene, which stands first and then the after scene."""
    before, after = (record.scene.id for record in pair.records)
    still = AlignmentRecord(scene_id=before, shift_px=(0.0, 0.0), standard_error_px=(0.0, 0.0))
    dates = (_alignment_record(date.record.scene.id, date.alignment) for date in baseline.dates)
    return still, _alignment_record(after, alignment), *dates


def _valid_share(ground: Ground, valid: BoolArray) -> float:
    """Return the share of the searched ground that is valid on both dates, refusing none."""
    share = float(valid[ground.searched].mean())
    if not share:
        raise InsufficientImageryError(
            f"no pair for {ground.aoi.name}: none of the searched ground is valid on both dates; try other dates"
        )
    return share


def _dates_of(pair: Pair) -> tuple[Scene, Scene]:
    """Return the scenes of a pair."""
    before, after = (record.scene for record in pair.records)
    return before, after


def _assemble(
    recipe: Recipe, ground: Ground, pair: Pair, aligned: Aligned, *, baseline: Baseline, found: Detected
) -> Result:
    """Return the result of all stages."""
    change = found.change
    before, after = (_crop_raster(raster, ground.grid) for raster in (aligned.before, aligned.after))
    scenes = (*pair.records, *(date.record for date in baseline.dates))
    simulated = any(record.scene.simulated for record in scenes)
    share, shares = _valid_share(ground, change.valid), ground.shares(change.valid)
    said = [SIMULATED] if simulated else []
    said += [*pair.warnings, *_alignment_warnings(aligned.alignment), *ground_warnings(ground, shares)]
    return Result(
        recipe=recipe,
        aoi=ground.aoi,
        grid=ground.grid,
        before=before,
        after=after,
        scenes=scenes,
        alignments=_alignment_records(pair, aligned.alignment, baseline),
        change=change,
        flags=make_flags(found.objects, ground=ground, before=before, after=after, simulated=simulated),
        searched_km2=float((ground.searched & change.valid).sum()) * ground.grid.gsd**2 / 1e6,
        valid_share=shares,
        simulated=simulated,
        warnings=tuple(dict.fromkeys([*said, *baseline.warnings])),
        timings_s={},
        searched_valid_share=share,
        reasons=pair.reasons,
        complete=pair.complete and baseline.complete,
        obstacle=found.obstacle,
    )


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


@dataclass(frozen=True, kw_only=True)
class _Dates:
    """Everything that was read, aligned."""

    pair: Pair
    aligned: Aligned
    baseline: Baseline


def _pick(source: Source, recipe: Recipe, *, aoi: AOI, grid: Grid, searched: BoolArray, progress: Progress) -> Pair:
    """Choose the two dates; where either sensor will do and cloud leaves no optical pair, two of radar."""
    try:
        return pick_pair(source, recipe, aoi=aoi, grid=grid, searched=searched, progress=progress)
    except (InsufficientImageryError, NoSceneError) as error:
        if recipe.sensor != "auto":
            raise
        progress(f"no usable optical pair; looking for radar: {error}")
        radar = replace(recipe, sensor="s1")
        try:
            pair = pick_pair(source, radar, aoi=aoi, grid=grid, searched=searched, progress=progress)
        except (InsufficientImageryError, NoSceneError, SceneError, RefusedFileError, UsageError):
            raise error from None
        return replace(pair, warnings=(f"no usable optical pair, so radar was compared: {error}", *pair.warnings))


def _read(recipe: Recipe, ground: Ground, opened: Opened, *, clock: _Clock, tell: Progress) -> _Dates:
    """Read and align the two dates and their baseline."""
    grid, searched = ground.grid.padded(MARGIN_PX), padded(ground.searched)
    source = WatchedSource(source=opened.source)
    with _ended_early(source, opened, area=ground.aoi.name):
        with clock.stage("read"):
            pair = _pick(source, recipe, aoi=ground.aoi, grid=grid, searched=searched, progress=tell)
        if pair.before.quantity != "reflectance":
            with clock.stage("baseline"):
                aligned, baseline = gather_radar(
                    source, pair, aoi=ground.aoi, searched=searched, most=recipe.baseline, progress=tell
                )
            return _Dates(pair=pair, aligned=aligned, baseline=baseline)
        tell(f"aligning {pair.records[1].scene.id} with {pair.records[0].scene.id}")
        with clock.stage("align"):
            aligned = align(pair.before, pair.after)
        with clock.stage("baseline"):
            baseline = gather(
                source,
                pair,
                aligned.alignment,
                aoi=ground.aoi,
                searched=searched,
                most=recipe.baseline,
                progress=tell,
            )
    return _Dates(pair=pair, aligned=aligned, baseline=baseline)


def _find(recipe: Recipe, ground: Ground, dates: _Dates) -> Detected:
    """Compare the two dates by what their sensor asks for."""
    rate = recipe.false_alarms_per_km2
    if dates.pair.before.quantity != "reflectance":
        return find_radar_changes(dates.aligned, dates.baseline, ground=ground, rate=rate, margin=MARGIN_PX)
    fitted = fit(dates.aligned, dates.baseline, ground=ground, margin=MARGIN_PX)
    return find_changes(fitted, scenes=_dates_of(dates.pair), rate=rate)


def _seen(ground: Ground, dates: _Dates, *, found: Detected, plan: InjectionPlan) -> tuple[ClassDetectability, ...]:
    """Return what could have been seen on the two dates."""
    if found.seen is not None:
        return found.seen(plan)
    if found.statistics_of is None:
        return ()
    return assess(
        ground,
        dates.aligned.before,
        dates.aligned.after,
        statistics_of=found.statistics_of,
        change=found.frame,
        scenes=_dates_of(dates.pair),
        plan=plan,
    )


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
        What to compare, and how.
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
    tell = progress or (lambda _: None)
    clock = _Clock()
    check_recipe(recipe, today=datetime.now(UTC).date())
    with clock.stage("area"):
        ground = ground_of(aoi or load_area(recipe.area), recipe.gsd or GSD_M)
    with _opened(recipe, source, access) as opened:
        dates = _read(recipe, ground, opened, clock=clock, tell=tell)
    pair, aligned, baseline = dates.pair, dates.aligned, dates.baseline
    tell(f"looking for changes, with {plural(len(baseline.dates), 'baseline date')}")
    with clock.stage("detect"):
        found = _find(recipe, ground, dates)
    result = _assemble(recipe, ground, pair, aligned, baseline=baseline, found=found)
    if plan or found.change.calibrated:
        tell("measuring what could have been seen")
        with clock.stage("detectability"):
            seen = _seen(ground, dates, found=found, plan=plan or BRIEF)
            result = replace(result, detectability=seen)
    notes = tuple(dict.fromkeys((*result.warnings, *opened.notes())))
    return replace(result, timings_s=clock.seconds, exchange=opened.traffic(), warnings=notes)
