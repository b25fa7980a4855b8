"""Chronochrome: what one date makes us expect of another, per kind of ground cover.

A. Schaum and A. Stocker (1998), Long-interval chronochrome target detection; here with robust regression and per
cluster, because concrete, water and fields do not share one change of illumination.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from detect import robust
from detect.filters import BoolArray, FloatArray, box_mean

CLUSTERS = 10
SAMPLES = 40_000
"""Pixels used per fit, taken at a fixed stride: more do not change the coefficients."""
SMALLEST_CLUSTER = 400
"""Pixels; a smaller cluster takes the regression of the whole image."""


@dataclass(frozen=True, kw_only=True)
class Chronochrome:
    """A fitted prediction of one date from another; local, so that it can be applied to any part of the image."""

    centre: NDArray[np.float64]
    """(band,) mean of the predictor's bands, for scaling."""
    spread: NDArray[np.float64]
    """(band,) their standard deviation."""
    clusters: NDArray[np.float32]
    """(cluster, band) centres in scaled units."""
    coefficients: NDArray[np.float64]
    """(cluster, band + 1, band): prediction = [bands, 1] @ coefficients."""

    def covers(self, predictor: FloatArray, valid: BoolArray) -> NDArray[np.intp]:
        """Return the cluster (row, col) of each pixel, from its 3 x 3 mean."""
        scaled = _scaled(box_mean(predictor, valid, 3), self.centre, self.spread)
        best = np.zeros(valid.shape, np.intp)
        least = np.full(valid.shape, np.inf, np.float32)
        for k, centre in enumerate(self.clusters):
            away = ((scaled - centre[:, None, None]) ** 2).sum(0)
            nearer = away < least
            best[nearer], least[nearer] = k, away[nearer]
        return best

    def residual(
        self, predictor: FloatArray, target: FloatArray, valid: BoolArray, cover: NDArray[np.intp] | None = None
    ) -> FloatArray:
        """Return target minus prediction (band, row, col); 0 where not valid. `cover` saves finding the covers again."""
        cover = self.covers(predictor, valid) if cover is None else cover
        out = np.zeros_like(target)
        for k, table in enumerate(self.coefficients):
            here = valid & (cover == k)
            design = np.column_stack([predictor[:, here].T, np.ones(int(here.sum()))])
            out[:, here] = target[:, here] - (design @ table).T
        return out


def _scaled(image: FloatArray, centre: NDArray[np.float64], spread: NDArray[np.float64]) -> FloatArray:
    """Return bands in units of their spread."""
    return np.asarray((image - centre[:, None, None]) / spread[:, None, None], dtype=np.float32)


def _cluster_centres(samples: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return k-means centres (cluster, band); the same samples give the same centres."""
    cv2.setRNGSeed(1)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4)
    empty = np.zeros((0, 0), np.int32)
    _, _, centres = cv2.kmeans(samples, count, empty, stop, 3, cv2.KMEANS_PP_CENTERS)
    return np.asarray(centres, dtype=np.float32)


def fit_chronochrome(
    predictor: FloatArray,
    target: FloatArray,
    valid: BoolArray,
    *,
    clusters: int = CLUSTERS,
    like: Chronochrome | None = None,
    samples: int = SAMPLES,
) -> Chronochrome:
    """Fit the prediction of one date from another.

    Parameters
    ----------
    predictor, target
        (band, row, col) on one grid, finite where valid.
    valid
        (row, col), True = usable on both.
    clusters
        Kinds of ground cover, found in the predictor.
    like
        A fit of the same predictor, whose covers are taken over.
    samples
        Pixels used per regression.

    Returns
    -------
    Chronochrome
    """
    like = like or _find_covers(predictor, valid, clusters)
    known = predictor[:, valid].T.astype(np.float64)
    wanted = target[:, valid].T.astype(np.float64)
    cover = like.covers(predictor, valid)[valid]
    everything = robust.thin(len(known), samples)
    whole = robust.affine_regression(known[everything], wanted[everything])
    tables = [whole] * len(like.clusters)
    for k in range(len(tables)):
        mine = np.flatnonzero(cover == k)
        if len(mine) >= SMALLEST_CLUSTER:
            chosen = mine[robust.thin(len(mine), samples)]
            tables[k] = robust.affine_regression(known[chosen], wanted[chosen])
    return replace(like, coefficients=np.stack(tables))


def _find_covers(predictor: FloatArray, valid: BoolArray, clusters: int) -> Chronochrome:
    """Return a model that knows the predictor's covers, and no regression yet."""
    known = predictor[:, valid].T.astype(np.float64)
    centre, spread = known.mean(0), known.std(0) + 1e-6
    smooth = _scaled(box_mean(predictor, valid, 3), centre, spread)[:, valid].T
    few = smooth[robust.thin(len(smooth), SAMPLES)]
    centres = _cluster_centres(np.ascontiguousarray(few), max(1, min(clusters, len(few) // SMALLEST_CLUSTER)))
    return Chronochrome(
        centre=centre,
        spread=spread,
        clusters=centres,
        coefficients=np.zeros((len(centres), len(centre) + 1, len(centre))),
    )
