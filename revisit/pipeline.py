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
from detect.change import Change, ChangedObject, ScaleChange
from detect.objects import find_objects
from detect.optical import Pair as DatePair
from detect.optical import detect_pair, fit_pair
from imagery.coregister import Aligned, Alignment, align
from imagery.errors import InsufficientImageryError, SourceError
from imagery.raster import BoolArray, Raster
from imagery.sources.base import Source
from revisit.errors import UsageError
from revisit.flags import SIMULATED, crop_objects, make_flags
from revisit.ground import Ground, ground_warnings, lay_out
from revisit.recipe import Recipe, check_recipe
from revisit.result import AlignmentRecord, Result
from revisit.scenes import Pair, pick_pair
from revisit.sources import Access, Opened, open_source
from revisit.watched import UnfinishedRunError, WatchedSource

GSD_M = 10.0
"""Pixel spacing of Sentinel-2's finest bands."""
MARGIN_PX = 32
"""Read around the area, so that filters have context and the shift room; cut off before anything is reported."""
MOST_PIXELS = 40_000_000
"""4000 km2 at 10 m: what can be compared in one piece within a laptop's memory."""
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


def _padded(inner: BoolArray) -> BoolArray:
    """Return a map of the grid with a margin of False."""
    padded: BoolArray = np.pad(inner, MARGIN_PX)
    return padded


def _core(grid: Grid) -> tuple[slice, slice]:
    """Return the (rows, cols) of the grid within its padded self."""
    return slice(MARGIN_PX, MARGIN_PX + grid.height), slice(MARGIN_PX, MARGIN_PX + grid.width)


def _crop_raster(raster: Raster, grid: Grid) -> Raster:
    """Return the raster without the margin."""
    rows, cols = _core(grid)
    return replace(
        raster,
        data=raster.data[:, rows, cols],
        valid=raster.valid[rows, cols],
        uncertain=raster.uncertain[rows, cols],
        grid=grid,
    )


def _crop_scale(scale: ScaleChange, grid: Grid) -> ScaleChange:
    """Return the maps of one scale without the margin."""
    core = _core(grid)
    return replace(
        scale,
        statistic=scale.statistic[core],
        p_value=scale.p_value[core],
        direction=scale.direction[core],
        threshold=scale.threshold[core],
    )


def _crop_change(change: Change, grid: Grid) -> Change:
    """Return the maps of both scales without the margin."""
    return replace(
        change,
        objects=_crop_scale(change.objects, grid),
        areas=_crop_scale(change.areas, grid),
        valid=change.valid[_core(grid)],
    )


def _detect(aligned: Aligned, ground: Ground, recipe: Recipe) -> tuple[Change, list[ChangedObject]]:
    """Return the change maps and objects on the ground's grid."""
    before, after = aligned.before, aligned.after
    dates = DatePair(
        before=before.data,
        after=after.data,
        valid=before.valid & after.valid,
        gsd=ground.grid.gsd,
        shift_error_px=aligned.alignment.residual_px,
    )
    model, strata = fit_pair(dates), np.pad(ground.strata, MARGIN_PX)
    change = detect_pair(dates, strata, false_alarms_per_km2=recipe.false_alarms_per_km2, model=model)
    found = find_objects(change, dates, model)
    objects = crop_objects(found, margin=MARGIN_PX, shape=ground.grid.shape)
    return _crop_change(change, ground.grid), objects


def _alignment_warnings(alignment: Alignment) -> list[str]:
    """Return what is not as it should be about the co-registration."""
    error = max(alignment.residual_px)
    if error < SHAKY_PX:
        return []
    return [f"the dates could be aligned only to {error:.2f} px: edges and buildings may look changed"]


def _alignment_records(pair: Pair, alignment: Alignment) -> tuple[AlignmentRecord, ...]:
    """Return how each scene lay against the before scene."""
    before, after = (record.scene.id for record in pair.records)
    still = AlignmentRecord(scene_id=before, shift_px=(0.0, 0.0), standard_error_px=(0.0, 0.0))
    moved = AlignmentRecord(scene_id=after, shift_px=alignment.shift_px, standard_error_px=alignment.standard_error_px)
    return still, moved


def _valid_share(ground: Ground, valid: BoolArray) -> float:
    """Return the share of the searched ground that is valid on both dates, refusing none."""
    share = float(valid[ground.searched].mean())
    if not share:
        raise InsufficientImageryError(
            f"no pair for {ground.aoi.name}: none of the searched ground is valid on both dates; try other dates"
        )
    return share


def _assemble(
    recipe: Recipe, ground: Ground, pair: Pair, aligned: Aligned, *, found: tuple[Change, list[ChangedObject]]
) -> Result:
    """Return the result of all stages."""
    change, objects = found
    before, after = (_crop_raster(raster, ground.grid) for raster in (aligned.before, aligned.after))
    simulated = any(record.scene.simulated for record in pair.records)
    share, shares = _valid_share(ground, change.valid), ground.shares(change.valid)
    said = [SIMULATED] if simulated else []
    said += [*pair.warnings, *_alignment_warnings(aligned.alignment), *ground_warnings(ground, shares)]
    return Result(
        recipe=recipe,
        aoi=ground.aoi,
        grid=ground.grid,
        before=before,
        after=after,
        scenes=pair.records,
        alignments=_alignment_records(pair, aligned.alignment),
        change=change,
        flags=make_flags(objects, ground=ground, before=before, after=after, simulated=simulated),
        searched_km2=float((ground.searched & change.valid).sum()) * ground.grid.gsd**2 / 1e6,
        valid_share=shares,
        simulated=simulated,
        warnings=tuple(dict.fromkeys(said)),
        timings_s={},
        searched_valid_share=share,
        reasons=pair.reasons,
        complete=pair.complete,
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


def run(
    recipe: Recipe, *, source: Source | None = None, access: Access | None = None, progress: Progress | None = None
) -> Result:
    """Compare two dates of a place.

    Parameters
    ----------
    recipe
        What to compare, and how.
    source
        Where scenes come from, instead of what the recipe's `source` says.
    access
        How the network may be used; None: freely.
    progress
        Called with one line of text at each step.

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
        aoi = load_area(recipe.area)
        ground = lay_out(aoi, _grid(aoi, recipe.gsd or GSD_M))
    with clock.stage("read"), _opened(recipe, source, access) as opened:
        grid, searched = ground.grid.padded(MARGIN_PX), _padded(ground.searched)
        watched = WatchedSource(source=opened.source)
        with _ended_early(watched, opened, area=aoi.name):
            pair = pick_pair(watched, recipe, aoi=aoi, grid=grid, searched=searched, progress=tell)
    tell(f"aligning {pair.records[1].scene.id} with {pair.records[0].scene.id}")
    with clock.stage("align"):
        aligned = align(pair.before, pair.after)
    tell("looking for changes")
    with clock.stage("detect"):
        found = _detect(aligned, ground, recipe)
    result = _assemble(recipe, ground, pair, aligned, found=found)
    notes = tuple(dict.fromkeys((*result.warnings, *opened.notes())))
    return replace(result, timings_s=clock.seconds, exchange=opened.traffic(), warnings=notes)
