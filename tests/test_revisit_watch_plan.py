"""What a watch compares with what, and what of it is new: from values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from shapely.geometry import box

from imagery.scene import Scene
from revisit.watch_plan import (
    BACK,
    LATE,
    known_of,
    look_from,
    next_pass,
    one_level,
    plan_looks,
    reported_as,
    search_period,
)
from revisit.watch_values import KnownPass, Reported, SeenPass
from tests import passes
from tests.standin import make_grid, on_grid

GRID = make_grid()
START = datetime(2024, 12, 1, tzinfo=UTC)


def scene(day: int, **changed: Any) -> Scene:
    """Return a pass of December 2024."""
    moment = datetime(2024, 12, 1, 8, 20, tzinfo=UTC) + timedelta(days=day - 1)
    return passes.scene(f"P{day:+d}", acquired=changed.pop("acquired", moment), **changed)


def row(day: int) -> int:
    """Return the row of a pass."""
    return 100 + day


def known(one: Scene, share: float = 1.0, **changed: Any) -> KnownPass:
    """Return the pass of a scene as the state has it."""
    facts = {"acquired": one.acquired, "platform": one.platform, "orbit": one.relative_orbit, "scene": one.id}
    return KnownPass(key=1, sensor=one.sensor, share=share, **(facts | changed))


def pairs(
    scenes: Sequence[Scene], shares: Mapping[str, float] | None = None, judged: frozenset[tuple[int, int]] = frozenset()
) -> list[tuple[int, int]]:
    """Return the days (before, after) that are to be compared; scenes are whole where nothing else is said."""
    valid = shares or {}

    def look(one: Scene) -> SeenPass | None:
        share = valid.get(one.id, 1.0)
        refused = "haze" if share == 0.95 else None
        return (
            None
            if share < 0
            else SeenPass(key=row(int(one.id[1:])), scene=one, acquired=one.acquired, share=share, refused=refused)
        )

    ordered = sorted(scenes, key=lambda one: one.acquired)
    plan = plan_looks(ordered, start=START, judged=judged, look=look)
    return [(int(task.before.scene.id[1:]), int(task.after.scene.id[1:])) for task in plan.tasks]


def test_each_new_pass_is_compared_with_the_one_before_it() -> None:
    assert pairs([scene(day) for day in (-4, 2, 7, 12)]) == [(-4, 2), (2, 7), (7, 12)]


def test_what_lies_too_far_back_is_no_reference() -> None:
    assert pairs([scene(-60), scene(2)]) == []


def test_what_was_compared_is_not_compared_again() -> None:
    done = frozenset({(row(-4), row(2))})
    assert pairs([scene(-4), scene(2), scene(7)], judged=done) == [(2, 7)]


def test_passes_before_the_first_day_only_serve_to_be_compared_with() -> None:
    assert pairs([scene(-9), scene(-4)]) == []


def test_a_clouded_pass_is_no_reference_and_a_thin_one_only_where_there_is_no_better() -> None:
    assert pairs([scene(-4), scene(2), scene(7)], {"P+2": 0.3}) == [(-4, 7)]
    assert pairs([scene(-4), scene(2), scene(7)], {"P+2": 0.6}) == [(-4, 2), (-4, 7)]
    assert pairs([scene(2), scene(7)], {"P+2": 0.6}) == [(2, 7)]


def test_ground_that_the_last_pass_leaves_out_is_compared_with_an_earlier_one() -> None:
    """Without that, a change under the cloud of the pass in between would never be looked for."""
    assert pairs([scene(-9), scene(-4), scene(2)], {"P-4": 0.93}) == [(-4, 2), (-9, 2)]


def test_a_pass_that_could_not_be_compared_is_no_reference_and_one_that_was_not_read_waits() -> None:
    assert pairs([scene(-4), scene(2), scene(7)], {"P+2": 0.95}) == [(-4, 2), (-4, 7)]
    assert pairs([scene(-4), scene(2), scene(7)], {"P+2": -1}) == [(-4, 7)]


@pytest.mark.parametrize(
    "changed",
    [{"relative_orbit": 21}, {"direction": "ascending"}, {"processing_baseline": "03.01"}, {"level": "L1C"}],
)
def test_what_must_not_be_compared_is_not(changed: dict[str, Any]) -> None:
    before = scene(-4, **({"direction": "descending"} | changed))
    assert pairs([before, scene(2, direction="descending")]) == []


def test_in_whatever_order_passes_come_the_same_comparisons_are_made_at_last() -> None:
    days, first = (2, 7, 12), scene(-4)
    for order in permutations(days):
        made: set[tuple[int, int]] = set()
        here = [first]
        for day in order:
            here.append(scene(day))
            found = set(pairs(here, judged=frozenset((row(before), row(after)) for before, after in made)))
            assert not found & made
            made |= found
        assert {(-4, 2), (2, 7), (7, 12)} <= made


def test_a_late_pass_is_searched_for_and_the_past_is_not() -> None:
    now = datetime(2025, 2, 1, tzinfo=UTC)
    settled = scene(31).acquired
    assert look_from(date(2024, 12, 1), None) == START
    assert look_from(date(2024, 12, 1), settled) == settled - LATE
    assert look_from(date(2024, 12, 31), settled) == datetime(2024, 12, 31, tzinfo=UTC)
    period = search_period(date(2024, 12, 1), settled, now)
    assert (period.start, period.end) == (settled - LATE - BACK, now)


def test_another_product_of_a_pass_is_the_same_pass() -> None:
    one = scene(2)
    again = scene(2, acquired=one.acquired - timedelta(minutes=9), processing_baseline="05.12")
    assert known_of(again, [known(one)]) is not None
    assert known_of(scene(2, platform="sentinel-2a"), [known(one)]) is None
    assert known_of(scene(2, relative_orbit=21), [known(one)]) is None
    assert known_of(scene(7), [known(one)]) is None


def test_a_pass_that_is_there_twice_is_taken_as_l2a() -> None:
    both = [scene(2, level="L1C"), scene(2, level="L2A"), scene(7, level="L1C")]
    assert [(one.id, one.level) for one in one_level(both)] == [("P+2", "L2A"), ("P+7", "L1C")]


def flagged(west: float, north: float, east: float, south: float) -> Any:
    """Return the outline of pixels (columns and rows)."""
    return on_grid(GRID, west, north, east, south)


def is_known(outline: Any, sign: str, *reported: Reported) -> bool:
    return reported_as(outline, sign, reported, crs=GRID.crs, gsd=GRID.gsd) is not None


def test_the_same_footprint_is_the_same_change_up_to_a_pixel_and_a_half() -> None:
    told = Reported(id="n/F1", sign="vanished", outline=flagged(10, 10, 13, 13))
    assert reported_as(flagged(10, 10, 13, 13), "vanished", [told], crs=GRID.crs, gsd=GRID.gsd) == "n/F1"
    assert is_known(flagged(11, 11, 14, 14), "vanished", told)
    assert is_known(flagged(13, 10, 14, 11), "vanished", told)
    assert not is_known(flagged(16, 10, 18, 12), "vanished", told)
    assert not is_known(flagged(10, 10, 13, 13), "appeared", told)


def test_a_neighbour_that_leaves_as_well_is_a_change_of_its_own() -> None:
    told = Reported(id="n/F1", sign="vanished", outline=flagged(10, 10, 14, 14))
    assert not is_known(flagged(14, 10, 18, 14), "vanished", told)
    assert not is_known(flagged(10, 10, 18, 14), "vanished", told)


def test_what_two_reported_footprints_cover_together_is_known() -> None:
    told = [Reported(id=f"n/F{k}", sign="vanished", outline=flagged(10 + 4 * k, 10, 14 + 4 * k, 14)) for k in (0, 1)]
    assert is_known(flagged(10, 10, 18, 14), "vanished", *told)


def test_the_next_pass_is_counted_in_cycles_of_each_satellite() -> None:
    now = datetime(2024, 12, 20, tzinfo=UTC)
    a, b = known(scene(2), platform="sentinel-2a"), known(scene(7), platform="sentinel-2b")
    found = next_pass([a, b], now)
    assert found is not None
    assert (found[0].date(), found[1].platform) == (date(2024, 12, 22), "sentinel-2a")
    assert next_pass([a, b], now + timedelta(days=90)) is None
    assert next_pass([], now) is None


def test_boxes_of_the_test_are_boxes() -> None:
    """The outlines above are convex quadrilaterals of the size that the tests speak of."""
    from aoi.geometry import to_crs

    shape = to_crs(flagged(10, 10, 13, 13), GRID.crs)
    assert shape.area == pytest.approx(900, rel=1e-3)
    assert box(*shape.bounds).area == pytest.approx(900, rel=1e-2)
