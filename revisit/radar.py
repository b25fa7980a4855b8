"""Two radar dates of one relative orbit, and those before them: registered, compared, and tried with known objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from aoi import AOI
from detect.calibration import with_chances
from detect.change import Change, ChangedObject
from detect.detectability import ClassDetectability, InjectionPlan
from detect.errors import DetectError
from detect.radar import RadarSeries, fit_radar
from detect.radar_change import detect_radar, find_radar_objects
from detect.radar_detectability import RadarDetection, RadarSetting, radar_detectability
from imagery.baseline import baseline_doubts, baseline_order, baseline_period, choose_baseline, thin
from imagery.coregister import Aligned, Alignment
from imagery.datatake import one_per_pass
from imagery.displacement import displace
from imagery.errors import InsufficientImageryError
from imagery.raster import BoolArray, Raster
from imagery.scene import Scene
from imagery.sources.base import Source
from imagery.structures import fixed_structures, register_on_structures
from revisit.baseline import Baseline, BaselineDate
from revisit.detectability import UNKNOWN_KINDS, strata_of
from revisit.detection import Detected, cropped
from revisit.flags import crop_objects
from revisit.ground import Ground
from revisit.result import SceneRecord
from revisit.scenes import UNUSABLE, Pair, applied_offset

UNREGISTERED_PX = 0.5
"""Error that is assumed per axis where there is nothing fixed to register on; products of one satellite and orbit are
good to a tenth of a pixel, those of two satellites to one or two pixels."""
LEAST_SHIFT_PX = 0.05
"""A smaller shift is left: to resample costs more than it mends."""
UNREGISTERED = (
    "the radar dates were not registered: nothing fixed and bright stands on this ground; an error of half a pixel is"
    " assumed"
)
MOST_SHIFT_PX = 4.0
"""A larger one is not believed: it is ships, or another orbit."""
ASSUMED = "the classes' radar cross-sections are assumptions (docs/radar.md)"
SEEN = 0.5
"""A class is observable from this probability on, what chance flags there taken off."""

Progress = Callable[[str], None]


@dataclass(kw_only=True)
class _Dates:
    """The dates of a radar series as they are read."""

    source: Source
    pair: Pair
    searched: BoolArray
    progress: Progress
    rasters: list[Raster] = field(default_factory=list)
    records: list[SceneRecord] = field(default_factory=list)

    def judge(self, scene: Scene) -> str | None:
        """Read a date of the baseline; keep it and return None, or return why it cannot serve."""
        self.progress(f"reading {scene.id} for the baseline, {len(self.rasters)} kept")
        try:
            raster = self.source.read(scene, self.pair.before.grid, self.pair.before.bands)
        except UNUSABLE as error:
            return str(error)
        share = float(raster.valid[self.searched].mean())
        if (reason := thin(share)) is None:
            used = raster.origin or scene
            offset = applied_offset(used, raster.bands)
            self.rasters.append(raster)
            self.records.append(
                SceneRecord(scene=used, role="baseline", offset=offset, sha256=raster.sha256, valid_share=share)
            )
        return reason


def _still(error: float, gsd: float) -> Alignment:
    """Return the alignment of a date that is left where it is."""
    return Alignment(shift_px=(0.0, 0.0), standard_error_px=(error, error), scatter_px=(0.0, 0.0), score=0.0, gsd=gsd)


def shifts_of(rasters: Sequence[Raster]) -> list[Alignment]:
    """Return where each date lies against the first, by what never moves; left where they are without any such."""
    gsd = rasters[0].grid.gsd
    power = np.stack([np.nan_to_num(np.asarray(raster.data)) for raster in rasters])
    valid = np.stack([raster.valid for raster in rasters])
    structures = fixed_structures(power[:, 0], valid)
    count = np.maximum(valid.sum(axis=0), 1)
    mean = np.asarray((power * valid[:, None]).sum(axis=0) / count, np.float32)
    ever: BoolArray = np.asarray(valid.any(axis=0))
    found: list[Alignment] = []
    for image, seen in zip(power, valid, strict=True):
        try:
            one = register_on_structures(mean, image, structures, valid=(ever, np.asarray(seen)), gsd=gsd)
        except InsufficientImageryError:
            return [_still(UNREGISTERED_PX, gsd) for _ in rasters]
        found.append(one if np.hypot(*one.shift_px) <= MOST_SHIFT_PX else _still(UNREGISTERED_PX, gsd))
    first = found[0].shift_px
    return [replace(one, shift_px=(one.shift_px[0] - first[0], one.shift_px[1] - first[1])) for one in found]


def moved_onto(raster: Raster, alignment: Alignment) -> Raster:
    """Return a date on the first one's frame; power stays positive."""
    if np.hypot(*alignment.shift_px) < LEAST_SHIFT_PX:
        return raster
    rows, cols = alignment.shift_px
    data, valid = displace(np.nan_to_num(np.asarray(raster.data)), raster.valid, (-rows, -cols))
    positive = valid & (data > 0).all(axis=0)
    return raster.with_pixels(np.where(positive, data, np.float32(np.nan)), positive, raster.uncertain & positive)


def gather_radar(
    source: Source, pair: Pair, *, aoi: AOI, searched: BoolArray, most: int, progress: Progress
) -> tuple[Aligned, Baseline]:
    """Search and read the dates of a baseline, and register all dates on the before scene.

    Parameters
    ----------
    source
        Where to search.
    pair
        The two dates, as read.
    aoi, searched
        Place, and (row, col) on the pair's grid where a date must be valid.
    most
        How many dates are wanted; of 0, nothing is searched.
    progress
        Told of each date that is read.

    Raises
    ------
    SourceError
        Where the source failed.
    """
    before, after = (record.scene for record in pair.records)
    dates = _Dates(source=source, pair=pair, searched=searched, progress=progress)
    rejected: tuple[str, ...] = ()
    complete = True
    if most:
        found = source.search(aoi, [baseline_period(before)], sensor=before.sensor)
        scenes, _ = one_per_pass(found.scenes, aoi=aoi, crs=pair.before.grid.crs)
        choice = choose_baseline(baseline_order(scenes, before=before, after=after), most=most, judge=dates.judge)
        rejected, complete = (*found.warnings, *choice.rejected), found.complete
    rasters = [pair.before, pair.after, *dates.rasters]
    alignments = shifts_of(rasters)
    moved = [moved_onto(raster, alignment) for raster, alignment in zip(rasters, alignments, strict=True)]
    order = sorted(range(len(dates.records)), key=lambda k: dates.records[k].scene.acquired)
    shape = pair.before.data.shape
    kept = [moved[2 + k] for k in order]
    baseline = Baseline(
        dates=tuple(BaselineDate(record=dates.records[k], alignment=alignments[2 + k]) for k in order),
        data=np.stack([one.data for one in kept]) if kept else np.empty((0, *shape), np.float32),
        valid=np.stack([one.valid for one in kept]) if kept else np.empty((0, *shape[1:]), np.bool_),
        warnings=(
            *([UNREGISTERED] if alignments[1].score == 0 else []),
            *rejected,
            *baseline_doubts([record.scene for record in dates.records], before),
        ),
        complete=complete,
    )
    return Aligned(before=moved[0], after=moved[1], alignment=alignments[1]), baseline


def _with_chance(item: ChangedObject, change: Change) -> ChangedObject:
    """Return an object with the chance of its strongest searched pixel."""
    scale = change.objects if item.scale == "object" else change.areas
    values = scale.p_value[item.rows, item.cols]
    known = values[np.isfinite(values)]
    return replace(item, p_value=float(known.min())) if change.calibrated and known.size else item


def _row(one: RadarDetection) -> ClassDetectability:
    """Return a row in the words of the optical ones."""
    return ClassDetectability(
        object=one.name,
        ground=one.ground,
        direction=one.direction,
        pd=one.pd,
        low=one.interval[0],
        high=one.interval[1],
        placements=one.trials,
        blank_rate=one.blank,
        observable=(one.pd - one.blank) / max(1 - one.blank, 1e-9) >= SEEN,
        least_contrast_area_m2=float("nan"),
    )


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """What objects are put into, to see which would have been flagged."""

    setting: RadarSetting
    ground: Ground
    margin: int

    def __call__(self, plan: InjectionPlan) -> tuple[ClassDetectability, ...]:
        """Return how often each class is flagged when it appears and when it vanishes, by kind of ground."""
        strata = strata_of(self.ground, self.margin)
        # Whatever stands on ground of unknown kind may be a ship.
        strata += [replace(one, water=True) for one in strata if one.name in UNKNOWN_KINDS]
        rng = np.random.default_rng(plan.seed)
        found = radar_detectability(self.setting, strata, rng=rng, trials=plan.placements)
        return tuple(_row(one) for one in found)


def find_radar_changes(aligned: Aligned, baseline: Baseline, *, ground: Ground, rate: float, margin: int) -> Detected:
    """Compare two registered radar dates, against their baseline where there is one.

    Parameters
    ----------
    aligned, baseline
        From `gather_radar`, on the padded grid.
    ground
        Where to search, on the grid without its padding.
    rate
        Flags that chance alone may give per km2, both scales together.
    margin
        Pixels of padding on each side, cut off what is returned.

    Raises
    ------
    InsufficientImageryError
        Where too little ground is usable.
    """
    before, after = aligned.before, aligned.after
    series = RadarSeries(
        before=np.nan_to_num(np.asarray(before.data)),
        after=np.nan_to_num(np.asarray(after.data)),
        baseline=np.nan_to_num(baseline.data),
        valid=before.valid & after.valid,
        baseline_valid=baseline.valid,
        gsd=ground.grid.gsd,
    )
    strata = np.pad(ground.strata, margin)
    try:
        model = fit_radar(series)
        change = detect_radar(series, strata, false_alarms_per_km2=rate, model=model)
    except DetectError as error:
        raise InsufficientImageryError(f"the radar dates cannot be compared: {error}") from error
    searched_km2 = float((change.valid & (strata > 0)).sum()) * series.gsd**2 / 1e6
    objects = [_with_chance(item, change) for item in find_radar_objects(change, series, model)]
    return Detected(
        change=cropped(change, ground.grid, margin),
        objects=tuple(crop_objects(with_chances(objects, searched_km2), margin=margin, shape=ground.grid.shape)),
        frame=change,
        statistics_of=None,
        obstacle=None,
        seen=_Trial(setting=RadarSetting(series=series, model=model, change=change), ground=ground, margin=margin),
    )
