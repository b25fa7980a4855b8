"""Areas from names, files, boxes, points and WKT; and latitude in the place of longitude."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from aoi import AOI, AOIError
from aoi.builtin import load_site
from aoi.formats import (
    area_from_bbox,
    area_from_point,
    area_from_wkt,
    check_not_swapped,
    load_area,
    parse_radius,
    read_area,
)
from aoi.geojson import area_as_geojson
from aoi.geometry import area_km2, centre

WKT = "POLYGON ((35 34, 35.1 34, 35.1 34.1, 35 34.1, 35 34))"
KML = (
    "<kml><Placemark><name>Plan</name><Polygon><outerBoundaryIs><LinearRing><coordinates>35,34 35.1,34 35.1,34.1 "
    "35,34.1</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark></kml>"
)
GEOJSON = area_as_geojson(load_site("tartus"))


@pytest.mark.parametrize(
    ("name", "text", "called"),
    [
        ("a.wkt", WKT, "a"),
        ("b.TXT", WKT, "b"),
        ("c.kml", KML, "Plan"),
        ("d.geojson", GEOJSON, "tartus"),
        ("e.json", GEOJSON, "tartus"),
    ],
)
def test_files_are_read_by_their_extension(tmp_path: Path, name: str, text: str, called: str) -> None:
    (tmp_path / name).write_text(text)
    assert load_area(str(tmp_path / name)).name == called
    assert read_area(tmp_path / name, name="mine").name == "mine"


def test_built_in_sites_have_names() -> None:
    assert load_area("khmeimim") is load_site("khmeimim")
    with pytest.raises(
        AOIError, match=r"'khmeimin' is neither a built-in site \(benghazi, khmeimim, tartus\).*Did you mean khmeimim"
    ):
        load_area("khmeimin")
    with pytest.raises(AOIError, match=r"there is no built-in site '\.\./x'; there are: benghazi"):
        load_site("../x")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.kmz", "x", "unzip it"),
        ("a.shp", "x", "export the layer as GeoJSON"),
        ("a.doc", "x", r"extension '\.doc' is not known; areas are read from \.geojson, \.json, \.kml"),
        ("a.geojson", "", "the file is empty"),
        ("a.geojson", "x" * 20_000_001, r"20\.0 MB; an area file has at most 20 MB"),
        ("a.kml", "{}", "not well-formed XML"),
        ("a.wkt", "POINT (1 2)", "is no WKT polygon"),
        ("a.gpkg", "PK", "not a GeoPackage"),
    ],
)
def test_files_that_are_none_are_refused_by_name(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(AOIError, match=rf"^{tmp_path}/{name}: .*{message}"):
        load_area(str(tmp_path / name))


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AOIError, match=r"none\.geojson: no such file"):
        load_area(str(tmp_path / "none.geojson"))
    (tmp_path / "folder.geojson").mkdir()
    with pytest.raises(AOIError, match="not a file"):
        load_area(str(tmp_path / "folder.geojson"))
    os.mkfifo(tmp_path / "pipe.geojson")
    with pytest.raises(AOIError, match="not a file"):
        load_area(str(tmp_path / "pipe.geojson"))


def test_only_a_geopackage_has_layers(tmp_path: Path) -> None:
    (tmp_path / "a.wkt").write_text(WKT)
    with pytest.raises(AOIError, match=r"--layer 'x' is for a GeoPackage; a \.wkt file"):
        read_area(tmp_path / "a.wkt", layer="x")


def test_a_box_is_west_south_east_north() -> None:
    assert area_from_bbox("a", -73.6, 45.4, -73.5, 45.5).geometry.bounds == (-73.6, 45.4, -73.5, 45.5)


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ((179.9, 1, -179.9, 1.1), "west 179.9, east -179.9.*antimeridian, define one area on each side"),
        ((35, 34.1, 35.1, 34), r"south 34.1, north 34: south must be less; the order is W S E N"),
        ((35, 34, 35, 34.1), "west must be less"),
        ((34, 35, 34.1, 95), "latitude 95"),
        ((float("nan"), 35, 34.1, 36), "finite"),
        ((0, 0, 1, 1), "measures 111 x 111 km"),
    ],
)
def test_boxes_that_are_none_are_refused(corners: tuple[float, float, float, float], message: str) -> None:
    with pytest.raises(AOIError, match=message):
        area_from_bbox("a", *corners)


@pytest.mark.parametrize(("text", "metres"), [("4km", 4000), ("500m", 500), ("1.5 KM", 1500), ("0.25km", 250)])
def test_a_radius_has_a_unit(text: str, metres: float) -> None:
    assert parse_radius(text) == metres


@pytest.mark.parametrize("text", ["4", "", "-4km", "0m", "4 miles", "1e3m", "4km4km", "nan m", "4kmm"])
def test_a_radius_without_a_unit_is_refused(text: str) -> None:
    with pytest.raises(AOIError, match="is not understood; give a number and its unit, such as 4km"):
        parse_radius(text)


def test_a_point_and_a_radius_are_a_circle() -> None:
    aoi = area_from_point("a", -73.5, 45.5, 2000)
    assert area_km2(aoi.geometry) == pytest.approx(12.566, rel=1e-3)
    assert centre(aoi.geometry) == pytest.approx((-73.5, 45.5), abs=1e-5)


@pytest.mark.parametrize(
    ("text", "bounds"),
    [(WKT, (35, 34, 35.1, 34.1)), ("multipolygon z (((1 2 9, 1.1 2 9, 1.1 2.1 9, 1 2 9)))", (1, 2, 1.1, 2.1))],
)
def test_wkt_is_read(text: str, bounds: tuple[float, ...]) -> None:
    assert area_from_wkt("a", f"\n {text} ").geometry.bounds == bounds


@pytest.mark.parametrize(
    "text",
    [
        "GEOMETRYCOLLECTION(" * 100_000 + ")" * 100_000,
        "POLYGON" + "(" * 1_000_000,
        "MULTIPOLYGON" + "(" * 500_000 + ")" * 500_000,
        "POLYGON ((1e999 0, 1 1, 1 0, 1e999 0))",
        "POLYGON ((0 0, 1 1))",
        "POLYGON EMPTY",
        "POLYGON ((0 0, 0.1 0, 0.1 0.1, 0 0))) DROP",
        "",
    ],
    ids=["collections", "open", "nested", "infinite", "short", "empty", "more", "nothing"],
)
def test_wkt_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(AOIError):
        area_from_wkt("a", text)


MAKERS: tuple[Callable[[str, Path], AOI], ...] = (
    lambda name, _: area_from_bbox(name, 1, 1, 1.1, 1.1),
    lambda name, _: area_from_point(name, 1, 1, 1000),
    lambda name, _: area_from_wkt(name, WKT),
    lambda name, path: read_area(path, name=name),
)


@pytest.mark.parametrize("make", MAKERS, ids=["box", "point", "wkt", "file"])
def test_names_are_checked_however_the_area_is_given(make: Callable[[str, Path], AOI], tmp_path: Path) -> None:
    (tmp_path / "a.wkt").write_text(WKT)
    assert make("plain", tmp_path / "a.wkt").name == "plain"
    with pytest.raises(AOIError, match=r"U\+001B"):
        make("\x1b[2J", tmp_path / "a.wkt")


SWAPPED = (
    r'"35\.40 35\.95" reads as longitude 35\.40, latitude 35\.95: that is 78 km from the nearest built-in site '
    r"\(khmeimim\)\. Swapped\? Khmeimim is 35\.95 35\.40; longitude comes first"
)


def test_latitude_before_longitude_is_seen_at_the_sites(tmp_path: Path) -> None:
    with pytest.raises(AOIError, match=SWAPPED):
        area_from_point("a", 35.4011, 35.9487, 4000)
    with pytest.raises(AOIError, match=r"Swapped\? Benghazi is 20\.05 32\.11"):
        area_from_bbox("a", 32.09, 20.03, 32.13, 20.07)
    (tmp_path / "a.wkt").write_text("POLYGON ((34.89 35.86, 34.92 35.86, 34.92 35.89, 34.89 35.86))")
    with pytest.raises(AOIError, match=r"a\.wkt: .*Swapped. Tartus is 35\.86 34\.91"):
        load_area(str(tmp_path / "a.wkt"))


@given(lon=st.floats(-179, 179), lat=st.floats(-79, 79))
def test_areas_elsewhere_are_left_alone(lon: float, lat: float) -> None:
    shape = box(lon, lat, lon + 0.01, lat + 0.01)
    near_a_swapped_site = any(
        abs(lat + 0.005 - x) < 0.4 and abs(lon + 0.005 - y) < 0.4
        for x, y in ((35.95, 35.4), (35.87, 34.91), (20.05, 32.11))
    )
    if not near_a_swapped_site:
        check_not_swapped(shape)


def test_the_sites_themselves_and_their_neighbourhood_are_left_alone() -> None:
    for lon, lat in ((35.95, 35.40), (35.75, 35.55), (35.87, 34.91), (20.05, 32.11)):
        check_not_swapped(Polygon([(lon, lat), (lon + 0.01, lat), (lon, lat + 0.01)]))
