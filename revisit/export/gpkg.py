"""A GeoPackage (OGC 12-128r18) with flags, zones and area, and the styles by which QGIS shows them."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from revisit.export.qgis import flags_style, outline_style
from revisit.export.tables import COLUMNS, flag_row
from revisit.plain import iso_time
from revisit.runs import SavedRun

_APPLICATION, _VERSION = 0x47504B47, 10300
"""The marks of a GeoPackage 1.3 in the header of its file."""
_WGS84 = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.0174532925199433],AUTHORITY["EPSG","4326"]]'
)
_TABLES = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
    organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
    description TEXT DEFAULT '', last_change DATETIME NOT NULL, min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE,
    srs_id INTEGER, CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
    geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
    CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT uk_gc_table_name UNIQUE (table_name),
    CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
    CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT, f_table_schema TEXT,
    f_table_name TEXT, f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN,
    description TEXT, owner TEXT, ui TEXT, update_time DATETIME);
"""
_NUMBERS = {"lon", "lat", "length_m", "width_m", "orientation_deg", "area_m2", "contrast", "p_value", "false_alarms"}
_NUMBERS |= {"accuracy_m", "likelihood_ratio", "combined_likelihood_ratio"}


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """One table of features."""

    name: str
    title: str
    style: str
    columns: Sequence[str]
    rows: Sequence[tuple[BaseGeometry, Mapping[str, Any]]]


def _blob(geometry: BaseGeometry) -> bytes:
    """Return a geometry as the format has it: a header with its box, then well-known binary."""
    parts = [geometry] if isinstance(geometry, Polygon) else list(shapely.get_parts(geometry))
    multi = MultiPolygon([part for part in parts if isinstance(part, Polygon)])
    west, south, east, north = multi.bounds
    # Little-endian, with an envelope of two dimensions.
    header = b"GP" + struct.pack("<BBi4d", 0, 0b11, 4326, west, east, south, north)
    return header + bytes(shapely.to_wkb(multi, byte_order=1))


def _layers(run: SavedRun) -> list[_Layer]:
    """Return the layers of a run; those without features are left out."""
    flags = [(flag.geometry, flag_row(flag, run)) for flag in run.flags]
    zones = [
        (zone.geometry, {"name": zone.name, "kind": zone.kind, "accuracy_m": zone.accuracy_m, "source": zone.source})
        for zone in run.zones
        if zone.geometry is not None
    ]
    days = {role: str(run.manifest[role]) for role in ("before", "after")}
    area = [(run.area, {"name": run.name, **days, "notice": run.notice, "calibrated": str(run.manifest["calibrated"])})]
    found = [
        _Layer(name="area", title="Area", style=outline_style(dashed=False), columns=tuple(area[0][1]), rows=area),
        _Layer(
            name="zones",
            title="Zones",
            style=outline_style(dashed=True),
            columns=("name", "kind", "accuracy_m", "source"),
            rows=zones,
        ),
        _Layer(name="flags", title="Flagged changes", style=flags_style(), columns=COLUMNS, rows=flags),
    ]
    return [layer for layer in found if layer.rows or layer.name == "flags"]


def _add(connection: sqlite3.Connection, layer: _Layer, moment: str, place: Sequence[float]) -> None:
    """Write a layer with its record and its style."""
    kinds = ", ".join(f'"{column}" {"DOUBLE" if column in _NUMBERS else "TEXT"}' for column in layer.columns)
    # The names of tables and columns are this module's own.
    connection.execute(
        f'CREATE TABLE "{layer.name}" (fid INTEGER PRIMARY KEY AUTOINCREMENT, geom MULTIPOLYGON, {kinds})'
    )
    connection.execute(
        "INSERT INTO gpkg_contents VALUES (?, 'features', ?, ?, ?, ?, ?, ?, ?, 4326)",
        (layer.name, layer.name, layer.title, moment, *place),
    )
    connection.execute(
        "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'MULTIPOLYGON', 4326, 0, 0)", (layer.name,)
    )
    marks = ", ".join("?" * (len(layer.columns) + 1))
    names = ", ".join(f'"{column}"' for column in layer.columns)
    insert = f'INSERT INTO "{layer.name}" (geom, {names}) VALUES ({marks})'  # noqa: S608 - as above
    connection.executemany(insert, _values(layer))
    connection.execute(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName,"
        " styleQML, styleSLD, useAsDefault, description, owner, update_time)"
        " VALUES ('', '', ?, 'geom', 'revisit', ?, '', 1, ?, '', ?)",
        (layer.name, layer.style, layer.title, moment),
    )


def _values(layer: _Layer) -> Iterable[tuple[Any, ...]]:
    """Yield the rows of a layer; halves of surrogate pairs, which UTF-8 cannot hold, become "?"."""
    for geometry, row in layer.rows:
        cells = (row.get(column) for column in layer.columns)
        yield _blob(geometry), *(c.encode("utf-8", "replace").decode() if isinstance(c, str) else c for c in cells)


def write_geopackage(run: SavedRun, path: Path) -> None:
    """Write a run's area, zones and flags as layers in longitude and latitude; the same run gives the same content.

    Parameters
    ----------
    run
        What to write.
    path
        A file that does not exist yet.
    """
    moment = iso_time(run.acquired("after"))
    # The format wants milliseconds.
    moment = moment.removesuffix("Z").split(".")[0] + ".000Z"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.executescript(_TABLES)
        systems = [
            ("WGS 84 geodetic", 4326, "EPSG", 4326, _WGS84, "longitude/latitude"),
            ("Undefined cartesian SRS", -1, "NONE", -1, "undefined", None),
            ("Undefined geographic SRS", 0, "NONE", 0, "undefined", None),
        ]
        connection.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", systems)
        styles = "INSERT INTO gpkg_contents (table_name, data_type, identifier, last_change) VALUES (?, ?, ?, ?)"
        connection.execute(styles, ("layer_styles", "attributes", "layer_styles", moment))
        for layer in _layers(run):
            _add(connection, layer, moment, run.area.bounds)
