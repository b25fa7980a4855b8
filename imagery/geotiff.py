"""Rasters read onto a grid or as a whole, and cloud-optimised GeoTIFFs written."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from aoi import Grid
from imagery.errors import RefusedFileError
from imagery.files import Blob
from imagery.opening import Header, inspect, open_raster
from imagery.patch import Resampling, put_on_grid, read_patch
from imagery.raster import BoolArray, FloatArray

MAX_WITHOUT_OVERVIEW = 1 << 24
"""Pixels of a file that is read as a whole where its coarsest overview is wanted."""


class Placed(Protocol):
    """What says where pixels lie, such as a `Grid` or a `Header`."""

    @property
    def crs(self) -> str:
        """Such as "EPSG:32636"."""

    @property
    def transform(self) -> Affine:
        """From (col, row) of a pixel's corner to (x, y)."""


def read_band(source: Path | Blob, band_index: int = 1) -> tuple[NDArray[Any], Header]:
    """Return the whole of one band as it is in the file, (row, col), and the file's header.

    Raises
    ------
    RefusedFileError
        As `open_raster`, and where a block cannot be read.
    """
    header = inspect(source)
    with open_raster(source) as dataset:
        return dataset.read(band_index), header


def read_coarsest(source: Path | Blob, band_index: int = 1) -> NDArray[Any]:
    """Return the coarsest overview of one band, (row, col), as it is in the file; the whole band of a small file.

    Raises
    ------
    RefusedFileError
        As `open_raster`; where a block cannot be read; where a file of over `MAX_WITHOUT_OVERVIEW` pixels has none.
    """
    with open_raster(source) as dataset:
        factor = max(dataset.overviews(band_index), default=1)
        if factor == 1 and dataset.width * dataset.height > MAX_WITHOUT_OVERVIEW:
            raise RefusedFileError(f"{source.name}: has {dataset.height} x {dataset.width} px and no overviews")
        shape = math.ceil(dataset.height / factor), math.ceil(dataset.width / factor)
        pixels: NDArray[Any] = dataset.read(band_index, out_shape=shape)
        return pixels


def read_on_grid(
    source: Path | Blob,
    grid: Grid,
    *,
    band_index: int = 1,
    nodata: float | None = None,
    resampling: Resampling = "cubic",
) -> tuple[FloatArray, BoolArray]:
    """Read one band of a local raster onto `grid`.

    Parameters
    ----------
    source
        A local path, or a file in memory.
    grid
        Where the pixels go.
    band_index
        1 = the file's first band.
    nodata
        The number that means "nothing here"; None: the file's own, if it has one.
    resampling
        Used only where the file's pixels are not those of the grid: another CRS, spacing or origin.

    Returns
    -------
    numbers
        (row, col) float32, the file's own numbers; 0 where not valid.
    valid
        (row, col) True where there is a number; False beyond the file, on nodata, and wherever the kernel of a
        resampling would have touched either.

    Raises
    ------
    RefusedFileError
        Where the file is not safe or not fit to be read (see `imagery.opening`).
    """
    patch = read_patch(source, grid, band_index=band_index, nodata=nodata, resampling=resampling)
    return put_on_grid(patch, grid, resampling=resampling)


def write_cog(
    path: Path,
    data: NDArray[Any],
    *,
    grid: Placed,
    descriptions: Sequence[str],
    nodata: float | None = math.nan,
    dtype: str = "float32",
    tags: Mapping[str, str] | None = None,
    colours: Sequence[ColorInterp] | None = None,
) -> None:
    """Write a cloud-optimised GeoTIFF: all of it or nothing, and the same bytes for the same input.

    Parameters
    ----------
    path
        Replaced where it exists.
    data
        (band, row, col), or (row, col) for one band.
    grid
        Where the pixels lie.
    descriptions
        One per band.
    nodata
        The number that means "nothing here"; None for none.
    dtype
        Of the file.
    tags
        Texts to go into the file's metadata.
    colours
        What the bands are shown as, one each; None: not said.

    Raises
    ------
    ValueError
        Where the descriptions do not match the bands.
    """
    bands = data if data.ndim == 3 else data[np.newaxis]
    if len(descriptions) != len(bands):
        raise ValueError(f"{len(descriptions)} descriptions were given for {len(bands)} bands")
    profile = {
        "driver": "COG",
        "count": bands.shape[0],
        "height": bands.shape[1],
        "width": bands.shape[2],
        "dtype": dtype,
        "crs": grid.crs,
        "transform": grid.transform,
        "nodata": nodata,
        "compress": "DEFLATE",
        "predictor": "YES",
        # Classes must not be averaged; measured numbers may, where only a picture is wanted.
        "overview_resampling": "NEAREST" if np.dtype(dtype) == np.uint8 else "AVERAGE",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # GDAL writes overviews beside its target, so the target gets a folder of its own.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        target = Path(folder) / path.name
        with rasterio.Env(GDAL_PAM_ENABLED="NO"), rasterio.open(target, "w", **profile) as dataset:
            dataset.write(bands.astype(dtype, copy=False))
            dataset.descriptions = tuple(descriptions)
            dataset.update_tags(**(tags or {}))
            if colours:
                dataset.colorinterp = tuple(colours)
        with target.open("rb") as written:
            os.fsync(written.fileno())
        target.replace(path)
