"""What lies where no vessel could have come to, and what reaches over the water from the land."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmarks.vessels import read_unlabelled, searched
from detect.fairways import ends_on_land, room_for
from detect.hulls import Vessel, measured
from detect.shore import shore_of
from detect.vessels import optical_vessels

SIDE = 200
SEEN = np.ones((SIDE, SIDE), bool)
BoolArray = NDArray[np.bool_]


def box(rows: slice, cols: slice) -> Vessel:
    """Return a vessel that fills a box."""
    r, c = np.mgrid[rows, cols]
    return measured((r.ravel(), c.ravel()), 10.0, 10.0, "open")


def port(*water: tuple[slice, slice]) -> BoolArray:
    """Return land with boxes of water."""
    ground = np.ones((SIDE, SIDE), bool)
    for part in water:
        ground[part] = False
    return ground


RIVER = (slice(90, 100), slice(None))
"""100 m wide."""
DOCK = (slice(90, 100), slice(20, 100))
BASIN = (slice(40, 150), slice(100, 180))


def seen(
    ground: BoolArray, ship: tuple[slice, slice] | None = None, deck: float = 0.16
) -> dict[str, NDArray[np.float32]]:
    """Return bands of land, water and a ship."""
    rng = np.random.default_rng(1)
    bands = {}
    for name, sea, land in (("B02", 0.05, 0.2), ("B03", 0.055, 0.22), ("B04", 0.04, 0.24), ("B08", 0.02, 0.27)):
        truth = np.where(ground, land, sea)
        if ship is not None:
            truth[ship] = deck
        bands[name] = (gaussian_filter(truth, 0.55) + 0.002 * rng.standard_normal(truth.shape)).astype(np.float32)
    return bands


def test_a_long_vessel_has_no_room_in_a_river_and_has_it_in_a_dock_that_leads_to_a_basin() -> None:
    ship = box(slice(94, 97), slice(40, 60))
    assert room_for([ship], port(RIVER), SEEN, 10.0) == [False]
    assert room_for([ship], port(DOCK, BASIN), SEEN, 10.0) == [True]
    creek = port(DOCK, BASIN)
    creek[:, 92:100] = True
    creek[94:96, 92:100] = False  # 20 m wide: no ship comes through
    assert room_for([ship], creek, SEEN, 10.0) == [False]


def test_water_that_is_not_seen_goes_on_as_what_lies_beside_it() -> None:
    ship = box(slice(94, 97), slice(40, 60))
    clouded = SEEN.copy()
    clouded[:, 120:] = False
    assert room_for([ship], port(RIVER), clouded, 10.0) == [False]
    open_sea = np.zeros((SIDE, SIDE), bool)
    assert room_for([ship], open_sea, clouded, 10.0) == [True]
    assert room_for([], port(RIVER), SEEN, 10.0) == []


@pytest.mark.parametrize(
    ("rows", "cols", "ends"),
    [(slice(92, 98), slice(50, 52), 2), (slice(94, 96), slice(50, 60), 0)],
    ids=["bridge", "ship"],
)
def test_a_bridge_ends_on_land_on_both_sides_and_a_ship_on_neither(rows: slice, cols: slice, ends: int) -> None:
    assert ends_on_land(box(rows, cols), port(RIVER), 10.0) == ends


def test_at_the_edge_of_the_image_nothing_is_taken_for_land() -> None:
    assert ends_on_land(box(slice(0, 8), slice(0, 2)), np.zeros((SIDE, SIDE), bool), 10.0) == 0


def test_bridges_over_a_river_and_booms_over_a_quay_are_no_vessels_and_a_ship_in_a_dock_is_one() -> None:
    river = port((slice(86, 100), slice(None)))
    assert not optical_vessels(seen(river, (slice(84, 102), slice(60, 62)), deck=0.08), SEEN, gsd=10.0)
    assert not optical_vessels(seen(port(RIVER), (slice(94, 97), slice(40, 60))), SEEN, gsd=10.0)
    quay = port((slice(80, None), slice(None)))
    assert not optical_vessels(seen(quay, (slice(80, 88), slice(60, 62)), deck=0.08), SEEN, gsd=10.0)
    dock = port((slice(85, 105), slice(20, 100)), BASIN)
    (found,) = optical_vessels(seen(dock, (slice(93, 96), slice(40, 56))), SEEN, gsd=10.0)
    assert found.length_m == pytest.approx(160, abs=40)


def test_points_of_light_are_no_vessels_and_do_not_hide_one_that_is_fainter() -> None:
    quay = port((slice(60, None), slice(None)))
    bands = seen(quay, (slice(120, 122), slice(100, 108)), deck=0.075)
    rng = np.random.default_rng(4)
    foam = np.zeros((SIDE, SIDE))
    for row, col in ((row, col) for row in range(75, 190, 12) for col in range(10, 190, 12)):
        if np.hypot(row - 121, col - 104) > 14:
            foam[row + rng.integers(0, 4), col + rng.integers(0, 4)] = 0.15
    spots = {name: (band + gaussian_filter(foam, 0.6)).astype(np.float32) for name, band in bands.items()}
    (found,) = optical_vessels(spots, SEEN, gsd=10.0)
    assert np.hypot(found.centre[0] - 120.5, found.centre[1] - 103.5) < 2


@pytest.mark.parametrize(("water", "surf"), [(BASIN, False), ((slice(40, 150), slice(100, None)), True)])
def test_what_is_bright_all_along_a_shore_is_surf_only_where_the_sea_lies_open(
    water: tuple[slice, slice], surf: bool
) -> None:
    ground = port(water)
    score = np.zeros((SIDE, SIDE), np.float32)
    score[40:150, 103:105] = 9.0
    shore = shore_of(ground, score, gsd=10.0, limit=3.5)
    rows, cols = np.mgrid[90:100, 101:103]
    assert shore.fringed((rows.ravel(), cols.ravel())) == surf


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own
@pytest.mark.parametrize("city", ["pisa", "mumbai"])
def test_real_rivers_creeks_and_salt_pans_hold_no_fleet(real_data: Path, city: str) -> None:
    scene = read_unlabelled(real_data / "oscd" / city, 1)
    assert len(searched(scene)[0]) <= 1
