"""Views of ground that is known more finely than any pixel, so that shifts and changes are known too."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detect.forward import Optics, Pose, Sunlight, render
from detect.targets import object_class

FINE = 8
"""Cells across a pixel: shifts are known in eighths."""
MARGIN = 10
"""Pixels of ground beyond the image on each side."""
PSF_PX = 0.53
BANDS = 4

NAMES = ("B02", "B03", "B04", "B08")
OPTICS = Optics(gsd_m=10.0, psf_sigma_m=(5.2, 5.1, 5.4, 5.2))
SUN = Sunlight(elevation_deg=35.0, azimuth_deg=160.0, shadow_share=(0.35, 0.3, 0.25, 0.2))

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class View:
    """Where a sensor looks, and how noisy it is."""

    shift: tuple[float, float] = (0.0, 0.0)
    """(rows, cols) in eighths of a pixel: pixel p shows the ground at p + shift."""
    noise: float = 0.0
    """Standard deviation, reflectance."""
    seed: int = 0


def fields(seed: int, size: int) -> FloatArray:
    """Return sharp-edged ground (band, row, col) on fine cells: rectangles of 1 to 14 pixels of all shades."""
    rng = np.random.default_rng(seed)
    side = (size + 2 * MARGIN) * FINE
    ground = np.full((BANDS, side, side), 0.12, np.float32)
    for _ in range(2 * (size // 10) ** 2):
        row, col = rng.integers(0, side, 2)
        height, width = rng.integers(FINE, 14 * FINE, 2)
        shade = 0.05 + 0.25 * rng.random() + 0.05 * rng.standard_normal(BANDS)
        ground[:, row : row + height, col : col + width] = shade[:, None, None]
    return ground


def look(ground: FloatArray, view: View) -> FloatArray:
    """Return what a sensor sees of fine ground: blurred by its point spread, then sampled (with all its aliasing)."""
    start = [MARGIN * FINE + FINE // 2 + round(move * FINE) for move in view.shift]
    size = ground.shape[1] // FINE - 2 * MARGIN
    blurred = np.stack([cv2.GaussianBlur(band, (0, 0), PSF_PX * FINE) for band in ground])
    image = blurred[:, start[0] :: FINE, start[1] :: FINE][:, :size, :size]
    return noisy(np.asarray(image), view.noise, view.seed)


def noisy(image: FloatArray, noise: float, seed: int) -> FloatArray:
    """Return the image with white noise."""
    rng = np.random.default_rng([seed, 1])
    return np.asarray(image + noise * rng.standard_normal(image.shape), dtype=np.float32)


def periodic(seed: int, size: int, shift: tuple[float, float] = (0.0, 0.0)) -> FloatArray:
    """Return a periodic texture (band, row, col) without anything beyond half a cycle per pixel, exactly shifted.

    Its spectrum falls as that of real ground does and as the sensor's point spread cuts it; its standard deviation is
    0.03. A sub-pixel shift of it is a phase, so that no interpolation takes part.
    """
    rng = np.random.default_rng([seed, 2])
    rows, cols = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    frequency = np.hypot(rows, cols)
    amplitude = np.exp(-2 * (np.pi * PSF_PX * frequency) ** 2) / np.maximum(frequency, 1 / size) ** 1.2
    amplitude[0, 0] = 0
    white = rng.standard_normal((BANDS + 1, size, size))
    mixed = np.sqrt(0.7) * white[:1] + np.sqrt(0.3) * white[1:]
    spectrum = amplitude * np.fft.rfft2(mixed)
    scale = 0.03 / np.fft.irfft2(spectrum, s=(size, size)).std()
    phase = np.exp(2j * np.pi * (rows * shift[0] + cols * shift[1]))
    return np.asarray(0.2 + scale * np.fft.irfft2(spectrum * phase, s=(size, size)), dtype=np.float32)


def pavement(seed: int, size: int) -> FloatArray:
    """Return soft-textured pavement (band, row, col): stains of 5 % and some 30 m."""
    white = np.random.default_rng([seed, 3]).standard_normal((size, size))
    stains = 1 + 0.05 * cv2.GaussianBlur(white, (0, 0), 3)
    return np.asarray(np.array([0.18, 0.20, 0.22, 0.26])[:, None, None] * stains, dtype=np.float32)


def apron(seed: int, size: int) -> FloatArray:
    """Return pavement with fields along its northern edge, a quarter of the image."""
    image = pavement(seed, size)
    image[:, : size // 4] = look(fields(seed, size), View())[:, : size // 4]
    return image


def two_dates(
    before: FloatArray, after: FloatArray, *, noise: float = 0.004, seed: int = 0
) -> tuple[FloatArray, FloatArray]:
    """Return two noisy dates of two states of the ground, the later one under another light."""
    gain = np.array([0.96, 1.02, 1.03, 0.94], np.float32)[: len(after), None, None]
    return noisy(before, noise, 2 * seed + 100), noisy(gain * after + np.float32(0.01), noise, 2 * seed + 101)


@dataclass(frozen=True, kw_only=True)
class Parked:
    """An object of the catalogue on the ground."""

    name: str
    place: tuple[int, int] = (100, 80)
    """(row, col)."""
    heading_deg: float = 10.0
    level: float = 1.0
    """Of its reflectance, 0 darkest, 1 lightest."""


def with_object(ground: FloatArray, parked: Parked) -> FloatArray:
    """Return an image of the ground with an object and its shadow on it."""
    model, (row, col) = object_class(parked.name), parked.place
    chip = render(
        model,
        Pose(heading_deg=parked.heading_deg, offset_m=(2.0, -3.0)),
        optics=OPTICS,
        background=ground[:, row, col],
        reflectance=model.reflectance(NAMES, parked.level),
        sunlight=SUN,
    )
    reach, image = chip.shape[1] // 2, ground.copy()
    image[:, row - reach : row + reach + 1, col - reach : col + reach + 1] += chip
    return image
