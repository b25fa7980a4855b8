"""Where things lie in a picture of the grid: outlines in pixel coordinates, world files, scale bars, chips.

Pixel coordinates are (x, y) = (column, row) counted from the upper left corner of the grid, so that the pixel in row r
and column c covers x from c to c + 1 and y from r to r + 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from aoi import Grid
from aoi.geometry import LON_LAT, transformed
from detect.change import ChangedObject

Line = NDArray[np.float64]
"""(n, 2) points in pixel coordinates."""

_CLEARANCE = 1
"""Pixels between an object and its outline, so that the line hides none of its pixels."""
_CHIP_MARGIN, _CHIP_LEAST = 12, 40
"""Pixels around an object that show its surroundings; least side of a chip."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A part of the grid."""

    row: int
    """First row."""
    col: int
    """First column."""
    height: int
    """Rows."""
    width: int
    """Columns."""


def pixel_geometry(rows: NDArray[np.intp], cols: NDArray[np.intp]) -> BaseGeometry:
    """Return the ground of some pixels as one polygon or several, in pixel coordinates.

    Parameters
    ----------
    rows, cols
        (n,) of the pixels; n >= 1.
    """
    order = np.lexsort((cols, rows))
    rows, cols = rows[order], cols[order]
    # One box a run of neighbours in a row: a large area has hundreds of runs but tens of thousands of pixels.
    starts = np.flatnonzero(np.r_[True, (np.diff(rows) != 0) | (np.diff(cols) != 1)])
    ends = np.r_[starts[1:], len(rows)] - 1
    return shapely.union_all(shapely.box(cols[starts], rows[starts], cols[ends] + 1, rows[starts] + 1))


def outline(changed: ChangedObject) -> tuple[Line, ...]:
    """Return the rings around an object, one pixel clear of it."""
    ground = pixel_geometry(changed.rows, changed.cols).buffer(_CLEARANCE, join_style="mitre")
    return tuple(shapely.get_coordinates(line) for line in shapely.get_parts(_lines(ground.simplify(0))))


def projected_lines(geometry: BaseGeometry, grid: Grid) -> tuple[Line, ...]:
    """Return the outline of a lon/lat geometry as lines in pixel coordinates, cut at the edge of the grid."""
    inverse = ~grid.transform
    rings = _lines(transformed(geometry, LON_LAT, grid.crs))
    placed = shapely.transform(rings, lambda xy: xy * (inverse.a, inverse.e) + (inverse.c, inverse.f))
    cut = shapely.get_parts(placed.intersection(box(0, 0, grid.width, grid.height)))
    # A line that only touches the edge of the grid leaves a point behind.
    return tuple(shapely.get_coordinates(line) for line in cut if line.geom_type == "LineString")


def _lines(geometry: BaseGeometry) -> BaseGeometry:
    """Return the boundary as a collection of lines, whatever the geometry is made of."""
    # Rings are had of polygons only: of a multipolygon there are none.
    return shapely.multilinestrings(shapely.get_rings(shapely.get_parts(geometry)))


def chip_window(changed: ChangedObject, grid: Grid) -> Window:
    """Return the part of the grid that shows an object with its surroundings, moved inward at the edges of the grid."""
    row, height = _span(int(changed.rows.min()), int(changed.rows.max()), grid.height)
    col, width = _span(int(changed.cols.min()), int(changed.cols.max()), grid.width)
    return Window(row=row, col=col, height=height, width=width)


def _span(first: int, last: int, size: int) -> tuple[int, int]:
    """Return the first index and the length of a chip's side."""
    length = min(max(last - first + 1 + 2 * _CHIP_MARGIN, _CHIP_LEAST), size)
    start = (first + last + 1 - length) // 2
    return min(max(start, 0), size - length), length


def bar_length(most_m: float) -> float:
    """Return the longest of 1, 2 or 5 times a power of ten, metres, that is not over `most_m` (> 0)."""
    step = 10.0 ** math.floor(math.log10(most_m))
    return max(factor * step for factor in (1.0, 2.0, 5.0) if factor * step <= most_m * (1 + 1e-9))


def metres(length: float) -> str:
    """Return a length as a person writes it: metres, from 1 km on kilometres."""
    return f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"


def sidecars(grid: Grid, factor: int) -> dict[str, str]:
    """Return what stands beside a picture of the grid so that other programs place it: texts by suffix.

    The world file says where its pixels lie. In which CRS, a PNG cannot say: programs of Esri read it from
    `.prj`, GDAL and with it QGIS from `.aux.xml`, whose suffix comes after the picture's own.

    Parameters
    ----------
    grid
        Its map stands in the upper left corner of the picture.
    factor
        Pixels of the picture along a pixel of the grid.
    """
    crs = pyproj.CRS.from_user_input(grid.crs)
    text = escape(crs.to_wkt("WKT1_GDAL"))
    aux = f'<PAMDataset>\n  <SRS dataAxisToSRSAxisMapping="1,2">{text}</SRS>\n</PAMDataset>\n'
    return {".pgw": world_file(grid, factor), ".prj": crs.to_wkt("WKT1_ESRI") + "\n", ".png.aux.xml": aux}


def world_file(grid: Grid, factor: int) -> str:
    """Return the six lines of the world file of a picture that shows each pixel of the grid `factor` x `factor` times.

    The last two lines are the place of the centre of the picture's first pixel, as the format asks.
    """
    step = grid.gsd / factor
    west, north = grid.transform.c, grid.transform.f
    numbers = (step, 0.0, 0.0, -step, west + step / 2, north - step / 2)
    return "".join(f"{number!r}\n" for number in numbers)
