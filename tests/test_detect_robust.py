"""Robust estimates against the truth that was put in, and against the textbook where nothing is spoilt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2

from detect import robust

FloatMatrix = NDArray[np.float64]
TRUTH = np.array([[4.0, 1.5, 0.2], [1.5, 1.0, 0.1], [0.2, 0.1, 0.3]])


def gaussian(count: int, seed: int = 1) -> FloatMatrix:
    return np.random.default_rng(seed).standard_normal((count, 3)) @ np.linalg.cholesky(TRUTH).T


def with_outliers(samples: FloatMatrix, share: float, size: float) -> FloatMatrix:
    spoilt = samples.copy()
    spoilt[: int(share * len(samples))] += size * np.array([1.0, -1.0, 1.0])
    return spoilt


def apart(found: FloatMatrix, truth: FloatMatrix) -> float:
    """Return by what factor the variance of any direction is wrong at most: 1 where none is."""
    values = np.linalg.eigvals(np.linalg.solve(truth, found)).real
    return float(max(values.max(), 1 / values.min()))


def test_the_covariance_of_gaussian_noise() -> None:
    assert apart(robust.covariance(gaussian(20_000)), TRUTH) < 1.05


@pytest.mark.parametrize("size", [10.0, 100.0, 1e4])
def test_a_tenth_of_outliers_hardly_moves_the_covariance(size: float) -> None:
    samples = with_outliers(gaussian(20_000), 0.1, size)
    assert apart(robust.covariance(samples), TRUTH) < 2
    assert apart(np.cov(samples.T), TRUTH) > 10


def test_the_median_distance_is_that_of_gaussian_noise() -> None:
    samples = with_outliers(gaussian(5000), 0.05, 50.0)
    distance = robust.distance(samples, robust.covariance(samples))
    assert np.median(distance) == pytest.approx(chi2.median(3), rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(entries=st.lists(st.floats(-2, 2), min_size=9, max_size=9))
def test_the_covariance_turns_with_the_samples(entries: list[float]) -> None:
    turn = np.reshape(entries, (3, 3)) + 5 * np.eye(3)
    samples = gaussian(500)
    np.testing.assert_allclose(
        robust.covariance(samples @ turn.T), turn @ robust.covariance(samples) @ turn.T, rtol=0.02, atol=0.02
    )


def test_samples_that_are_all_zero_have_a_covariance_that_can_be_inverted() -> None:
    found = robust.covariance(np.zeros((100, 2)))
    assert np.isfinite(np.linalg.inv(found)).all()
    assert (robust.distance(np.zeros((100, 2)), found) == 0).all()


def test_distance_is_that_of_mahalanobis() -> None:
    samples = gaussian(50)
    wanted = [sample @ np.linalg.inv(TRUTH) @ sample for sample in samples]
    np.testing.assert_allclose(robust.distance(samples, TRUTH), wanted, rtol=1e-10)


def test_shrinking_keeps_the_variances() -> None:
    half = robust.shrunk(TRUTH, 0.5)
    np.testing.assert_allclose(np.diag(half), np.diag(TRUTH))
    assert half[0, 1] == pytest.approx(TRUTH[0, 1] / 2)


SLOPES = np.array([[0.9, 0.1], [-0.2, 1.2], [0.3, 0.0]])
OFFSET = np.array([0.05, -0.02])


def line(count: int, noise: float) -> tuple[FloatMatrix, FloatMatrix]:
    rng = np.random.default_rng(3)
    predictor = rng.uniform(0, 0.4, (count, 3))
    return predictor, predictor @ SLOPES + OFFSET + noise * rng.standard_normal((count, 2))


def test_regression_finds_an_exact_line() -> None:
    found = robust.affine_regression(*line(1000, 0.0))
    np.testing.assert_allclose(found, [*SLOPES, OFFSET], atol=1e-4)


def test_regression_agrees_with_least_squares_where_nothing_is_spoilt() -> None:
    predictor, target = line(20_000, 0.01)
    design = np.column_stack([predictor, np.ones(len(predictor))])
    plain = np.linalg.lstsq(design, target, rcond=None)[0]
    np.testing.assert_allclose(robust.affine_regression(predictor, target), plain, atol=1.5e-3)


def test_regression_is_hardly_moved_by_a_tenth_of_changed_pixels() -> None:
    predictor, target = line(5000, 0.005)
    target[:500] += 0.3
    np.testing.assert_allclose(robust.affine_regression(predictor, target), [*SLOPES, OFFSET], atol=0.01)
    design = np.column_stack([predictor, np.ones(len(predictor))])
    assert np.abs(np.linalg.lstsq(design, target, rcond=None)[0][-1] - OFFSET).max() > 0.02


@given(count=st.integers(1, 10_000), most=st.integers(1, 10_000))
def test_thinning_keeps_at_most_what_is_asked_and_at_least_half_of_it(count: int, most: int) -> None:
    kept = len(range(count)[robust.thin(count, most)])
    assert kept <= most
    assert kept >= min(count, most) / 2


def texture(size: float, noise: float) -> tuple[FloatMatrix, FloatMatrix]:
    """Return two noisy looks at a texture of which the later one shows 1.2 times as much, in the first of two bands."""
    rng = np.random.default_rng(6)
    truth = size * rng.standard_normal((20_000, 2))
    later = truth * (1.2, 0.9) + (0.1, 0.2)
    return tuple(x + noise * rng.standard_normal(truth.shape) for x in (truth, later))  # type: ignore[return-value]


@pytest.mark.parametrize("size", [0.001, 0.01, 0.1])
def test_structural_regression_is_not_flattened_by_the_noise_of_the_predictor(size: float) -> None:
    predictor, target = texture(size, 0.01)
    noise = np.full(2, 0.01**2)
    found = robust.structural_regression(predictor, target, slopes=np.diag([1.2, 0.9]), noise=noise)
    np.testing.assert_allclose(found, [[1.2, 0], [0, 0.9], [0.1, 0.2]], atol=0.03)
    plain = robust.affine_regression(predictor, target)
    assert plain[0, 0] == pytest.approx(1.2 * size**2 / (size**2 + 0.01**2), abs=0.03)


def test_structural_regression_learns_slopes_where_there_is_texture_and_keeps_the_given_ones_where_there_is_none() -> (
    None
):
    noise = np.full(2, 0.01**2)
    strong, weak = (
        robust.structural_regression(*texture(size, 0.01), slopes=np.eye(2), noise=noise) for size in (0.3, 0.001)
    )
    np.testing.assert_allclose(strong[:2], np.diag([1.2, 0.9]), atol=0.01)
    np.testing.assert_allclose(weak[:2], np.eye(2), atol=0.03)


def test_a_minority_that_changed_does_not_bend_structural_regression() -> None:
    predictor, target = texture(0.1, 0.01)
    target[:6000] += 0.5 + 2 * predictor[:6000]
    found = robust.structural_regression(predictor, target, slopes=np.diag([1.2, 0.9]), noise=np.full(2, 1e-4))
    np.testing.assert_allclose(found, [[1.2, 0], [0, 0.9], [0.1, 0.2]], atol=0.03)


def test_spread_is_the_standard_deviation_of_the_bulk() -> None:
    samples = 3 * np.random.default_rng(1).standard_normal((20_000, 1)) + 7
    samples[:1000] = 1e6
    assert robust.spread(samples)[0] == pytest.approx(3, rel=0.08)
