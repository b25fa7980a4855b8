"""Objects of a given radar cross-section, and their return through the sensor's impulse response.

An object is a handful of bright points along its length that share its cross-section and add coherently, with random
phase, to the looks of the real speckle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.radar_evidence import FADING_VARIANCE

FloatArray = NDArray[np.float32]
Values = NDArray[np.float64]
Window = tuple[slice, slice]

RESPONSE_M = (13.2, 12.0)
"""Standard deviation (rows, cols) of the amplitude response of Sentinel-1 IW GRD, of 22 m by 20 m resolution."""
CROSS_POLARISED_DB = (-8.0, 2.0)
"""Mean and standard deviation of VH over VV of a man-made object: an assumption."""
POINT_SPACING_M = 9.0
MOST_POINTS = 8
MEAN_OVER_MEDIAN = float(np.exp(FADING_VARIANCE / 2))
"""Mean power of such a log-normal cross-section over its median."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is put there."""

    name: str
    length_m: float
    dbsm: tuple[float, float]
    """Least and largest cross-section, or its mean and standard deviation."""
    uniform: bool

    def draw(self, rng: np.random.Generator) -> float:
        """Return a cross-section, decibels over a square metre."""
        return float(rng.uniform(*self.dbsm) if self.uniform else rng.normal(*self.dbsm))


def points_of(kind: Kind, gsd: float, rng: np.random.Generator) -> Values:
    """Return the points (point, 3) of an object about its middle: row, col, and amplitude at the first polarisation."""
    count = int(np.clip(kind.length_m / POINT_SPACING_M, 1, MOST_POINTS))
    heading = rng.uniform(0, np.pi)
    along = rng.uniform(-0.45, 0.45, count) * kind.length_m / gsd
    shares = rng.dirichlet(np.ones(count))
    total = 10 ** (kind.draw(rng) / 10) / gsd**2
    offset = rng.uniform(-0.5, 0.5, 2)
    return np.stack(
        [offset[0] - along * np.cos(heading), offset[1] + along * np.sin(heading), np.sqrt(total * shares)], axis=1
    )


def _fields(points: Values, shape: tuple[int, ...], gsd: float) -> Iterator[tuple[Window, Values]]:
    """Yield the amplitude of each point through the impulse response, and the window of the image that it fills."""
    reach = int(np.ceil(4 * max(RESPONSE_M) / gsd))
    scale = np.array(RESPONSE_M) / gsd
    for row, col, amplitude in points:
        rows = np.arange(max(round(row) - reach, 0), min(round(row) + reach + 1, shape[-2]))
        cols = np.arange(max(round(col) - reach, 0), min(round(col) + reach + 1, shape[-1]))
        if not (rows.size and cols.size):
            continue
        down, across = (
            np.exp(-(((k - at) / s) ** 2) / 2) for k, at, s in ((rows, row, scale[0]), (cols, col, scale[1]))
        )
        window = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1))
        yield window, amplitude * np.outer(down, across) / np.sqrt(np.pi * scale.prod())


def usual_power(points: Values, shape: tuple[int, ...], gsd: float) -> FloatArray:
    """Return the usual power (polarisation, row, col) of an object that stands there on every date."""
    out = np.zeros(shape, np.float32)
    cross = 10 ** (CROSS_POLARISED_DB[0] / 10)
    for window, field in _fields(points, shape, gsd):
        for k in range(len(out)):
            out[(k, *window)] += (field**2 * MEAN_OVER_MEDIAN * (cross if k else 1.0)).astype(np.float32)
    return out


def inject_points(
    power: FloatArray, points: Values, *, looks: tuple[float, ...], gsd: float, rng: np.random.Generator
) -> FloatArray:
    """Return an image (polarisation, row, col) with bright points added to its speckle.

    In each look a point of amplitude a adds a^2 + 2 a sqrt(x) cos(phase) to the power x; the mean over n looks of the
    cosine has the variance 1 / (2 n). Points of one object interfere with one another in the same way.

    Parameters
    ----------
    power
        Linear power as read.
    points
        (point, 3): row, col, and amplitude at the first polarisation.
    looks
        (polarisation,).
    gsd
        Metres per pixel.
    rng
        Of the phases.
    """
    out = power.astype(np.float32).copy()
    cross = 10 ** (rng.normal(*CROSS_POLARISED_DB) / 20)
    for window, field in _fields(points, out.shape, gsd):
        for k, n in enumerate(looks):
            strength = field * (cross if k else 1.0)
            beat = 2 * rng.normal(0, np.sqrt(1 / (2 * n)))
            now = out[(k, *window)]
            out[(k, *window)] = np.maximum(now + strength**2 + beat * strength * np.sqrt(np.maximum(now, 0)), 1e-6)
    return out
