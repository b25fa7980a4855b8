"""Simulated radar dates with a known truth: correlated speckle over fields, water and bright points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from detect.radar import RadarSeries

FloatArray = NDArray[np.float32]

RESPONSE_PX = 1.25
"""Standard deviation of the amplitude response: about 21 m of resolution on 10 m pixels."""
LOOKS = 5
LEVEL_DB = {"VV": (-17.0, -16.0), "VH": (-21.0, -21.5)}
"""Land and water, noise floor included."""


def response(side: int, at: tuple[float, float]) -> NDArray[np.float64]:
    """Return the amplitude (side, side) of a point of unit energy."""
    rows, cols = np.mgrid[:side, :side]
    square = (rows - at[0]) ** 2 + (cols - at[1]) ** 2
    return np.asarray(np.exp(-square / (2 * RESPONSE_PX**2)) / np.sqrt(np.pi * RESPONSE_PX**2))


def date(
    rng: np.random.Generator, *, points: list[tuple[float, float, float]], side: int = 120, wind_db: float = 0.0
) -> FloatArray:
    """Return one date (VV and VH, row, col) of 10 m: land, water in its right third, and points (row, col, dBsm)."""
    water = np.arange(side)[None, :] >= 2 * side // 3
    image = np.zeros((2, side, side))
    for k, (land_db, water_db) in enumerate(LEVEL_DB.values()):
        ground = 10 ** (np.where(water, water_db + wind_db, land_db) / 10) * np.ones((side, side))
        for _ in range(LOOKS):
            noise = [gaussian_filter(rng.standard_normal((side, side)), RESPONSE_PX) for _ in range(2)]
            look = (noise[0] + 1j * noise[1]) * np.sqrt(ground / 2) / noise[0].std()
            for row, col, dbsm in points:
                phase = np.exp(2j * np.pi * rng.random())
                look = look + 10 ** ((dbsm - 8 * k) / 20) / 10 * response(side, (row, col)) * phase
            image[k] += np.abs(look) ** 2 / LOOKS
    return image.astype(np.float32)


def series(
    *,
    seed: int = 1,
    baseline: int = 12,
    before: list[tuple[float, float, float]] | None = None,
    after: list[tuple[float, float, float]] | None = None,
    always: list[tuple[float, float, float]] | None = None,
) -> RadarSeries:
    """Return two dates and a baseline, with points that are there before, after, or on the baseline dates."""
    rng = np.random.default_rng(seed)
    fixed = [(30.0, 30.0, 30.0)]
    plan = [[*fixed, *(always or [])]] * baseline + [[*fixed, *(before or [])], [*fixed, *(after or [])]]
    dates = np.stack([date(rng, points=points, wind_db=rng.normal(0, 2)) for points in plan])
    dates *= 10 ** (rng.normal(0, 0.04, (len(dates), 2, 1, 1))).astype(np.float32)
    valid = np.ones(dates.shape[2:], bool)
    return RadarSeries(
        before=dates[-2],
        after=dates[-1],
        baseline=dates[:-2],
        valid=valid,
        baseline_valid=np.ones((baseline, *valid.shape), bool),
        gsd=10.0,
    )
