"""What could have been seen: objects put into the real images, and the share of them that the detector flags."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detect.errors import DetectError
from detect.injection import (
    BoolArray,
    Direction,
    FloatArray,
    Stamp,
    View,
    Window,
    background_of,
    chip_of,
    contrast_area,
    levels,
    make_stamps,
    with_chip,
)
from detect.rates import half_seen, wilson
from detect.targets import CATALOGUE, ObjectClass, object_class

Pixel = tuple[int, int]
"""(row, col)."""
StatisticsOf = Callable[[FloatArray, FloatArray, Window], tuple[FloatArray, FloatArray]]
"""From the pixels of a window on both dates (band, row, col), and where the window lies, to the object map and the
area map of that window. The model is that of the run: nothing is fitted again."""

REACH_M = 250.0
"""How far a pixel's score looks: half of the noise ring (155 m), and the filters' tails."""
CLASSES = ("An-124", "Il-76", "An-26", "Su-24", "Ka-52", "launcher", "ship-25m", "ship-75m", "ship-120m")
"""One class of each size: what a run measures unless it is asked for all."""
SEEN = 0.5
"""A class is observable from this probability on, what chance flags there taken off."""
WEAKEST = 0.05
"""Share of the objects put there that are weaker than what is still taken for one."""
DIRECTIONS: tuple[Direction, Direction] = ("appeared", "vanished")


@dataclass(frozen=True, kw_only=True)
class InjectionPlan:
    """What is put into the images, and how often."""

    classes: tuple[str, ...] = CLASSES
    """Names of the catalogue; ships are put on water, all others on land."""
    placements: int = 60
    """Per class, kind of ground and direction."""
    poses: int = 24
    """Headings (and offsets within the pixel) per class; they are used in turn."""
    seed: int = 20241208

    def __post_init__(self) -> None:
        """Refuse what measures nothing."""
        if self.placements < 1 or self.poses < 1:
            raise DetectError(f"{self.placements} placements in {self.poses} poses measure nothing; give 1 or more")
        for name in self.classes:
            object_class(name)


THOROUGH = InjectionPlan(classes=tuple(CATALOGUE), placements=120, poses=40)
"""Every class of the catalogue, for whoever asks for nothing else."""


@dataclass(frozen=True, kw_only=True)
class Dates:
    """The two dates as the detector sees them."""

    before: FloatArray
    """(band, row, col) reflectance; anything where not valid."""
    after: FloatArray
    valid: BoolArray
    """(row, col) True = usable on both dates."""
    before_view: View
    after_view: View


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """A kind of searched ground."""

    name: str
    where: BoolArray
    """(row, col)."""
    water: bool
    """Whether ships lie there, and nothing else does."""


@dataclass(frozen=True, kw_only=True)
class Maps:
    """What the detector said of the images as they are."""

    objects: FloatArray
    """(row, col) statistic."""
    areas: FloatArray
    object_threshold: FloatArray
    """(row, col) what reaches it is flagged; NaN on ground that is not searched."""
    area_threshold: FloatArray


@dataclass(frozen=True, kw_only=True)
class ClassDetectability:
    """How often a kind of object would have been flagged on a kind of ground."""

    object: str
    """Name in the catalogue."""
    ground: str
    """Kind of ground."""
    direction: Direction
    pd: float
    """Probability of detection; NaN where nothing could be placed."""
    low: float
    """Lower end of Wilson's 95 % interval of `pd`."""
    high: float
    placements: int
    blank_rate: float
    """Share of the same footprints that are flagged with nothing put there."""
    observable: bool
    """Whether such an object, if it was there, was more likely seen than not: (pd - blank) / (1 - blank) >= 0.5."""
    least_contrast_area_m2: float
    """Contrast times area (shadow included) at which half of the objects are flagged on this ground in this direction,
    whatever their class; NaN where the objects put there do not show it."""
    least_strength: float = math.nan
    """Strength (statistic over threshold, at the scale of objects) that all but WEAKEST of the objects put there reach:
    a flag that is weaker is hardly such an object. NaN where nothing could be placed."""
    reason: str | None = None
    """Why there is no `pd`, or why it must be 0."""
    vacant: tuple[str, ...] = ()
    """Zones of this ground on which, by the earlier dates, no such object had stood for long: radar tells."""
    visitor_pd: float | None = None
    """Probability of detection of what left those zones; None where it is `pd`."""


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """One object put into one date."""

    hit: bool
    blank: bool
    """Whether the same footprint is flagged with nothing put there."""
    contrast_area_m2: float
    strength: float
    """Greatest statistic over threshold on the footprint, at the scale of objects; 0 where nothing is searched."""


@dataclass(frozen=True, kw_only=True)
class _Bench:
    """What every trial needs."""

    statistics_of: StatisticsOf
    dates: Dates
    maps: Maps
    reach_px: int


def _window(at: tuple[int, int], half: int, shape: tuple[int, ...]) -> Window:
    """Return the window of `half` pixels or one more around a place, as far as it lies on the frame.

    It begins on an even pixel, so that means of 2 x 2 pixels are those of the whole frame.
    """
    starts = [max(place - half, 0) // 2 * 2 for place in at]
    ends = [min(place + half + 1, size) for place, size in zip(at, shape, strict=True)]
    return slice(starts[0], ends[0]), slice(starts[1], ends[1])


def _flagged(maps: Maps, footprint: tuple[NDArray[np.intp], NDArray[np.intp]]) -> bool:
    """Return whether any score of either scale reaches its threshold on the pixels; NaN reaches nothing."""
    objects = maps.objects[footprint] >= maps.object_threshold[footprint]
    areas = maps.areas[footprint] >= maps.area_threshold[footprint]
    return bool((objects | areas).any())


def _strength(maps: Maps, footprint: tuple[NDArray[np.intp], NDArray[np.intp]]) -> float:
    """Return the greatest statistic over threshold on the pixels, at the scale of objects; 0 where none is searched."""
    ratios = np.nan_to_num(maps.objects[footprint] / maps.object_threshold[footprint])
    return float(ratios.max(initial=0.0))


def _footprint(stamp: Stamp, at: tuple[int, int], shape: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows and columns of a footprint on the frame."""
    rows, cols = np.nonzero(stamp.footprint)
    rows, cols = rows + at[0] - stamp.half, cols + at[1] - stamp.half
    there = (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1])
    return rows[there], cols[there]


def _try(bench: _Bench, model: ObjectClass, stamp: Stamp, *, direction: Direction, at: Pixel, level: float) -> _Trial:
    """Put one object into the date on which it stands, and look whether it is flagged."""
    dates, maps = bench.dates, bench.maps
    appeared = direction == "appeared"
    image, view = (dates.after, dates.after_view) if appeared else (dates.before, dates.before_view)
    rows, cols = _footprint(stamp, at, dates.valid.shape)
    ground = background_of(image, dates.valid, (rows, cols))
    chip = chip_of(stamp, view, background=ground, reflectance=model.reflectance(view.bands, level))
    extent = max(int(np.abs(rows - at[0]).max()), int(np.abs(cols - at[1]).max()))
    window = _window(at, extent + bench.reach_px, dates.valid.shape)
    changed = with_chip(image, chip, at, window)
    still = (dates.before if appeared else dates.after)[:, window[0], window[1]]
    pair = (still, changed) if appeared else (changed, still)
    objects, areas = bench.statistics_of(*pair, window)
    there = Maps(
        objects=objects,
        areas=areas,
        object_threshold=maps.object_threshold[window],
        area_threshold=maps.area_threshold[window],
    )
    inside = rows - window[0].start, cols - window[1].start
    return _Trial(
        hit=_flagged(there, inside),
        blank=_flagged(maps, (rows, cols)),
        contrast_area_m2=contrast_area(chip, view.optics.gsd_m),
        strength=_strength(there, inside),
    )


def _row(
    name: str, ground: str, direction: Direction, trials: Sequence[_Trial], reason: str | None
) -> ClassDetectability:
    """Return what the trials of a class say; without any, that nothing can be said."""
    count, hits = len(trials), sum(trial.hit for trial in trials)
    pd, blank = (hits / count, sum(t.blank for t in trials) / count) if count else (math.nan, math.nan)
    low, high = wilson(hits, count) if count else (math.nan, math.nan)
    return ClassDetectability(
        object=name,
        ground=ground,
        direction=direction,
        pd=pd,
        low=low,
        high=high,
        placements=count,
        blank_rate=blank,
        observable=count > 0 and blank < 1 and (pd - blank) / (1 - blank) >= SEEN,
        least_contrast_area_m2=math.nan,
        least_strength=float(np.quantile([trial.strength for trial in trials], WEAKEST)) if count else math.nan,
        reason=reason,
    )


def _with_least(rows: Sequence[ClassDetectability], trials: Sequence[_Trial]) -> list[ClassDetectability]:
    """Return the rows of one ground and direction with the contrast-area that all their trials show."""
    if not trials:
        return list(rows)
    least = half_seen(np.array([t.contrast_area_m2 for t in trials]), np.array([t.hit for t in trials]))
    return [replace(row, least_contrast_area_m2=least) for row in rows]


def _places(where: BoolArray, count: int, rng: np.random.Generator) -> list[Pixel]:
    """Return `count` random pixels of a map, none twice while there are enough."""
    rows, cols = np.nonzero(where)
    if not len(rows):
        return []
    rounds = [rng.permutation(len(rows)) for _ in range(-(-count // len(rows)))]
    chosen = np.concatenate(rounds)[:count]
    return [(int(rows[k]), int(cols[k])) for k in chosen]


def _reason(stratum: Stratum, dates: Dates, maps: Maps) -> str | None:
    """Return why a kind of ground shows nothing, if it does not."""
    usable = stratum.where & dates.valid
    if not usable.any():
        return "none of this ground is valid on both dates"
    lowest = np.fmin(maps.object_threshold[usable], maps.area_threshold[usable])
    if not np.isfinite(lowest).any():
        return "too little valid ground to learn a threshold from: nothing is flagged here"
    return None


def _measure_class(
    bench: _Bench,
    model: ObjectClass,
    stamps: dict[Direction, tuple[Stamp, ...]],
    *,
    stratum: Stratum,
    direction: Direction,
    plan: InjectionPlan,
) -> list[_Trial]:
    """Return the trials of a class on a kind of ground in one direction; the same whatever else is measured."""
    key = [plan.seed, *f"{stratum.name} {model.name} {direction}".encode()]
    rng = np.random.default_rng(key)
    places = _places(stratum.where & bench.dates.valid, plan.placements, rng)
    posed = stamps[direction]
    return [
        _try(bench, model, posed[k % len(posed)], direction=direction, at=at, level=level)
        for k, (at, level) in enumerate(zip(places, levels(len(places), rng), strict=True))
    ]


def _stamps(model: ObjectClass, dates: Dates, plan: InjectionPlan) -> dict[Direction, tuple[Stamp, ...]]:
    """Return a class in the plan's poses as each date shows it."""
    views: dict[Direction, View] = {"appeared": dates.after_view, "vanished": dates.before_view}
    key, count = [plan.seed, *model.name.encode()], min(plan.poses, plan.placements)
    return {
        direction: make_stamps(model, view, count=count, rng=np.random.default_rng(key))
        for direction, view in views.items()
    }


def measure(
    statistics_of: StatisticsOf, dates: Dates, *, strata: Sequence[Stratum], maps: Maps, plan: InjectionPlan
) -> tuple[ClassDetectability, ...]:
    """Return how often each class is flagged when it is put into the images of a run.

    Each object is put, alone, at a random valid pixel of its ground, in a random pose and reflectance, on the date on
    which it stands; the part of the frame that its score depends on goes through the run's own detector again. It is
    seen where a score of either scale reaches its threshold on its footprint or one pixel beside it.

    Parameters
    ----------
    statistics_of
        The run's detector with its fitted model.
    dates, maps
        What it saw and what it said, on one frame.
    strata
        Kinds of searched ground; ships are put on those that are water, all other classes on the others.
    plan
        Which classes, and how often.

    Returns
    -------
    By kind of ground, direction and class, in the order given. A kind of ground without valid pixels has rows without
    a probability, and the reason.
    """
    reach = math.ceil(REACH_M / dates.after_view.optics.gsd_m)
    bench = _Bench(statistics_of=statistics_of, dates=dates, maps=maps, reach_px=reach)
    models = [object_class(name) for name in plan.classes]
    stamps = {model.name: _stamps(model, dates, plan) for model in models}
    rows: list[ClassDetectability] = []
    for stratum in strata:
        fitting = [model for model in models if (model.kind == "ship") == stratum.water]
        reason = _reason(stratum, dates, maps)
        for direction in DIRECTIONS:
            tried = {
                model.name: _measure_class(
                    bench, model, stamps[model.name], stratum=stratum, direction=direction, plan=plan
                )
                for model in fitting
            }
            here = [_row(name, stratum.name, direction, trials, reason) for name, trials in tried.items()]
            rows += _with_least(here, [trial for trials in tried.values() for trial in trials])
    return tuple(rows)
