"""The fine grid of the demo: outlines on their place, and fields with the spread they promise."""

from __future__ import annotations

import numpy as np
import pytest
from shapely.geometry import Point, Polygon, box

from aoi import Grid
from revisit.demo.sheet import CELLS, RIM_PX, Sheet, smooth_field

GRID = Grid.from_bounds((766000.0, 3921000.0, 766400.0, 3921300.0), crs="EPSG:32636", gsd=10.0)
SHEET = Sheet.under(GRID)


def test_a_sheet_has_a_rim_of_whole_pixels() -> None:
    assert SHEET.shape == ((30 + 2 * RIM_PX) * CELLS, (40 + 2 * RIM_PX) * CELLS)
    corner = SHEET.cells(np.array([(766000.0, 3921300.0)]))
    assert corner == pytest.approx(np.array([[RIM_PX * CELLS, RIM_PX * CELLS]]))


RING = Point(766200, 3921150).buffer(90).difference(Point(766200, 3921150).buffer(40))


@pytest.mark.parametrize("shape", [box(766100, 3921100, 766200, 3921180), RING], ids=["box", "ring"])
def test_outlines_cover_their_area_on_their_place(shape: Polygon) -> None:
    window = SHEET.window(shape, 10.0)
    inside = SHEET.inside(shape, window)
    assert inside.sum() * SHEET.cell_m**2 == pytest.approx(shape.area, rel=0.03)
    east, north = SHEET.along(window, (shape.centroid.x, shape.centroid.y), (1.0, 0.0))
    assert (east[inside].mean(), north[inside].mean()) == pytest.approx((0.0, 0.0), abs=0.6 * SHEET.cell_m)


def test_what_lies_beyond_the_sheet_is_cut_off() -> None:
    shape = box(700000, 3921100, 766010, 3921110)
    window = SHEET.window(shape)
    assert window[1].start == 0
    assert SHEET.inside(shape, window).any()
    outside = SHEET.window(box(0, 0, 10, 10))
    assert not SHEET.inside(box(0, 0, 10, 10), outside).any()


@pytest.mark.parametrize("correlation", [0.8, 3.0, 12.0])
def test_fields_have_unit_spread_and_their_correlation(correlation: float) -> None:
    field = smooth_field(np.random.default_rng(5), (500, 400), correlation)
    assert field.shape == (500, 400)
    assert field.dtype == np.float32
    assert field.std() == pytest.approx(1.0, abs=0.1)
    # White noise behind a Gaussian of sigma s is correlated by exp(-d^2 / 4 s^2) at a distance d.
    step = max(1, round(correlation))
    found = np.mean(field[step:] * field[:-step]) / np.mean(field**2)
    assert found == pytest.approx(np.exp(-(step**2) / (4 * correlation**2)), abs=0.06)
