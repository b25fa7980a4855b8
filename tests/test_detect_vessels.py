"""Vessels in simulated harbours, optical and radar, and in two labelled real ports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import poisson

from benchmarks.vessels import disturbed, judgements, matches, near_land, read_scene, searched
from detect.errors import DetectError
from detect.significance import TooFewMaximaError, own_threshold
from detect.vessels import Vessel, count_interval, optical_vessels, radar_vessels, water_of

SIDE = 200
SEEN = np.ones((SIDE, SIDE), bool)
FloatArray = NDArray[np.float32]


def harbour(
    ships: list[tuple[slice, slice]], *, haze: float = 0.0, seed: int = 1
) -> tuple[dict[str, FloatArray], NDArray[np.bool_]]:
    """Return bands of a straight quay with water in front and ships (rows, cols), and where the land is."""
    rng = np.random.default_rng(seed)
    land = np.zeros((SIDE, SIDE), bool)
    land[:, :80] = True
    bands = {}
    for name, sea, quay in (("B02", 0.04, 0.2), ("B03", 0.045, 0.22), ("B04", 0.03, 0.24), ("B08", 0.02, 0.27)):
        truth = np.where(land, quay, sea)
        for ship in ships:
            truth[ship] = 0.16
        noise = 0.002 * rng.standard_normal((SIDE, SIDE)) + land * 0.01 * rng.standard_normal((SIDE, SIDE))
        bands[name] = (gaussian_filter(truth, 0.55) + noise + haze).astype(np.float32)
    return bands, land


def at(vessels: tuple[Vessel, ...], ship: tuple[slice, slice]) -> list[Vessel]:
    """Return the vessels whose middle lies in a ship's box."""
    rows, cols = ship
    middles = [(vessel, *vessel.centre) for vessel in vessels]
    return [v for v, row, col in middles if rows.start <= row <= rows.stop and cols.start <= col <= cols.stop]


@pytest.mark.parametrize("haze", [0.0, 0.12])
def test_a_ship_at_sea_is_found_and_measured_in_any_haze(haze: float) -> None:
    ship = (slice(100, 102), slice(140, 152))
    vessels = optical_vessels(harbour([ship], haze=haze)[0], SEEN, gsd=10.0)
    (vessel,) = at(vessels, ship)
    assert len(vessels) == 1
    assert vessel.place == "open"
    assert vessel.length_m == pytest.approx(130, abs=25)
    assert vessel.width_m < 50
    assert vessel.orientation_deg == pytest.approx(90, abs=5)


def test_a_ship_alongside_is_found_as_a_bump_and_by_the_outline_of_the_land() -> None:
    ship = (slice(90, 100), slice(80, 83))
    bands, land = harbour([ship])
    (bump,) = at(optical_vessels(bands, SEEN, gsd=10.0), ship)
    assert bump.place == "shore"
    (vessel,) = at(optical_vessels(bands, SEEN, gsd=10.0, land=land), ship)
    assert vessel.length_m == pytest.approx(100, abs=40)


def shaped(land: NDArray[np.bool_], *, foam: NDArray[np.bool_] | None = None) -> dict[str, FloatArray]:
    """Return bands of land of any shape, and of foam on the water."""
    rng = np.random.default_rng(2)
    bands = {}
    for name, sea, quay in (("B02", 0.04, 0.2), ("B03", 0.045, 0.22), ("B04", 0.03, 0.24), ("B08", 0.02, 0.27)):
        truth = np.where(land, quay, sea)
        if foam is not None:
            truth = np.where(foam, sea + 0.06, truth)
        bands[name] = (gaussian_filter(truth, 0.55) + 0.002 * rng.standard_normal(land.shape)).astype(np.float32)
    return bands


def test_groynes_corners_islets_clouds_and_surf_are_no_vessels() -> None:
    land = np.zeros((SIDE, SIDE), bool)
    land[:, :80] = True
    land[40:43, 80:95] = True  # a groyne, joined by its end
    land[120:, 80:110] = True  # a quay with a corner
    land[70:78, 150:158] = True  # an islet as wide as it is long
    assert not [v for v in optical_vessels(shaped(land), SEEN, gsd=10.0) if v.length_m > 45]
    rows, cols = np.mgrid[:SIDE, :SIDE]
    cloud = np.hypot(rows - 100, cols - 150) < 12
    assert not optical_vessels(shaped(cols < 80, foam=cloud), SEEN, gsd=10.0)
    surf = (cols >= 83) & (cols < 85) & (rows % 20 < 16)
    assert not optical_vessels(shaped(cols < 80, foam=surf), SEEN, gsd=10.0)


def test_a_long_ship_alongside_is_one_however_the_quay_lies() -> None:
    rows, cols = np.mgrid[:SIDE, :SIDE]
    for degrees in (0, 30, 65):
        angle = np.radians(degrees)
        across = (cols - 100) * np.cos(angle) + (rows - 100) * np.sin(angle)
        along = (rows - 100) * np.cos(angle) - (cols - 100) * np.sin(angle)
        bands = shaped(across < 0)
        ship = (across >= 0) & (across < 3) & (np.abs(along) < 10)
        for name, deck in (("B02", 0.08), ("B03", 0.09), ("B04", 0.22), ("B08", 0.24)):
            mixed = gaussian_filter(np.where(ship, deck, 0.0), 0.55)
            bands[name] = np.where(gaussian_filter(ship.astype(float), 0.55) > 0.4, mixed, bands[name]).astype(
                np.float32
            )
        (vessel,) = optical_vessels(bands, SEEN, gsd=10.0)
        assert vessel.place == "shore"
        assert vessel.length_m == pytest.approx(200, abs=50)
        assert abs((vessel.orientation_deg - degrees + 90) % 180 - 90) < 10


def test_an_empty_harbour_is_empty() -> None:
    assert sum(len(optical_vessels(harbour([], seed=seed)[0], SEEN, gsd=10.0)) for seed in range(8)) <= 1


def test_a_dock_too_small_to_show_the_tail_of_its_waves_is_not_refused() -> None:
    bands = {name: band[:14, 66:93].copy() for name, band in harbour([])[0].items()}
    seen = np.ones((14, 27), bool)
    dock = np.zeros_like(seen)
    dock[2:12, 16:25] = True
    with pytest.raises(TooFewMaximaError):
        own_threshold(bands["B08"], dock, gsd=30.0, spacing_m=70.0, per_km2=0.5, floor=3.5)
    assert optical_vessels(bands, seen, gsd=30.0) == ()


def test_what_is_missing_is_named() -> None:
    bands, _ = harbour([])
    with pytest.raises(DetectError, match="B08 missing"):
        optical_vessels({name: bands[name] for name in ("B02", "B03", "B04")}, SEEN, gsd=10.0)
    with pytest.raises(DetectError, match="no body of water"):
        water_of(np.full((99, 99), 0.2, np.float32), np.ones((99, 99), bool), gsd=10.0,
                 green=np.full((99, 99), 0.1, np.float32))  # fmt: skip
    with pytest.raises(DetectError, match="no body of water"):
        water_of(np.eye(15, dtype=np.float32), np.ones((15, 15), bool), gsd=10.0)


def sea(ships: list[tuple[int, int, float]], seed: int = 1) -> FloatArray:
    """Return VV and VH of rough sea with points (row, col, dB over the sea)."""
    rng = np.random.default_rng(seed)
    swell = np.exp(0.25 * gaussian_filter(rng.standard_normal((SIDE, SIDE)), 12) * 40)
    power = np.stack([level * swell * rng.gamma(4.4, 1 / 4.4, (SIDE, SIDE)) for level in (0.02, 0.004)])
    rows, cols = np.mgrid[:SIDE, :SIDE]
    for row, col, decibel in ships:
        power += (power.mean(axis=(1, 2)) * 10 ** (decibel / 10))[:, None, None] * np.exp(
            -((rows - row) ** 2 + (cols - col) ** 2) / 1.7
        )
    return power.astype(np.float32)


def test_radar_finds_ships_on_rough_sea_and_little_else() -> None:
    ships = [(50, 60, 16.0), (120, 150, 25.0), (160, 40, 14.0)]
    vessels = radar_vessels(sea(ships), SEEN, gsd=10.0)
    for row, col, _ in ships:
        assert sum(np.hypot(v.centre[0] - row, v.centre[1] - col) < 2 for v in vessels) == 1
    assert len(vessels) <= 5
    assert sum(len(radar_vessels(sea([], seed), SEEN, gsd=10.0)) for seed in range(10)) <= 12


def test_no_water_is_refused() -> None:
    with pytest.raises(DetectError, match="no open water"):
        radar_vessels(sea([]), ~SEEN, gsd=10.0)


@given(st.integers(0, 60))
def test_a_count_s_interval_is_the_exact_one_of_poisson(found: int) -> None:
    low, middle, high = count_interval(found, pd=1.0)
    assert middle == found
    assert float(poisson.cdf(found, high)) == pytest.approx(0.025, rel=1e-3)
    if found:
        assert float(poisson.sf(found - 1, low)) == pytest.approx(0.025, rel=1e-3)
    assert count_interval(found, pd=0.5, false_alarms=1.0)[2] == pytest.approx(2 * (high - 1))


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(DetectError, match="impossible"):
        count_interval(3, pd=0.0)


@pytest.mark.parametrize("name", ["casablanca", "cartagena"])
def test_real_ports_are_searched_by_one_rule(real_data: Path, name: str) -> None:
    scene = read_scene(real_data / "sen2ships" / name)
    valid = np.ones(scene.bands["B08"].shape, bool)
    vessels = optical_vessels(scene.bands, valid, gsd=scene.gsd)
    water = water_of(scene.bands["B08"], valid, gsd=scene.gsd, green=scene.bands["B03"])
    found = [any(matches(box, vessel) for vessel in vessels) for box in scene.boxes]
    by_land = [hit for hit, land in zip(found, near_land(scene, water), strict=True) if land]
    assert np.mean(found) >= 0.70
    assert np.mean(by_land) >= 0.50
    # Without a box: vessels that the boxes lack, jetties, surf; by eye, what is none of the former.
    without = [vessel for vessel in vessels if not any(matches(box, vessel) for box in scene.boxes)]
    km2 = water.sum() * (scene.gsd / 1000) ** 2
    said = judgements(scene, without)
    assert len(without) <= 1.5 * km2
    assert said.count("no vessel") + said.count("not judged") <= km2


def test_a_real_port_is_searched_alike_in_haze_and_turned(real_data: Path) -> None:
    scenes = disturbed(read_scene(real_data / "sen2ships" / "casablanca"))
    for kind in ("haze", "rows for columns"):
        vessels, water = searched(scenes[kind])
        found = [any(matches(box, vessel) for vessel in vessels) for box in scenes[kind].boxes]
        assert np.mean(found) >= 0.70
        without = sum(not any(matches(box, vessel) for box in scenes[kind].boxes) for vessel in vessels)
        assert without <= 2 * water.sum() * (scenes[kind].gsd / 1000) ** 2


def test_inland_has_no_vessels(real_data: Path) -> None:
    folder = real_data / "oscd" / "abudhabi" / "imgs_2"
    bands = {}
    for name in ("B02", "B03", "B04", "B08"):
        with rasterio.open(next(folder.glob(f"*{name}.tif"))) as file:
            bands[name] = (file.read(1) / 1e4).astype(np.float32)
    with pytest.raises(DetectError, match="no body of water"):
        optical_vessels(bands, bands["B08"] > 0, gsd=10.0)
