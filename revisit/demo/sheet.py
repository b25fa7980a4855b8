"""The fine grid on which the demo's ground is drawn, and how outlines in metres come onto it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from aoi import Grid
from detect.outlines import cover

FloatArray = NDArray[np.float32]
Window = tuple[slice, slice]
"""(rows, cols) of a part of the sheet."""

CELLS = 3
"""Cells across a pixel: a pixel's centre is then the centre of a cell."""
RIM_PX = 4
"""Pixels of sheet around the scenes' grid: for blur and misregistration."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A north-up grid of cells."""

    west: float
    north: float
    """Map coordinates of the outer corner, metres."""
    rows: int
    cols: int
    cell_m: float

    @classmethod
    def under(cls, grid: Grid) -> Sheet:
        """Return the sheet under a scene's grid, with its rim."""
        rim_m = RIM_PX * grid.gsd
        west, _, _, north = grid.bounds
        rows, cols = ((pixels + 2 * RIM_PX) * CELLS for pixels in grid.shape)
        return cls(west=west - rim_m, north=north + rim_m, rows=rows, cols=cols, cell_m=grid.gsd / CELLS)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.rows, self.cols

    def cells(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return map points (n, 2) as (col, row); whole numbers are the corners of cells."""
        return (points - (self.west, self.north)) * (1 / self.cell_m, -1 / self.cell_m)

    def window(self, shape: BaseGeometry, pad_m: float = 0.0) -> Window:
        """Return the part of the sheet that holds the bounding box of a shape and `pad_m` around it."""
        west, south, east, north = shape.bounds
        corners = self.cells(np.array([(west - pad_m, north + pad_m), (east + pad_m, south - pad_m)]))
        first, last = np.floor(corners[0]).astype(int), np.ceil(corners[1]).astype(int)
        (left, top), (right, bottom) = first.clip(0, self.shape[::-1]), last.clip(0, self.shape[::-1])
        return slice(int(top), int(bottom)), slice(int(left), int(right))

    def inside(self, shape: BaseGeometry, window: Window) -> NDArray[np.bool_]:
        """Return which cells of a window lie inside a shape by more than half."""
        size = (window[0].stop - window[0].start, window[1].stop - window[1].start)
        share = np.zeros(size, np.float32)
        for part in shapely.get_parts(shape):
            share += self._cover(part.exterior, window, size)
            for hole in part.interiors:
                share -= self._cover(hole, window, size)
        return share > 0.5

    def _cover(self, ring: BaseGeometry, window: Window, size: tuple[int, int]) -> FloatArray:
        """Return the share of each cell of a window inside a ring."""
        return cover(self.cells(shapely.get_coordinates(ring)) - (window[1].start, window[0].start), size)

    def along(
        self, window: Window, origin: tuple[float, float], axis: tuple[float, float]
    ) -> tuple[FloatArray, FloatArray]:
        """Return the (along, across) of a window's cells in metres, in a frame with an origin and an axis."""
        x = self.west + (np.arange(window[1].start, window[1].stop) + 0.5) * self.cell_m - origin[0]
        y = self.north - (np.arange(window[0].start, window[0].stop) + 0.5) * self.cell_m - origin[1]
        along = x[None, :] * axis[0] + y[:, None] * axis[1]
        across = y[:, None] * axis[0] - x[None, :] * axis[1]
        return along.astype(np.float32), across.astype(np.float32)


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], correlation: float) -> FloatArray:
    """Return a Gaussian random field of mean 0 and variance 1.

    Parameters
    ----------
    rng
        Source of the numbers.
    shape
        (rows, cols).
    correlation
        Sigma of the smoothing, in cells; drawn on a coarser grid where that saves work.
    """
    step = max(1, int(correlation / 2))
    rows, cols = (math.ceil(n / step) + 8 for n in shape)
    noise = rng.standard_normal((rows, cols), dtype=np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), correlation / step, borderType=cv2.BORDER_REFLECT)
    smooth = (smooth - smooth.mean()) / smooth.std()
    if step == 1:
        return np.ascontiguousarray(smooth[4 : 4 + shape[0], 4 : 4 + shape[1]])
    wide = cv2.resize(smooth, (cols * step, rows * step), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(wide[4 * step : 4 * step + shape[0], 4 * step : 4 * step + shape[1]])
