"""Reading all dates of a place: each once, onto one frame, track by track; what cannot serve is kept with its reason."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from typing import Literal

import numpy as np
from scipy import ndimage

from imagery.baseline import REACH, displaced, odd_scores
from imagery.coregister import Alignment, estimate_shift
from imagery.datatake import one_per_pass
from imagery.displacement import displace
from imagery.errors import InsufficientImageryError, NoStructureError, SourceError
from imagery.raster import BoolArray, FloatArray, Raster
from imagery.scene import Period, Scene
from imagery.sources.base import Found, Source
from imagery.veil import veil_levels, veiled
from revisit.errors import UsageError
from revisit.ground import Ground
from revisit.radar import UNREGISTERED, moved_onto, shifts_of
from revisit.result import SceneRecord
from revisit.scenes import BANDS_OF, LEAST_BANDS, UNUSABLE, applied_offset
from revisit.series_recipe import SeriesRecipe

Progress = Callable[[str], None]
State = Literal["used", "cloud", "haze", "rejected", "unreadable", "not read"]

SEEN = 0.5
"""Share of a zone that must be valid for the date to say anything of it."""
CLEAR = 0.8
"""Share of the searched ground from which a date is clear, so that dates can be judged for haze by it."""
EDGE_M = 100.0
"""How far from ground that cloud hides a date is not believed: thin edges and shadows reach beyond what masks show."""
HOLE_M2 = 5_000.0
"""A smaller hole in what is valid is a bright roof that was taken for cloud, with no edge around it."""
MOST_VALUES = 250_000_000
"""1 GB of numbers: the stack of dates, of which the detector needs about twice as much again."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """One pass over the place, whether or not it showed anything."""

    scene: Scene
    state: State
    reason: str
    """Empty where the date is used."""
    within: bool
    """False: an earlier date, read only to know what is usual."""
    shares: Mapping[str, float]
    """Valid share by zone, 0 to 1; as far as known."""
    record: SceneRecord | None = None
    """What was read; None where nothing was."""
    alignment: Alignment | None = None
    """Against the reference date; None where it was not aligned."""


@dataclass(frozen=True, kw_only=True)
class DateStack:
    """The dates of one track on one frame."""

    sensor: str
    track: str
    """Such as "orbit 121"."""
    bands: tuple[str, ...]
    looks: tuple[Look, ...]
    """All passes, oldest first."""
    used: tuple[int, ...]
    """Places in `looks` of the dates in `data`, rising."""
    data: FloatArray
    """(date, band, row, col) on the padded grid; 0 where not valid."""
    valid: BoolArray
    """(date, row, col)."""
    warnings: tuple[str, ...]
    complete: bool
    """False where the source answered in part or failed before all was read."""

    @property
    def name(self) -> str:
        """Such as "s2, orbit 121"."""
        return f"{self.sensor}, {self.track}"

    @property
    def times(self) -> tuple[datetime, ...]:
        """(date,) of what is in `data`."""
        return tuple(self.looks[k].scene.acquired for k in self.used)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where dates are read to."""

    ground: Ground
    margin: int
    """Pixels of padding on each side."""

    def inner(self, padded: BoolArray) -> BoolArray:
        """Return a map without the margin."""
        rows, cols = self.ground.grid.shape
        return padded[self.margin : self.margin + rows, self.margin : self.margin + cols]

    def shares(self, valid: BoolArray) -> dict[str, float]:
        """Return the share of each zone that is True in a padded map; of the area where there are no zones."""
        found = self.ground.shares(self.inner(valid))
        return {name: share for name, share in found.items() if name in self.ground.zones} or found

    def searched(self, valid: BoolArray) -> float:
        """Return the share of the searched ground that is True in a padded map."""
        return float(self.inner(valid)[self.ground.searched].mean())


def window_of(recipe: SeriesRecipe) -> Period:
    """Return the span of a series."""
    return Period(
        start=datetime.combine(recipe.start, clock.min, tzinfo=UTC),
        end=datetime.combine(recipe.end, clock.max, tzinfo=UTC),
    )


def _track(scene: Scene) -> str:
    return "orbit unknown" if scene.relative_orbit is None else f"orbit {scene.relative_orbit}"


def _tracks(scenes: Sequence[Scene], sensor: str) -> tuple[dict[str, list[Scene]], tuple[str, ...]]:
    """Return the scenes by track, and what is left out: of optical tracks, the one with the most passes is followed."""
    by_track: dict[str, list[Scene]] = {}
    for scene in scenes:
        by_track.setdefault(_track(scene), []).append(scene)
    if sensor == "s1" or len(by_track) < 2:  # noqa: PLR2004 - nothing to choose
        return dict(sorted(by_track.items())), ()
    best = min(by_track, key=lambda name: (-len(by_track[name]), name))
    others = ", ".join(f"{name} ({len(by_track[name])} passes)" for name in sorted(by_track) if name != best)
    said = f"s2: {best} is followed; other views would move everything with a height, and are left out: {others}"
    return {best: by_track[best]}, (said,)


@dataclass(kw_only=True)
class _Reading:
    """The dates of one track as they are read."""

    source: Source
    frame: Frame
    bands: tuple[str, ...]
    window: Period
    progress: Progress
    looks: list[Look] = field(default_factory=list)
    rasters: list[Raster | None] = field(default_factory=list)
    failed: str | None = None
    """What the source said when it failed."""
    started: float = field(default_factory=time.monotonic)

    def read(self, scene: Scene, left: int) -> bool:
        """Read a scene and note what came of it; return whether it can serve."""
        within = scene.acquired >= self.window.start
        if self.failed is not None:
            self._note(scene, "not read", f"not read: {self.failed}", within)
            return False
        self.progress(f"reading {scene.id}, {self._ahead(left)}")
        try:
            hidden = self._hidden(scene, within)
            return False if hidden else self._take(scene, within)
        except UNUSABLE as error:
            self._note(scene, "unreadable", str(error), within)
        except SourceError as error:
            self.failed = str(error)
            self._note(scene, "not read", f"not read: {error}", within)
        return False

    def _note(
        self, scene: Scene, state: State, reason: str, within: bool, shares: Mapping[str, float] | None = None
    ) -> None:
        self.looks.append(Look(scene=scene, state=state, reason=reason, within=within, shares=shares or {}))
        self.rasters.append(None)

    def _hidden(self, scene: Scene, within: bool) -> bool:
        """Return whether the classification alone says that no zone can be seen, and note it."""
        survey = self.source.survey(scene, self.frame.ground.grid.padded(self.frame.margin))
        if survey is None:
            return False
        shares = self.frame.shares(survey.possible)
        if max(shares.values()) >= SEEN:
            return False
        self._note(scene, "cloud", _cloud(self.frame.searched(survey.possible)), within, shares)
        return True

    def _take(self, scene: Scene, within: bool) -> bool:
        """Read a scene's bands; keep them where they show enough of any zone."""
        grid = self.frame.ground.grid.padded(self.frame.margin)
        raster = self.source.read(scene, grid, self.bands)
        digest = raster.sha256
        if scene.sensor == "s2":
            raster = _clear_of_cloud(raster, doubt=self.frame.searched(raster.valid) < CLEAR)
        searched = self.frame.searched(raster.valid)
        shares = self.frame.shares(raster.valid)
        used = raster.origin or scene
        record = SceneRecord(
            scene=used,
            role="date" if within else "baseline",
            offset=applied_offset(used, raster.bands),
            sha256=digest,
            valid_share=searched,
        )
        good = max(shares.values()) >= SEEN
        state, reason = ("used", "") if good else ("cloud", _cloud(searched))
        self.looks.append(
            Look(scene=used, state=state, reason=reason, within=within, shares=shares, record=record)  # type: ignore[arg-type]
        )
        self.rasters.append(raster if good else None)
        return good

    def _ahead(self, left: int) -> str:
        """Return how many are left, and how long that takes at this pace."""
        done = len(self.looks)
        if not done:
            return f"{left} to go"
        return f"{left} to go, about {(time.monotonic() - self.started) / done * left:.0f} s"

    def reject(self, at: int, state: State, reason: str) -> None:
        """Take back a date that was read."""
        self.looks[at] = replace(self.looks[at], state=state, reason=reason)
        self.rasters[at] = None

    @property
    def kept(self) -> list[int]:
        """Places of the dates that serve."""
        return [k for k, raster in enumerate(self.rasters) if raster is not None]

    def sort(self) -> None:
        """Put the dates in the order of time."""
        order = sorted(range(len(self.looks)), key=lambda k: self.looks[k].scene.acquired)
        self.looks = [self.looks[k] for k in order]
        self.rasters = [self.rasters[k] for k in order]


def _clear_of_cloud(raster: Raster, *, doubt: bool) -> Raster:
    """Return an optical date without what lies near cloud.

    With `doubt`, where much of the ground is hidden, what the classification doubts counts as cloud: there it is, more
    often than not.
    """
    hidden = ~raster.valid | raster.uncertain if doubt else ~raster.valid
    parts, count = ndimage.label(hidden)
    sizes = np.bincount(parts.ravel(), minlength=count + 1) * raster.grid.gsd**2
    large = (sizes >= HOLE_M2)[parts] & hidden
    if not large.any():
        return raster
    near = ndimage.distance_transform_edt(~large) * raster.grid.gsd <= EDGE_M
    clear = raster.valid & ~near
    return raster.with_pixels(np.asarray(raster.data), clear, raster.uncertain & clear)


def _cloud(share: float) -> str:
    """Return in words how little of the searched ground a date shows."""
    return f"cloud or no data: {int(share * 100)} % of the searched ground can be seen"


def _bands(scenes: Sequence[Scene], sensor: str) -> tuple[str, ...]:
    """Return the bands that most scenes of a track have."""
    wanted = BANDS_OF[sensor]
    sets = Counter(tuple(band for band in wanted if band in scene.assets) for scene in scenes)
    usual = max(sets, key=lambda bands: (sets[bands], len(bands)))
    return usual if len(usual) >= LEAST_BANDS[sensor] else wanted[: LEAST_BANDS[sensor]]


def _earlier(source: Source, first: Scene, frame: Frame, sensor: str) -> list[Scene]:
    """Return earlier scenes of the same track, latest first."""
    period = Period(start=first.acquired - REACH, end=first.acquired - timedelta(hours=1))
    found = source.search(frame.ground.aoi, [period], sensor=sensor)
    scenes, _ = one_per_pass(found.scenes, aoi=frame.ground.aoi, crs=frame.ground.grid.crs)
    return sorted((s for s in scenes if _track(s) == _track(first)), key=lambda s: s.acquired, reverse=True)


def _check_size(scenes: Sequence[Scene], frame: Frame, bands: int, most: int) -> None:
    """Refuse more than the memory holds."""
    rows, cols = (size + 2 * frame.margin for size in frame.ground.grid.shape)
    dates = max(len(scenes), most)
    if dates * bands * rows * cols > MOST_VALUES:
        held = MOST_VALUES // (bands * rows * cols)
        raise UsageError(
            f"{dates} dates of {rows} x {cols} pixels do not fit into memory ({held} would): ask for a shorter time or"
            " a smaller area"
        )


def _read_track(
    source: Source, scenes: Sequence[Scene], frame: Frame, *, recipe: SeriesRecipe, progress: Progress
) -> _Reading:
    """Read all scenes of a track, and earlier ones where those are too few to know what is usual."""
    sensor = scenes[0].sensor
    bands = _bands(scenes, sensor)
    _check_size(scenes, frame, len(bands), recipe.baseline)
    reading = _Reading(source=source, frame=frame, bands=bands, window=window_of(recipe), progress=progress)
    for k, scene in enumerate(scenes):
        missing = [band for band in bands if band not in scene.assets]
        if missing:
            reading._note(scene, "rejected", f"it has no {', '.join(missing)}, which the other dates have", True)  # noqa: SLF001 - one module
        else:
            reading.read(scene, len(scenes) - k)
    wanted = recipe.baseline - len(reading.kept)
    if wanted > 0 and reading.kept and reading.failed is None:
        for scene in _earlier(source, scenes[0], frame, sensor):
            if wanted <= 0 or reading.failed is not None:
                break
            if all(band in scene.assets for band in bands):
                wanted -= reading.read(scene, wanted)
    reading.sort()
    return reading


def _reference(reading: _Reading) -> int:
    """Return the date that the others are aligned with: the clearest, of several the one nearest to the middle."""
    kept = reading.kept
    middle = len(kept) / 2

    def order(k: int) -> tuple[float, float]:
        record = reading.looks[kept[k]].record
        return -round(record.valid_share if record else 0.0, 2), abs(k - middle)

    return kept[min(range(len(kept)), key=order)]


def _aligned(reading: _Reading) -> tuple[list[int], FloatArray, BoolArray]:
    """Return the optical dates that could be aligned with the reference date, one resampling each."""
    at = _reference(reading)
    first = reading.rasters[at]
    assert first is not None  # noqa: S101 - `_reference` picks from what was kept
    gsd, stack, valids, places = first.grid.gsd, [], [], []
    for k in reading.kept:
        raster = reading.rasters[k]
        assert raster is not None  # noqa: S101 - `kept`
        reading.progress(f"aligning {reading.looks[k].scene.id}")
        clear = [one.valid & ~one.uncertain for one in (first, raster)]
        try:
            shift = estimate_shift(np.asarray(first.data), np.asarray(raster.data), clear[0], clear[1], gsd=gsd)
        except NoStructureError:
            shift = None
        except InsufficientImageryError as error:
            reading.reject(k, "rejected", str(error))
            continue
        if shift is not None and (reason := displaced(shift)) is not None:
            reading.reject(k, "rejected", reason.replace("the before scene", "the reference date"))
            continue
        move = (0.0, 0.0) if shift is None or k == at else shift.shift_px
        data, valid = displace(np.asarray(raster.data), raster.valid, (-move[0], -move[1]))
        reading.looks[k] = replace(reading.looks[k], alignment=shift)
        if k != at:
            reading.rasters[k] = None
        stack.append(np.where(valid, data, np.float32(0)))
        valids.append(valid)
        places.append(k)
    reading.rasters[at] = None
    return places, np.stack(stack), np.stack(valids)


def _haze(places: Sequence[int], data: FloatArray, valid: BoolArray, reading: _Reading) -> list[str | None]:
    """Return for each date why haze or odd structure keeps it from serving.

    Dates that are clear are judged beside one another; one that is clear in part, by itself beside those.
    """
    frame = reading.frame
    where = np.pad(frame.ground.searched, frame.margin)
    gsd = frame.ground.grid.gsd
    clear = [k for k, seen in enumerate(valid) if frame.searched(seen) >= CLEAR]
    reasons: list[str | None] = [None] * len(places)
    if clear:
        levels = veil_levels(data[clear], valid[clear], where, gsd=gsd)
        for k, reason in zip(clear, veiled(levels.tolist()), strict=True):
            reasons[k] = reason
    for k in sorted(set(range(len(places))) - set(clear)):
        some = [*clear, k]
        levels = veil_levels(data[some], valid[some], where, gsd=gsd)
        reasons[k] = veiled(levels.tolist())[-1]
    alignments = [reading.looks[k].alignment for k in places]
    known = [k for k, one in enumerate(alignments) if one is not None]
    odd = odd_scores([one.score for one in alignments if one is not None])
    for k, reason in zip(known, odd, strict=True):
        reasons[k] = reasons[k] or (reason and reason.replace("the before scene", "the reference date"))
    return reasons


def _optical(reading: _Reading) -> tuple[list[int], FloatArray, BoolArray, tuple[str, ...]]:
    """Return the optical dates on one frame, haze rejected."""
    places, data, valid = _aligned(reading)
    reasons = _haze(places, data, valid, reading)
    for k, reason in zip(places, reasons, strict=True):
        if reason is not None:
            reading.reject(k, "haze" if "haze" in reason else "rejected", reason)
    good = [k for k, reason in enumerate(reasons) if reason is None]
    unaligned = [reading.looks[places[k]] for k in good if reading.looks[places[k]].alignment is None]
    said = (f"{len(unaligned)} dates could not be aligned: they have no structure in common",) if unaligned else ()
    if len(good) < len(places):
        data, valid = data[good], valid[good]
    return [places[k] for k in good], data, valid, said


def _radar(reading: _Reading) -> tuple[list[int], FloatArray, BoolArray, tuple[str, ...]]:
    """Return the radar dates of a track, registered on what never moves."""
    places = reading.kept
    rasters = [raster for raster in reading.rasters if raster is not None]
    alignments = shifts_of(rasters)
    stack, valids = [], []
    for k, raster, alignment in zip(places, rasters, alignments, strict=True):
        moved = moved_onto(raster, alignment)
        reading.rasters[k] = None
        reading.looks[k] = replace(reading.looks[k], alignment=alignment)
        stack.append(np.nan_to_num(np.asarray(moved.data)))
        valids.append(moved.valid)
    said = [UNREGISTERED] if alignments and all(one.score == 0 for one in alignments) else []
    families = sorted({reading.looks[k].scene.platform or "an unknown satellite" for k in places})
    if len(families) > 1:
        said.append(f"{' and '.join(families)} are mixed: shifts of pixels between their products were seen elsewhere")
    return places, np.stack(stack), np.stack(valids), tuple(said)


def _stack(reading: _Reading, track: str, sensor: str, *, complete: bool) -> DateStack:
    """Return what was read of a track, on one frame."""
    shape = tuple(size + 2 * reading.frame.margin for size in reading.frame.ground.grid.shape)
    places: list[int] = []
    data = np.empty((0, len(reading.bands), *shape), np.float32)
    valid, said = np.empty((0, *shape), np.bool_), ()
    if reading.kept:
        places, data, valid, said = (_optical if sensor == "s2" else _radar)(reading)
    notes = [f"{look.scene.id}: {note}" for k in places for look in [reading.looks[k]] for note in look.scene.notes]
    failed = [f"the source failed: {reading.failed}"] if reading.failed else []
    return DateStack(
        sensor=sensor,
        track=track,
        bands=reading.bands,
        looks=tuple(reading.looks),
        used=tuple(places),
        data=data,
        valid=valid,
        warnings=tuple(f"{sensor}, {track}: {line}" for line in (*said, *failed, *dict.fromkeys(notes))),
        complete=complete and reading.failed is None,
    )


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What a source had of one sensor."""

    found: Found
    tracks: Mapping[str, list[Scene]]
    warnings: tuple[str, ...]


def find_dates(source: Source, frame: Frame, *, recipe: SeriesRecipe, sensor: str) -> Gathered:
    """Search the passes of a sensor over the window, one file of each, by track.

    Raises
    ------
    SourceError
        Where the source failed.
    """
    aoi, grid = frame.ground.aoi, frame.ground.grid
    found = source.search(aoi, [window_of(recipe)], sensor=sensor)
    scenes, _ = one_per_pass(found.scenes, aoi=aoi, crs=grid.crs)
    tracks, said = _tracks(scenes, sensor)
    return Gathered(found=found, tracks=tracks, warnings=(*found.warnings, *said))


def read_dates(
    source: Source, gathered: Gathered, track: str, frame: Frame, *, recipe: SeriesRecipe, progress: Progress
) -> DateStack:
    """Read the dates of a track onto one frame.

    Parameters
    ----------
    source
        Where they were found.
    gathered, track
        The passes of a sensor, and one of its tracks.
    frame
        Where to.
    recipe
        As asked.
    progress
        Told of each date.

    Returns
    -------
    DateStack
        With fewer dates and `complete` False where the source failed on the way: what was read is kept.
    """
    scenes = gathered.tracks[track]
    reading = _read_track(source, scenes, frame, recipe=recipe, progress=progress)
    return _stack(reading, track, scenes[0].sensor, complete=gathered.found.complete)
