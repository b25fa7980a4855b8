"""Finding and reading all dates of a place: which passes there are, which track is followed, what was read of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from imagery.baseline import REACH
from imagery.datatake import one_per_pass
from imagery.scene import Period, Scene
from imagery.sources.base import Found, Source
from revisit.errors import UsageError
from revisit.scenes import BANDS_OF, LEAST_BANDS
from revisit.series_dates import DateStack, Frame, window_of
from revisit.series_frames import stack_of
from revisit.series_reading import Progress, Reading
from revisit.series_recipe import SeriesRecipe

MOST_VALUES = 250_000_000
"""1 GB of numbers: the stack of dates, of which the detector needs about twice as much again."""


def _track(scene: Scene) -> str:
    return "orbit unknown" if scene.relative_orbit is None else f"orbit {scene.relative_orbit}"


def _tracks(scenes: Sequence[Scene], sensor: str) -> tuple[dict[str, list[Scene]], tuple[str, ...]]:
    """Return the scenes by track, and what is left out: of optical tracks, the one with the most passes is followed."""
    by_track: dict[str, list[Scene]] = {}
    for scene in scenes:
        by_track.setdefault(_track(scene), []).append(scene)
    if sensor == "s1" or len(by_track) < 2:
        return dict(sorted(by_track.items())), ()
    best = min(by_track, key=lambda name: (-len(by_track[name]), name))
    others = ", ".join(f"{name} ({len(by_track[name])} passes)" for name in sorted(by_track) if name != best)
    said = f"s2: {best} is followed; other views would move everything with a height, and are left out: {others}"
    return {best: by_track[best]}, (said,)


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
) -> Reading:
    """Read all scenes of a track, and earlier ones where those are too few to know what is usual."""
    sensor = scenes[0].sensor
    bands = _bands(scenes, sensor)
    _check_size(scenes, frame, len(bands), recipe.baseline)
    reading = Reading(source=source, frame=frame, bands=bands, window=window_of(recipe), progress=progress)
    for k, scene in enumerate(scenes):
        missing = [band for band in bands if band not in scene.assets]
        if missing:
            reading.note(scene, "rejected", f"it has no {', '.join(missing)}, which the other dates have", True)
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
    return stack_of(reading, track, scenes[0].sensor, complete=gathered.found.complete)
