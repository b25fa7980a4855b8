"""The 100 km MGRS tiles by which Sentinel-2 granules are named.

A granule is a square of 109.8 km that begins at the north-west corner of its 100 km square, moved outward to the next
multiple of 60 m, so that granules overlap by about 10 km; and where two UTM zones meet, each has its own granules over
the border. A place therefore often lies in two to four of them.

The rules were held against the whole of ESA's tiling grid (the KML of 2015-12-09): the names and extents of its 56 686
granules agree, and so does the choice of squares, but for the exceptions around Norway and Svalbard, the last squares
before the poles, and one sliver a zone at latitude 46 that is listed here and has no granule there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pyproj
import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from aoi.geometry import centre, utm_epsg, utm_zone

GRANULE_M = 109_800
"""Side of a Sentinel-2 granule, metres."""
SQUARE_M = 100_000
"""Side of an MGRS square, metres."""

_CORNER_M = 60
"""A granule's corner lies on a multiple of its coarsest pixel."""
_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")
"""Letters of the squares from 100 km to 900 km east; they repeat every three zones."""
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
"""Letters of the squares northward; they repeat every 2000 km and begin five later in even zones."""
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
"""Letters of the latitudes from -80 in steps of 8 degrees."""
_LONGEST_EDGE = 0.05
"""Degrees."""


def _to_degrees(zone: int) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(f"EPSG:{32600 + zone}", "EPSG:4326", always_xy=True)


def _east_of(lon: float, meridian: float) -> float:
    """Return how many degrees a longitude lies east of a meridian, -180 to 180, also across the antimeridian."""
    return (lon - meridian + 180) % 360 - 180


def _is_kept(zone: int, east: int, north: int) -> bool:
    """Whether the square, which may lie across the border of its zone, has a granule.

    In the west it has where the granule's middle lies in the zone, in the east where any ground of the square does; at
    the antimeridian it is the other way round.
    """
    to_degrees, meridian = _to_degrees(zone), -183 + 6 * zone
    middle, _ = to_degrees.transform(east + GRANULE_M / 2, north + SQUARE_M - GRANULE_M / 2)
    sides = [east, east, east + SQUARE_M, east + SQUARE_M]
    lons, _ = to_degrees.transform(sides, [north, north + SQUARE_M] * 2)
    corners = [_east_of(lon, meridian) for lon in lons]
    within = -3 < _east_of(middle, meridian) < 3
    in_west, in_east = min(corners) < -3, max(corners) > 3
    reaches = min(corners) < 3 and max(corners) > -3
    return reaches and (within or not ((in_west and zone > 1) or (in_east and zone == 60)))


def _tile_name(zone: int, east: int, north: int) -> str:
    """Return the name of a square; its band is that of its middle, as in ESA's grid."""
    _, lat = _to_degrees(zone).transform(east + SQUARE_M / 2, north + SQUARE_M / 2)
    band = _BANDS[min(max(int((lat + 80) // 8), 0), len(_BANDS) - 1)]
    column = _COLUMNS[(zone - 1) % 3][east // SQUARE_M - 1]
    row = _ROWS[(north // SQUARE_M + (5 if zone % 2 == 0 else 0)) % len(_ROWS)]
    return f"{zone:02d}{band}{column}{row}"


def _granule(east: int, north: int) -> BaseGeometry:
    left = math.floor(east / _CORNER_M) * _CORNER_M
    top = math.ceil((north + SQUARE_M) / _CORNER_M) * _CORNER_M
    return box(left, top - GRANULE_M, left + GRANULE_M, top)


def _squares(bounds: tuple[float, float, float, float]) -> Iterator[tuple[int, int]]:
    """Yield (east, north), metres, of the south-west corners of the squares whose granules may touch the bounds."""
    reach = GRANULE_M - SQUARE_M + _CORNER_M
    west, south, east, north = bounds
    for column in range(
        max(math.floor((west - reach) / SQUARE_M), 1), min(math.floor((east + _CORNER_M) / SQUARE_M), 8) + 1
    ):
        for row in range(math.floor((south - _CORNER_M) / SQUARE_M), math.floor((north + reach) / SQUARE_M) + 1):
            yield column * SQUARE_M, row * SQUARE_M


def mgrs_tiles(geometry: BaseGeometry) -> tuple[str, ...]:
    """Return the tiles whose Sentinel-2 granules touch a lon/lat geometry.

    Parameters
    ----------
    geometry
        Longitude and latitude, degrees, WGS 84.

    Returns
    -------
    tuple[str, ...]
        Such as ("36SYE", "37SBV"); those of the zone that holds the geometry's centre come first.

    Raises
    ------
    AOIError
        Where the geometry lies outside the latitudes of UTM.
    """
    utm_epsg(geometry)
    own = utm_zone(centre(geometry)[0])
    dense = shapely.segmentize(geometry, _LONGEST_EDGE)
    names: list[str] = []
    for zone in (own, (own - 2) % 60 + 1, own % 60 + 1):
        to_metres = pyproj.Transformer.from_crs("EPSG:4326", f"EPSG:{32600 + zone}", always_xy=True)
        ground = shapely.transform(dense, lambda p, t=to_metres: np.column_stack(t.transform(p[:, 0], p[:, 1])))
        names += sorted(
            _tile_name(zone, *corner)
            for corner in _squares(ground.bounds)
            if _granule(*corner).intersects(ground) and _is_kept(zone, *corner)
        )
    return tuple(names)
