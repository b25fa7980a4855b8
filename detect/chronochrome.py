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

FloatMatrix = NDArray[np.float64]

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
    """(cluster, band + 1, band): prediction = [bands, 1] @ coefficients, by plain regression: what to expect of the
    target at a pixel, given the predictor with its noise."""
    light: NDArray[np.float64]
    """(cluster, band + 1, band) the same by structural regression: how the light changed. Only this explains fine
    structure that stayed, such as a parked aircraft on pavement whose own texture is no stronger than the noise."""

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
        self,
        predictor: FloatArray,
        target: FloatArray,
        valid: BoolArray,
        *,
        fine: bool = False,
        cover: NDArray[np.intp] | None = None,
    ) -> FloatArray:
        """Return target minus prediction (band, row, col); 0 where not valid.

        Parameters
        ----------
        predictor, target, valid
            As for `fit_chronochrome`.
        fine
            True: by `light`, for what is smaller than its kind of cover; else by `coefficients`.
        cover
            What `covers` says of the predictor, where that is known already.
        """
        cover = self.covers(predictor, valid) if cover is None else cover
        out = np.zeros_like(target)
        flat = [image.reshape(len(image), -1) for image in (out, predictor, target)]
        for k, table in enumerate(self.light if fine else self.coefficients):
            here = np.flatnonzero(valid & (cover == k))
            slopes, level = table[:-1].T.astype(np.float32), table[-1][:, None].astype(np.float32)
            flat[0][:, here] = flat[2][:, here] - (slopes @ flat[1][:, here] + level)
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


@dataclass(frozen=True, kw_only=True)
class _Lines:
    """Regressions of the whole image, from which those of its kinds of cover start."""

    plain: FloatMatrix
    light: FloatMatrix
    noise: NDArray[np.float64]
    """(band,) variance of the predictor that is not shared with the target: half of what the line leaves."""


def _noise(known: FloatMatrix, wanted: FloatMatrix, slopes: FloatMatrix) -> NDArray[np.float64]:
    """Return the variance (band,) of the predictor's share of what slopes leave, both dates being alike noisy."""
    own = np.maximum(np.abs(np.diag(slopes)), 0.2)  # a band that hardly follows itself tells no noise of the predictor
    return np.asarray((robust.spread(wanted - known @ slopes) / own) ** 2 / 2 + 1e-10)


def _whole_lines(known: FloatMatrix, wanted: FloatMatrix, *, noisy: bool) -> _Lines:
    """Return the regressions over all samples (n, band); without noise in the predictor, one is the other."""
    plain = robust.affine_regression(known, wanted)
    if not noisy:
        return _Lines(plain=plain, light=plain, noise=np.zeros(known.shape[1]))
    # The ratio of the bands' ranges needs no regression, and so no pixel-wise agreement, to be roughly right.
    ranges = [np.subtract(*np.quantile(samples, (0.98, 0.02), axis=0)) for samples in (wanted, known)]
    gains = np.diag(ranges[0] / np.maximum(ranges[1], 1e-6))
    light = robust.structural_regression(known, wanted, slopes=gains, noise=_noise(known, wanted, gains))
    return _Lines(plain=plain, light=light, noise=_noise(known, wanted, light[:-1]))


def fit_chronochrome(
    predictor: FloatArray,
    target: FloatArray,
    valid: BoolArray,
    *,
    clusters: int = CLUSTERS,
    like: Chronochrome | None = None,
    cover: NDArray[np.intp] | None = None,
    samples: int = SAMPLES,
    noisy: bool = True,
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
    cover
        What its `covers` says of the predictor, where that is known already.
    samples
        Pixels used per regression.
    noisy
        False: the predictor is the median of so many dates that plain regression finds how the light changed.

    Returns
    -------
    Chronochrome
    """
    like = like or _find_covers(predictor, valid, clusters)
    cover = like.covers(predictor, valid) if cover is None else cover
    everywhere = np.flatnonzero(valid)
    kinds = cover.reshape(-1)[everywhere]

    def drawn(places: NDArray[np.intp]) -> tuple[FloatMatrix, FloatMatrix]:
        few = places[robust.thin(len(places), samples)]
        known, wanted = (image.reshape(len(image), -1)[:, few].T.astype(np.float64) for image in (predictor, target))
        return known, wanted

    whole = _whole_lines(*drawn(everywhere), noisy=noisy)
    plain, light = [whole.plain] * len(like.clusters), [whole.light] * len(like.clusters)
    for k in range(len(plain)):
        mine = everywhere[kinds == k]
        if len(mine) >= SMALLEST_CLUSTER:
            here, there = drawn(mine)
            # From the whole image's line: a new roof may be half of its kind of cover, and must not become the rule.
            plain[k] = robust.affine_regression(here, there, start=whole.plain)
            if noisy:
                light[k] = robust.structural_regression(here, there, slopes=whole.light[:-1], noise=whole.noise)
    return replace(like, coefficients=np.stack(plain), light=np.stack(light if noisy else plain))


def _find_covers(predictor: FloatArray, valid: BoolArray, clusters: int) -> Chronochrome:
    """Return a model that knows the predictor's covers, and no regression yet."""
    known = predictor[:, valid].T.astype(np.float64)
    centre, spread = known.mean(0), known.std(0) + 1e-6
    smooth = _scaled(box_mean(predictor, valid, 3), centre, spread)[:, valid].T
    few = smooth[robust.thin(len(smooth), SAMPLES)]
    centres = _cluster_centres(np.ascontiguousarray(few), max(1, min(clusters, len(few) // SMALLEST_CLUSTER)))
    blank = np.zeros((len(centres), len(centre) + 1, len(centre)))
    return Chronochrome(centre=centre, spread=spread, clusters=centres, coefficients=blank, light=blank)
