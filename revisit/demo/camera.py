"""From the ground, the weather and what stands there to the numbers of a Sentinel-2 L2A scene."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aoi import Grid
from detect.forward import Optics, Pose, Sunlight, render, shadow
from imagery.bands import SCL, SENTINEL2_BANDS
from revisit.demo.ground import Ground
from revisit.demo.sheet import CELLS, RIM_PX, FloatArray
from revisit.demo.surfaces import BANDS, INDEX, SHADOW_SHARE, SURFACES
from revisit.demo.traffic import Parked
from revisit.demo.weather import PATH_COLOUR, Weather

SCALE, OFFSET = 1e-4, -0.1
"""Reflectance = number x scale + offset, as ESA writes since processing baseline 04.00."""
NOISE, NOISE_AT = 0.0013, 0.18
"""Sensor noise, reflectance, at a reflectance: a signal-to-noise ratio of about 140; shot noise elsewhere."""
CLOUD_REFLECTANCE = 0.62
GREEN_NDVI = 0.4
"""Above it the scene classification says vegetation."""


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """The files of one scene, before they are written."""

    numbers: NDArray[np.uint16]
    """(band, row, col) in the order of `BANDS`; 0 would mean nodata."""
    classes: NDArray[np.uint8]
    """(row, col) at 20 m: SCL."""


def optics() -> Optics:
    """Return the blur of Sentinel-2's 10 m bands."""
    sigmas = [SENTINEL2_BANDS[band].psf_sigma_m for band in BANDS]
    return Optics(gsd_m=10.0, psf_sigma_m=tuple(sigma for sigma in sigmas if sigma is not None))


def building_shade(ground: Ground, weather: Weather) -> tuple[NDArray[np.intp], FloatArray]:
    """Return the cells of the sheet in the shadow of buildings: their flat indices, and the share of each in shadow."""
    shade = np.zeros(ground.sheet.shape, np.float32)
    sun = {"sun_elevation_deg": weather.sun_elevation_deg, "sun_azimuth_deg": weather.sun_azimuth_deg}
    for building in ground.buildings:
        dark = shadow(building.body, building.height_m, cell_m=ground.sheet.cell_m, **sun)
        shade[building.window] = np.maximum(shade[building.window], dark)
    cells = np.flatnonzero(shade)
    # Roofs stand above the shadows of their neighbours.
    cells = cells[ground.surface[ground.labels.reshape(-1)[cells]] != INDEX["roof"]]
    return cells, shade.reshape(-1)[cells]


def _look(weather: Weather, shape: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    """Return the (col, row) on the sheet, in cells, at which each pixel of the grid looks."""
    rows, cols = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    # The centre of a pixel lies half a pixel from its corner; that of a cell half a cell.
    centre = (RIM_PX + 0.5) * CELLS - 0.5
    looks = [
        (index + shift + wobble) * CELLS + centre
        for index, shift, wobble in zip((cols, rows), weather.shift_px[::-1], weather.wobble_px[::-1], strict=True)
    ]
    return looks[0].astype(np.float32), looks[1].astype(np.float32)


def photograph_ground(ground: Ground, weather: Weather, shape: tuple[int, int]) -> FloatArray:
    """Return the reflectance (band, row, col) of the empty ground through the sensor, before the air and the noise."""
    cells, shade = building_shade(ground, weather)
    col, row = _look(weather, shape)
    spread = np.array([surface.nuisance for surface in SURFACES], np.float32)[ground.surface]
    # Stains are drawn as the sensor sees them, so their spread needs the centre of a pixel only.
    centres = slice(RIM_PX * CELLS + CELLS // 2, -RIM_PX * CELLS, CELLS)
    stained = spread[ground.labels[centres, centres]]
    image = np.empty((len(BANDS), *shape), np.float32)
    for b, sigma_m in enumerate(optics().psf_sigma_m):
        values = ground.reflectance(b, weather.growth, weather.gain[:, b])
        values.reshape(-1)[cells] *= 1 - shade * np.float32(1 - SHADOW_SHARE[b])
        # A cell holds its own average: that much of the blur is there already.
        sigma = math.sqrt((sigma_m / ground.sheet.cell_m) ** 2 - 1 / 12)
        blurred = cv2.GaussianBlur(values, (0, 0), sigma)
        image[b] = cv2.remap(blurred, col, row, cv2.INTER_CUBIC) * (1 + stained * weather.stains[b])
    return image


def add_objects(image: FloatArray, objects: Sequence[Parked], weather: Weather, grid: Grid) -> None:
    """Add what stands on the ground to an image of it, in place."""
    sun = Sunlight(elevation_deg=weather.sun_elevation_deg, azimuth_deg=weather.sun_azimuth_deg,
                   shadow_share=SHADOW_SHARE)  # fmt: skip
    west, _, _, north = grid.bounds
    empty = image.copy()
    for thing in objects:
        # A pixel that looks `shift` beyond its place shows a thing `shift` before its own.
        col = (thing.x - west) / grid.gsd - 0.5 - weather.shift_px[1]
        row = (north - thing.y) / grid.gsd - 0.5 - weather.shift_px[0]
        c, r = round(col), round(row)
        if not (2 <= r < grid.height - 2 and 2 <= c < grid.width - 2):
            continue
        pose = Pose(heading_deg=thing.heading_deg, offset_m=((col - c) * grid.gsd, (r - row) * grid.gsd))
        under = empty[:, r - 1 : r + 2, c - 1 : c + 2].mean(axis=(1, 2))
        chip = render(thing.model, pose, optics=optics(), background=under, reflectance=thing.reflectance, sunlight=sun)
        _paste(image, chip, r, c)


def _paste(image: FloatArray, chip: FloatArray, row: int, col: int) -> None:
    """Add a chip to an image around a pixel; what falls outside is lost."""
    half = chip.shape[1] // 2
    top, left = max(row - half, 0), max(col - half, 0)
    bottom, right = min(row + half + 1, image.shape[1]), min(col + half + 1, image.shape[2])
    image[:, top:bottom, left:right] += chip[
        :, top - row + half : bottom - row + half, left - col + half : right - col + half
    ]


def add_air(image: FloatArray, weather: Weather) -> None:
    """Put cloud, its shadow, haze and the errors of calibration and correction on an image, in place."""
    for b in range(len(BANDS)):
        lit = 1 - weather.cloud_shadow * (1 - SHADOW_SHARE[b])
        # What haze adds it also takes: light from the ground is scattered away.
        seen = image[b] * lit * (1 - 2 * weather.haze) + PATH_COLOUR[b] * weather.haze
        seen = seen * (1 - weather.cloud) + CLOUD_REFLECTANCE * weather.cloud
        image[b] = seen * weather.band_gain[b] + weather.band_offset[b]


def classify(image: FloatArray, weather: Weather, misread: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the scene classification (row, col) at 20 m.

    Parameters
    ----------
    image
        (band, row, col) reflectance at 10 m.
    weather
        Its cloud and shadow are found but for their thin edges.
    misread
        (row, col) at 10 m: clear ground that the classification takes for cloud.
    """
    coarse = image.reshape(len(BANDS), image.shape[1] // 2, 2, image.shape[2] // 2, 2).mean(axis=(2, 4))
    red, infrared = coarse[2], coarse[3]
    ndvi = (infrared - red) / np.maximum(infrared + red, 0.01)
    classes = np.where(ndvi > GREEN_NDVI, SCL.VEGETATION, SCL.BARE).astype(np.uint8)
    small = coarse.shape[1:][::-1]
    cloud, shade, haze, wrong = (
        cv2.resize(np.asarray(field, np.float32), small, interpolation=cv2.INTER_AREA)
        for field in (weather.cloud, weather.cloud_shadow, weather.haze, misread)
    )
    classes[haze > 0.055] = SCL.CIRRUS
    classes[shade > 0.25] = SCL.CLOUD_SHADOW
    classes[(cloud > 0.2) | (wrong > 0.5)] = SCL.CLOUD_MEDIUM
    classes[cloud > 0.6] = SCL.CLOUD_HIGH
    return classes


def expose(
    ground: Ground,
    weather: Weather,
    objects: Sequence[Parked],
    *,
    grid: Grid,
    misread: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Exposure:
    """Return the files of one scene.

    Parameters
    ----------
    ground, weather
        What is there, and how it looks on the date.
    objects
        What stands on it on the date.
    grid
        Of the scene, 10 m.
    misread
        (row, col) clear ground that the scene classification takes for cloud.
    rng
        Source of the sensor's noise.
    """
    image = photograph_ground(ground, weather, grid.shape)
    add_objects(image, objects, weather, grid)
    add_air(image, weather)
    classes = classify(image, weather, misread)
    image += NOISE * np.sqrt(np.maximum(image, 0.01) / NOISE_AT) * rng.standard_normal(image.shape, dtype=np.float32)
    numbers = np.clip(np.round((image - OFFSET) / SCALE), 1, 65535).astype(np.uint16)
    return Exposure(numbers=numbers, classes=classes)
