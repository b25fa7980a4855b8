"""Areas as GeoJSON: what is read, what is refused, and that what is written can be read by others."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon, box, shape

from aoi import AOI, ZONE_KINDS, AOIError, Building, Zone
from aoi.assemble import area_from_outlines
from aoi.geojson import area_as_geojson, read_geojson, write_area

SQUARE = [[[35.0, 34.0], [35.1, 34.0], [35.1, 34.1], [35.0, 34.1], [35.0, 34.0]]]
INSIDE = [[[35.02, 34.02], [35.04, 34.02], [35.04, 34.04], [35.02, 34.02]]]


def feature(coordinates: Any = SQUARE, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": coordinates}}


def zone(coordinates: Any = INSIDE, **properties: Any) -> dict[str, Any]:
    return feature(coordinates, **{"type": "zone", "name": "z", "kind": "apron", **properties})


def collection(*features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


def read(document: Any) -> AOI:
    text = document if isinstance(document, str) else json.dumps(document)
    return area_from_outlines(read_geojson(text.encode()), "file-name")


def test_an_area_with_zones_and_buildings() -> None:
    aoi = read(
        collection(
            feature(type="area", name="Base"),
            zone(name="north", kind="runway", source="a chart", accuracy_m=15),
            zone(name="south"),
            feature(INSIDE, type="building", name="tower", height_m=30),
            feature(INSIDE, type="building"),
        )
    )
    assert aoi.name == "Base"
    assert aoi.geometry.equals(shape({"type": "Polygon", "coordinates": SQUARE}))
    assert [(z.name, z.kind, z.source, z.accuracy_m) for z in aoi.zones] == [
        ("north", "runway", "a chart", 15.0),
        ("south", "apron", "not stated", None),
    ]
    assert [(b.name, b.height_m) for b in aoi.buildings] == [("tower", 30.0), ("building-2", None)]


@pytest.mark.parametrize(
    "document",
    [
        {"type": "Polygon", "coordinates": SQUARE},
        {"type": "MultiPolygon", "coordinates": [SQUARE]},
        feature(),
        collection(feature()),
        "\ufeff" + json.dumps(feature()),
        {"type": "Polygon", "coordinates": [[[*point, 12.5] for point in SQUARE[0]]]},
        {**feature(), "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}},
    ],
)
def test_a_bare_polygon_is_an_area_without_zones(document: Any) -> None:
    aoi = read(document)
    assert (aoi.name, aoi.zones) == ("file-name", ())
    assert aoi.geometry.bounds == (35.0, 34.0, 35.1, 34.1)


def test_several_polygons_that_say_nothing_are_zones_in_their_hull() -> None:
    other = [[[35.06, 34.06], [35.08, 34.06], [35.08, 34.08], [35.06, 34.06]]]
    aoi = read(collection(feature(INSIDE, name="east"), feature(other)))
    assert [(z.name, z.kind) for z in aoi.zones] == [("east", "other"), ("zone-2", "other")]
    assert aoi.geometry.bounds == (35.02, 34.02, 35.08, 34.08)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            collection(feature(type="area"), feature(type="zone", name="z")),
            "zone 'z' has no kind; give it one of: apron,",
        ),
        (collection(feature(type="area"), zone(kind="carpark")), "kind 'carpark'; known kinds"),
        (collection(feature(type="area"), zone(name=None)), "zone 1 of the file has no name"),
        (collection(feature(type="area"), zone(), zone()), "names are used by more than one zone, 'z'"),
        (collection(feature(type="area"), feature(type="bomb")), "type 'bomb'; properties.type is one of: area, zone"),
        (collection(feature(type="area"), feature()), "type None"),
        (collection(zone()), '0 features have properties.type = "area"; exactly one'),
        (collection(feature(type="area"), feature(type="area")), "2 features"),
        (
            collection(feature(INSIDE, type="area"), zone(SQUARE)),
            r"zone 'z' lies outside the area .* with 10\d\.\d+ of its",
        ),
        (
            collection(feature(type="area"), zone(accuracy_m=-5)),
            "accuracy_m of zone 'z' must be a number of metres, not -5",
        ),
        (collection(feature(type="area"), zone(accuracy_m=True)), "not True"),
        (collection(feature(type="area"), zone(name="a\u202eb")), r"U\+202E"),
        (collection(feature(type="area", name="n" * 81)), "81 characters"),
        (collection(), "no polygon"),
        (collection(7), "7 is no Feature"),
        ({"type": "FeatureCollection", "features": {}}, "must be a list"),
        ({"type": "Feature", "properties": {}, "geometry": None}, "geometry None"),
        ({"type": "Feature", "properties": [1], "geometry": {}}, r"properties of a feature are \[1\]"),
        ({"type": "LineString", "coordinates": SQUARE[0]}, "LineString"),
        ({"type": "Polygon", "coordinates": []}, "no ring"),
        (
            {"type": "Polygon", "coordinates": [[[1, 2], [3, 4], [1, 2]]]},
            "at least 3 different corners; this one has 2",
        ),
        ({"type": "Polygon", "coordinates": [[[1, "2"], [3, 4], [5, 6]]]}, r"\[1, '2'\] is no position"),
        ({"type": "Polygon", "coordinates": [[1, 2, 3, 4]]}, "1 is no position"),
        ({"type": "Polygon", "coordinates": [[[10**400, 2], [3, 4], [5, 6]]]}, "nowhere on Earth"),
        ({**feature(), "crs": {"type": "name", "properties": {"name": "EPSG:32636"}}}, "convert it to EPSG:4326"),
        ([1, 2], "is an object"),
    ],
)
def test_documents_that_make_no_area_are_refused(document: Any, message: str) -> None:
    with pytest.raises(AOIError, match=message):
        read(document)


@pytest.mark.parametrize(
    ("ring", "message"),
    [
        (
            [[35, 34], [35.1, 34.1], [35.1, 34], [35, 34.1]],
            r"crosses or touches itself \(Self-intersection\[35.05 34.05\]",
        ),
        ([[35, 34], [35.1, 34.1], [35.2, 34.2]], "no area: all its corners lie on one line"),
        ([[35, 34], [36.5, 34], [36.5, 35.5]], "137 x 166 km .* at most 100 x 100 km"),
        ([[35, 34], [35.00001, 34], [35, 34.00001]], "less than one pixel of 10 m"),
        ([[-179.9, 1], [179.9, 1], [179.9, 2]], "one area on each side"),
        ([[35, 134], [35.1, 134], [35.1, 134.1]], "latitudes end at 90. Swapped. Longitude comes first: 134 35"),
        ([[767915, 3921400], [767925, 3921400], [767925, 3921410]], "look like metres"),
        ([[190, 34], [190.1, 34], [190.1, 34.1]], r"longitudes lie in -180\.\.180"),
        ([[35, 84.5], [35.1, 84.5], [35.1, 84.6]], "lies in no UTM zone"),
    ],
)
def test_outlines_that_are_none_are_refused_with_their_values(ring: Any, message: str) -> None:
    with pytest.raises(AOIError, match=message):
        read({"type": "Polygon", "coordinates": [[*ring, ring[0]]]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it is not JSON"),
        ('{"type": "Polygon", "coordinates": [[[NaN, 1]]]}', "NaN is not JSON"),
        ('{"type": "Polygon", "coordinates": [[[-Infinity, 1]]]}', "-Infinity is not JSON"),
        ('{"type": "Polygon", "coordinates": [[[1e999, 1], [2, 2], [3, 1]]]}', "must be finite"),
        ('{"type": "Polygon", "type": "Feature"}', "the key 'type' twice"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("1" * 5000, "it is not JSON"),
        ('{"type": "Polygon", "coordinates": [[' + "[1,2]," * 200_000 + "[1,3]]]}", "200001 corners; at most 200000"),
    ],
    ids=["cut", "nan", "infinity", "overflow", "twice", "deep list", "deep object", "long number", "corners"],
)
def test_hostile_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(AOIError, match=message):
        read(text)


def test_more_polygons_than_anyone_draws_are_refused() -> None:
    many = {"type": "MultiPolygon", "coordinates": [SQUARE] * 2001}
    with pytest.raises(AOIError, match="2001 polygons; at most 2000"):
        read(many)


def test_bytes_that_are_no_utf8_are_refused() -> None:
    with pytest.raises(AOIError, match="it is not JSON"):
        read_geojson(b'{"type": "\xff"}')


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)
METRES = st.none() | st.floats(0, 1e4)


@st.composite
def areas(draw: st.DrawFn) -> AOI:
    lon, lat = draw(st.floats(-170, 170)), draw(st.floats(-70, 70))
    names = draw(st.lists(TEXT, max_size=4, unique=True))
    parts = [box(lon + i / 100, lat, lon + (i + 1) / 100, lat + 0.05) for i in range(len(names))]
    kinds = st.sampled_from(ZONE_KINDS)
    zones = tuple(
        Zone(name=name, kind=draw(kinds), geometry=part, source=draw(TEXT), accuracy_m=draw(METRES))
        for name, part in zip(names, parts, strict=True)
    )
    buildings = tuple(
        Building(name=name, geometry=part, height_m=draw(METRES)) for name, part in zip(names, parts, strict=True)
    )
    return AOI(name=draw(TEXT), geometry=box(lon, lat, lon + 0.05, lat + 0.05), zones=zones, buildings=buildings)


@given(areas())
def test_what_is_written_is_read_again(aoi: AOI) -> None:
    again = area_from_outlines(read_geojson(area_as_geojson(aoi).encode()), "other")
    assert again.name == aoi.name
    assert [(z.name, z.kind, z.source, z.accuracy_m) for z in again.zones] == [
        (z.name, z.kind, z.source, z.accuracy_m) for z in aoi.zones
    ]
    assert [(b.name, b.height_m) for b in again.buildings] == [(b.name, b.height_m) for b in aoi.buildings]
    shapes = [aoi.geometry, *(z.geometry for z in aoi.zones)], [again.geometry, *(z.geometry for z in again.zones)]
    assert all(shapely.hausdorff_distance(a, b) < 1e-7 for a, b in zip(*shapes, strict=True))


def test_others_read_what_is_written(tmp_path: Path) -> None:
    holed = Polygon([(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 0)], [[(0.1, 0.1), (0.2, 0.1), (0.2, 0.2), (0.1, 0.2)]])
    zone = Zone(name="é <b>", kind="quay", geometry=box(0.3, 0.3, 0.4, 0.4), source="s", accuracy_m=1 / 3)
    write_area(AOI(name="a", geometry=MultiPolygon([holed]), zones=(zone,)), tmp_path / "a.geojson")
    meta, _, geometries, columns = pyogrio.raw.read(tmp_path / "a.geojson")
    table = dict(zip(meta["fields"], columns, strict=True))
    assert meta["crs"] == "EPSG:4326"
    assert list(table["name"]) == ["a", "é <b>"]
    assert table["accuracy_m"][1] == 1 / 3
    assert math.isclose(shapely.from_wkb(geometries[0]).area, holed.area)


def test_written_rings_turn_right_and_have_seven_decimals(tmp_path: Path) -> None:
    write_area(AOI(name="a", geometry=Polygon([(0, 0), (0, 1 / 3), (1 / 3, 1 / 3)])), tmp_path / "a.geojson")
    ring = json.loads((tmp_path / "a.geojson").read_text())["features"][0]["geometry"]["coordinates"][0]
    assert Polygon(ring).exterior.is_ccw
    assert {number for point in ring for number in point} == {0.0, 0.3333333}


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    aoi = AOI(name="a", geometry=box(0, 0, 0.1, 0.1))
    (tmp_path / "a.geojson").mkdir()
    with pytest.raises(AOIError, match=r"a\.geojson cannot be written"):
        write_area(aoi, tmp_path / "a.geojson")
    with pytest.raises(AOIError, match="cannot be written"):
        write_area(aoi, tmp_path / "missing" / "b.geojson")
    assert [path.name for path in tmp_path.iterdir()] == ["a.geojson"]


def test_the_rim_of_a_zone_that_a_hand_drew_over_the_edge_is_cut() -> None:
    over = [[[35.02, 34.02], [35.1002, 34.02], [35.1002, 34.04], [35.02, 34.04], [35.02, 34.02]]]
    aoi = read(collection(feature(type="area"), zone(over)))
    kept = aoi.zones[0].geometry
    assert kept.bounds == pytest.approx((35.02, 34.02, 35.1, 34.04))
    assert aoi.geometry.covers(kept)
