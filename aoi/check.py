"""What an outline must be before anything is computed from it; each refusal shows the values and says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, Polygon

from aoi.errors import AOIError
from aoi.geometry import area_km2, extent_km, utm_epsg

MOST_BYTES = 20_000_000
"""Of an area file."""
MOST_CORNERS = 200_000
"""Of all outlines of one file together."""
MOST_PARTS = 2000
"""Polygons of one file; the checks of many thousand take minutes."""
LONGEST_SIDE_KM = 100.0
"""Of an area: one granule, and what fits into memory at 10 m."""
SMALLEST_M2 = 100.0
"""Of an area: one Sentinel-2 pixel."""

_FEWEST_CORNERS = 3


def file_bytes(path: Path) -> bytes:
    """Return a file's content.

    Raises
    ------
    AOIError
        Where it is missing, not a file, unreadable, empty or over 20 MB.
    """
    try:
        if not path.is_file():
            raise AOIError("no such file" if not path.exists() else "not a file")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise AOIError(f"{size / 1e6:.1f} MB; an area file has at most {MOST_BYTES / 1e6:.0f} MB")
        content = path.read_bytes()
    except OSError as error:
        raise AOIError(f"cannot be read: {error.strerror}") from error
    if not content:
        raise AOIError("the file is empty")
    return content


def check_degrees(points: NDArray[np.float64]) -> None:
    """Refuse points, (n, 2) of longitude and latitude, that lie nowhere on Earth."""
    wrong = ~(np.abs(points) <= (180.0, 90.0)).all(axis=1)
    if not wrong.any():
        return
    lon, lat = points[wrong][0]
    reason = f"the point {lon:g} {lat:g} reads as longitude {lon:g}, latitude {lat:g}"
    if not np.isfinite([lon, lat]).all():
        raise AOIError(f"{reason}; both must be finite numbers")
    if abs(lon) <= 90.0 and abs(lat) <= 180.0:
        raise AOIError(f"{reason}: latitudes end at 90. Swapped? Longitude comes first: {lat:g} {lon:g}")
    if max(abs(lon), abs(lat)) > 360.0:
        raise AOIError(
            f"{reason}: these look like metres. Give degrees (EPSG:4326), or a GeoPackage, which says its CRS"
        )
    raise AOIError(f"{reason}: longitudes lie in -180..180, latitudes in -90..90")


def _check_corners(corners: int) -> None:
    if corners > MOST_CORNERS:
        raise AOIError(f"{corners} corners; at most {MOST_CORNERS} are accepted: simplify the outlines")


def polygon(rings: Sequence[NDArray[np.float64]]) -> Polygon:
    """Return a polygon of rings, (n, 2) each, the outer first.

    Raises
    ------
    AOIError
        Where there is no ring, or one has fewer than three corners.
    """
    if not rings:
        raise AOIError("a polygon has no ring of corners")
    _check_corners(sum(len(ring) for ring in rings))
    for ring in rings:
        distinct = len(np.unique(ring, axis=0))
        if distinct < _FEWEST_CORNERS:
            raise AOIError(f"a polygon needs at least {_FEWEST_CORNERS} different corners; this one has {distinct}")
    try:
        return Polygon(rings[0], list(rings[1:]))
    except (ShapelyError, ValueError) as error:
        raise AOIError(f"no polygon can be made of these corners: {error}") from error


def one_geometry(parts: Sequence[Polygon]) -> Polygon | MultiPolygon:
    """Return one polygon as it is, several as one geometry."""
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def check_amount(geometries: Sequence[Polygon | MultiPolygon]) -> None:
    """Refuse more corners or parts, all outlines together, than anyone draws for a purpose."""
    _check_corners(int(shapely.get_num_coordinates(geometries).sum()))
    parts = int(shapely.get_num_geometries(geometries).sum())
    if parts > MOST_PARTS:
        raise AOIError(f"{parts} polygons; at most {MOST_PARTS} are accepted: keep those that matter")


def check_outline(geometry: Polygon | MultiPolygon, what: str) -> None:
    """Refuse an outline that is empty, lies nowhere on Earth, has no area or crosses itself.

    Parameters
    ----------
    geometry
        Longitude and latitude, degrees.
    what
        Whose outline it is, such as "zone 'apron'".
    """
    if geometry.is_empty:
        raise AOIError(f"{what} has an empty outline")
    try:
        check_degrees(shapely.get_coordinates(geometry))
    except AOIError as error:
        raise AOIError(f"{what}: {error}") from error
    if shapely.convex_hull(geometry).geom_type != "Polygon":
        raise AOIError(
            f"{what} has no area: all its corners lie on one line, from {geometry.bounds[:2]} to {geometry.bounds[2:]}"
        )
    if not geometry.is_valid:
        reason = shapely.is_valid_reason(geometry)
        raise AOIError(
            f"the outline of {what} crosses or touches itself ({reason}, longitude latitude): draw it anew there"
        )


def check_size(geometry: Polygon | MultiPolygon, what: str) -> None:
    """Refuse an area that is too large or too small to be compared, or lies beyond the latitudes of UTM."""
    across, along = extent_km(geometry)
    west, _, east, _ = geometry.bounds
    if east - west > 180.0:
        raise AOIError(
            f"{what} reaches from longitude {west:.2f} to {east:.2f}. If it crosses the antimeridian, define one area "
            "on each side of it"
        )
    if max(across, along) > LONGEST_SIDE_KM:
        raise AOIError(
            f"{what} measures {across:.0f} x {along:.0f} km (east-west x north-south); at most {LONGEST_SIDE_KM:.0f} x "
            f"{LONGEST_SIDE_KM:.0f} km are compared at once: split it"
        )
    square_metres = area_km2(geometry) * 1e6
    if square_metres < SMALLEST_M2:
        raise AOIError(f"{what} measures {square_metres:.3g} m2, less than one pixel of 10 m: draw it larger")
    utm_epsg(geometry)
