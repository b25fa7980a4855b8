"""What is read of the dates of a place: every pass with its fate, and the pixels of those that serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from datetime import time as clock
from typing import Literal

from imagery.coregister import Alignment
from imagery.raster import BoolArray, FloatArray
from imagery.scene import Period, Scene
from revisit.ground import Ground
from revisit.result import SceneRecord
from revisit.series_recipe import SeriesRecipe

State = Literal["used", "cloud", "haze", "rejected", "unreadable", "not read"]

SEEN = 0.5
"""Share of a zone that must be valid for the date to say anything of it."""
CLEAR = 0.8
"""Share of the searched ground from which a date is clear, so that dates can be judged for haze by it."""


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
