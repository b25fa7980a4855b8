"""From the files of one scene to a `Raster`: nodata, units, grid and validity, in this order.

Every source that has files ends here, so that the order is decided once.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aoi import Grid
from imagery.bands import CLASSES_BAND, SCL
from imagery.errors import GoneError, RefusedFileError, SceneError
from imagery.files import Blob
from imagery.geotiff import read_coarsest, read_on_grid
from imagery.mask import classify_validity
from imagery.offset import Evidence, needs_evidence, thinned, weigh, with_offset
from imagery.patch import Patch, put_on_grid, read_patch
from imagery.radiometry import check_linear_power, check_offset, missing_reflectance, saturated, to_physical
from imagery.raster import BoolArray, FloatArray, Raster
from imagery.scene import Asset, Scene

Fetch = Callable[[Asset], Path | Blob]
"""Makes the file of an asset available on this machine."""

SWATH_EDGE_M = 100.0
"""How far the bands of a swath end apart from each other (ESA: detectors are staggered by some pixels of 20 m)."""


@dataclass(frozen=True, kw_only=True)
class _Layers:
    """What one file set of a pass gives, on the grid."""

    scene: Scene
    """As it was read."""
    data: FloatArray
    """(band, row, col) in physical units; NaN where there is nothing."""
    classes: NDArray[np.uint8] | None
    """(row, col) of the scene classification; None where there is none."""

    @property
    def gives(self) -> BoolArray:
        """(row, col) Where every band, and the classification if there is one, has something."""
        complete = np.asarray(np.isfinite(self.data).all(axis=0))
        return complete if self.classes is None else complete & (self.classes != SCL.NO_DATA)

    def filled(self, other: _Layers) -> _Layers:
        """Return these layers with what `other` gives where they give nothing."""
        if other.classes is None and self.classes is not None:
            return self
        take = ~self.gives & other.gives
        if not take.any():
            return self
        classes = None
        if self.classes is not None and other.classes is not None:
            classes = np.where(take, other.classes, self.classes)
        used = replace(self.scene, parts=(*self.scene.parts, other.scene))
        return _Layers(scene=used, data=np.where(take, other.data, self.data), classes=classes)


def read_scene(scene: Scene, grid: Grid, bands: Sequence[str], *, fetch: Fetch, coarse: Fetch | None = None) -> Raster:
    """Read `bands` of a scene onto `grid` in physical units, with validity settled.

    What the scene lacks is filled from its parts, before clouds are looked for: so a cloud over a seam is one cloud.
    A part is opened only where something is lacking, and one that cannot be used is left out with a note.

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
    coarse
        Makes at least the coarsest overview of an asset available; asked only where the offset of the scene is in doubt
        and the area does not show it. None: the area alone decides.

    Raises
    ------
    SceneError
        Where a band is missing, the numbers contradict the scene's description, or do not show a doubtful offset.
    RefusedFileError
        Where a file is not fit to be read.
    """
    layers = _read_layers(replace(scene, parts=()), grid, bands, fetch, coarse)
    notes: list[str] = []
    for part in scene.parts:
        if layers.gives.all():
            break
        try:
            layers = layers.filled(_read_layers(part, grid, bands, fetch, coarse))
        except (SceneError, RefusedFileError, GoneError) as error:
            notes.append(f"{part.id}, of the same pass, could not fill gaps: {error}")
    return _raster(layers, grid, bands, notes=notes)


def _read_layers(scene: Scene, grid: Grid, bands: Sequence[str], fetch: Fetch, coarse: Fetch | None) -> _Layers:
    for band in bands:
        if band not in scene.assets or band == CLASSES_BAND:
            held = ", ".join(sorted(set(scene.assets) - {CLASSES_BAND})) or "none"
            raise SceneError(f"{scene.id} has no band {band}; it has {held}")
    # 0 is "no data" or dark water in reflectance; which of them is decided later, over all bands together.
    keep_zero = scene.sensor == "s2"
    patches = {}
    for band in bands:
        asset = scene.assets[band]
        patches[band] = read_patch(
            fetch(asset), grid, nodata=asset.nodata, band_index=asset.band_index, keep_zero=keep_zero
        )
    classes = _read_classes(scene, grid, fetch) if keep_zero and CLASSES_BAND in scene.assets else None
    if needs_evidence(scene, bands):
        scene = with_offset(scene, _evidence(scene, grid, patches, classes, coarse))
    return _layers(scene, grid, patches, classes)


def _evidence(
    scene: Scene,
    grid: Grid,
    patches: Mapping[str, Patch],
    classes: NDArray[np.uint8] | None,
    coarse: Fetch | None,
) -> Iterator[Evidence]:
    """Yield what the numbers of the area say of their offset, then those of the whole granule."""
    numbers = [np.where(valid, values, 0) for values, valid in (put_on_grid(patch, grid) for patch in patches.values())]
    yield weigh(np.stack(numbers), classes, where="the area")
    if coarse is None or classes is None:
        return
    whole = [read_coarsest(coarse(scene.assets[band]), scene.assets[band].band_index) for band in patches]
    classified = read_coarsest(coarse(scene.assets[CLASSES_BAND]))
    shape = min(layer.shape for layer in (*whole, classified))
    yield weigh(np.stack([thinned(layer, shape) for layer in whole]), thinned(classified, shape), where="the granule")


def read_classes(scene: Scene, grid: Grid, *, fetch: Fetch) -> NDArray[np.uint8] | None:
    """Return the scene classification of a scene and its parts on `grid`, (row, col); None where there is none.

    Raises
    ------
    SceneError, RefusedFileError
        Where a file holds something else, or is not fit to be read.
    """
    if CLASSES_BAND not in scene.assets:
        return None
    classes = _read_classes(scene, grid, fetch)
    for part in (part for part in scene.parts if CLASSES_BAND in part.assets):
        lacking = classes == SCL.NO_DATA
        if not lacking.any():
            break
        classes = np.where(lacking, _read_classes(part, grid, fetch), classes)
    return classes


def settle(scene: Scene, grid: Grid, patches: Mapping[str, Patch], *, classes: NDArray[np.uint8] | None) -> Raster:
    """Return a raster from the numbers of a scene, however they came here: units, grid and validity.

    Parameters
    ----------
    scene
        Says scale and offset of each band.
    grid
        Where the pixels go.
    patches
        By band, in the order wanted; of reflectance with zeros as present.
    classes
        (row, col) of the scene classification on the grid; None where there is none.

    Raises
    ------
    SceneError
        Where the numbers contradict the scene's description.
    """
    return _raster(_layers(replace(scene, parts=()), grid, patches, classes), grid, list(patches))


def _layers(scene: Scene, grid: Grid, patches: Mapping[str, Patch], classes: NDArray[np.uint8] | None) -> _Layers:
    data = _reflectance(scene, grid, patches) if scene.sensor == "s2" else _power(scene, grid, patches)
    return _Layers(scene=scene, data=data, classes=classes)


def _raster(layers: _Layers, grid: Grid, bands: Sequence[str], *, notes: Sequence[str] = ()) -> Raster:
    """Return the raster that complete layers make."""
    scene = layers.scene
    valid = np.asarray(np.isfinite(layers.data).all(axis=0))
    uncertain = np.zeros_like(valid)
    if layers.classes is not None:
        valid, uncertain = classify_validity(layers.classes, layers.data, bands, grid.gsd)
    told = [note for part in scene.parts for note in part.notes if note not in scene.notes]
    return Raster(
        data=layers.data,
        valid=valid,
        uncertain=uncertain,
        grid=grid,
        bands=tuple(bands),
        quantity="reflectance" if scene.sensor == "s2" else "gamma0",
        acquired=scene.acquired,
        scene_ids=(scene.id, *(part.id for part in scene.parts)),
        origin=replace(scene, twins=(), notes=(*scene.notes, *told, *notes)),
    )


def _reflectance(scene: Scene, grid: Grid, patches: Mapping[str, Patch]) -> FloatArray:
    """Return (band, row, col) of a Sentinel-2 scene, NaN where there is nothing."""
    bands = list(patches)
    data = np.full((len(bands), *grid.shape), np.nan, np.float32)
    for band, patch in _without_missing(scene, patches, grid).items():
        numbers, valid = put_on_grid(patch, grid)
        values = _in_units(scene, band, numbers)
        check_offset(values, valid, scene=scene, band=band)
        data[bands.index(band)] = np.where(valid, values, np.nan)
    return data


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


def _power(scene: Scene, grid: Grid, patches: Mapping[str, Patch]) -> FloatArray:
    """Return (band, row, col) of a terrain-corrected Sentinel-1 scene, NaN where there is nothing.

    Power is positive. Zeros fill the borders of products without being declared, so they are nodata before the warp.
    """
    layers = []
    for band, patch in patches.items():
        power = _in_units(scene, band, patch.numbers)
        check_linear_power(power, patch.present, scene=scene, band=band)
        positive = replace(patch, numbers=power, present=patch.present & (power > 0))
        layer, held = put_on_grid(positive, grid)
        # A cubic kernel may undershoot beside a strong echo; no power is negative.
        layers.append(np.where(held & (layer > 0), layer, np.float32(np.nan)))
    return np.stack(layers)
