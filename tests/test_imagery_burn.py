"""Outlines to pixels and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import Polygon, box

from aoi import Grid
from imagery.burn import burn, outline

GRID = Grid(crs="EPSG:32636", transform=Affine(10, 0, 768000, 0, -10, 3922000), width=60, height=50)
TO_METRES = Transformer.from_crs("EPSG:4326", GRID.crs, always_xy=True)
TO_DEGREES = Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True)


def in_degrees(metres: Polygon) -> Polygon:
    """Return a polygon of the grid's CRS in lon/lat."""
    return shapely.transform(metres, lambda p: np.column_stack(TO_DEGREES.transform(p[:, 0], p[:, 1])))


def in_metres(degrees: Polygon) -> Polygon:
    """Return a lon/lat polygon in the grid's CRS."""
    return shapely.transform(degrees, lambda p: np.column_stack(TO_METRES.transform(p[:, 0], p[:, 1])))


def centre(grid: Grid, rows: NDArray[Any], cols: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return (x, y) of pixel centres."""
    return grid.transform.c + 10 * (cols + 0.5), grid.transform.f - 10 * (rows + 0.5)


def centres_inside(shape: Polygon) -> NDArray[Any]:
    """Return by shapely's own point test which pixel centres lie in a polygon of the grid's CRS."""
    rows, cols = np.mgrid[: GRID.height, : GRID.width]
    x, y = centre(GRID, rows, cols)
    inside: NDArray[np.bool_] = shapely.contains_xy(shape, x, y)
    return inside


def test_burn_takes_the_pixels_whose_centre_is_inside() -> None:
    slanted = Polygon([(768043, 3921951), (768411, 3921877), (768502, 3921602), (768120, 3921533)])
    assert np.array_equal(burn(in_degrees(slanted), GRID), centres_inside(slanted))


def test_burn_leaves_holes_open() -> None:
    ring = box(768100, 3921600, 768400, 3921900).difference(box(768200, 3921700, 768300, 3921800))
    inside = burn(in_degrees(ring), GRID)
    assert inside.sum() == 30 * 30 - 10 * 10
    assert not inside[25, 25]


def test_an_outline_without_a_centre_keeps_the_pixels_it_touches() -> None:
    sliver = box(768101, 3921801, 768139, 3921803)
    inside = burn(in_degrees(sliver), GRID)
    assert set(zip(*np.nonzero(inside), strict=True)) == {(19, c) for c in range(10, 14)}


def test_what_lies_off_the_grid_burns_nothing() -> None:
    assert not burn(box(20.0, 32.0, 20.1, 32.1), GRID).any()


def test_a_long_edge_follows_the_projection() -> None:
    # The parallel between the corners of a wide box bulges by tens of metres in UTM; a chord would miss pixels.
    grid = Grid(crs="EPSG:32636", transform=Affine(10, 0, 700000, 0, -10, 3922000), width=9000, height=6)
    x, y = centre(grid, np.full(grid.width, 2), np.arange(grid.width))
    lon, lat = TO_DEGREES.transform(x, y)
    north = float(lat[0])
    inside = burn(box(float(lon[0]) - 0.1, north - 0.2, float(lon[-1]) + 0.1, north), grid)
    assert np.array_equal(inside[2], lat <= north)


def test_one_pixel_comes_back_as_its_square() -> None:
    square = in_metres(outline(np.array([3]), np.array([7]), GRID))
    assert square.symmetric_difference(box(768070, 3921960, 768080, 3921970)).area < 0.1


def test_no_pixels_have_no_outline() -> None:
    with pytest.raises(ValueError, match="at least one pixel"):
        outline(np.array([], int), np.array([], int), GRID)


def test_pixels_that_meet_at_a_corner_are_one_polygon() -> None:
    shape = outline(np.array([3, 4, 5]), np.array([7, 8, 7]), GRID)
    assert shape.geom_type == "Polygon"
    assert in_metres(shape).area == pytest.approx(300, abs=1)


def test_pixels_apart_are_several_polygons() -> None:
    assert outline(np.array([3, 9]), np.array([7, 20]), GRID).geom_type == "MultiPolygon"


@settings(max_examples=60, deadline=None)
@given(arrays(bool, (6, 7), elements=st.booleans()).filter(lambda a: a.any()))
def test_outlines_are_valid_oriented_and_burn_to_the_same_pixels(pixels: NDArray[np.bool_]) -> None:
    rows, cols = np.nonzero(pixels)
    shape = outline(rows + 20, cols + 30, GRID)
    assert shape.is_valid
    assert all(part.exterior.is_ccw for part in getattr(shape, "geoms", [shape]))
    assert np.array_equal(burn(shape, GRID)[20:26, 30:37], pixels)
