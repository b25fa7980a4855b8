"""From the numbers in a file to physical units: nodata first, then float, then scale and offset."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from imagery.errors import SceneError
from imagery.raster import BoolArray, FloatArray
from imagery.scene import Scene

SATURATED_DN = 65535
"""Sentinel-2's number for a saturated pixel (ESA, Sentinel-2 product specification, SPECIAL_VALUE_INDEX)."""
DARK_WATER = 0.1
"""Reflectance under which a pixel with a 0 in another band may be water; land with a hole in one band is brighter."""
IMPOSSIBLE_REFLECTANCE = -0.03
"""Ground is never darker than black; atmospheric correction errs by less than this."""
IMPOSSIBLE_SHARE = 0.1
"""Share of the pixels that may be so dark before the offset is held to be wrong."""


def to_physical(numbers: NDArray[np.generic], *, scale: float, offset: float) -> FloatArray:
    """Return number x scale + offset in float32, computed in floating point throughout.

    In the file's own uint16 an offset of -1000 would turn 900 into 65436.

    Parameters
    ----------
    numbers
        Any shape, the numbers of the file.
    scale, offset
        Of the scene's own metadata.

    Examples
    --------
    >>> to_physical(np.array([900, 1000], np.uint16), scale=1e-4, offset=-0.1).round(4).tolist()
    [-0.009999999776482582, 0.0]
    """
    return (numbers.astype(np.float64) * scale + offset).astype(np.float32)


def missing_reflectance(
    numbers: FloatArray, absent: BoolArray, reflectance: FloatArray, *, clamped: bool, reach_px: int
) -> BoolArray:
    """Return where bands of Sentinel-2 have no data, although numbers stand there: ESA writes 0 for "no data".

    Parameters
    ----------
    numbers
        (band, row, col) DN of bands on the same pixels, as in the files; 0 where a file declares 0 to be nodata.
    absent
        (row, col) True where a file says by other means than 0 that there is nothing.
    reflectance
        (band, row, col), the same numbers in physical units.
    clamped
        Whether 0 may also be dark water that was clamped there. False where an offset is to be added (baseline 04.00
        and later): 0 in one band is then "no data". True where it is not: "no data" is then 0 in every band, and 0 in
        some bands where another is brighter than `DARK_WATER` or within `reach_px` of "no data", since the bands of a
        swath do not end on one line.
    reach_px
        Pixels.

    Returns
    -------
    missing
        (row, col).
    """
    zero = numbers == 0
    if not clamped:
        return np.asarray(absent | zero.any(axis=0))
    import cv2

    everywhere = absent | zero.all(axis=0)
    size = 2 * reach_px + 1
    near = cv2.dilate(everywhere.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    bright = reflectance.max(axis=0) > DARK_WATER
    return np.asarray(everywhere | (zero.any(axis=0) & (near | bright)))


def saturated(numbers: FloatArray) -> BoolArray:
    """Return where Sentinel-2's DN say that the detector was saturated; any shape."""
    return np.asarray(numbers == SATURATED_DN)


def check_offset(reflectance: FloatArray, valid: BoolArray, *, scene: Scene, band: str) -> None:
    """Refuse a scene whose offset makes the ground darker than black.

    That happens where the pixels of a scene have already had the offset taken off and its metadata ask for it again.

    Parameters
    ----------
    reflectance, valid
        (row, col) of one band.
    scene
        For the message.
    band
        Its name.

    Raises
    ------
    SceneError
        Where more than `IMPOSSIBLE_SHARE` of the valid pixels lie under `IMPOSSIBLE_REFLECTANCE`.
    """
    seen = np.count_nonzero(valid)
    dark = np.count_nonzero(valid & (reflectance < IMPOSSIBLE_REFLECTANCE))
    if seen and dark / seen > IMPOSSIBLE_SHARE:
        offset = scene.assets[band].offset
        raise SceneError(
            f"{scene.id}: with the offset {offset:g} of its metadata {dark / seen:.0%} of {band} is darker than black; "
            "the pixels seem to have had it taken off already. Correct the offset in its description"
        )


def check_linear_power(power: FloatArray, present: BoolArray, *, scene: Scene, band: str) -> None:
    """Refuse backscatter that cannot be linear power because most of it is negative.

    Raises
    ------
    SceneError
        Where more than half of the pixels present are negative.
    """
    seen = np.count_nonzero(present)
    negative = np.count_nonzero(present & (power < 0))
    if seen and negative / seen > 0.5:
        raise SceneError(
            f"{scene.id}: {negative / seen:.0%} of {band} is negative, so it is no linear power; if it is in decibels, "
            "convert it (10 ** (dB / 10)) before it is imported"
        )
