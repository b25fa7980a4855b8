"""The part of a raster that a grid needs, read from the file and put onto the grid.

Pixels that already lie on the grid stay as they are. All others are resampled once, with the pixels that are not there
known beforehand: wherever a kernel would have touched one, the result is not valid, so nothing bleeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import MaskFlags
from rasterio.enums import Resampling as Kernel
from rasterio.io import DatasetReader
from rasterio.warp import reproject
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from aoi import Grid
from imagery.errors import RefusedFileError
from imagery.files import Blob
from imagery.opening import crs_name, open_raster
from imagery.raster import BoolArray, FloatArray

Points = NDArray[np.float64]
Resampling = Literal["cubic", "nearest"]
"""Cubic convolution for measured numbers, nearest for classes."""

MAX_WINDOW_PIXELS = 2**27
"""Pixels of a file that one read may take: half a gigabyte of float32."""
KERNEL_RADIUS_PX = {"cubic": 2, "nearest": 0}
"""How far a kernel reaches, in file pixels where these are the coarser ones."""
WIDENED_FROM = 1.25
"""File pixels under a grid pixel from which the kernel is widened against aliasing. Below, widening only blurs, and
GDAL's normalised wide kernel moves a ramp by up to 0.016 px (measured on 9.2 m pixels read onto 10 m)."""
STRIP_COLS = 256
"""GDAL interpolates coordinates along a row; over 2048 columns this errs by 0.07 px between UTM zones, over 256 by less
than 0.01 px (measured)."""


@dataclass(frozen=True, kw_only=True)
class Patch:
    """The part of one band that a grid needs, on the file's own pixels."""

    numbers: FloatArray
    """(row, col) as in the file; 0 where not present."""
    present: BoolArray
    """(row, col) False = beyond the file, nodata, masked or not finite."""
    crs: str
    transform: Affine
    """Of the patch's own corner."""
    dtype: str
    """Of the file."""
    on_grid: bool
    """True: its pixels are those of the grid."""
    widening: tuple[float, float]
    """Factor (rows, cols) by which a kernel is stretched over file pixels that are finer than the grid's; else 1."""


def read_patch(
    source: Path | Blob,
    grid: Grid,
    *,
    band_index: int = 1,
    nodata: float | None = None,
    keep_zero: bool = False,
    resampling: Resampling = "cubic",
) -> Patch:
    """Read the pixels of one band that `grid` needs, with what the kernel needs around them, and no others.

    Parameters
    ----------
    source
        A local raster.
    grid
        Where the pixels will go.
    band_index
        1 = the file's first band.
    nodata
        The number that means "nothing here"; None: the file's own, if it has one.
    keep_zero
        True: where that number is 0 it counts as present, and the caller decides what it means.
    resampling
        The kernel that `put_on_grid` will use where one is needed.

    Raises
    ------
    RefusedFileError
        As `open_raster`; where the band does not exist, a block cannot be read, or the window is over the cap.
    """
    with open_raster(source) as dataset:
        if not 1 <= band_index <= dataset.count:
            raise RefusedFileError(f"{source.name}: band {band_index} is asked for; it has {dataset.count}")
        plan = _plan(dataset, grid, KERNEL_RADIUS_PX[resampling])
        _check_size(plan.window, source.name)
        nothing = dataset.nodatavals[band_index - 1] if nodata is None else nodata
        numbers, present = _read_window(
            dataset, band_index, plan.window, None if keep_zero and nothing == 0 else nothing
        )
        return Patch(
            numbers=numbers,
            present=present,
            crs=crs_name(dataset.crs),
            transform=_moved(dataset.transform, cols=plan.window.col_off, rows=plan.window.row_off),
            dtype=dataset.dtypes[band_index - 1],
            on_grid=plan.on_grid,
            widening=plan.widening,
        )


def needed_window(source: Path | Blob, grid: Grid) -> Window:
    """Return the pixels of a raster that `read_patch` would read for `grid`, whatever its kernel; reads none of them.

    The window is 0 pixels high and wide where the grid does not touch the file.

    Raises
    ------
    RefusedFileError
        As `open_raster`; where the window is over the cap.
    """
    with open_raster(source) as dataset:
        window = _plan(dataset, grid, max(KERNEL_RADIUS_PX.values())).window
        _check_size(window, source.name)
        return _within(dataset, window)


def _check_size(window: Window, name: str) -> None:
    if window.width * window.height > MAX_WINDOW_PIXELS:
        needed = f"{window.height} x {window.width} px of it"
        raise RefusedFileError(f"{name}: the area needs {needed} at once; take a smaller area")


def _within(dataset: DatasetReader, window: Window) -> Window:
    """Return the part of a window that lies on the file."""
    top, left = max(window.row_off, 0), max(window.col_off, 0)
    bottom = min(window.row_off + window.height, dataset.height)
    right = min(window.col_off + window.width, dataset.width)
    return Window(left, top, right - left, bottom - top) if top < bottom and left < right else Window(0, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """Which pixels of a file to read; the window may reach beyond the file."""

    window: Window
    on_grid: bool
    widening: tuple[float, float]


def _plan(dataset: DatasetReader, grid: Grid, radius_px: int) -> _Plan:
    cols, rows = _grid_in_file(dataset, grid)
    if not cols.size:
        return _Plan(window=Window(-1, -1, 1, 1), on_grid=False, widening=(1.0, 1.0))
    left, top, right, bottom = (float(v) for v in (cols.min(), rows.min(), cols.max(), rows.max()))
    rounded = [round(v) for v in (left, top, right, bottom)]
    # A hundredth of a pixel over the whole grid is rounding of the transforms, not an offset.
    whole = all(abs(v - r) < 0.01 for v, r in zip((left, top, right, bottom), rounded, strict=True))
    same_size = (rounded[3] - rounded[1], rounded[2] - rounded[0]) == grid.shape
    if whole and same_size and _same_crs(dataset.crs, CRS.from_user_input(grid.crs)):
        window = Window(rounded[0], rounded[1], grid.width, grid.height)
        return _Plan(window=window, on_grid=True, widening=(1.0, 1.0))
    down, across = (bottom - top) / grid.height, (right - left) / grid.width
    widening = (down if down > WIDENED_FROM else 1.0, across if across > WIDENED_FROM else 1.0)
    # One pixel more than the kernel reaches, for the curvature of the edges between the points of the lattice.
    margin = [math.ceil(radius_px * factor) + 2 for factor in widening]
    first_row, first_col = math.floor(top) - margin[0], math.floor(left) - margin[1]
    size = (math.ceil(bottom) + margin[0] - first_row, math.ceil(right) + margin[1] - first_col)
    return _Plan(window=Window(first_col, first_row, size[1], size[0]), on_grid=False, widening=widening)


def _grid_in_file(dataset: DatasetReader, grid: Grid) -> tuple[Points, Points]:
    """Return (cols, rows) in file pixels of a lattice of points over `grid`, its corners included."""
    steps = np.linspace(0.0, 1.0, 33)
    cols, rows = (v.ravel() for v in np.meshgrid(steps * grid.width, steps * grid.height))
    xs, ys = _apply(grid.transform, cols, rows)
    crs = CRS.from_user_input(grid.crs)
    if not _same_crs(dataset.crs, crs):
        xs, ys = (np.asarray(v) for v in transform_points(crs, dataset.crs, xs, ys))
    known = np.isfinite(xs) & np.isfinite(ys)
    return _apply(~dataset.transform, xs[known], ys[known])


def _apply(t: Affine, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[Points, Points]:
    return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f


def _moved(t: Affine, *, cols: int, rows: int) -> Affine:
    """Return a north-up transform whose corner is that of the pixel (rows, cols)."""
    return Affine(t.a, 0.0, t.c + t.a * cols, 0.0, t.e, t.f + t.e * rows)


def _same_crs(one: CRS, other: CRS) -> bool:
    return bool(one == other or (one.to_epsg() is not None and one.to_epsg() == other.to_epsg()))


def _read_window(
    dataset: DatasetReader, band_index: int, window: Window, nodata: float | None
) -> tuple[FloatArray, BoolArray]:
    """Read a window that may reach beyond the file, where nothing is present."""
    numbers = np.zeros((window.height, window.width), np.float32)
    present = np.zeros(numbers.shape, np.bool_)
    inside = _within(dataset, window)
    if not inside.width:
        return numbers, present
    raw = dataset.read(band_index, window=inside)
    held = np.isfinite(raw) if nodata is None else np.isfinite(raw) & (raw != nodata)
    if MaskFlags.per_dataset in dataset.mask_flag_enums[band_index - 1]:
        held &= dataset.read_masks(band_index, window=inside) > 0
    top, left = inside.row_off - window.row_off, inside.col_off - window.col_off
    spot = np.s_[top : top + inside.height, left : left + inside.width]
    present[spot] = held
    numbers[spot] = np.where(held, raw, 0)
    return numbers, present


def put_on_grid(patch: Patch, grid: Grid, *, resampling: Resampling = "cubic") -> tuple[FloatArray, BoolArray]:
    """Return a patch on the pixels of `grid`, resampled only where its own pixels are not those of the grid.

    Parameters
    ----------
    patch
        From `read_patch` with the same grid and resampling.
    grid
        The grid.
    resampling
        The kernel.

    Returns
    -------
    numbers
        (row, col) float32, 0 where not valid.
    valid
        (row, col) True where every file pixel under the kernel is present.
    """
    if patch.on_grid:
        return patch.numbers, patch.present
    numbers = _warp(patch, grid, patch.numbers, kernel=Kernel[resampling])
    whole = _eroded(patch.present, [math.ceil(KERNEL_RADIUS_PX[resampling] * factor) for factor in patch.widening])
    valid = _warp(patch, grid, whole.astype(np.float32), kernel=Kernel.nearest) > 0
    return np.where(valid, numbers, np.float32(0)), valid


def _eroded(present: BoolArray, radii: Sequence[int]) -> BoolArray:
    if not any(radii):
        return present
    import cv2

    window = np.ones([2 * radius + 1 for radius in radii], np.uint8)
    kept = cv2.erode(present.astype(np.uint8), window, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return np.asarray(kept, dtype=np.bool_)


def _warp(patch: Patch, grid: Grid, values: FloatArray, *, kernel: Kernel) -> FloatArray:
    """Resample strip by strip (see `STRIP_COLS`); 0 where the patch does not reach."""
    result = np.zeros(grid.shape, np.float32)
    for first in range(0, grid.width, STRIP_COLS):
        strip = np.zeros((grid.height, min(STRIP_COLS, grid.width - first)), np.float32)
        reproject(
            values,
            strip,
            src_transform=patch.transform,
            src_crs=patch.crs,
            dst_transform=_moved(grid.transform, cols=first, rows=0),
            dst_crs=grid.crs,
            resampling=kernel,
            XSCALE=1 / patch.widening[1],
            YSCALE=1 / patch.widening[0],
        )
        result[:, first : first + strip.shape[1]] = strip
    return result
