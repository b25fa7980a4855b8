"""From the files of one scene to a `Raster`: nodata, units, grid and validity, in this order.

Every source that has files ends here, so that the order is decided once.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aoi import Grid
from imagery.bands import CLASSES_BAND, SCL
from imagery.errors import SceneError
from imagery.files import Blob
from imagery.geotiff import read_on_grid
from imagery.mask import classify_validity
from imagery.patch import Patch, put_on_grid, read_patch
from imagery.radiometry import check_linear_power, check_offset, missing_reflectance, saturated, to_physical
from imagery.raster import BoolArray, FloatArray, Raster
from imagery.scene import Asset, Scene

Fetch = Callable[[Asset], Path | Blob]
"""Makes the file of an asset available on this machine."""

SWATH_EDGE_M = 100.0
"""How far the bands of a swath end apart from each other (ESA: detectors are staggered by some pixels of 20 m)."""


def read_scene(scene: Scene, grid: Grid, bands: Sequence[str], *, fetch: Fetch) -> Raster:
    """Read `bands` of a scene onto `grid` in physical units, with validity settled.

    Parameters
    ----------
    scene
        Of the sensor "s2" (reflectance) or "s1" (terrain-corrected linear power).
    grid
        Where the pixels go.
    bands
        Names, in the order wanted.
    fetch
        Makes the file of an asset available.

    Raises
    ------
    SceneError
        Where a band is missing, or the numbers contradict the scene's description.
    RefusedFileError
        Where a file is not fit to be read.
    """
    for band in bands:
        if band not in scene.assets or band == CLASSES_BAND:
            held = ", ".join(sorted(set(scene.assets) - {CLASSES_BAND})) or "none"
            raise SceneError(f"{scene.id} has no band {band}; it has {held}")
    read = _read_reflectance if scene.sensor == "s2" else _read_power
    data, valid, uncertain = read(scene, grid, bands, fetch)
    return Raster(
        data=data,
        valid=valid,
        uncertain=uncertain,
        grid=grid,
        bands=tuple(bands),
        quantity="reflectance" if scene.sensor == "s2" else "gamma0",
        acquired=scene.acquired,
        scene_ids=(scene.id,),
    )


def _read_reflectance(
    scene: Scene, grid: Grid, bands: Sequence[str], fetch: Fetch
) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Return data (band, row, col), valid and uncertain (row, col) of a Sentinel-2 scene."""
    patches = {}
    for band in bands:
        asset = scene.assets[band]
        patches[band] = read_patch(fetch(asset), grid, nodata=asset.nodata, band_index=asset.band_index, keep_zero=True)
    data = np.full((len(bands), *grid.shape), np.nan, np.float32)
    for band, patch in _without_missing(scene, patches, grid).items():
        numbers, valid = put_on_grid(patch, grid)
        values = _in_units(scene, band, numbers)
        check_offset(values, valid, scene=scene, band=band)
        data[bands.index(band)] = np.where(valid, values, np.nan)
    if CLASSES_BAND in scene.assets:
        return data, *classify_validity(_read_classes(scene, grid, fetch), data, bands, grid.gsd)
    complete = np.asarray(np.isfinite(data).all(axis=0))
    return data, complete, np.zeros_like(complete)


def _in_units(scene: Scene, band: str, numbers: FloatArray) -> FloatArray:
    return to_physical(numbers, scale=scene.assets[band].scale, offset=scene.assets[band].offset)


def _without_missing(scene: Scene, patches: Mapping[str, Patch], grid: Grid) -> dict[str, Patch]:
    """Return the patches without "no data" and saturation, decided on the files' own pixels before any resampling."""
    groups: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for band, patch in patches.items():
        groups[patch.crs, patch.transform, patch.numbers.shape].append(band)
    cleaned: dict[str, Patch] = {}
    for members in groups.values():
        together = [patches[band] for band in members]
        px_per_m = max(have / want for have, want in zip(together[0].numbers.shape, grid.shape, strict=True)) / grid.gsd
        missing = missing_reflectance(
            np.stack([patch.numbers for patch in together]),
            ~np.all([patch.present for patch in together], axis=0),
            np.stack([_in_units(scene, band, patches[band].numbers) for band in members]),
            clamped=all(scene.assets[band].offset >= 0 for band in members),
            reach_px=math.ceil(SWATH_EDGE_M * px_per_m),
        )
        for band, patch in zip(members, together, strict=True):
            cleaned[band] = replace(patch, present=~missing & ~saturated(patch.numbers))
    return cleaned


def _read_classes(scene: Scene, grid: Grid, fetch: Fetch) -> NDArray[np.uint8]:
    """Return the scene classification on the grid; SCL.NO_DATA where it does not reach."""
    asset = scene.assets[CLASSES_BAND]
    classes, known = read_on_grid(fetch(asset), grid, band_index=asset.band_index, resampling="nearest")
    if known.any() and not 0 <= classes[known].max() <= max(SCL):
        raise SceneError(
            f"{scene.id}: {CLASSES_BAND} holds the class {classes[known].max():g}; known are 0 to {max(SCL)}"
        )
    return np.where(known, classes, SCL.NO_DATA).astype(np.uint8)


def _read_power(
    scene: Scene, grid: Grid, bands: Sequence[str], fetch: Fetch
) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Return data (band, row, col), valid and uncertain (row, col) of a terrain-corrected Sentinel-1 scene.

    Power is positive. Zeros fill the borders of products without being declared, so they are nodata before the warp.
    """
    layers, valid = [], np.ones(grid.shape, np.bool_)
    for band in bands:
        asset = scene.assets[band]
        patch = read_patch(fetch(asset), grid, nodata=asset.nodata, band_index=asset.band_index)
        power = _in_units(scene, band, patch.numbers)
        check_linear_power(power, patch.present, scene=scene, band=band)
        positive = replace(patch, numbers=power, present=patch.present & (power > 0))
        layer, held = put_on_grid(positive, grid)
        # A cubic kernel may undershoot beside a strong echo; no power is negative.
        layers.append(layer)
        valid &= held & (layer > 0)
    return np.stack(layers), valid, np.zeros(grid.shape, np.bool_)
