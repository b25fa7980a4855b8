"""STAC Items to scenes: what is missing and needed is asked for by name, nothing is guessed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagery import fields
from imagery.bands import CLASSES_BAND, sensor_of
from imagery.errors import MissingFileError, SceneError
from imagery.fields import BASELINE, DIRECTIONS, Json
from imagery.files import check_id, local_path
from imagery.scene import Asset, Scene

OFFSET_BASELINE = "04.00"
"""ESA's first processing baseline whose numbers carry an offset of -1000."""
LARGEST_OFFSET = 1.0
"""Reflectance; a larger offset was written in numbers of the file instead of in physical units."""
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
    properties = fields.child(fields.check_item(document), "properties")
    listed = fields.child(document, "assets")
    bands = {key: fields.child(listed, key) for key in listed if sensor_of(key)}
    sensors = {sensor_of(key) for key in bands}
    if len(sensors) != 1 or set(bands) == {CLASSES_BAND}:
        raise SceneError("its assets must be bands of one sensor, keyed B01 to B12 and B8A and SCL, or VV and VH")
    sensor = "s2" if "s2" in sensors else "s1"
    baseline = fields.matching(properties, "s2:processing_baseline", BASELINE)
    assets, notes = _assets(bands, sensor, path=path, root=root)
    return Scene(
        id=check_id(document.get("id")),
        sensor=sensor,
        platform=fields.matching(properties, "platform", re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,39}")),
        acquired=fields.acquired(properties),
        footprint=fields.footprint(document),
        source="folder",
        href=str(path),
        assets=assets,
        relative_orbit=fields.orbit(properties, sensor),
        direction=fields.one_of(properties, "sat:orbit_state", DIRECTIONS),
        processing_baseline=baseline,
        level=fields.level(properties),
        sun_elevation_deg=fields.number(properties, "view:sun_elevation", -90, 90),
        sun_azimuth_deg=fields.number(properties, "view:sun_azimuth", 0, 360),
        simulated=properties.get("simulated") is True,
        notes=(*notes, *_doubts(properties, sensor, assets, baseline)),
    )


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
    described = fields.band_record(key, record)
    nodata = fields.finite(key, described.get("nodata"), "nodata") if described.get("nodata") != "nan" else math.nan
    if key == CLASSES_BAND:
        return Asset(href=str(file), nodata=nodata)
    scale, offset = (fields.finite(key, described.get(name), name) for name in ("scale", "offset"))
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
