"""Rates of chance maxima against fields whose rates are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from detect.radar_nulls import Nulls, TooLittleGroundError, busy_places, calibrated_map, fit_tail, is_calibrated
from detect.significance import local_maxima, odd_pixels

SIDE = 200


def field(seed: int) -> NDArray[np.float32]:
    """Return the square (row, col) of a smooth Gaussian field of variance 1: 4 km2 of chance."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.standard_normal((SIDE, SIDE)), 1.0) * np.sqrt(4 * np.pi)
    return np.asarray(smooth**2, dtype=np.float32)


def nulls(seeds: range, **more: NDArray[np.bool_]) -> Nulls:
    """Return held-out maps of one kind of ground."""
    ground = np.ones((SIDE, SIDE), np.uint8)
    calm = more.get("calm", ground > 0)
    return Nulls(maps=tuple(field(s) for s in seeds), strata=ground, calm=calm, gsd=10.0, spacing_m=70.0)


@pytest.mark.parametrize("rate", [1.0, 0.1, 0.02])
def test_the_learned_threshold_gives_the_asked_rate_on_new_fields(rate: float) -> None:
    threshold, _ = calibrated_map(field(0), nulls(range(1, 11)), per_km2=rate)
    size, ground = odd_pixels(70.0, 10.0), np.ones((SIDE, SIDE), bool)
    found = sum(
        int((one[local_maxima(one, ground, size)] >= threshold[0, 0]).sum()) for one in map(field, range(100, 300))
    )
    assert 0.5 < found / (200 * 4 * rate) < 2


def test_rate_and_threshold_are_each_other_s_inverse() -> None:
    tail = nulls(range(10)).tails()[1]
    for rate in (5.0, 1.0, 0.05, 0.005):
        value = np.array([tail.threshold(rate)], np.float32)
        assert tail.rate(value)[0] == pytest.approx(max(rate, 0.1 / tail.km2), rel=0.25)


def test_exponential_maxima_have_no_shape() -> None:
    tail = fit_tail(np.random.default_rng(1).exponential(2.0, 20_000), 100.0)
    assert tail.shape == pytest.approx(0, abs=0.06)
    assert tail.scale == pytest.approx(2, rel=0.08)


def test_chances_are_small_where_maxima_are_rare_and_missing_where_the_map_is() -> None:
    statistic = field(0)
    statistic[:3] = np.nan
    _, chance = calibrated_map(statistic, nulls(range(1, 11)), per_km2=1.0)
    known = ~np.isnan(statistic)
    assert np.isnan(chance[~known]).all()
    order = np.argsort(statistic[known])
    assert (np.diff(chance[known][order]) <= 1e-6).all()


def test_pairs_that_contradict_one_another_are_not_called_calibrated() -> None:
    good = nulls(range(12))
    assert is_calibrated(good, per_km2=1.0)
    loud = tuple(one * (3 if k % 2 else 1) for k, one in enumerate(good.maps))
    assert not is_calibrated(
        Nulls(maps=loud, strata=good.strata, calm=good.calm, gsd=10.0, spacing_m=70.0), per_km2=1.0
    )


def test_places_in_daily_use_are_known_as_such() -> None:
    maps = [field(s) for s in range(10)]
    for one in maps[::2]:
        one[50:53, 60:63] = 200
    busy = busy_places(maps, np.ones((SIDE, SIDE), bool), gsd=10.0, spacing_m=70.0)
    assert busy[51, 61]
    assert busy.mean() < 0.02


def test_too_little_ground_is_refused() -> None:
    with pytest.raises(TooLittleGroundError, match="29 maxima"):
        fit_tail(np.arange(29.0), 1.0)
