"""Berths in simulated series: mostly full, mostly empty, never the same, windy, and without two states."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.berths import JUDGED, judge, read_dates, strips, track_shift
from detect.berths import berth_level, berth_occupancy
from detect.errors import DetectError

DATES = 80
BERTH = np.zeros((40, 40), bool)
BERTH[10:25, 5:10] = True
BASIN = np.zeros((40, 40), bool)
BASIN[28:38, 20:38] = True
BoolArray = NDArray[np.bool_]


def port(
    share: float, *, seed: int = 1, wind_db: float = 2.0, ship_db: float = 14.0
) -> tuple[NDArray[np.float32], BoolArray]:
    """Return (date, row, col) of a berth used on a share of the dates, and when it was."""
    rng = np.random.default_rng(seed)
    used = rng.random(DATES) < share
    water = 0.02 * 10 ** (rng.normal(0, wind_db, DATES) / 10)
    power = np.broadcast_to(water[:, None, None], (DATES, 40, 40)).copy()
    power[:, 8:27, 5] += 0.15  # the quay's own return
    for date in np.flatnonzero(used):
        power[date, 12:23, 6:9] += 0.02 * 10 ** ((ship_db + rng.normal(0, 3)) / 10)
    return (power * rng.gamma(8, 1 / 8, power.shape)).astype(np.float32), used


def judged(power: NDArray[np.float32], doubtful: BoolArray | None = None) -> tuple[str, ...]:
    """Return the states of the berth."""
    valid = np.ones(power.shape, bool)
    return berth_occupancy(berth_level(power, valid, BERTH), berth_level(power, valid, BASIN), doubtful).states


@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
def test_a_berth_s_states_are_found_however_often_it_is_used(share: float) -> None:
    power, used = port(share)
    states = np.array(judged(power))
    told = states != "cannot tell"
    assert told.mean() > 0.85
    assert ((states == "occupied") == used)[told].mean() >= 0.98


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_berth_with_one_state_is_never_said_to_change(share: float) -> None:
    states = set(judged(port(share)[0]))
    assert (
        states <= ({"empty", "cannot tell"} if share == 0 else {"occupied", "cannot tell"}) or "cannot tell" in states
    )
    assert not {"occupied", "empty"} <= states


def test_storm_hides_ships_and_says_so() -> None:
    power, _ = port(0.5)
    power[7] += 0.6
    assert judged(power)[7] == "cannot tell"


def test_doubtful_and_missing_dates_are_not_judged() -> None:
    power, _ = port(0.5)
    doubtful = np.zeros(DATES, bool)
    doubtful[3] = True
    assert judged(power, doubtful)[3] == "cannot tell"
    valid = np.ones(power.shape, bool)
    valid[5, BERTH] = False
    level = berth_level(power, valid, BERTH)
    assert np.isnan(level[5])
    assert np.isfinite(np.delete(level, 5)).all()


def test_the_level_is_that_of_the_brightest_third() -> None:
    power = np.zeros((1, 40, 40), np.float32)
    power[0, 10:15, 5:10] = 3.0
    assert berth_level(power, np.ones(power.shape, bool), BERTH)[0] == pytest.approx(3.0)


def test_few_dates_and_empty_berths_are_refused() -> None:
    with pytest.raises(DetectError, match="11 dates"):
        berth_occupancy(np.ones(11), np.ones(11))
    with pytest.raises(DetectError, match="without a pixel"):
        berth_level(np.ones((2, 4, 4), np.float32), np.ones((2, 4, 4), bool), np.zeros((4, 4), bool))


def test_the_shift_of_a_track_is_that_of_its_breakwater() -> None:
    rows, cols = np.mgrid[:400, :340]
    scene = (np.abs(cols - 190 - (rows % 90) / 3) < 3) * 12.0 + np.random.default_rng(1).normal(0, 1, (400, 340))
    assert track_shift(scene, np.roll(scene, (2, -10), axis=(0, 1))) == (2, -10)


@pytest.mark.parametrize(("track", "shift"), [("15:4", (0, 0)), ("15:3", (2, -3))])
def test_the_berths_of_a_real_port_are_told_as_the_eye_does(
    real_data: Path, track: str, shift: tuple[int, int]
) -> None:
    power, valid, rows = read_dates(real_data / "latakia_s1")
    own = [k for k, row in enumerate(rows) if row["datetime"][11:15] == track]
    found = judge(power[own], valid[own], strips(valid.shape[1:], shift), np.zeros(len(own), bool))
    days = {rows[k]["datetime"][:10]: place for place, k in enumerate(own)}
    with JUDGED.open(newline="") as file:
        seen = [row for row in csv.DictReader(file) if row["date"] in days and row["seen"] != "unclear"]
    told = [(one.states[days[row["date"]]], row["seen"]) for row in seen if (one := found[row["berth"]]) is not None]
    right = [state == ("occupied" if eye == "ship" else "empty") for state, eye in told if state != "cannot tell"]
    assert len(right) >= 0.5 * len(seen)
    assert np.mean(right) >= 0.9
