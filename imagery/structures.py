"""Registration of radar scenes on what never moves: breakwaters, quays and buildings, not the ships beside them.

A shift estimated on a whole harbour locks onto the row of moored ships, and onto the edge of a static mask, which
lies at the same place in every file by construction. Here the estimate sees only structures that are bright on nearly
every date, and neither their surroundings' ships nor any edge of what is not valid.
"""

from __future__ import annotations

import cv2
import numpy as np

from imagery.coregister import Alignment, estimate_shift
from imagery.errors import NoStructureError
from imagery.raster import BoolArray, FloatArray

USUAL_SHARE = 0.1
"""A structure is bright even in the darkest tenth of the dates: what comes and goes is not."""
PROMINENCE_DB = 5.0
"""How far over the median of its surroundings that is."""
FLOOR_DB = 3.0
"""How far over its surroundings a place must be to say anything of a shift."""
SURROUNDINGS_PX = 61
REACH_PX = 10
"""Ground around structures that the estimate sees: as far as a shift may take them, and the resampling kernel's
reach."""
EDGE_PX = 3
"""Distance from what is not valid."""
MOST_VARIABLE_DB = 3.0
"""Standard deviation over the dates beyond which a bright place is a berth in use, not a structure."""


def _decibels(power: FloatArray, valid: BoolArray) -> FloatArray:
    """Return decibels with the median of what is valid where it is not."""
    values = 10 * np.log10(np.where(valid, np.maximum(power, 1e-6), 1)).astype(np.float32)
    return np.where(valid, values, np.float32(np.median(values[valid]))) if valid.any() else values


def _grown(mask: BoolArray, radius_px: int) -> BoolArray:
    size = 2 * radius_px + 1
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0)


def _around(levels: FloatArray) -> FloatArray:
    """Return the median (row, col) of the surroundings of decibels, to a quarter of one, from -30 to 33 dB."""
    scaled = np.clip((levels + 30) * 4, 0, 255).astype(np.uint8)
    return np.asarray(cv2.medianBlur(scaled, SURROUNDINGS_PX).astype(np.float32) / 4 - 30)


def _within(levels: FloatArray, slack_px: int) -> FloatArray:
    """Return the brightest level (date, row, col) within so many pixels, on each date."""
    side = 2 * slack_px + 1
    return np.stack([cv2.dilate(one, np.ones((side, side), np.uint8)) for one in levels]) if slack_px else levels


def fixed_structures(dates: FloatArray, valid: BoolArray, *, slack_px: int = 0) -> BoolArray:
    """Return the ground (row, col) on which radar scenes of one track may be registered.

    Parameters
    ----------
    dates
        (date, row, col) linear power of one polarisation and one relative orbit; a dozen dates or more.
    valid
        (date, row, col) True = usable.
    slack_px
        How far the dates may lie off one another: a thin wall that steps aside on one date is otherwise taken for a
        ship that left. What lies nearer to a structure than that is not told from it.

    Returns
    -------
    BoolArray
        (row, col) bright and steady structures with REACH_PX around them, EDGE_PX away from what is never valid.
    """
    often = valid.mean(axis=0) > 0.5
    levels = np.stack([_decibels(one, seen) for one, seen in zip(dates, valid, strict=True)])
    levels -= np.median(levels[:, often], axis=1)[:, None, None]
    levels = _within(levels, slack_px)
    low = np.quantile(levels, USUAL_SHARE, axis=0).astype(np.float32)
    # Of a dozen dates of speckle single pixels spread by chance; a berth is larger than three pixels.
    steady = np.sqrt(cv2.blur(levels.var(axis=0), (3, 3))) <= MOST_VARIABLE_DB
    high = np.quantile(levels, 1 - USUAL_SHARE, axis=0).astype(np.float32)
    around = _around(low)
    bright = often & steady & (low - around >= PROMINENCE_DB)
    # The sea varies with the wind; only what is bright at times is a ship.
    restless = often & ~steady & (high - around >= PROMINENCE_DB)
    return np.asarray(_grown(bright, REACH_PX) & ~_grown(restless, 1) & ~_grown(~often, EDGE_PX))


def register_on_structures(
    reference: FloatArray,
    moving: FloatArray,
    structures: BoolArray,
    *,
    valid: tuple[BoolArray, BoolArray],
    gsd: float,
) -> Alignment:
    """Estimate the shift of a radar scene on fixed structures.

    Parameters
    ----------
    reference, moving
        (polarisation, row, col) linear power. The reference is best the mean of several dates of the track.
    structures
        (row, col) from `fixed_structures`.
    valid
        (row, col) of both, True = usable.
    gsd
        Metres per pixel.

    Returns
    -------
    Alignment
        The shift to be added to `moving`, with its standard error.

    Raises
    ------
    InsufficientImageryError
        Where too little of the structures is usable.
    NoStructureError
        Where there are none, or they have nothing in common.
    """
    if not structures.any():
        raise NoStructureError("no structure is bright on nearly every date; without one a shift cannot be told")
    levels = [
        np.stack([_decibels(band, seen) for band in power])
        for power, seen in zip((reference, moving), valid, strict=True)
    ]
    # Under the floor there is only speckle, which would outvote a few walls; it is the same, and smooth, for both.
    floor = np.stack([_around(band) for band in levels[0]]) + FLOOR_DB
    images = [np.maximum(one, floor) for one in levels]
    # Blocks of the image without any structure would have no part in the shift and only blur its scatter.
    rows, cols = (slice(int(k.min()), int(k.max()) + 1) for k in np.nonzero(structures))
    parts = [np.ascontiguousarray(image[:, rows, cols]) for image in images]
    seen = [(one & structures)[rows, cols] for one in valid]
    return estimate_shift(parts[0], parts[1], seen[0], seen[1], gsd=gsd)
