"""The ground at Khmeimim that all stand-ins show: invented, drawn once, seen through any grid.

Everything is drawn on one sheet of 5 m cells in EPSG:32636 and sampled at pixel centres of whichever tile is asked
for: 36SYE and 37SBV then hold the same pass twice, as the real ones do. Nothing here was photographed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aoi.formats import load_area
from aoi.geometry import to_crs

Floats = NDArray[np.float32]

CELL_M = 5.0
WEST, SOUTH, EAST, NORTH = 765_080.0, 3_918_740.0, 770_520.0, 3_924_260.0
"""The ground that is drawn, EPSG:32636: the site and some 150 m around it, on multiples of 160 m from the corner of
granule 36SYE."""
RIM = 20
"""Cells drawn beyond that on every side, for looking past the edge."""
ROWS, COLS = int((NORTH - SOUTH) / CELL_M) + 2 * RIM, int((EAST - WEST) / CELL_M) + 2 * RIM
BANDS = ("B02", "B03", "B04", "B08")
NOISE = 0.0008
"""Of a cell; a pixel of 10 m has about half of it."""
PLAIN = {"B02": 0.06, "B03": 0.08, "B04": 0.09, "B08": 0.21}
"""Reflectance of all ground outside the sheet."""
WATER_CELLS = 80
"""Width of the water along the sheet's west edge; the real coast is not that near."""
FIRST, LAST = "0000-00-00", "9999-99-99"


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Something parked."""

    name: str
    zone: str
    """Name of the zone that it stands in."""
    east_m: float
    north_m: float
    """From the zone's centre."""
    length_m: float
    width_m: float
    heading_deg: float
    brighter: float
    """Reflectance over the pavement; the same in all bands."""
    first: str = FIRST
    """First day, such as "2024-12-07"."""
    last: str = LAST
    """Last day."""

    def is_there(self, day: str) -> bool:
        """Return whether it stands there on a day."""
        return self.first <= day <= self.last


THINGS = (
    Thing(name="transport 1", zone="apron-north", east_m=-60, north_m=40, length_m=70, width_m=60, heading_deg=20,
          brighter=0.20, first="2024-12-08"),
    Thing(name="transport 2", zone="apron-north", east_m=60, north_m=-40, length_m=48, width_m=46, heading_deg=20,
          brighter=0.22, last="2024-12-09"),
    Thing(name="transport 3", zone="apron-centre", east_m=0, north_m=50, length_m=48, width_m=46, heading_deg=0,
          brighter=0.20),
    Thing(name="transport 4", zone="apron-centre", east_m=0, north_m=-60, length_m=48, width_m=46, heading_deg=0,
          brighter=0.20, last="2024-12-04"),
    Thing(name="containers", zone="apron-south", east_m=0, north_m=0, length_m=80, width_m=30, heading_deg=85,
          brighter=0.18, first="2024-12-12"),
    Thing(name="fighters", zone="hardstand-nw", east_m=0, north_m=0, length_m=60, width_m=18, heading_deg=95,
          brighter=0.12, last="2024-12-02"),
    Thing(name="launchers", zone="air-defence", east_m=0, north_m=0, length_m=40, width_m=40, heading_deg=45,
          brighter=0.16, last="2024-12-09"),
    Thing(name="vehicles", zone="equipment-yard", east_m=0, north_m=0, length_m=90, width_m=40, heading_deg=10,
          brighter=-0.09, last="2024-12-11"),
)  # fmt: skip
"""What changes between 2024-11-30 and 2024-12-20, and one that stays."""


@cache
def _cells() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return easting and northing of the cells' centres."""
    x = WEST + (np.arange(COLS) - RIM + 0.5) * CELL_M
    y = NORTH - (np.arange(ROWS) - RIM + 0.5) * CELL_M
    return np.meshgrid(x, y)


@cache
def _zones() -> dict[str, Any]:
    """Return the site's zones in EPSG:32636 by name."""
    return {zone.name: to_crs(zone.geometry, "EPSG:32636") for zone in load_area("khmeimim").zones}


@cache
def pavement() -> NDArray[np.bool_]:
    """Return where the sheet is paved."""
    from skimage.draw import polygon2mask

    paved = np.zeros((ROWS, COLS), np.bool_)
    for shape in _zones().values():
        x, y = np.asarray(shape.exterior.coords).T[:2]
        corners = np.stack([(NORTH - y) / CELL_M + RIM, (x - WEST) / CELL_M + RIM], axis=1) - 0.5
        paved |= np.asarray(polygon2mask((ROWS, COLS), corners), np.bool_)  # type: ignore[no-untyped-call]
    return paved


@cache
def water() -> NDArray[np.bool_]:
    """Return where the sheet is water."""
    edge = WATER_CELLS + RIM + 12 * np.sin(np.arange(ROWS) / 60)
    return (np.arange(COLS) < edge[:, np.newaxis]) & ~pavement()


@cache
def fields() -> tuple[NDArray[np.intp], Floats]:
    """Return the number of the field of each cell, and how green each field is, 0 to 1."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(2024)
    seeds = rng.uniform((0, 0), (ROWS, COLS), (500, 2))
    rows, cols = np.indices((ROWS // 2 + 1, COLS // 2 + 1))
    _, nearest = cKDTree(seeds).query(2 * np.stack([rows.ravel(), cols.ravel()], axis=1) + 0.5)
    return _enlarged(nearest.reshape(rows.shape), 2), rng.beta(0.8, 0.8, 500).astype(np.float32)


def greenness(day: str) -> Floats:
    """Return how green each cell is on a day, 0 to 1: fields grow and wither by some per cent a month."""
    number, green = fields()
    months = (np.datetime64(day) - np.datetime64("2024-09-01")).astype(float) / 30.4
    growth = np.random.default_rng(7).normal(0.008, 0.012, len(green)).astype(np.float32)
    return np.asarray(np.clip(green + growth * months, 0, 1)[number], np.float32)


@cache
def texture() -> Floats:
    """Return the fine relief of the ground, around 1."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(5)
    drawn = [gaussian_filter(rng.standard_normal((ROWS, COLS)), width) * width for width in (1.2, 8.0)]
    return np.asarray(1 + 0.012 * drawn[0] + 0.04 * drawn[1], np.float32)


def _present(thing: Thing) -> Floats:
    """Return the share of each cell that a thing covers, from a lattice of 5 x 5 points a cell."""
    middle = _zones()[thing.zone].centroid
    turn, reach = np.radians(thing.heading_deg), thing.length_m + thing.width_m
    row, col = locate(np.array(middle.x + thing.east_m), np.array(middle.y + thing.north_m))
    near = tuple(slice(int(at - reach / CELL_M), int(at + reach / CELL_M) + 2) for at in (row.item(), col.item()))
    x, y = (axis[near] for axis in _cells())
    share = np.zeros((ROWS, COLS), np.float32)
    for step_x in (-2, -1, 0, 1, 2):
        for step_y in (-2, -1, 0, 1, 2):
            east, north = x + step_x - middle.x - thing.east_m, y + step_y - middle.y - thing.north_m
            along, across = east * np.sin(turn) + north * np.cos(turn), east * np.cos(turn) - north * np.sin(turn)
            share[near] += (np.abs(along) <= thing.length_m / 2) & (np.abs(across) <= thing.width_m / 2)
    return np.asarray(share / 25, np.float32)


@cache
def covers() -> dict[str, Floats]:
    """Return, by the name of each thing, the share of each cell that it covers."""
    return {thing.name: _present(thing) for thing in THINGS}


def _enlarged(coarse: NDArray[Any], times: int) -> NDArray[Any]:
    """Return a picture of the sheet whose cells were drawn larger by a factor."""
    return np.repeat(np.repeat(coarse, times, axis=0), times, axis=1)[:ROWS, :COLS]


def clouds(day: str, sky: str) -> NDArray[np.bool_]:
    """Return where clouds hide the sheet; `sky` is "clear", "half" or "full"."""
    from scipy.ndimage import gaussian_filter

    if sky in ("clear", "full"):
        return np.full((ROWS, COLS), sky == "full")
    small = (ROWS // 8 + 1, COLS // 8 + 1)
    drawn = gaussian_filter(np.random.default_rng(_seed(day, 9)).standard_normal(small), 6)
    return _enlarged(drawn > np.median(drawn), 8)


def _seed(day: str, *more: int) -> list[int]:
    """Return a seed of a day."""
    return [int(day.replace("-", "")), *more]


@lru_cache(maxsize=12)
def reflectance(day: str, band: str, sky: str = "clear") -> Floats:
    """Return the surface reflectance (row, col) of the sheet on a day, blurred as by the instrument, with noise."""
    from scipy.ndimage import gaussian_filter

    at = BANDS.index(band)
    soil, plants, concrete, sea = ((0.09, 0.13, 0.17, 0.24), (0.03, 0.055, 0.035, 0.38), (0.17, 0.19, 0.21, 0.23),
                                   (0.040, 0.032, 0.022, 0.012))  # fmt: skip
    green = greenness(day)
    ground = (soil[at] * (1 - green) + plants[at] * green) * texture()
    ground = np.where(pavement(), concrete[at] * (0.8 + 0.2 * texture()), ground)
    ground = np.where(water(), sea[at], ground)
    for thing in THINGS:
        if thing.is_there(day):
            ground = ground + thing.brighter * covers()[thing.name]
    rng = np.random.default_rng(_seed(day, at))
    ground = np.where(clouds(day, sky), 0.55 + 0.1 * texture(), ground * rng.normal(1, 0.006))
    seen = gaussian_filter(ground.astype(np.float32), 1.0)
    return np.asarray(seen + NOISE * rng.standard_normal(seen.shape), np.float32)


def classes(day: str, sky: str = "clear", *, paved_is_cloud: bool = False) -> NDArray[np.uint8]:
    """Return the scene classification (row, col) of the sheet."""
    found = np.where(greenness(day) > 0.5, 4, 5).astype(np.uint8)
    found[pavement()] = 9 if paved_is_cloud else 5
    found[water()] = 6
    found[clouds(day, sky)] = 9
    return found


def backscatter(day: str, polarisation: str) -> Floats:
    """Return the mean gamma0 (row, col) of the sheet on a day, linear power."""
    scale = 1.0 if polarisation == "VV" else 0.2
    ground = (0.05 + 0.09 * greenness(day)) * texture()
    ground = np.where(pavement(), 0.015, np.where(water(), 0.012, ground))
    for thing in THINGS:
        if thing.is_there(day):
            ground = ground + 1.5 * covers()[thing.name]
    return np.asarray(scale * ground, np.float32)


def shift(day: str) -> tuple[float, float]:
    """Return by how many metres (east, north) a day's pixels look away from their place."""
    east, north = np.random.default_rng(_seed(day, 77)).normal(0, 1.5, 2)
    return float(east), float(north)


def locate(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (row, col) on the sheet, cell centres at whole numbers, of places in EPSG:32636."""
    return (NORTH - y) / CELL_M + RIM - 0.5, (x - WEST) / CELL_M + RIM - 0.5


def inside(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which places in EPSG:32636 are drawn."""
    return (x > WEST) & (x < EAST) & (y > SOUTH) & (y < NORTH)
