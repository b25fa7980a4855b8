"""The reference detectors against their formulae, and the figures of merit against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from benchmarks.merit import average_precision, roc_auc
from benchmarks.reference import canonical_pairs, change_vector, irmad, plain_difference

RNG = np.random.default_rng(4)
VALID = np.ones((60, 70), bool)
BEFORE = RNG.standard_normal((4, 60, 70)).astype(np.float32)
AFTER = (0.8 * BEFORE + 0.3 * RNG.standard_normal((4, 60, 70))).astype(np.float32)
MIX = np.eye(4) + 0.3 * RNG.standard_normal((4, 4))


def mixed(image: np.ndarray) -> np.ndarray:
    return (np.tensordot(MIX, image, axes=1) + 2.0).astype(np.float32)


def test_plain_difference_is_the_sum_of_absolute_differences() -> None:
    np.testing.assert_allclose(plain_difference(BEFORE, AFTER, VALID), np.abs(AFTER - BEFORE).sum(0), rtol=1e-5)


def test_the_change_vector_knows_no_gain_and_no_offset() -> None:
    gain = np.array([2, 0.5, 3, 1], np.float32)[:, None, None]
    plain, scaled = change_vector(BEFORE, AFTER, VALID), change_vector(BEFORE, gain * AFTER + 0.7, VALID)
    np.testing.assert_allclose(scaled, plain, rtol=1e-3, atol=1e-4)


def test_canonical_variates_have_unit_variance_and_correlate_in_pairs_only() -> None:
    first, second = BEFORE.reshape(4, -1).T.astype(float), AFTER.reshape(4, -1).T.astype(float)
    u, v, correlation = canonical_pairs(first, second, np.ones(len(first)))
    np.testing.assert_allclose(u.T @ u / len(u), np.eye(4), atol=1e-9)
    np.testing.assert_allclose(u.T @ v / len(u), np.diag(correlation), atol=1e-9)
    np.testing.assert_allclose((u - v).var(0), 2 * (1 - correlation), atol=1e-9)


def test_canonical_correlations_are_the_roots_of_the_eigenvalue_problem() -> None:
    # S_xy S_yy^-1 S_yx a = rho^2 S_xx a, as Nielsen (2007) has it.
    first, second = BEFORE.reshape(4, -1), AFTER.reshape(4, -1)
    joint = np.cov(first, second, bias=True).astype(float)
    xx, xy, yy = joint[:4, :4], joint[:4, 4:], joint[4:, 4:]
    squares = np.linalg.eigvals(np.linalg.solve(xx, xy @ np.linalg.solve(yy, xy.T))).real
    _, _, correlation = canonical_pairs(first.T.astype(float), second.T.astype(float), np.ones(first.shape[1]))
    np.testing.assert_allclose(np.sort(correlation), np.sqrt(np.sort(squares)), rtol=1e-4)


def test_without_change_the_first_step_is_chi_squared_and_reweighting_inflates_it() -> None:
    first, last = irmad(BEFORE, AFTER, VALID, steps=1), irmad(BEFORE, AFTER, VALID)
    assert np.median(first) == pytest.approx(chi2.median(4), rel=0.05)
    assert (first > chi2.isf(0.05, 4)).mean() == pytest.approx(0.05, abs=0.01)
    # Weights below one for what is merely unlikely shrink the variances: its p-values cannot be taken at their word.
    assert np.median(last) > 2 * chi2.median(4)


def test_invalid_pixels_score_nothing_and_do_not_count() -> None:
    valid = VALID.copy()
    valid[:10] = False
    spoilt = np.where(valid, BEFORE, np.float32(np.nan))
    for score in (plain_difference, change_vector, irmad):
        found = score(spoilt, AFTER, valid)
        assert (found[:10] == 0).all()
        np.testing.assert_allclose(found[10:], score(BEFORE[:, 10:], AFTER[:, 10:], VALID[10:]), rtol=1e-5)


def test_irmad_does_not_see_linear_mixtures_of_bands() -> None:
    np.testing.assert_allclose(irmad(BEFORE, mixed(AFTER), VALID), irmad(BEFORE, AFTER, VALID), rtol=0.02, atol=0.05)


def test_irmad_stands_out_where_something_changed() -> None:
    after = AFTER.copy()
    after[:, 10:14, 10:14] += 3
    score = irmad(BEFORE, after, VALID)
    assert score[10:14, 10:14].mean() > 5 * np.median(score)


@pytest.mark.parametrize("ties", [False, True])
def test_the_figures_of_merit_are_what_counting_gives(ties: bool) -> None:
    score = RNG.standard_normal(300)
    score = np.round(score, 1) if ties else score
    truth = RNG.random(300) < 0.2
    above = (score[truth][:, None] > score[~truth]).mean() + 0.5 * (score[truth][:, None] == score[~truth]).mean()
    assert roc_auc(truth, score) == pytest.approx(above)
    steps = np.unique(score)[::-1]
    recall = [0.0] + [float((truth & (score >= s)).sum() / truth.sum()) for s in steps]
    precision = [float(truth[score >= s].mean()) for s in steps]
    assert average_precision(truth, score) == pytest.approx(float(np.diff(recall) @ precision))
