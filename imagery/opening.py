"""The only way a raster file is opened: by one named driver, after its first bytes, without side files, within caps.

Opening is no test of integrity: GDAL opens a truncated file and reads what comes before the cut. So every read that
fails is a refusal, and nothing is ever filled in for it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader, MemoryFile

from imagery.errors import RefusedFileError
from imagery.files import Blob
from imagery.hardening import FILE_OPTIONS, check_hardening

MAGIC = {
    b"II*\0": "GTiff",
    b"MM\0*": "GTiff",
    b"II+\0": "GTiff",
    b"MM\0+": "GTiff",
    b"\0\0\0\x0cjP  ": "JP2OpenJPEG",
    b"\xff\x4f\xff\x51": "JP2OpenJPEG",
}
"""First bytes of a file -> the one driver that may open it (classic and big TIFF, JP2, JPEG 2000 code stream)."""

MAX_PIXELS = 800_000_000
"""Rows x columns of a file: six times a Sentinel-2 tile at 10 m, a third more than a terrain-corrected slice of
Sentinel-1, whose frame of 28 205 x 20 579 px its ground fills by half."""
MAX_BANDS = 64
MAX_BLOCK_SAMPLES = 2**25
"""Numbers that decoding one block may ask for, all bands that are stored together: half a block of 8192 x 8192 px, yet
13 bands of 1600 x 1600 px in one strip pass. Published scenes have a million at most."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a raster file says of itself, checked."""

    driver: str
    width: int
    height: int
    dtypes: tuple[str, ...]
    """By band."""
    nodata: float | None
    """Of the first band."""
    crs: str
    """"EPSG:..." where it has a code, else WKT."""
    transform: Affine
    """North up, no rotation."""
    descriptions: tuple[str | None, ...]
    """By band."""
    masked: bool
    """Whether it carries a mask beside its numbers."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in units of `crs`."""
        t = self.transform
        return t.c, t.f + t.e * self.height, t.c + t.a * self.width, t.f


def sniff_driver(source: Path | Blob) -> str:
    """Return the driver that a file's first bytes call for, whatever its name.

    Raises
    ------
    RefusedFileError
        Where they are neither those of a TIFF nor of a JPEG 2000 file.
    """
    if isinstance(source, Blob):
        head = source.content[:12]
    else:
        try:
            with source.open("rb") as file:
                head = file.read(12)
        except OSError as error:
            raise RefusedFileError(f"{source.name}: cannot be opened ({error.strerror})") from error
    for magic, driver in MAGIC.items():
        if head.startswith(magic):
            return driver
    begins = f"begins with {head[:8]!r}" if head else "is empty"
    raise RefusedFileError(f"{source.name}: {begins}, which is neither TIFF nor JPEG 2000; not opened")


@cache
def _start() -> None:
    check_hardening()


@contextmanager
def open_raster(source: Path | Blob) -> Iterator[DatasetReader]:
    """Open a raster by the driver that its first bytes name and check what it declares, before any pixel is read.

    Parameters
    ----------
    source
        A local path, links already resolved, or a file in memory.

    Raises
    ------
    RefusedFileError
        For anything but a north-up TIFF or JPEG 2000 file with a CRS, of real numbers, within the caps of this module;
        and for any failure to read while it is open.
    """
    driver = sniff_driver(source)
    _start()
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(**FILE_OPTIONS))
        try:
            dataset = stack.enter_context(_open(source, driver, stack))
            _check(dataset, source)
            yield dataset
        except RasterioError as error:
            raise RefusedFileError(f"{source.name}: truncated or damaged ({error.__cause__ or error})") from error


def _open(source: Path | Blob, driver: str, stack: ExitStack) -> DatasetReader:
    with warnings.catch_warnings():
        # A file without a georeference is refused by `_check`, in one line.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        if isinstance(source, Blob):
            memory = stack.enter_context(MemoryFile(source.content))
            return memory.open(driver=driver, GEOREF_SOURCES="INTERNAL")
        return rasterio.open(source.absolute(), driver=driver, sharing=False, GEOREF_SOURCES="INTERNAL")


def _check(dataset: DatasetReader, source: Path | Blob) -> None:
    for problem in _problems(dataset):
        raise RefusedFileError(f"{source.name}: {problem}; not used")


def _problems(dataset: DatasetReader) -> Iterator[str]:
    """Yield what is wrong with the declaration of a file, sizes first: the rest is not asked of a bomb."""
    size = f"{dataset.height} x {dataset.width} px"
    if dataset.width * dataset.height > MAX_PIXELS:
        yield f"declares {size}, over the cap of {MAX_PIXELS:,} px"
    if dataset.count > MAX_BANDS or dataset.count < 1:
        yield f"declares {dataset.count} bands; 1 to {MAX_BANDS} are accepted"
    rows, cols = dataset.block_shapes[0]
    samples = rows * cols * _bands_together(dataset)
    if samples > MAX_BLOCK_SAMPLES:
        yield f"has blocks of {rows} x {cols} px, {samples:,} numbers, over the cap of {MAX_BLOCK_SAMPLES:,}"
    if any(np.dtype(dtype).kind not in "uif" for dtype in dataset.dtypes):
        yield f"holds {dataset.dtypes[0]} numbers; real numbers are needed"
    if dataset.crs is None or not (dataset.crs.is_projected or dataset.crs.is_geographic):
        yield "has no coordinate reference system of its own"
    t = dataset.transform
    if t.is_identity or not all(map(math.isfinite, t)):
        yield "has no georeference (ground control points alone do not serve)"
    if t.b or t.d or t.a <= 0 or t.e >= 0:
        yield f"is rotated, sheared or not north up: transform {tuple(round(v, 6) for v in t[:6])}"


def _bands_together(dataset: DatasetReader) -> int:
    by_pixel = dataset.interleaving is not None and dataset.interleaving.value == "PIXEL"
    return int(dataset.count) if by_pixel else 1


def crs_name(crs: CRS) -> str:
    """Return "EPSG:..." where a CRS has a code, else its WKT."""
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def inspect(source: Path | Blob) -> Header:
    """Return what a raster file says of itself, having checked it without reading a pixel.

    Raises
    ------
    RefusedFileError
        As `open_raster`; also for a TIFF whose last block lies beyond the end of the file.
    """
    with open_raster(source) as dataset:
        if isinstance(source, Path) and _ends_early(dataset, source.stat().st_size):
            raise RefusedFileError(f"{source.name}: truncated: its last block lies beyond the end of the file")
        return Header(
            driver=dataset.driver,
            width=dataset.width,
            height=dataset.height,
            dtypes=tuple(dataset.dtypes),
            nodata=dataset.nodata,
            crs=crs_name(dataset.crs),
            transform=dataset.transform,
            descriptions=tuple(dataset.descriptions),
            masked=any(MaskFlags.per_dataset in flags for flags in dataset.mask_flag_enums),
        )


def _ends_early(dataset: DatasetReader, size: int) -> bool:
    rows, cols = dataset.block_shapes[-1]
    block = f"{math.ceil(dataset.width / cols) - 1}_{math.ceil(dataset.height / rows) - 1}"
    offset, length = (
        dataset.get_tag_item(f"BLOCK_{what}_{block}", "TIFF", bidx=dataset.count) for what in ("OFFSET", "SIZE")
    )
    return offset is not None and length is not None and int(offset) + int(length) > size
