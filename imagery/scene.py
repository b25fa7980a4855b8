"""One acquisition as a catalogue describes it: no pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True, kw_only=True)
class Period:
    """A span of time, both ends included."""

    start: datetime
    """UTC, aware."""
    end: datetime
    """UTC, aware."""


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One file of a scene that holds one band."""

    href: str
    """Unsigned; a local path or an https address."""
    scale: float = 1.0
    """Physical value = number in the file x scale + offset."""
    offset: float = 0.0
    nodata: float | None = None
    """The number in the file that means "nothing here"."""
    band_index: int = 1
    """1 = the file's first band."""
    offset_doubtful: bool = False
    """True where `offset` is what the catalogue says and the catalogue is known to be wrong at times: the numbers
    themselves decide between 0 and ESA's -0.1 when they are read."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One acquisition of one sensor; unknown facts are None, never guessed."""

    id: str
    sensor: str
    """"s2" or "s1"."""
    platform: str | None
    """Such as "sentinel-2a"."""
    acquired: datetime
    """UTC, aware."""
    footprint: BaseGeometry
    """Longitude and latitude, degrees."""
    source: str
    """Name of the source that found it, such as "folder"."""
    href: str
    """Where its description lies, unsigned."""
    assets: Mapping[str, Asset]
    """By band name: "B02" ... "SCL", "VV", "VH"."""
    relative_orbit: int | None = None
    direction: str | None = None
    """"ascending" or "descending"."""
    processing_baseline: str | None = None
    """ESA's, such as "05.11"."""
    level: str | None = None
    """"L1C" or "L2A" where known."""
    sun_elevation_deg: float | None = None
    sun_azimuth_deg: float | None = None
    """Clockwise from north."""
    tile: str | None = None
    """MGRS tile of a Sentinel-2 granule, such as "36SYE"."""
    datatake: str | None = None
    """ESA's name of the pass, such as "GS2A_20240108T082251_044636_N05.10"."""
    datastrip: str | None = None
    """ESA's name of what one ground station received of the pass."""
    generated: datetime | None = None
    """When the product was made, UTC."""
    parts: tuple[Scene, ...] = ()
    """Further files of the same pass, on the same grid, that hold what this one lacks; in the order they are asked."""
    twins: tuple[Scene, ...] = ()
    """Other files of the same pass, each with parts of its own, that may stand for this one where it cannot be read."""
    simulated: bool = False
    """True for scenes made by a program; everything made from them says so."""
    notes: tuple[str, ...] = field(default=())
    """What the source had to decide or doubt about this scene; goes into the manifest's warnings."""
