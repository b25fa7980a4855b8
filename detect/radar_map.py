"""Which ground changed between two radar dates, as a map with one answer for every pixel.

For flooded or built-up ground that makes up a good part of the scene, where its outline is asked for. It always finds
two kinds of ground, changed or not: whether anything changed at all is the question of `detect.radar_change`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from detect.gamma import pair_statistic

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

SMOOTHNESS = 1.2
"""Weight of the total variation of ln(power ratio); between 1.0 and 1.4 it hardly matters on real pairs."""
NEIGHBOURS_PX = 3
"""Side of the square in which the majority of the pixels is right."""
BINS = 1024


def otsu_threshold(values: FloatArray) -> float:
    """Return the value that parts values into the two classes of least variance (N. Otsu 1979).

    Parameters
    ----------
    values
        Any shape; finite.

    Examples
    --------
    >>> bool(1 < otsu_threshold(np.array([0, 0, 1, 9, 9, 10], np.float32)) < 9)
    True
    """
    count, edges = np.histogram(values, bins=BINS)
    middle = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(count)
    above, total = count.sum() - below, np.cumsum(count * middle)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return float(edges[1:][int(np.nanargmax(between))])


def changed_ground(before: FloatArray, after: FloatArray, valid: BoolArray) -> tuple[BoolArray, FloatArray]:
    """Return which ground changed, and the evidence for it.

    ln(after / before) is drawn to its piecewise constant part (total variation; L. Rudin, S. Osher and E. Fatemi 1992,
    doi:10.1016/0167-2789(92)90242-F), which keeps the outline of what changed where a mean over a window loses it. Its
    gamma likelihood ratio, as a distance, is parted in two by Otsu's rule; a majority of neighbours ends it.

    Parameters
    ----------
    before, after
        (row, col) linear power > 0 where valid, levelled, on one grid.
    valid
        (row, col) True = usable on both dates.

    Returns
    -------
    changed
        (row, col) bool; False where not valid.
    distance
        (row, col) >= 0, NaN where not valid.
    """
    from skimage.restoration import denoise_tv_chambolle

    ratio = np.divide(after, before, out=np.ones(before.shape, np.float32), where=valid)
    noisy = np.log(ratio).astype(np.float64)
    flat = denoise_tv_chambolle(noisy, weight=SMOOTHNESS, eps=1e-5, max_num_iter=500)  # type: ignore[no-untyped-call]
    distance = np.sqrt(np.maximum(pair_statistic(flat.astype(np.float32), looks=1.0), 0))
    raw = valid & (distance >= otsu_threshold(distance[valid]))
    changed = valid & (uniform_filter(raw.astype(np.float32), NEIGHBOURS_PX) > 0.5)
    return changed, np.where(valid, distance, np.float32(np.nan))
