"""A source whose reads are written down, so that a run that fails can say what it had and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aoi import AOI, Grid
from imagery.errors import ImageryError, SourceError
from imagery.raster import Raster
from imagery.scene import Period, Scene
from imagery.sources.base import Found, Source, Survey

GO_ON = "What was fetched is kept: run the same command again to go on."


@dataclass(frozen=True, kw_only=True)
class Read:
    """A scene that was read."""

    scene: str
    sha256: str
    """Of the pixels as read."""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Something that was asked for and could not be had."""

    what: str
    """A scene's id, or "search"."""
    reason: str


@dataclass(kw_only=True)
class WatchedSource:
    """A source that remembers what it gave and what it could not give."""

    source: Source
    reads: list[Read] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the source behind."""
        return self.source.name

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return what the source finds."""
        try:
            return self.source.search(aoi, periods, sensor=sensor)
        except ImageryError as error:
            self.missing.append(Missing(what="search", reason=str(error)))
            raise

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        """Return what the source's classification tells."""
        try:
            return self.source.survey(scene, grid)
        except ImageryError as error:
            self.missing.append(Missing(what=scene.id, reason=str(error)))
            raise

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Return what the source reads."""
        try:
            raster = self.source.read(scene, grid, bands)
        except ImageryError as error:
            self.missing.append(Missing(what=scene.id, reason=str(error)))
            raise
        self.reads.append(Read(scene=scene.id, sha256=raster.sha256))
        return raster


class UnfinishedRunError(SourceError):
    """A run that a source ended before its end."""

    def __init__(
        self, cause: SourceError, watched: WatchedSource, *, area: str, traffic: Mapping[str, float] | None
    ) -> None:
        count = len(watched.reads)
        said = str(cause).rstrip(".")
        super().__init__(f"{said}. {count} scene(s) were read. {GO_ON}" if count and traffic is not None else said)
        self.watched, self.area, self.traffic = watched, area, traffic
