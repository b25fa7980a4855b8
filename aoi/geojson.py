"""Areas as GeoJSON (RFC 7946): a FeatureCollection of an area, its zones and its buildings, or a bare polygon."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon, mapping

from aoi.area import AOI
from aoi.assemble import Outline
from aoi.check import one_geometry, polygon
from aoi.errors import AOIError
from aoi.geometry import counter_clockwise
from aoi.names import shown

DECIMALS = 7
"""Of written degrees; about 1 cm."""

_LON_LAT_NAMES = ("CRS84", "EPSG::4326", "EPSG:4326")
"""How the coordinate system of RFC 7946 was named in files of the older form."""


def _refuse_constant(name: str) -> NoReturn:
    raise AOIError(f"the number {name} is not JSON; every number must be finite")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise AOIError(f"an object has the key {shown(twice)} twice; which one counts is not defined: remove one")
    return members


def _document(content: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except AOIError:
        raise
    except RecursionError as error:
        raise AOIError("it is nested too deeply for a GeoJSON document") from error
    except ValueError as error:
        raise AOIError(f"it is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise AOIError(f"a GeoJSON document is an object, not {shown(document)}")
    return document


def _number(value: object, position: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AOIError(f"{shown(position)} is no position; one is [longitude, latitude] in degrees")
    try:
        return float(value)
    except OverflowError as error:
        raise AOIError(f"{shown(position)} lies nowhere on Earth") from error


def _positions(ring: object) -> NDArray[np.float64]:
    if not isinstance(ring, list) or not ring:
        raise AOIError(f"{shown(ring)} is no ring of positions")
    points = np.empty((len(ring), 2))
    for row, position in enumerate(ring):
        if not isinstance(position, list) or len(position) < 2:
            raise AOIError(f"{shown(position)} is no position; one is [longitude, latitude] in degrees")
        points[row] = _number(position[0], position), _number(position[1], position)
    return points


def _polygon(rings: object) -> Polygon:
    if not isinstance(rings, list):
        raise AOIError(f"{shown(rings)} are no coordinates of a Polygon")
    return polygon([_positions(ring) for ring in rings])


def _geometry(geometry: object) -> Polygon | MultiPolygon:
    if not isinstance(geometry, dict):
        raise AOIError(f"a feature has the geometry {shown(geometry)}; it must be a Polygon or MultiPolygon")
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind == "Polygon":
        return _polygon(coordinates)
    if kind == "MultiPolygon" and isinstance(coordinates, list) and coordinates:
        return one_geometry([_polygon(rings) for rings in coordinates])
    raise AOIError(f"a geometry has the type {shown(kind)}; it must be a Polygon or MultiPolygon with coordinates")


def _feature(feature: object) -> Outline:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise AOIError(f"{shown(feature)} is no Feature")
    properties = feature.get("properties") or {}
    if not isinstance(properties, dict):
        raise AOIError(f"the properties of a feature are {shown(properties)}; they must be an object")
    return Outline(geometry=_geometry(feature.get("geometry")), properties=properties)


def _check_crs(document: Mapping[str, Any]) -> None:
    """Refuse the `crs` member of the older GeoJSON where it names another system than longitude and latitude."""
    crs = document.get("crs")
    if crs is not None and not any(name in json.dumps(crs) for name in _LON_LAT_NAMES):
        raise AOIError(
            f"its crs is {shown(crs)}; GeoJSON has longitude and latitude (RFC 7946): convert it to EPSG:4326"
        )


def read_geojson(content: bytes) -> list[Outline]:
    """Return the outlines of a GeoJSON document.

    Parameters
    ----------
    content
        A FeatureCollection, a Feature, a Polygon or a MultiPolygon.

    Raises
    ------
    AOIError
        Where it is not JSON, or not GeoJSON of polygons; where an object repeats a key or a number is not finite.
    """
    document = _document(content)
    _check_crs(document)
    kind = document.get("type")
    if kind == "FeatureCollection":
        features = document.get("features")
        if not isinstance(features, list):
            raise AOIError(f"the features of the collection are {shown(features)}; they must be a list")
        return [_feature(feature) for feature in features]
    if kind == "Feature":
        return [_feature(document)]
    if kind in ("Polygon", "MultiPolygon"):
        return [Outline(geometry=_geometry(document), properties={})]
    raise AOIError(f"it has the type {shown(kind)}; expected a FeatureCollection, Feature, Polygon or MultiPolygon")


def _written(geometry: Polygon | MultiPolygon) -> dict[str, Any]:
    rounded = shapely.transform(geometry, lambda points: points.round(DECIMALS))
    return dict(mapping(counter_clockwise(rounded)))


def _features(aoi: AOI) -> Iterator[dict[str, Any]]:
    yield {"type": "area", "name": aoi.name, "geometry": aoi.geometry}
    for zone in aoi.zones:
        accuracy = {} if zone.accuracy_m is None else {"accuracy_m": zone.accuracy_m}
        yield {
            "type": "zone",
            "name": zone.name,
            "kind": zone.kind,
            "source": zone.source,
            **accuracy,
            "geometry": zone.geometry,
        }
    for building in aoi.buildings:
        height = {} if building.height_m is None else {"height_m": building.height_m}
        yield {"type": "building", "name": building.name, **height, "geometry": building.geometry}


def area_as_geojson(aoi: AOI) -> str:
    """Return an AOI as an RFC 7946 FeatureCollection, one feature a line, outer rings counter-clockwise, 7 decimals."""
    lines = []
    for properties in _features(aoi):
        geometry = _written(properties.pop("geometry"))
        feature = {"type": "Feature", "properties": properties, "geometry": geometry}
        lines.append(json.dumps(feature, ensure_ascii=False, allow_nan=False))
    return '{"type": "FeatureCollection", "features": [\n' + ",\n".join(lines) + "\n]}\n"


def write_area(aoi: AOI, path: Path) -> None:
    """Write an AOI as GeoJSON, whole or not at all.

    Raises
    ------
    AOIError
        Where the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.write(area_as_geojson(aoi))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise AOIError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
