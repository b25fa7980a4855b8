"""Registration of radar on breakwaters while ships come and go, simulated and over a real port."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift

from imagery.errors import NoStructureError
from imagery.structures import fixed_structures, register_on_structures

SIDE = 160
SEEN = np.ones((SIDE, SIDE), bool)
FloatArray = NDArray[np.float32]


def port(seed: int, moved: tuple[float, float] = (0.0, 0.0), ships: bool = True) -> FloatArray:
    """Return a date: sea, a bent breakwater moved by (rows, cols), and ships alongside that never move with it."""
    rng = np.random.default_rng(seed)
    wall = np.zeros((SIDE, SIDE))
    for k in range(100):
        wall[30 + k, 40 + (k // 2 if k < 60 else 30 - (k - 60))] = 8.0
    scene = 0.02 + np.maximum(shift(gaussian_filter(wall, 1.2), moved, order=3), 0)
    if ships:
        # A row of moored ships beside the wall; they are there on two dates of three.
        scene[60:110, 110:114] += 2.0 * (rng.random() < 0.67)
    return np.asarray(scene * rng.gamma(8, 1 / 8, (SIDE, SIDE)), dtype=np.float32)


def baseline() -> FloatArray:
    """Return (date, row, col)."""
    return np.stack([port(seed) for seed in range(12)])


def test_structures_are_the_wall_and_not_the_berth() -> None:
    dates = baseline()
    structures = fixed_structures(dates, np.ones(dates.shape, bool))
    assert structures[60, 55]
    assert not structures[70:100, 110:114].any()
    assert structures.mean() < 0.4


@pytest.mark.parametrize("moved", [(0.0, 0.0), (0.7, -1.3), (2.0, 0.4)])
def test_the_shift_is_that_of_the_wall_while_ships_stay(moved: tuple[float, float]) -> None:
    dates = baseline()
    structures = fixed_structures(dates, np.ones(dates.shape, bool))
    reference = dates.mean(axis=0)[None]
    found = register_on_structures(reference, port(99, moved)[None], structures, valid=(SEEN, SEEN), gsd=10.0)
    assert found.shift_px == pytest.approx((-moved[0], -moved[1]), abs=0.15)


def test_open_sea_has_no_structure() -> None:
    sea = np.random.default_rng(1).gamma(8, 1 / 8, (6, SIDE, SIDE)).astype(np.float32)
    structures = fixed_structures(sea, np.ones(sea.shape, bool))
    with pytest.raises(NoStructureError, match="no structure is bright"):
        register_on_structures(sea[:1], sea[1:2], structures, valid=(SEEN, SEEN), gsd=10.0)


def test_a_known_shift_of_a_real_port_is_found_in_spite_of_its_static_mask(real_data: Path) -> None:
    with rasterio.open(real_data / "latakia_s1/latakia_port_s1_vv_328dates_u8.tif") as file:
        numbers = file.read([1, 4, 6, 8, 10, 12, 15, 17, 19, 21, 23, 27])  # of one relative orbit
    power = (10 ** ((-27 + numbers / 10) / 10)).astype(np.float32)
    valid = numbers < 255
    structures = fixed_structures(power, valid)
    assert 0.005 < structures.mean() < 0.4
    reference = power[:8].mean(axis=0)[None]
    one, seen = power[-1], valid[-1]
    plain = register_on_structures(reference, one[None], structures, valid=(valid[0], seen), gsd=10.0)
    # The scene moves under its mask, as in the archive: two pixels to the east, the mask where it was.
    rolled = np.where(seen, np.roll(one, 2, axis=1), one)[None]
    moved = register_on_structures(reference, rolled, structures, valid=(valid[0], seen), gsd=10.0)
    assert moved.shift_px[1] - plain.shift_px[1] == pytest.approx(-2, abs=0.3)
    assert moved.shift_px[0] - plain.shift_px[0] == pytest.approx(0, abs=0.3)
