"""Outlines in pixel coordinates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, box

from revisit.mapframe import outline, projected_lines
from tests.standin import blob, make_grid, on_grid


def test_pixels_that_hang_together_by_nothing_have_an_outline_each() -> None:
    apart = replace(blob(10, 10), rows=np.array([10, 10, 20]), cols=np.array([10, 11, 30]))
    rings = outline(apart)
    assert sorted(shapely.Polygon(ring).area for ring in rings) == [9.0, 12.0]


def test_every_part_of_a_zone_of_several_is_drawn() -> None:
    grid = make_grid()
    parts = [on_grid(grid, west, 10, west + 10, 20) for west in (5, 40)]
    lines = projected_lines(MultiPolygon(parts), grid)
    assert len(lines) == 2
    found = [shapely.LineString(line).envelope for line in lines]
    for shape, wanted in zip(found, (box(5, 10, 15, 20), box(40, 10, 50, 20)), strict=True):
        assert shape.symmetric_difference(wanted).area < 0.1
