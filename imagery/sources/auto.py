"""Every source at once: what one lacks another has, and that there is nothing is never said by one alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol, TypeVar

from aoi import AOI, Grid
from imagery.datatake import passes, same_pass
from imagery.errors import (
    CredentialsError,
    ImageryError,
    NoSceneError,
    RefusedFileError,
    SceneError,
    SourceError,
    UnreachableError,
)
from imagery.raster import Raster
from imagery.scene import Period, Scene
from imagery.sources.base import Asked, Found, Source, Survey

LEAST_COMPLETE = 2
"""Catalogues that must have answered completely before absence means anything: each has holes of its own."""
MOST_NAMED = 5
"""Passes that one line names."""
PIXELS_FAIL = (SourceError, RefusedFileError, SceneError, CredentialsError)
"""Failures of one source for which another is tried."""

T = TypeVar("T")


class Catalogue(Protocol):
    """What can be searched."""

    @property
    def name(self) -> str:
        """As the command line and the manifest call it."""

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return the scenes of `sensor` that touch `aoi` within any of `periods`."""


class AutoSource:
    """Several sources of pixels, and a catalogue without pixels as a witness.

    Parameters
    ----------
    sources
        Of pixels, best first.
    witness
        Knows acquisitions; None: nobody is asked.
    """

    name = "auto"
    """As the command line and the manifest call it."""

    def __init__(self, sources: Sequence[Source], *, witness: Catalogue | None) -> None:
        self._sources = {source.name: source for source in sources}
        self._witness = witness
        self._out_of_reach: set[str] = set()

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return what all sources have, oldest first, twins included: `imagery.datatake.one_per_pass` chooses.

        A source that fails, or asks for an account, is named and the others go on. The answer is complete where at
        least two catalogues answered completely. A pass that the witness knows and no source has pixels of is said.

        Raises
        ------
        SourceError
            Where no source of pixels answered at all.
        """
        catalogues: list[Catalogue] = [*self._sources.values(), *([self._witness] if self._witness else [])]
        with ThreadPoolExecutor(len(catalogues)) as pool:
            answers = list(pool.map(lambda one: _ask(one, aoi, periods, sensor), catalogues))
        pixels = [answer for answer in answers[: len(self._sources)] if isinstance(answer, Found)]
        asked = [
            _told(one.name, answer, is_witness=one is self._witness)
            for one, answer in zip(catalogues, answers, strict=True)
        ]
        if not pixels:
            raise _nobody(answers[: len(self._sources)], asked)
        scenes = sorted((scene for found in pixels for scene in found.scenes), key=lambda one: (one.acquired, one.id))
        witnessed = answers[-1] if self._witness and isinstance(answers[-1], Found) else None
        return Found(
            scenes=tuple(scenes),
            complete=sum(one.complete for one in asked) >= LEAST_COMPLETE,
            warnings=(
                *(
                    f"{one.name} did not answer: {one.note}"
                    for one, got in zip(asked, answers, strict=True)
                    if _failed(got)
                ),
                *(line for answer in answers if isinstance(answer, Found) for line in answer.warnings),
                *_without_pixels(scenes, witnessed, self._witness),
            ),
            asked=tuple(asked),
        )

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        """Return what of `scene` can be used on `grid`, from the first source that can tell; errors as `read`."""
        return self._first(scene, lambda source, candidate: source.survey(candidate, grid))[0]

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Return `bands` of `scene` on `grid`; where it cannot be read, of one of its twins, with a note.

        Raises
        ------
        SceneError, RefusedFileError, SourceError, CredentialsError
            Where neither it nor a twin can be read: the error of the scene itself, with those of its twins.
        """
        raster, failures = self._first(scene, lambda source, candidate: source.read(candidate, grid, bands))
        if not failures:
            return raster
        origin = raster.origin or scene
        notes = (
            *origin.notes,
            *(f"{failure}; {origin.id} of {origin.source} was read instead" for failure in failures),
        )
        return replace(raster, origin=replace(origin, notes=notes))

    def _first(self, scene: Scene, use: Callable[[Source, Scene], T]) -> tuple[T, list[str]]:
        """Return what `use` makes of the scene or the first twin with which it succeeds, and why it failed before."""
        failures: list[str] = []
        first: ImageryError | None = None
        # Whose files were out of reach is tried last: to find that out takes long, and a run asks for many scenes.
        candidates = sorted((scene, *scene.twins), key=lambda candidate: candidate.source in self._out_of_reach)
        if candidates[0] is not scene:
            failures.append(f"{scene.source}: {scene.id}: was out of reach before")
        for candidate in candidates:
            try:
                return use(self._source_of(candidate), replace(candidate, twins=())), failures
            except PIXELS_FAIL as error:
                first = first or error
                failures.append(f"{candidate.source}: {candidate.id}: {error}")
                if isinstance(error, UnreachableError):
                    self._out_of_reach.add(candidate.source)
        if first is None or len(failures) == 1:
            raise first or SceneError(f"{scene.id} has no files")
        raise type(first)("; ".join(failures))

    def _source_of(self, scene: Scene) -> Source:
        if scene.source not in self._sources:
            raise SceneError(f"{scene.id} comes from {scene.source}, which is none of {', '.join(self._sources)}")
        return self._sources[scene.source]


def _ask(catalogue: Catalogue, aoi: AOI, periods: Sequence[Period], sensor: str) -> Found | ImageryError:
    """Return what a catalogue answers, or why it does not."""
    try:
        return catalogue.search(aoi, periods, sensor=sensor)
    except ImageryError as error:
        return error


def _failed(answer: Found | ImageryError) -> bool:
    """Return whether a source did not answer; one that has nothing of a sensor did."""
    return isinstance(answer, ImageryError) and not isinstance(answer, NoSceneError)


def _told(name: str, answer: Found | ImageryError, *, is_witness: bool) -> Asked:
    if isinstance(answer, ImageryError):
        return Asked(name=name, scenes=0, complete=False, note=str(answer))
    notes = ["asked as a witness: it gives no pixels without an account"] if is_witness else []
    if not answer.complete:
        notes.append("answered in part")
    return Asked(name=name, scenes=len(answer.scenes), complete=answer.complete, note="; ".join(notes))


def _nobody(answers: Sequence[Found | ImageryError], asked: Sequence[Asked]) -> ImageryError:
    """Return the error for a search that no source of pixels answered."""
    said = "; ".join(f"{one.name}: {one.note}" for one in asked[: len(answers)])
    failed = [answer for answer in answers if _failed(answer)]
    if not failed:
        return NoSceneError(f"no source has such images: {said}")
    kind = UnreachableError if all(isinstance(answer, UnreachableError) for answer in failed) else SourceError
    return kind(f"no source answered, so nothing is known of what imagery there is. {said}")


def _without_pixels(scenes: Sequence[Scene], witnessed: Found | None, witness: Catalogue | None) -> list[str]:
    """Return a line on the passes that the witness knows and no source of pixels has."""
    if witnessed is None or witness is None:
        return []
    lacking = [
        group[0]
        for group in passes(witnessed.scenes)
        if not any(same_pass(scene, seen) for seen in group for scene in scenes)
    ]
    if not lacking:
        return []
    shown = [f"{scene.acquired:%Y-%m-%d %H:%M} {scene.platform or 'unknown satellite'}" for scene in lacking]
    more = f" and {len(shown) - MOST_NAMED} more" if len(shown) > MOST_NAMED else ""
    named = f"{', '.join(shown[:MOST_NAMED])}{more}"
    return [f"{witness.name} knows {len(lacking)} pass(es) of which no source that answered has pixels: {named}"]
