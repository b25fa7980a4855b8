"""Which scenes of a source a run uses: searching, reading and the reasons when there are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from aoi import AOI, Grid
from imagery.datatake import one_per_pass
from imagery.errors import (
    GoneError,
    ImageryError,
    InsufficientImageryError,
    NoSceneError,
    RefusedFileError,
    SceneError,
    SourceError,
)
from imagery.raster import BoolArray, Raster
from imagery.scene import Period, Scene
from imagery.select import ENOUGH, LEAST, Choice, Wish, choose_pair, day_period
from imagery.sources.base import Found, Source, Survey
from revisit.errors import UsageError
from revisit.recipe import Recipe
from revisit.result import SceneRecord

BANDS = ("B02", "B03", "B04", "B08")
"""The bands of 10 m: coarser ones would blur what is looked for."""
LEAST_BANDS = 2
"""One band cannot tell a change of the ground from a change of the light."""
MOST_REASONS = 3
"""Of what was left out, in an error's one line."""
UNUSABLE = (SceneError, RefusedFileError, GoneError)
"""Faults of one scene, beside which others may serve; every other failure ends the run, which can then be repeated."""
WIDER_DAYS = 400
"""How far from the dates asked for the message about an empty window looks for others."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The two scenes that are compared, and what was read of them."""

    before: Raster
    after: Raster
    records: tuple[SceneRecord, ...]
    """Before, then after."""
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    complete: bool
    """False where the source answered in part."""


@dataclass(kw_only=True)
class Reader:
    """Reads each scene at most once, and remembers which could not be read and why."""

    source: Source
    grid: Grid
    searched: BoolArray
    """(row, col) on `grid`."""
    progress: Callable[[str], None]
    rasters: dict[str, Raster] = field(default_factory=dict)
    surveys: dict[str, Survey | None] = field(default_factory=dict)
    problems: dict[str, ImageryError] = field(default_factory=dict)

    def raster(self, scene: Scene) -> Raster:
        """Return the scene's pixels on the grid.

        Raises
        ------
        SceneError, RefusedFileError
            Where it cannot be used; the same error again when asked again.
        """
        if scene.id in self.problems:
            raise self.problems[scene.id]
        if scene.id not in self.rasters:
            self.progress(f"reading {scene.id}")
            self.rasters[scene.id] = self.source.read(scene, self.grid, _bands_of(scene))
        return self.rasters[scene.id]

    def share(self, scene: Scene) -> float:
        """Return the valid share of the searched ground, 0 to 1; 0 for a scene that cannot be used.

        Where the scene's classification alone decides whether a scene is clear enough, its bands are not read, and the
        share is the classification's.
        """
        try:
            if scene.id not in self.rasters:
                least, most = self._bounds(scene)
                if least >= ENOUGH or most < LEAST:
                    return least if least >= ENOUGH else most
            return float(self.raster(scene).valid[self.searched].mean())
        except UNUSABLE as error:
            self.problems[scene.id] = error
            return 0.0

    def _bounds(self, scene: Scene) -> tuple[float, float]:
        """Return the least and the most that can be valid of the searched ground, from the classification alone."""
        if scene.id in self.problems:
            raise self.problems[scene.id]
        if scene.id not in self.surveys:
            self.progress(f"looking for cloud in {scene.id}")
            self.surveys[scene.id] = self.source.survey(scene, self.grid)
        survey = self.surveys[scene.id]
        if survey is None:
            return 0.0, 1.0
        return float(survey.usable[self.searched].mean()), float(survey.possible[self.searched].mean())


def _bands_of(scene: Scene) -> tuple[str, ...]:
    """Return the bands of a scene that can be compared."""
    bands = tuple(band for band in BANDS if band in scene.assets)
    if len(bands) < LEAST_BANDS:
        raise SceneError(
            f"{scene.id} has {', '.join(scene.assets) or 'no bands'}; at least two of {', '.join(BANDS)} needed"
        )
    return bands


def _with_bands(raster: Raster, bands: tuple[str, ...]) -> Raster:
    """Return the raster with only these bands."""
    if raster.bands == bands:
        return raster
    keep = [raster.bands.index(band) for band in bands]
    return replace(raster, data=raster.data[keep], bands=bands)


def applied_offset(scene: Scene, bands: tuple[str, ...]) -> float | Mapping[str, float] | None:
    """Return the offset that was applied: one number, or by band where the bands differ."""
    offsets = {band: scene.assets[band].offset for band in bands}
    values = set(offsets.values())
    return values.pop() if len(values) == 1 else offsets


def _record(scene: Scene, role: str, reader: Reader) -> SceneRecord:
    """Return the record of a scene that takes part: of the file that was read, with what showed only then."""
    raster = reader.raster(scene)
    used = raster.origin or scene
    return SceneRecord(
        scene=used,
        role=role,
        offset=applied_offset(used, raster.bands),
        sha256=raster.sha256,
        valid_share=reader.share(scene),
    )


def _within(scenes: tuple[Scene, ...], period: Period) -> list[Scene]:
    """Return the scenes of a period."""
    return [scene for scene in scenes if period.start <= scene.acquired <= period.end]


def _no_scene(found: Found, recipe: Recipe, place: str) -> ImageryError:
    """Return the error for a search that found nothing at all."""
    said = "; ".join(found.warnings[:MOST_REASONS])
    if not found.complete:
        return SourceError(f"{recipe.source} answered in part, so that absence proves nothing on {place}: {said}")
    if said:
        return NoSceneError(f"{recipe.source} has no scene that can be used on {place}: {said}")
    around = f"within {WIDER_DAYS} days of {recipe.before} and {recipe.after}"
    return NoSceneError(f"{recipe.source} has no scene on {place} {around}")


def _refused(error: ImageryError, left_out: Sequence[str]) -> ImageryError | UsageError:
    """Return the error for a pair that cannot be had: what was left out is the user's to mend, and stands first."""
    if not left_out:
        return error
    return UsageError(f"{'; '.join(left_out[:MOST_REASONS])}. Without that: {error}")


def _empty_window(day: date, others: tuple[Scene, ...], wish: Wish) -> InsufficientImageryError:
    """Return the error for a window without a scene, naming the dates that there are."""
    days = sorted({scene.acquired.date() for scene in others}, key=lambda other: abs(other - day))[:3]
    return InsufficientImageryError(
        f"no pair for {wish.place}: no scene within {wish.within_days} days of {day}; nearest:"
        f" {', '.join(map(str, sorted(days)))}. Try --within {abs(days[0] - day).days}, or another date"
    )


def _search(source: Source, recipe: Recipe, aoi: AOI, wish: Wish) -> Found:
    """Search both windows; where one is empty, look further to say what there is."""
    days = wish.before, wish.after
    windows = [day_period(day, wish.within_days) for day in days]
    found = source.search(aoi, windows, sensor="s2")
    empty = [day for day, window in zip(days, windows, strict=True) if not _within(found.scenes, window)]
    if not empty:
        return found
    wider = source.search(aoi, [day_period(day, wish.within_days + WIDER_DAYS) for day in days], sensor="s2")
    if not wider.scenes or not wider.complete:
        raise _no_scene(wider, recipe, aoi.name)
    raise _refused(_empty_window(empty[0], wider.scenes, wish), found.warnings)


def _choose(found: Found, wish: Wish, reader: Reader) -> Choice:
    """Choose the pair; where none can be had because scenes were refused, say that instead."""
    before, after = (_within(found.scenes, day_period(day, wish.within_days)) for day in (wish.before, wish.after))
    try:
        return _settled(before, after, wish, reader)
    except InsufficientImageryError as error:
        if not found.complete:
            raise SourceError(f"the source answered in part: {'; '.join(found.warnings)}; {error}") from error
        raise _refused(error, (*found.warnings, *_problems(reader))) from error


def _settled(before: Sequence[Scene], after: Sequence[Scene], wish: Wish, reader: Reader) -> Choice:
    """Choose until the bands of both scenes bear out what the classification promised."""
    for _ in range(len(before) + len(after)):
        choice = choose_pair(before, after, wish=wish, share=reader.share)
        unread = [scene for scene in (choice.before, choice.after) if scene.id not in reader.rasters]
        if not unread:
            break
        for scene in unread:
            _read(scene, reader)
    return choice


def _read(scene: Scene, reader: Reader) -> None:
    """Read a scene that was chosen; where that shows it to be unusable, the next choice goes without it."""
    try:
        reader.raster(scene)
    except UNUSABLE as error:
        reader.problems[scene.id] = error


def _problems(reader: Reader) -> list[str]:
    """Return which scenes could not be read, and why."""
    return [f"{name}: {error}" for name, error in sorted(reader.problems.items())]


def _about(twins: Sequence[str], choice: Choice) -> list[str]:
    """Return the lines on other files of the two passes that were chosen."""
    return [line for line in twins if choice.before.id in line or choice.after.id in line]


def _pair_warnings(found: Found, choice: Choice, reader: Reader, bands: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is not as it should be about the search and the pair."""
    used = [reader.raster(scene).origin or scene for scene in (choice.before, choice.after)]
    notes = [f"{scene.id}: {note}" for scene in used for note in scene.notes]
    missing = [band for band in BANDS if band not in bands]
    thin = [f"compared without {', '.join(missing)}: not in both scenes"] if missing else []
    return (*found.warnings, *_problems(reader), *notes, *choice.warnings, *thin)


def pick_pair(
    source: Source, recipe: Recipe, *, aoi: AOI, grid: Grid, searched: BoolArray, progress: Callable[[str], None]
) -> Pair:
    """Search a source, read what is needed for the choice, and return the two scenes to compare.

    Parameters
    ----------
    source
        Where to search.
    recipe
        Dates, windows and sensor.
    aoi, grid
        Place; everything is read onto the grid.
    searched
        (row, col) on the grid: where changes will be flagged; decides which scene is clear enough.
    progress
        Told of each scene that is read.

    Raises
    ------
    NoSceneError
        Where no scene touches the area.
    InsufficientImageryError
        Where scenes there are, but no usable pair.
    SceneError, UsageError
        Where scenes that might have served cannot be used; the message says why.
    SourceError
        Where the source failed, so that absence proves nothing.
    """
    wish = Wish(place=aoi.name, before=recipe.before, after=recipe.after, within_days=recipe.within_days)
    found = _search(source, recipe, aoi, wish)
    scenes, twins = one_per_pass(found.scenes, aoi=aoi, crs=grid.crs)
    found = replace(found, scenes=scenes)
    reader = Reader(source=source, grid=grid, searched=np.asarray(searched), progress=progress)
    choice = _choose(found, wish, reader)
    first, second = reader.raster(choice.before), reader.raster(choice.after)
    bands = tuple(band for band in BANDS if band in first.bands and band in second.bands)
    if len(bands) < LEAST_BANDS:
        raise SceneError(
            f"{choice.before.id} and {choice.after.id} have fewer than two bands in common: {', '.join(bands)}"
        )
    return Pair(
        before=_with_bands(first, bands),
        after=_with_bands(second, bands),
        records=(_record(choice.before, "before", reader), _record(choice.after, "after", reader)),
        reasons=(*choice.reasons, *_about(twins, choice)),
        warnings=_pair_warnings(found, choice, reader, bands),
        complete=found.complete,
    )
