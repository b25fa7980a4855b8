"""Gathering the looks of both sensors: each against its own track, and what happens where radar cannot be read."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from shapely.geometry import box

from imagery.errors import SourceError
from imagery.scene import Scene
from revisit.claims import Claim, Kind, Publication
from revisit.comparing import Compared, Comparer
from revisit.gathering import UNHELD, Gatherer, is_too_weak
from revisit.places import Place

SAID = Publication(title="T", publisher="P", published=date(2024, 12, 17))
PLACE = Place(pixels=np.ones((4, 4), np.bool_), km2=0.1, zone="apron", kind="apron")


def scene(name: str, day: int, orbit: int, *, sensor: str = "s2", hour: int = 8) -> Scene:
    moment = datetime(2024, 12, 1, hour, 20, tzinfo=UTC) + timedelta(days=day - 1)
    return Scene(
        id=name, sensor=sensor, platform=None, acquired=moment, footprint=box(35, 35, 36, 36), source="x", href="x",
        assets={}, relative_orbit=orbit,
    )  # fmt: skip


SCENES = (
    scene("O5", 5, 121),
    scene("O10", 10, 121),
    scene("R-a6", 6, 14, sensor="s1", hour=15),
    scene("R-a12", 12, 14, sensor="s1", hour=15),
    scene("R-a18", 18, 14, sensor="s1", hour=15),
    scene("R-b11", 11, 94, sensor="s1", hour=3),
)


def claim(kind: Kind = "left") -> Claim:
    return Claim(
        id="C1", statement="S", kind=kind, start=date(2024, 12, 8), end=date(2024, 12, 13), area="khmeimim",
        object=None if kind == "surface" else "An-124", publication=SAID,
    )  # fmt: skip


class Asked:
    """A comparer that remembers what it was asked, and compares nothing."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []

    def compare(self, before: Scene, after: Scene, rate: float | None) -> Compared:  # noqa: ARG002 - as the real one
        self.pairs.append((before.id, after.id))
        return Compared(name="run", reason="not compared in this test")


def gatherer(share: Callable[[Scene], float]) -> tuple[Gatherer, Asked]:
    asked = Asked()
    made: Any = Gatherer(scenes=SCENES, comparer=cast("Comparer", asked), share_in=lambda _: share)
    return made, asked


def test_each_look_is_held_against_the_last_of_its_own_sensor_and_orbit() -> None:
    gathering, asked = gatherer(lambda _: 1.0)
    evidence = gathering.gather(claim(), PLACE).evidence
    assert asked.pairs == [("O5", "O10"), ("R-a6", "R-a12"), ("R-a6", "R-a18")]
    assert [(look.scene, look.sensor, look.reference) for look in evidence.looks] == [
        ("O10", "s2", "O5"),
        ("R-b11", "s1", None),
        ("R-a12", "s1", "R-a6"),
    ]
    assert [look.scene for look in evidence.later] == ["R-a18"]
    assert evidence.references == ("O5", "R-a6")
    assert evidence.looks[1].rejected == UNHELD


def test_radar_that_fails_leaves_the_optical_looks_and_is_asked_no_more() -> None:
    reads: list[str] = []

    def share(one: Scene) -> float:
        reads.append(one.id)
        if one.sensor == "s1":
            raise SourceError("the server is down")
        return 1.0

    gathering, asked = gatherer(share)
    first = gathering.gather(claim(), PLACE).evidence
    assert gathering.radar_failed == "the server is down"
    assert asked.pairs == [("O5", "O10")]
    assert {look.scene: look.rejected for look in first.looks} == {
        "O10": "not compared in this test",
        "R-b11": "radar was not read: the server is down",
        "R-a12": "radar was not read: the server is down",
    }
    again = gathering.gather(claim("appeared"), PLACE).evidence
    assert [name for name in reads if name.startswith("R-")] == ["R-a6"]
    assert len(again.looks) == 3


def test_surfaces_are_looked_at_by_optical_imagery_alone() -> None:
    gathering, asked = gatherer(lambda _: 1.0)
    evidence = gathering.gather(claim("surface"), PLACE).evidence
    assert asked.pairs == [("O5", "O10")]
    assert {look.sensor for look in evidence.looks} == {"s2"}


@pytest.mark.parametrize(
    ("strength", "change", "scale", "weak"),
    [
        (3.0, "vanished", "object", True),
        (5.0, "vanished", "object", False),
        (3.0, "appeared", "object", False),
        (3.0, "altered", "object", False),
        (1.5, "altered", "object", True),
        (3.0, "vanished", "area", False),
    ],
)
def test_a_flag_is_held_against_objects_that_were_put_on_the_same_ground(
    strength: float, change: str, scale: str, weak: bool
) -> None:
    rows = [
        ("An-124", "apron", "vanished", 4.0),
        ("An-124", "apron", "appeared", 2.0),
        ("An-124", "taxiway", "vanished", 1.0),
        ("Il-76", "apron", "vanished", 2.0),
    ]
    result: Any = SimpleNamespace(
        detectability=[
            SimpleNamespace(object=name, ground=ground, direction=way, least_strength=least)
            for name, ground, way, least in rows
        ]
    )
    flag: Any = SimpleNamespace(object=SimpleNamespace(strength=strength, change=change, scale=scale))
    assert is_too_weak(flag, result, "An-124", PLACE) is weak
    unmeasured: Any = SimpleNamespace(
        detectability=[SimpleNamespace(object="An-124", ground="apron", direction=change, least_strength=math.nan)]
    )
    assert not is_too_weak(flag, unmeasured, "An-124", PLACE)
