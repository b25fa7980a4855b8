"""What radar would have seen: objects of a given cross-section put into the real dates, and how many are flagged.

An object is a handful of bright points along its length that share its radar cross-section and add coherently, with
random phase, to the looks of the real speckle through the sensor's impulse response. Its cross-section is the
assumption: for parked aircraft it depends on aspect by tens of decibels, and no table of measured ones is public. The
curve over the cross-section, for this ground and this baseline, is the result; the classes are readings of it.

An object that appeared stands on the later date only. One that vanished stood on the earlier date, either as a visitor
or as one that had stood there on most dates of the baseline, and is then part of the usual state. Which it was is not
known beforehand, so what is told of departures is the lesser of the two. But what had stood there on most dates shows
in the usual state: on ground where nothing usually stands that could be such an object (`is_vacant`), what left was a
visitor, and its share is told beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from detect.change import Change
from detect.detectability import DIRECTIONS, Stratum
from detect.errors import DetectError
from detect.injection import Direction
from detect.radar import RadarModel, RadarSeries, radar_statistics
from detect.radar_evidence import FADING_DB
from detect.radar_injection import Kind, Values, Window, inject_points, points_of, usual_power
from detect.rates import wilson
from detect.targets import object_class

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
History = Literal["arrival", "visit", "resident"]
"""On the later date only, on the earlier date only, or on all dates but the later."""
VACANT_SHARE = 0.01
"""Ground is vacant where at most this share of a class is so faint that it could be what usually stands there."""
ROOM = 2.0
"""Factor by which an object may be brighter than its usual power shows: for fading, and the shape of its return."""
VACANCY_DRAWS = 400
REACH_PX = 2
"""How far beyond its points a flag may lie and still be the object's."""
BINS_DBSM = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0)
HISTORIES: Mapping[Direction, tuple[History, ...]] = {"appeared": ("arrival",), "vanished": ("visit", "resident")}

CROSS_SECTIONS_DBSM: Mapping[str, tuple[float, float]] = {
    "An-124": (32.0, 5.0),
    "Il-76": (28.0, 5.0),
    "Su-24": (19.0, 5.0),
    "Ka-52": (15.0, 5.0),
    "launcher": (18.0, 5.0),
    "ship-120m": (40.0, 6.0),
}
"""Mean and standard deviation over aspects, decibels over a square metre: assumptions, none of them measured."""


@dataclass(frozen=True, kw_only=True)
class RadarDetection:
    """How often objects of a cross-section, or of a class, were flagged."""

    name: str
    """"15 to 20 dBsm", or the class."""
    ground: str
    """Kind of ground."""
    direction: Direction
    pd: float
    """Share of them with a flag, 0 to 1; of departures, of the history that is seen less often."""
    interval: tuple[float, float]
    """Of that share, 95 %."""
    trials: int
    blank: float
    """Share of the same places that would have counted as a hit with nothing put there."""
    visitor: float
    """Share of those alone that stood there on one date only; `pd` where that is all."""


@dataclass(frozen=True, kw_only=True)
class RadarSetting:
    """What objects are put into: two dates, what was fitted to them, and the thresholds."""

    series: RadarSeries
    model: RadarModel
    change: Change

    def standing(self, ground: BoolArray) -> float:
        """Return how bright the strongest thing is that usually stands on searched ground, its ground taken off.

        Linear power of its brightest pixel at the first polarisation; without end where no usual state is known. The
        glint of what stands beside the ground has its brightest pixel there, and does not count.
        """
        if not self.model.dates:
            return float("inf")
        power = self.model.mean[0] * self.model.usual(self.model.seen).standing[0]
        top = power >= cv2.dilate(power, np.ones((3, 3), np.uint8))
        rows, cols = self.places(ground & top)
        return float(power[rows, cols].max(initial=0.0))

    def places(self, ground: BoolArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows and columns of searched ground where objects may stand."""
        rows, cols = np.nonzero(ground & np.isfinite(self.change.objects.threshold) & self.change.valid)
        return rows, cols


def _reached(ratio: FloatArray, points: Values) -> bool:
    """Return whether the threshold is reached within REACH_PX of an object's points."""
    for row, col in np.round(points[:, :2]).astype(int):
        rows, cols = (slice(max(at - REACH_PX, 0), at + REACH_PX + 1) for at in (row, col))
        window = ratio[rows, cols]
        if window.size and window.max() >= 1:
            return True
    return False


def _ratio(statistic: FloatArray, threshold: FloatArray) -> FloatArray:
    """Return the statistic over its threshold, 0 where nothing is searched."""
    return np.asarray(np.nan_to_num(statistic / threshold, nan=0.0, posinf=0.0), dtype=np.float32)


def _window(setting: RadarSetting, place: tuple[int, int], length_m: float) -> Window:
    """Return the ground around a place that an object's statistic depends on: its ring, its length, its response."""
    options, gsd = setting.model.options, setting.series.gsd
    reach = int(np.ceil((options.ring_outer_m + length_m) / 2 / gsd)) + REACH_PX + 2
    rows, cols = (slice(max(at - reach, 0), at + reach + 1) for at in place)
    return rows, cols


def _hit(
    setting: RadarSetting, place: tuple[int, int], kind: Kind, history: History, rng: np.random.Generator
) -> tuple[bool, bool]:
    """Put an object into a place; return whether it is flagged, and whether the place would have been without it."""
    series, model, change = setting.series, setting.model, setting.change
    window = _window(setting, place, kind.length_m)
    whole = (slice(None), *window)
    points = points_of(kind, series.gsd, rng)
    points[:, :2] += (place[0] - window[0].start, place[1] - window[1].start)
    dates = {"before": series.before[whole], "after": series.after[whole]}
    host = "after" if history == "arrival" else "before"
    faded = points * (1, 1, 10 ** (rng.normal(0, FADING_DB) / 20))
    dates[host] = inject_points(dates[host], faded, looks=model.looks, gsd=series.gsd, rng=rng)
    mean = model.mean[whole]
    if history == "resident" and model.dates:
        mean = mean + usual_power(points, mean.shape, series.gsd)
    part = replace(
        model,
        mean=mean,
        seen=model.seen[window],
        area_usual=model.area_usual[whole],
        nulls=(),
    )
    maps = radar_statistics(dates["before"], dates["after"], series.valid[window], part)
    threshold = change.objects.threshold[window]
    return (
        _reached(_ratio(maps.objects, threshold), points),
        _reached(_ratio(change.objects.statistic[window], threshold), points),
    )


def _tried(
    setting: RadarSetting, kind: Kind, ground: Stratum, direction: Direction, *, trials: int, rng: np.random.Generator
) -> RadarDetection:
    """Put objects of a kind on a kind of ground; each history of a direction is tried as often."""
    rows, cols = setting.places(ground.where)
    results = []
    for history in HISTORIES[direction]:
        picked = rng.integers(len(rows), size=trials)
        results.append([_hit(setting, (int(rows[k]), int(cols[k])), kind, history, rng) for k in picked])
    least = min(results, key=lambda pairs: sum(hit for hit, _ in pairs))
    hits = sum(hit for hit, _ in least)
    return RadarDetection(
        name=kind.name,
        ground=ground.name,
        direction=direction,
        pd=hits / trials,
        interval=wilson(hits, trials),
        trials=trials,
        blank=sum(blank for _, blank in least) / trials,
        visitor=sum(hit for hit, _ in results[0]) / trials,
    )


@cache
def _faintest(name: str, gsd: float) -> float:
    """Return the brightest pixel of the usual power that all but VACANT_SHARE of a class exceed as residents."""
    rng = np.random.default_rng(0)
    kind = Kind(name=name, length_m=object_class(name).length_m, dbsm=CROSS_SECTIONS_DBSM[name], uniform=False)
    side = 2 * int(np.ceil(kind.length_m / gsd)) + 21
    middle = (side // 2, side // 2, 0)
    peaks = [usual_power(points_of(kind, gsd, rng) + middle, (1, side, side), gsd).max() for _ in range(VACANCY_DRAWS)]
    return float(np.quantile(peaks, VACANT_SHARE))


def is_vacant(setting: RadarSetting, ground: BoolArray, name: str) -> bool:
    """Return whether nothing usually stands on some ground that could be an object of a class.

    What stood there on most dates is part of the usual power. Where all but the faintest VACANT_SHARE of the class
    would outshine all that is, none of them had: what left that ground had come as a visitor.

    Parameters
    ----------
    setting
        The dates, with what was fitted to them.
    ground
        (row, col) True = the place that is asked about, such as one zone.
    name
        Of CROSS_SECTIONS_DBSM.
    """
    return ROOM * setting.standing(ground) < _faintest(name, setting.series.gsd)


def cross_section_curve(
    setting: RadarSetting,
    ground: Stratum,
    *,
    rng: np.random.Generator,
    trials: int = 60,
    steps: Sequence[float] = BINS_DBSM,
) -> tuple[RadarDetection, ...]:
    """Return how often an object of 20 m in each step of cross-section is flagged, appeared and vanished.

    Parameters
    ----------
    setting
        The dates and thresholds.
    ground
        Where objects may stand, such as one zone.
    rng
        Of places, phases and aspects.
    trials
        Objects of each step, direction and history.
    steps
        Bounds of the steps, decibels over a square metre.

    Raises
    ------
    DetectError
        Where none of the ground is searched.
    """
    if not len(setting.places(ground.where)[0]):
        raise DetectError("no searched ground to put an object on")
    kinds = [
        Kind(name=f"{low:g} to {high:g} dBsm", length_m=20.0, dbsm=(low, high), uniform=True)
        for low, high in pairwise(steps)
    ]
    return tuple(
        _tried(setting, kind, ground, direction, trials=trials, rng=rng) for direction in DIRECTIONS for kind in kinds
    )


def radar_detectability(
    setting: RadarSetting, strata: Sequence[Stratum], *, rng: np.random.Generator, trials: int = 60
) -> tuple[RadarDetection, ...]:
    """Return how often each class of CROSS_SECTIONS_DBSM, with its assumed cross-section, is flagged.

    Parameters
    ----------
    setting
        The dates and thresholds.
    strata
        Kinds of ground; ships are put on those that are water, all else on the others. Ground of which nothing is
        searched is left out.
    rng
        Of places, phases and aspects.
    trials
        Objects of each class, direction, history and kind of ground.
    """
    rows = []
    for ground in (one for one in strata if len(setting.places(one.where)[0])):
        for name, assumed in CROSS_SECTIONS_DBSM.items():
            model = object_class(name)
            if (model.kind == "ship") != ground.water:
                continue
            kind = Kind(name=name, length_m=model.length_m, dbsm=assumed, uniform=False)
            rows += [_tried(setting, kind, ground, way, trials=trials, rng=rng) for way in DIRECTIONS]
    return tuple(rows)
