"""The manifest: what was asked, what was used and what came out, so that a run can be judged and repeated."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from shapely.geometry import mapping

from imagery.scene import Scene
from revisit import __version__
from revisit.plain import iso_time, rounded
from revisit.recipe import Recipe, command_of, recipe_table
from revisit.result import AlignmentRecord, Result, SceneRecord
from revisit.wording import why_uncalibrated

SCHEMA = "revisit/run/1"
LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-image",
    "opencv-python",
    "opencv-python-headless",
    "rasterio",
    "shapely",
    "pyproj",
)
ATTRIBUTION = "Contains modified Copernicus Sentinel data"


def _installed(name: str) -> dict[str, str]:
    """Return the version of a distribution under its name, where it is installed."""
    try:
        return {name: version(name)}
    except PackageNotFoundError:
        return {}


def software() -> dict[str, str]:
    """Return the versions that can change a result."""
    libraries = {key: value for name in LIBRARIES for key, value in _installed(name).items()}
    return {
        "revisit": __version__,
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        **libraries,
        "gdal": rasterio.__gdal_version__,
    }


def _href(scene: Scene, recipe: Recipe) -> str:
    """Return where a scene's description lies; the demo's scenes lie wherever they were written this time."""
    return Path(scene.href).name if recipe.source == "demo" else scene.href


def _scene(record: SceneRecord, recipe: Recipe) -> dict[str, Any]:
    """Return a scene that took part as plain values."""
    scene = record.scene
    return {
        "id": scene.id,
        "role": record.role,
        "source": scene.source,
        "href": _href(scene, recipe),
        "sensor": scene.sensor,
        "platform": scene.platform,
        "acquired": iso_time(scene.acquired),
        "orbit": scene.relative_orbit,
        "direction": scene.direction,
        "processing_baseline": scene.processing_baseline,
        "level": scene.level,
        "offset": record.offset if isinstance(record.offset, float | int | None) else dict(record.offset),
        "sha256": record.sha256,
        "valid_share": rounded(record.valid_share, 4),
        "simulated": scene.simulated,
    }


def _alignment(record: AlignmentRecord) -> dict[str, Any]:
    """Return how a scene lay as plain values; an error that could not be estimated is null."""
    return {
        "scene": record.scene_id,
        "shift_px": [rounded(value, 4) for value in record.shift_px],
        "standard_error_px": [rounded(value, 4) for value in record.standard_error_px],
    }


def _area(result: Result) -> dict[str, Any]:
    """Return the area and its zones as plain values."""
    zones = [
        {
            "name": zone.name,
            "kind": zone.kind,
            "source": zone.source,
            "accuracy_m": zone.accuracy_m,
            "geometry": mapping(zone.geometry),
        }
        for zone in result.aoi.zones
    ]
    return {"name": result.aoi.name, "geometry": mapping(result.aoi.geometry), "zones": zones}


def _grid(result: Result) -> dict[str, Any]:
    """Return the run's grid as plain values."""
    grid = result.grid
    return {"crs": grid.crs, "transform": list(grid.transform)[:6], "shape": list(grid.shape), "gsd_m": grid.gsd}


def _range(threshold: NDArray[np.float32]) -> list[float | None]:
    """Return the lowest and the highest threshold of the searched ground."""
    needed = threshold[np.isfinite(threshold)]
    return [rounded(float(needed.min()), 4), rounded(float(needed.max()), 4)] if needed.size else [None, None]


def _sensor(result: Result) -> dict[str, Any]:
    """Return one sensor's part of a run of two as plain values."""
    return {
        "before": iso_time(result.before.acquired),
        "after": iso_time(result.after.acquired),
        "complete": result.complete,
        "false_alarms_per_km2": result.recipe.false_alarms_per_km2,
        "calibrated": result.change.calibrated,
        "baseline": result.baseline_dates,
        "detection": _detection(result),
        "choice": list(result.reasons),
        "searched_km2": rounded(result.searched_km2, 4),
        "searched_valid_share": rounded(result.searched_valid_share, 4),
        "valid_share": {name: rounded(share, 4) for name, share in result.valid_share.items()},
        "flags": len(result.flags),
    }


def _sensors(result: Result) -> dict[str, Any]:
    """Return the parts of a run of two sensors under one key; nothing for one sensor."""
    return {"sensors": {part.sensor: _sensor(part) for part in result.parts}} if result.other else {}


def _detection(result: Result) -> dict[str, Any]:
    """Return how changes were looked for."""
    change, reason = result.change, why_uncalibrated(result)
    return {
        "method": change.method,
        "bands": list(result.before.bands),
        "quantity": result.before.quantity,
        "thresholds": {scale.scale: _range(scale.threshold) for scale in (change.objects, change.areas)},
        "statement": None if reason is None else f"Uncalibrated: {reason}.",
    }


def manifest(result: Result) -> dict[str, Any]:
    """Return the manifest of a run as plain JSON values.

    The same inputs give the same manifest, but for `timings_s` and `exchange`: what is kept need not be fetched again.
    Of two sensors, `sensors` holds what each did; at the top stand the optical dates, and `calibrated` speaks of both.
    """
    return {
        "schema": SCHEMA,
        "command": command_of(result.recipe),
        "recipe": recipe_table(result.recipe),
        "area": _area(result),
        "sensor": result.recipe.sensor,
        "before": iso_time(result.before.acquired),
        "after": iso_time(result.after.acquired),
        "simulated": result.simulated,
        "complete": result.complete,
        "false_alarms_per_km2": result.recipe.false_alarms_per_km2,
        "calibrated": all(part.change.calibrated for part in result.parts),
        "baseline": result.baseline_dates,
        "detection": _detection(result),
        **_sensors(result),
        "grid": _grid(result),
        "scenes": [_scene(record, result.recipe) for part in result.parts for record in part.scenes],
        "choice": list(result.reasons),
        "alignment": [_alignment(record) for part in result.parts for record in part.alignments],
        "searched_km2": rounded(result.searched_km2, 4),
        "searched_valid_share": rounded(result.searched_valid_share, 4),
        "valid_share": {name: rounded(share, 4) for name, share in result.valid_share.items()},
        "flags": len(result.flags),
        "attribution": None if result.simulated else ATTRIBUTION,
        "software": software(),
        "warnings": list(result.warnings),
        "exchange": dict(result.exchange) if result.exchange is not None else None,
        "timings_s": dict(result.timings_s),
    }
