"""Injected cross-sections: their energy, and that what is predicted is what the detector then does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from detect.errors import DetectError
from detect.radar import fit_radar
from detect.radar_change import detect_radar, find_radar_objects
from detect.radar_detectability import inject_points, radar_detectability
from detect.targets import CATALOGUE
from tests.speckled import series

GROUND = np.zeros((120, 120), bool)
GROUND[10:110, 10:70] = True


def test_a_point_adds_its_cross_section_over_the_area_of_a_pixel() -> None:
    rng = np.random.default_rng(1)
    dark = np.full((2, 61, 61), 1e-6, np.float32)
    amplitude = np.sqrt(10 ** (20 / 10) / 10.0**2)  # 20 dBsm on pixels of 10 m
    point = np.array([[30.3, 29.8, amplitude]])
    bright = inject_points(dark, point, looks=(4.4, 4.4), gsd=10.0, rng=rng)
    assert (bright - dark)[0].sum() * 10.0**2 == pytest.approx(100.0, rel=0.05)
    row, col = np.unravel_index(int(bright[0].argmax()), bright[0].shape)
    assert (int(row), int(col)) == (30, 30)
    assert 0 < bright[1].max() < bright[0].max()


def test_speckle_of_the_sum_is_that_of_the_looks() -> None:
    rng = np.random.default_rng(2)
    values = []
    for _ in range(400):
        power = rng.gamma(4.4, 1 / 4.4, (1, 21, 21)).astype(np.float32)
        values.append(inject_points(power, np.array([[10.0, 10.0, 3.0]]), looks=(4.4,), gsd=10.0, rng=rng)[0, 10, 10])
    signal = 9.0 / (np.pi * 1.32 * 1.20)
    assert np.mean(values) == pytest.approx(1 + signal, rel=0.06)
    # The variance of n looks of a steady signal in speckle of mean 1: (1 + 2 signal) / n.
    assert np.var(values) == pytest.approx((1 + 2 * signal) / 4.4, rel=0.25)


def test_stronger_objects_are_seen_more_often_and_nothing_hardly_ever() -> None:
    given = series(baseline=12)
    model = fit_radar(given)
    change = detect_radar(given, GROUND.astype(np.uint8), false_alarms_per_km2=1.0, model=model)
    curve, classes = radar_detectability(given, model, change, GROUND, rng=np.random.default_rng(3), trials=40)
    shares = [one.pd for one in curve]
    assert shares[0] < 0.2
    assert shares[-1] == 1.0
    assert all(later >= earlier - 0.12 for earlier, later in pairwise(shares))
    assert all(one.interval[0] <= one.pd <= one.interval[1] and one.trials >= 40 for one in (*curve, *classes))
    assert max(one.blank for one in (*curve, *classes)) < 0.1
    assert {one.name for one in classes} <= set(CATALOGUE)


def test_the_predicted_share_is_the_share_of_arrivals_that_are_flagged() -> None:
    predicted, flagged, placed = [], 0, 0
    rng = np.random.default_rng(4)
    for seed in range(12):
        arrivals = [(float(r), float(c), float(rng.uniform(15, 20))) for r in (25, 60, 95) for c in (50, 70)]
        given = series(seed=200 + seed, baseline=10, after=arrivals)
        model = fit_radar(given)
        strata = np.ones(given.valid.shape, np.uint8)
        change = detect_radar(given, strata, false_alarms_per_km2=1.0, model=model)
        flags = find_radar_objects(change, given, model)
        for row, col, _ in arrivals:
            placed += 1
            flagged += any((np.hypot(f.rows - row, f.cols - col) <= 2).any() for f in flags)
        curve, _ = radar_detectability(given, model, change, GROUND, rng=rng, trials=20)
        predicted.append(next(one.pd for one in curve if one.name == "15 to 20 dBsm"))
    assert np.mean(predicted) == pytest.approx(flagged / placed, abs=0.2)


def test_ground_without_thresholds_is_refused() -> None:
    given = series(baseline=5)
    model = fit_radar(given)
    change = detect_radar(given, GROUND.astype(np.uint8), false_alarms_per_km2=1.0, model=model)
    with pytest.raises(DetectError, match="no searched ground"):
        radar_detectability(given, model, change, ~GROUND & (np.arange(120) > 100), rng=np.random.default_rng(1))
