"""Small raster files, good and bad, written without the project's own writer."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from aoi import Grid

CRS = "EPSG:32636"
CORNER = (700_000.0, 3_900_000.0)


def grid(*, cols: float = 0, rows: float = 0, width: int = 60, height: int = 40, gsd: float = 10) -> Grid:
    """Return a grid whose corner lies `cols` and `rows` pixels of 10 m from the files' corner."""
    transform = Affine(gsd, 0, CORNER[0] + 10 * cols, 0, -gsd, CORNER[1] - 10 * rows)
    return Grid(crs=CRS, transform=transform, width=width, height=height)


def write_raster(path: Path, pixels: NDArray[Any], **profile: Any) -> Path:
    """Write (row, col) or (band, row, col) pixels, by default as a GeoTIFF of 10 m."""
    bands = pixels if pixels.ndim == 3 else pixels[np.newaxis]
    given = {
        "driver": "GTiff",
        "crs": CRS,
        "transform": Affine(10, 0, CORNER[0], 0, -10, CORNER[1]),
        "dtype": bands.dtype,
        **profile,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", count=len(bands), height=bands.shape[1], width=bands.shape[2], **given) as file:
            file.write(bands)
    return path


def numbers(height: int = 40, width: int = 60, seed: int = 1) -> NDArray[np.uint16]:
    """Return (row, col) DN between 1 and 9999."""
    return np.random.default_rng(seed).integers(1, 10_000, (height, width)).astype(np.uint16)


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return size, time of change and content of every file below a folder, by its path."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns, path.read_bytes()) for path in files}
