"""STAC Items to scenes: what is missing and needed is asked for by name, nothing is guessed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shapely import from_geojson
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, Polygon, box

from imagery.bands import CLASSES_BAND, sensor_of
from imagery.errors import MissingFileError, SceneError
from imagery.files import check_id, local_path
from imagery.scene import Asset, Scene

Json = Mapping[str, Any]

STAC_VERSIONS = re.compile(r"1\.[01](\.\d+)?(-[a-z]+\.\d+)?")
BASELINE = re.compile(r"\d\d\.\d\d")
OFFSET_BASELINE = "04.00"
"""ESA's first processing baseline whose numbers carry an offset of -1000."""
LARGEST_OFFSET = 1.0
"""Reflectance; a larger offset was written in numbers of the file instead of in physical units."""
ORBITS = {"s2": 143, "s1": 175}
"""Relative orbits in one repeat cycle."""
DIRECTIONS = ("ascending", "descending")
LEVELS = {"L1C": "L1C", "L2A": "L2A", "S2MSI1C": "L1C", "S2MSI2A": "L2A"}
NO_CLASSES = "no scene classification: clouds are not masked"
DAY_ONLY = "only the day of the acquisition is known, not the time"


def is_item(document: Any) -> bool:
    """Return whether a JSON document says that it is a STAC Item."""
    return isinstance(document, dict) and document.get("type") == "Feature" and "stac_version" in document


def parse_item(document: Json, *, path: Path, root: Path) -> Scene:
    """Return the scene that a static STAC Item describes.

    Parameters
    ----------
    document
        A document for which `is_item` holds.
    path
        Where it lies; relative addresses start from there.
    root
        The folder that no address may leave.

    Raises
    ------
    SceneError
        Where something is missing or makes no sense; the message names it.
    RefusedFileError
        Where an id or an address is not safe.
    """
    if not STAC_VERSIONS.fullmatch(str(document["stac_version"])):
        raise SceneError(f"stac_version {str(document['stac_version'])[:20]!r}; 1.0 and 1.1 are known")
    properties = _object(document, "properties")
    bands = {key: _object(_object(document, "assets"), key) for key in _object(document, "assets") if sensor_of(key)}
    sensors = {sensor_of(key) for key in bands}
    if len(sensors) != 1 or set(bands) == {CLASSES_BAND}:
        raise SceneError("its assets must be bands of one sensor, keyed B01 to B12 and B8A and SCL, or VV and VH")
    sensor = "s2" if "s2" in sensors else "s1"
    baseline = _matching(properties, "s2:processing_baseline", BASELINE)
    assets, notes = _assets(bands, sensor, path=path, root=root)
    return Scene(
        id=check_id(document.get("id")),
        sensor=sensor,
        platform=_matching(properties, "platform", re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,39}")),
        acquired=_acquired(properties),
        footprint=_footprint(document),
        source="folder",
        href=str(path),
        assets=assets,
        relative_orbit=_orbit(properties, sensor),
        direction=_one_of(properties, "sat:orbit_state", DIRECTIONS),
        processing_baseline=baseline,
        level=_level(properties),
        sun_elevation_deg=_number(properties, "view:sun_elevation", -90, 90),
        sun_azimuth_deg=_number(properties, "view:sun_azimuth", 0, 360),
        simulated=properties.get("simulated") is True,
        notes=(*notes, *_doubts(properties, sensor, assets, baseline)),
    )


def _object(document: Json, key: str) -> dict[str, Any]:
    value = document.get(key)
    if not isinstance(value, dict):
        raise SceneError(f"{key!r} is missing or no object")
    return value


def _number(properties: Json, key: str, low: float, high: float) -> float | None:
    value = properties.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise SceneError(f"{key} is {str(value)[:40]!r}; a number from {low:g} to {high:g} is expected")
    return float(value)


def _matching(properties: Json, key: str, pattern: re.Pattern[str]) -> str | None:
    value = properties.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise SceneError(f"{key} is {str(value)[:40]!r}; expected is the form {pattern.pattern}")
    return value


def _one_of(properties: Json, key: str, choices: tuple[str, ...]) -> str | None:
    value = properties.get(key)
    if value is not None and value not in choices:
        raise SceneError(f"{key} is {str(value)[:40]!r}; one of {', '.join(choices)} is expected")
    return value


def _orbit(properties: Json, sensor: str) -> int | None:
    value = _number(properties, "sat:relative_orbit", 1, ORBITS[sensor])
    if value is not None and not value.is_integer():
        raise SceneError(f"sat:relative_orbit is {value}; a whole number is expected")
    return None if value is None else int(value)


def _level(properties: Json) -> str | None:
    stated = (properties.get("processing:level"), properties.get("s2:product_type"))
    known = [LEVELS[text] for text in stated if isinstance(text, str) and text in LEVELS]
    return known[0] if known else None


def _acquired(properties: Json) -> datetime:
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


def _footprint(document: Json) -> Polygon | MultiPolygon:
    """Return the geometry in degrees, or the bbox where there is none."""
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


def _assets(
    bands: Mapping[str, Json], sensor: str, *, path: Path, root: Path
) -> tuple[dict[str, Asset], tuple[str, ...]]:
    """Return the assets whose files are there, and a note on each that is not."""
    assets, notes = {}, []
    for key, record in bands.items():
        href = record.get("href")
        if not isinstance(href, str):
            raise SceneError(f"asset {key}: 'href' is missing")
        try:
            file = local_path(href, base=path.parent, root=root)
        except MissingFileError as error:
            notes.append(f"asset {key}: {error}")
            continue
        assets[key] = _asset(key, record, sensor, file)
    if not set(assets) - {CLASSES_BAND}:
        raise SceneError(f"none of its files is there: {'; '.join(notes)}")
    return assets, tuple(notes)


def _asset(key: str, record: Json, sensor: str, file: Path) -> Asset:
    described = _band_record(key, record)
    nodata = _finite(key, described.get("nodata"), "nodata") if described.get("nodata") != "nan" else math.nan
    if key == CLASSES_BAND:
        return Asset(href=str(file), nodata=nodata)
    scale, offset = (_finite(key, described.get(name), name) for name in ("scale", "offset"))
    kind = str(described.get("data_type"))
    # Radar products are published as linear power in float32 without scale and offset; the reader checks the type.
    if sensor == "s1" or kind.startswith("float"):
        scale, offset = 1.0 if scale is None else scale, 0.0 if offset is None else offset
    missing = [name for name, value in (("scale", scale), ("offset", offset)) if value is None]
    if scale is None or offset is None:
        raise SceneError(f"asset {key}: {' and '.join(missing)} missing (in raster:bands or bands); nothing is guessed")
    if not scale > 0 or (sensor == "s2" and abs(offset) > LARGEST_OFFSET):
        raise SceneError(
            f"asset {key}: scale {scale:g} and offset {offset:g} make no physical unit; expected is"
            " reflectance = number x scale + offset, such as 0.0001 and -0.1"
        )
    return Asset(href=str(file), scale=scale, offset=offset, nodata=nodata)


def _band_record(key: str, record: Json) -> dict[str, Any]:
    """Return scale, offset, nodata and data_type of an asset, from wherever STAC 1.0 and 1.1 put them."""
    found: dict[str, Any] = {}
    for entries in ("bands", "raster:bands"):
        listed = record.get(entries) or [{}]
        if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], dict):
            raise SceneError(f"asset {key}: {entries} must describe one band; one band an asset is read")
        found |= listed[0]
    level = {**record, **found}
    names = {"scale": "raster:scale", "offset": "raster:offset", "nodata": "nodata", "data_type": "data_type"}
    return {name: found[name] if name in found else level.get(alias) for name, alias in names.items()}


def _finite(key: str, value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SceneError(f"asset {key}: {name} is {str(value)[:40]!r}; a number is expected")
    return float(value)


def _doubts(properties: Json, sensor: str, assets: Mapping[str, Asset], baseline: str | None) -> list[str]:
    """Return what is doubtful about a scene; refuse what contradicts itself."""
    notes = [DAY_ONLY] if properties.get("revisit:day_only") is True else []
    if sensor != "s2":
        return notes
    offsets = {asset.offset for key, asset in assets.items() if key != CLASSES_BAND}
    applied = properties.get("earthsearch:boa_offset_applied")
    late = baseline is not None and baseline >= OFFSET_BASELINE
    shown = ", ".join(f"{offset:g}" for offset in sorted(offsets))
    if (applied is True and offsets != {0.0}) or (applied is False and late and 0.0 in offsets):
        raise SceneError(
            f"earthsearch:boa_offset_applied is {str(applied).lower()} but the offset is {shown}: one of them is wrong,"
            " by 0.1 of reflectance; correct the description"
        )
    if late and 0.0 in offsets:
        notes.append(
            f"processing baseline {baseline} comes with an offset of -0.1, the description says {shown}: right only if"
            " it was taken off the numbers before"
        )
    if baseline is not None and not late and offsets != {0.0}:
        notes.append(f"processing baseline {baseline} comes without an offset, the description says {shown}")
    if CLASSES_BAND not in assets:
        notes.append(NO_CLASSES)
    return notes
