"""STAC Items to scenes: both versions of the standard, and a named reason for what is missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagery.errors import ImageryError, RefusedFileError, SceneError
from imagery.items import is_item, parse_item
from imagery.scene import Scene

Json = dict[str, Any]
OUTLINE = [(35.2, 35.2), (35.3, 35.2), (35.3, 35.3), (35.2, 35.3), (35.2, 35.2)]


def item(**changes: Any) -> Json:
    """Return an Item with everything; `changes` go into its properties, None takes away."""
    properties = {
        "datetime": "2024-12-07T08:20:11Z",
        "platform": "sentinel-2b",
        "sat:relative_orbit": 121,
        "sat:orbit_state": "descending",
        "s2:processing_baseline": "05.11",
        "view:sun_elevation": 31.5,
        "view:sun_azimuth": 163.25,
        **changes,
    }
    band = {"nodata": 0, "data_type": "uint16", "scale": 1e-4, "offset": -0.1}
    assets: Json = {name: {"href": f"./{name}.tif", "raster:bands": [dict(band)]} for name in ("B02", "B08")}
    assets["SCL"] = {"href": "./SCL.tif", "raster:bands": [{"nodata": 0, "data_type": "uint8"}]}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "S2B_36SYD_20241207",
        "geometry": {"type": "Polygon", "coordinates": [[list(point) for point in OUTLINE]]},
        "properties": {key: value for key, value in properties.items() if value is not None},
        "links": [],
        "assets": assets,
    }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder in which all files of `item` are."""
    for name in ("B02", "B08", "SCL", "VV", "VH"):
        (tmp_path / f"{name}.tif").touch()
    return tmp_path


def parse(document: Json, home: Path) -> Scene:
    """Parse an Item that lies in `home`."""
    return parse_item(document, path=home / "item.json", root=home)


def test_everything_that_is_stated_is_taken(home: Path) -> None:
    scene = parse(item(), home)
    assert (scene.id, scene.sensor, scene.platform) == ("S2B_36SYD_20241207", "s2", "sentinel-2b")
    assert scene.acquired == datetime(2024, 12, 7, 8, 20, 11, tzinfo=UTC)
    assert (scene.relative_orbit, scene.direction, scene.processing_baseline) == (121, "descending", "05.11")
    assert (scene.sun_elevation_deg, scene.sun_azimuth_deg, scene.simulated) == (31.5, 163.25, False)
    assert scene.footprint.bounds == (35.2, 35.2, 35.3, 35.3)
    assert scene.href == str(home / "item.json")
    asset = scene.assets["B02"]
    assert (asset.href, asset.scale, asset.offset, asset.nodata) == (str(home / "B02.tif"), 1e-4, -0.1, 0)
    assert set(scene.assets) == {"B02", "B08", "SCL"}
    assert scene.notes == ()


def test_what_is_not_stated_is_none(home: Path) -> None:
    scene = parse(item(**dict.fromkeys(item()["properties"].keys() - {"datetime"})), home)
    facts = (scene.platform, scene.relative_orbit, scene.direction, scene.processing_baseline, scene.level)
    assert facts == (None,) * 5
    assert (scene.sun_elevation_deg, scene.sun_azimuth_deg) == (None, None)


@pytest.mark.parametrize(
    "described",
    [
        {"raster:bands": [{"nodata": 0, "data_type": "uint16", "scale": 1e-4, "offset": -0.1}]},
        {"bands": [{"name": "B02", "nodata": 0, "data_type": "uint16", "raster:scale": 1e-4, "raster:offset": -0.1}]},
        {"bands": [{"name": "B02", "nodata": 0, "data_type": "uint16", "scale": 1e-4, "offset": -0.1}]},
        {"bands": [{"name": "B02"}], "nodata": 0, "data_type": "uint16", "raster:scale": 1e-4, "raster:offset": -0.1},
        {"nodata": 0, "data_type": "uint16", "raster:scale": 1e-4, "raster:offset": -0.1},
    ],
)
def test_every_place_that_the_standard_has_for_scale_and_offset_is_known(home: Path, described: Json) -> None:
    document = item() | {"stac_version": "1.1.0"}
    document["assets"]["B02"] = {"href": "./B02.tif", **described}
    asset = parse(document, home).assets["B02"]
    assert (asset.scale, asset.offset, asset.nodata) == (1e-4, -0.1, 0)


@pytest.mark.parametrize("missing", ["scale", "offset"])
def test_whole_numbers_without_scale_or_offset_are_refused_by_name(home: Path, missing: str) -> None:
    document = item()
    del document["assets"]["B08"]["raster:bands"][0][missing]
    with pytest.raises(SceneError, match=f"asset B08: {missing} missing"):
        parse(document, home)


def test_floating_point_files_may_hold_physical_units(home: Path) -> None:
    document = item(**{"s2:processing_baseline": "03.01"})
    for name in ("B02", "B08"):
        document["assets"][name]["raster:bands"] = [{"data_type": "float32", "nodata": "nan"}]
    asset = parse(document, home).assets["B02"]
    assert (asset.scale, asset.offset) == (1.0, 0.0)
    assert asset.nodata != asset.nodata


def test_radar_needs_no_scale(home: Path) -> None:
    document = item()
    document["assets"] = {name: {"href": f"{name}.tif"} for name in ("VV", "VH")}
    scene = parse(document, home)
    assert (scene.sensor, set(scene.assets), scene.notes) == ("s1", {"VV", "VH"}, ())


def test_assets_that_are_no_bands_are_not_looked_at(home: Path) -> None:
    document = item()
    document["assets"]["thumbnail"] = {"href": "https://example.com/x.png"}
    assert set(parse(document, home).assets) == {"B02", "B08", "SCL"}


def test_a_missing_file_costs_the_band_and_is_said(home: Path) -> None:
    (home / "B08.tif").unlink()
    scene = parse(item(), home)
    assert set(scene.assets) == {"B02", "SCL"}
    assert scene.notes == ("asset B08: B08.tif: there is no such file",)
    (home / "B02.tif").unlink()
    with pytest.raises(SceneError, match="none of its files is there"):
        parse(item(), home)


def set_in(*path: str | int, value: Any) -> Callable[[Json], None]:
    """Return a change of one value of an Item."""

    def change(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_in("stac_version", value="0.9.0"), "stac_version '0.9.0'"),
        (set_in("assets", value={}), "bands of one sensor"),
        (set_in("assets", value={"SCL": {"href": "./SCL.tif"}}), "bands of one sensor"),
        (set_in("assets", "VV", value={"href": "./VV.tif"}), "bands of one sensor"),
        (set_in("assets", "B02", value=[]), "'B02' is missing or no object"),
        (set_in("assets", "B02", "href", value=7), "asset B02: 'href' is missing"),
        (set_in("assets", "B02", "raster:bands", value=[{}, {}]), "one band an asset"),
        (set_in("assets", "B02", "raster:bands", 0, "scale", value=0), "make no physical unit"),
        (set_in("assets", "B02", "raster:bands", 0, "offset", value=-1000), "offset -1000 make no physical unit"),
        (set_in("assets", "B02", "raster:bands", 0, "scale", value="1e-4"), "scale is '1e-4'; a number"),
        (set_in("assets", "B02", "raster:bands", 0, "nodata", value=True), "nodata is 'True'"),
        (set_in("properties", value=None), "'properties' is missing"),
        (set_in("properties", "datetime", value=None), "'datetime' is missing"),
        (set_in("properties", "datetime", value="yesterday"), "no RFC 3339 time"),
        (set_in("properties", "datetime", value="2024-12-07T08:20:11"), "has no time zone"),
        (set_in("properties", "platform", value="../x"), "platform is '../x'"),
        (set_in("properties", "sat:relative_orbit", value=144), "a number from 1 to 143"),
        (set_in("properties", "sat:relative_orbit", value=12.5), "a whole number"),
        (set_in("properties", "sat:orbit_state", value="up"), "one of ascending, descending"),
        (set_in("properties", "s2:processing_baseline", value="5.11"), "processing_baseline is '5.11'"),
        (set_in("properties", "view:sun_azimuth", value=400), "a number from 0 to 360"),
        (set_in("geometry", value=None), "neither a geometry nor a bbox"),
        (set_in("geometry", value={"type": "Point", "coordinates": [35, 35]}), "no polygon with an area"),
        (set_in("geometry", value={"type": "Polygon"}), "no GeoJSON"),
        (set_in("geometry", "coordinates", value=[[[350, 0], [351, 0], [351, 1], [350, 0]]]), "outside the globe"),
        (set_in("properties", "earthsearch:boa_offset_applied", value=True), "one of them is wrong"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_name(home: Path, change: Callable[[Json], None], reason: str) -> None:
    document = item()
    change(document)
    with pytest.raises(SceneError, match=reason):
        parse(document, home)


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/b", "a\\b", "a\0b", "CON", "nul.tif", "x" * 201, "x.", 7, None, "ä"]
)
def test_an_id_that_cannot_name_a_file_is_refused(home: Path, name: object) -> None:
    with pytest.raises(RefusedFileError, match="the id "):
        parse(item() | {"id": name}, home)


@pytest.mark.parametrize(
    ("baseline", "offset", "words"),
    [
        ("05.11", 0.0, "right only if it was taken off the numbers before"),
        ("03.01", -0.1, "comes without an offset, the description says -0.1"),
        ("05.11", -0.1, None),
        ("03.01", 0.0, None),
    ],
)
def test_an_unusual_offset_is_noted(home: Path, baseline: str, offset: float, words: str | None) -> None:
    document = item(**{"s2:processing_baseline": baseline})
    for name in ("B02", "B08"):
        document["assets"][name]["raster:bands"][0]["offset"] = offset
    notes = parse(document, home).notes
    assert [words in note for note in notes] == [True] if words else notes == ()


def test_a_bbox_serves_where_there_is_no_geometry(home: Path) -> None:
    document = item() | {"geometry": None, "bbox": [35.2, 35.1, 35.4, 35.3]}
    assert parse(document, home).footprint.bounds == (35.2, 35.1, 35.4, 35.3)
    with pytest.raises(SceneError, match="not west, south, east, north"):
        parse(document | {"bbox": [35.4, 35.1, 35.2, 35.3]}, home)


def test_a_scene_without_classes_says_so(home: Path) -> None:
    document = item(**{"revisit:day_only": True})
    del document["assets"]["SCL"]
    assert parse(document, home).notes == (
        "only the day of the acquisition is known, not the time",
        "no scene classification: clouds are not masked",
    )


@pytest.mark.parametrize("text", ["2024-12-07T10:20:11+02:00", "2024-12-07T08:20:11Z", "2024-12-07T08:20:11+00:00"])
def test_times_are_turned_into_utc(home: Path, text: str) -> None:
    acquired = parse(item(datetime=text), home).acquired
    assert (acquired, acquired.tzinfo) == (datetime(2024, 12, 7, 8, 20, 11, tzinfo=UTC), UTC)


def test_other_documents_are_no_items() -> None:
    assert not any(map(is_item, ([], {"type": "FeatureCollection"}, {"type": "Feature"}, {"type": "Catalog"}, None)))


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(sorted(item())), value=VALUES, inner=st.sampled_from([*item()["properties"], "B02", ""]))
def test_whatever_stands_in_an_item_it_is_parsed_or_refused(home: Path, key: str, value: Any, inner: str) -> None:
    document = item()
    if isinstance(document[key], dict) and inner in document[key]:
        document[key][inner] = value
    else:
        document[key] = value
    try:
        scene = parse(document, home)
    except ImageryError:
        return
    assert isinstance(scene, Scene)
