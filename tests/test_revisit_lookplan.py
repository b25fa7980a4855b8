"""Which looks a claim is held against."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shapely.geometry import box

from imagery.scene import Scene
from revisit.claims import Claim, Kind, Publication
from revisit.lookplan import plan_looks, tracks

SAID = Publication(title="T", publisher="P", published=date(2024, 12, 17))


def scene(day: int, **facts: Any) -> Scene:
    moment = datetime(2024, 12, 1, 8, 20, tzinfo=UTC) + timedelta(days=day - 1)
    values: dict[str, Any] = {
        "id": f"S{day}",
        "sensor": "s2",
        "platform": "sentinel-2b",
        "acquired": moment,
        "footprint": box(35, 35, 36, 36),
        "source": "x",
        "href": "x",
        "assets": {},
        "relative_orbit": 121,
    }
    return Scene(**(values | facts))


def claim(kind: Kind = "appeared") -> Claim:
    thing = "Il-76" if kind != "activity" else None
    return Claim(
        id="C", statement="S", kind=kind, start=date(2024, 12, 8), end=date(2024, 12, 13), area="khmeimim",
        object=thing, publication=SAID,
    )  # fmt: skip


def clear(*cloudy: int) -> Callable[[Scene], float]:
    return lambda scene: 0.2 if scene.id in {f"S{day}" for day in cloudy} else 1.0


DAYS = (-50, -5, 0, 5, 8, 10, 13, 15, 20, 40)
SCENES = [scene(day) for day in DAYS]


def names(scenes: tuple[Scene, ...]) -> list[str]:
    return [scene.id for scene in scenes]


def test_the_last_clear_pass_before_the_window_is_the_reference() -> None:
    plan = plan_looks(claim(), SCENES, share=clear())
    assert plan.reference == scene(5)
    assert names(plan.looks) == ["S8", "S10", "S13"]
    assert plan.later is None
    assert plan_looks(claim(), SCENES, share=clear(5)).reference == scene(0)


def test_cloudy_looks_of_the_window_stay_and_are_judged_later() -> None:
    assert names(plan_looks(claim(), SCENES, share=clear(8, 10)).looks) == ["S8", "S10", "S13"]


def test_unchanged_since_a_day_is_held_against_that_day() -> None:
    plan = plan_looks(claim("unchanged"), SCENES, share=clear())
    assert plan.reference == scene(8)
    assert names(plan.looks) == ["S10", "S13"]


def test_what_left_may_be_seen_gone_after_the_window() -> None:
    assert plan_looks(claim("left"), SCENES, share=clear()).later == scene(15)
    assert plan_looks(claim("left"), SCENES, share=clear(15)).later == scene(20)
    assert plan_looks(claim("left"), SCENES, share=clear(15, 20)).later is None


def test_without_a_clear_pass_before_it_there_is_no_reference() -> None:
    plan = plan_looks(claim(), SCENES, share=clear(-5, 0, 5))
    assert plan.reference is None
    assert names(plan.looks) == ["S8", "S10", "S13"]


def test_another_orbit_is_rejected_with_the_reason() -> None:
    scenes = [*SCENES, scene(11, relative_orbit=78)]
    plan = plan_looks(claim(), scenes, share=clear())
    assert [(s.id, "relative orbit" in reason) for s, reason in plan.rejected] == [("S11", True)]
    assert names(plan.looks) == ["S8", "S10", "S13"]


def test_each_sensor_and_orbit_is_a_track_of_its_own() -> None:
    radar = [scene(day, id=f"R{day}", sensor="s1", relative_orbit=orbit) for day, orbit in ((5, 14), (6, 94), (12, 14))]
    found = tracks([*radar, scene(8), scene(3)])
    assert [(t.sensor, t.orbit, names(t.scenes)) for t in found] == [
        ("s2", 121, ["S3", "S8"]),
        ("s1", 14, ["R5", "R12"]),
        ("s1", 94, ["R6"]),
    ]
    plan = plan_looks(claim(), found[1].scenes, share=clear())
    assert (plan.reference, names(plan.looks)) == (radar[0], ["R12"])


def test_scenes_of_unknown_orbit_stay_with_all_of_their_sensor() -> None:
    (track,) = tracks([scene(3), scene(8, relative_orbit=None)])
    assert (track.orbit, names(track.scenes)) == (None, ["S3", "S8"])
