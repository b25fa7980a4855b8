"""Dates under haze that no mask shows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from imagery.raster import BoolArray, FloatArray
from imagery.veil import FEWEST_DATES, veil_levels, veiled

SIZE, GSD = 200, 10.0


def stack(count: int = 8) -> tuple[FloatArray, BoolArray]:
    """Return dates (date, 2, row, col) of one ground whose light and weather differ as they usually do, all valid."""
    rng = np.random.default_rng(5)
    ground = 0.15 + 0.05 * gaussian_filter(rng.standard_normal((2, SIZE, SIZE)), (0, 6, 6)) * 20
    dates = []
    for _ in range(count):
        stains = 0.003 * 60 * gaussian_filter(rng.standard_normal((2, SIZE, SIZE)), (0, 20, 20))
        light, path = rng.uniform(0.8, 1.2), rng.uniform(0, 0.03)
        dates.append(light * (ground + stains) + path)
    return np.stack(dates).astype(np.float32), np.ones((count, SIZE, SIZE), np.bool_)


def haze() -> FloatArray:
    """Return patches of light (row, col), up to about 0.1."""
    rng = np.random.default_rng(9)
    patches: FloatArray = gaussian_filter(rng.standard_normal((SIZE, SIZE)), 30).astype(np.float32)
    scaled: FloatArray = (patches - patches.min()) / np.ptp(patches) * np.float32(0.1)
    return scaled


EVERYWHERE = np.ones((SIZE, SIZE), np.bool_)


def test_dates_that_differ_in_light_and_stains_only_are_kept() -> None:
    levels = veil_levels(*stack(), EVERYWHERE, gsd=GSD)
    assert levels.max() < 2.5
    assert veiled(levels.tolist()) == (None,) * 8


def test_haze_in_one_band_is_enough_to_reject_a_date() -> None:
    images, valid = stack()
    images[3, 0] += haze()
    reasons = veiled(veil_levels(images, valid, EVERYWHERE, gsd=GSD).tolist())
    assert [reason is None for reason in reasons] == [k != 3 for k in range(8)]
    assert "times as much as they usually do" in str(reasons[3])


def test_objects_that_come_and_go_are_no_veil() -> None:
    images, valid = stack()
    rng = np.random.default_rng(2)
    for r, c in rng.integers(10, SIZE - 20, (25, 2)):
        images[4, :, r : r + 5, c : c + 5] += 0.3
    assert veiled(veil_levels(images, valid, EVERYWHERE, gsd=GSD).tolist()) == (None,) * 8


def test_ground_that_is_not_valid_takes_no_part() -> None:
    images, valid = stack()
    before = veil_levels(images, valid, EVERYWHERE, gsd=GSD)
    valid[2, :40] = False
    images[2, :, :40] = np.nan
    after = veil_levels(images, valid, EVERYWHERE, gsd=GSD)
    assert np.isfinite(after).all()
    assert after == pytest.approx(before, rel=0.5)


def test_only_the_searched_ground_is_looked_at_where_it_is_large_enough() -> None:
    images, valid = stack()
    searched = EVERYWHERE.copy()
    searched[:, 100:] = False
    images[3, 0, :, 110:] += haze()[:, 110:]
    assert veiled(veil_levels(images, valid, searched, gsd=GSD).tolist())[3] is None
    assert veiled(veil_levels(images, valid, ~searched, gsd=GSD).tolist())[3] is not None


def test_too_few_dates_have_no_usual_difference() -> None:
    images, valid = stack(FEWEST_DATES - 1)
    images[1] += haze()
    assert veil_levels(images, valid, EVERYWHERE, gsd=GSD).tolist() == [1.0] * 3
    assert veil_levels(images[:0], valid[:0], EVERYWHERE, gsd=GSD).shape == (0,)
