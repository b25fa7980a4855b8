"""Shares of trials: their interval, and where they reach a half."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, after E. B. Wilson (1927), doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> [round(end, 3) for end in wilson(9, 10)]
    [0.596, 0.982]
    """
    z = 1.959964
    share, weight = hits / trials, z**2 / trials
    centre = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def half_seen(contrast_areas: NDArray[np.float64], hits: NDArray[np.bool_]) -> float:
    """Return the contrast-area at which half of the objects are flagged, by a logistic curve over its logarithm.

    Parameters
    ----------
    contrast_areas, hits
        (n,) of each object: contrast times area, > 0, and whether it was flagged.

    Returns
    -------
    NaN where the curve does not rise, or crosses a half outside the contrast-areas that were tried.
    """
    x = np.log(np.maximum(contrast_areas, 1e-6))
    design = np.column_stack([np.ones_like(x), x - x.mean()])
    fit = np.zeros(2)
    # A slight pull towards no slope keeps the curve finite where the flagged and the others do not overlap.
    pull = np.diag([1e-6, 1e-2])
    for _ in range(50):
        share = 1 / (1 + np.exp(-np.clip(design @ fit, -30, 30)))
        slope = design.T @ (hits - share) - pull @ fit
        curvature = (design * (share * (1 - share))[:, None]).T @ design + pull
        step = np.linalg.solve(curvature, slope)
        fit += np.clip(step, -2, 2)
    crossing = x.mean() - fit[0] / fit[1] if fit[1] > 0 else math.nan
    return float(math.exp(crossing)) if x.min() <= crossing <= x.max() else math.nan
