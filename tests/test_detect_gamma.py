"""Gamma likelihood ratios against their definition, and against the F test whose image they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detect.gamma import mean_statistic, pair_statistic, ratio_statistic


def log_likelihood(powers: list[float], mean: float, looks: float) -> float:
    """Return the log-likelihood of n-look powers of one mean."""
    return float(stats.gamma.logpdf(powers, looks, scale=mean / looks).sum())


@given(st.floats(0.02, 50), st.floats(0.5, 12), st.integers(1, 30))
def test_the_statistic_is_twice_the_log_likelihood_ratio(ratio: float, looks: float, dates: int) -> None:
    base = [1.0] * dates  # their likelihood depends on the mean alone
    together = (dates + ratio) / (dates + 1)
    apart = log_likelihood(base, 1.0, looks) + log_likelihood([ratio], ratio, looks)
    expected = 2 * (apart - log_likelihood([*base, ratio], together, looks))
    found = mean_statistic(np.array([ratio], np.float32), np.ones(1, np.float32), looks=looks, dates=dates)
    assert found[0] == pytest.approx(expected, abs=2e-4 * looks * (dates + 1), rel=1e-3)


@given(st.floats(0.02, 50), st.floats(0.5, 12))
def test_a_pair_is_the_case_of_one_date_and_has_no_direction(ratio: float, looks: float) -> None:
    log = np.log(np.array([ratio, 1 / ratio], np.float32))
    pair = pair_statistic(log, looks=looks)
    assert pair[0] == pytest.approx(float(pair[1]), rel=1e-4, abs=1e-4)
    single = ratio_statistic(np.array([ratio], np.float32), looks=looks, dates=1)
    assert pair[0] == pytest.approx(float(single[0]), rel=1e-3, abs=1e-4 * looks)


def test_exceedances_on_speckle_are_those_of_the_f_distribution() -> None:
    looks, dates, size = 4.4, 20, 400_000
    rng = np.random.default_rng(1)
    x = rng.gamma(looks, 1 / looks, size).astype(np.float32)
    mean = rng.gamma(looks * dates, 1 / (looks * dates), size).astype(np.float32)
    found = mean_statistic(x, mean, looks=looks, dates=dates)
    for edge in (0.2, 2.2):
        threshold = ratio_statistic(np.array([edge], np.float32), looks=looks, dates=dates)[0]
        beyond = (found >= threshold) & ((x > mean) == (edge > 1))
        f = stats.f(2 * looks, 2 * looks * dates)
        chance = f.sf(edge) if edge > 1 else f.cdf(edge)
        assert beyond.mean() == pytest.approx(chance, rel=0.08)


def test_an_image_in_blocks_is_the_image_at_once() -> None:
    rng = np.random.default_rng(2)
    x, m = rng.gamma(4, 1, (2, 300, 301)).astype(np.float32)
    x[5, 5] = np.nan
    whole = mean_statistic(x, m, looks=4, dates=7)
    rows = np.stack([mean_statistic(a, b, looks=4, dates=7) for a, b in zip(x, m, strict=True)])
    np.testing.assert_array_equal(whole, rows)
    assert np.isnan(whole[5, 5])
    assert np.isnan(whole).sum() == 1
