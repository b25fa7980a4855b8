"""The invented country around the airfield: fields, orchards and houses. Nothing of it is surveyed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from revisit.demo.sheet import Sheet

PATCHWORK_DEG = 11.0
"""By how much the field boundaries are turned against north."""
LARGEST_FIELD_M2 = 45_000.0
TRACK_M = 2.0
"""Half the width of the tracks between fields."""
CROPS = (("field", 0.42), ("bare soil", 0.12), ("orchard", 0.38), ("greenhouse", 0.03), ("grass", 0.05))
"""Surfaces of fields and how often each occurs; a coastal plain with citrus, winter cereals and plastic tunnels."""
HOUSES_PER_KM2 = 14.0
HANGARS = 10
"""Invented large buildings on the airfield, away from its pavements."""


@dataclass(frozen=True, kw_only=True)
class Estate:
    """An invented field or building."""

    shape: BaseGeometry
    """Metres."""
    surface: str
    brightness: float = 1.0
    lateness: float = 0.0
    """Days by which its growth is late."""
    height_m: float = 0.0


def _cut(rng: np.random.Generator, sides: tuple[float, float, float, float]) -> list[tuple[float, float, float, float]]:
    """Return the rectangles into which one falls when cut again and again across its longer side."""
    west, south, east, north = sides
    width, height = east - west, north - south
    if width * height < LARGEST_FIELD_M2 * rng.uniform(0.35, 1.0):
        return [sides]
    share = rng.uniform(0.36, 0.64)
    if width > height:
        middle = west + share * width
        halves = (west, south, middle, north), (middle, south, east, north)
    else:
        middle = south + share * height
        halves = (west, south, east, middle), (west, middle, east, north)
    return [part for half in halves for part in _cut(rng, half)]


def country(sheet: Sheet, rng: np.random.Generator) -> list[Estate]:
    """Return the ground of the whole sheet: tracks, and on them the fields."""
    east, south = sheet.west + sheet.cols * sheet.cell_m, sheet.north - sheet.rows * sheet.cell_m
    whole = box(sheet.west, south, east, sheet.north)
    middle = whole.centroid
    reach = math.hypot(east - sheet.west, sheet.north - south) / 2
    names = [name for name, _ in CROPS]
    odds = np.array([share for _, share in CROPS])
    estates = [Estate(shape=whole, surface="track")]
    turn = math.cos(math.radians(PATCHWORK_DEG)), math.sin(math.radians(PATCHWORK_DEG))
    for west, low, right, high in _cut(rng, (-reach, -reach, reach, reach)):
        corners = np.array([(west, low), (right, low), (right, high), (west, high)])
        inset = corners + TRACK_M * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
        shape = Polygon(inset @ np.array([[turn[0], turn[1]], [-turn[1], turn[0]]]) + (middle.x, middle.y))
        crop = names[rng.choice(len(names), p=odds)]
        bright, late = float(rng.uniform(0.8, 1.2)), float(rng.normal(0.0, 14.0))
        estates.append(Estate(shape=shape, surface=crop, brightness=bright, lateness=late))
    return [estate for estate in estates if estate.shape.intersects(whole)]


def _oblong(x: float, y: float, size_m: tuple[float, float], angle: float) -> Polygon:
    """Return a rectangle of a size, turned, around a point."""
    half: NDArray[np.float64] = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * np.array(size_m) / 2
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return Polygon(half @ turn + (x, y))


def village(sheet: Sheet, airfield: BaseGeometry, paved: BaseGeometry, rng: np.random.Generator) -> list[Estate]:
    """Return invented houses outside the airfield, and hangars on it at 45 m or more from its pavements."""
    east, south = sheet.west + sheet.cols * sheet.cell_m, sheet.north - sheet.rows * sheet.cell_m
    count = int(HOUSES_PER_KM2 * (east - sheet.west) * (sheet.north - south) / 1e6)
    houses = _scatter(rng, (sheet.west, south, east, sheet.north), count, ((9.0, 22.0), (8.0, 16.0), (4.0, 11.0)))
    hangars = _scatter(rng, airfield.bounds, 60 * HANGARS, ((30.0, 60.0), (20.0, 35.0), (9.0, 15.0)))
    near, field = paved.buffer(45.0), airfield.buffer(-40.0)
    shapely.prepare([near, field, airfield])
    free = [h for h in houses if not airfield.intersects(h.shape)]
    fit = [h for h in hangars if field.contains(h.shape) and not near.intersects(h.shape)]
    return free + _apart(fit)[:HANGARS]


def _scatter(
    rng: np.random.Generator,
    bounds: tuple[float, float, float, float],
    count: int,
    ranges: tuple[tuple[float, float], tuple[float, float], tuple[float, float]],
) -> list[Estate]:
    """Return buildings at random places; `ranges` of length, width and height, metres."""
    found = []
    for _ in range(count):
        x, y = rng.uniform(bounds[0], bounds[2]), rng.uniform(bounds[1], bounds[3])
        length, width, height = (float(rng.uniform(*limits)) for limits in ranges)
        angle = math.radians(PATCHWORK_DEG) + rng.choice([0.0, math.pi / 2])
        found.append(Estate(shape=_oblong(x, y, (length, width), angle), surface="roof", height_m=height))
    return found


def _apart(estates: list[Estate]) -> list[Estate]:
    """Return those that stand at least 60 m from all that were kept before them."""
    kept: list[Estate] = []
    for estate in estates:
        if all(estate.shape.distance(other.shape) > 60.0 for other in kept):
            kept.append(estate)
    return kept
