"""What came, what left, and what only fades, told apart by the usual state of a place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from detect.radar import RadarSeries, fit_radar
from detect.radar_change import detect_radar
from detect.radar_detectability import RadarSetting, is_vacant
from detect.radar_evidence import PAIR_SHARE, Usual, above_ring, object_evidence
from detect.radar_nulls import without_lasting
from tests.speckled import series

LOOKS, DATES = (4.4, 4.4), 14
DB = np.log(10) / 10
PLACE = (60.0, 40.0)
GROUND = np.zeros((120, 120), np.uint8)
GROUND[5:-5, 5:75] = 1


def evidence(before_db: float, after_db: float, *, usual_above_db: float = 0.0) -> float:
    """Return the evidence of two dates that are so many decibels off what is usual, in both polarisations."""
    first, second, above = (np.full((2, 1, 1), x * DB, np.float32) for x in (before_db, after_db, usual_above_db))
    return float(object_evidence(first, second, Usual(looks=LOOKS, dates=DATES, above=above))[0, 0])


def test_what_always_stood_there_and_is_gone_is_surer_than_the_pair_alone_says() -> None:
    gone, back = evidence(0, -10, usual_above_db=10), evidence(-10, 0, usual_above_db=10)
    assert gone == pytest.approx(back)
    assert gone > 2 * evidence(-5, 5)


def test_dark_speckle_on_empty_ground_is_no_departure() -> None:
    assert evidence(0, -10) < 0.5 * evidence(0, -10, usual_above_db=10)


@pytest.mark.parametrize("usual_above_db", [0.0, 20.0])
def test_what_stands_there_and_fades_is_hardly_evidence(usual_above_db: float) -> None:
    there = 20 - usual_above_db
    assert evidence(there + 3, there - 3, usual_above_db=usual_above_db) < 17
    assert evidence(20 - usual_above_db, -usual_above_db, usual_above_db=usual_above_db) > 60


def test_of_two_dates_that_both_hold_a_visitor_the_pair_alone_counts_and_less_for_fading() -> None:
    visitor, faded = np.full((2, 1, 1), 20 * DB, np.float32), np.full((2, 1, 1), 15 * DB, np.float32)
    usual = Usual(looks=LOOKS, dates=DATES, above=np.zeros((2, 1, 1), np.float32))
    pair = object_evidence(visitor, faded, replace(usual, dates=0))
    assert (object_evidence(visitor, faded, usual) < PAIR_SHARE * pair).all()


def test_a_visitor_that_fades_at_the_rim_of_its_outline_is_no_departure() -> None:
    first, second = np.zeros((2, 2, 21, 21), np.float32)
    first[:, 8:13, 8:13], second[:, 9:12, 9:12] = 14 * DB, 11 * DB
    usual = Usual(looks=LOOKS, dates=DATES, above=np.zeros((2, 21, 21), np.float32))
    assert object_evidence(first, 0 * second, usual).max() > 100
    rim = object_evidence(first, second, usual)[8:13, 8:13]
    assert rim.max() < 0.5 * object_evidence(first, 0 * second, usual).max()


def test_what_stands_out_of_the_ring_does_so_by_its_own_height_wherever_the_level_lies() -> None:
    mean = np.full((1, 80, 80), 0.02, np.float32)
    mean[0, 40, 40], mean[0, 44, 40] = 2.0, 0.002
    above = above_ring(mean, np.ones((80, 80), bool), outer=25, inner=11)[0]
    assert above[40, 40] == pytest.approx(np.log(100), abs=0.02)
    assert above[44, 40] == 0
    assert above[10, 10] == pytest.approx(0, abs=0.02)


def test_only_changes_that_other_dates_bear_out_are_left_out_of_what_chance_does() -> None:
    rng = np.random.default_rng(1)
    maps = [rng.exponential(2.0, (100, 100)).astype(np.float32) for _ in range(4)]
    borne_out = [np.zeros((100, 100), np.float32) for _ in maps]
    maps[1][50, 50] = maps[1][20, 20] = 200
    borne_out[1][50, 50] = 40
    left = without_lasting(maps, borne_out, np.ones((100, 100), bool), gsd=10.0, spacing_m=70.0)
    assert np.isnan(left[1][47:54, 47:54]).all()
    assert left[1][20, 20] == 200
    assert np.isnan(np.stack(left)).sum() == 49


def came_and_stayed() -> RadarSeries:
    """Return dates of which the last ones of the baseline, and both that are compared, show two aircraft."""
    there = [(*PLACE, 32.0), (90.0, 30.0, 30.0)]
    given, full = series(baseline=12), series(baseline=12, always=there, before=there, after=there)
    return replace(full, baseline=np.concatenate([given.baseline[:9], full.baseline[9:]]))


def threshold(given: RadarSeries) -> float:
    """Return the threshold at 0.06 flags per km2."""
    change = detect_radar(given, GROUND, false_alarms_per_km2=0.06)
    assert change.calibrated
    return float(np.nanmax(change.objects.threshold))


def test_aircraft_that_came_during_the_baseline_do_not_raise_the_threshold() -> None:
    assert threshold(came_and_stayed()) < 1.3 * threshold(series(baseline=12))


def resident() -> RadarSeries:
    """Return dates of which all but the last show an aircraft of 26 dBsm."""
    aircraft = (*PLACE, 26.0)
    return series(always=[aircraft], before=[aircraft])


def setting(given: RadarSeries) -> RadarSetting:
    """Return a series with what was fitted to it."""
    model = fit_radar(given)
    return RadarSetting(
        series=given, model=model, change=detect_radar(given, GROUND, false_alarms_per_km2=0.06, model=model)
    )


def test_an_aircraft_that_had_always_stood_there_is_missed_at_a_low_rate() -> None:
    change = setting(resident()).change
    row, col = (int(v) for v in PLACE)
    near: NDArray[np.float32] = (change.objects.statistic / change.objects.threshold)[
        row - 1 : row + 2, col - 1 : col + 2
    ]
    assert near.max() > 1


def test_ground_is_vacant_for_what_would_show_there() -> None:
    tried = setting(resident())
    corner = np.zeros(GROUND.shape, bool)
    corner[70:110, 10:70] = True
    assert is_vacant(tried, corner, "Il-76")
    assert not is_vacant(tried, GROUND > 0, "Il-76")
    # A visitor of some dates is no part of the usual state.
    assert is_vacant(setting(came_and_stayed()), corner, "Il-76")


def test_without_a_usual_state_no_ground_is_known_to_be_vacant() -> None:
    given = series()
    alone = replace(given, baseline=given.baseline[:0], baseline_valid=given.baseline_valid[:0])
    assert not is_vacant(setting(alone), GROUND > 0, "Il-76")
