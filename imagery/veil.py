"""Dates under haze, smoke or thin cloud that no mask shows: they differ from the others in broad, soft patches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imagery.raster import BoolArray, FloatArray

CELL_M = 100.0
"""Side of the cells that dates are compared in: larger than what stands on ground, smaller than a veil's patches."""
FEWEST_CELLS = 60
"""Fewer cells of searched ground do not show a veil; then the whole frame is looked at."""
MOST_VEIL = 4.0
"""Times the usual difference from the median date. Simulated haze has 9, an ordinary date up to 2.9, another season
3.5."""
FEWEST_DATES = 4
"""Fewer dates have no usual difference."""
CAUCHY = 2.385
"""Tuning constant, in robust standard deviations: 95 % efficiency on Gaussian residuals (Holland and Welsch 1977)."""

FloatMap = NDArray[np.float64]


def _cells(image: FloatArray, valid: BoolArray, size: int) -> FloatMap:
    """Return the mean (band, row, col) over cells of `size` pixels; NaN where less than half of a cell is valid."""
    rows, cols = (length // size for length in valid.shape)
    whole = (slice(rows * size), slice(cols * size))
    count = valid[whole].reshape(rows, size, cols, size).sum(axis=(1, 3))
    kept = np.where(valid[whole], image[(slice(None), *whole)], np.float32(0)).astype(np.float64)
    total = kept.reshape(-1, rows, size, cols, size).sum(axis=(2, 4))
    return np.where(count >= size**2 / 2, total / np.maximum(count, 1), np.nan)


def _spread(x: FloatMap, y: FloatMap) -> float:
    """Return the robust spread of what a straight line (in x) leaves of y; light and gain are no veil."""
    design, weight = np.column_stack([np.ones_like(x), x]), np.ones_like(x)
    spread = 0.0
    for _ in range(6):
        line = np.linalg.lstsq(design * weight[:, None], y * weight, rcond=None)[0]
        left = y - design @ line
        spread = 1.4826 * float(np.median(np.abs(left))) + 1e-9
        weight = 1 / (1 + (left / (CAUCHY * spread)) ** 2)
    return spread


def _looked_at(where: BoolArray, size: int) -> BoolArray:
    """Return the cells (row, col) that hold enough of the searched ground, all where those are too few."""
    everywhere = np.ones_like(where)
    cells = _cells(where[None].astype(np.float32), everywhere, size)[0] > 0.3
    return cells if cells.sum() >= FEWEST_CELLS else np.ones_like(cells)


def veil_levels(stack: FloatArray, valid: BoolArray, where: BoolArray, *, gsd: float) -> FloatMap:
    """Return how much each date differs from the median date in broad patches, 1 = as the dates usually do.

    Parameters
    ----------
    stack
        (date, band, row, col) aligned; anything where not valid.
    valid
        (date, row, col).
    where
        (row, col) True = ground to look at.
    gsd
        Metres per pixel.

    Returns
    -------
    (date,) of the band in which it differs most; all 1 where there are fewer than four dates.
    """
    if len(stack) < FEWEST_DATES:
        return np.ones(len(stack))
    size = max(1, round(CELL_M / gsd))
    here = _looked_at(where, size)
    dates = np.stack([_cells(image, seen, size)[:, here] for image, seen in zip(stack, valid, strict=True)])
    known = ~np.isnan(dates).any(axis=(0, 1))
    if known.sum() < FEWEST_CELLS // 2:
        return np.ones(len(stack))
    middle = np.median(dates[:, :, known], axis=0)
    spreads = np.array([[_spread(m, y) for m, y in zip(middle, date[:, known], strict=True)] for date in dates])
    return np.asarray((spreads / np.median(spreads, axis=0)).max(axis=1))


def veiled(levels: Sequence[float]) -> tuple[str | None, ...]:
    """Return for each date why it cannot serve beside the others, from its level."""
    reason = "it differs from the other dates {:.1f} times as much as they usually do, as under haze or thin cloud"
    return tuple(reason.format(level) if level > MOST_VEIL else None for level in levels)
