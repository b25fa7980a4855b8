"""The choice of the two scenes, from values alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from imagery.errors import InsufficientImageryError
from imagery.scene import Scene
from imagery.select import ENOUGH, LEAST, Choice, Wish, choose_pair, day_period, distance, mismatch

WISH = Wish(place="tartus", before=date(2024, 12, 7), after=date(2024, 12, 17), within_days=10)


def scene(day: str, **facts: Any) -> Scene:
    """Return a scene that was taken at 08:20 UTC of a day."""
    known: dict[str, Any] = {"relative_orbit": 121, "level": "L2A", "processing_baseline": "05.11"} | facts
    return Scene(
        id=known.pop("id", f"S2B_36SYD_{day}"),
        sensor="s2",
        platform="sentinel-2b",
        acquired=datetime.fromisoformat(f"{day}T08:20:00+00:00"),
        footprint=box(35, 34, 36, 35),
        source="folder",
        href="",
        assets={},
        **known,
    )


def choose(before: list[Scene], after: list[Scene], shares: dict[str, float] | None = None) -> Choice:
    """Choose with the valid shares given by day; 1 where not given."""
    return choose_pair(before, after, wish=WISH, share=lambda s: (shares or {}).get(str(s.acquired.date()), 1.0))


def days(choice: Choice) -> tuple[str, str]:
    """Return the days of a choice."""
    return str(choice.before.acquired.date()), str(choice.after.acquired.date())


def test_the_nearest_clear_scenes_are_taken() -> None:
    before = [scene("2024-12-02"), scene("2024-12-07"), scene("2024-12-12")]
    after = [scene("2024-12-12"), scene("2024-12-17"), scene("2024-12-22")]
    assert days(choose(before, after)) == ("2024-12-07", "2024-12-17")
    cloudy = {"2024-12-07": 0.89, "2024-12-17": 0.2}
    assert days(choose(before, after, cloudy)) == ("2024-12-12", "2024-12-22")


def test_no_more_scenes_are_looked_at_than_needed() -> None:
    asked: list[str] = []

    def share(one: Scene) -> float:
        asked.append(one.id)
        return 1.0

    before = [scene("2024-12-02"), scene("2024-12-07")]
    choose_pair(before, [scene("2024-12-17")], wish=WISH, share=share)
    assert {text[-10:] for text in asked} == {"2024-12-07", "2024-12-17"}


def test_without_a_clear_scene_the_one_with_most_valid_ground_is_taken_and_said() -> None:
    before = [scene("2024-12-07"), scene("2024-12-02")]
    choice = choose(before, [scene("2024-12-17")], {"2024-12-07": 0.6, "2024-12-02": 0.7})
    assert days(choice) == ("2024-12-02", "2024-12-17")
    assert "90 %" in choice.warnings[0]
    assert "with 70 %" in choice.warnings[0]


def test_under_half_of_the_ground_there_is_no_pair() -> None:
    before = [scene("2024-12-07"), scene("2024-12-02")]
    with pytest.raises(
        InsufficientImageryError, match=r"no pair for tartus: 2 scene.*clearest 2024-12-02, 49 %.*--within"
    ):
        choose(before, [scene("2024-12-17")], {"2024-12-07": 0.1, "2024-12-02": 0.499})


def test_an_empty_window_is_named() -> None:
    with pytest.raises(InsufficientImageryError, match=r"no scene near 2024-12-17 \(\+-10 days\)"):
        choose([scene("2024-12-07")], [])


def test_one_scene_never_serves_as_both() -> None:
    only = scene("2024-12-12")
    with pytest.raises(InsufficientImageryError, match="2024-12-12 cannot be both before and after"):
        choose([only], [only])


def test_two_files_of_one_pass_are_no_pair() -> None:
    one = scene("2024-12-12")
    twin = replace(one, id="S2B_37SBU_2024-12-12", acquired=one.acquired + timedelta(seconds=14))
    assert "same pass" in str(mismatch(one, twin))


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ({"relative_orbit": 121}, {"relative_orbit": 78}, "relative orbit 121 .* is not 78"),
        ({"direction": "ascending"}, {"direction": "descending"}, "is ascending"),
        ({"level": "L1C"}, {"level": "L2A"}, "level L1C .* is not L2A"),
        ({"processing_baseline": "03.01"}, {"processing_baseline": "05.11"}, "two sides of 04.00"),
    ],
)
def test_known_and_different_facts_are_refused(one: dict[str, Any], other: dict[str, Any], reason: str) -> None:
    with pytest.raises(InsufficientImageryError, match=reason):
        choose([scene("2024-12-07", **one)], [scene("2024-12-17", **other)])


def test_another_scene_of_the_same_orbit_is_preferred_to_a_nearer_one_of_another() -> None:
    after = [scene("2024-12-17", relative_orbit=78), scene("2024-12-19")]
    assert days(choose([scene("2024-12-07")], after)) == ("2024-12-07", "2024-12-19")


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        ("relative_orbit", "relative orbit"),
        ("level", "processing level"),
        ("processing_baseline", "processing baseline"),
    ],
)
def test_unknown_facts_are_compared_with_a_warning(fact: str, words: str) -> None:
    choice = choose([scene("2024-12-07", **{fact: None})], [scene("2024-12-17")])
    assert choice.warnings[0].startswith(f"not known of S2B_36SYD_2024-12-07: {words}; ")


def test_facts_that_miss_in_the_same_scenes_are_one_warning() -> None:
    bare = {"relative_orbit": None, "level": None, "processing_baseline": None}
    warnings = choose([scene("2024-12-07", **bare)], [scene("2024-12-17", **bare)]).warnings
    assert len(warnings) == 1
    assert "2024-12-07 and S2B_36SYD_2024-12-17: relative orbit, processing level, processing" in warnings[0]


def test_baselines_of_one_family_and_the_same_facts_raise_no_doubt() -> None:
    choice = choose([scene("2024-12-07", processing_baseline="04.00")], [scene("2024-12-17")])
    assert choice.warnings == ()
    assert choice.reasons[0].startswith("before: S2B_36SYD_2024-12-07, on the day, 100 %")


def test_of_two_files_of_one_pass_the_tile_of_the_other_date_is_taken() -> None:
    after = [scene("2024-12-17", id="S2B_37SBU_2024-12-17"), scene("2024-12-17")]
    assert choose([scene("2024-12-07")], after).after.id == "S2B_36SYD_2024-12-17"


def test_two_tiles_are_compared_with_a_warning() -> None:
    choice = choose([scene("2024-12-07")], [scene("2024-12-17", id="S2B_T37SBU_2024-12-17")])
    assert "36SYD and 37SBU" in choice.warnings[0]


def test_a_period_is_whole_days_in_utc() -> None:
    period = day_period(date(2024, 12, 7), 2)
    assert period.start == datetime(2024, 12, 5, tzinfo=UTC)
    assert datetime(2024, 12, 9, 23, 59, 59, tzinfo=UTC) <= period.end < datetime(2024, 12, 10, tzinfo=UTC)


SOME_DAYS = st.dictionaries(st.integers(0, 29), st.sampled_from([0.3, 0.6, 0.9, 1.0]), min_size=1, max_size=6)


@given(SOME_DAYS, SOME_DAYS)
def test_a_choice_is_earlier_later_and_as_clear_as_can_be(before: dict[int, float], after: dict[int, float]) -> None:
    scenes = [[scene(f"2024-12-{n + 1:02}", id=f"{role}{n}") for n in s] for role, s in (("b", before), ("a", after))]
    shares = {f"b{n}": s for n, s in before.items()} | {f"a{n}": s for n, s in after.items()}
    possible = [
        (shares[b.id], shares[a.id], distance(b, WISH.before) + distance(a, WISH.after))
        for b in scenes[0]
        for a in scenes[1]
        if b.acquired < a.acquired and min(shares[b.id], shares[a.id]) >= LEAST
    ]
    if not possible:
        with pytest.raises(InsufficientImageryError):
            choose_pair(*scenes, wish=WISH, share=lambda s: shares[s.id])
        return
    choice = choose_pair(*scenes, wish=WISH, share=lambda s: shares[s.id])
    clear = [apart for one, two, apart in possible if min(one, two) >= ENOUGH]
    taken = distance(choice.before, WISH.before) + distance(choice.after, WISH.after)
    assert choice.before.acquired < choice.after.acquired
    assert (shares[choice.before.id], shares[choice.after.id], taken) in possible
    assert not clear or taken == min(clear)
