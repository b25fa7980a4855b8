"""How an object on the ground looks through a sensor: shadow, blur and sampling.

Everything is in metres and degrees, so that the same functions serve 10 m, 3 m and 0.5 m. Headings and azimuths run
clockwise from grid north; images have north up; an offset is (east, north).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detect.errors import DetectError
from detect.targets import ObjectClass, silhouette

FloatArray = NDArray[np.float32]

FINEST_CELL_M = 0.7
"""Cells in which `render` draws: a launcher's width is then at least four cells, and a large transport costs 2 ms."""


@dataclass(frozen=True, kw_only=True)
class Pose:
    """How an object stands, relative to the centre of the chip's middle pixel."""

    heading_deg: float
    offset_m: tuple[float, float] = (0.0, 0.0)
    """(east, north) of the object's centre."""


@dataclass(frozen=True, kw_only=True)
class Optics:
    """What the sensor does to the ground."""

    gsd_m: float
    """Distance between pixel centres."""
    psf_sigma_m: tuple[float, ...]
    """Per band: sigma of the Gaussian point-spread function, detector footprint included."""

    def __post_init__(self) -> None:
        """Refuse a point-spread function that samples at this distance cannot represent."""
        if not self.psf_sigma_m or min(self.psf_sigma_m) < self.gsd_m / 4:
            raise DetectError(
                f"PSF sigmas {self.psf_sigma_m} m are too narrow for a GSD of {self.gsd_m} m; give at least a quarter"
            )


@dataclass(frozen=True, kw_only=True)
class Sunlight:
    """Where the sun stands, and how dark shadows are."""

    elevation_deg: float
    azimuth_deg: float
    shadow_share: tuple[float, ...]
    """Per band: light left in a shadow, as a share of full light."""


def shadow_length_m(height_m: float, sun_elevation_deg: float) -> float:
    """Return how far the shadow of something upright reaches on flat ground, metres.

    Raises
    ------
    DetectError
        Where the sun is not above the horizon.
    """
    if not 0 < sun_elevation_deg <= 90:
        raise DetectError(f"a sun {sun_elevation_deg} degrees high casts no shadow on the ground")
    return height_m / math.tan(math.radians(sun_elevation_deg))


def shadow(
    cover: FloatArray, height_m: float, *, sun_elevation_deg: float, sun_azimuth_deg: float, cell_m: float
) -> FloatArray:
    """Return the share of each cell in the shadow of an upright prism on flat ground, the prism itself left out.

    Parameters
    ----------
    cover
        (rows, cols) share of each cell that the prism stands on, 0 to 1. Leave room: what falls outside is lost.
    height_m
        Of the prism.
    sun_elevation_deg, sun_azimuth_deg
        Where the sun stands; the shadow falls away from it.
    cell_m
        Side of a cell, metres.

    Returns
    -------
    (rows, cols) float32, 0 to 1.

    Raises
    ------
    DetectError
        Where the sun is not above the horizon.
    """
    reach = shadow_length_m(height_m, sun_elevation_deg) / cell_m
    azimuth = math.radians(sun_azimuth_deg)
    east, south = -math.sin(azimuth), math.cos(azimuth)
    swept, done = cover, 0.0
    while done < reach:
        # Doubling: what is swept so far, moved on by as much, sweeps twice as far; the first steps are below a cell.
        step = min(max(done, 0.5), reach - done)
        move = np.array([[1, 0, step * east], [0, 1, step * south]], np.float64)
        moved = cv2.warpAffine(swept, move, swept.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        swept, done = np.maximum(swept, moved), done + step
    return np.asarray(swept - cover, np.float32)


def _shade(body: FloatArray, height_m: float, sunlight: Sunlight | None, cell_m: float) -> FloatArray:
    """Return the shadow of a body, or none."""
    if sunlight is None:
        return np.zeros_like(body)
    sun = {"sun_elevation_deg": sunlight.elevation_deg, "sun_azimuth_deg": sunlight.azimuth_deg}
    return shadow(body, height_m, cell_m=cell_m, **sun)


def _odd_at_least(value: float) -> int:
    """Return the smallest odd whole number that is not below `value`."""
    return 2 * math.ceil((value - 1) / 2) + 1


def _sampling(half: int, cells: int, gsd_m: float, cell_m: float, sigma_m: float) -> FloatArray:
    """Return the weights (pixel, cell) of a Gaussian at pixel centres, for cells that hold averages of themselves."""
    # The cells' own averaging has the variance cell^2 / 12; the Gaussian need only add the rest.
    variance = sigma_m**2 - cell_m**2 / 12
    pixel = np.arange(-half, half + 1) * gsd_m
    cell = (np.arange(cells) - (cells - 1) / 2) * cell_m
    weight = np.exp(-((pixel[:, None] - cell) ** 2) / (2 * variance)) * (cell_m / math.sqrt(2 * math.pi * variance))
    return weight.astype(np.float32)


def render(
    model: ObjectClass,
    pose: Pose,
    *,
    optics: Optics,
    background: FloatArray,
    reflectance: FloatArray,
    sunlight: Sunlight | None = None,
) -> FloatArray:
    """Return what an object and its shadow add to an image: contrast against a plain background, blurred and sampled.

    Parameters
    ----------
    model, pose
        The object, and how it stands relative to the centre of the chip's middle pixel.
    optics
        GSD and blur.
    background, reflectance
        (band,) reflectance of the ground and of the object.
    sunlight
        None: no shadow, as on water.

    Returns
    -------
    (band, n, n) float32, n odd, to be added to an image around the pixel that `pose` refers to. A pixel is the blurred
    ground at its centre; the sum times GSD squared is contrast times area.
    """
    bands = len(optics.psf_sigma_m)
    lengths = {len(background), len(reflectance), len(sunlight.shadow_share) if sunlight else bands}
    if lengths != {bands}:
        raise DetectError(f"{bands} PSF sigmas, but values for {sorted(lengths)} bands; give one of each per band")
    per_pixel = _odd_at_least(max(optics.gsd_m / FINEST_CELL_M, 3.0))
    cell_m = optics.gsd_m / per_pixel
    margin = shadow_length_m(model.height_m, sunlight.elevation_deg) if sunlight else 0.0
    body = silhouette(model, pose.heading_deg, cell_m=cell_m, offset_m=pose.offset_m, margin_m=margin)
    shade = _shade(body, model.height_m, sunlight, cell_m)
    shares = sunlight.shadow_share if sunlight else (1.0,) * bands
    half = math.ceil((len(body) / 2 * cell_m + 4 * max(optics.psf_sigma_m)) / optics.gsd_m)
    chip = np.empty((bands, 2 * half + 1, 2 * half + 1), np.float32)
    for b, sigma in enumerate(optics.psf_sigma_m):
        contrast = body * (reflectance[b] - background[b]) + shade * (background[b] * (shares[b] - 1))
        sample = _sampling(half, len(body), optics.gsd_m, cell_m, sigma)
        chip[b] = sample @ contrast @ sample.T
    return chip
