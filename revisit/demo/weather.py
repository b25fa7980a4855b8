"""What differs from date to date though nothing moved: light, air, moisture, stains, growth and registration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import cv2
import numpy as np

from revisit.demo.ground import Ground
from revisit.demo.passes import Pass
from revisit.demo.sheet import CELLS, RIM_PX, FloatArray, smooth_field
from revisit.demo.surfaces import BANDS, INDEX, SURFACES
from revisit.sun import solar_position

RAIN = date(2024, 11, 4)
"""First rains of the simulated autumn: what grows, grows from then on."""
GROWTH_DAYS, GROWTH_MOST = 50.0, 0.8
DATE_GAIN, BAND_GAIN = 0.02, 0.008
"""Relative spread of the calibration of a date, and of its bands against each other."""
DATE_OFFSET, BAND_OFFSET = 0.004, 0.001
"""Spread of what the atmospheric correction leaves, reflectance."""
PATH_COLOUR = np.array([1.3, 1.0, 0.8, 0.5], np.float32)
"""Light scattered by the air, relative to B03: bluish."""
CLEAR_HAZE, HEAVY_HAZE = 0.002, 0.055
"""Reflectance in B03 of the thickest haze on a clear date and on the hazy one."""
SHIFT_PX = 0.2
"""Sigma of the registration error per axis: 5 m CE95 between products of one orbit, as ESA states it."""
WOBBLE_PX = 0.04
"""Sigma of what varies of it within the scene."""
CLOUD_HEIGHT_M = 1500.0
SPECKS_PX, MOISTURE_PX = 0.75, 5.0
"""Correlation of stains and of moisture, pixels (sigma)."""
BAND_SHARE = 0.35
"""Part of the stains' spread that differs between bands."""


@dataclass(frozen=True, kw_only=True)
class Weather:
    """Everything drawn once for a date; pixel arrays are (row, col) of the scene's grid."""

    sun_elevation_deg: float
    sun_azimuth_deg: float
    growth: FloatArray
    """(label,) share covered by growth."""
    gain: FloatArray
    """(surface, band) factor."""
    stains: FloatArray
    """(band, row, col): stains and moisture, around 0 with variance about 1."""
    band_gain: FloatArray
    """(band,) calibration."""
    band_offset: FloatArray
    """(band,) reflectance."""
    haze: FloatArray
    """Reflectance in B03."""
    shift_px: tuple[float, float]
    """(rows, cols) by which a pixel looks away from its place."""
    wobble_px: tuple[FloatArray, FloatArray]
    """(rows, cols) besides the shift."""
    cloud: FloatArray
    """Share of the light that comes from cloud."""
    cloud_shadow: FloatArray
    """Share of the sun's light taken away by cloud."""


def growth_on(day: date, lateness: FloatArray) -> FloatArray:
    """Return the share of ground covered by growth, per label, 0 to `GROWTH_MOST`."""
    progress = ((day - RAIN).days - lateness) / GROWTH_DAYS
    return np.asarray(GROWTH_MOST * np.clip(progress, 0, 1), np.float32)


def _field(rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    """Return stains and moisture (row, col), variance about 1, with rare strong places."""
    specks, moisture = (smooth_field(rng, shape, scale) for scale in (SPECKS_PX, MOISTURE_PX))
    # Some places are stained far more than others: the spread itself varies, log-normally.
    burst = np.exp(0.3 * smooth_field(rng, shape, 4.0)) / math.exp(0.09)
    return np.asarray(0.85 * specks * burst + 0.5 * moisture, np.float32)


def _stains(rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    """Return the stains (band, row, col), for the most part the same in all bands."""
    common = math.sqrt(1 - BAND_SHARE**2) * _field(rng, shape)
    return np.stack([common + BAND_SHARE * smooth_field(rng, shape, SPECKS_PX) for _ in BANDS])


def _gains(rng: np.random.Generator) -> FloatArray:
    """Return the factor of every surface and band on one date."""
    spread = np.array([surface.gain for surface in SURFACES], np.float32)[:, None]
    common = rng.standard_normal((len(SURFACES), 1), dtype=np.float32)
    own = rng.standard_normal((len(SURFACES), len(BANDS)), dtype=np.float32)
    gain = 1 + spread * (common + 0.3 * own)
    # One sky and one angle: the two concretes move together.
    gain[INDEX["old concrete"]] = gain[INDEX["concrete"]]
    return np.asarray(gain, np.float32)


def _clouds(
    rng: np.random.Generator, shape: tuple[int, int], sun: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Return a broken cloud cover and its shadow, which lies away from the sun."""
    thickness = smooth_field(rng, shape, 24.0) + 0.25 * smooth_field(rng, shape, 6.0)
    cover = np.clip((thickness - 0.75) / 0.5, 0, 1)
    reach = CLOUD_HEIGHT_M / math.tan(math.radians(sun[0])) / 10.0
    azimuth = math.radians(sun[1])
    move = np.array([[1, 0, -reach * math.sin(azimuth)], [0, 1, reach * math.cos(azimuth)]])
    shade = cv2.warpAffine(cover, move, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(cover, np.float32), np.asarray(0.75 * shade, np.float32)


def draw_weather(rng: np.random.Generator, ground: Ground, acquisition: Pass, place: tuple[float, float]) -> Weather:
    """Draw the weather of one pass.

    Parameters
    ----------
    rng
        Source of all chance of this date.
    ground
        Its sheet gives the size, its labels what grows.
    acquisition
        Day, time and sky.
    place
        (longitude, latitude) for the sun.
    """
    sun = solar_position(acquisition.acquired, *place)
    shape = ground.sheet.rows // CELLS - 2 * RIM_PX, ground.sheet.cols // CELLS - 2 * RIM_PX
    shift = rng.normal(0.0, SHIFT_PX, 2)
    haze = np.abs(0.6 + 0.4 * smooth_field(rng, shape, 40.0))
    cloud = shade = np.zeros(shape, np.float32)
    if acquisition.sky == "cloud":
        cloud, shade = _clouds(rng, shape, sun)
    return Weather(
        sun_elevation_deg=sun[0],
        sun_azimuth_deg=sun[1],
        growth=growth_on(acquisition.acquired.date(), ground.lateness),
        gain=_gains(rng),
        stains=_stains(rng, shape),
        band_gain=(1 + rng.normal(0, DATE_GAIN) + rng.normal(0, BAND_GAIN, 4)).astype(np.float32),
        band_offset=(rng.normal(0, DATE_OFFSET) * PATH_COLOUR + rng.normal(0, BAND_OFFSET, 4)).astype(np.float32),
        haze=haze * np.float32(HEAVY_HAZE if acquisition.sky == "haze" else CLEAR_HAZE * rng.random()),
        shift_px=(float(shift[0]), float(shift[1])),
        wobble_px=(WOBBLE_PX * smooth_field(rng, shape, 22.0), WOBBLE_PX * smooth_field(rng, shape, 22.0)),
        cloud=cloud,
        cloud_shadow=shade,
    )
