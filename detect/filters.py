"""Linear filters that know which pixels are valid: an invalid pixel has no weight, and no value."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

_NO_WEIGHT = np.float32(1e-6)


def blur(image: FloatArray, valid: BoolArray, sigma: float) -> FloatArray:
    """Return the Gaussian mean of each band over its valid neighbours.

    Parameters
    ----------
    image
        (band, row, col); anything where not valid, NaN included.
    valid
        (row, col), True = usable.
    sigma
        Standard deviation of the kernel, pixels, > 0.

    Returns
    -------
    FloatArray
        (band, row, col); 0 where no valid pixel is near.
    """
    weight = cv2.GaussianBlur(valid.astype(np.float32), (0, 0), sigma) + _NO_WEIGHT
    return np.stack([cv2.GaussianBlur(np.where(valid, band, np.float32(0)), (0, 0), sigma) / weight for band in image])


def box_mean(image: FloatArray, valid: BoolArray, size: int) -> FloatArray:
    """Return the mean of each band over the valid pixels of a `size` x `size` box; 0 where there are none."""
    weight = cv2.blur(valid.astype(np.float32), (size, size)) + _NO_WEIGHT
    return np.stack([cv2.blur(np.where(valid, band, np.float32(0)), (size, size)) / weight for band in image])


def ring_mean(image: FloatArray, valid: BoolArray, *, outer: int, inner: int) -> FloatArray:
    """Return the mean of each band over the valid pixels of a square ring, as (band, row, col).

    Parameters
    ----------
    image, valid
        As for `blur`.
    outer, inner
        Sides of the ring's outer and inner square, odd pixels.
    """
    filled = [np.where(valid, band, np.float32(0)) for band in image]
    seen = valid.astype(np.float32)

    def ring_sum(values: FloatArray) -> FloatArray:
        big, small = (cv2.boxFilter(values, -1, (n, n), normalize=False) for n in (outer, inner))
        return np.asarray(big - small, dtype=np.float32)

    # Sums of a sliding box leave rounding behind; half a pixel of weight is none.
    weight = np.maximum(ring_sum(seen), np.float32(0.5))
    return np.stack([ring_sum(band) / weight for band in filled])


def ring_moments(
    image: FloatArray, valid: BoolArray, *, outer: int, inner: int, most: float
) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance of each band over a square ring, (band, row, col) each, of values cut at -+ `most`.

    Rings as wide as these vary slowly: the sums are made of means of 2 x 2 pixels.

    Parameters
    ----------
    image, valid
        As for `blur`.
    outer, inner
        Sides of the ring's outer and inner square, pixels.
    most
        Greatest size of a value.
    """
    rows, cols = valid.shape
    halved = (cols + 1) // 2, (rows + 1) // 2
    sides = [2 * round(side / 4 - 0.5) + 1 for side in (outer, inner)]

    def ring_sum(values: FloatArray) -> FloatArray:
        even = cv2.copyMakeBorder(values, 0, rows % 2, 0, cols % 2, cv2.BORDER_CONSTANT, value=0)
        few = cv2.resize(even, halved, interpolation=cv2.INTER_AREA)
        big, small = (cv2.boxFilter(few, -1, (n, n), normalize=False) for n in sides)
        return np.asarray(big - small, dtype=np.float32)

    def whole(values: FloatArray) -> FloatArray:
        size = (2 * halved[0], 2 * halved[1])
        return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)[:rows, :cols])

    seen = valid.astype(np.float32)
    # Sums of a sliding box leave rounding behind; half a pixel of weight is none.
    weight = np.maximum(ring_sum(seen), np.float32(0.125))
    mean, variance = np.empty_like(image), np.empty_like(image)
    for k, band in enumerate(image):
        cut = np.clip(band, -most, most) * seen
        middle, square = (np.asarray(ring_sum(x) / weight, dtype=np.float32) for x in (cut, cut * cut))
        mean[k], variance[k] = whole(middle), whole(square - middle * middle)
    return mean, variance


def difference_of_gaussians(image: FloatArray, valid: BoolArray, *, inner: float, outer: float) -> FloatArray:
    """Return the zero-mean, unit-norm response to a point spread of width `inner` against ground of width `outer`.

    A positive template alone answers to stains and moisture, whose spectrum is red; without its mean it
    answers to what is of the sensor's own order.

    Parameters
    ----------
    image, valid
        As for `blur`.
    inner, outer
        Standard deviations, pixels, inner < outer.
    """
    near, far = blur(image, valid, inner), blur(image, valid, outer)
    response = (near - far) / np.float32(_norm(inner, outer))
    return np.where(valid, response, np.float32(0))


def _norm(inner: float, outer: float) -> float:
    """Return the L2 norm of the discrete difference of Gaussians."""
    reach = int(np.ceil(4 * outer))
    x = np.arange(-reach, reach + 1)
    near, far = (np.exp(-(x**2) / (2 * s * s)) for s in (inner, outer))
    near, far = near / near.sum(), far / far.sum()
    return float(np.sqrt(((np.outer(near, near) - np.outer(far, far)) ** 2).sum()))


def gradient(image: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the central differences of each band along rows and along columns, per pixel."""
    rows = np.gradient(image, axis=1)
    cols = np.gradient(image, axis=2)
    return np.asarray(rows, dtype=np.float32), np.asarray(cols, dtype=np.float32)
