"""The STAC Item of a run: one record that lists every file with its size and checksum."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import mapping

from revisit.manifest import ATTRIBUTION
from revisit.plain import iso_time
from revisit.result import Result
from revisit.wording import why_uncalibrated

NAME = "item.json"
STAC_VERSION = "1.1.0"
EXTENSIONS = (
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
)
MULTIHASH_SHA256 = "1220"
"""Multihash prefix: function 0x12 (SHA2-256), length 0x20 bytes."""
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
TYPES = {
    ".tif": COG,
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".png": "image/png",
    ".html": "text/html",
    ".pgw": "text/plain",
    ".prj": "text/plain",
    ".xml": "application/xml",
}
TITLES = {
    "run.json": "Manifest: what was asked, used and found",
    "flags.geojson": "Changed objects",
    "detectability.json": "What could have been seen: probability of detection by class and kind of ground",
    "change.tif": "Change statistics of both scales, direction and validity",
    "before.tif": "Before, as compared",
    "after.tif": "After, as compared",
    "overlay.png": "Picture: after, with the flags",
    "before.png": "Picture: before",
    "after.png": "Picture: after",
    "report.html": "Report",
}
TITLES |= {
    f"s1-{name}": f"Radar, beside the optical dates: {TITLES[name][0].lower()}{TITLES[name][1:]}"
    for name in ("change.tif", "before.tif", "after.tif", "overlay.png", "before.png", "after.png")
}
ROLES = {".tif": ["data"], ".json": ["metadata"], ".geojson": ["data"], ".png": ["overview"], ".html": ["overview"]}
BLOCK = 1 << 20


def multihash(path: Path) -> str:
    """Return a file's SHA-256 as a multihash in hexadecimal, as the STAC file extension wants it."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return MULTIHASH_SHA256 + digest.hexdigest()


def _projection(result: Result) -> dict[str, Any]:
    """Return where the rasters lie, in the words of the projection extension."""
    grid = result.grid
    return {
        "proj:code": grid.crs,
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.transform)[:6],
        "proj:bbox": list(grid.bounds),
    }


def _asset(path: Path, result: Result) -> dict[str, Any]:
    """Return the record of one file."""
    asset: dict[str, Any] = {"href": f"./{path.name}", "title": TITLES.get(path.name, path.name)}
    if path.suffix in TYPES:
        asset["type"] = TYPES[path.suffix]
    asset["roles"] = ROLES.get(path.suffix, ["metadata"])
    asset |= {"file:size": path.stat().st_size, "file:checksum": multihash(path)}
    return asset | (_projection(result) if path.suffix == ".tif" else {})


def _said(result: Result) -> tuple[str, str]:
    """Return whose data these are, and that the thresholds are not calibrated where they are not."""
    whose = "Made from simulated scenes; nothing here is real imagery." if result.simulated else f"{ATTRIBUTION}."
    reason = why_uncalibrated(result)
    return whose, f"Uncalibrated: {reason}." if reason else ""


def item(result: Result, folder: Path) -> dict[str, Any]:
    """Return the STAC Item that lists every file of a finished run.

    Parameters
    ----------
    result
        The run.
    folder
        Where its files are; all of them are listed but the item itself.
    """
    start, end = result.before.acquired, result.after.acquired
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != NAME)
    simulated = "SIMULATED: " if result.simulated else ""
    properties = {
        "title": f"{simulated}changes at {result.aoi.name}, {start:%Y-%m-%d} to {end:%Y-%m-%d}",
        "description": " ".join(part for part in _said(result) if part),
        "datetime": None,
        "start_datetime": iso_time(start),
        "end_datetime": iso_time(end),
        "gsd": result.grid.gsd,
        **_projection(result),
    }
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": list(EXTENSIONS),
        "id": f"{result.aoi.name}_{start:%Y%m%d}_{end:%Y%m%d}",
        "geometry": mapping(shapely.orient_polygons(result.aoi.geometry)),
        "bbox": list(result.aoi.geometry.bounds),
        "properties": properties,
        "links": [],
        "assets": {path.name: _asset(path, result) for path in files},
    }
