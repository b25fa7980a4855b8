"""Areas as a layer of a GeoPackage (OGC 12-128), read with the standard library's SQLite.

The file is opened read-only and immutable, so that nothing is written beside it; views and virtual tables, whose
definition is a program, are not read; and a query that does not end is stopped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from aoi.assemble import PROPERTIES, Outline
from aoi.check import MOST_BYTES, MOST_CORNERS
from aoi.errors import AOIError
from aoi.geometry import to_lonlat
from aoi.names import shown
from aoi.wkb import read_wkb

_MAGIC = b"SQLite format 3\x00"
_STEPS_A_CALL, _MOST_CALLS = 10_000, 2_000
"""20 million steps of SQLite's machine, some seconds; a plain layer of 200 000 corners takes a thousandth of it."""
_ENVELOPE_BYTES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
"""Length of the envelope in a geometry's header, by its indicator (clause 2.1.3)."""
_EMPTY, _EXTENDED = 0x10, 0x20


@dataclass(frozen=True, kw_only=True)
class _Layer:
    table: str
    column: str
    srs_id: int


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _budget() -> Callable[[], int]:
    """Return what SQLite calls as it works; not 0 stops it."""
    calls = 0

    def spend() -> int:
        nonlocal calls
        calls += 1
        return int(calls > _MOST_CALLS)

    return spend


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
        connection.set_progress_handler(_budget(), _STEPS_A_CALL)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        yield connection


def _layers(connection: sqlite3.Connection) -> list[_Layer]:
    rows = connection.execute(
        "SELECT g.table_name, g.column_name, g.srs_id FROM gpkg_geometry_columns AS g "
        "JOIN gpkg_contents AS c ON c.table_name = g.table_name "
        "JOIN sqlite_master AS m ON m.name = g.table_name AND m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL%' "
        "WHERE c.data_type = 'features' ORDER BY g.table_name"
    )
    return [_Layer(table=str(table), column=str(column), srs_id=int(srs)) for table, column, srs in rows]


def _chosen(layers: list[_Layer], wanted: str | None) -> _Layer:
    names = ", ".join(shown(layer.table) for layer in layers)
    if not layers:
        raise AOIError("it has no layer of features (views and virtual tables are not read)")
    if wanted is None and len(layers) > 1:
        raise AOIError(f"it has {len(layers)} layers; say which with --layer: {names}")
    found = [layer for layer in layers if wanted in (None, layer.table)]
    if not found:
        raise AOIError(f"it has no layer {shown(wanted)}; it has: {names}")
    return found[0]


def _crs(connection: sqlite3.Connection, srs_id: int) -> str:
    """Return the layer's CRS as pyproj reads it: by its authority's code, else by its definition."""
    row = connection.execute(
        "SELECT organization, organization_coordsys_id, definition FROM gpkg_spatial_ref_sys WHERE srs_id = ?",
        (srs_id,),
    ).fetchone()
    if row is None or str(row[2]).lower() == "undefined":
        raise AOIError(
            f"the layer's coordinate system (srs_id {srs_id}) is not defined; set it in the program that made it"
        )
    organization, code, definition = row
    return f"EPSG:{int(code)}" if str(organization).upper() == "EPSG" else str(definition)


def _blob(value: object) -> bytes | None:
    """Return the well-known binary of a GeoPackage geometry; None where it is empty."""
    if not isinstance(value, bytes) or len(value) < 8 or value[:2] != b"GP":
        raise AOIError(f"a geometry is no GeoPackage geometry but {shown(value)}")
    flags = value[3]
    envelope = _ENVELOPE_BYTES.get(flags >> 1 & 0b111)
    if flags & _EXTENDED or envelope is None:
        raise AOIError("a geometry is of a kind that an extension of the GeoPackage defines; only polygons are read")
    return None if flags & _EMPTY else value[8 + envelope :]


def _outlines(connection: sqlite3.Connection, layer: _Layer) -> Iterator[Outline]:
    crs = _crs(connection, layer.srs_id)
    columns = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({_quoted(layer.table)})")]
    wanted = {column.lower(): column for column in columns if column.lower() in PROPERTIES and column != layer.column}
    selected = ", ".join(_quoted(column) for column in (layer.column, *wanted.values()))
    corners = 0
    # Identifiers cannot be parameters; they come from the file's own schema and are quoted.
    for geometry, *values in connection.execute(f"SELECT {selected} FROM {_quoted(layer.table)}"):  # noqa: S608
        binary = None if geometry is None else _blob(geometry)
        if binary is None:
            continue
        corners += len(binary) // 16
        if corners > 2 * MOST_CORNERS:
            raise AOIError(
                f"the layer {shown(layer.table)} has more than {MOST_CORNERS} corners: simplify the outlines"
            )
        properties = {key: value for key, value in zip(wanted, values, strict=True) if value is not None}
        yield Outline(geometry=to_lonlat(read_wkb(binary), crs), properties=properties)


def read_geopackage(path: Path, layer: str | None = None) -> list[Outline]:
    """Return the polygons of a layer, in longitude and latitude, with the columns `PROPERTIES` that it has.

    Parameters
    ----------
    path
        Of the file; at most 20 MB (the caller has looked).
    layer
        A layer's name; None: the only one.

    Raises
    ------
    AOIError
        Where it is no GeoPackage, has several layers and none is named, has no such layer, or holds other than
        polygons.
    """
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise AOIError("it is not a GeoPackage (no SQLite file inside)")
    journal = path.with_name(f"{path.name}-wal")
    if journal.exists() and journal.stat().st_size:
        raise AOIError(f"changes to it still lie in {journal.name}; close the program that has it open")
    try:
        with _opened(path) as connection:
            return list(_outlines(connection, _chosen(_layers(connection), layer)))
    except AOIError:
        raise
    except sqlite3.Error as error:
        raise AOIError(f"it is not a GeoPackage that can be read: {error}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise AOIError(f"its tables hold values of the wrong type: {error}") from error
