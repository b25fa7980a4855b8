"""Clouds go, aprons and ships stay: synthetic pictures whose content is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from imagery.bands import SCL
from imagery.mask import BUFFER_M, classify_validity

BANDS = ("B02", "B03", "B04", "B08")
SIZE = 200
SOIL, WATER = (0.12, 0.17, 0.24, 0.32), (0.045, 0.04, 0.03, 0.02)
CONCRETE = (0.32, 0.37, 0.42, 0.46)
CLOUD = (0.62, 0.59, 0.58, 0.60)
APRON = np.s_[80:100, 80:110]
"""200 x 300 m."""
Picture = NDArray[np.float32]


def spectrum(colour: tuple[float, ...]) -> Picture:
    """Return a colour as (4, 1, 1)."""
    return np.array(colour, np.float32)[:, None, None]


def ground(colour: tuple[float, ...] = SOIL, texture: float = 0.08) -> Picture:
    """Return (4, row, col) reflectance of textured ground, before the sensor."""
    noise = np.random.default_rng(0).standard_normal((SIZE, SIZE)).astype(np.float32)
    field = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.asarray(spectrum(colour) * (1 + texture * field / field.std()), np.float32)


def seen(picture: Picture) -> Picture:
    """Return the picture behind the sensor's blur and noise."""
    blurred = np.stack([cv2.GaussianBlur(band, (0, 0), 0.53) for band in picture.astype(np.float32)])
    noise = np.random.default_rng(1).normal(0, 0.0015, blurred.shape)
    return (blurred + noise).astype(np.float32)


def classes(where: NDArray[np.bool_], called: int) -> NDArray[np.uint8]:
    """Return the SCL on the grid: `called` on the 20 m pixels that `where` touches, bare ground elsewhere."""
    coarse = where.reshape(SIZE // 2, 2, SIZE // 2, 2).any(axis=(1, 3))
    return np.where(np.kron(coarse, np.ones((2, 2))), called, SCL.BARE).astype(np.uint8)


def apron(colour: tuple[float, ...] = CONCRETE) -> tuple[Picture, NDArray[np.bool_]]:
    """Return a paved place in the open, and where it is."""
    picture, where = ground(), np.zeros((SIZE, SIZE), bool)
    picture[(slice(None), *APRON)] = spectrum(colour)
    where[APRON] = True
    return seen(picture), where


def cloud(width_m: float, edge_m: float, over: Picture) -> tuple[Picture, NDArray[np.bool_]]:
    """Return a white disc with blurred edges, brighter in the blue, and where it hides a third of the ground."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    disc = (np.hypot(x, y) < width_m / 20).astype(np.float32)
    share = cv2.GaussianBlur(disc, (0, 0), edge_m / 10)
    return seen(over * (1 - share) + spectrum(CLOUD) * share), share > 1 / 3


@pytest.mark.parametrize("called", [SCL.CLOUD_MEDIUM, SCL.CLOUD_HIGH, SCL.CIRRUS, SCL.SNOW])
def test_a_bright_apron_that_is_called_cloud_is_kept_as_uncertain(called: int) -> None:
    picture, where = apron()
    valid, uncertain = classify_validity(classes(where, called), picture, BANDS, 10)
    assert valid.all()
    np.testing.assert_array_equal(uncertain, classes(where, called) == called)


@pytest.mark.parametrize("shift", [-2, 2])
def test_a_classification_that_lies_beside_the_apron_does_not_lose_it(shift: int) -> None:
    picture, where = apron()
    valid, uncertain = classify_validity(classes(np.roll(where, shift, (0, 1)), SCL.CLOUD_HIGH), picture, BANDS, 10)
    assert valid.all()
    assert uncertain[APRON].mean() > 0.8


def test_a_part_of_an_apron_that_is_called_cloud_is_kept() -> None:
    picture, _ = apron()
    part = np.zeros((SIZE, SIZE), bool)
    part[86:94, 88:100] = True
    valid, uncertain = classify_validity(classes(part, SCL.CLOUD_MEDIUM), picture, BANDS, 10)
    assert valid.all()
    assert uncertain[part].all()


@pytest.mark.parametrize("colour", [(0.085, 0.095, 0.1, 0.125), (0.09, 0.095, 0.1, 0.1)])
def test_a_dark_runway_that_is_called_cloud_is_kept(colour: tuple[float, ...]) -> None:
    picture, where = ground(), np.zeros((SIZE, SIZE), bool)
    where[:, 90:96] = True
    picture[:, where] = spectrum(colour)[:, :, 0]
    valid, uncertain = classify_validity(classes(where, SCL.CLOUD_MEDIUM), seen(picture), BANDS, 10)
    assert valid.all()
    assert uncertain[where].all()


@pytest.mark.parametrize(("length_m", "width_m"), [(60, 15), (120, 20), (200, 30), (300, 50)])
@pytest.mark.parametrize("brightness", [0.12, 0.3, 0.6])
def test_a_ship_that_is_called_cloud_is_kept(length_m: int, width_m: int, brightness: float) -> None:
    fine = np.zeros((SIZE * 5, SIZE * 5), np.float32)
    fine[500 : 500 + length_m // 2, 500 : 500 + width_m // 2] = 1
    share = cv2.resize(fine, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    picture = seen(ground(WATER, 0.02) * (1 - share) + brightness * share)
    called = classes(share > 0.3, SCL.CLOUD_HIGH)
    valid, uncertain = classify_validity(called, picture, BANDS, 10)
    assert valid.all()
    assert uncertain[share > 0.3].all()


@pytest.mark.parametrize("over", [SOIL, WATER])
@pytest.mark.parametrize(("width_m", "edge_m"), [(600, 30), (600, 80), (1200, 50), (200, 40), (100, 30)])
def test_a_cloud_goes_with_the_ground_around_it(width_m: float, edge_m: float, over: tuple[float, ...]) -> None:
    picture, where = cloud(width_m, edge_m, ground(over))
    called = classes(where, SCL.CLOUD_HIGH)
    valid, uncertain = classify_validity(called, picture, BANDS, 10)
    distance, _ = cKDTree(np.argwhere(called == SCL.CLOUD_HIGH)).query(np.indices((SIZE, SIZE)).T)
    distance = distance.T
    np.testing.assert_array_equal(valid, distance * 10 > BUFFER_M)
    assert not uncertain.any()


def test_a_cloud_takes_the_apron_beneath_its_edge_with_it() -> None:
    over, _ = apron()
    picture, where = cloud(400, 40, over)
    valid, _ = classify_validity(classes(where, SCL.CLOUD_HIGH), picture, BANDS, 10)
    assert not valid[where].any()


@pytest.mark.parametrize(("gsd", "pixels"), [(10, 5), (20, 2), (5, 10)])
def test_the_buffer_is_in_metres(gsd: float, pixels: int) -> None:
    scl = np.full((61, 61), SCL.BARE, np.uint8)
    scl[30, 30] = SCL.CLOUD_SHADOW
    valid, _ = classify_validity(scl, np.full((4, 61, 61), 0.2, np.float32), BANDS, gsd)
    assert np.flatnonzero(~valid[30]).tolist() == list(range(30 - pixels, 31 + pixels))


def test_saturated_ground_is_uncertain_where_its_numbers_are_sound() -> None:
    picture = np.full((4, 20, 20), 0.9, np.float32)
    picture[2, 5, 5] = np.nan
    scl = np.full((20, 20), SCL.BARE, np.uint8)
    scl[5, 4:8] = SCL.SATURATED
    valid, uncertain = classify_validity(scl, picture, BANDS, 10)
    assert np.argwhere(~valid).tolist() == [[5, 5]]
    assert np.argwhere(uncertain).tolist() == [[5, 4], [5, 6], [5, 7]]


def test_no_data_is_not_valid_and_has_no_buffer() -> None:
    scl = np.full((20, 20), SCL.VEGETATION, np.uint8)
    scl[:, :3] = SCL.NO_DATA
    valid, uncertain = classify_validity(scl, np.full((4, 20, 20), 0.2, np.float32), BANDS, 10)
    np.testing.assert_array_equal(valid, scl != SCL.NO_DATA)
    assert not uncertain.any()


def test_a_picture_full_of_cloud_has_nothing_valid() -> None:
    scl = np.full((50, 50), SCL.CLOUD_HIGH, np.uint8)
    valid, _ = classify_validity(scl, np.full((4, 50, 50), 0.6, np.float32), BANDS, 10)
    assert not valid.any()


def test_without_colours_nothing_large_is_kept() -> None:
    picture, where = apron()
    valid, uncertain = classify_validity(classes(where, SCL.CLOUD_HIGH), picture[3:], ("B08",), 10)
    assert not valid[APRON].any()
    assert not uncertain.any()
