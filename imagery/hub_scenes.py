"""Features of Sentinel Hub's catalogue as scenes whose pixels are rendered on demand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from imagery.addresses import parse_origin
from imagery.bands import CLASSES_BAND
from imagery.credentials import DEPLOYMENTS, Deployment
from imagery.errors import RefusedFileError, SceneError
from imagery.exchange import Hosts
from imagery.items import OFFSET_BASELINE
from imagery.pictures import BANDS
from imagery.processing_units import search_units
from imagery.redact import one_line
from imagery.remote_items import Dialect, parse_remote
from imagery.scene import Asset, Period, Scene

NAME = "sentinel-hub"
"""Of the source."""
SCALE = 1e-4
"""Reflectance of one DN."""
HARMONISED = "Sentinel Hub took ESA's offset off the numbers (harmonizeValues); reflectances under 0 come as 0"
OTHER_ZONE = "Sentinel Hub may render it from its twin of another UTM zone ({}), the nearest pixel in place of each"
KM_PER_DEGREE = 111.3
"""Of latitude."""
DAYS_PER_MONTH = 30.44
COLLECTIONS = {"s2": "sentinel-2-l2a", "s1": "sentinel-1-grd"}
"""Names in the catalogue, by sensor."""


def catalog_url(deployment: Deployment) -> str:
    """Return the root of the catalogue."""
    return f"{deployment.url}/api/v1/catalog/1.0.0"


def hosts_of(deployment: Deployment) -> Hosts:
    """Return which hosts its requests may go to: its own and no other."""
    if any(one.url == deployment.url for one in DEPLOYMENTS.values()):
        return Hosts(suffixes=(urlsplit(deployment.url).hostname or "",))
    return Hosts(suffixes=(), configured=(str(parse_origin(deployment.url)),))


def parse_features(
    features: Sequence[Mapping[str, Any]], deployment: Deployment, sensor: str
) -> tuple[list[Scene], list[str]]:
    """Return the scenes that features of the catalogue describe, each once, and a line on each that is left out."""
    scenes: dict[str, Scene] = {}
    warnings = []
    for feature in features:
        try:
            scene = _parse_feature(feature, deployment, sensor)
        except (SceneError, RefusedFileError) as error:
            warnings.append(f"{NAME}: {one_line(str(feature.get('id')), most=120)} is left out: {error}")
        else:
            scenes[scene.id] = scene
    return [_with_twins(scene, scenes.values()) for scene in scenes.values()], warnings


def _with_twins(scene: Scene, scenes: Iterable[Scene]) -> Scene:
    """Return a scene that says which other files the server may take its pixels from: a picture shows a whole pass."""
    if scene.tile is None:
        return scene
    same_pass = (one.tile for one in scenes if one.datatake == scene.datatake and one.tile)
    others = sorted({tile for tile in same_pass if tile[:2] != scene.tile[:2]})
    return replace(scene, notes=(*scene.notes, OTHER_ZONE.format(", ".join(others)))) if others else scene


def search_cost(bounds: tuple[float, float, float, float], period: Period) -> float:
    """Return what one page of a search costs, processing units.

    Parameters
    ----------
    bounds
        West, south, east, north, degrees.
    period
        That is searched.
    """
    west, south, east, north = bounds
    across = (east - west) * KM_PER_DEGREE * math.cos(math.radians((south + north) / 2))
    months = (period.end - period.start).total_seconds() / 86400 / DAYS_PER_MONTH
    return search_units(across * (north - south) * KM_PER_DEGREE, months)


def _parse_feature(feature: Mapping[str, Any], deployment: Deployment, sensor: str) -> Scene:
    """Return the scene that a feature of the catalogue describes.

    Its bands have no offset: the provider takes ESA's off whatever the processing baseline, and the scene says so.
    """
    dialect = Dialect(
        source=NAME,
        root=catalog_url(deployment),
        collection=COLLECTIONS[sensor],
        sensor=sensor,
        hosts=hosts_of(deployment),
    )
    # The features are those of STAC 1.0 without saying so.
    scene = parse_remote({"stac_version": "1.0.0", **feature}, dialect)
    rendered = f"{deployment.url}/api/v1/process"
    if sensor == "s1":
        return replace(scene, assets={band: Asset(href=rendered) for band in BANDS[sensor]})
    assets = {band: Asset(href=rendered, scale=SCALE) for band in BANDS[sensor]}
    classes = {CLASSES_BAND: Asset(href=rendered)}
    shifted = scene.processing_baseline is None or scene.processing_baseline >= OFFSET_BASELINE
    notes = (*scene.notes, HARMONISED) if shifted else scene.notes
    return replace(scene, assets=assets | classes, notes=notes)


def radar_arguments(scene: Scene) -> dict[str, Any]:
    """Return what a picture of Sentinel-1 asks for beside its collection: terrain-corrected gamma0 of one direction."""
    processing = {"backCoeff": "GAMMA0_TERRAIN", "orthorectify": True, "demInstance": "COPERNICUS_30"}
    direction = {"orbitDirection": scene.direction.upper()} if scene.direction else {}
    return {"processing": processing, "dataFilter": direction}
