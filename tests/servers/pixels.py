"""The rasters of the world: each band of each product as a sheet in its own coordinates, and as a file."""

from __future__ import annotations

import hashlib
import math
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.ndimage import map_coordinates, uniform_filter

from tests.servers import cog, truth
from tests.servers.passes import TILES, Granule, Slice
from tests.servers.settings import Settings

GRANULE_M = 109_800
OTHER_BANDS = {
    "B01": (60, "B02", 0.9), "B05": (20, "B04", 1.2), "B06": (20, "B08", 0.8), "B07": (20, "B08", 0.95),
    "B8A": (20, "B08", 1.02), "B09": (60, "B08", 0.9), "B11": (20, "B04", 1.6), "B12": (20, "B04", 1.3),
}  # fmt: skip
"""Bands that are not drawn: pixel spacing, the band that they follow, and its factor."""
HALVES_Y = 3_921_500.0
"""Northing, EPSG:32636, at which a pass of two stations is cut."""
RTC_PLAIN, RTC_NODATA = 0.06, -32768.0
LOOKS = 4.4
"""Of the radar: multiplicative speckle, gamma distributed."""


class Place(NamedTuple):
    """The window of a raster in which the site is drawn."""

    corner: tuple[int, int]
    """(row, col) of its first pixel."""
    x: NDArray[np.float64]
    """Easting of pixel centres in EPSG:32636, (row, col)."""
    y: NDArray[np.float64]
    drawn: NDArray[np.bool_]
    """Where the site's sheet reaches."""


@cache
def change(source: int, target: int) -> Transformer:
    """Return a change of coordinates between two EPSG codes."""
    return Transformer.from_crs(source, target, always_xy=True)


@lru_cache(maxsize=64)
def place(epsg: int, west: float, north: float, gsd: int) -> Place:
    """Return the window of the site in a raster whose corner is given, on multiples of 16 pixels of 10 m."""
    box = change(32636, epsg).transform_bounds(truth.WEST, truth.SOUTH, truth.EAST, truth.NORTH)
    left, right = math.floor((box[0] - west) / 160), math.ceil((box[2] - west) / 160)
    top, bottom = math.floor((north - box[3]) / 160), math.ceil((north - box[1]) / 160)
    step = 160 // gsd if 160 % gsd == 0 else 1
    if gsd == 60:
        # 160 m is no multiple of 60 m: these are read by nobody who minds.
        left, right, top, bottom = (round(side * 160 / 60) for side in (left, right, top, bottom))
    rows, cols = np.arange(top * step, bottom * step), np.arange(left * step, right * step)
    x, y = np.meshgrid(west + (cols + 0.5) * gsd, north - (rows + 0.5) * gsd)
    x, y = change(epsg, 32636).transform(x, y)
    return Place((top * step, left * step), x, y, truth.inside(x, y))


def _sampled(sheet: NDArray[Any], at: Place, gsd: int, moved: tuple[float, float]) -> NDArray[np.float64]:
    """Return means of the truth's sheet at a raster's pixels, seen `moved` metres (east, north) away."""
    size = round(gsd / truth.CELL_M) - 1
    smooth = uniform_filter(sheet, size) if size > 1 else sheet
    where = truth.locate(at.x + moved[0], at.y + moved[1])
    return np.asarray(map_coordinates(smooth, where, order=1, mode="nearest", output=np.float64))


def _picked(sheet: NDArray[Any], at: Place) -> NDArray[Any]:
    """Return the truth's sheet at the cells nearest to a raster's pixels."""
    row, col = (np.clip(np.rint(axis).astype(int), 0, None) for axis in truth.locate(at.x, at.y))
    return np.asarray(sheet[np.minimum(row, truth.ROWS - 1), np.minimum(col, truth.COLS - 1)])


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a source shows a Sentinel-2 product."""

    raw: bool = True
    """ESA's numbers; else the offset is taken off them."""
    block: int = 1024
    half: int | None = None
    """0: the north alone, 1: the south alone; None: all of it."""


def _missing(granule: Granule, look: Look, settings: Settings, at: Place) -> NDArray[np.bool_]:
    """Return the pixels without data of a product."""
    gone = np.zeros(at.x.shape, np.bool_)
    if look.half is not None:
        gone |= (at.y > HALVES_Y) == bool(look.half)
    if granule.day in settings.wedge:
        gone |= (at.x - truth.WEST) + (truth.NORTH - at.y) < 3500
    return gone


def _filler(look: Look, north: float, gsd: int, value: float) -> Callable[[float, float], float]:
    """Return what fills the blocks outside the site: a value, and 0 in the half that the product lacks."""

    def plain(row: float, _: float) -> float:
        lacking = look.half is not None and (north - gsd * row > HALVES_Y) == bool(look.half)
        return 0 if lacking else value

    return plain


def _numbers(granule: Granule, look: Look, reflectance: Any) -> Any:
    """Return the numbers of a file: at least 1, since 0 is nodata."""
    shifted = look.raw and granule.baseline >= "04.00"
    if look.raw:
        return np.clip(np.rint(reflectance * 1e4 + (1000 if shifted else 0)), 1, 65535)
    # What was taken off raw numbers keeps their rounding.
    return np.clip(np.rint(reflectance * 1e4 + 1000) - 1000, 1, 65535)


def spacing(band: str) -> int:
    """Return the pixel spacing of a Sentinel-2 band, metres."""
    return 20 if band in ("SCL", "CLD", "SNW") else OTHER_BANDS.get(band, (10,))[0]


def granule_sheet(granule: Granule, band: str, look: Look, settings: Settings) -> cog.Sheet:
    """Return a band of a Sentinel-2 product."""
    epsg, (west, _, _, north) = TILES[granule.tile]
    gsd = spacing(band)
    at = place(epsg, west, north, gsd)
    pixels: NDArray[Any]
    if band == "SCL":
        pixels, plain = _classes(granule, settings, at), 5.0
    elif band in ("AOT", "WVP", "CLD", "SNW"):
        plain = {"AOT": 120.0, "WVP": 1800.0}.get(band, 0.0)
        pixels = np.full(at.x.shape, plain, np.uint8 if band in ("CLD", "SNW") else np.uint16)
    else:
        pixels, plain = _reflectances(granule, band, look, settings, at)
    pixels[_missing(granule, look, settings, at)] = 0
    size = GRANULE_M // gsd
    # For whole blocks the neighbour zone's northing is near enough to that of EPSG:32636.
    return cog.Sheet(shape=(size, size), window=pixels, corner=at.corner,
                     plain=_filler(look, north, gsd, plain), corner_m=(west, north),
                     gsd=gsd, epsg=epsg, block=look.block, nodata=0 if settings.declare_nodata else None,
                     predictor=2, mean=band != "SCL")  # fmt: skip


def _classes(granule: Granule, settings: Settings, at: Place) -> NDArray[np.uint8]:
    """Return the scene classification in the window."""
    sky = settings.skies.get(granule.day, "clear")
    sheet = truth.classes(granule.day, sky, paved_is_cloud=granule.day in settings.apron_is_cloud)
    return np.where(at.drawn, _picked(sheet, at), 5).astype(np.uint8)


def _reflectances(
    granule: Granule, band: str, look: Look, settings: Settings, at: Place
) -> tuple[NDArray[np.uint16], float]:
    """Return the numbers of a band in the window, and that of all ground outside."""
    gsd, base, factor = OTHER_BANDS.get(band, (10, band, 1.0))
    sky = settings.skies.get(granule.day, "clear")
    seen = factor * _sampled(truth.reflectance(granule.day, base, sky), at, gsd, truth.shift(granule.day))
    plain = float(_numbers(granule, look, np.float64(factor * truth.PLAIN[base])))
    pixels = np.where(at.drawn, _numbers(granule, look, seen), plain).astype(np.uint16)
    if granule.day in settings.water_zeros:
        holes = np.random.default_rng(3).random(pixels.shape) < 0.01
        pixels[holes & (_picked(truth.water(), at)) & at.drawn] = 0
    return pixels, plain


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The raster of a radar slice."""

    epsg: int
    west: float
    north: float
    rows: int
    cols: int
    outline: tuple[tuple[float, float], ...]
    """Corners of the swath, metres, closed."""

    @property
    def transform(self) -> list[float]:
        """As STAC writes it."""
        return [10.0, 0.0, self.west, 0.0, -10.0, self.north]


@lru_cache(maxsize=256)
def frame(product: Slice) -> Frame:
    """Return the raster of a slice: the zone of its middle, corners on multiples of 160 m."""
    epsg = 32636 if (product.bounds[0] + product.bounds[2]) / 2 < 36 else 32637
    corners = [change(4326, epsg).transform(lon, lat) for lon, lat in product.outline]
    x, y = zip(*corners, strict=True)
    west, north = 160 * math.floor(min(x) / 160), 160 * math.ceil(max(y) / 160)
    rows, cols = math.ceil((north - min(y)) / 10), math.ceil((max(x) - west) / 10)
    return Frame(epsg=epsg, west=west, north=north, rows=rows, cols=cols, outline=tuple(corners))


def _within(corners: tuple[tuple[float, float], ...], x: float, y: float) -> bool:
    """Return whether a point lies inside a convex outline, closed."""
    sides = pairwise(corners)
    turns = [(bx - ax) * (y - ay) - (by - ay) * (x - ax) for (ax, ay), (bx, by) in sides]
    return all(turn > 0 for turn in turns) or all(turn < 0 for turn in turns)


def slice_sheet(product: Slice, polarisation: str, settings: Settings) -> cog.Sheet:
    """Return gamma0 of a radar slice: linear power, -32768 outside the swath, a strip of 0 along its sides."""
    raster = frame(product)
    at = place(raster.epsg, raster.west, raster.north, 10)
    day = product.time[:10]
    down, right = settings.rtc_shift_px.get(day, [0.0, 0.0])
    mean = _sampled(truth.backscatter(day, polarisation), at, 10, (-10 * right, 10 * down))
    rng = np.random.default_rng([zlib.crc32(product.id.encode()), ord(polarisation[1])])
    seen = np.where(at.drawn, mean, RTC_PLAIN) * rng.gamma(LOOKS, 1 / LOOKS, at.x.shape)
    pixels = seen.astype(np.float32)
    if day in settings.rtc_bad:
        for first, last, value in ((100, 130, 0), (150, 170, RTC_NODATA), (190, 200, np.nan), (220, 230, -0.01)):
            pixels[:, first:last] = value

    def plain(row: float, col: float) -> float:
        x, y = raster.west + 10 * col, raster.north - 10 * row
        if not _within(raster.outline, x, y):
            return RTC_NODATA
        return RTC_PLAIN if all(_within(raster.outline, x + aside, y) for aside in (-8000, 8000)) else 0.0

    corners = zip(at.corner, at.x.shape, strict=True)
    (top, bottom), (left, far) = ((first, first + size) for first, size in corners)
    seen_at_all = all(_within(raster.outline, raster.west + 10 * col, raster.north - 10 * row)
                      for row in (top, bottom) for col in (left, far))  # fmt: skip
    if not seen_at_all:
        pixels, at = np.full((16, 16), RTC_NODATA, np.float32), at._replace(corner=(0, 0))
    return cog.Sheet(shape=(raster.rows, raster.cols), window=pixels, corner=at.corner, plain=plain,
                     corner_m=(raster.west, raster.north), gsd=10, epsg=raster.epsg, nodata=RTC_NODATA)  # fmt: skip


def values_at(sheet: cog.Sheet, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a sheet's values nearest to places in its own coordinates; 0 outside it."""
    row = np.floor((sheet.corner_m[1] - y) / sheet.gsd).astype(int)
    col = np.floor((x - sheet.corner_m[0]) / sheet.gsd).astype(int)
    on = (row >= 0) & (row < sheet.shape[0]) & (col >= 0) & (col < sheet.shape[1])
    found = np.zeros(x.shape)
    found[on] = _plain_values(sheet, row[on], col[on])
    row, col = row - sheet.corner[0], col - sheet.corner[1]
    drawn = on & (row >= 0) & (row < sheet.window.shape[0]) & (col >= 0) & (col < sheet.window.shape[1])
    found[drawn] = sheet.window[row[drawn], col[drawn]]
    return found


def _plain_values(sheet: cog.Sheet, row: NDArray[Any], col: NDArray[Any]) -> NDArray[np.float64]:
    """Return what fills the blocks that pixels lie in."""
    if not row.size:
        return np.zeros(0)
    rows, cols = row // sheet.block, col // sheet.block
    down, right = range(rows.min(), rows.max() + 1), range(cols.min(), cols.max() + 1)
    table = np.array([[sheet.plain((r + 0.5) * sheet.block, (c + 0.5) * sheet.block) for c in right] for r in down])
    return np.asarray(table[rows - down.start, cols - right.start])


def kept(folder: Path | None, key: str, make: Callable[[], bytes]) -> bytes:
    """Return a file from the folder that server processes share, or make it and leave it there."""
    if not folder:
        return make()
    path = folder / hashlib.sha256(key.encode()).hexdigest()
    if not path.exists():
        content = make()
        part = path.with_suffix(f".{os.getpid()}-{id(content)}")
        part.write_bytes(content)
        part.replace(path)
    return path.read_bytes()
