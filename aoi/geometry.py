"""From degrees to metres and back: UTM zones, sizes on the ground, circles, and the grid of a run.

Points are (longitude, latitude) in degrees, WGS 84, unless a name says otherwise. The exceptions of the UTM zones
around Norway and Svalbard are not followed: they only shift a zone's border, and every product says its own zone.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeVar

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from pyproj.exceptions import CRSError, ProjError
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from aoi.area import AOI
from aoi.errors import AOIError
from aoi.grid import Grid

Shape = TypeVar("Shape", bound=BaseGeometry)

LON_LAT = "EPSG:4326"
UTM_SOUTH_END, UTM_NORTH_END = -80.0, 84.0
"""Latitudes between which UTM is defined, degrees."""
CIRCLE_CORNERS = 128
"""The polygon's edge lies at most 0.03 % of the radius inside the circle."""

_WGS84 = pyproj.Geod(ellps="WGS84")
_LONGEST_EDGE = 0.01
"""Degrees; an edge of 1 km bends by under 2 cm when it is projected."""


def centre(geometry: BaseGeometry) -> tuple[float, float]:
    """Return (longitude, latitude) of the middle of the geometry's bounding box."""
    west, south, east, north = geometry.bounds
    return (west + east) / 2, (south + north) / 2


def utm_zone(lon: float) -> int:
    """Return the number of the UTM zone, 1 to 60, that holds a longitude (degrees, -180 to 180)."""
    return min(int((lon + 180.0) // 6.0) + 1, 60)


def utm_epsg(geometry: BaseGeometry) -> int:
    """Return the EPSG code of the UTM zone that holds the geometry's centre.

    Raises
    ------
    AOIError
        Where the centre lies outside the latitudes of UTM.
    """
    lon, lat = centre(geometry)
    if not UTM_SOUTH_END <= lat <= UTM_NORTH_END:
        raise AOIError(
            f"latitude {lat:.4f} lies in no UTM zone; choose an area between latitudes {UTM_SOUTH_END:.0f} and "
            f"{UTM_NORTH_END:.0f}"
        )
    return (32600 if lat >= 0 else 32700) + utm_zone(lon)


def utm_name(epsg: int) -> str:
    """Return a UTM zone's name, such as "36N" for 32636."""
    return f"{epsg % 100}{'N' if epsg // 100 == 326 else 'S'}"


def local_crs(lon: float, lat: float) -> str:
    """Return a CRS of true metres east and north of a point (azimuthal equidistant, exact to 1 mm within 5 km)."""
    return f"+proj=aeqd +lon_0={lon!r} +lat_0={lat!r} +datum=WGS84 +units=m +type=crs"


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> pyproj.Transformer:
    try:
        return pyproj.Transformer.from_crs(source, target, always_xy=True)
    except (CRSError, ProjError) as error:
        raise AOIError(f"coordinates cannot be brought from {source!r} to {target!r}: {error}") from error


def transformed(geometry: Shape, source: str, target: str) -> Shape:
    """Return the geometry with every corner moved from one CRS to another (x before y; edges stay straight).

    Raises
    ------
    AOIError
        Where a CRS is unknown, or a corner has no place in the target.
    """
    transformer = _transformer(source, target)

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer.transform(points[:, 0], points[:, 1]))

    moved: Shape = shapely.transform(geometry, move)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise AOIError(f"the area with the bounds {geometry.bounds} ({source}) has no place in {target}")
    return moved


def to_crs(geometry: Shape, crs: str) -> Shape:
    """Return a lon/lat geometry in another CRS."""
    return transformed(geometry, LON_LAT, crs)


def to_lonlat(geometry: Shape, crs: str) -> Shape:
    """Return a geometry of another CRS in longitude and latitude."""
    return transformed(geometry, crs, LON_LAT)


def distance_m(start: tuple[float, float], end: tuple[float, float]) -> float:
    """Return the geodesic distance between two (longitude, latitude) points, metres."""
    return float(_WGS84.inv(*start, *end)[2])


def offset(point: tuple[float, float], *, east_m: float, north_m: float) -> tuple[float, float]:
    """Return the (longitude, latitude) that lies so many metres east and north of another."""
    azimuth = math.degrees(math.atan2(east_m, north_m))
    lon, lat, _ = _WGS84.fwd(*point, azimuth, math.hypot(east_m, north_m))
    return float(lon), float(lat)


def extent_km(geometry: BaseGeometry) -> tuple[float, float]:
    """Return the (east-west, north-south) extent of the bounding box on the ground, km.

    East-west is measured along the parallel through the middle, so that it stays right for a box wider than half the
    globe.
    """
    west, south, east, north = geometry.bounds
    latitude = math.radians((south + north) / 2)
    radius = _WGS84.a / math.sqrt(1.0 - _WGS84.es * math.sin(latitude) ** 2)
    across = math.radians(east - west) * radius * math.cos(latitude)
    along = _WGS84.line_length([west, west], [south, north])
    return across / 1000.0, float(along) / 1000.0


def counter_clockwise(geometry: Polygon | MultiPolygon) -> Polygon | MultiPolygon:
    """Return the geometry with outer rings counter-clockwise and holes clockwise (RFC 7946, 3.1.6)."""
    if isinstance(geometry, Polygon):
        return orient(geometry)
    return MultiPolygon([orient(part) for part in geometry.geoms])


def area_km2(geometry: BaseGeometry) -> float:
    """Return the geodesic area of a lon/lat geometry, km2; 0 for what has none."""
    parts = [part for part in shapely.get_parts(geometry) if isinstance(part, Polygon)]
    return sum(abs(float(_WGS84.geometry_area_perimeter(orient(part))[0])) for part in parts) / 1e6


def circle(lon: float, lat: float, radius_m: float) -> Polygon:
    """Return a circle on the ground as a lon/lat polygon of `CIRCLE_CORNERS` corners.

    Raises
    ------
    AOIError
        Where the radius is not positive and finite, or the circle leaves the longitudes or latitudes there are.
    """
    if not (math.isfinite(radius_m) and radius_m > 0):
        raise AOIError(f"a radius is a positive number of metres, not {radius_m}")
    angles = np.arange(CIRCLE_CORNERS) * (2.0 * math.pi / CIRCLE_CORNERS)
    ring = Polygon(np.column_stack([np.cos(angles), np.sin(angles)]) * radius_m)
    disc: Polygon = to_lonlat(ring, local_crs(lon, lat))
    west, _, east, _ = disc.bounds
    if east - west > 180:
        raise AOIError(
            f"a circle of {radius_m / 1000:g} km around {lon} {lat} crosses the antimeridian or a pole; split it"
        )
    return disc


def _projected_in_metres(crs: str) -> str:
    try:
        found = pyproj.CRS.from_user_input(crs)
    except CRSError as error:
        raise AOIError(f"the coordinate system {crs!r} is not known: {error}") from error
    units = {axis.unit_name for axis in found.axis_info}
    if not found.is_projected or not units <= {"metre", "meter"}:
        raise AOIError(
            f"a grid needs a projected coordinate system in metres; {crs} is {found.type_name} in {sorted(units)}"
        )
    return crs


def grid_for(area: AOI | Polygon | MultiPolygon, gsd: float, crs: str | None = None) -> Grid:
    """Return the smallest north-up grid that covers the area and whose corner lies on whole multiples of the GSD.

    The same area and GSD give the same pixels in every run.

    Parameters
    ----------
    area
        An AOI, or its outline in longitude and latitude.
    gsd
        Pixel spacing, metres, > 0.
    crs
        A projected CRS in metres; None: the UTM zone that holds the area's centre.

    Raises
    ------
    AOIError
        Where the GSD is not positive, or the CRS is not projected or not in metres.
    """
    geometry = area.geometry if isinstance(area, AOI) else area
    target = f"EPSG:{utm_epsg(geometry)}" if crs is None else _projected_in_metres(crs)
    return Grid.from_bounds(to_crs(shapely.segmentize(geometry, _LONGEST_EDGE), target).bounds, crs=target, gsd=gsd)
