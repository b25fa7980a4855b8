"""Dates of a radar series: a step of two pixels among moored ships, satellites, interference and wind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift
from shapely.geometry import box

from aoi import Grid
from aoi.formats import load_area
from imagery.raster import Raster
from imagery.scene import Scene
from revisit.radar_dates import alignments_of, another_radar, interference, open_water, wind
from tests import scenery

SIDE = 160
GRID = Grid(crs="EPSG:32636", transform=Affine(10, 0, 700_000, 0, -10, 3_900_000), width=SIDE, height=SIDE)
FIRST = datetime(2024, 1, 1, 3, 43, tzinfo=UTC)
Pixels = NDArray[np.float64]


def port(*, moved: tuple[float, float] = (0.0, 0.0), ships: bool = True) -> Pixels:
    """Return the mean power of sea, a bent breakwater moved by (rows, cols), and ships that do not move with it."""
    wall = np.zeros((SIDE, SIDE))
    for k in range(100):
        wall[30 + k, 40 + (k // 2 if k < 60 else 30 - (k - 60))] = 8.0
    scene = 0.02 + np.maximum(shift(gaussian_filter(wall, 1.2), moved, order=3), 0)
    scene[60:110, 110:114] += 2.0 * ships
    return np.asarray(scene)


def scene(number: int, platform: str = "sentinel-1a") -> Scene:
    return Scene(
        id=f"date-{number}",
        sensor="s1",
        platform=platform,
        acquired=FIRST + timedelta(days=12 * number),
        footprint=box(0, 0, 1, 1),
        source="folder",
        href="",
        assets={},
        direction="descending",
    )


def raster(number: int, mean: Pixels, valid: NDArray[np.bool_] | None = None) -> Raster:
    """Return a date of both polarisations with speckle."""
    rng = np.random.default_rng(number)
    power = np.stack([rng.gamma(4.4, 1 / 4.4, mean.shape) * mean * level for level in (1.0, 0.2)])
    seen = np.ones(mean.shape, bool) if valid is None else valid
    return Raster(
        data=power.astype(np.float32),
        valid=seen,
        uncertain=np.zeros_like(seen),
        grid=GRID,
        bands=("VV", "VH"),
        quantity="gamma0",
        acquired=FIRST,
        scene_ids=(f"date-{number}",),
    )


@pytest.mark.parametrize("stepped", [{1}, {1, 7, 8, 9, 10, 11}, {0, 1, 10, 11}])
def test_a_step_of_two_pixels_is_found_though_the_moored_ships_stay(stepped: set[int]) -> None:
    """The step of an archive, late in a series, under a static mask; ships lie in one place on two dates of three."""
    mask = np.ones((SIDE, SIDE), bool)
    mask[:, 130:] = False
    step = (0.4, 2.0)
    dates = [raster(k, port(moved=step if k in stepped else (0, 0), ships=k % 3 > 0), mask) for k in range(12)]
    found = alignments_of(dates)
    assert found is not None
    for k, one in enumerate(found):
        assert one is not None
        wanted = np.subtract(step, 0) * ((0 in stepped) - (k in stepped))
        np.testing.assert_allclose(one.shift_px, wanted, atol=0.2)


def test_where_nothing_fixed_stands_nothing_is_said_of_shifts() -> None:
    sea = np.full((SIDE, SIDE), 0.02)
    assert alignments_of([raster(k, sea) for k in range(6)]) is None


def test_row_42_sentinel_1c_is_another_radar() -> None:
    assert another_radar(scene(0), scene(1, "sentinel-1c"))
    assert not another_radar(scene(0), scene(1, "sentinel-1b"))
    assert not another_radar(scene(0), replace(scene(1), platform=None))


def test_a_date_with_interference_is_named_and_the_others_are_not() -> None:
    sea = np.full((SIDE, SIDE), 0.02)
    rows, cols = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    along = -cols * np.cos(np.radians(282)) - rows * np.sin(np.radians(282))
    spoilt = sea + 0.05 * (np.abs(along - 30) <= 2)
    dates = [raster(k, spoilt if k == 3 else sea) for k in range(8)]
    told = interference(dates, [scene(k) for k in range(8)])
    assert [k for k, line in enumerate(told) if line] == [3]
    assert "of VV, up to" in str(told[3])


def test_wind_is_told_of_the_pair_and_windy_dates_are_named(tmp_path: Path) -> None:
    basin = scenery.feature("zone", "bay", (30, 30, 130, 130), kind="basin", source="test", accuracy_m=0)
    aoi = load_area(str(scenery.write_area(tmp_path / "area.geojson", basin)))
    water = open_water(aoi, GRID)
    assert water[80, 80]
    sea = np.full((SIDE, SIDE), 0.02)
    levels = [1.0, 3.0, 1.0, 1.0, 1.0, 5.0]
    lines = wind([raster(k, sea * v) for k, v in enumerate(levels)], [scene(k) for k in range(6)], water)
    assert "brighter on the later date; that is not counted as change" in lines[0]
    assert "date-1 (+4." in lines[1]
    assert "date-5 (+" in lines[1]
    assert "date-2" not in lines[1]
    assert wind([raster(k, sea) for k in range(6)], [scene(k) for k in range(6)], water) == ()
    assert wind([raster(k, sea) for k in range(6)], [scene(k) for k in range(6)], ~water & False) == ()
