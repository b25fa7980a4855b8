"""The fields of a STAC Item, each checked: what is there and makes no sense is named, what is not there is None."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from shapely import from_geojson
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, Polygon, box

from imagery.errors import SceneError

Json = Mapping[str, Any]

STAC_VERSIONS = re.compile(r"1\.[01](\.\d+)?(-[a-z]+\.\d+)?")
BASELINE = re.compile(r"\d\d\.\d\d")
ORBITS = {"s2": 143, "s1": 175}
"""Relative orbits in one repeat cycle."""
DIRECTIONS = ("ascending", "descending")
LEVELS = {"L1C": "L1C", "L2A": "L2A", "S2MSI1C": "L1C", "S2MSI2A": "L2A"}


def check_item(document: Any) -> Json:
    """Return a document that says that it is a STAC Item of a known version.

    Raises
    ------
    SceneError
        Where it is anything else.
    """
    if not isinstance(document, dict) or document.get("type") != "Feature":
        raise SceneError("is no STAC Item: its type is not 'Feature'")
    version = str(document.get("stac_version"))
    if not STAC_VERSIONS.fullmatch(version):
        raise SceneError(f"stac_version {version[:20]!r}; 1.0 and 1.1 are known")
    return document


def child(document: Json, key: str) -> dict[str, Any]:
    """Return an object of a document.

    Raises
    ------
    SceneError
        Where it is missing or no object.
    """
    value = document.get(key)
    if not isinstance(value, dict):
        raise SceneError(f"{key!r} is missing or no object")
    return value


def number(properties: Json, key: str, low: float, high: float) -> float | None:
    """Return a number between two bounds, both included; None where there is none.

    Raises
    ------
    SceneError
        Where it is anything else.
    """
    value = properties.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise SceneError(f"{key} is {str(value)[:40]!r}; a number from {low:g} to {high:g} is expected")
    return float(value)


def matching(properties: Json, key: str, pattern: re.Pattern[str]) -> str | None:
    """Return a text that a pattern describes; None where there is none.

    Raises
    ------
    SceneError
        Where it is anything else.
    """
    value = properties.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise SceneError(f"{key} is {str(value)[:40]!r}; expected is the form {pattern.pattern}")
    return value


def one_of(properties: Json, key: str, choices: tuple[str, ...]) -> str | None:
    """Return one of a few texts; None where there is none.

    Raises
    ------
    SceneError
        Where it is anything else.
    """
    value = properties.get(key)
    if value is not None and value not in choices:
        raise SceneError(f"{key} is {str(value)[:40]!r}; one of {', '.join(choices)} is expected")
    return value


def orbit(properties: Json, sensor: str) -> int | None:
    """Return `sat:relative_orbit`; None where there is none.

    Raises
    ------
    SceneError
        Where it is no orbit of the sensor.
    """
    value = number(properties, "sat:relative_orbit", 1, ORBITS[sensor])
    if value is not None and not value.is_integer():
        raise SceneError(f"sat:relative_orbit is {value}; a whole number is expected")
    return None if value is None else int(value)


def level(properties: Json) -> str | None:
    """Return "L1C" or "L2A" as the properties state it; None where they do not."""
    stated = (properties.get("processing:level"), properties.get("s2:product_type"))
    known = [LEVELS[text] for text in stated if isinstance(text, str) and text in LEVELS]
    return known[0] if known else None


def acquired(properties: Json) -> datetime:
    """Return `datetime`, UTC.

    Raises
    ------
    SceneError
        Where it is missing, no time, or without a time zone.
    """
    text = properties.get("datetime")
    if not isinstance(text, str):
        raise SceneError("the property 'datetime' is missing")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SceneError(f"datetime {text[:40]!r} is no RFC 3339 time, such as 2024-12-07T08:20:00Z") from error
    if moment.tzinfo is None:
        raise SceneError(f"datetime {text[:40]!r} has no time zone; add Z if it is UTC")
    return moment.astimezone(UTC)


def footprint(document: Json) -> Polygon | MultiPolygon:
    """Return the geometry in degrees, or the bbox where there is none.

    Raises
    ------
    SceneError
        Where there is neither, or it makes no sense.
    """
    shape = (
        _polygon(document["geometry"]) if isinstance(document.get("geometry"), dict) else _bbox(document.get("bbox"))
    )
    west, south, east, north = shape.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise SceneError(f"its outline lies outside the globe: {shape.bounds}")
    return shape


def _polygon(geometry: Json) -> Polygon | MultiPolygon:
    try:
        shape = from_geojson(json.dumps(geometry))
    except (ShapelyError, ValueError, TypeError) as error:
        raise SceneError(f"its geometry is no GeoJSON: {error}") from error
    if not isinstance(shape, Polygon | MultiPolygon) or shape.is_empty or not shape.area > 0:
        raise SceneError("its geometry is no polygon with an area")
    return shape if shape.is_valid else shape.envelope


def _bbox(values: Any) -> Polygon:
    numbers = values if isinstance(values, list) and len(values) in (4, 6) else []
    if not numbers or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in numbers):
        raise SceneError("it has neither a geometry nor a bbox")
    half = len(numbers) // 2
    west, south, east, north = numbers[0], numbers[1], numbers[half], numbers[half + 1]
    if not (west < east and south < north):
        raise SceneError(f"its bbox {numbers} is not west, south, east, north")
    return box(west, south, east, north)


def band_record(key: str, record: Json) -> dict[str, Any]:
    """Return scale, offset, nodata and data_type of an asset, from wherever STAC 1.0 and 1.1 put them.

    Raises
    ------
    SceneError
        Where it describes several bands.
    """
    found: dict[str, Any] = {}
    for entries in ("bands", "raster:bands"):
        listed = record.get(entries) or [{}]
        if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], dict):
            raise SceneError(f"asset {key}: {entries} must describe one band; one band an asset is read")
        found |= listed[0]
    both = {**record, **found}
    names = {"scale": "raster:scale", "offset": "raster:offset", "nodata": "nodata", "data_type": "data_type"}
    return {name: found[name] if name in found else both.get(alias) for name, alias in names.items()}


def finite(key: str, value: Any, name: str) -> float | None:
    """Return a value of an asset as a number; None where there is none.

    Raises
    ------
    SceneError
        Where it is anything else.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SceneError(f"asset {key}: {name} is {str(value)[:40]!r}; a number is expected")
    return float(value)
