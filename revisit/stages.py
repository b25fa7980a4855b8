"""The stages of a comparison by one sensor: its dates are read, compared, and told with what could have been seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from aoi import AOI, Grid
from aoi.geometry import grid_for
from detect.detectability import ClassDetectability, InjectionPlan
from imagery.coregister import Aligned, Alignment, align
from imagery.errors import InsufficientImageryError
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
from revisit.recipe import Recipe
from revisit.result import AlignmentRecord, Result
from revisit.scenes import Pair, pick_pair
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
class Clock:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)
    prefix: str = ""
    """Of the stages' names."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        start = time.perf_counter()
        yield
        self.seconds[self.prefix + name] = round(time.perf_counter() - start, 3)

    def of(self, prefix: str) -> Clock:
        """Return the same clock for stages whose names begin so."""
        return Clock(seconds=self.seconds, prefix=prefix)


@dataclass(frozen=True, kw_only=True)
class Dates:
    """Everything that was read of one sensor, aligned."""

    pair: Pair
    aligned: Aligned
    baseline: Baseline


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What every stage of a run works with."""

    ground: Ground
    clock: Clock
    tell: Progress
    plan: InjectionPlan | None
    """How thoroughly to measure what could have been seen; None: briefly, and only where that is calibrated."""


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


def inside(raster: Raster, grid: Grid) -> Raster:
    """Return a raster of the padded grid on the grid itself, without the margin."""
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


def _assemble(recipe: Recipe, ground: Ground, dates: Dates, found: Detected) -> Result:
    """Return the result of all stages."""
    pair, aligned, baseline, change = dates.pair, dates.aligned, dates.baseline, found.change
    before, after = (inside(raster, ground.grid) for raster in (aligned.before, aligned.after))
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


def _find(recipe: Recipe, ground: Ground, dates: Dates) -> Detected:
    """Compare the two dates by what their sensor asks for."""
    rate = recipe.false_alarms_per_km2
    if dates.pair.before.quantity != "reflectance":
        return find_radar_changes(dates.aligned, dates.baseline, ground=ground, rate=rate, margin=MARGIN_PX)
    fitted = fit(dates.aligned, dates.baseline, ground=ground, margin=MARGIN_PX)
    return find_changes(fitted, scenes=_dates_of(dates.pair), rate=rate)


def _seen(ground: Ground, dates: Dates, *, found: Detected, plan: InjectionPlan) -> tuple[ClassDetectability, ...]:
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


def read_dates(recipe: Recipe, desk: Desk, source: Source) -> Dates:
    """Read and align the two dates of a recipe's sensor and their baseline.

    Raises
    ------
    imagery.errors.ImageryError, UsageError
        As `revisit.scenes.pick_pair`.
    """
    ground, clock, tell = desk.ground, desk.clock, desk.tell
    grid, searched = ground.grid.padded(MARGIN_PX), padded(ground.searched)
    with clock.stage("read"):
        pair = pick_pair(source, recipe, aoi=ground.aoi, grid=grid, searched=searched, progress=tell)
    if pair.before.quantity != "reflectance":
        with clock.stage("baseline"):
            aligned, baseline = gather_radar(
                source, pair, aoi=ground.aoi, searched=searched, most=recipe.baseline, progress=tell
            )
        return Dates(pair=pair, aligned=aligned, baseline=baseline)
    tell(f"aligning {pair.records[1].scene.id} with {pair.records[0].scene.id}")
    with clock.stage("align"):
        aligned = align(pair.before, pair.after)
    with clock.stage("baseline"):
        baseline = gather(
            source, pair, aligned.alignment, aoi=ground.aoi, searched=searched, most=recipe.baseline, progress=tell
        )
    return Dates(pair=pair, aligned=aligned, baseline=baseline)


def compare_dates(recipe: Recipe, desk: Desk, dates: Dates) -> Result:
    """Return what changed between two dates of one sensor, and what could have been seen.

    Raises
    ------
    InsufficientImageryError
        Where too little of the ground can be compared.
    """
    ground, clock, tell = desk.ground, desk.clock, desk.tell
    tell(f"looking for changes, with {plural(len(dates.baseline.dates), 'baseline date')}")
    with clock.stage("detect"):
        found = _find(recipe, ground, dates)
    result = _assemble(recipe, ground, dates, found)
    if desk.plan or found.change.calibrated:
        tell("measuring what could have been seen")
        with clock.stage("detectability"):
            seen = _seen(ground, dates, found=found, plan=desk.plan or BRIEF)
            result = replace(result, detectability=seen)
    return result
