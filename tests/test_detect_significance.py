"""Thresholds on maps without change, on maps with some, and on ground too small for a threshold."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2

from detect.significance import (
    AREA_SPACING_M,
    OBJECT_SPACING_M,
    TooFewMaximaError,
    by_stratum,
    gaussian_floor,
    local_maxima,
    odd_pixels,
    own_threshold,
)

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
GSD = 10.0


def null_map(seed: int, size: int, blur: float) -> FloatArray:
    """Return a map without change: chi-squared of four degrees of freedom, neighbours correlated."""
    rng = np.random.default_rng(seed)
    fields = [cv2.GaussianBlur(rng.standard_normal((size, size)), (0, 0), blur) for _ in range(4)]
    return np.asarray(sum((field / field.std()) ** 2 for field in fields), dtype=np.float32)


def changed(statistic: FloatArray, count: int, seed: int = 0) -> FloatArray:
    """Return the map with strong changes at random places."""
    rng = np.random.default_rng([seed, 7])
    out = statistic.copy()
    rows, cols = rng.integers(3, len(statistic) - 3, (2, count))
    out[rows, cols] = rng.uniform(60, 400, count)
    return out


def everywhere(statistic: FloatArray) -> BoolArray:
    return np.ones(statistic.shape, np.bool_)


def threshold(statistic: FloatArray, per_km2: float, spacing_m: float = OBJECT_SPACING_M, floor: float = 0.0) -> float:
    return own_threshold(statistic, everywhere(statistic), gsd=GSD, spacing_m=spacing_m, per_km2=per_km2, floor=floor)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), size=st.sampled_from([3, 5, 7]))
def test_local_maxima_are_those_of_every_square(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    statistic, where = rng.random((17, 19)).astype(np.float32), rng.random((17, 19)) > 0.3
    statistic[rng.random((17, 19)) > 0.9] = np.nan
    usable = np.where(where & np.isfinite(statistic), statistic, -1)
    padded = np.pad(usable, size // 2, constant_values=-1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size))
    wanted = (usable == windows.max(axis=(2, 3))) & (usable > 0)
    np.testing.assert_array_equal(local_maxima(statistic, where, size), wanted)


@given(metres=st.floats(0, 1e4), gsd=st.floats(0.3, 60))
def test_odd_pixels_are_odd_and_about_as_long(metres: float, gsd: float) -> None:
    pixels = odd_pixels(metres, gsd)
    assert pixels % 2 == 1
    assert pixels == 3 or abs(pixels - metres / gsd) <= 1.001


@pytest.mark.parametrize("blur", [0.3, 0.8, 1.5])
@pytest.mark.parametrize(("spacing_m", "per_km2"), [(OBJECT_SPACING_M, 5.0), (AREA_SPACING_M, 1.0)])
def test_the_asked_rate_is_about_met_where_nothing_changed(blur: float, spacing_m: float, per_km2: float) -> None:
    # At lower rates it is cautious: the tail of chi-squared is lighter than the exponential that continues it.
    passed = km2 = 0.0
    for seed in range(12):
        statistic = null_map(seed, 250, blur)
        peaks = local_maxima(statistic, everywhere(statistic), odd_pixels(spacing_m, GSD))
        passed += float((statistic[peaks] >= threshold(statistic, per_km2, spacing_m)).sum())
        km2 += statistic.size * 1e-4
    assert 0.5 <= passed / (per_km2 * km2) <= 2


@pytest.mark.parametrize("spacing_m", [OBJECT_SPACING_M, AREA_SPACING_M])
def test_twenty_strong_changes_hardly_raise_it(spacing_m: float) -> None:
    for seed in range(4):
        statistic = null_map(seed, 400, 0.8)
        quiet = threshold(statistic, 0.5, spacing_m)
        assert quiet <= threshold(changed(statistic, 20, seed), 0.5, spacing_m) <= 1.15 * quiet


def test_a_lower_rate_asks_for_more() -> None:
    statistic = null_map(1, 250, 0.8)
    assert threshold(statistic, 0.1) > threshold(statistic, 1.0) > threshold(statistic, 10.0)


def test_it_never_falls_under_the_floor() -> None:
    assert threshold(null_map(1, 250, 0.8), 1.0, floor=99.0) == 99.0


def test_ground_too_small_for_a_tail_is_told() -> None:
    with pytest.raises(TooFewMaximaError, match=r"^\d+ local maxima do not show a tail; 30 are needed"):
        threshold(null_map(1, 30, 0.8), 1.0)


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 6])
def test_the_floor_is_what_gaussian_noise_reaches(bands: int) -> None:
    places = 1e6 / 70.0**2
    wanted = chi2.isf(1.0 / places, bands)
    assert gaussian_floor(bands, spacing_m=70.0, per_km2=1.0) == pytest.approx(wanted, rel=1e-9)
    rng = np.random.default_rng(bands)
    noise = (rng.standard_normal((bands, 400_000)) ** 2).sum(axis=0)
    assert (noise > wanted).mean() * places == pytest.approx(1.0, abs=0.1)


def test_each_kind_of_ground_has_its_own_threshold() -> None:
    statistic = null_map(1, 200, 0.8)
    statistic[:, 100:] *= 5
    strata = np.ones(statistic.shape, np.uint8)
    strata[:, 100:] = 2
    strata[:, :20] = 0
    rule = partial(own_threshold, gsd=GSD, spacing_m=OBJECT_SPACING_M, per_km2=1.0, floor=0.0)
    limit = by_stratum(statistic, strata, rule)
    assert np.isnan(limit[:, :20]).all()
    quiet, loud = np.unique(limit[:, 20:100]), np.unique(limit[:, 100:])
    assert len(quiet) == len(loud) == 1
    assert loud[0] == pytest.approx(5 * quiet[0], rel=0.25)


def test_a_kind_too_small_takes_the_threshold_of_all_ground() -> None:
    statistic = null_map(1, 200, 0.8)
    strata = np.ones(statistic.shape, np.uint8)
    strata[:20, :20] = 2
    rule = partial(own_threshold, gsd=GSD, spacing_m=OBJECT_SPACING_M, per_km2=1.0, floor=0.0)
    limit = by_stratum(statistic, strata, rule)
    assert np.unique(limit[:20, :20]) == np.float32(rule(statistic, strata > 0))


def test_where_all_ground_is_too_small_nothing_can_be_flagged() -> None:
    statistic = null_map(1, 40, 0.8)
    strata = np.zeros(statistic.shape, np.uint8)
    strata[:10] = 3
    rule = partial(own_threshold, gsd=GSD, spacing_m=OBJECT_SPACING_M, per_km2=1.0, floor=0.0)
    limit = by_stratum(statistic, strata, rule)
    assert np.isinf(limit[:10]).all()
    assert np.isnan(limit[10:]).all()
