"""What stands on the base of the demo, where, and on which dates: the truth that the demo is checked against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import shapely
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from aoi import AOI
from aoi.geometry import to_crs
from detect.forward import FloatArray
from detect.targets import ObjectClass, object_class
from revisit.demo.layout import CRS, Stand, all_stands
from revisit.demo.surfaces import BANDS

Change = Literal["appeared", "vanished", "none"]
Habit = Literal["always", "leaves", "arrives", "visits", "left early"]

FLEET: tuple[tuple[str, str, Habit, int], ...] = (
    ("An-124", "transport", "leaves", 1),
    ("Il-76", "transport", "leaves", 1),
    ("Il-76", "transport", "arrives", 1),
    ("Il-76", "transport", "visits", 1),
    ("An-72", "transport", "always", 1),
    ("An-26", "transport", "always", 2),
    ("Tu-154", "transport", "visits", 1),
    ("Il-62", "transport", "visits", 1),
    ("Su-24", "fighter", "always", 3),
    ("Su-24", "fighter", "leaves", 2),
    ("Su-34", "fighter", "always", 3),
    ("Su-34", "fighter", "leaves", 1),
    ("Su-35", "fighter", "always", 2),
    ("Su-35", "fighter", "arrives", 1),
    ("Su-35", "fighter", "left early", 1),
    ("Ka-52", "helicopter", "always", 2),
    ("Ka-52", "helicopter", "leaves", 2),
    ("Mi-8", "helicopter", "always", 3),
    ("Mi-8", "helicopter", "leaves", 1),
    ("Mi-8", "helicopter", "arrives", 1),
    ("launcher", "launcher", "always", 1),
    ("launcher", "launcher", "leaves", 3),
)
"""Class, role of its stand, habit, number."""
LORRIES_PARKED, LORRIES_PASSING = 10, 6
"""Lorries that never move, and such as stand somewhere else on every date."""
CLEARANCE_M = 12.0
"""Between the circles around two objects."""
CLEAR_M = 60.0
"""Between an aircraft's stand and ground that is kept clear."""
CROWDING = 0.2
"""Share of its stands that a role uses most: aircraft of a kind stand together."""
ATTEMPTS = 60
"""Places that are tried for an object."""


@dataclass(frozen=True, kw_only=True)
class Parked:
    """One object and the dates on which it stands there."""

    model: ObjectClass
    zone: str
    x: float
    y: float
    """Easting and northing of its centre, metres."""
    heading_deg: float
    reflectance: FloatArray
    """(band,)."""
    days: frozenset[date]

    @property
    def reach_m(self) -> float:
        """Radius of the circle that holds it at any heading."""
        return float(np.hypot(self.model.length_m, self.model.width_m) / 2)

    def change(self, before: date, after: date) -> Change:
        """Return what a comparison of two dates ought to find."""
        if (before in self.days) == (after in self.days):
            return "none"
        return "appeared" if after in self.days else "vanished"


Draw = Callable[[], Parked]


def _days(
    habit: Habit, days: Sequence[date], *, before: date, after: date, rng: np.random.Generator
) -> frozenset[date]:
    """Return the dates on which an object of a habit is present."""
    earlier = [day for day in days if day < before]
    if habit == "always":
        return frozenset(days)
    if habit == "arrives":
        return frozenset({after})
    if habit == "left early":
        return frozenset(earlier[: int(rng.integers(4, 9))])
    if habit == "visits":
        return frozenset(day for day in earlier if rng.random() < 0.2)
    # What leaves had come some dates ago.
    return frozenset({before, *earlier[-int(rng.integers(1, 5)) :]})


def _parked(model: ObjectClass, stand: Stand, days: frozenset[date], rng: np.random.Generator) -> Parked:
    """Return an object on a stand: a little beside its middle, and turned by a few degrees or right round."""
    heading = stand.heading_deg + rng.choice([0.0, 180.0]) + rng.normal(0.0, 4.0)
    offset = rng.normal(0.0, 1.5, 2)
    return Parked(model=model, zone=stand.zone, x=stand.x + float(offset[0]), y=stand.y + float(offset[1]),
                  heading_deg=float(heading % 360), reflectance=model.reflectance(BANDS, float(rng.random())),
                  days=days)  # fmt: skip


def _is_free(candidate: Parked, placed: Sequence[Parked]) -> bool:
    """Return whether an object keeps its distance from all others, whenever they stand there."""
    return all(
        np.hypot(candidate.x - other.x, candidate.y - other.y) > candidate.reach_m + other.reach_m + CLEARANCE_M
        for other in placed
    )


def _place(placed: list[Parked], draw: Draw) -> None:
    """Add one object at the first drawn place that is free; on a full base it is left out."""
    for _ in range(ATTEMPTS):
        candidate = draw()
        if _is_free(candidate, placed):
            placed.append(candidate)
            return


def _on_stand(model: ObjectClass, stands: Sequence[Stand], days: frozenset[date], rng: np.random.Generator) -> Draw:
    """Return how an object's place is drawn: on any of the stands, but far more often on the first ones."""

    def draw() -> Parked:
        rank = int(rng.exponential(len(stands) * CROWDING))
        return _parked(model, stands[min(rank, len(stands) - 1)], days, rng)

    return draw


def _in_yard(yards: Sequence[tuple[str, BaseGeometry]], days: frozenset[date], rng: np.random.Generator) -> Draw:
    """Return how a lorry's place is drawn: anywhere in the yards, each as likely as it is large."""
    odds = np.array([shape.area for _, shape in yards])

    def draw() -> Parked:
        name, shape = yards[rng.choice(len(yards), p=odds / odds.sum())]
        west, south, east, north = shape.bounds
        x, y = rng.uniform(west, east), rng.uniform(south, north)
        while not shapely.contains_xy(shape, x, y):
            x, y = rng.uniform(west, east), rng.uniform(south, north)
        stand = Stand(role="lorry", zone=name, x=x, y=y, heading_deg=float(rng.uniform(0, 180)))
        return _parked(object_class("lorry"), stand, days, rng)

    return draw


def _yards(aoi: AOI) -> list[tuple[str, BaseGeometry]]:
    """Return the (zone name, shape in metres) where lorries stand: 10 m inside aprons, hardstands and storage."""
    zones = [zone for zone in aoi.zones if zone.kind in ("apron", "hardstand", "storage")]
    yards = [(zone.name, to_crs(zone.geometry, CRS).buffer(-10.0)) for zone in zones]
    return [(name, shape) for name, shape in yards if not shape.is_empty]


def plan_traffic(
    aoi: AOI, days: Sequence[date], *, before: date, after: date, keep_clear: BaseGeometry, rng: np.random.Generator
) -> tuple[Parked, ...]:
    """Return everything that stands on the base on any of the dates.

    Parameters
    ----------
    aoi
        Its zones give the stands; a role without a stand is left out.
    days
        All dates, oldest first.
    before, after
        The two that are compared.
    keep_clear
        Ground in metres where no aircraft is parked.
    rng
        Source of all chance.
    """
    stands = [s for s in all_stands(aoi) if keep_clear.distance(Point(s.x, s.y)) > CLEAR_M]
    placed: list[Parked] = []
    for name, role, habit, count in FLEET:
        fitting = [stand for stand in stands if stand.role == role]
        for _ in range(count if fitting else 0):
            present = _days(habit, days, before=before, after=after, rng=rng)
            _place(placed, _on_stand(object_class(name), fitting, present, rng))
    yards = _yards(aoi)
    passing = [frozenset({day}) for day in days for _ in range(LORRIES_PASSING)]
    for present in [frozenset(days)] * LORRIES_PARKED + passing if yards else []:
        _place(placed, _in_yard(yards, present, rng))
    return tuple(placed)
