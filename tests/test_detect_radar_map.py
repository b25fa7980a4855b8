"""The map of changed ground on implanted shapes, and its agreement with two labelled real pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from benchmarks.radar_pairs import agreement, read_pair
from detect.radar_map import changed_ground, otsu_threshold


def test_a_flooded_field_is_outlined() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.gamma(4.4, 1 / 4.4, (2, 120, 120)).astype(np.float32)
    truth = np.zeros((120, 120), bool)
    truth[30:70, 40:90] = True
    after[truth] /= 8
    valid = np.ones_like(truth)
    valid[:, 110:] = False
    after[~valid] = 0
    changed, distance = changed_ground(before, after, valid)
    assert agreement(truth, changed)[0] > 0.9
    assert not changed[~valid].any()
    assert np.isnan(distance[~valid]).all()
    assert np.isfinite(distance[valid]).all()


def test_exchanging_the_dates_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    before, after = rng.gamma(4.4, 1 / 4.4, (2, 60, 60)).astype(np.float32)
    after[20:40, 20:40] *= 10
    valid = np.ones((60, 60), bool)
    np.testing.assert_array_equal(changed_ground(before, after, valid)[0], changed_ground(after, before, valid)[0])


def test_the_threshold_is_otsu_s() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(0, 1, 5000), rng.normal(6, 1, 800)]).astype(np.float32)
    width = float(np.ptp(values)) / 1024
    oracle = float(threshold_otsu(values, nbins=1024))  # type: ignore[no-untyped-call]
    assert otsu_threshold(values) == pytest.approx(oracle, abs=2 * width)


@pytest.mark.parametrize(("name", "least"), [("bern", 0.85), ("ottawa", 0.92)])
def test_real_pairs_are_mapped_as_people_labelled_them(real_data: Path, name: str, least: float) -> None:
    before, after, truth = read_pair(real_data / "sar_pairs", name)
    changed, _ = changed_ground(before, after, np.ones_like(truth))
    assert agreement(truth, changed)[0] >= least
