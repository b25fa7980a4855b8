"""A writer of cloud-optimised GeoTIFFs: large granules of which little is drawn, at the cost of what is drawn.

Written from the TIFF 6.0 and GeoTIFF 1.1 specifications; little-endian classic TIFF, deflate, tiles in row order, the
overviews' pixels before those of full resolution, all directories at the front.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]
SMALLEST = 512
"""Overviews are made until both sides are at most this long."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A large raster of which only a window is drawn."""

    shape: tuple[int, int]
    """(rows, cols) of the whole."""
    window: Pixels
    """(row, col) or (row, col, sample)."""
    corner: tuple[int, int]
    """(row, col) of the window's first pixel; multiples of 16 keep the overviews aligned."""
    plain: Callable[[float, float], float]
    """The value of a block's pixels outside the window, by (row, col) of its centre; blocks are those of full
    resolution, so `block` is a power of two."""
    corner_m: tuple[float, float]
    """Easting and northing of the raster's corner."""
    gsd: float
    epsg: int
    block: int = 512
    nodata: float | None = None
    predictor: int = 1
    """2: differences of neighbours, for integers."""
    mean: bool = True
    """Overviews hold means of what is not nodata; else the first of each four."""


def _half(window: Pixels, nodata: float | None, *, mean: bool) -> Pixels:
    """Return a window at half its resolution."""
    rows, cols = window.shape[0] + window.shape[0] % 2, window.shape[1] + window.shape[1] % 2
    even = np.pad(window, [(0, rows - window.shape[0]), (0, cols - window.shape[1])], mode="edge")
    if not mean:
        return even[::2, ::2]
    fours = even.reshape(rows // 2, 2, cols // 2, 2).astype(np.float64)
    used = np.ones(fours.shape, np.bool_) if nodata is None else fours != nodata
    total = np.where(used, fours, 0).sum(axis=(1, 3)) / np.maximum(used.sum(axis=(1, 3)), 1)
    filled = np.where(used.any(axis=(1, 3)), total, nodata or 0)
    return (np.rint(filled) if window.dtype.kind in "iu" else filled).astype(window.dtype)


@lru_cache(maxsize=64)
def _plain_tile(value: float, dtype: str, block: int, predictor: int) -> bytes:
    """Return a compressed tile of one value."""
    return _packed(np.full((block, block), value, dtype), predictor)


def _packed(tile: Pixels, predictor: int) -> bytes:
    """Return a compressed tile."""
    if predictor == 2:
        tile = np.concatenate([tile[:, :1], np.diff(tile, axis=1)], axis=1)
    return zlib.compress(np.ascontiguousarray(tile).tobytes(), 6)


def _filler(sheet: Sheet, level: int, at: tuple[int, int]) -> tuple[float, NDArray[np.float64]]:
    """Return what fills a tile outside the window: one value, and the values of the finest blocks below the tile."""
    middles = (np.arange(2**level) + 0.5) * sheet.block
    top, left = at[0] * 2**level, at[1] * 2**level
    values = np.array([[sheet.plain(top + row, left + col) for col in middles] for row in middles])
    return float(values[0, 0]), values


def _tile(sheet: Sheet, level: int, window: Pixels, at: tuple[int, int]) -> bytes:
    """Return the compressed tile whose first pixel is `at`, on a level whose window is given."""
    top, left = at[0] - (sheet.corner[0] >> level), at[1] - (sheet.corner[1] >> level)
    rows = slice(max(top, 0), max(min(top + sheet.block, window.shape[0]), top, 0))
    cols = slice(max(left, 0), max(min(left + sheet.block, window.shape[1]), left, 0))
    part = window[rows, cols]
    value, values = _filler(sheet, level, at)
    if part.size == 0 and (values == value).all():
        return _plain_tile(value, window.dtype.str, sheet.block, sheet.predictor)
    fill = np.repeat(np.repeat(values, sheet.block >> level, axis=0), sheet.block >> level, axis=1)
    tile = np.empty((sheet.block, sheet.block, *window.shape[2:]), window.dtype)
    tile[:] = fill.reshape(*fill.shape, *[1] * (window.ndim - 2))
    if part.size:
        tile[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left] = part
    return _packed(tile, sheet.predictor)


def _level(sheet: Sheet, level: int, window: Pixels) -> tuple[tuple[int, int], list[bytes]]:
    """Return the shape of a level and its tiles."""
    rows, cols = (-(-size // 2**level) for size in sheet.shape)
    places = [(row, col) for row in range(0, rows, sheet.block) for col in range(0, cols, sheet.block)]
    return (rows, cols), [_tile(sheet, level, window, place) for place in places]


def _levels(sheet: Sheet, *, overviews: bool) -> list[tuple[tuple[int, int], list[bytes]]]:
    """Return shape and tiles of every level, finest first."""
    window, found = sheet.window, [_level(sheet, 0, sheet.window)]
    while overviews and max(found[-1][0]) > SMALLEST:
        window = _half(window, sheet.nodata, mean=sheet.mean)
        found.append(_level(sheet, len(found), window))
    return found


Tag = tuple[int, int, bytes, int]
"""Number, type, content, count."""


def _tags(sheet: Sheet, shape: tuple[int, int], places: list[int], sizes: list[int], *, first: bool) -> list[Tag]:
    """Return the tags of a level."""
    samples = sheet.window.shape[2] if sheet.window.ndim == 3 else 1
    kind = {"u": 1, "i": 2, "f": 3}[sheet.window.dtype.kind]

    def shorts(*values: int) -> tuple[int, bytes, int]:
        return 3, struct.pack(f"<{len(values)}H", *values), len(values)

    def longs(values: list[int]) -> tuple[int, bytes, int]:
        return 4, struct.pack(f"<{len(values)}I", *values), len(values)

    def doubles(*values: float) -> tuple[int, bytes, int]:
        return 12, struct.pack(f"<{len(values)}d", *values), len(values)

    told: dict[int, tuple[int, bytes, int]] = {
        254: longs([0 if first else 1]), 256: longs([shape[1]]), 257: longs([shape[0]]),
        258: shorts(*[8 * sheet.window.dtype.itemsize] * samples), 259: shorts(8), 262: shorts(1),
        277: shorts(samples), 284: shorts(1), 317: shorts(sheet.predictor), 322: shorts(sheet.block),
        323: shorts(sheet.block), 324: longs(places), 325: longs(sizes), 339: shorts(*[kind] * samples),
    }  # fmt: skip
    if samples > 1:
        told[338] = shorts(*[0] * (samples - 1))
    if first:
        west, north = sheet.corner_m
        told[33550] = doubles(sheet.gsd, sheet.gsd, 0)
        told[33922] = doubles(0, 0, 0, west, north, 0)
        # Model type, raster type "area", coordinate system: geographic codes have a key of their own.
        model, key = (2, 2048) if 4000 <= sheet.epsg < 5000 else (1, 3072)
        told[34735] = shorts(1, 1, 1, 3, 1024, 0, 1, model, 1025, 0, 1, 1, key, 0, 1, sheet.epsg)
    if sheet.nodata is not None:
        text = f"{sheet.nodata:g}".encode() + b"\0"
        told[42113] = (2, text, len(text))
    return [(number, kind, content, count) for number, (kind, content, count) in sorted(told.items())]


def _directory(tags: list[Tag], at: int, following: int) -> bytes:
    """Return a directory that starts at `at`, with what does not fit into it behind it."""
    entries, extra = b"", b""
    behind = at + 2 + 12 * len(tags) + 4
    for number, kind, content, count in tags:
        if len(content) <= 4:
            value = content.ljust(4, b"\0")
        else:
            value = struct.pack("<I", behind + len(extra))
            extra += content + b"\0" * (len(content) % 2)
        entries += struct.pack("<HHI", number, kind, count) + value
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following) + extra


def write(sheet: Sheet, *, overviews: bool = True) -> bytes:
    """Return the file."""
    # Every level asks for the same blocks again.
    sheet = replace(sheet, plain=cache(sheet.plain))
    levels = _levels(sheet, overviews=overviews)
    shapes = [shape for shape, _ in levels]
    sizes = [[len(tile) for tile in tiles] for _, tiles in levels]
    # Directories have the same length whatever the offsets are: a first round finds where the tiles begin.
    empty = [[0] * len(one) for one in sizes]
    lengths = [
        len(_directory(_tags(sheet, shape, places, size, first=not at), 0, 0))
        for at, (shape, places, size) in enumerate(zip(shapes, empty, sizes, strict=True))
    ]
    starts = [8 + sum(lengths[:at]) for at in range(len(lengths))]
    places, end = empty, 8 + sum(lengths)
    for at in reversed(range(len(levels))):
        places[at] = [end + sum(sizes[at][:number]) for number in range(len(sizes[at]))]
        end += sum(sizes[at])
    following = [*starts[1:], 0]
    file = struct.pack("<2sHI", b"II", 42, 8)
    for at, shape in enumerate(shapes):
        tags = _tags(sheet, shape, places[at], sizes[at], first=not at)
        file += _directory(tags, starts[at], following[at])
    return file + b"".join(b"".join(tiles) for _, tiles in reversed(levels))
