"""Estimates that a few changed pixels cannot move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

FloatMatrix = NDArray[np.float64]

CAUCHY = 2.385
"""Tuning constant of Cauchy weights, in robust standard deviations (Holland and Welsch 1977)."""
MAD_TO_SIGMA = 1.4826
"""Standard deviation of a Gaussian over its median absolute deviation."""
PRIOR_WEIGHT = 10.0
"""The variance of texture, in variances of the noise, from which a cover's own slopes count more than given ones."""


def thin(count: int, most: int) -> slice:
    """Return the stride that keeps at most about `most` of `count` samples, always the same ones."""
    return slice(None, None, max(1, -(-count // most)))


def covariance(samples: FloatMatrix, *, steps: int = 8) -> FloatMatrix:
    """Return the covariance (k, k) of the bulk of zero-mean samples (n, k).

    Weights of the multivariate Cauchy (Kent and Tyler 1991), scaled so that the median Mahalanobis distance is that of
    a Gaussian. It gives way where 1 in k + 1 samples lies far to one side; a multivariate t of more degrees of freedom
    would do so earlier. It starts from each band's own spread, because a start from the plain covariance is still held
    by far outliers after all steps.
    """
    size = samples.shape[1]
    estimate = np.diag((MAD_TO_SIGMA * np.median(np.abs(samples), axis=0)) ** 2) + 1e-12 * np.eye(size)
    for _ in range(steps):
        weight = 1 / (1 + distance(samples, estimate))
        estimate = (samples * weight[:, None]).T @ samples / weight.sum() + 1e-12 * np.eye(size)
    scale = float(np.median(distance(samples, estimate))) / float(2 * gammaincinv(size / 2, 0.5))
    return np.asarray(estimate * scale + 1e-12 * np.eye(size))


def shrunk(matrix: FloatMatrix, share: float) -> FloatMatrix:
    """Return a covariance without `share` of its correlation: its weakest directions are its least certain."""
    return (1 - share) * matrix + share * np.diag(np.diag(matrix))


def distance(samples: FloatMatrix, matrix: FloatMatrix) -> NDArray[np.float64]:
    """Return the squared Mahalanobis distance (n,) of zero-mean samples (n, k)."""
    root = np.linalg.cholesky(matrix)
    return np.asarray((np.linalg.solve(root, samples.T) ** 2).sum(0))


def _regression_weights(residual: FloatMatrix) -> FloatMatrix:
    """Return the Cauchy weight (n,) of each sample from its residual (n, m)."""
    spread = MAD_TO_SIGMA * np.median(np.abs(residual), axis=0) + 1e-6
    return np.asarray(1 / (1 + ((residual / spread) ** 2).mean(axis=1) / CAUCHY**2))


def affine_regression(
    predictor: FloatMatrix, target: FloatMatrix, *, start: FloatMatrix | None = None, steps: int = 6
) -> FloatMatrix:
    """Return the coefficients (k + 1, m) of target ~ [predictor, 1], by iterated Cauchy weights.

    Parameters
    ----------
    predictor
        (n, k).
    target
        (n, m).
    start
        Coefficients that hold for most samples, where some are known: what they do not explain has little weight from
        the first step on. Without them all samples begin alike, and a third of them can bend the line.
    steps
        Of the iteration.
    """
    design = np.column_stack([predictor, np.ones(len(predictor))])
    weight = np.ones(len(predictor)) if start is None else _regression_weights(target - design @ start)
    ridge = np.zeros(design.shape[1])
    ridge[:-1] = 1e-6 * predictor.var(axis=0).mean() + 1e-12
    coefficients = np.zeros((design.shape[1], target.shape[1]))
    for _ in range(steps):
        weighted = design * weight[:, None]
        normal = weighted.T @ design + np.diag(ridge * len(design))
        coefficients = np.linalg.solve(normal, weighted.T @ target)
        weight = _regression_weights(target - design @ coefficients)
    return coefficients


def spread(samples: FloatMatrix) -> NDArray[np.float64]:
    """Return the robust standard deviation of each column of samples (n, k)."""
    return np.asarray(MAD_TO_SIGMA * np.median(np.abs(samples - np.median(samples, axis=0)), axis=0))


def structural_regression(
    predictor: FloatMatrix, target: FloatMatrix, *, slopes: FloatMatrix, noise: NDArray[np.float64], steps: int = 6
) -> FloatMatrix:
    """Return the coefficients (k + 1, m) of target ~ [predictor, 1] where the predictor carries noise of its own.

    Plain regression on a noisy predictor finds slopes that are too flat, by half where noise and texture are alike
    (Fuller 1987, Measurement Error Models, ch. 1): good for predicting the target, wrong for what stands out and
    stayed. Here the noise is taken off the predictor's variance. Where little is left, given slopes take over.

    Parameters
    ----------
    predictor
        (n, k).
    target
        (n, m).
    slopes
        (k, m), that hold roughly; also the start, so that a minority which does not follow them has little weight.
    noise
        (k,) variance of the predictor's noise, > 0.
    steps
        Of the iteration.
    """
    residual = target - predictor @ slopes
    weight = _regression_weights(residual - np.median(residual, axis=0))
    coefficients = np.zeros((predictor.shape[1] + 1, target.shape[1]))
    for _ in range(steps):
        share = weight[:, None] / weight.sum()
        centre, level = (share * predictor).sum(axis=0), (share * target).sum(axis=0)
        away = predictor - centre
        normal = (share * away).T @ away + np.diag((PRIOR_WEIGHT - 1) * noise)
        right = (share * away).T @ (target - level) + PRIOR_WEIGHT * noise[:, None] * slopes
        coefficients[:-1] = np.linalg.solve(normal, right)
        coefficients[-1] = level - centre @ coefficients[:-1]
        weight = _regression_weights(target - predictor @ coefficients[:-1] - coefficients[-1])
    return coefficients
