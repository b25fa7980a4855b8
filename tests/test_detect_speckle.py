"""Numbers of looks and levels against simulated speckle, and against what was measured otherwise on real sea."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from detect.errors import DetectError
from detect.speckle import date_levels, looks_of_ratios, spatial_looks, temporal_looks, usable


@pytest.mark.parametrize("looks", [1.0, 2.6, 4.4, 12.0])
def test_the_number_of_looks_of_simulated_speckle_is_found(looks: float) -> None:
    power = np.random.default_rng(1).gamma(looks, 0.03 / looks, (8, 100, 100)).astype(np.float32)
    assert temporal_looks(power, usable(power)) == pytest.approx(looks, rel=0.03)
    assert spatial_looks(power[0], usable(power[0])) == pytest.approx(looks, rel=0.05)


def test_ships_and_empty_borders_do_not_move_the_number_of_looks() -> None:
    power = np.random.default_rng(2).gamma(4.4, 1 / 4.4, (8, 100, 100)).astype(np.float32)
    power[3:, 10:30, 10:30] *= 50
    power[:, :, 95:] = 0
    assert temporal_looks(power, usable(power)) == pytest.approx(4.4, rel=0.06)


def test_levels_are_those_of_stable_ground() -> None:
    rng = np.random.default_rng(3)
    ground = rng.uniform(0.01, 0.3, (80, 80))
    power = (rng.gamma(4.4, 1 / 4.4, (10, 80, 80)) * ground).astype(np.float32)
    given = rng.uniform(0.7, 1.4, 10)
    power *= given[:, None, None].astype(np.float32)
    power[4, :, :25] *= 8  # rain on a third of the ground
    found = date_levels(power, usable(power))
    error = np.abs(found / given / np.median(found / given) - 1)
    assert np.delete(error, 4).max() < 0.03
    assert error[4] < 0.12


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(DetectError, match="399 ratios"):
        looks_of_ratios(np.zeros(399, np.float32))
    nothing = np.zeros((3, 30, 30), np.float32)
    with pytest.raises(DetectError, match="no pixel is usable"):
        date_levels(nothing, usable(nothing))


@pytest.mark.parametrize(("polarisation", "looks"), [("VV", 4.5), ("VH", 2.6)])
def test_real_sea_has_the_looks_that_its_variance_says(real_data: Path, polarisation: str, looks: float) -> None:
    with rasterio.open(real_data / f"opera_rtc_s1/T137-292318-IW1_{polarisation}_22dates.tif") as file:
        power = file.read().astype(np.float32)
    valid = usable(power)
    levelled = power / date_levels(power, valid)[:, None, None].astype(np.float32)
    assert temporal_looks(levelled, valid) == pytest.approx(looks, rel=0.07)
