"""Rates learned from no-change maps: counted where there are data, extrapolated beyond, deaf to places in daily use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from detect.calibration import (
    Nulls,
    TooLittleGroundError,
    busy_places,
    calibrated_map,
    fit_tail,
    is_calibrated,
)
from detect.filters import FloatArray
from detect.other_dates import holds_on_other_dates, unlike_earlier

GSD, SPACING_M, SIZE = 10.0, 70.0, 200
KM2 = SIZE * SIZE * (GSD / 1000) ** 2


def null_map(seed: int, factor: float = 1.0) -> FloatArray:
    """Return a chi-squared map with four degrees of freedom."""
    noise = np.random.default_rng(seed).standard_normal((4, SIZE, SIZE))
    return np.asarray(factor * (noise**2).sum(0), dtype=np.float32)


def nulls(maps: tuple[FloatArray, ...], strata: NDArray[np.uint8] | None = None) -> Nulls:
    ground = np.ones((SIZE, SIZE), np.uint8) if strata is None else strata
    return Nulls(maps=maps, strata=ground, calm=np.ones((SIZE, SIZE), bool), gsd=GSD, spacing_m=SPACING_M)


def test_the_rate_is_the_asked_one_on_maps_that_were_not_learned_from() -> None:
    learned = nulls(tuple(null_map(seed) for seed in range(12)))
    fresh = nulls(tuple(null_map(seed) for seed in range(100, 140)))
    peaks, km2 = fresh.peaks()
    for rate in (0.3, 1.0, 5.0):
        passed = int((peaks >= learned.tails()[1].threshold(rate)).sum())
        assert 0.6 < passed / (rate * km2) < 1.6


def test_beyond_the_data_the_tail_is_close_to_the_truth() -> None:
    tail = nulls(tuple(null_map(seed) for seed in range(6))).tails()[1]
    peaks, km2 = nulls(tuple(null_map(seed) for seed in range(200, 320))).peaks()
    asked = 0.02
    assert tail.km2 * asked < 1
    assert 0.2 < (peaks >= tail.threshold(asked)).sum() / (asked * km2) < 4


def test_rate_and_threshold_are_each_other_turned_round() -> None:
    tail = nulls(tuple(null_map(seed) for seed in range(6))).tails()[1]
    for asked in (0.1, 1.0, 8.0):
        assert float(tail.rate(tail.threshold(asked))) == pytest.approx(asked, rel=0.1)


def test_a_p_value_falls_with_the_statistic_and_is_a_chance() -> None:
    tail = nulls(tuple(null_map(seed) for seed in range(6))).tails()[1]
    values = np.linspace(0, 120, 400, dtype=np.float32)
    p_value = tail.p_value(values)
    assert ((p_value > 0) & (p_value <= 1)).all()
    assert (np.diff(p_value) <= 1e-6).all()
    assert np.isnan(tail.p_value(np.array([np.nan], np.float32))).all()


def test_each_kind_of_ground_has_its_own_threshold_and_a_small_one_that_of_all() -> None:
    strata = np.ones((SIZE, SIZE), np.uint8)
    strata[:, 100:], strata[:10, :10], strata[-5:] = 2, 3, 0
    factor = np.where(strata == 2, 4, 1).astype(np.float32)
    maps = tuple(null_map(seed) * factor for seed in range(4))
    threshold, p_value = calibrated_map(maps[0], nulls(maps, strata), per_km2=1.0)
    one, two, three = (float(np.unique(threshold[strata == kind])[0]) for kind in (1, 2, 3))
    assert two == pytest.approx(4 * one, rel=0.25)
    assert one < three <= two * 1.01
    assert np.isnan(threshold[strata == 0]).all()
    assert np.isnan(p_value[strata == 0]).all()


def test_a_stand_in_daily_use_is_busy_and_noise_is_not() -> None:
    maps = [null_map(seed) for seed in range(10)]
    for one in maps[::2]:
        one[60:63, 60:63] += 400
    busy = busy_places(maps, np.ones((SIZE, SIZE), bool), once=2, gsd=GSD, spacing_m=SPACING_M)
    assert busy[61, 61]
    assert busy.mean() < 0.02


def test_maps_that_do_not_share_one_rate_are_not_calibrated() -> None:
    quiet, loud = tuple(null_map(seed) for seed in range(5)), tuple(null_map(seed, 2.0) for seed in range(5, 10))
    assert is_calibrated(nulls(quiet + tuple(null_map(seed) for seed in range(5, 10))), per_km2=1.0)
    assert not is_calibrated(nulls(quiet + loud), per_km2=1.0)
    assert not is_calibrated(nulls(quiet[:1]), per_km2=1.0)


def test_too_few_maxima_are_refused() -> None:
    with pytest.raises(TooLittleGroundError, match="5 maxima do not show a rate"):
        fit_tail(np.arange(5.0), 1.0)


FOLDS = tuple(k // 3 for k in range(12))
EVERYWHERE = np.ones((SIZE, SIZE), bool)


def by_date(factors: tuple[float, ...]) -> Nulls:
    """Return null maps of four groups of dates, each with a level of its own."""
    maps = tuple(null_map(seed, factors[fold]) for seed, fold in enumerate(FOLDS))
    return replace(nulls(maps), folds=FOLDS)


def test_what_one_group_of_dates_has_more_of_than_the_others_does_not_hold() -> None:
    assert holds_on_other_dates(by_date((1.0, 1.0, 1.0, 1.0)), EVERYWHERE, per_km2=1.0)
    # The sum over both halves is as it was asked, and hides that all of it comes from one group in each.
    uneven = by_date((1.0, 1.35, 1.0, 1.35))
    assert is_calibrated(uneven, per_km2=1.0)
    assert not holds_on_other_dates(uneven, EVERYWHERE, per_km2=1.0)


def test_what_holds_on_all_ground_may_not_hold_where_it_is_searched() -> None:
    corner = np.zeros((SIZE, SIZE), bool)
    corner[:60, :60] = True
    factor = np.where(corner, 2.0, 1.0).astype(np.float32)
    uneven = replace(nulls(tuple(null_map(seed) * factor for seed in range(12))), folds=FOLDS)
    assert holds_on_other_dates(uneven, ~corner, per_km2=1.0)
    assert not holds_on_other_dates(uneven, corner, per_km2=1.0)


def test_one_group_of_dates_shows_nothing_of_others() -> None:
    alone = replace(nulls(tuple(null_map(seed) for seed in range(6))), folds=(0,) * 6)
    assert not holds_on_other_dates(alone, EVERYWHERE, per_km2=1.0)


def test_two_dates_that_differ_all_over_as_no_earlier_ones_do_are_told_apart() -> None:
    learned = nulls(tuple(null_map(seed) for seed in range(6)))
    assert unlike_earlier(null_map(50), learned) is None
    fleet = null_map(51)
    fleet[10::25, 10::25] += 200
    assert unlike_earlier(fleet, learned) is None
    times = unlike_earlier(null_map(52, 1.5), learned)
    assert times is not None
    assert times > 1.7
