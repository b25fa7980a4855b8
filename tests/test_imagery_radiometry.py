"""Numbers to physical units: order, type, and what is no data."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely.geometry import box

from imagery.bands import SENTINEL2_BANDS, sensor_of
from imagery.errors import SceneError
from imagery.radiometry import (
    check_linear_power,
    check_offset,
    missing_reflectance,
    saturated,
    to_physical,
)
from imagery.scene import Asset, Scene

SCENE = Scene(
    id="S2X",
    sensor="s2",
    platform=None,
    acquired=datetime(2024, 12, 7, tzinfo=UTC),
    footprint=box(0, 0, 1, 1),
    source="folder",
    href="",
    assets={"B02": Asset(href="", offset=-0.1), "SCL": Asset(href="")},
)


def test_an_offset_never_wraps_around() -> None:
    numbers = np.array([0, 900, 1000, 65535], np.uint16)
    assert to_physical(numbers, scale=1e-4, offset=-0.1) == pytest.approx([-0.1, -0.01, 0.0, 6.4535], abs=1e-6)


@given(dn=st.integers(1, 65534))
def test_both_encodings_of_a_surface_give_one_reflectance(dn: int) -> None:
    late = to_physical(np.array([dn + 1000], np.float32), scale=1e-4, offset=-0.1)
    early = to_physical(np.array([dn], np.float32), scale=1e-4, offset=0.0)
    assert late == pytest.approx(early, abs=1e-6)
    assert late.dtype == np.float32


def test_negative_reflectance_is_kept() -> None:
    assert to_physical(np.array([800], np.uint16), scale=1e-4, offset=-0.1)[0] < 0


def reflectance(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return DN without offset in physical units."""
    return to_physical(numbers, scale=1e-4, offset=0.0)


def two_bands(first: int, second: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return (2, 21, 21) DN of 500, with other numbers in the middle, and the place of the middle."""
    numbers = np.full((2, 21, 21), 500, np.float32)
    numbers[:, 10, 10] = first, second
    return numbers, np.arange(441).reshape(21, 21) == 10 * 21 + 10


@pytest.mark.parametrize(
    ("values", "clamped", "missing"),
    [
        ((0, 0), False, True),
        ((0, 0), True, True),
        ((0, 400), False, True),  # with an offset to come, 0 cannot be light
        ((0, 400), True, False),  # dark water, clamped in one band
        ((0, 3000), True, True),  # land with a hole in one band
        ((1, 1), False, False),
    ],
)
def test_what_zero_means(values: tuple[int, int], clamped: bool, missing: bool) -> None:
    numbers, middle = two_bands(*values)
    absent = np.zeros((21, 21), bool)
    found = missing_reflectance(numbers, absent, reflectance(numbers), clamped=clamped, reach_px=3)
    np.testing.assert_array_equal(found, middle if missing else absent)


def test_the_ragged_end_of_a_swath_is_no_data() -> None:
    numbers = np.full((2, 21, 21), 500, np.float32)
    numbers[:, :, :5] = 0
    numbers[1, :, 5:8] = 0
    numbers[1, 10, 15] = 0
    found = missing_reflectance(numbers, np.zeros((21, 21), bool), reflectance(numbers), clamped=True, reach_px=3)
    assert found[:, :8].all()
    assert not found[:, 8:].any()


def test_what_a_file_says_by_other_means_is_always_missing() -> None:
    numbers, middle = two_bands(500, 500)
    for clamped in (True, False):
        found = missing_reflectance(numbers, middle, reflectance(numbers), clamped=clamped, reach_px=3)
        np.testing.assert_array_equal(found, middle)


def test_saturation() -> None:
    assert saturated(np.array([65534, 65535], np.float32)).tolist() == [False, True]


def test_ground_darker_than_black_refutes_an_offset() -> None:
    values = np.full((10, 10), 0.05, np.float32)
    valid = np.ones((10, 10), bool)
    check_offset(values, valid, scene=SCENE, band="B02")
    values[:1] = -0.08
    check_offset(values, valid, scene=SCENE, band="B02")
    values[:2] = -0.08
    with pytest.raises(SceneError, match=r"offset -0\.1 .* 20% of B02 is darker than black"):
        check_offset(values, valid, scene=SCENE, band="B02")
    valid[:2] = False
    check_offset(values, valid, scene=SCENE, band="B02")


def test_decibels_are_no_linear_power() -> None:
    power, present = np.full((10, 10), -17.0, np.float32), np.ones((10, 10), bool)
    with pytest.raises(SceneError, match="100% of VV is negative"):
        check_linear_power(power, present, scene=SCENE, band="VV")
    check_linear_power(-power, present, scene=SCENE, band="VV")


def test_the_blur_of_a_band_has_its_transfer_at_nyquist() -> None:
    # Against the Fourier transform of the Gaussian itself, summed up.
    band = SENTINEL2_BANDS["B04"]
    assert band.psf_sigma_m is not None
    x = np.arange(-200, 200, 0.1)
    spread = np.exp(-(x**2) / (2 * band.psf_sigma_m**2))
    transfer = (spread * np.cos(2 * np.pi * x / (2 * band.gsd_m))).sum() / spread.sum()
    assert transfer == pytest.approx(band.mtf_nyquist, abs=1e-6)
    assert SENTINEL2_BANDS["B10"].psf_sigma_m is None


def test_bands_know_their_sensor() -> None:
    assert [sensor_of(name) for name in ("B02", "B8A", "SCL", "VH", "blue")] == ["s2", "s2", "s2", "s1", None]
