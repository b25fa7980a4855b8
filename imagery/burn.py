"""Between lon/lat outlines and pixels: a polygon as a map of a grid, and a set of pixels as a polygon."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from aoi import Grid
from aoi.geometry import to_crs, to_lonlat
from imagery.raster import BoolArray

LONGEST_EDGE_DEG = 0.01
"""A straight line in lon/lat is a curve in a projection: over 1 km it strays by centimetres, over 100 km by 100 m."""
DECIMALS = 8
"""Of a degree: a millimetre."""
CORNER_PX = 0.02
"""Half width of the neck that joins two pixels which meet at a corner only."""


def burn(geometry: BaseGeometry, grid: Grid) -> BoolArray:
    """Return which pixels of the grid have their centre inside an outline.

    Parameters
    ----------
    geometry
        Polygon or MultiPolygon, longitude and latitude, degrees.
    grid
        The grid of the map.

    Returns
    -------
    (row, col) bool
        An outline so small or thin that it holds no centre gets every pixel that it touches, because ground that was
        asked for must not vanish.
    """
    shape = to_crs(shapely.segmentize(geometry, LONGEST_EDGE_DEG), grid.crs)
    for all_touched in (False, True):
        inside: BoolArray = rasterize(
            [(shape, 1)], out_shape=grid.shape, transform=grid.transform, all_touched=all_touched, dtype="uint8"
        ).astype(bool)
        if inside.any():
            break
    return inside


def _runs(rows: NDArray[np.intp], cols: NDArray[np.intp]) -> list[Polygon]:
    """Return the pixels as boxes in (col, row) coordinates, neighbours in a row in one box."""
    order = np.lexsort((cols, rows))
    row, col = rows[order], cols[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(row) != 0) | (np.diff(col) != 1)])
    ends = np.r_[starts[1:], len(row)] - 1
    return [
        shapely.box(col[first], row[first], col[last] + 1, row[first] + 1)
        for first, last in zip(starts, ends, strict=True)
    ]


def _joined(parts: BaseGeometry) -> BaseGeometry:
    """Return one polygon of parts that meet at corners: a small square is laid over each such corner."""
    pieces = shapely.get_parts(parts)
    first, second = shapely.STRtree(pieces).query(pieces, predicate="touches")
    corners = shapely.get_coordinates(shapely.intersection(pieces[first], pieces[second]))
    necks = [shapely.box(x - CORNER_PX, y - CORNER_PX, x + CORNER_PX, y + CORNER_PX) for x, y in corners]
    return shapely.union_all([parts, *necks])


def outline(rows: NDArray[np.intp], cols: NDArray[np.intp], grid: Grid) -> Polygon | MultiPolygon:
    """Return the outline of a set of pixels.

    Parameters
    ----------
    rows, cols
        (n,) of the pixels, n >= 1.
    grid
        The grid that they belong to.

    Returns
    -------
    Polygon
        Longitude and latitude, degrees, rounded to a millimetre; exterior counter-clockwise as RFC 7946 asks. Parts
        that meet only at a corner are joined by a neck of 0.04 px; a MultiPolygon results only from pixels that do not
        touch at all.

    Raises
    ------
    ValueError
        Where there are no pixels.
    """
    if not len(rows):
        raise ValueError("an outline needs at least one pixel")
    shape = shapely.union_all(_runs(np.asarray(rows), np.asarray(cols)))
    if shape.geom_type == "MultiPolygon":
        shape = _joined(shape)
    t = grid.transform
    placed = shapely.transform(shape, lambda p: np.column_stack((t.c + t.a * p[:, 0], t.f + t.e * p[:, 1])))
    lonlat = shapely.transform(to_lonlat(placed, grid.crs), lambda p: np.round(p, DECIMALS))
    if lonlat.geom_type == "Polygon":
        return orient(lonlat)
    return MultiPolygon([orient(part) for part in lonlat.geoms])
