"""The filters against plain convolution, and what an invalid pixel may do to them: nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from detect.filters import blur, box_mean, difference_of_gaussians, gradient, ring_mean

FloatArray = NDArray[np.float32]
SHAPE = (60, 70)
EVERYWHERE = np.ones(SHAPE, np.bool_)


def noise(bands: int = 2) -> FloatArray:
    return np.random.default_rng(1).standard_normal((bands, *SHAPE)).astype(np.float32)


def holes() -> NDArray[np.bool_]:
    valid = np.random.default_rng(2).random(SHAPE) > 0.1
    valid[20:30, 40:55] = False
    return valid


def mean_of_valid(image: FloatArray, valid: NDArray[np.bool_], smooth: Callable[..., FloatArray]) -> FloatArray:
    """Return the mean over valid neighbours by two plain convolutions."""
    return smooth(np.where(valid, image, 0).astype(float)) / smooth(valid.astype(float))


def test_blur_is_the_gaussian_mean_of_valid_neighbours() -> None:
    image, valid = noise(), holes()
    wanted = [
        mean_of_valid(band, valid, lambda x: ndimage.gaussian_filter(x, 1.7, mode="mirror", truncate=4))
        for band in image
    ]
    np.testing.assert_allclose(blur(image, valid, 1.7), wanted, atol=2e-3)


def test_box_mean_is_the_mean_of_the_valid_pixels_of_a_box() -> None:
    image, valid = noise(), holes()
    valid[10:21, 10:21] = True
    np.testing.assert_allclose(box_mean(image, valid, 3)[:, 15, 15], image[:, 14:17, 14:17].mean((1, 2)), rtol=1e-4)
    row, col = 25, 39  # beside the hole: only the valid ones count
    patch = np.s_[row - 1 : row + 2, col - 1 : col + 2]
    assert 0 < valid[patch].sum() < 9
    wanted = image[(slice(None), *patch)][:, valid[patch]].mean(axis=1)
    np.testing.assert_allclose(box_mean(image, valid, 3)[:, row, col], wanted, rtol=1e-4)


@pytest.mark.parametrize("place", [(25, 30), (30, 20), (0, 0), (59, 35)])
def test_ring_mean_is_the_mean_of_a_square_ring(place: tuple[int, int]) -> None:
    image, valid = noise(), holes()
    row, col = place
    padded = np.pad(image, ((0, 0), (10, 10), (10, 10)), mode="reflect")
    seen = np.pad(valid, 10, mode="reflect")
    window = np.s_[row + 10 - 5 : row + 10 + 6, col + 10 - 5 : col + 10 + 6]
    ring = seen[window].copy()
    ring[5 - 1 : 5 + 2, 5 - 1 : 5 + 2] = False
    wanted = padded[(slice(None), *window)][:, ring].mean(axis=1)
    np.testing.assert_allclose(ring_mean(image, valid, outer=11, inner=3)[:, row, col], wanted, atol=1e-5)


def impulse_response(inner: float, outer: float) -> FloatArray:
    point = np.zeros((1, 61, 61), np.float32)
    point[0, 30, 30] = 1
    return np.asarray(difference_of_gaussians(point, np.ones((61, 61), np.bool_), inner=inner, outer=outer)[0])


@pytest.mark.parametrize(("inner", "outer"), [(0.53, 1.8), (0.7, 2.6), (1.2, 4.0)])
def test_the_point_spread_filter_has_no_mean_and_unit_norm(inner: float, outer: float) -> None:
    kernel = impulse_response(inner, outer).astype(float)
    assert kernel.sum() == pytest.approx(0, abs=1e-4)
    assert (kernel**2).sum() == pytest.approx(1, abs=0.01)
    assert kernel[30, 30] == kernel.max() > 0


def test_the_point_spread_filter_does_not_answer_to_a_plain_or_to_a_slope() -> None:
    rows, cols = np.mgrid[:60, :70].astype(np.float32)
    image = np.stack([np.full(SHAPE, 0.3, np.float32), 0.01 * rows - 0.02 * cols])
    response = difference_of_gaussians(image, EVERYWHERE, inner=0.53, outer=1.8)
    np.testing.assert_allclose(response[:, 10:-10, 10:-10], 0, atol=1e-5)


def test_the_edge_of_valid_ground_is_no_edge_of_the_ground() -> None:
    plain = np.full((1, *SHAPE), 0.3, np.float32)
    np.testing.assert_allclose(difference_of_gaussians(plain, holes(), inner=0.53, outer=1.8), 0, atol=1e-4)


def test_gradient_is_the_slope_per_pixel() -> None:
    rows, cols = np.mgrid[:60, :70].astype(np.float32)
    down, across = gradient(np.stack([2 * rows - 3 * cols]))
    np.testing.assert_allclose(down, 2, atol=1e-5)
    np.testing.assert_allclose(across, -3, atol=1e-5)


@pytest.mark.parametrize(
    "filtered",
    [
        lambda x, v: blur(x, v, 1.5),
        lambda x, v: box_mean(x, v, 5),
        lambda x, v: ring_mean(x, v, outer=11, inner=3),
        lambda x, v: difference_of_gaussians(x, v, inner=0.53, outer=1.8),
    ],
)
@pytest.mark.parametrize("rubbish", [np.nan, np.inf, 1e9])
def test_what_is_not_valid_does_not_count(filtered: Callable[..., FloatArray], rubbish: float) -> None:
    image, valid = noise(), holes()
    spoilt = np.where(valid, image, np.float32(rubbish))
    np.testing.assert_array_equal(filtered(spoilt, valid), filtered(np.where(valid, image, np.float32(0)), valid))
    assert np.isfinite(filtered(spoilt, valid)).all()
