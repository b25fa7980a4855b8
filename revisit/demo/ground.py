"""The permanent ground of the demo as a value, and the plot on which it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from revisit.demo.layout import long_axis
from revisit.demo.sheet import FloatArray, Sheet, Window, smooth_field
from revisit.demo.surfaces import INDEX, PAINT, SURFACES

SLAB_M, BAY_M = (7.5, 7.5), (40.0, 20.0)
"""Concrete slabs, and the bays in which it was poured: each a little lighter or darker than its neighbours."""
SLAB_SPREAD, BAY_SPREAD = 0.02, 0.045
TEXTURE_CELLS = (0.8, 3.0, 15.0)
"""Correlation of the three scales of `Surface.texture`, cells (sigma)."""


@dataclass(frozen=True, kw_only=True)
class Building:
    """An upright structure."""

    height_m: float
    window: Window
    """The part of the sheet that holds it and its longest shadow."""
    body: FloatArray
    """(row, col) of the window, 1 where it stands."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What never changes."""

    sheet: Sheet
    labels: NDArray[np.uint16]
    """(row, col) of the sheet: index into the three arrays below."""
    surface: NDArray[np.intp]
    """(label,) index into `SURFACES`."""
    brightness: FloatArray
    """(label,) factor on the reflectance."""
    lateness: FloatArray
    """(label,) days by which its growth is late."""
    texture: FloatArray
    """(row, col) factor on the reflectance, around 1 and less where paint covers the ground."""
    painted: tuple[NDArray[np.intp], FloatArray]
    """Flat indices of the cells with paint, and the share of each that it covers."""
    fresh: Polygon | None
    """The patch of new concrete, metres."""
    buildings: tuple[Building, ...]

    def reflectance(self, band: int, growth: FloatArray, gain: FloatArray) -> FloatArray:
        """Return the reflectance (row, col) of one band on one date, without shadows.

        Parameters
        ----------
        band
            Index into `surfaces.BANDS`.
        growth
            (label,) share covered by the winter's growth, 0 to 1.
        gain
            (surface,) factor of the date.
        """
        dry = np.array([surface.dry[band] for surface in SURFACES], np.float32)
        green = np.array([(surface.green or surface.dry)[band] for surface in SURFACES], np.float32)
        mixed = dry[self.surface] + growth * (green - dry)[self.surface]
        values = np.take((mixed * gain[self.surface] * self.brightness).astype(np.float32), self.labels)
        values *= self.texture
        cells, share = self.painted
        values.reshape(-1)[cells] += share * np.float32(PAINT[band])
        return values


class Plot:
    """The ground while it is being drawn; `finished` closes it."""

    def __init__(self, sheet: Sheet, rng: np.random.Generator) -> None:
        self.sheet, self.rng = sheet, rng
        self.labels = np.zeros(sheet.shape, np.uint16)
        self.detail = np.ones(sheet.shape, np.float32)
        self.paint = np.zeros(sheet.shape, np.float32)
        self.kinds: list[tuple[int, float, float]] = []

    def lay(self, shape: BaseGeometry, surface: str, brightness: float = 1.0, lateness: float = 0.0) -> None:
        """Cover a shape with a surface; nothing shows through."""
        window = self.sheet.window(shape)
        inside = self.sheet.inside(shape, window)
        self.labels[window][inside] = len(self.kinds)
        self.detail[window][inside] = 1.0
        self.kinds.append((INDEX[surface], brightness, lateness))

    def pave(self, shape: BaseGeometry) -> None:
        """Draw slabs and bays on a shape, along its long side."""
        window = self.sheet.window(shape)
        origin = shape.centroid.x, shape.centroid.y
        along, across = self.sheet.along(window, origin, long_axis(shape))
        inside = self.sheet.inside(shape, window)
        for (length, width), spread in ((SLAB_M, SLAB_SPREAD), (BAY_M, BAY_SPREAD)):
            u, v = np.floor(along / length).astype(int), np.floor(across / width).astype(int)
            if not u.size:
                continue
            u, v = u - u.min(), v - v.min()
            factor = 1 + spread * self.rng.standard_normal((int(u.max()) + 1, int(v.max()) + 1), dtype=np.float32)
            self.detail[window][inside] *= factor[u, v][inside]

    def darken(self, shape: BaseGeometry, depth: float, sigma_m: float) -> None:
        """Put a soft dark spot on a point."""
        window = self.sheet.window(shape, 4 * sigma_m)
        x, y = self.sheet.along(window, (shape.centroid.x, shape.centroid.y), (1.0, 0.0))
        self.detail[window] *= 1 - depth * np.exp(-(x**2 + y**2) / (2 * sigma_m**2))

    def mark(self, line: LineString, width_m: float) -> None:
        """Paint a white line; a line thinner than a cell covers its share of it."""
        thickness = max(1, round(width_m / self.sheet.cell_m))
        share = min(1.0, width_m / (thickness * self.sheet.cell_m))
        ends = np.round((self.sheet.cells(shapely.get_coordinates(line)) - 0.5) * 16).astype(np.int32)
        cv2.polylines(self.paint, [ends.reshape(-1, 1, 2)], False, float(share), thickness, cv2.LINE_8, 4)

    def finished(self, fresh: Polygon | None, buildings: Sequence[Building]) -> Ground:
        """Return the ground, with the texture that no drawing gives."""
        table = np.array(self.kinds, np.float32)
        surface = table[:, 0].astype(np.intp)
        spread = np.array([kind.texture for kind in SURFACES], np.float32)[surface]
        texture = self.detail
        for scale, correlation in enumerate(TEXTURE_CELLS):
            field = smooth_field(self.rng, self.sheet.shape, correlation)
            texture = texture * (1 + spread[:, scale][self.labels] * field)
        cells = np.flatnonzero(self.paint)
        return Ground(
            sheet=self.sheet,
            labels=self.labels,
            surface=surface,
            brightness=table[:, 1],
            lateness=table[:, 2],
            texture=np.clip(texture, 0.3, 2.0) * (1 - self.paint),
            painted=(cells, self.paint.reshape(-1)[cells]),
            fresh=fresh,
            buildings=tuple(buildings),
        )
