"""UTM zones, sizes on the ground, circles, and the grid that an area gets."""

from __future__ import annotations

import math

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from shapely.geometry import Point, Polygon, box

from aoi import AOI, AOIError
from aoi.geometry import (
    area_km2,
    centre,
    circle,
    counter_clockwise,
    distance_m,
    extent_km,
    grid_for,
    local_crs,
    offset,
    to_crs,
    to_lonlat,
    utm_epsg,
    utm_name,
)

LONS, LATS = st.floats(-179, 179), st.floats(-79, 83)
GSDS = st.sampled_from([10.0, 20.0, 15.0, 2.5, 30.0])


def square(lon: float, lat: float, side: float = 0.02) -> Polygon:
    return box(lon, lat, lon + side, lat + side)


@given(lon=st.floats(-180, 179.9), lat=LATS)
def test_utm_zones_are_those_of_the_epsg_register(lon: float, lat: float) -> None:
    epsg = utm_epsg(box(lon - 0.001, lat - 0.001, lon + 0.001, lat + 0.001))
    area = pyproj.CRS.from_epsg(epsg).area_of_use
    assert area is not None
    assert area.west - 0.01 <= lon <= area.east + 0.01
    assert (area.north > 0) == (epsg < 32700)


@pytest.mark.parametrize(
    ("lon", "lat", "epsg", "name"),
    [(35.95, 35.4, 32636, "36N"), (151.2, -33.9, 32756, "56S"), (179.99, 1, 32660, "60N"), (-180, 1, 32601, "1N")],
)
def test_a_place_has_its_utm_zone(lon: float, lat: float, epsg: int, name: str) -> None:
    found = utm_epsg(Point(lon, lat))
    assert (found, utm_name(found)) == (epsg, name)


def test_the_poles_have_no_utm_zone() -> None:
    with pytest.raises(AOIError, match=r"latitude 85\.\d+ lies in no UTM zone; choose"):
        utm_epsg(square(10, 85))


@given(lon=LONS, lat=LATS)
def test_there_and_back_is_the_same_place(lon: float, lat: float) -> None:
    shape = square(lon, lat)
    crs = f"EPSG:{utm_epsg(shape)}"
    assert shapely.hausdorff_distance(to_lonlat(to_crs(shape, crs), crs), shape) < 1e-8


def test_an_unknown_coordinate_system_is_named() -> None:
    with pytest.raises(AOIError, match="EPSG:1234567"):
        to_crs(square(0, 0), "EPSG:1234567")


def test_a_place_outside_a_projection_is_refused() -> None:
    with pytest.raises(AOIError, match="has no place in EPSG:32636"):
        to_crs(Point(35.0, 91.0), "EPSG:32636")


@given(lon=LONS, lat=st.floats(-70, 70), east=st.floats(-5000, 5000), north=st.floats(-5000, 5000))
def test_the_local_metres_are_true(lon: float, lat: float, east: float, north: float) -> None:
    place = to_lonlat(Point(east, north), local_crs(lon, lat))
    moved = offset((lon, lat), east_m=east, north_m=north)
    assert distance_m((place.x, place.y), moved) < 0.01
    assert math.isclose(distance_m((lon, lat), moved), math.hypot(east, north), abs_tol=0.001)


def test_sizes_are_those_of_the_ground() -> None:
    degree = box(0, 0, 1, 1)
    assert extent_km(degree) == pytest.approx((111.315, 110.574), abs=0.002)
    assert area_km2(degree) == pytest.approx(12308.8, rel=1e-3)
    assert extent_km(box(-179, -10, 179, 10))[0] == pytest.approx(358 * 111.32, rel=1e-3)


def test_holes_do_not_count_whichever_way_they_turn() -> None:
    outer, hole = [(0, 0), (0, 2), (2, 2), (2, 0)], [(0.5, 0.5), (0.5, 1.5), (1.5, 1.5), (1.5, 0.5)]
    expected = area_km2(Polygon(outer)) - area_km2(Polygon(hole))
    for ring in (hole, hole[::-1]):
        assert area_km2(Polygon(outer, [ring])) == pytest.approx(expected, rel=1e-9)


def test_rings_turn_as_rfc_7946_asks() -> None:
    turned = counter_clockwise(Polygon([(0, 0), (0, 2), (2, 2), (2, 0)], [[(0.5, 0.5), (1, 0.5), (1, 1), (0.5, 1)]]))
    assert isinstance(turned, Polygon)
    assert (turned.exterior.is_ccw, turned.interiors[0].is_ccw) == (True, False)


@given(lon=st.floats(-170, 170), lat=st.floats(-70, 70), radius=st.floats(50, 50_000))
def test_a_circle_is_round_on_the_ground(lon: float, lat: float, radius: float) -> None:
    disc = circle(lon, lat, radius)
    corners = shapely.get_coordinates(disc)[:-1]
    away = [distance_m((lon, lat), (float(x), float(y))) for x, y in corners[::16]]
    assert len(corners) >= 64
    np.testing.assert_allclose(away, radius, rtol=1e-5, atol=1e-3)
    assert area_km2(disc) == pytest.approx(math.pi * (radius / 1000) ** 2, rel=1e-3)


@pytest.mark.parametrize(
    ("lon", "radius", "message"),
    [(10, 0, "positive"), (10, math.nan, "positive"), (179.99, 5000, "crosses the antimeridian")],
)
def test_circles_that_are_none_are_refused(lon: float, radius: float, message: str) -> None:
    with pytest.raises(AOIError, match=message):
        circle(lon, 10, radius)


@given(lon=LONS, lat=LATS, gsd=GSDS)
def test_the_grid_covers_the_area_on_whole_multiples_of_the_gsd(lon: float, lat: float, gsd: float) -> None:
    shape = square(lon, lat)
    grid = grid_for(shape, gsd)
    west, south, east, north = grid.bounds
    assert west % gsd == south % gsd == 0.0
    inner = to_crs(shapely.segmentize(shape, 0.001), grid.crs).bounds
    slack = 2e-3 * gsd
    assert west <= inner[0] + slack
    assert south <= inner[1] + slack
    assert east >= inner[2] - slack
    assert north >= inner[3] - slack
    assert max(inner[0] - west, inner[1] - south, east - inner[2], north - inner[3]) < gsd + 1


@given(lon=LONS, lat=LATS, gsd=GSDS, dx=st.integers(-20, 20), dy=st.integers(-20, 20))
def test_two_areas_have_the_same_pixels_where_they_overlap(
    lon: float, lat: float, gsd: float, dx: int, dy: int
) -> None:
    first = grid_for(square(lon, lat), gsd, "EPSG:3857")
    second = grid_for(square(lon + dx / 1000, lat + dy / 1000), gsd, "EPSG:3857")
    assert (first.bounds[0] - second.bounds[0]) % gsd == 0.0
    assert (first.bounds[3] - second.bounds[3]) % gsd == 0.0


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
@given(lon=LONS, lat=LATS, gsd=GSDS)
def test_the_grid_is_that_of_odc_geo(lon: float, lat: float, gsd: float) -> None:
    shape = shapely.segmentize(square(lon, lat), 0.01)
    ours = grid_for(shape, gsd)
    projected = Geometry(to_crs(shape, ours.crs), ours.crs)
    theirs = GeoBox.from_geopolygon(projected, resolution=gsd, tol=1e-3)
    assert ours.shape == tuple(theirs.shape)
    assert tuple(ours.transform) == pytest.approx(tuple(theirs.transform))


def test_an_aoi_and_its_outline_get_the_same_grid() -> None:
    shape = square(35.9, 35.4)
    assert grid_for(AOI(name="a", geometry=shape), 10.0) == grid_for(shape, 10.0)
    assert centre(shape) == pytest.approx((35.91, 35.41))


@pytest.mark.parametrize(
    ("crs", "gsd", "message"),
    [("EPSG:4326", 10, "projected"), ("EPSG:2263", 10, "metres"), ("nonsense", 10, "not known"), (None, 0, "positive")],
)
def test_grids_in_degrees_feet_or_no_metres_are_refused(crs: str | None, gsd: float, message: str) -> None:
    with pytest.raises(AOIError, match=message):
        grid_for(square(-74, 40.7), gsd, crs)
