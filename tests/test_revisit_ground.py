"""An area burnt onto its grid: zones, shares, kinds of ground."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import Polygon

from aoi import AOI, ZONE_KINDS, Grid, Zone
from revisit.ground import Ground, ground_warnings, lay_out, outline_note
from tests.scenery import ORIGIN, ring

GRID = Grid(crs="EPSG:32636", transform=Affine(10, 0, ORIGIN[0], 0, -10, ORIGIN[1]), width=40, height=30)


def outline(*box: float) -> Polygon:
    """Return the lon/lat outline of a box (west, north, east, south) in pixels of the grid."""
    west, north, east, south = box
    return Polygon(ring(west, north, east, south)[0])


def zone(name: str, kind: str, *box: float, accuracy_m: float | None = 5.0) -> Zone:
    """Return a zone around a box in pixels of the grid."""
    return Zone(name=name, kind=kind, geometry=outline(*box), source="survey", accuracy_m=accuracy_m)


def ground(*zones: Zone) -> Ground:
    """Return the grid's ground with these zones."""
    return lay_out(AOI(name="field", geometry=outline(2, 2, 38, 28), zones=zones), GRID)


def rectangle(west: int, north: int, east: int, south: int) -> NDArray[np.bool_]:
    """Return the map of a box in pixels."""
    inside = np.zeros(GRID.shape, bool)
    inside[north:south, west:east] = True
    return inside


def test_zones_are_searched_where_there_are_any_else_the_area() -> None:
    assert np.array_equal(ground().searched, rectangle(2, 2, 38, 28))
    both = ground(zone("a", "apron", 5, 5, 10, 10), zone("b", "runway", 20, 5, 22, 25)).searched
    assert np.array_equal(both, rectangle(5, 5, 10, 10) | rectangle(20, 5, 22, 25))


def test_shares_are_counted_per_zone_and_over_the_area() -> None:
    valid = ~rectangle(0, 0, 40, 10)
    shares = ground(zone("a", "apron", 5, 5, 10, 15), zone("b", "runway", 20, 12, 22, 25)).shares(valid)
    assert shares == pytest.approx({"area": 18 / 26, "a": 0.5, "b": 1.0})


def test_a_zone_called_area_does_not_hide_the_area() -> None:
    shares = ground(zone("area", "apron", 5, 5, 10, 15)).shares(~rectangle(0, 0, 40, 10))
    assert shares == pytest.approx({"area": 18 / 26, "zone area": 0.5})


def test_the_smaller_zone_gives_a_pixel_its_kind() -> None:
    small, large = zone("stand", "hardstand", 8, 8, 12, 12), zone("apron", "apron", 5, 5, 20, 20)
    for zones in ((small, large), (large, small)):
        strata = ground(*zones).strata
        assert strata[10, 10] == 1 + ZONE_KINDS.index("hardstand")
        assert strata[6, 6] == 1 + ZONE_KINDS.index("apron")
        assert strata[25, 30] == 0
    assert set(np.unique(ground().strata)) == {0, 1}


@pytest.mark.parametrize(("cols", "name"), [([6, 7, 21], "a"), ([21, 21, 6], "b"), ([30, 31, 32], None)])
def test_most_pixels_decide_the_zone(cols: list[int], name: str | None) -> None:
    place = ground(zone("a", "apron", 5, 5, 10, 10), zone("b", "runway", 20, 5, 22, 25))
    found = place.zone_of((np.array([6, 7, 8]), np.array(cols)))
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("accuracy_m", "words"),
    [(100.0, "is estimated, within 100 m (survey)"), (None, "has no stated accuracy"), (99.0, None)],
)
def test_only_rough_or_unknown_outlines_are_noted(accuracy_m: float | None, words: Any) -> None:
    note = outline_note(zone("a", "apron", 5, 5, 10, 10, accuracy_m=accuracy_m))
    assert note is None if words is None else words in str(note)


def test_zones_off_the_grid_and_zones_under_cloud_are_warned_of() -> None:
    place = ground(zone("far", "apron", 500, 500, 510, 510), zone("near", "apron", 5, 5, 10, 15))
    warnings = ground_warnings(place, {"area": 0.9, "near": 0.499})
    assert warnings == [
        "zone far lies outside the area and was not searched",
        "near: only 49 % was valid on both dates",
    ]


def test_a_zone_thinner_than_a_pixel_is_searched_all_the_same() -> None:
    assert ground(zone("wire", "other", 5.6, 5, 5.9, 20)).searched[5:20, 5].all()
