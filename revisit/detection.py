"""Where the ground changed between two dates, by what is known of how unchanged ground differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aoi import Grid
from detect.calibrated import detect_series
from detect.calibration import with_chances
from detect.change import Change, ChangedObject, ScaleChange
from detect.detectability import StatisticsOf, Window
from detect.errors import DetectError
from detect.filters import BoolArray, FloatArray
from detect.objects import find_objects
from detect.optical import Pair as DatePair
from detect.optical import PairModel, detect_pair, fit_pair
from detect.series import MIN_DATES, Series
from detect.temporal import SeriesModel, fit_series, series_statistics
from imagery.coregister import Aligned
from imagery.scene import Scene
from revisit.baseline import Baseline
from revisit.detectability import name_candidates, pair_statistics
from revisit.flags import crop_objects
from revisit.ground import Ground


@dataclass(frozen=True, kw_only=True)
class Detected:
    """What was found, on the ground's own grid."""

    change: Change
    objects: tuple[ChangedObject, ...]
    frame: Change
    """The same change with the padding, on the frame of the dates."""
    statistics_of: StatisticsOf
    """The detector with what was fitted, for other pixels in the same place."""
    obstacle: str | None
    """Why the baseline did not serve, though it holds enough dates."""


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


def _crop_change(change: Change, core: tuple[slice, slice]) -> Change:
    """Return the maps of both scales without the margin."""
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
class _Asked:
    """What is to be compared, on the padded frame."""

    pair: DatePair
    model: PairModel
    bands: Sequence[str]
    strata: NDArray[np.uint8]
    near_buildings: BoolArray
    rate: float


def _alone(asked: _Asked, obstacle: str | None = None) -> _Compared:
    """Return the change of two dates that are judged by themselves."""
    change = detect_pair(asked.pair, asked.strata, false_alarms_per_km2=asked.rate, model=asked.model)
    return _Compared(change=change, statistics_of=pair_statistics(asked.pair, asked.model), obstacle=obstacle)


def _red_nir(bands: Sequence[str]) -> tuple[int, int] | None:
    """Return the places of the red and the near-infrared band; None where one is missing."""
    return (bands.index("B04"), bands.index("B08")) if {"B04", "B08"} <= set(bands) else None


def _against(baseline: Baseline, asked: _Asked) -> _Compared:
    """Return the change of two dates that are held against a baseline.

    Raises
    ------
    DetectError
        Where the baseline does not tell what is usual on so little ground.
    """
    pair = asked.pair
    series = Series(
        before=pair.before,
        after=pair.after,
        baseline=baseline.data,
        valid=pair.valid,
        baseline_valid=baseline.valid,
        gsd=pair.gsd,
        red_nir=_red_nir(asked.bands),
        near_buildings=asked.near_buildings,
    )
    fitted = fit_series(series)
    change = detect_series(
        series, asked.strata, false_alarms_per_km2=asked.rate, model=fitted, pair=pair, pair_model=asked.model
    )
    sound = change if change.calibrated else _without_chances(change)
    return _Compared(change=sound, statistics_of=series_statistics_of(pair.valid, fitted))


def _compared(baseline: Baseline, asked: _Asked) -> _Compared:
    """Return the change of a pair, by the baseline where that can be had."""
    if len(baseline.dates) < MIN_DATES:
        return _alone(asked)
    try:
        return _against(baseline, asked)
    except DetectError as error:
        return _alone(asked, obstacle=str(error))


def _searched_km2(strata: NDArray[np.uint8], valid: BoolArray, gsd: float) -> float:
    """Return how much searched ground could be compared, km2."""
    return float((valid & (strata > 0)).sum()) * gsd**2 / 1e6


def find_changes(
    aligned: Aligned, baseline: Baseline, *, ground: Ground, scenes: tuple[Scene, Scene], rate: float, margin: int
) -> Detected:
    """Compare two aligned dates, against their baseline where that holds enough dates.

    Parameters
    ----------
    aligned
        The two dates on the padded grid.
    baseline
        On the same grid; with fewer than four dates, the two dates are judged by themselves, uncalibrated.
    ground
        Where to search, on the grid without its padding.
    scenes
        Before and after.
    rate
        Flags that chance alone may give per km2, both scales together.
    margin
        Pixels of padding on each side, cut off what is returned.
    """
    before, after = aligned.before, aligned.after
    pair = DatePair(
        before=np.asarray(before.data),
        after=np.asarray(after.data),
        valid=before.valid & after.valid,
        gsd=ground.grid.gsd,
        shift_error_px=aligned.alignment.residual_px,
    )
    asked = _Asked(
        pair=pair,
        model=fit_pair(pair),
        bands=before.bands,
        strata=np.pad(ground.strata, margin),
        near_buildings=np.pad(ground.near_buildings, margin),
        rate=rate,
    )
    compared = _compared(baseline, asked)
    change = compared.change
    objects = find_objects(change, pair, asked.model)
    objects = with_chances(objects, _searched_km2(asked.strata, change.valid, pair.gsd))
    named = name_candidates(objects, ground, before, after, scenes=scenes)
    return Detected(
        change=_crop_change(change, _core(ground.grid, margin)),
        objects=tuple(crop_objects(named, margin=margin, shape=ground.grid.shape)),
        frame=change,
        statistics_of=compared.statistics_of,
        obstacle=compared.obstacle,
    )
