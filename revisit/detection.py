"""Where the ground changed between two dates, by what is known of how unchanged ground differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aoi import Grid
from detect.calibrated import detect_series
from detect.calibration import with_chances
from detect.change import Change, ChangedObject, ScaleChange
from detect.detectability import ClassDetectability, InjectionPlan, StatisticsOf
from detect.errors import DetectError
from detect.filters import BoolArray, FloatArray
from detect.injection import Window
from detect.objects import find_objects
from detect.optical import Pair as DatePair
from detect.optical import PairModel, detect_pair, fit_pair
from detect.series import MIN_DATES, Series
from detect.temporal import SeriesModel, fit_series, series_statistics
from imagery.coregister import Aligned
from imagery.raster import Raster
from imagery.scene import Scene
from revisit.baseline import Baseline
from revisit.detectability import name_candidates, pair_statistics
from revisit.flags import crop_objects
from revisit.ground import Ground

NO_CHANCE = "no probability: on earlier dates the thresholds of areas did not hold"
"""Note of a flag that has none in a calibrated run."""


@dataclass(frozen=True, kw_only=True)
class Detected:
    """What was found, on the ground's own grid."""

    change: Change
    objects: tuple[ChangedObject, ...]
    frame: Change
    """The same change with the padding, on the frame of the dates."""
    statistics_of: StatisticsOf | None
    """The optical detector with what was fitted, for other pixels in the same place; None for radar."""
    obstacle: str | None
    """Why the baseline did not serve, though it holds enough dates."""
    seen: Callable[[InjectionPlan], tuple[ClassDetectability, ...]] | None = None
    """Tries which objects would have been flagged; None where `statistics_of` does that."""


def _core(grid: Grid, margin: int) -> tuple[slice, slice]:
    """Return the (rows, cols) of the grid within its padded self."""
    return slice(margin, margin + grid.height), slice(margin, margin + grid.width)


def _crop_scale(scale: ScaleChange, core: tuple[slice, slice]) -> ScaleChange:
    """Return the maps of one scale without the margin."""
    return replace(
        scale,
        statistic=scale.statistic[core],
        p_value=scale.p_value[core],
        direction=scale.direction[core],
        threshold=scale.threshold[core],
    )


def cropped(change: Change, grid: Grid, margin: int) -> Change:
    """Return the maps of both scales on the grid, without the margin."""
    core = _core(grid, margin)
    return replace(
        change,
        objects=_crop_scale(change.objects, core),
        areas=_crop_scale(change.areas, core),
        valid=change.valid[core],
    )


def _part(model: SeriesModel, window: Window) -> SeriesModel:
    """Return what was fitted to a window of the frame."""
    whole = (slice(None), *window)
    usual = replace(
        model.usual,
        state=model.usual.state[whole],
        variance=model.usual.variance[whole],
        in_use=model.usual.in_use[window],
    )
    return replace(
        model,
        reference=model.reference[whole],
        seen=model.seen[window],
        cover=model.cover[window],
        usual=usual,
        area_usual=model.area_usual[window],
        nulls=(),
    )


def series_statistics_of(valid: BoolArray, model: SeriesModel) -> StatisticsOf:
    """Return the detector of a series with its fitted model; `valid` (row, col) is that of the two dates."""

    def statistics_of(before: FloatArray, after: FloatArray, window: Window) -> tuple[FloatArray, FloatArray]:
        maps = series_statistics(before, after, valid[window], _part(model, window))
        return maps.objects, maps.areas

    return statistics_of


def _without_chances(change: Change) -> Change:
    """Return the change without p-values: what is not calibrated has none."""
    scales = (replace(s, p_value=np.full_like(s.p_value, np.nan)) for s in (change.objects, change.areas))
    objects, areas = scales
    return replace(change, objects=objects, areas=areas)


@dataclass(frozen=True, kw_only=True)
class _Compared:
    change: Change
    statistics_of: StatisticsOf
    obstacle: str | None = None


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Two dates and their baseline with what was learned of them, on the padded frame: ready for any rate."""

    before: Raster
    after: Raster
    pair: DatePair
    model: PairModel
    series: Series | None
    """None where the two dates are judged by themselves."""
    series_model: SeriesModel | None
    ground: Ground
    margin: int
    """Pixels of padding on each side."""
    obstacle: str | None
    """Why the baseline did not serve, though it holds enough dates."""

    @property
    def strata(self) -> NDArray[np.uint8]:
        """The ground's kinds (row, col) on the padded frame."""
        return np.pad(self.ground.strata, self.margin)


def _red_nir(bands: Sequence[str]) -> tuple[int, int] | None:
    """Return the places of the red and the near-infrared band; None where one is missing."""
    return (bands.index("B04"), bands.index("B08")) if {"B04", "B08"} <= set(bands) else None


def _series(pair: DatePair, baseline: Baseline, bands: Sequence[str], near_buildings: BoolArray) -> Series:
    """Return two dates with those before them."""
    return Series(
        before=pair.before,
        after=pair.after,
        baseline=baseline.data,
        valid=pair.valid,
        baseline_valid=baseline.valid,
        gsd=pair.gsd,
        red_nir=_red_nir(bands),
        near_buildings=near_buildings,
    )


def fit(aligned: Aligned, baseline: Baseline, *, ground: Ground, margin: int) -> Fitted:
    """Learn how two aligned dates and their baseline differ where nothing changes.

    Parameters
    ----------
    aligned
        The two dates on the padded grid.
    baseline
        On the same grid; with fewer than four dates, the two dates are judged by themselves, uncalibrated.
    ground
        Where to search, on the grid without its padding.
    margin
        Pixels of padding on each side.
    """
    before, after = aligned.before, aligned.after
    pair = DatePair(
        before=np.asarray(before.data),
        after=np.asarray(after.data),
        valid=before.valid & after.valid,
        gsd=ground.grid.gsd,
        shift_error_px=aligned.alignment.residual_px,
    )
    series, learned, obstacle = None, None, None
    if len(baseline.dates) >= MIN_DATES:
        try:
            series = _series(pair, baseline, before.bands, np.pad(ground.near_buildings, margin))
            learned = fit_series(series)
        except DetectError as error:
            obstacle = str(error)
    return Fitted(
        before=before,
        after=after,
        pair=pair,
        model=fit_pair(pair),
        series=series,
        series_model=learned,
        ground=ground,
        margin=margin,
        obstacle=obstacle,
    )


def _alone(fitted: Fitted, rate: float) -> _Compared:
    """Return the change of two dates that are judged by themselves."""
    change = detect_pair(fitted.pair, fitted.strata, false_alarms_per_km2=rate, model=fitted.model)
    return _Compared(change=change, statistics_of=pair_statistics(fitted.pair, fitted.model), obstacle=fitted.obstacle)


def _compared(fitted: Fitted, rate: float) -> _Compared:
    """Return the change of a pair, by the baseline where that can be had."""
    series, learned = fitted.series, fitted.series_model
    if series is None or learned is None:
        return _alone(fitted, rate)
    try:
        change = detect_series(
            series,
            fitted.strata,
            false_alarms_per_km2=rate,
            model=learned,
            pair=fitted.pair,
            pair_model=fitted.model,
        )
    except DetectError as error:
        return replace(_alone(fitted, rate), obstacle=str(error))
    sound = change if change.calibrated else _without_chances(change)
    statistics_of = series_statistics_of(fitted.pair.valid, learned)
    return _Compared(change=sound, statistics_of=statistics_of, obstacle=change.doubt)


def _searched_km2(strata: NDArray[np.uint8], valid: BoolArray, gsd: float) -> float:
    """Return how much searched ground could be compared, km2."""
    return float((valid & (strata > 0)).sum()) * gsd**2 / 1e6


def find_changes(fitted: Fitted, *, scenes: tuple[Scene, Scene], rate: float) -> Detected:
    """Return the changes between two dates.

    Parameters
    ----------
    fitted
        The dates, and what is usual.
    scenes
        Before and after.
    rate
        Flags that chance alone may give per km2, both scales together.
    """
    ground, margin = fitted.ground, fitted.margin
    compared = _compared(fitted, rate)
    change = compared.change
    objects = find_objects(change, fitted.pair, fitted.model)
    objects = with_chances(objects, _searched_km2(fitted.strata, change.valid, fitted.pair.gsd))
    if change.calibrated:
        objects = tuple(
            item if item.p_value is not None else replace(item, notes=(*item.notes, NO_CHANCE)) for item in objects
        )
    named = name_candidates(objects, ground, fitted.before, fitted.after, scenes=scenes)
    return Detected(
        change=cropped(change, ground.grid, margin),
        objects=tuple(crop_objects(named, margin=margin, shape=ground.grid.shape)),
        frame=change,
        statistics_of=compared.statistics_of,
        obstacle=compared.obstacle,
    )
