"""The area of interest: a lon/lat polygon that the user cares about, with named zones and buildings."""

from __future__ import annotations

from dataclasses import dataclass

from shapely.geometry import MultiPolygon, Polygon
from shapely.ops import unary_union

from aoi.errors import AOIError

ZONE_KINDS = (
    "apron",
    "runway",
    "taxiway",
    "hardstand",
    "revetment",
    "storage",
    "quay",
    "berth",
    "basin",
    "anchorage",
    "other",
)
"""The kinds of zone that the toolkit knows."""


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A named part of an AOI."""

    name: str
    """Unique within its AOI."""
    kind: str
    """One of `ZONE_KINDS`."""
    geometry: Polygon | MultiPolygon
    """Longitude and latitude, degrees, WGS 84."""
    source: str
    """Where the outline comes from."""
    accuracy_m: float | None
    """How far the outline may be off, metres; None where nobody said."""

    def __post_init__(self) -> None:
        """Refuse kinds that no rule knows."""
        if self.kind not in ZONE_KINDS:
            raise AOIError(f"zone {self.name!r} has the kind {self.kind!r}; known kinds: {', '.join(ZONE_KINDS)}")


@dataclass(frozen=True, kw_only=True)
class Building:
    """An upright structure: its shadow and its lean move between dates."""

    name: str
    geometry: Polygon | MultiPolygon
    """Longitude and latitude, degrees, WGS 84."""
    height_m: float | None = None
    """Above ground, metres; None where unknown."""


@dataclass(frozen=True, kw_only=True)
class AOI:
    """An area of interest."""

    name: str
    geometry: Polygon | MultiPolygon
    """Longitude and latitude, degrees, WGS 84."""
    zones: tuple[Zone, ...] = ()
    buildings: tuple[Building, ...] = ()

    @property
    def searched(self) -> Polygon | MultiPolygon:
        """Ground on which changes are flagged: the zones where there are any, else the whole AOI (lon/lat)."""
        return unary_union([zone.geometry for zone in self.zones]) if self.zones else self.geometry
