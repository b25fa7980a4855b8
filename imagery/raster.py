"""Pixels in physical units, with the ground they cover and which of them can be used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from aoi.grid import Grid
from imagery.scene import Scene

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Raster:
    """An image of one acquisition on a grid; its arrays are read-only."""

    data: FloatArray
    """(band, row, col) float32, linear: reflectance or backscatter power. NaN wherever `valid` is False."""
    valid: BoolArray
    """(row, col), True = usable."""
    uncertain: BoolArray
    """(row, col), True = usable, but the provider's classification calls it cloud, shadow or snow: `imagery.mask`."""
    grid: Grid
    bands: tuple[str, ...]
    """Names in the order of `data`, such as ("B02", "B03", "B04", "B08")."""
    quantity: str
    """"reflectance" (1 = all light) or "gamma0" (linear power)."""
    acquired: datetime
    """UTC, aware."""
    scene_ids: tuple[str, ...]
    """Of the scene, and of its parts as far as they filled gaps."""
    origin: Scene | None = None
    """The scene as it was read: the twin that served, the offsets that were decided, the parts that were used, and
    notes on all of that. None where nobody said."""

    def __post_init__(self) -> None:
        """Check the shapes, put NaN where nothing is valid, and close the arrays."""
        rows_cols = self.grid.shape
        wanted = {"data": (len(self.bands), *rows_cols), "valid": rows_cols, "uncertain": rows_cols}
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has the shape {getattr(self, name).shape}; bands and grid ask for {shape}")
        if self.acquired.tzinfo is None:
            raise ValueError(f"the acquisition time {self.acquired} has no time zone")
        valid = self.valid & np.isfinite(self.data).all(axis=0)
        data = np.where(valid, self.data, np.float32(np.nan)).astype(np.float32, copy=False)
        for name, array in (("data", data), ("valid", valid), ("uncertain", self.uncertain & valid)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def sha256(self) -> str:
        """Hash of the pixels as read: grid, band names, data and validity."""
        digest = hashlib.sha256(repr((self.grid.crs, tuple(self.grid.transform)[:6], self.bands)).encode())
        # A NaN has many bit patterns; the hash must know only one.
        digest.update(np.where(self.valid, self.data, np.float32(0)).astype("<f4").tobytes())
        digest.update(np.packbits(self.valid).tobytes())
        return digest.hexdigest()

    def with_pixels(self, data: FloatArray, valid: BoolArray, uncertain: BoolArray) -> Raster:
        """Return a raster of the same acquisition on the same grid with other pixels."""
        return replace(self, data=data, valid=valid, uncertain=uncertain)
