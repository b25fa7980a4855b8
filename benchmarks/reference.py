"""Three classical change detectors, as their papers have them, to stand beside ours in the benchmarks.

All take two dates (band, row, col) and the pixels that are valid on both (row, col), and return a score (row, col),
larger = more change, 0 where not valid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Matrix = NDArray[np.float64]


def _pixels(image: FloatArray, valid: BoolArray) -> Matrix:
    """Return the valid pixels (n, band)."""
    return image[:, valid].T.astype(np.float64)


def _map(values: NDArray[np.float64], valid: BoolArray) -> FloatArray:
    """Return values of the valid pixels as a map."""
    out = np.zeros(valid.shape, np.float32)
    out[valid] = values
    return out


def plain_difference(before: FloatArray, after: FloatArray, valid: BoolArray) -> FloatArray:
    """Return the sum over bands of the absolute difference."""
    return _map(np.abs(_pixels(after, valid) - _pixels(before, valid)).sum(1), valid)


def change_vector(before: FloatArray, after: FloatArray, valid: BoolArray) -> FloatArray:
    """Return the length of the change vector of standardised bands (W. Malila 1980).

    Each band of each date is centred on its median and divided by its median absolute deviation.
    """
    dates = []
    for pixels in (_pixels(before, valid), _pixels(after, valid)):
        centred = pixels - np.median(pixels, axis=0)
        dates.append(centred / (1.4826 * np.median(np.abs(centred), axis=0) + 1e-9))
    return _map(np.sqrt(((dates[1] - dates[0]) ** 2).sum(1)), valid)


def canonical_pairs(
    first: Matrix, second: Matrix, weight: NDArray[np.float64]
) -> tuple[Matrix, Matrix, NDArray[np.float64]]:
    """Return the canonical variates (n, band) of two sets of bands, of unit weighted variance, and their correlations.

    Parameters
    ----------
    first, second
        (n, band).
    weight
        (n,) >= 0.
    """
    share = weight / weight.sum()
    x, y = first - share @ first, second - share @ second
    xx, yy, xy = (x * share[:, None]).T @ x, (y * share[:, None]).T @ y, (x * share[:, None]).T @ y
    floor = 1e-12 * np.eye(x.shape[1])
    root_x, root_y = np.linalg.inv(np.linalg.cholesky(xx + floor)), np.linalg.inv(np.linalg.cholesky(yy + floor))
    left, correlation, right = np.linalg.svd(root_x @ xy @ root_y.T)
    return x @ root_x.T @ left, y @ root_y.T @ right.T, np.clip(correlation, 0, 1)


def irmad(before: FloatArray, after: FloatArray, valid: BoolArray, *, steps: int = 30) -> FloatArray:
    """Return the chi-squared of the iteratively reweighted multivariate alteration detection.

    A. Nielsen (2007), IEEE Trans. Image Process. 16(2), 463-478: the differences of canonical variates have the
    variance 2 (1 - rho); each step weights pixels by the probability of no change, until the correlations stand still.
    """
    first, second = _pixels(before, valid), _pixels(after, valid)
    weight, last = np.ones(len(first)), np.full(first.shape[1], -1.0)
    score = np.zeros(len(first))
    for _ in range(steps):
        u, v, correlation = canonical_pairs(first, second, weight)
        score = ((u - v) ** 2 / np.maximum(2 * (1 - correlation), 1e-9)).sum(1)
        if np.abs(correlation - last).max() < 1e-3:
            break
        weight, last = gammaincc(first.shape[1] / 2, score / 2) + 1e-9, correlation
    return _map(score, valid)
