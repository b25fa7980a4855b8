"""Whether a ship lies at a berth on one optical date, and the levels by which many optical dates are judged.

Haze and glint add the same light to a berth and to the basin beside it, so a berth is told by its difference from the
basin, not by its ratio. With a dozen dates or more `detect.berths.berth_occupancy` finds the berth's own empty state
from the levels, as for radar. On a single date the empty state is that of the basin's own water, cut into pieces of
the berth's size; a bright berth whose quay is not known may be the quay itself, and is not told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.berths import BRIGHTEST_SHARE, CERTAIN, LEAST_GAP, LEAST_SPREAD, State, state_of
from detect.errors import DetectError

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

OPTICAL = ("B02", "B03", "B04", "B08")
SHIP_CONTRAST = 0.063
"""Reflectance of ships over their water, mean of four bands, brightest third: median of the labelled vessels of two
ports (34 boxes of `benchmarks/vessels.py`; deciles 0.033 and 0.163)."""
SHIP_SPREAD = 0.6
"""Standard deviation of its logarithm."""
FEWEST_PIECES = 8
"""Pieces of basin of the berth's size that show how bright empty water is."""
FEWEST_PIXELS = 6


@dataclass(frozen=True, kw_only=True)
class BerthLook:
    """One berth on one optical date."""

    probability: float
    """That a ship lies there, both states equally likely beforehand; NaN where it cannot be judged."""
    state: State
    contrast: float
    """Reflectance of the berth's brightest third over the basin, mean of four bands; NaN where not measured."""


def _mean(bands: Mapping[str, FloatArray]) -> FloatArray:
    return np.asarray(np.mean([bands[name] for name in OPTICAL], axis=0), dtype=np.float32)


def _brightest(values: FloatArray) -> float:
    """Return the mean of the brightest third."""
    most = max(int(len(values) * BRIGHTEST_SHARE), 1)
    return float(np.sort(values)[-most:].astype(np.float64).mean())


def optical_berth_level(
    bands: Mapping[str, FloatArray], valid: BoolArray, berth: BoolArray, basin: BoolArray
) -> tuple[float, float]:
    """Return what `detect.berths.berth_occupancy` takes as a berth's level and the basin's on one optical date.

    The basin's is the spread of its water, the berth's the same and its contrast: their ratio is then 1 for water like
    the basin's, in any haze. Both are NaN where under half of the berth or of the basin is usable.

    Parameters
    ----------
    bands
        B02, B03, B04 and B08: (row, col) reflectance on one grid.
    valid
        (row, col) True = usable.
    berth
        (row, col) True = the berth's water, its quay left out by a pixel.
    basin
        (row, col) True = water near by that no ship uses.

    Raises
    ------
    DetectError
        Where bands are missing, or berth or basin hold no pixel.
    """
    missing = [name for name in OPTICAL if name not in bands]
    if missing:
        raise DetectError(f"berths are judged in B02, B03, B04 and B08; {', '.join(missing)} missing")
    if not berth.any() or not basin.any():
        raise DetectError("a berth or its basin without a pixel of the grid")
    if valid[berth].mean() < 0.5 or valid[basin].mean() < 0.5:
        return float("nan"), float("nan")
    mean = _mean(bands)
    water = mean[basin & valid]
    middle = float(np.median(water))
    spread = max(1.4826 * float(np.median(np.abs(water - middle))), 0.002)
    contrast = max(_brightest(mean[berth & valid]) - middle - spread, 0.0)
    return spread + contrast, spread


def optical_berth_state(
    bands: Mapping[str, FloatArray],
    valid: BoolArray,
    berth: BoolArray,
    basin: BoolArray,
    *,
    land: BoolArray | None = None,
) -> BerthLook:
    """Tell the state of a berth on a single optical date.

    Parameters
    ----------
    bands, valid, berth, basin
        As for `optical_berth_level`.
    land
        (row, col) True = known to be land; it is left out with a pixel around it. Without it a bright berth cannot be
        told from a bright quay, and only an empty one is told.

    Raises
    ------
    DetectError
        As `optical_berth_level`.
    """
    unknown = BerthLook(probability=float("nan"), state="cannot tell", contrast=float("nan"))
    strip = berth if land is None else berth & ~_grown(land)
    if strip.sum() < FEWEST_PIXELS:
        return unknown
    level, spread = optical_berth_level(bands, valid, strip, basin)
    pieces = _pieces(bands, basin & valid, int(strip.sum()))
    if not np.isfinite(level) or len(pieces) < FEWEST_PIECES:
        return unknown
    logs = np.log((spread + np.maximum(pieces - spread, 0)) / spread)
    empty = float(np.median(logs))
    width = max(1.4826 * float(np.median(np.abs(logs - empty))), 2 * LEAST_SPREAD)
    occupied = float(np.log((spread + SHIP_CONTRAST) / spread))
    if occupied - empty < LEAST_GAP + width:
        return BerthLook(probability=float("nan"), state="cannot tell", contrast=level - spread)
    value = float(np.clip(np.log(level / spread), empty, occupied))
    odds = (
        np.log(width / SHIP_SPREAD) + ((value - empty) / width) ** 2 / 2 - ((value - occupied) / SHIP_SPREAD) ** 2 / 2
    )
    probability = float(1 / (1 + np.exp(-np.clip(odds, -500, 500))))
    if land is None and probability > 1 - CERTAIN:
        probability = float("nan")
    return BerthLook(probability=probability, state=state_of(probability), contrast=level - spread)


def _grown(land: BoolArray) -> BoolArray:
    """Return land with the pixels beside it, which its blur reaches."""
    padded = np.pad(land, 1)
    rows, cols = land.shape
    return np.asarray(np.any([padded[r : r + rows, c : c + cols] for r in range(3) for c in range(3)], axis=0))


def _pieces(bands: Mapping[str, FloatArray], water: BoolArray, pixels: int) -> NDArray[np.float64]:
    """Return contrast of pieces of the basin that have as many pixels as the berth, neighbours together."""
    mean = _mean(bands)
    side = max(round(np.sqrt(pixels)), 2)
    middle, found = float(np.median(mean[water])), []
    for row in range(0, mean.shape[0] - side + 1, side):
        for col in range(0, mean.shape[1] - side + 1, side):
            window = np.s_[row : row + side, col : col + side]
            if water[window].all():
                found.append(_brightest(mean[window].ravel()) - middle)
    return np.array(found)
