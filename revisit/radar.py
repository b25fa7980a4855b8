"""Two radar dates of one relative orbit, and those before them: registered, compared, and tried with known objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from aoi import AOI
from detect.calibration import with_chances
from detect.change import Change, ChangedObject
from detect.detectability import ClassDetectability, InjectionPlan
from detect.errors import DetectError
from detect.radar import RadarSeries, fit_radar
from detect.radar_change import detect_radar, find_radar_objects
from detect.radar_detectability import RadarDetection, RadarSetting, is_vacant, radar_detectability
from imagery.baseline import baseline_doubts, baseline_order, baseline_period, choose_baseline, thin
from imagery.coregister import Aligned, Alignment
from imagery.datatake import one_per_pass
from imagery.errors import InsufficientImageryError
from imagery.raster import BoolArray, Raster
from imagery.scene import Scene
from imagery.sources.base import Source
from revisit.baseline import Baseline, BaselineDate
from revisit.detectability import UNKNOWN_KINDS, strata_of
from revisit.detection import Detected, cropped
from revisit.flags import crop_objects
from revisit.ground import Ground
from revisit.radar_dates import (
    MOST_SHIFT_PX,
    alignments_of,
    another_radar,
    interference,
    moved,
    open_water,
    still,
    wind,
)
from revisit.result import SceneRecord
from revisit.scenes import UNUSABLE, Pair, applied_offset

UNREGISTERED = (
    "the radar dates were not registered: nothing fixed and bright stands on this ground; an error of half a pixel is"
    " assumed"
)
NOTABLE_SHIFT_PX = 1.0
"""A date that was moved so far is told of: products of one satellite and orbit lie within a tenth of a pixel."""
WHOLE_WATER, OVER_WATER = 0.5, 0.8
"""An area of which OVER_WATER lies on the outlined open water, of which it covers WHOLE_WATER, is wind."""
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


@dataclass(frozen=True, kw_only=True)
class _Laid:
    """Dates on the frame of the first."""

    rasters: tuple[Raster, ...]
    alignments: tuple[Alignment, ...]
    kept: tuple[int, ...]
    """Which of the given dates these are."""
    rejected: tuple[str, ...]


def _unregistered(rasters: Sequence[Raster], scenes: Sequence[Scene]) -> _Laid:
    """Return the dates where they are, without those of other satellites, which lie some pixels apart."""
    before, after = scenes[:2]
    if another_radar(before, after):
        raise InsufficientImageryError(
            f"{before.id} and {after.id} come from {before.platform} and {after.platform}, whose products lie a pixel"
            " or two apart, and nothing fixed stands here to register them on: choose dates of one satellite"
        )
    kept = [k for k, scene in enumerate(scenes) if not another_radar(before, scene)]
    lost = [scenes[k] for k in range(len(scenes)) if k not in kept]
    return _Laid(
        rasters=tuple(rasters[k] for k in kept),
        alignments=tuple(still(rasters[k].grid.gsd) for k in kept),
        kept=tuple(kept),
        rejected=tuple(f"baseline: {one.id} rejected: of {one.platform}, and nothing to register on" for one in lost),
    )


def _lay_over(rasters: Sequence[Raster], scenes: Sequence[Scene]) -> _Laid:
    """Lay all dates over the first by what never moves; leave out the dates of the baseline that cannot be."""
    found = alignments_of(rasters)
    if found is None or found[0] is None or found[1] is None:
        return _unregistered(rasters, scenes)
    kept, alignments, rejected = [], [], []
    for k, (one, scene) in enumerate(zip(found, scenes, strict=True)):
        off = 0.0 if one is None else float(np.hypot(*one.shift_px))
        if one is not None and off <= MOST_SHIFT_PX:
            kept.append(k)
            alignments.append(one)
        elif k == 1:
            raise InsufficientImageryError(
                f"{scene.id} lies {off:.1f} px off {scenes[0].id}, by what never moves; {MOST_SHIFT_PX:g} px at most"
                " can be mended: it is misplaced or of another orbit; choose another date"
            )
        else:
            why = f"it lies {off:.1f} px off the before scene" if one else "it cannot be registered on what never moves"
            rejected.append(f"baseline: {scene.id} rejected: {why}")
    return _Laid(
        rasters=tuple(moved(rasters[k], one) for k, one in zip(kept, alignments, strict=True)),
        alignments=tuple(alignments),
        kept=tuple(kept),
        rejected=tuple(rejected),
    )


def _shift_notes(laid: _Laid, scenes: Sequence[Scene]) -> Iterator[str]:
    """Yield what is to be said of where the dates lay."""
    if laid.alignments[1].score == 0:
        yield UNREGISTERED
    off = [float(np.hypot(*one.shift_px)) for one in laid.alignments]
    if off[1] >= NOTABLE_SHIFT_PX:
        yield f"{scenes[1].id} lay {off[1]:.1f} px off the before scene and was moved onto it"
    if many := sum(one >= NOTABLE_SHIFT_PX for one in off[2:]):
        yield f"baseline: {many} of {len(off) - 2} dates lay {NOTABLE_SHIFT_PX:g} px or more off and were moved"


def _pair_notes(laid: _Laid, scenes: Sequence[Scene], stripes: Sequence[str | None]) -> tuple[str, ...]:
    """Return what every flag of the pair must say."""
    notes = [f"{name}: {line}" for name, line in zip(("before", "after"), stripes, strict=False) if line]
    if another_radar(*scenes[:2]):
        error = max(laid.alignments[1].standard_error_px)
        notes.append(
            f"the dates come from {scenes[0].platform} and {scenes[1].platform}, registered on fixed structures to"
            f" {error:.2f} px"
        )
    return tuple(notes)


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
    series = [before, after, *(record.scene for record in dates.records)]
    laid = _lay_over([pair.before, pair.after, *dates.rasters], series)
    used = [series[k] for k in laid.kept]
    stripes = interference(laid.rasters, used)
    heard = [f"{scene.id}: {line}" for scene, line in zip(used[:2], stripes, strict=False) if line]
    spoilt = [f"baseline: {s.id} rejected: {line}" for s, line in zip(used[2:], stripes[2:], strict=True) if line]
    chosen = [k for k in range(2, len(used)) if not stripes[k]]
    chosen.sort(key=lambda k: used[k].acquired)
    records = [dates.records[laid.kept[k] - 2] for k in chosen]
    kept, shape = [laid.rasters[k] for k in chosen], pair.before.data.shape
    baseline = Baseline(
        dates=tuple(
            BaselineDate(record=record, alignment=laid.alignments[k]) for record, k in zip(records, chosen, strict=True)
        ),
        data=np.stack([one.data for one in kept]) if kept else np.empty((0, *shape), np.float32),
        valid=np.stack([one.valid for one in kept]) if kept else np.empty((0, *shape[1:]), np.bool_),
        warnings=(
            *_shift_notes(laid, used),
            *heard,
            *wind(laid.rasters, used, open_water(aoi, pair.before.grid)),
            *rejected,
            *laid.rejected,
            *spoilt,
            *baseline_doubts([record.scene for record in records], before),
        ),
        complete=complete,
        notes=_pair_notes(laid, used, stripes),
    )
    return Aligned(before=laid.rasters[0], after=laid.rasters[1], alignment=laid.alignments[1]), baseline


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
        vacant = {pair: self._vacant(*pair) for pair in {(one.name, one.ground) for one in found}}
        return tuple(
            replace(_row(one), vacant=vacant[one.name, one.ground], visitor_pd=one.visitor)
            if one.direction == "vanished" and vacant[one.name, one.ground]
            else _row(one)
            for one in found
        )

    def _vacant(self, name: str, kind: str) -> tuple[str, ...]:
        """Return the zones of a kind of ground where nothing usually stands that could be of a class."""
        zones = [(zone.name, self.ground.zones.get(zone.name)) for zone in self.ground.aoi.zones if zone.kind == kind]
        return tuple(
            zone
            for zone, pixels in zones
            if pixels is not None and is_vacant(self.setting, np.pad(pixels, self.margin), name)
        )


def _is_wind(item: ChangedObject, water: BoolArray) -> bool:
    """Return whether an area is the open water (row, col) as a whole."""
    over = int(water[item.rows, item.cols].sum())
    return item.scale == "area" and over >= OVER_WATER * len(item.rows) and over >= WHOLE_WATER * max(water.sum(), 1)


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
    water = np.pad(open_water(ground.aoi, ground.grid), margin) & change.valid
    objects = [
        replace(_with_chance(item, change), notes=(*item.notes, *baseline.notes))
        for item in find_radar_objects(change, series, model)
        if not _is_wind(item, water)
    ]
    return Detected(
        change=cropped(change, ground.grid, margin),
        objects=tuple(crop_objects(with_chances(objects, searched_km2), margin=margin, shape=ground.grid.shape)),
        frame=change,
        statistics_of=None,
        obstacle=None,
        seen=_Trial(setting=RadarSetting(series=series, model=model, change=change), ground=ground, margin=margin),
    )
