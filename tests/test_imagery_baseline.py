"""The choice of the dates of a baseline, from values alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from imagery.baseline import (
    CLEAR,
    MOST_SHIFT_PX,
    REACH,
    baseline_doubts,
    baseline_order,
    baseline_period,
    choose_baseline,
    displaced,
    odd_scores,
    thin,
)
from imagery.coregister import Alignment
from imagery.scene import Scene


def scene(day: str, **facts: Any) -> Scene:
    """Return a scene that was taken at 08:20 UTC of a day."""
    known: dict[str, Any] = {"relative_orbit": 121, "level": "L2A", "processing_baseline": "05.11"} | facts
    return Scene(
        id=known.pop("id", f"S2B_36SYD_{day}"),
        sensor="s2",
        platform=known.pop("platform", "sentinel-2b"),
        acquired=datetime.fromisoformat(f"{day}T08:20:00+00:00"),
        footprint=box(35, 34, 36, 35),
        source="folder",
        href="",
        assets={},
        **known,
    )


BEFORE, AFTER = scene("2024-12-07"), scene("2024-12-17")


def order(*scenes: Scene) -> list[str]:
    """Return the days of the scenes that may serve, in their order."""
    return [f"{one.acquired:%Y-%m-%d}" for one in baseline_order(scenes, before=BEFORE, after=AFTER)]


def alignment(rows: float, cols: float) -> Alignment:
    """Return an alignment with a shift."""
    zero = (0.0, 0.0)
    return Alignment(shift_px=(rows, cols), standard_error_px=zero, scatter_px=zero, score=0.9, gsd=10.0)


def test_the_nearest_in_season_come_first_then_the_nearest_in_time() -> None:
    scenes = [scene(day) for day in ("2024-07-05", "2023-12-09", "2024-11-27", "2024-12-06", "2023-11-29")]
    assert order(*scenes) == ["2024-12-06", "2023-12-09", "2023-11-29", "2024-11-27", "2024-07-05"]


def test_nothing_between_or_after_the_two_dates_serves() -> None:
    scenes = [scene(day) for day in ("2024-12-07", "2024-12-12", "2024-12-17", "2024-12-22", "2024-12-02")]
    assert order(*scenes) == ["2024-12-02"]


def test_nothing_older_than_400_days_serves() -> None:
    oldest = replace(scene("2024-01-01"), acquired=BEFORE.acquired - REACH)
    older = replace(oldest, id="older", acquired=oldest.acquired - timedelta(seconds=1))
    assert baseline_order([oldest, older], before=BEFORE, after=AFTER) == (oldest,)
    assert baseline_period(BEFORE).start == oldest.acquired


@pytest.mark.parametrize(
    "facts",
    [{"relative_orbit": 78}, {"processing_baseline": "03.01"}, {"level": "L1C"}, {"direction": "ascending"}],
)
def test_another_view_or_another_processing_does_not_serve(facts: dict[str, Any]) -> None:
    before, after = (replace(one, direction="descending") for one in (BEFORE, AFTER))
    assert baseline_order([scene("2024-11-27", **facts)], before=before, after=after) == ()


def test_any_satellite_of_the_family_serves() -> None:
    assert order(scene("2024-11-27", platform="sentinel-2a"), scene("2024-11-17", platform="sentinel-2c"))


def test_an_unknown_orbit_serves_with_a_doubt() -> None:
    unknown = scene("2024-11-27", relative_orbit=None)
    assert order(unknown) == ["2024-11-27"]
    (line,) = baseline_doubts([unknown, scene("2024-11-22")], BEFORE)
    assert "not known of 1 of 2 dates: relative orbit" in line
    assert baseline_doubts([unknown], replace(BEFORE, relative_orbit=None)) == ()


def test_no_more_dates_are_looked_at_than_needed() -> None:
    asked: list[str] = []

    def judge(one: Scene) -> str | None:
        asked.append(one.id)
        return "cloud" if "11-22" in one.id else None

    dates = [scene(day) for day in ("2024-11-27", "2024-11-22", "2024-11-17", "2024-11-12")]
    choice = choose_baseline(dates, most=2, judge=judge)
    assert [one.id[-5:] for one in choice.scenes] == ["11-27", "11-17"]
    assert choice.rejected == ("baseline: S2B_36SYD_2024-11-22 rejected: cloud",)
    assert len(asked) == 3
    assert choose_baseline(dates, most=0, judge=judge).scenes == ()
    assert len(asked) == 3


def test_of_one_pass_one_file_serves_the_next_where_it_does_not() -> None:
    first = scene("2024-11-27")
    twin = replace(first, id="S2B_37SBU_2024-11-27", acquired=first.acquired + timedelta(seconds=14))
    ordered = baseline_order([twin, first], before=BEFORE, after=AFTER)
    assert ordered == (first, twin)  # that of the pair's own tile
    assert choose_baseline(ordered, most=9, judge=lambda _: None).scenes == (first,)
    assert choose_baseline(ordered, most=9, judge=lambda s: "no" if s is first else None).scenes == (twin,)


def test_cloud_and_shift_reject_a_date_with_their_values() -> None:
    assert thin(CLEAR) is None
    assert thin(0.799) == "only 79 % of the searched ground is valid, 80 % needed"
    assert displaced(alignment(MOST_SHIFT_PX, 0.0)) is None
    assert "lies 1.70 px off" in str(displaced(alignment(1.5, -0.8)))


def test_a_date_unlike_the_others_is_rejected() -> None:
    scores = [0.82, 0.80, 0.81, 0.79, 0.83, 0.35]
    reasons = odd_scores(scores)
    assert [reason is None for reason in reasons] == [True] * 5 + [False]
    assert "correlates by 0.35" in str(reasons[5])
    assert odd_scores([]) == ()


def test_dates_that_scatter_widely_are_all_kept() -> None:
    assert odd_scores([0.9, 0.7, 0.5, 0.8, 0.6, 0.4]) == (None,) * 6
    assert odd_scores([0.80, 0.80, 0.80, 0.80, 0.79]) == (None,) * 5


@given(st.lists(st.floats(0.3, 1.0), min_size=1, max_size=21))
def test_never_are_more_than_half_of_the_dates_odd(scores: list[float]) -> None:
    reasons = odd_scores(scores)
    assert sum(reason is not None for reason in reasons) <= len(scores) / 2


@given(st.lists(st.integers(-30, 500), max_size=30, unique=True))
def test_the_order_is_one_of_season_whatever_the_order_found(days: list[int]) -> None:
    scenes = [replace(BEFORE, id=f"{k:+}", acquired=BEFORE.acquired - timedelta(days=k)) for k in days]
    ordered = baseline_order(scenes, before=BEFORE, after=AFTER)
    assert {int(one.id) for one in ordered} == {k for k in days if 0 < k <= 400}
    apart = [round(min(k, 365.25 - k) if k < 365.25 else k - 365.25) for k in (int(one.id) for one in ordered)]
    assert apart == sorted(apart)
    assert ordered == baseline_order(scenes[::-1], before=BEFORE, after=AFTER)
