"""What every source of scenes offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aoi import AOI, Grid
from imagery.raster import BoolArray, Raster
from imagery.scene import Period, Scene


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one of several sources answered."""

    name: str
    """Of the source."""
    scenes: int
    """How many files it has, twins included."""
    complete: bool
    """Whether it answered completely, so that absence means something."""
    note: str = ""
    """Why it did not, or what it is asked for; empty where nothing needs to be said."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The answer to a search. Three outcomes: scenes, confirmed empty (`complete` and no scenes), or in part."""

    scenes: tuple[Scene, ...]
    """Oldest first."""
    complete: bool
    """False where the source failed in part: absence then proves nothing."""
    warnings: tuple[str, ...] = ()
    """What was left out and why, one line each."""
    asked: tuple[Asked, ...] = ()
    """Every source that took part, where a source asks others; empty where it is alone."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What of a scene can be used, as far as its classification alone tells. `usable` lies within `possible`."""

    usable: BoolArray
    """(row, col) on the grid, True = usable whatever the bands show, but for their own gaps."""
    possible: BoolArray
    """(row, col), True = usable, or called cloud or snow in a way that the bands may refute (`imagery.mask`)."""


class Source(Protocol):
    """A place where scenes come from."""

    @property
    def name(self) -> str:
        """As the command line and the manifest call it."""

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        """Return the scenes of `sensor` that touch `aoi` within any of `periods`."""

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        """Return what of `scene` can be used on `grid`; None where reading everything tells it as cheaply."""

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        """Return `bands` of `scene` on `grid` in physical units, with validity settled."""
