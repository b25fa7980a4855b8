"""What a watch keeps, as values: areas, passes, comparisons, changes and notices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from shapely.geometry.base import BaseGeometry

from imagery.scene import Scene

SENSORS_OF: Mapping[str, tuple[str, ...]] = {"auto": ("s2", "s1"), "s2": ("s2",), "s1": ("s1",)}
"""The sensors that are looked at, by what `--sensor` said."""
SENSOR_NAMES: Mapping[str, str] = {"s2": "Sentinel-2", "s1": "Sentinel-1"}
DEFAULT_RATE = 0.1
"""Chance flags per km2 and comparison: a watch compares a hundred times a year, so it asks for fewer than `compare`."""
SCHEMA_NOTICE = "revisit/watch-notice/1"


@dataclass(frozen=True, kw_only=True)
class WatchWish:
    """How an area is to be watched."""

    since: date
    """Passes from this day on are looked at; earlier ones only serve to be compared with."""
    sensor: str = "auto"
    """"auto" (both), "s2" or "s1"."""
    source: str = "auto"
    """As `--source` says it."""
    false_alarms_per_km2: float = DEFAULT_RATE
    baseline: int = 20
    """Most earlier dates from which the noise of unchanged ground is learned."""


@dataclass(frozen=True, kw_only=True)
class WatchedArea:
    """An area on the list."""

    key: int
    """Of its row."""
    name: str
    spec: str
    """Built-in name, or path of the file that it was read from."""
    geojson: str
    """The area itself: a file that moves or changes later does not change what is watched."""
    wish: WatchWish
    last_look: datetime | None = None
    last_outcome: str | None = None
    """In words."""


@dataclass(frozen=True, kw_only=True)
class KnownPass:
    """A pass whose pixels were looked at."""

    key: int
    """Of its row."""
    sensor: str
    acquired: datetime
    platform: str | None
    orbit: int | None
    scene: str
    """Id of the product that was looked at."""
    share: float
    """Of the searched ground that is valid on it, 0 to 1."""
    refused: str | None = None
    """Why it could not be compared although enough of it is valid; it then serves as no reference either."""


@dataclass(frozen=True, kw_only=True)
class SeenPass:
    """A pass as a source lists it now, with what is known of it."""

    key: int
    """Of its row; it gets one when it is looked at."""
    scene: Scene
    acquired: datetime
    """As it was first told: products of one pass differ by minutes, and the pass must keep its name."""
    share: float
    refused: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewChange:
    """A changed object that was not reported before."""

    flag: str
    """Its id in the run."""
    sign: str
    """"appeared", "vanished" or "altered"."""
    outline: BaseGeometry
    """Longitude and latitude, degrees."""


@dataclass(frozen=True, kw_only=True)
class Reported:
    """A change that was reported."""

    id: str
    sign: str
    outline: BaseGeometry
    """Longitude and latitude, degrees."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One comparison, ready to be kept: all of it or nothing."""

    area: int
    """Row of the area."""
    before: SeenPass
    after: SeenPass
    run: str
    """Name of the run's folder; empty where there is none."""
    flags: int
    by_chance: float
    """How many flags chance alone was asked to give."""
    new: tuple[NewChange, ...] = ()
    seen_again: tuple[tuple[str, str], ...] = ()
    """(flag, id of the change that was reported before)."""
    refused: str | None = None
    """Why the two could not be compared, whatever is tried."""
    notice: Mapping[str, Any] | None = None
    """What is told of the new changes; None where there are none."""


Delivery = Literal["unwanted", "waiting", "taken"]


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What is told of the new changes of one comparison."""

    id: str
    """Stable: the same comparison in the same state always has the same."""
    area: str
    made: datetime
    payload: str
    """JSON, to the byte as it is sent."""
    printed: bool
    webhook: Delivery


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One comparison of this look."""

    before: SeenPass
    after: SeenPass
    new: int
    again: int
    valid_share: float
    """Of the searched ground, on both dates."""
    refused: str | None = None


@dataclass(frozen=True, kw_only=True)
class AreaLook:
    """What came of a look at an area."""

    name: str
    compared: tuple[Compared, ...] = ()
    clouded: tuple[SeenPass, ...] = ()
    """New passes, looked at now, of which too little is valid."""
    alone: tuple[SeenPass, ...] = ()
    """New passes, looked at now, with nothing to compare them with."""
    problems: tuple[str, ...] = ()
    """Why it could not be looked at in full; what is missing is tried again at the next call."""
    warnings: tuple[str, ...] = ()
    passes: tuple[KnownPass, ...] = ()
    """All that are known or listed, of all sensors, oldest first."""

    @property
    def new(self) -> int:
        """New changes."""
        return sum(one.new for one in self.compared)
