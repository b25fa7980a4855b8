"""What a series found, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from detect.activity import Anomaly, Testimony
from detect.chain import SURE
from detect.scan import Scan
from detect.tracks import Track
from revisit.afloat import Count
from revisit.ground import Ground
from revisit.series_dates import DateStack
from revisit.series_recipe import SeriesRecipe
from revisit.series_water import Berth

LARGE_M = 35.0
"""From this length an object is called large: of the size of a transport aircraft. A size is known to a pixel."""


@dataclass(frozen=True, kw_only=True)
class Followed:
    """One object's place through the dates of one track."""

    id: str
    """Such as "T3" (optical) or "R1" (radar)."""
    zone: str
    """Name of the zone that holds most of it; of several the smallest."""
    also: tuple[str, ...] = ()
    """Other zones that hold half of it or more: zones may overlap, and it is counted in each."""
    track: Track
    length_m: float
    width_m: float

    def lies_in(self, zone: str) -> bool:
        """Whether it is counted in a zone."""
        return zone == self.zone or zone in self.also

    @property
    def large(self) -> bool:
        """Whether it has the size of a transport aircraft or more."""
        return self.length_m >= LARGE_M


@dataclass(frozen=True, kw_only=True)
class TrackSeries:
    """One sensor from one side over all dates."""

    stack: DateStack
    scan: Scan | None
    """None where its dates or its ground do not suffice."""
    objects: tuple[Followed, ...]
    """Strongest first."""
    anomalies: Mapping[str, Anomaly]
    """By zone."""
    vessels: Mapping[str, Mapping[int, Count]]
    """By zone and date."""
    berths: Mapping[str, Berth]
    """By zone."""
    obstacle: str | None
    """Why its dates could not be used."""


@dataclass(frozen=True, kw_only=True)
class ZoneDate:
    """A zone on one date of one track: a row of series.csv."""

    zone: str
    kind: str
    series: int
    """Place of the track in the result."""
    acquired: datetime
    scene: str
    seen: bool
    """False: a gap. Nothing may be concluded of it, least of all that nothing was there."""
    reason: str
    """Why it is a gap; empty where it is none."""
    share: float | None
    """Of the zone that is valid, 0 to 1; None where unknown."""
    date: int | None = None
    """Place among the dates of the track; None in a gap."""
    objects: tuple[int, int, int] | None = None
    """Objects that came or went within the series and stood there: least, most likely, most (95 %)."""
    large: int | None = None
    """Of the most likely ones, those of a transport's size or more."""
    arrived: int | None = None
    """First seen on this date."""
    left: int | None = None
    """First missing on this date."""
    longest_stay_days: float | None = None
    """Of the objects there, from first sight to this date."""
    vessels: Count | None = None
    berth: str | None = None
    """"occupied", "empty" or "cannot tell"."""
    berth_chance: float | None = None
    anomaly: float | None = None
    odd: bool = False


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A time in which a track shows nothing of a zone."""

    zone: str
    series: int
    start: datetime
    """Last date before it, or the begin of the series."""
    end: datetime
    """First date after it, or the end of the series."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class ChangeRecord:
    """One arrival or departure with its most likely dates."""

    object: Followed
    series: int
    kind: Literal["arrival", "departure"]
    after: datetime
    """Last date that shows the old state."""
    before: datetime
    """First date that shows the new one."""
    confidence: float
    """Probability that the change lies between these two, given that the place changed at all."""
    heard: Mapping[int, Testimony]
    """What other sensors say, by their place in the result."""

    @property
    def sure(self) -> bool:
        """Whether it is no chance, lies between its two dates, and can be told from its reverse, as far as is known.

        A place whose two states stand out alike may be an aircraft that stayed while its shadow grew.
        """
        track = self.object.track
        return self.confidence >= SURE and track.real and track.sense == "object"


@dataclass(frozen=True, kw_only=True)
class SeriesResult:
    """Activity of a place over time."""

    recipe: SeriesRecipe
    ground: Ground
    margin: int
    """Pixels of padding on each side of the frame in which places are given."""
    series: tuple[TrackSeries, ...]
    rows: tuple[ZoneDate, ...]
    changes: tuple[ChangeRecord, ...]
    """In the order of time."""
    gaps: tuple[Gap, ...]
    warnings: tuple[str, ...]
    complete: bool
    """False where a source failed or answered in part."""
    timings_s: Mapping[str, float]
    exchange: Mapping[str, float] | None = None

    @property
    def simulated(self) -> bool:
        """Whether nothing in it is real."""
        return any(look.scene.simulated for one in self.series for look in one.stack.looks)

    @property
    def zones(self) -> tuple[tuple[str, str], ...]:
        """Name and kind of what is followed."""
        known = {zone.name: zone.kind for zone in self.ground.aoi.zones}
        named = tuple((name, known[name]) for name in self.ground.zones)
        return named or (("area", "other"),)
