"""From objects in pixels to flags."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from aoi import AOI, Grid
from detect.change import ChangedObject
from imagery.raster import BoolArray, Raster
from revisit.flags import crop_objects, make_flags
from revisit.ground import lay_out
from revisit.plain import iso_time, rounded, to_json
from tests.scenery import ORIGIN, lonlat

GRID = Grid(crs="EPSG:32636", transform=Affine(10, 0, ORIGIN[0], 0, -10, ORIGIN[1]), width=40, height=30)
GROUND = lay_out(AOI(name="field", geometry=box(*lonlat(2, 28), *lonlat(38, 2))), GRID)


def item(rows: list[int], cols: list[int], strength: float = 2.0) -> ChangedObject:
    """Return an object of these pixels."""
    return ChangedObject(
        scale="object",
        change="appeared",
        rows=np.array(rows),
        cols=np.array(cols),
        statistic=9.0,
        strength=strength,
        length_m=20,
        width_m=10,
        orientation_deg=45,
        area_m2=100 * len(rows),
        contrast=0.1,
        notes=("holds 2 object-sized changes",),
    )


def raster(uncertain: BoolArray) -> Raster:
    """Return an even image of which some pixels are uncertain."""
    return Raster(
        data=np.ones((2, *GRID.shape), np.float32),
        valid=np.ones(GRID.shape, bool),
        uncertain=uncertain,
        grid=GRID,
        bands=("B02", "B03"),
        quantity="reflectance",
        acquired=datetime(2024, 12, 7, 8, 20, tzinfo=UTC),
        scene_ids=("a",),
    )


CLEAR = np.zeros(GRID.shape, bool)


def test_objects_lose_what_lies_in_the_margin() -> None:
    items = [item([4, 5, 6], [10, 10, 10]), item([1, 2], [3, 3]), item([35, 36], [46, 46])]
    cropped = crop_objects(items, margin=5, shape=(31, 40))
    assert [(c.rows.tolist(), c.cols.tolist()) for c in cropped] == [([0, 1], [5, 5])]


@given(st.permutations([1.1, 2.2, 3.3, 4.4]))
def test_flags_are_numbered_strongest_first_whatever_the_order(strengths: list[float]) -> None:
    items = [item([n], [n], strength) for n, strength in enumerate(strengths)]
    flags = make_flags(items, ground=GROUND, before=raster(CLEAR), after=raster(CLEAR), simulated=False)
    assert [(flag.id, flag.object.strength) for flag in flags] == [("F1", 4.4), ("F2", 3.3), ("F3", 2.2), ("F4", 1.1)]


def test_pixels_that_the_provider_doubts_are_noted_by_date() -> None:
    doubted = CLEAR.copy()
    doubted[10, 10] = True
    flags = make_flags(
        [item([10, 10], [10, 11])], ground=GROUND, before=raster(CLEAR), after=raster(doubted), simulated=False
    )
    assert flags[0].notes == (
        "holds 2 object-sized changes",
        "after: the provider's classification calls 50 % of its pixels cloud, shadow or snow",
    )


def test_plain_values_are_json_and_their_own_text() -> None:
    assert rounded(float("nan"), 2) is rounded(float("inf"), 2) is rounded(None, 2) is None
    assert str(rounded(-0.0001, 2)) == "0.0"
    assert iso_time(datetime.fromisoformat("2024-12-07T10:20:00.5+02:00")) == "2024-12-07T08:20:00.500000Z"
    with pytest.raises(ValueError, match="JSON"):
        to_json({"value": float("nan")})
