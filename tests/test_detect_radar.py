"""Radar change on simulated dates: implanted arrivals and departures, the rate of false alarms, wind, and gaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detect.change import ChangedObject
from detect.errors import DetectError
from detect.radar import RadarSeries, fit_radar, radar_statistics
from detect.radar_change import detect_radar, find_radar_objects
from tests.speckled import series

PLACE = (60.0, 40.0)
WATER = (60.0, 100.0)
SIDE = 120


def found(given: RadarSeries, rate: float = 1.0) -> list[ChangedObject]:
    """Return the flags of a series, everything but a rim searched as one kind of ground."""
    strata = np.zeros(given.valid.shape, np.uint8)
    strata[5:-5, 5:-5] = 1
    model = fit_radar(given)
    change = detect_radar(given, strata, false_alarms_per_km2=rate, model=model)
    return list(find_radar_objects(change, given, model))


def at(items: list[ChangedObject], place: tuple[float, float]) -> list[ChangedObject]:
    """Return the flags within two pixels of a place."""
    return [item for item in items if (np.hypot(item.rows - place[0], item.cols - place[1]) <= 2).any()]


@pytest.mark.parametrize("place", [PLACE, WATER])
def test_an_arrival_is_an_object_that_appeared(place: tuple[float, float]) -> None:
    (flag,) = at(found(series(after=[(*place, 28.0)])), place)
    assert (flag.scale, flag.change) == ("object", "appeared")
    assert flag.contrast > 0
    assert flag.length_m < 70
    assert np.hypot(flag.rows.mean() - place[0], flag.cols.mean() - place[1]) < 1.5


def test_a_departure_from_a_place_that_usually_is_empty_vanished() -> None:
    (flag,) = at(found(series(before=[(*PLACE, 28.0)])), PLACE)
    assert (flag.scale, flag.change) == ("object", "vanished")
    assert flag.contrast < 0


def test_a_departure_from_a_berth_that_never_is_empty_vanished_too() -> None:
    berth = (*WATER, 34.0)
    (flag,) = at(found(series(always=[berth], before=[berth])), WATER)
    assert flag.change == "vanished"


def test_what_stands_there_on_both_dates_is_no_change() -> None:
    aircraft = (*PLACE, 30.0)
    assert not at(found(series(before=[aircraft], after=[aircraft])), PLACE)


def test_a_ship_in_a_basin_that_the_wind_lifts_as_a_whole_is_a_flag_of_its_own() -> None:
    given = series(after=[(*WATER, 34.0)])
    lifted = given.after.copy()
    lifted[:, :, 80:] *= 10**0.7
    flags = found(replace(given, after=lifted))
    assert any(item.scale == "area" and (item.cols > 78).mean() > 0.9 for item in flags)
    (ship,) = [item for item in at(flags, WATER) if item.scale == "object"]
    assert ship.change == "appeared"


def test_chance_gives_about_the_flags_that_were_asked_for() -> None:
    flags, ground = 0, 0.0
    for seed in range(20):
        flags += len(found(series(seed=100 + seed, baseline=8), rate=4.0))
        ground += (SIDE - 10) ** 2 * 1e-4
    assert 0.5 < flags / (4.0 * ground) < 2


def test_the_direction_map_and_chances_belong_to_the_flags() -> None:
    given = series(after=[(*PLACE, 30.0)])
    strata = np.ones(given.valid.shape, np.uint8)
    change = detect_radar(given, strata, false_alarms_per_km2=1.0)
    row, col = (int(v) for v in PLACE)
    assert change.calibrated
    assert change.objects.direction[row, col] == 1
    assert change.objects.p_value[row, col] < 0.005
    assert np.nanmedian(change.objects.p_value) > 0.1


def test_without_a_baseline_the_pair_alone_answers_and_says_so() -> None:
    given = series(after=[(*PLACE, 38.0)])
    alone = replace(given, baseline=given.baseline[:0], baseline_valid=given.baseline_valid[:0])
    strata = np.ones(given.valid.shape, np.uint8)
    change = detect_radar(alone, strata, false_alarms_per_km2=1.0)
    assert not change.calibrated
    assert np.isnan(change.objects.p_value).all()
    flags = find_radar_objects(change, alone, fit_radar(alone))
    assert [item.change for item in at(list(flags), PLACE)] == ["appeared"]


def test_ground_too_small_to_show_a_rate_is_answered_without_calibration() -> None:
    given = series(after=[(*PLACE, 35.0)], baseline=5)
    strata = np.zeros(given.valid.shape, np.uint8)
    strata[57:64, 37:44] = 1
    change = detect_radar(given, strata, false_alarms_per_km2=1.0)
    assert not change.calibrated
    assert np.isposinf(change.objects.threshold[60, 40])
    assert np.isnan(change.objects.p_value).all()


def test_zeros_and_gaps_are_nowhere_judged_and_do_not_disturb_the_rest() -> None:
    given = series(after=[(*PLACE, 30.0)])
    after, baseline = given.after.copy(), given.baseline.copy()
    after[0, 100:, :20], baseline[3, :, 50:58, 30:50], baseline[5, 1] = 0, np.nan, -1
    holed = replace(given, after=after, baseline=baseline)
    model = fit_radar(holed)
    maps = radar_statistics(holed.before, holed.after, holed.valid, model)
    assert np.isnan(maps.objects[100:, :20]).all()
    assert np.isfinite(maps.objects[:100]).all()
    assert maps.objects[58:63, 38:43].max() > 30


def test_a_model_gives_the_same_statistics_to_a_part_of_the_image_that_changed() -> None:
    given = series()
    model = fit_radar(given)
    plain = radar_statistics(given.before, given.after, given.valid, model).objects
    after = given.after.copy()
    after[:, 60, 40] *= 30
    changed = radar_statistics(given.before, after, given.valid, model).objects
    far = np.ones_like(given.valid)
    far[60 - 13 : 60 + 14, 40 - 13 : 40 + 14] = False
    np.testing.assert_allclose(changed[far], plain[far], atol=1e-3)
    assert changed[60, 40] > plain[60, 40] + 20


def test_dates_of_other_shapes_are_refused() -> None:
    given = series(baseline=4)
    with pytest.raises(DetectError, match="shapes differ"):
        replace(given, after=given.after[:, :-1])
    with pytest.raises(DetectError, match="its validity"):
        replace(given, baseline_valid=given.baseline_valid[1:])
