"""Vessels, counts and berths of an area, from simulated dates of both sensors with implanted ships."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import Polygon

from aoi import AOI, Grid, Zone
from detect.errors import DetectError
from imagery.raster import Raster
from revisit.afloat import Afloat, vessels_afloat
from revisit.ground import Ground, lay_out
from revisit.moored import BerthDay, berth_days
from tests.scenery import ORIGIN, ring
from tests.test_detect_vessels import SIDE, harbour

GRID = Grid(crs="EPSG:32636", transform=Affine(10, 0, ORIGIN[0], 0, -10, ORIGIN[1]), width=SIDE, height=SIDE)
START = datetime(2024, 12, 1, 8, 20, tzinfo=UTC)
SHIP = (slice(100, 102), slice(140, 152))
MOORED = (slice(60, 75), slice(80, 83))
FloatArray = NDArray[np.float32]


def zone(name: str, kind: str, *box: float) -> Zone:
    """Return a zone around a box (west, north, east, south) in pixels."""
    return Zone(name=name, kind=kind, geometry=Polygon(ring(*box)[0]), source="survey", accuracy_m=5.0)


def port(*zones: Zone) -> Ground:
    """Return the ground of a port with zones."""
    return lay_out(AOI(name="port", geometry=Polygon(ring(0, 0, SIDE, SIDE)[0]), zones=zones), GRID)


PORT = port(zone("basin", "basin", 95, 5, 195, 195), zone("berth", "berth", 80, 55, 87, 80))


def dated(data: FloatArray, bands: tuple[str, ...], day: int = 0, clear: bool = True) -> Raster:
    """Return a date of either sensor."""
    valid = np.full(data.shape[1:], clear)
    quantity = "reflectance" if "B02" in bands else "gamma0"
    return Raster(data=data, valid=valid, uncertain=~valid, grid=GRID, bands=bands, quantity=quantity,
                  acquired=START + timedelta(days=day), scene_ids=(f"d{day}",))  # fmt: skip


def optical(ships: list[tuple[slice, slice]], day: int = 0) -> Raster:
    """Return an optical date of a quay with ships, in a haze of its own."""
    bands, _ = harbour(ships, haze=0.02 * (day % 4), seed=day + 1)
    return dated(np.stack(list(bands.values())), tuple(bands), day)


def radar(*, ship: bool, moored: bool, day: int = 0) -> Raster:
    """Return a VV date of the same port: bright land, sea, a ship at sea and one at the berth."""
    rng = np.random.default_rng(day)
    truth = np.full((SIDE, SIDE), 0.02 * 10 ** (rng.normal(0, 1) / 10))
    truth[:, :80] = 0.3
    if ship:
        truth[100:102, 140:152] += 3.0
    if moored:
        truth[60:75, 81:84] += 1.0
    power = truth * rng.gamma(4.4, 1 / 4.4, (SIDE, SIDE))
    return dated(power[None].astype(np.float32), ("VV",), day)


def searched(raster: Raster, doubtful: str | None = None) -> Afloat:
    """Return what is afloat."""
    return vessels_afloat(raster, PORT, rng=np.random.default_rng(3), doubtful=doubtful)


@pytest.mark.parametrize("raster", [radar(ship=True, moored=False), optical([SHIP])], ids=["s1", "s2"])
def test_a_ship_is_sighted_where_it_is_and_counted_with_an_interval(raster: Raster) -> None:
    afloat = searched(raster)
    lon, lat = ring(146, 101, 147, 102)[0][0]
    (sighting,) = [one for one in afloat.sightings if np.hypot(one.lon - lon, one.lat - lat) < 3e-4]
    assert sighting.length_m == pytest.approx(120, abs=45)
    assert sighting.heading_deg == pytest.approx(90, abs=8)
    (count,) = afloat.counts
    assert count.sensor == sighting.sensor
    assert count.low <= 1 <= count.high
    assert count.low < count.estimate < count.high
    assert count.pd > 0.7
    assert count.false_alarms > 0
    assert count.water_km2 == pytest.approx(1.9, abs=0.05)


def test_a_date_in_doubt_or_under_cloud_is_not_counted_and_says_why() -> None:
    (count,) = searched(radar(ship=True, moored=False), doubtful="interference").counts
    assert np.isnan([count.low, count.estimate, count.high]).all()
    assert count.note == "interference"
    bands, _ = harbour([SHIP])
    (count,) = searched(dated(np.stack(list(bands.values())), tuple(bands), clear=False)).counts
    assert np.isnan(count.estimate)
    assert count.note


def test_water_too_small_for_test_ships_gives_no_interval() -> None:
    small = port(zone("dock", "basin", 120, 90, 165, 120))
    (count,) = vessels_afloat(radar(ship=True, moored=False), small, rng=np.random.default_rng(1)).counts
    assert np.isnan(count.estimate)
    assert "test ships" in count.note or "maxima" in count.note


def agreed(days: tuple[BerthDay, ...], used: list[bool]) -> tuple[float, float]:
    """Return the share of dates that are told, and of these the share that is right."""
    told = [(day.state, one) for day, one in zip(days, used, strict=True) if day.state != "cannot tell"]
    right = [state == ("occupied" if one else "empty") for state, one in told]
    return len(told) / len(days), float(np.mean(right)) if right else 0.0


@pytest.mark.parametrize("sensor", ["s1", "s2"])
def test_a_berth_s_states_over_many_dates_are_right_for_both_sensors(sensor: str) -> None:
    used = [k % 3 == 0 for k in range(18)]
    dates = [
        radar(ship=False, moored=one, day=k) if sensor == "s1" else optical([MOORED] if one else [], k)
        for k, one in enumerate(used)
    ]
    days = berth_days(dates, PORT, doubtful={5: "interference"})
    assert days[5].state == "cannot tell"
    assert days[5].note == "interference"
    told, right = agreed(days, used)
    assert told >= 0.8
    assert right == 1.0
    assert {day.sensor for day in days} == {sensor}


def test_few_optical_dates_are_held_against_their_own_water() -> None:
    used = [True, False, False, True]
    days = berth_days([optical([MOORED] if one else [], k) for k, one in enumerate(used)], PORT)
    told, right = agreed(days, used)
    assert told >= 0.75
    assert right == 1.0


def test_on_one_optical_date_a_bright_berth_may_be_its_quay() -> None:
    (day,) = berth_days([optical([MOORED])], PORT)
    assert day.state == "cannot tell"


def test_few_radar_dates_cannot_tell_and_say_so() -> None:
    days = berth_days([radar(ship=False, moored=True, day=k) for k in range(5)], PORT)
    assert {day.state for day in days} == {"cannot tell"}
    assert "12 are needed" in days[0].note


def test_zones_that_are_needed_are_asked_for() -> None:
    with pytest.raises(DetectError, match="no zone of the kinds basin and anchorage"):
        vessels_afloat(radar(ship=False, moored=False), port(), rng=np.random.default_rng(1))
    with pytest.raises(DetectError, match="no basin or anchorage"):
        berth_days([radar(ship=False, moored=False)], port(zone("berth", "berth", 80, 55, 87, 80)))
