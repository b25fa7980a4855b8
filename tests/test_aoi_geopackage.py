"""Areas as GeoPackage layers, written here by GDAL, and databases that mean harm."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, Polygon, box

from aoi import AOIError
from aoi.assemble import area_from_outlines
from aoi.geometry import to_crs
from aoi.geopackage import read_geopackage
from aoi.wkb import read_wkb

AREA, NORTH, SOUTH = box(35, 34, 35.1, 34.1), box(35.02, 34.06, 35.04, 34.08), box(35.02, 34.02, 35.04, 34.04)


def write(
    path: Path, shapes: list[Polygon], *, crs: str = "EPSG:4326", layer: str = "plan", **columns: list[object]
) -> Path:
    """Write a layer with GDAL; columns are of texts or numbers."""
    pyogrio.raw.write(
        path,
        geometry=np.array([shapely.to_wkb(to_crs(shape, crs)) for shape in shapes], object),
        field_data=[np.array(values, object if isinstance(values[0], str) else float) for values in columns.values()],
        fields=np.array(list(columns), object),
        geometry_type=shapes[0].geom_type,
        crs=crs,
        driver="GPKG",
        layer=layer,
        append=path.exists(),
    )
    return path


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32636", "EPSG:3857", "EPSG:22770"])
def test_a_layer_in_any_coordinate_system_is_read(tmp_path: Path, crs: str) -> None:
    aoi = area_from_outlines(read_geopackage(write(tmp_path / "a.gpkg", [AREA], crs=crs)), "a")
    assert shapely.hausdorff_distance(aoi.geometry, AREA) < 2e-7


def test_columns_say_what_an_outline_is(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.gpkg",
        [AREA, NORTH, SOUTH],
        type=["area", "zone", "zone"],
        NAME=["base", "north", "south"],
        kind=["", "apron", "quay"],
        accuracy_m=[0.0, 15.0, 30.0],
        remark=["x", "y", "z"],
    )
    aoi = area_from_outlines(read_geopackage(path), "a")
    assert aoi.name == "base"
    assert [(z.name, z.kind, z.accuracy_m) for z in aoi.zones] == [("north", "apron", 15.0), ("south", "quay", 30.0)]


def test_of_several_layers_one_must_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", [NORTH], layer="old")
    write(path, [AREA], layer='new "plan"')
    with pytest.raises(AOIError, match="2 layers; say which with --layer: 'new \"plan\"', 'old'"):
        read_geopackage(path)
    with pytest.raises(AOIError, match="no layer 'plan'; it has: 'new \"plan\"', 'old'"):
        read_geopackage(path, "plan")
    assert read_geopackage(path, 'new "plan"')[0].geometry.equals(AREA)


def test_reading_leaves_nothing_behind(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", [AREA])
    before = path.read_bytes(), path.stat().st_mtime_ns
    read_geopackage(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [found.name for found in tmp_path.iterdir()] == ["a.gpkg"]


def test_points_and_missing_geometries(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", [AREA, NORTH])
    change(path, "UPDATE plan SET geom = NULL WHERE fid = 1")
    assert [outline.geometry for outline in read_geopackage(path)] == [NORTH]
    points = write(tmp_path / "points.gpkg", [Point(35, 34)])
    with pytest.raises(AOIError, match=r"type code 1; only polygons \(3\)"):
        read_geopackage(points)


def change(path: Path, *statements: str, value: object = None) -> None:
    """Run statements on the database; GDAL's triggers, which call functions that only GDAL has, are dropped first."""
    with closing(sqlite3.connect(path)) as database:
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            database.execute(f'DROP TRIGGER "{name}"')
        for statement in statements:
            database.execute(statement, () if value is None else (value,))
        database.commit()


COUNT = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS fid, x AS geom FROM c"


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (["UPDATE gpkg_geometry_columns SET srs_id = 0"], "srs_id 0. is not defined"),
        (["UPDATE gpkg_geometry_columns SET srs_id = 77"], "srs_id 77. is not defined"),
        (["UPDATE gpkg_spatial_ref_sys SET organization = 'x', definition = 'junk'"], "cannot be brought from 'junk'"),
        (["UPDATE plan SET geom = 'text'"], "no GeoPackage geometry but 'text'"),
        (["UPDATE plan SET geom = x'4750'"], "no GeoPackage geometry"),
        (["UPDATE plan SET geom = x'47500020E6100000'"], "extension of the GeoPackage"),
        (["UPDATE plan SET geom = x'47500001E610000001'"], "cut short"),
        (["DROP TABLE gpkg_contents"], "no such table: gpkg_contents"),
        (["DROP TABLE plan"], "no layer of features"),
        (["DROP TABLE plan", f"CREATE VIEW plan AS {COUNT}"], r"no layer of features \(views and virtual tables"),
        (["UPDATE gpkg_geometry_columns SET srs_id = 'x'"], "wrong type"),
    ],
)
def test_damaged_or_hostile_databases_are_refused(tmp_path: Path, statements: list[str], message: str) -> None:
    path = write(tmp_path / "a.gpkg", [AREA])
    change(path, *statements)
    with pytest.raises(AOIError, match=message):
        area_from_outlines(read_geopackage(path), "a")


def test_a_query_without_end_is_stopped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", [AREA])
    change(
        path,
        "ALTER TABLE gpkg_contents RENAME TO kept",
        f"CREATE VIEW gpkg_contents AS SELECT *, 'features' AS data_type, "
        f"'plan' AS table_name FROM ({COUNT}) WHERE x < 0".replace("SELECT x AS fid, x AS geom", "SELECT x"),
    )
    with pytest.raises(AOIError, match="interrupted"):
        read_geopackage(path)


def test_files_that_are_no_database_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gpkg").write_bytes(b"II*\0" + b"x" * 5000)
    with pytest.raises(AOIError, match="no SQLite file inside"):
        read_geopackage(tmp_path / "a.gpkg")
    (tmp_path / "b.gpkg").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(AOIError, match="not a GeoPackage that can be read"):
        read_geopackage(tmp_path / "b.gpkg")


def test_a_file_that_is_being_edited_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", [AREA])
    (tmp_path / "a.gpkg-wal").write_bytes(b"changes")
    with pytest.raises(AOIError, match=r"still lie in a\.gpkg-wal; close the program"):
        read_geopackage(path)


COORDS = st.tuples(st.floats(-170, 170), st.floats(-80, 80))


@given(
    corners=st.lists(COORDS, min_size=1, max_size=3),
    flavor=st.sampled_from(["iso", "extended"]),
    order=st.sampled_from([0, 1]),
    height=st.booleans(),
)
def test_well_known_binary_is_read_as_shapely_reads_it(
    corners: list[tuple[float, float]], flavor: str, order: int, height: bool
) -> None:
    parts = [shapely.Point(corner).buffer(1).difference(shapely.Point(corner).buffer(0.5)) for corner in corners]
    shape = MultiPolygon(parts) if len(parts) > 1 else parts[0]
    written = shapely.to_wkb(shapely.force_3d(shape, 7.0) if height else shape, flavor=flavor, byte_order=order)
    assert read_wkb(written).equals_exact(shape)


HEAD = struct.Struct("<BII")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cut short"),
        (b"\x07" * 40, "damaged"),
        (HEAD.pack(1, 3, 2**31), "announces 2147483648 members"),
        (HEAD.pack(1, 3, 1) + struct.pack("<I", 2**31), "announces 2147483648 members"),
        (HEAD.pack(1, 6, 2**32 - 1), "announces 4294967295 members"),
        (HEAD.pack(1, 6, 0), "no parts"),
        (HEAD.pack(1, 3, 0), "no ring"),
        (HEAD.pack(1, 9003, 0), "unknown code 9003"),
        (HEAD.pack(1, 10, 0), "type code 10"),
        (HEAD.pack(1, 6, 1) + HEAD.pack(1, 7, 1) * 100_000, "type code 7"),
        (HEAD.pack(1, 7, 1) * 100_000, "type code 7"),
    ],
    ids=["empty", "order", "rings", "corners", "parts", "none", "no ring", "code", "curve", "nested part", "nested"],
)
def test_hostile_well_known_binary_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(AOIError, match=message):
        read_wkb(data)
