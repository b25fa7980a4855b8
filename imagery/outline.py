"""Outlines of map rectangles in longitude and latitude."""

from __future__ import annotations

import math

from shapely import Polygon, segmentize, transform
from shapely.geometry import box

from imagery.errors import SceneError

PIECES = 8
"""Pieces into which a side is cut, so that its curvature in degrees is kept: 30 m are left of it on 110 km."""


def lonlat_outline(crs: str, bounds: tuple[float, float, float, float]) -> Polygon:
    """Return a rectangle of a map as a polygon in degrees, WGS 84.

    Parameters
    ----------
    crs
        Of the map, such as "EPSG:32636".
    bounds
        West, south, east, north in its units.

    Raises
    ------
    SceneError
        Where the rectangle lies outside what the CRS can express.
    """
    from pyproj import Transformer

    west, south, east, north = bounds
    if crs == "EPSG:4326":
        return box(west, south, east, north)
    cut = segmentize(box(west, south, east, north), max(east - west, north - south) / PIECES)
    to_lonlat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    shape = transform(cut, to_lonlat.transform, interleaved=False)
    if not all(map(math.isfinite, shape.bounds)) or not shape.is_valid:
        raise SceneError(f"the rectangle {bounds} lies outside {crs[:40]}")
    return shape
