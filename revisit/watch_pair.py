"""A source narrowed to two passes, so that a comparison by days can take no other pass of the same days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aoi import AOI, Grid
from imagery.datatake import same_pass
from imagery.raster import Raster
from imagery.scene import Period, Scene
from imagery.sources.base import Found, Source, Survey


@dataclass(frozen=True, kw_only=True)
class PairSource:
    """A source in which the days of two passes hold these two and no others."""

    source: Source
    before: Scene
    after: Scene

    @property
    def name(self) -> str:
        """Of the source behind."""
        return self.source.name

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return what the source finds, without other passes of the two days."""
        found = self.source.search(aoi, periods, sensor=sensor)
        return replace(found, scenes=tuple(scene for scene in found.scenes if self._is_wanted(scene)))

    def _is_wanted(self, scene: Scene) -> bool:
        days = {scene.acquired.date(): scene for scene in (self.before, self.after)}
        own = days.get(scene.acquired.date())
        return own is None or same_pass(own, scene)

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        """Return what the source's classification tells."""
        return self.source.survey(scene, grid)

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Return what the source reads."""
        return self.source.read(scene, grid, bands)
