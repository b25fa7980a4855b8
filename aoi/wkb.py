"""Polygons from well-known binary, read without recursion.

GEOS (3.14), by which shapely reads it, overflows its stack on a collection nested 100 000 deep and takes the program
with it; here each length is held against the bytes there are, and nothing nests deeper than a MultiPolygon.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon

from aoi.check import one_geometry, polygon
from aoi.errors import AOIError

_POLYGON, _MULTI_POLYGON = 3, 6
_Z, _M, _SRID = 0x80000000, 0x40000000, 0x20000000
"""Flags of the extended form (EWKB)."""
_ISO_DIMENSIONS = {0: 2, 1: 3, 2: 3, 3: 4}
"""Numbers a corner has, by the thousands of the type's code (ISO: XY, XYZ, XYM, XYZM)."""
_SHORTEST_POLYGON, _SHORTEST_RING = 9, 4
"""Bytes: byte order, code and count; count."""


@dataclass(frozen=True, kw_only=True)
class _Header:
    order: str
    kind: int
    dimensions: int
    end: int


def _header(data: bytes, at: int) -> _Header:
    if at + 5 > len(data) or data[at] not in (0, 1):
        raise AOIError("a geometry in well-known binary is cut short or damaged")
    order = "<" if data[at] == 1 else ">"
    (code,) = struct.unpack_from(f"{order}I", data, at + 1)
    extended = 2 + bool(code & _Z) + bool(code & _M)
    plain = code & ~(_Z | _M | _SRID)
    dimensions = max(extended, _ISO_DIMENSIONS.get(plain // 1000, 0))
    if plain // 1000 not in _ISO_DIMENSIONS:
        raise AOIError(f"a geometry has the unknown code {code}")
    return _Header(order=order, kind=plain % 1000, dimensions=dimensions, end=at + 5 + 4 * bool(code & _SRID))


def _count(data: bytes, at: int, order: str, shortest: int) -> int:
    """Return the number of members that follow, refused where the bytes left cannot hold them."""
    if at + 4 > len(data):
        raise AOIError("a geometry in well-known binary is cut short")
    (count,) = struct.unpack_from(f"{order}I", data, at)
    if count * shortest > len(data) - at - 4:
        raise AOIError(
            f"a geometry in well-known binary announces {count} members, more than its {len(data)} bytes can hold"
        )
    return int(count)


def _polygon(data: bytes, at: int) -> tuple[Polygon, int]:
    header = _header(data, at)
    if header.kind != _POLYGON:
        raise AOIError(f"a geometry has the type code {header.kind}; only polygons (3) and multipolygons (6) are areas")
    rings: list[NDArray[np.float64]] = []
    position = header.end
    number = _count(data, position, header.order, _SHORTEST_RING)
    position += 4
    for _ in range(number):
        corners = _count(data, position, header.order, 8 * header.dimensions)
        values = np.frombuffer(data, f"{header.order}f8", corners * header.dimensions, position + 4)
        rings.append(values.astype(np.float64).reshape(corners, header.dimensions)[:, :2])
        position += 4 + values.nbytes
    return polygon(rings), position


def read_wkb(data: bytes) -> Polygon | MultiPolygon:
    """Return the polygon or polygons of a geometry in well-known binary (ISO or extended); heights are left aside.

    Raises
    ------
    AOIError
        Where it is damaged or is no polygon.
    """
    header = _header(data, 0)
    if header.kind != _MULTI_POLYGON:
        return _polygon(data, 0)[0]
    parts: list[Polygon] = []
    position = header.end + 4
    for _ in range(_count(data, header.end, header.order, _SHORTEST_POLYGON)):
        part, position = _polygon(data, position)
        parts.append(part)
    if not parts:
        raise AOIError("a multipolygon has no parts")
    return one_geometry(parts)
