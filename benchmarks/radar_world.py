"""Simulated Sentinel-1 dates of an area with a known truth: correlated speckle, fixed bright points, and objects.

Written apart from the product's own injection (`detect/radar_detectability.py`): each look is a complex field of
speckle to which every bright point adds with a phase of its own. Backscatter and cross-sections are assumptions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from shapely.geometry import box, mapping
from shapely.geometry.polygon import orient

from aoi import Grid
from aoi.geometry import to_lonlat
from imagery.geotiff import write_cog
from revisit.demo.items import DESCRIPTION
from revisit.demo.traffic import Parked
from revisit.plain import write_json

Values = NDArray[np.float64]

ORBIT, DIRECTION, PLATFORM = 14, "ascending", "sentinel-1a"
LOOKS = 5
RESPONSE_PX = 1.25
"""Standard deviation of the amplitude response: about 21 m of resolution on pixels of 10 m."""
GROUND_DB = {"VV": -12.0, "VH": -18.0}
"""Grass and soil."""
PAVED_DB = {"VV": -17.0, "VH": -21.0}
"""Concrete, noise floor included."""
TEXTURE_DB = 1.5
CROSS_DB = 8.0
"""By how much VH is weaker for a made object."""
POINT_M = 9.0
"""Bright points of an object stand so far apart."""
ASPECT_DB, FADING_DB = 5.0, 2.5
"""Standard deviation of a cross-section over aspects (once per object) and from look to look."""
DBSM = {"An-124": 32.0, "Il-76": 28.0, "Su-24": 19.0, "lorry": 8.0}
STRUCTURES, STRUCTURE_DBSM = 40, 33.0
"""Hangars and masts that never move."""


@dataclass(frozen=True, kw_only=True)
class RadarGround:
    """What a radar date shows where nothing is parked."""

    decibels: dict[str, Values]
    """By polarisation, (row, col)."""
    structures: Values
    """(point, 3): row, col, cross-section in dBsm."""


def radar_ground(grid: Grid, paved: NDArray[np.bool_], rng: np.random.Generator) -> RadarGround:
    """Return ground with texture, concrete where `paved` (row, col), and structures that stand off it."""
    texture = gaussian_filter(rng.standard_normal(grid.shape), 2.0)
    texture *= TEXTURE_DB / texture.std()
    decibels = {name: np.where(paved, PAVED_DB[name], GROUND_DB[name] + texture) for name in GROUND_DB}
    rows, cols = np.nonzero(~paved)
    chosen = rng.choice(len(rows), STRUCTURES, replace=False)
    points = [rows[chosen], cols[chosen], rng.normal(STRUCTURE_DBSM, 3, STRUCTURES)]
    return RadarGround(decibels=decibels, structures=np.stack(points, axis=1).astype(float))


def points_of(thing: Parked, grid: Grid, rng: np.random.Generator) -> Values:
    """Return the bright points (point, 3) of a parked object on one date: row, col, cross-section in dBsm.

    The share of an object's points and its aspect are the same on all its dates: it stands still.
    """
    own = np.random.default_rng(round(1000 * thing.x) + round(1000 * thing.y))
    count = int(np.clip(thing.model.length_m / POINT_M, 1, 8))
    along = own.uniform(-0.45, 0.45, count) * thing.model.length_m / grid.gsd
    shares, heading = own.dirichlet(np.ones(count)), np.radians(thing.heading_deg)
    total = DBSM[thing.model.name] + own.normal(0, ASPECT_DB) + rng.normal(0, FADING_DB)
    west, _, _, north = grid.bounds
    col, row = (thing.x - west) / grid.gsd, (north - thing.y) / grid.gsd
    return np.stack(
        [
            row - 0.5 - along * np.cos(heading),
            col - 0.5 + along * np.sin(heading),
            total + 10 * np.log10(np.maximum(shares, 1e-3)),
        ],
        axis=1,
    )


def _response(shape: tuple[int, int], row: float, col: float) -> tuple[tuple[slice, slice], Values]:
    """Return the window around a point and the amplitude response there, of unit energy."""
    reach = 6
    top, left = max(round(row) - reach, 0), max(round(col) - reach, 0)
    window = (slice(top, min(round(row) + reach + 1, shape[0])), slice(left, min(round(col) + reach + 1, shape[1])))
    rows, cols = np.mgrid[window]
    square = (rows - row) ** 2 + (cols - col) ** 2
    return window, np.exp(-square / (2 * RESPONSE_PX**2)) / np.sqrt(np.pi * RESPONSE_PX**2)


def radar_date(ground: RadarGround, points: Values, *, gsd: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return one date (VV and VH, row, col), linear power."""
    bands = []
    level = rng.normal(0, 0.2)
    for k, decibels in enumerate(ground.decibels.values()):
        power, out = 10 ** ((decibels + level) / 10), np.zeros(decibels.shape)
        for _ in range(LOOKS):
            noise = [gaussian_filter(rng.standard_normal(decibels.shape), RESPONSE_PX) for _ in range(2)]
            look = (noise[0] + 1j * noise[1]) / noise[0].std() * np.sqrt(power / 2)
            for row, col, dbsm in points:
                window, shape = _response(decibels.shape, float(row), float(col))
                phase = np.exp(2j * np.pi * rng.random())
                look[window] += 10 ** ((dbsm - CROSS_DB * k) / 20) / gsd * shape * phase
            out += np.abs(look) ** 2 / LOOKS
        bands.append(out)
    return np.stack(bands).astype(np.float32)


def write_radar_date(
    folder: Path, ground: RadarGround, things: Sequence[Parked], moment: datetime, *, grid: Grid, seed: list[int]
) -> None:
    """Write one date as a STAC Item beside its bands."""
    rng = np.random.default_rng(seed)
    standing = [points_of(thing, grid, rng) for thing in things if moment.date() in thing.days]
    image = radar_date(ground, np.concatenate([ground.structures, *standing]), gsd=grid.gsd, rng=rng)
    name = f"S1A_IW_GRDH_1SDV_{moment:%Y%m%dT%H%M%S}_SIM"
    (folder / name).mkdir(parents=True, exist_ok=True)
    assets = {}
    for band, pixels in zip(GROUND_DB, image, strict=True):
        write_cog(folder / name / f"{band}.tif", pixels[None], grid=grid, descriptions=[band])
        assets[band] = {
            "href": f"./{name}/{band}.tif",
            "raster:bands": [{"data_type": "float32", "nodata": "nan", "scale": 1, "offset": 0}],
        }
    outline = orient(to_lonlat(box(*grid.bounds), grid.crs))
    write_json(folder / f"{name}.json", {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": mapping(outline),
        "bbox": list(outline.bounds), "links": [], "assets": assets,
        "properties": {
            "datetime": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "platform": PLATFORM, "constellation": "sentinel-1",
            "proj:code": grid.crs, "sat:relative_orbit": ORBIT, "sat:orbit_state": DIRECTION,
            "simulated": True, "description": DESCRIPTION,
        },
    })  # fmt: skip
