"""Stripes of radio interference in a radar image: a second witness beside the product's own records.

Interference adds power to whole lines across the flight, most visibly where the ground is dark. A stripe is a line
whose dark pixels are brighter than those of its neighbours, on both sides of the image alike. A quay or road that runs
across the flight is bright on every date, so what the line usually has is taken off where it is known. Mitigation in
the processor may hide stripes, and so does bright ground: no stripe is no proof that there was no interference.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from detect.errors import DetectError

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

DARK_SHARE = 0.3
"""Share of a line's pixels, the darkest, in which interference is sought."""
LEAST_PIXELS = 30
"""Usable pixels that a line, or a half of it, must have."""
NEIGHBOURS = 41
"""Lines around that a line is held against: a stripe is up to ten lines wide."""
LEAST_SCORE = 6.0
"""Robust standard deviations of the whole line's excess."""
LEAST_HALF_SCORE = 2.5
"""The same of each half: a ship's sidelobes or a coast fill one side only."""


@dataclass(frozen=True, kw_only=True)
class Stripes:
    """Lines across the flight that stand out."""

    offset_px: NDArray[np.float64]
    """(line,) distance of each line from the image's centre along the flight, pixels, positive towards the north."""
    excess_db: NDArray[np.float64]
    """(line,) of its dark pixels over its neighbours'; NaN where too little is usable."""
    score: NDArray[np.float64]
    """(line,) the same in robust standard deviations."""
    found: NDArray[np.bool_]
    """(line,) whether it is a stripe."""


def _turned(image: FloatArray, bearing_deg: float, fill: float) -> FloatArray:
    """Return the image turned so that the bearing runs along its rows, on a canvas that holds all of it."""
    rows, cols = image.shape
    side = int(np.ceil(np.hypot(rows, cols)))
    turn = cv2.getRotationMatrix2D(((cols - 1) / 2, (rows - 1) / 2), bearing_deg - 90, 1.0)
    turn[:, 2] += ((side - cols) / 2, (side - rows) / 2)
    return np.asarray(cv2.warpAffine(image, turn, (side, side), flags=cv2.INTER_NEAREST, borderValue=fill))


def _dark_level(logs: FloatArray) -> NDArray[np.float64]:
    """Return the mean of the darkest DARK_SHARE of each line (line, pixel); NaN where too few are known."""
    ordered = np.sort(logs, axis=1)
    known = np.isfinite(ordered).sum(axis=1)
    dark = np.maximum((known * DARK_SHARE).astype(int), 1)
    mask = np.arange(logs.shape[1])[None, :] < dark[:, None]
    total = np.where(mask, np.nan_to_num(ordered), 0).sum(axis=1, dtype=np.float64)
    return np.where(known >= LEAST_PIXELS, total / dark, np.nan)


def _excess(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each line's level over the median of its neighbours."""
    known = np.isfinite(level)
    if not known.any():
        return level
    filled = np.interp(np.arange(len(level)), np.flatnonzero(known), level[known])
    return np.where(known, filled - median_filter(filled, NEIGHBOURS, mode="nearest"), np.nan)


def _score(excess: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = 1.4826 * np.nanmedian(np.abs(excess - np.nanmedian(excess)))
    return np.asarray(excess / max(float(spread), 1e-6))


def _level_excess(power: FloatArray, valid: BoolArray, bearing_deg: float) -> list[NDArray[np.float64]]:
    """Return the excess (line,) of whole lines, of their first and of their second half, ln of power."""
    logs = np.where(valid, np.log(np.where(valid, np.maximum(power, 1e-9), 1)), np.nan).astype(np.float32)
    lines = _turned(np.where(valid, logs, np.float32(-1e9)), bearing_deg, -1e9)
    lines = np.where(lines > -1e8, lines, np.float32(np.inf))
    middle = lines.shape[1] // 2
    return [_excess(_dark_level(part)) for part in (lines, lines[:, :middle], lines[:, middle:])]


def find_stripes(
    power: FloatArray, valid: BoolArray, *, look_bearing_deg: float, usual: FloatArray | None = None
) -> Stripes:
    """Find lines across the flight whose dark pixels are brighter than their neighbours'.

    Parameters
    ----------
    power
        (row, col) linear power, north up.
    valid
        (row, col) True = usable.
    look_bearing_deg
        Direction across the flight, clockwise from grid north: about 78 for ascending and 282 for descending passes of
        Sentinel-1 at 35 degrees north.
    usual
        (row, col) mean power of other dates of the track: lines that always stand out are none. It is read where
        `valid` is True and must be known there.

    Raises
    ------
    DetectError
        Where no line has enough usable pixels.
    """
    bearing = look_bearing_deg % 180
    excess = _level_excess(power, valid, bearing)
    if not np.isfinite(excess[0]).any():
        raise DetectError(f"no line across the flight has {LEAST_PIXELS} usable pixels; take a larger area")
    if usual is not None:
        excess = [one - known for one, known in zip(excess, _level_excess(usual, valid, bearing), strict=True)]
    scores = [_score(one) if np.isfinite(one).any() else one for one in excess]
    with np.errstate(invalid="ignore"):
        found = (scores[0] >= LEAST_SCORE) & (scores[1] >= LEAST_HALF_SCORE) & (scores[2] >= LEAST_HALF_SCORE)
    centre = (len(excess[0]) - 1) / 2
    return Stripes(
        offset_px=centre - np.arange(len(excess[0]), dtype=np.float64),
        excess_db=excess[0] * 10 / np.log(10),
        score=scores[0],
        found=found,
    )
