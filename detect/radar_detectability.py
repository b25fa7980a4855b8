"""What radar would have seen: objects of a given cross-section put into the real date, and how many are flagged.

An object is a handful of bright points along its length that share its radar cross-section and add coherently, with
random phase, to the looks of the real speckle through the sensor's impulse response. Its cross-section is the
assumption: for parked aircraft it depends on aspect by tens of decibels, and no table of measured ones is public. The
curve over the cross-section, for this ground and this baseline, is the result; the classes are readings of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detect.change import Change
from detect.errors import DetectError
from detect.radar import RadarModel, RadarSeries, radar_statistics
from detect.rates import wilson
from detect.targets import object_class

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Values = NDArray[np.float64]

RESPONSE_M = (13.2, 12.0)
"""Standard deviation (rows, cols) of the amplitude response of Sentinel-1 IW GRD, of 22 m by 20 m resolution."""
CROSS_POLARISED_DB = (-8.0, 2.0)
"""Mean and standard deviation of VH over VV of a man-made object: an assumption."""
POINT_SPACING_M = 9.0
MOST_POINTS = 8
APART_M = 160.0
"""Least distance of objects put into one image: no two in one place, nor much in one another's ring."""
REACH_PX = 1.5
"""How far beyond its points a flag may lie and still be the object's."""
FADING_DB = 2.5
"""Standard deviation of an object's cross-section from look to look: an assumption."""
BINS_DBSM = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0)

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
    pd: float
    """Share of them with a flag, 0 to 1."""
    interval: tuple[float, float]
    """Of that share, 95 %."""
    trials: int
    blank: float
    """Share of the same places that would have counted as a hit with nothing put there."""


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """What objects are put into."""

    series: RadarSeries
    model: RadarModel
    change: Change
    searched: BoolArray
    """(row, col) where they may stand."""


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """What is put there."""

    length_m: float
    dbsm: tuple[float, float]
    """Least and largest cross-section, or its mean and standard deviation."""
    uniform: bool

    def draw(self, count: int, rng: np.random.Generator) -> Values:
        """Return cross-sections (count,)."""
        return rng.uniform(*self.dbsm, count) if self.uniform else rng.normal(*self.dbsm, count)


@dataclass(frozen=True, kw_only=True)
class _Objects:
    """Objects to be put into one image."""

    places: Values
    """(object, 2) row and col of their middles."""
    dbsm: Values
    """(object,)."""
    length_m: Values
    """(object,)."""


def _spread_places(ground: BoolArray, count: int, apart_px: float, rng: np.random.Generator) -> Values:
    """Return up to `count` places (place, 2) on the ground, none nearer to another than `apart_px`."""
    rows, cols = np.nonzero(ground)
    chosen: list[tuple[float, float]] = []
    for k in rng.permutation(len(rows))[: 40 * count]:
        place = float(rows[k]) + rng.uniform(-0.5, 0.5), float(cols[k]) + rng.uniform(-0.5, 0.5)
        if all(np.hypot(place[0] - r, place[1] - c) >= apart_px for r, c in chosen):
            chosen.append(place)
        if len(chosen) == count:
            break
    return np.array(chosen).reshape(-1, 2)


def _points(objects: _Objects, k: int, gsd: float, rng: np.random.Generator) -> Values:
    """Return the points (point, 3) of one object: row, col, and amplitude at the first polarisation."""
    length = float(objects.length_m[k])
    count = int(np.clip(length / POINT_SPACING_M, 1, MOST_POINTS))
    heading = rng.uniform(0, np.pi)
    along = rng.uniform(-0.45, 0.45, count) * length / gsd
    shares = rng.dirichlet(np.ones(count))
    total = 10 ** ((objects.dbsm[k] + rng.normal(0, FADING_DB)) / 10) / gsd**2
    middle = objects.places[k]
    return np.stack(
        [middle[0] - along * np.cos(heading), middle[1] + along * np.sin(heading), np.sqrt(total * shares)], axis=1
    )


def inject_points(
    power: FloatArray, points: Values, *, looks: tuple[float, ...], gsd: float, rng: np.random.Generator
) -> FloatArray:
    """Return an image (polarisation, row, col) with bright points added to its speckle.

    In each look a point of amplitude a adds a^2 + 2 a sqrt(x) cos(phase) to the power x; the mean over n looks of the
    cosine has the variance 1 / (2 n). Points of one object interfere with one another in the same way.

    Parameters
    ----------
    power
        Linear power as read.
    points
        (point, 3): row, col, and amplitude at the first polarisation.
    looks
        (polarisation,).
    gsd
        Metres per pixel.
    rng
        Of the phases.
    """
    out = power.astype(np.float32).copy()
    reach = int(np.ceil(4 * max(RESPONSE_M) / gsd))
    cross = 10 ** (rng.normal(*CROSS_POLARISED_DB) / 20)
    scale = np.array(RESPONSE_M) / gsd
    for row, col, amplitude in points:
        rows = np.arange(max(round(row) - reach, 0), min(round(row) + reach + 1, out.shape[1]))
        cols = np.arange(max(round(col) - reach, 0), min(round(col) + reach + 1, out.shape[2]))
        down, across = (
            np.exp(-(((k - at) / s) ** 2) / 2) for k, at, s in ((rows, row, scale[0]), (cols, col, scale[1]))
        )
        shape = np.outer(down, across) / np.sqrt(np.pi * scale.prod())
        window = (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
        for k, n in enumerate(looks):
            field = amplitude * shape * (cross if k else 1.0)
            beat = 2 * rng.normal(0, np.sqrt(1 / (2 * n)))
            now = out[(k, *window)]
            out[(k, *window)] = np.maximum(now + field**2 + beat * field * np.sqrt(np.maximum(now, 0)), 1e-6)
    return out


def _reached(ratio: FloatArray, points: Values) -> bool:
    """Return whether the threshold is reached within REACH_PX of an object's points."""
    reach = int(np.ceil(REACH_PX))
    for row, col in np.round(points[:, :2]).astype(int):
        window = ratio[max(row - reach, 0) : row + reach + 1, max(col - reach, 0) : col + reach + 1]
        if window.size and window.max() >= 1:
            return True
    return False


def _trials(setting: _Setting, objects: _Objects, rng: np.random.Generator) -> tuple[BoolArray, BoolArray]:
    """Return which objects are flagged, and which places would have been without them."""
    series, model, change = setting.series, setting.model, setting.change
    points = [_points(objects, k, series.gsd, rng) for k in range(len(objects.dbsm))]
    after = series.after
    for one in points:
        after = inject_points(after, one, looks=model.looks, gsd=series.gsd, rng=rng)
    maps = radar_statistics(series.before, after, series.valid, model)
    with_objects, without = (
        np.nan_to_num(one / change.objects.threshold, nan=0.0, posinf=0.0).astype(np.float32)
        for one in (maps.objects, change.objects.statistic)
    )
    return (
        np.array([_reached(with_objects, one) for one in points]),
        np.array([_reached(without, one) for one in points]),
    )


def _detection(name: str, hits: BoolArray, blank: BoolArray) -> RadarDetection:
    return RadarDetection(
        name=name,
        pd=float(hits.mean()),
        interval=wilson(int(hits.sum()), len(hits)),
        trials=len(hits),
        blank=float(blank.mean()),
    )


def radar_detectability(
    series: RadarSeries,
    model: RadarModel,
    change: Change,
    ground: BoolArray,
    *,
    rng: np.random.Generator,
    trials: int = 60,
) -> tuple[tuple[RadarDetection, ...], tuple[RadarDetection, ...]]:
    """Return how often objects put into the later date are flagged: by cross-section, and by class.

    Parameters
    ----------
    series, model, change
        The dates, what was fitted to them, and the thresholds.
    ground
        (row, col) True = where objects may stand, such as one zone.
    rng
        Of places, phases and aspects.
    trials
        Objects of each class and of each step of cross-section, at least.

    Returns
    -------
    curve
        An object of 20 m in each step of BINS_DBSM.
    classes
        Those of CROSS_SECTIONS_DBSM, with their assumed cross-sections.

    Raises
    ------
    DetectError
        Where no object has room on the searched ground.
    """
    searched = ground & np.isfinite(change.objects.threshold) & change.valid
    if not searched.any():
        raise DetectError("no searched ground to put an object on")
    setting = _Setting(series=series, model=model, change=change, searched=searched)
    curve = [
        _tried(f"{low:g} to {high:g} dBsm", _Kind(length_m=20.0, dbsm=(low, high), uniform=True), setting, rng, trials)
        for low, high in pairwise(BINS_DBSM)
    ]
    classes = [
        _tried(name, _Kind(length_m=object_class(name).length_m, dbsm=assumed, uniform=False), setting, rng, trials)
        for name, assumed in CROSS_SECTIONS_DBSM.items()
    ]
    return tuple(curve), tuple(classes)


def _tried(name: str, kind: _Kind, setting: _Setting, rng: np.random.Generator, trials: int) -> RadarDetection:
    """Put objects of a kind into the image, as many at a time as have room, until there are enough."""
    hits: list[BoolArray] = []
    blank: list[BoolArray] = []
    while sum(len(one) for one in hits) < trials:
        places = _spread_places(setting.searched, trials, APART_M / setting.series.gsd, rng)
        count = len(places)
        objects = _Objects(places=places, dbsm=kind.draw(count, rng), length_m=np.full(count, kind.length_m))
        for parts, found in zip((hits, blank), _trials(setting, objects, rng), strict=True):
            parts.append(found)
    return _detection(name, np.concatenate(hits), np.concatenate(blank))
