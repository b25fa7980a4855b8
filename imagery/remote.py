"""Only the part of a remote raster that is needed, as a file on this machine.

A TIFF is asked for its first bytes, then for what else says where its blocks lie, then for the blocks under a grid.
What comes out is a file of the same size with holes, in which nothing can be read but those blocks. All else (JPEG
2000, servers without ranges) is fetched whole, under the cap of the request.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import rasterio
from affine import Affine
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from aoi import Grid
from imagery.errors import (
    BadAnswerError,
    BudgetError,
    ChangedError,
    ImageryError,
    NoRangeError,
    OfflineError,
    RefusedFileError,
    SourceError,
)
from imagery.exchange import Request
from imagery.files import Blob
from imagery.opening import open_raster, sniff_driver
from imagery.patch import needed_window
from imagery.ranges import HEAD_KEPT, RemoteFile, Sender, in_parallel
from imagery.tifflayout import Area, Image, UnplannedFileError, read_layout
from imagery.tiffplan import Plan, coalesce, coarsest_image, plan_area, write_copy

SCRATCH_NAME = "answer"
"""Of the file while it is made: what messages about it begin with."""


@dataclass(frozen=True, kw_only=True)
class _Local:
    """What of a remote file is here now."""

    path: Path
    image: Image | None
    """The image that can be read; None: all of them."""


def window(client: Sender, request: Request, grid: Grid, *, folder: Path) -> Path:
    """Return a local file from which a remote raster can be read onto `grid`, and nowhere else.

    Parameters
    ----------
    client
        Sends the requests and keeps the answers: what was fetched once is not fetched again.
    request
        For the whole file; `most_bytes` caps what is fetched of it.
    grid
        Where the pixels will go, in any CRS; see `imagery.patch.read_patch`.
    folder
        Where the file is written, with a name of its own.

    Raises
    ------
    BadAnswerError
        Where the file is not fit to be read, or not what its own header says, also when asked for anew.
    BudgetError
        Where the grid needs more bytes than the request allows.
    SourceError
        Where the server fails or the folder cannot be written.
    """
    return _fetch(client, request, grid, folder).path


def windows(client: Sender, requests: Sequence[Request], grid: Grid, *, folder: Path) -> list[Path]:
    """Return what `window` returns for each of several files, fetched side by side, in the order of the requests.

    Raises
    ------
    ImageryError
        As `window`, for the first file that fails; what was fetched of the others is kept.
    """
    return in_parallel(lambda request: window(client, request, grid, folder=folder), requests)


def coarsest(client: Sender, request: Request, *, folder: Path) -> Path:
    """Return a small local GeoTIFF of the whole of a remote raster: its coarsest overview, placed where it lies.

    Parameters
    ----------
    client, request, folder
        As for `window`.

    Raises
    ------
    ImageryError
        As `window`; a file without overviews is fetched whole, under the cap of the request.
    """
    local = _fetch(client, request, None, folder)
    target = local.path.with_suffix(".coarse.tif")
    with _writing(folder), _reading(request), open_raster(local.path) as dataset:
        shape = (local.image.height, local.image.width) if local.image else _coarsest_shape(dataset)
        _copy_small(dataset, shape, target)
    return target


def _coarsest_shape(dataset: DatasetReader) -> tuple[int, int]:
    """Return (rows, cols) of the coarsest overview of a file that is here as a whole."""
    factor = max(dataset.overviews(1) or [1])
    return math.ceil(dataset.height / factor), math.ceil(dataset.width / factor)


def _copy_small(dataset: DatasetReader, shape: tuple[int, int], target: Path) -> None:
    """Write all bands of a raster at a smaller size."""
    rows, cols = shape
    t, down, across = dataset.transform, dataset.height / rows, dataset.width / cols
    numbers = dataset.read(out_shape=(dataset.count, rows, cols))
    profile = {
        "driver": "GTiff",
        "count": dataset.count,
        "height": rows,
        "width": cols,
        "dtype": numbers.dtype,
        "crs": dataset.crs,
        "transform": Affine(t.a * across, 0.0, t.c, 0.0, t.e * down, t.f),
        "nodata": dataset.nodata,
    }
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"), rasterio.open(target, "w", **profile) as small:
        small.write(numbers)
        if _is_masked(dataset):
            small.write_mask(dataset.read_masks(1, out_shape=(rows, cols)))


def _is_masked(dataset: DatasetReader) -> bool:
    return MaskFlags.per_dataset in dataset.mask_flag_enums[0]


def _fetch(client: Sender, request: Request, grid: Grid | None, folder: Path) -> _Local:
    """Fetch what is needed; where it does not fit together, once more from the server instead of the cache."""
    try:
        return _fetch_once(client, request, grid, folder, fresh=False)
    except (ChangedError, RefusedFileError):
        with _reading(request):
            return _fetch_once(client, request, grid, folder, fresh=True)


@contextmanager
def _reading(request: Request) -> Iterator[None]:
    """Let a file that is not fit to be read be the server's failure."""
    try:
        yield
    except RefusedFileError as error:
        raise BadAnswerError(f"{request.url}: {str(error).removeprefix(SCRATCH_NAME + ': ')}") from error


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Make a folder where it is missing, and say what to do where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except ImageryError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise SourceError(f"imagery cannot be written to {folder} ({reason}): make room, or name another") from error


def _fetch_once(client: Sender, request: Request, grid: Grid | None, folder: Path, *, fresh: bool) -> _Local:
    try:
        remote = RemoteFile(client, request, fresh=fresh)
        if sniff_driver(Blob(name=SCRATCH_NAME, content=remote.pieces.read(0, min(12, remote.size)))) == "GTiff":
            return _fetch_blocks(remote, request, grid, folder)
    except (NoRangeError, UnplannedFileError, OfflineError):
        # Without a network only what was kept serves, and that may be the whole file.
        pass
    return _fetch_whole(client, request, grid, folder, fresh=fresh)


def _fetch_blocks(remote: RemoteFile, request: Request, grid: Grid | None, folder: Path) -> _Local:
    """Write a copy of a TIFF in which the needed blocks can be read."""
    layout = remote.with_bytes(lambda: read_layout(remote.pieces))
    image = coarsest_image(layout) if grid is None else layout.images[0]
    with _writing(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as scratch:
        # Nothing of the image itself is asked for before the file as it declares itself has passed all checks.
        copy = Path(scratch) / SCRATCH_NAME
        write_copy(copy, remote.pieces, Plan(layout=layout, parts=()))
        area = _area(copy, image, grid)
        plan = remote.with_bytes(lambda: plan_area(remote.pieces, layout, image, area))
        spans = coalesce(remote.pieces.lacking(plan.spans))
        _check_budget(spans, request)
        remote.take(spans)
        write_copy(copy, remote.pieces, plan)
        if grid is not None:
            _check_blocks(copy, area)
        return _Local(path=copy.replace(folder / _name(request, repr((remote.version, area)))), image=image)


def _area(copy: Path, image: Image, grid: Grid | None) -> Area:
    """Return which pixels of an image are needed, having checked what its file declares."""
    if grid is None:
        with open_raster(copy):
            return image.all
    return _as_area(needed_window(copy, grid))


def _as_area(spot: Window) -> Area:
    return spot.row_off, spot.col_off, spot.row_off + spot.height, spot.col_off + spot.width


def _check_budget(spans: Sequence[tuple[int, int]], request: Request) -> None:
    total = sum(count for _, count in spans)
    if total > request.most_bytes:
        raise BudgetError(
            f"{request.url}: {total:,} bytes of it are needed, over the cap of {request.most_bytes:,}; take a smaller"
            " area"
        )


def _check_blocks(copy: Path, area: Area) -> None:
    """Decode what was fetched: bytes that were spoilt on the way must not stay in the cache as good ones."""
    top, left, bottom, right = area
    spot = Window(left, top, right - left, bottom - top)
    if spot.width:
        with open_raster(copy) as dataset:
            for band in dataset.indexes:
                dataset.read(band, window=spot)
            if _is_masked(dataset):
                dataset.read_masks(1, window=spot)


def _fetch_whole(client: Sender, request: Request, grid: Grid | None, folder: Path, *, fresh: bool) -> _Local:
    """Fetch and write all of a file."""
    kept = timedelta(0) if fresh else max(HEAD_KEPT, request.keep or HEAD_KEPT)
    answer = client.send(replace(request, span=None, keep=kept))
    with _writing(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as scratch:
        copy = Path(scratch) / SCRATCH_NAME
        copy.write_bytes(answer.content)
        if grid is not None:
            _check_blocks(copy, _as_area(needed_window(copy, grid)))
        return _Local(path=copy.replace(folder / _name(request, "whole")), image=None)


def _name(request: Request, part: str) -> str:
    """Return a name that no other part of no other file has."""
    return hashlib.sha256(f"{request.url} {part}".encode()).hexdigest()[:40] + ".tif"
