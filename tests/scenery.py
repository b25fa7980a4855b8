"""Small scenes with a known truth, written to disk as a user's folder would hold them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.ndimage import gaussian_filter

EPSG = 32636
ORIGIN = (700_000.0, 3_900_000.0)
"""North-west corner, metres: open sea, so that no result can be taken for one of a place."""
SIZE = 160
BANDS = ("B02", "B03", "B04", "B08")
SCALE, OFFSET = 1e-4, -0.1
BLOCK = (slice(70, 76), slice(80, 86))
"""(rows, cols) of the object that appears: 60 x 60 m."""


def lonlat(col: float, row: float) -> list[float]:
    """Return [longitude, latitude] of a place in pixels of the scene."""
    change = Transformer.from_crs(EPSG, 4326, always_xy=True)
    return list(change.transform(ORIGIN[0] + 10 * col, ORIGIN[1] - 10 * row))


def ring(west: float, north: float, east: float, south: float) -> list[list[list[float]]]:
    """Return the coordinates of a lon/lat polygon around a box in pixels of the scene."""
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return [[lonlat(*corner) for corner in corners]]


def feature(role: str, name: str, box: tuple[float, float, float, float], **properties: Any) -> dict[str, Any]:
    """Return a feature of an area file."""
    geometry = {"type": "Polygon", "coordinates": ring(*box)}
    return {"type": "Feature", "geometry": geometry, "properties": {"type": role, "name": name, **properties}}


def write_area(path: Path, *zones: dict[str, Any]) -> Path:
    """Write an area of 120 x 120 pixels in the middle of the scene, with zones."""
    # A third of a pixel less on each side: a straight edge in lon/lat bulges by centimetres in metres.
    features = [feature("area", "testfield", (20.3, 20.3, 139.7, 139.7)), *zones]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def ground(seed: int = 1) -> NDArray[Any]:
    """Return (4, row, col) reflectance of textured ground that never changes."""
    rng = np.random.default_rng(seed)
    fields = [gaussian_filter(rng.standard_normal((SIZE, SIZE)), sigma) * sigma for sigma in (1.5, 6)]
    texture = 0.03 * fields[0] + 0.03 * fields[1]
    return np.stack([level * (1 + texture) for level in (0.10, 0.13, 0.16, 0.20)])


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One date."""

    day: str
    block: bool = False
    """Whether the object stands there."""
    cloud: slice | None = None
    """Rows under cloud (SCL 9, bright)."""
    empty: slice | None = None
    """Rows without data."""
    properties: dict[str, Any] | None = None
    """Of the Item, beside the usual ones."""
    seed: int = 0
    rolled: int = 0
    """Columns by which the scene lies too far east."""
    place: int = 1
    """Another number is another ground."""

    @property
    def id(self) -> str:
        """Name of the Item."""
        return f"S2B_L2A_{self.day.replace('-', '')}T082000"


def picture(one: Pass) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return (4, row, col) reflectance with noise, and the SCL at 20 m."""
    image = ground(one.place).copy()
    if one.block:
        image[:, BLOCK[0], BLOCK[1]] += 0.25
    image = np.roll(image, one.rolled, axis=2)
    noise = np.random.default_rng([one.seed, int(one.day.replace("-", ""))])
    image += 0.001 * noise.standard_normal(image.shape)
    scl = np.full((SIZE // 2, SIZE // 2), 5, np.uint8)
    if one.cloud:
        image[:, one.cloud] = 0.75 + 0.01 * noise.standard_normal(image[:, one.cloud].shape)
        scl[one.cloud.start // 2 : one.cloud.stop // 2] = 9
    return image, scl


def write_band(path: Path, pixels: NDArray[Any], gsd: float) -> None:
    """Write one band as a plain GeoTIFF, nodata 0."""
    transform = Affine(gsd, 0, ORIGIN[0], 0, -gsd, ORIGIN[1])
    shape = {"height": pixels.shape[0], "width": pixels.shape[1], "count": 1, "dtype": pixels.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs=f"EPSG:{EPSG}", transform=transform, nodata=0, **shape) as file:
        file.write(pixels, 1)


def write_pass(folder: Path, one: Pass) -> Path:
    """Write a date as a STAC Item beside its bands; return the Item's path."""
    image, scl = picture(one)
    numbers = np.clip(np.round((image - OFFSET) / SCALE), 1, 65535).astype(np.uint16)
    if one.empty:
        numbers[:, one.empty] = 0
    (folder / one.id).mkdir(parents=True)
    assets = {}
    for band, pixels in zip(BANDS, numbers, strict=True):
        write_band(folder / one.id / f"{band}.tif", pixels, 10)
        told = {"nodata": 0, "data_type": "uint16", "scale": SCALE, "offset": OFFSET}
        assets[band] = {"href": f"./{one.id}/{band}.tif", "raster:bands": [told]}
    write_band(folder / one.id / "SCL.tif", scl, 20)
    assets["SCL"] = {"href": f"./{one.id}/SCL.tif", "raster:bands": [{"nodata": 0, "data_type": "uint8"}]}
    path = folder / f"{one.id}.json"
    path.write_text(json.dumps(stac_item(one, assets)))
    return path


def stac_item(one: Pass, assets: dict[str, Any]) -> dict[str, Any]:
    """Return the STAC Item of a date."""
    properties = {
        "datetime": f"{one.day}T08:20:00Z",
        "platform": "sentinel-2b",
        "proj:epsg": EPSG,
        "sat:relative_orbit": 121,
        "sat:orbit_state": "descending",
        "s2:processing_baseline": "05.11",
    }
    (west, south), (east, north) = lonlat(0, SIZE), lonlat(SIZE, 0)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": one.id,
        "geometry": {"type": "Polygon", "coordinates": ring(0, 0, SIZE, SIZE)},
        "bbox": [west, south, east, north],
        "properties": properties | (one.properties or {}),
        "links": [],
        "assets": assets,
    }


def write_scenes(folder: Path, *passes: Pass) -> Path:
    """Write dates into a folder; return it."""
    for one in passes:
        write_pass(folder, one)
    return folder
