"""Injected cross-sections: their energy, and that what is predicted is what the detector then does."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from detect.detectability import Stratum
from detect.errors import DetectError
from detect.radar import RadarSeries, fit_radar
from detect.radar_change import detect_radar, find_radar_objects
from detect.radar_detectability import (
    CROSS_SECTIONS_DBSM,
    RadarSetting,
    cross_section_curve,
    radar_detectability,
)
from detect.radar_injection import inject_points
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


def setting(given: RadarSeries) -> RadarSetting:
    """Return a series with what was fitted to it."""
    model = fit_radar(given)
    change = detect_radar(given, GROUND.astype(np.uint8), false_alarms_per_km2=1.0, model=model)
    return RadarSetting(series=given, model=model, change=change)


LAND = Stratum(name="apron", where=GROUND, water=False)


def test_stronger_objects_are_seen_more_often_and_nothing_hardly_ever() -> None:
    tried = setting(series(baseline=12))
    curve = cross_section_curve(tried, LAND, rng=np.random.default_rng(3), trials=30)
    for direction in ("appeared", "vanished"):
        shares = [one.pd for one in curve if one.direction == direction]
        assert shares[0] < 0.2
        assert shares[-1] == 1.0
        assert all(later >= earlier - 0.15 for earlier, later in pairwise(shares))
    assert all(one.interval[0] <= one.pd <= one.interval[1] and one.trials == 30 for one in curve)
    assert max(one.blank for one in curve) < 0.1


def test_classes_are_tried_where_they_can_stand_in_both_directions() -> None:
    tried = setting(series(baseline=8))
    water = Stratum(name="basin", where=GROUND & (np.arange(120) < 30), water=True)
    nowhere = Stratum(name="quay", where=~GROUND, water=True)
    found = radar_detectability(tried, [LAND, water, nowhere], rng=np.random.default_rng(5), trials=5)
    told = {(one.name, one.ground) for one in found}
    assert told == {("ship-120m", "basin")} | {(n, "apron") for n in CROSS_SECTIONS_DBSM if n != "ship-120m"}
    assert {name for name, _ in told} <= set(CATALOGUE)
    for name in told:
        assert [one.direction for one in found if (one.name, one.ground) == name] == ["appeared", "vanished"]


FEW_TRIALS, PLACES = 20, [(float(r), float(c)) for r in (25, 60, 95) for c in (50, 70)]


@pytest.mark.parametrize("history", ["arrival", "visit", "resident"])
def test_the_predicted_share_is_the_share_that_is_flagged(history: str) -> None:
    predicted, flagged, placed = [], 0, 0
    rng = np.random.default_rng(4)
    for seed in range(6):
        there = [(r, c, float(rng.uniform(15, 20))) for r, c in PLACES]
        given = {"arrival": {"after": there}, "visit": {"before": there}}.get(
            history, {"before": there, "always": there}
        )
        tried = setting(dates := series(seed=200 + seed, baseline=10, **given))
        flags = find_radar_objects(tried.change, dates, tried.model)
        for row, col, _ in there:
            placed += 1
            flagged += any((np.hypot(f.rows - row, f.cols - col) <= 2).any() for f in flags)
        curve = cross_section_curve(tried, LAND, rng=rng, trials=FEW_TRIALS, steps=(15, 20))
        way = "appeared" if history == "arrival" else "vanished"
        predicted.append(next(one.pd for one in curve if one.direction == way))
    seen, told = flagged / placed, float(np.mean(predicted))
    # Of departures the lesser of two histories is told: what is seen may be more, never much less.
    assert told == pytest.approx(seen, abs=0.2) if history != "visit" else told <= seen + 0.15


def test_ground_without_thresholds_is_refused() -> None:
    nowhere = replace(LAND, where=~GROUND & (np.arange(120) > 100))
    with pytest.raises(DetectError, match="no searched ground"):
        cross_section_curve(setting(series(baseline=5)), nowhere, rng=np.random.default_rng(1))
