"""Water in one optical date, and how bright the water around each place is.

Water is darker in the near infrared than in the green, and everything on land, asphalt to forest, is brighter. Haze
lies on both bands, and more on the green, so the sign holds where a fixed index or a fixed darkness drowns. It finds
the bodies of water; their edge is then drawn by the infrared's own two levels, nearer to the water, because a dark
deck is brighter than water.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from detect.errors import DetectError
from detect.radar_map import otsu_threshold

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

LEAST_WATER_M2 = 150_000.0
"""A smaller body of water is a pond, a pool or a shadow."""
LEAST_LAND_M2 = 150_000.0
"""A smaller body of land in the water is an islet, a wreck or a vessel."""
WATER_SHARE = 0.4
"""Of the way from the median of water to that of land in the near infrared: up to there it is water."""
LAND_OVER_WATER = 0.15
"""Reflectance of land over water in the near infrared where a scene has no land to show it."""
BLACK = 0.025
"""Reflectance by which the infrared of dark ground stands nearer to the green, or more above it, than that of water."""
SENSOR_NOISE = 0.0015
"""Reflectance: no sea is smoother."""


def disc(radius_px: float) -> NDArray[np.uint8]:
    """Return a disc as a structuring element."""
    reach = max(round(radius_px), 1)
    rows, cols = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(rows**2 + cols**2 <= reach**2 + 0.5).astype(np.uint8)


def morphology(mask: BoolArray, operation: int, radius_px: float) -> BoolArray:
    """Return a mask after one of OpenCV's operations with a disc; beyond the image it goes on as at its edge."""
    done = cv2.morphologyEx(mask.astype(np.uint8), operation, disc(radius_px), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(done > 0)


def bodies(mask: BoolArray, least_px: float, holding: BoolArray | None = None) -> BoolArray:
    """Return the connected parts of a mask that are large enough and, if asked, lie mostly in another mask."""
    parts, count = ndimage.label(mask)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    keep = sizes >= least_px
    if holding is not None:
        keep &= np.bincount(parts[holding], minlength=count + 1) >= sizes / 2
    keep[0] = False
    return np.asarray(keep[parts])


def around(band: FloatArray, water: BoolArray, side_px: int) -> tuple[FloatArray, FloatArray]:
    """Return mean and spread (row, col) of the water around, what stands out of it cut.

    Parameters
    ----------
    band
        (row, col) reflectance.
    water
        (row, col) True = water that counts.
    side_px
        Side of the square, odd pixels.
    """
    weight = cv2.boxFilter(water.astype(np.float32), -1, (side_px, side_px), normalize=False) + np.float32(1e-3)
    values = np.where(water, band, np.float32(0))
    centre = np.float32(np.median(band[water]))
    mean, spread = np.full_like(band, centre), np.full_like(band, np.inf)
    for _ in range(3):
        # Squares of small differences from one centre, lest the mean square drown them in rounding.
        cut = np.where(water, np.clip(values, mean - 2.5 * spread, mean + 2.5 * spread) - centre, np.float32(0))
        first = cv2.boxFilter(cut, -1, (side_px, side_px), normalize=False) / weight
        second = cv2.boxFilter(cut**2, -1, (side_px, side_px), normalize=False) / weight
        mean, spread = first + centre, np.sqrt(np.maximum(second - first**2, 1e-8))
    return mean, np.sqrt(spread**2 + np.float32(SENSOR_NOISE**2))


def _between(values: FloatArray) -> float:
    """Return what parts an image's two classes; below all of them where they are alike."""
    return otsu_threshold(values) if len(values) and np.ptp(values) > 0 else float("-inf")


def water_of(infrared: FloatArray, valid: BoolArray, *, gsd: float, green: FloatArray | None = None) -> BoolArray:
    """Return where an optical image shows water (row, col), vessels and islets left out.

    Parameters
    ----------
    infrared
        B08, (row, col) reflectance.
    valid
        (row, col) True = usable.
    gsd
        Metres per pixel.
    green
        B03, (row, col) reflectance. Without it the image is taken to hold water, as the darker of its two classes:
        inland that is asphalt and shade.

    Raises
    ------
    DetectError
        Where there is no body of water.
    """
    least = LEAST_WATER_M2 / gsd**2
    darker = valid & (infrared < green if green is not None else infrared < _between(infrared[valid]))
    sure = bodies(morphology(darker, cv2.MORPH_OPEN, 2), least) if green is not None else darker
    if not sure.any():
        raise DetectError(f"no body of water of {LEAST_WATER_M2:,.0f} m2 or more")
    low, others = float(np.median(infrared[sure])), infrared[valid & ~darker]
    # A few bright pixels are ships, not the scene's land.
    high = float(np.median(others)) if len(others) * gsd**2 >= LEAST_LAND_M2 else low + LAND_OVER_WATER
    dark = valid & (infrared < low + WATER_SHARE * (high - low))
    if green is not None:  # a quay black with coal or ore is dark in both; ships and shores are too thin for that
        # Haze lifts the green more than the infrared, over water and quay alike.
        usual = np.float32(np.median((infrared - green)[sure]))
        black = dark & (infrared - green > usual + np.float32(BLACK))
        dark &= ~morphology(black, cv2.MORPH_OPEN, 2)
    water = bodies(dark, least, darker)
    if not water.any():
        raise DetectError(f"no body of water of {LEAST_WATER_M2:,.0f} m2 or more")
    return water
