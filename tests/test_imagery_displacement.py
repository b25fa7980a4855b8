"""Sampling between pixels: whole shifts exactly, ramps and textures as they should, invalid pixels nowhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagery.displacement import displace
from tests.views import periodic


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(-9, 9), cols=st.integers(-9, 9))
def test_a_whole_shift_moves_pixels_and_nothing_else(rows: int, cols: int) -> None:
    image = np.random.default_rng(1).standard_normal((2, 24, 30)).astype(np.float32)
    valid = np.random.default_rng(2).random((24, 30)) > 0.2
    moved, seen = displace(image, valid, (float(rows), float(cols)))
    wanted = np.full_like(image, np.nan)
    to = np.s_[max(-rows, 0) : 24 - max(rows, 0), max(-cols, 0) : 30 - max(cols, 0)]
    of = np.s_[max(rows, 0) : 24 + min(rows, 0), max(cols, 0) : 30 + min(cols, 0)]
    wanted[(slice(None), *to)] = np.where(valid[of], image[(slice(None), *of)], np.nan)
    np.testing.assert_array_equal(moved, wanted)
    np.testing.assert_array_equal(seen, np.isfinite(wanted[0]))


@pytest.mark.parametrize("shift", [(0.25, 0.0), (-0.5625, 0.8), (2.3, -1.4)], ids=str)
def test_a_ramp_moves_by_the_shift(shift: tuple[float, float]) -> None:
    rows, cols = np.mgrid[:60, :60].astype(np.float32)
    moved, seen = displace(np.stack([rows, cols]), np.ones((60, 60), np.bool_), shift)
    inner = np.s_[8:-8, 8:-8]  # beside the border up to 5 % of the kernel's weight lies outside
    assert seen[inner].all()
    np.testing.assert_allclose(moved[0][inner], (rows + shift[0])[inner], atol=1e-3)
    np.testing.assert_allclose(moved[1][inner], (cols + shift[1])[inner], atol=1e-3)


def test_a_texture_moves_as_its_phases_say() -> None:
    still, shift = periodic(6, 96), (0.31, -1.77)
    moved, _ = displace(still, np.ones((96, 96), np.bool_), shift)
    error = (moved - periodic(6, 96, shift))[:, 8:-8, 8:-8]
    assert np.sqrt((error**2).mean()) < 0.03 * still.std()


@settings(max_examples=25, deadline=None)
@given(shift=st.tuples(*[st.floats(-4, 4, width=32)] * 2), rubbish=st.sampled_from([np.nan, np.inf, -1e30, 1e30]))
def test_an_invalid_pixel_never_bleeds(shift: tuple[float, float], rubbish: float) -> None:
    image, valid = periodic(2, 40)[:1].copy(), np.ones((40, 40), np.bool_)
    valid[18:22, 20:23] = False
    clean, seen = displace(image, valid, shift)
    image[:, ~valid] = rubbish
    dirty, _ = displace(image, valid, shift)
    np.testing.assert_array_equal(clean, dirty)
    np.testing.assert_array_equal(np.isnan(clean).any(axis=0), ~seen)
