"""Activity of a place over time: all dates of both sensors read, what came and went followed, zone by zone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from aoi import AOI
from aoi.formats import load_area
from detect.activity import restlessness
from detect.calibrated import SHADED
from detect.departures import Departures, optical_departures
from detect.errors import DetectError
from detect.radar_departures import radar_departures
from detect.scan import scan_places
from detect.tracks import Track, follow_places, size_of
from imagery.errors import InsufficientImageryError, NoSceneError, SourceError
from imagery.raster import BoolArray
from imagery.sources.base import Source
from revisit.afloat import WATER_KINDS
from revisit.ground import Ground, ground_warnings
from revisit.pipeline import GSD_M, MARGIN_PX, ground_of
from revisit.series_dates import DateStack, Frame
from revisit.series_gather import find_dates, read_dates
from revisit.series_recipe import SeriesRecipe, check_series
from revisit.series_result import Followed, SeriesResult, TrackSeries
from revisit.series_rows import DAY_S, make_changes, make_gaps, make_rows
from revisit.series_water import count_vessels, follow_berths
from revisit.sources import Access, Opened, open_source

SEED = 7
"""Of the choice of calm places: the same series gives the same bytes."""
LETTERS = {"s2": "T", "s1": "R"}

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
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 3)


def _strata(frame: Frame) -> NDArray[np.uint8]:
    """Return the kinds of searched ground (row, col) on the padded frame; beside buildings it is a kind of its own."""
    ground = frame.ground
    shaded = (ground.strata > 0) & ground.near_buildings
    return np.pad(np.where(shaded, np.uint8(SHADED), ground.strata), frame.margin)


def _names_of(track: Track, frame: Frame) -> tuple[str, ...]:
    """Return the zone that holds most of a place, else the one that its strongest pixel lies in; then the others.

    Zones may overlap: those that hold half of the place or more follow.
    """
    ground = frame.ground
    rows, cols = (k - frame.margin for k in track.place.pixels)
    inside = (rows >= 0) & (cols >= 0) & (rows < ground.grid.height) & (cols < ground.grid.width)
    held = {name: int(pixels[rows[inside], cols[inside]].sum()) for name, pixels in ground.zones.items()}
    if not any(held.values()):
        at = tuple(k - frame.margin for k in track.place.at)
        held = {name: int(pixels[at]) for name, pixels in ground.zones.items()}
    order = sorted(held, key=lambda name: (-held[name], int(ground.zones[name].sum())))
    names = [name for k, name in enumerate(order) if held[name] and (k == 0 or 2 * held[name] >= int(inside.sum()))]
    return tuple(names) or ("area",)


def _followed(tracks: Sequence[Track], frame: Frame, sensor: str, start: int) -> tuple[Followed, ...]:
    """Return the tracks with names, zones and sizes."""
    out = []
    for number, track in enumerate(tracks, start + 1):
        length, width = size_of(track.place.pixels, gsd=frame.ground.grid.gsd, radar=sensor == "s1")
        zone, *also = _names_of(track, frame)
        name = f"{LETTERS[sensor]}{number}"
        item = Followed(id=name, zone=zone, also=tuple(also), track=track, length_m=length, width_m=width)
        out.append(item)
    return tuple(out)


def _departures(stack: DateStack, gsd: float) -> Departures:
    """Return how far each date departs from what is usual, by what its sensor asks for."""
    work = optical_departures if stack.sensor == "s2" else radar_departures
    return work(stack.data, stack.valid, gsd=gsd)


def _water(frame: Frame) -> BoolArray:
    """Return where ships lie (row, col) on the padded frame, by the zones."""
    water = np.zeros(frame.ground.grid.shape, np.bool_)
    for zone in frame.ground.aoi.zones:
        if zone.kind in (*WATER_KINDS, "berth") and zone.name in frame.ground.zones:
            water |= frame.ground.zones[zone.name]
    return np.pad(water, frame.margin)


def _zones(ground: Ground) -> dict[str, BoolArray]:
    return dict(ground.zones) or {"area": ground.inside}


def follow_stack(stack: DateStack, frame: Frame, *, rate: float, numbered_from: int = 0) -> TrackSeries:
    """Follow what came and went on the dates of one track.

    Parameters
    ----------
    stack, frame
        The dates.
    rate
        Places that chance alone may show as changed, per km2 over all dates.
    numbered_from
        Objects of the same sensor that have numbers already.
    """
    gsd, strata = frame.ground.grid.gsd, _strata(frame)
    vessels, said = count_vessels(stack, frame) if len(stack.data) else ({}, ())
    berths = follow_berths(stack, frame) if len(stack.data) else {}
    stack = replace(stack, warnings=(*stack.warnings, *said))
    blank = TrackSeries(stack=stack, scan=None, objects=(), anomalies={}, vessels=vessels, berths=berths, obstacle=None)
    try:
        seen = _departures(stack, gsd)
        scan = scan_places(seen, strata, false_places_per_km2=rate)
    except DetectError as error:
        return replace(blank, obstacle=f"{stack.name} cannot be followed: {error}")
    days = np.array([moment.timestamp() / DAY_S for moment in stack.times])
    rng = np.random.default_rng(SEED)
    tracks = follow_places(seen, scan, days, strata, rng=rng, water=_water(frame))
    zones = {name: np.pad(pixels, frame.margin) for name, pixels in _zones(frame.ground).items()}
    return replace(
        blank,
        scan=scan,
        objects=_followed(tracks, frame, stack.sensor, numbered_from),
        anomalies={name: restlessness(seen, scan, pixels, strata) for name, pixels in zones.items()},
    )


@dataclass(kw_only=True)
class _Run:
    """The tracks of a series as they are read and followed."""

    source: Source
    frame: Frame
    recipe: SeriesRecipe
    tell: Progress
    clock: _Clock = field(default_factory=_Clock)
    series: list[TrackSeries] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    complete: bool = True

    def sensor(self, sensor: str) -> None:
        """Read and follow all tracks of a sensor."""
        with self.clock.stage("search"):
            gathered = find_dates(self.source, self.frame, recipe=self.recipe, sensor=sensor)
        self.warnings += gathered.warnings
        self.complete &= gathered.found.complete
        if not gathered.tracks:
            known = "there is no" if gathered.found.complete else "the source answered in part and named no"
            self.warnings.append(f"{sensor}: {known} pass over {self.frame.ground.aoi.name} in this time")
        for track in gathered.tracks:
            with self.clock.stage(f"read {sensor}"):
                stack = read_dates(self.source, gathered, track, self.frame, recipe=self.recipe, progress=self.tell)
            self.tell(f"following what came and went: {stack.name}, {len(stack.used)} of {len(stack.looks)} dates")
            numbered = sum(len(one.objects) for one in self.series if one.stack.sensor == sensor)
            with self.clock.stage(f"follow {sensor}"):
                rate = self.recipe.false_places_per_km2
                one = follow_stack(stack, self.frame, rate=rate, numbered_from=numbered)
            self.series.append(one)
            self.warnings += [*one.stack.warnings, *([one.obstacle] if one.obstacle else [])]
            self.complete &= one.stack.complete


def _nothing(run: _Run, failures: Sequence[SourceError]) -> Exception:
    """Return the error for a series of which nothing could be followed."""
    if failures:
        return failures[0]
    place, recipe = run.frame.ground.aoi.name, run.recipe
    looks = [look for one in run.series for look in one.stack.looks]
    if not looks:
        said = "; ".join(run.warnings[:3])
        kind = SourceError if not run.complete else NoSceneError
        return kind(f"no scene of {place} from {recipe.start} to {recipe.end}: {said}")
    unread = [look for look in looks if look.state == "not read"]
    if unread:
        return SourceError(f"{len(unread)} of {len(looks)} dates could not be read: {unread[0].reason}")
    used = sum(look.state == "used" for look in looks)
    why = next((look.reason for look in looks if look.reason), "")
    obstacle = next((one.obstacle for one in run.series if one.obstacle), "")
    return InsufficientImageryError(
        f"no series of {place}: {used} of {len(looks)} dates can be used ({obstacle}{'; ' if why else ''}{why});"
        " ask for a longer time, or more --baseline dates"
    )


def _collect(run: _Run) -> None:
    """Read and follow the sensors that are asked for; one that fails leaves the other."""
    sensors = ("s2", "s1") if run.recipe.sensor == "auto" else (run.recipe.sensor,)
    failures: list[SourceError] = []
    for sensor in sensors:
        try:
            run.sensor(sensor)
        except SourceError as error:
            failures.append(error)
            run.complete = False
            run.warnings.append(f"{sensor}: the source failed: {error}")
    if all(one.scan is None for one in run.series):
        raise _nothing(run, failures)


def run_series(
    recipe: SeriesRecipe,
    *,
    aoi: AOI | None = None,
    source: Source | None = None,
    access: Access | None = None,
    progress: Progress | None = None,
) -> SeriesResult:
    """Follow the activity of a place over time.

    Parameters
    ----------
    recipe
        What to follow, and how.
    aoi
        The recipe's area, where it has been loaded already.
    source
        Where scenes come from, instead of what the recipe's `source` says.
    access
        How the network may be used; None: freely.
    progress
        Called with one line of text at each step.

    Returns
    -------
    SeriesResult
        Nothing is written; `revisit.series_outputs.write_series` does that.

    Raises
    ------
    UsageError, aoi.AOIError, imagery.errors.ImageryError
        What the user can mend; `revisit.errors.exit_code` sorts them.
    """
    check_series(recipe, today=datetime.now(UTC).date())
    ground = ground_of(aoi or load_area(recipe.area), recipe.gsd or GSD_M)
    frame = Frame(ground=ground, margin=MARGIN_PX)
    with nullcontext(Opened(source=source)) if source else open_source(recipe.source, access) as opened:
        run = _Run(source=opened.source, frame=frame, recipe=recipe, tell=progress or (lambda _: None))
        _collect(run)
        exchange, notes = opened.traffic(), opened.notes()
    outlines = ground_warnings(ground, {})
    series = tuple(run.series)
    rows = make_rows(series, tuple((name, _kind(ground, name)) for name in _zones(ground)))
    return SeriesResult(
        recipe=recipe,
        ground=ground,
        margin=MARGIN_PX,
        series=series,
        rows=rows,
        changes=make_changes(series, recipe),
        gaps=make_gaps(rows, recipe),
        warnings=tuple(dict.fromkeys((*run.warnings, *outlines, *notes))),
        complete=run.complete,
        timings_s=run.clock.seconds,
        exchange=exchange,
    )


def _kind(ground: Ground, name: str) -> str:
    return next((zone.kind for zone in ground.aoi.zones if zone.name == name), "other")
