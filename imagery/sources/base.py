"""What every source of scenes offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aoi import AOI, Grid
from imagery.raster import Raster
from imagery.scene import Period, Scene


@dataclass(frozen=True, kw_only=True)
class Found:
    """The answer to a search. Three outcomes: scenes, confirmed empty (`complete` and no scenes), or in part."""

    scenes: tuple[Scene, ...]
    """Oldest first."""
    complete: bool
    """False where the source failed in part: absence then proves nothing."""
    warnings: tuple[str, ...] = ()
    """What was left out and why, one line each."""


class Source(Protocol):
    """A place where scenes come from."""

    @property
    def name(self) -> str:
        """As the command line and the manifest call it."""

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return the scenes of `sensor` that touch `aoi` within any of `periods`."""

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Return `bands` of `scene` on `grid` in physical units, with validity settled."""
