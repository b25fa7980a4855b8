"""The map picture of an area: things lie where they are, and nothing breaks it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon, box

from aoi import AOI, ZONE_KINDS, Building, Zone
from revisit.areamap import KIND_COLOURS, area_map

AREA = box(35.0, 34.0, 35.05, 34.05)


def zone(name: str, geometry: Polygon | MultiPolygon, kind: str = "basin", accuracy_m: float | None = 10.0) -> Zone:
    return Zone(name=name, kind=kind, geometry=geometry, source="test", accuracy_m=accuracy_m)


def painted(aoi: AOI) -> NDArray[np.uint8]:
    """Return the picture without the legend at its right."""
    picture = np.asarray(area_map(aoi))
    return picture[:, : picture.shape[1] - 480]


def where(pixels: NDArray[np.uint8], colour: str) -> NDArray[np.intp]:
    """Return the (row, col) of the pixels near a colour."""
    away = pixels.astype(int) - list(bytes.fromhex(colour[1:]))
    return np.argwhere(np.abs(away).max(axis=2) < 30)


def test_every_kind_has_a_colour_of_its_own() -> None:
    assert set(KIND_COLOURS) == set(ZONE_KINDS)
    assert len(set(KIND_COLOURS.values())) == len(ZONE_KINDS)


def test_a_zone_is_drawn_where_it_lies() -> None:
    north_east = zone("a", box(35.03, 34.03, 35.04, 34.04), "anchorage")
    pixels = painted(AOI(name="a", geometry=AREA, zones=(north_east,)))
    ink = where(pixels[:-70], "#16191d")
    frame, found = (ink.min(axis=0), ink.max(axis=0)), where(pixels[:-70], KIND_COLOURS["anchorage"])
    share = (found.mean(axis=0) - frame[0]) / (frame[1] - frame[0])
    assert share == pytest.approx((0.3, 0.7), abs=0.03)


def test_holes_and_parts_are_left_as_they_are() -> None:
    ring = box(35.01, 34.01, 35.04, 34.04).difference(box(35.02, 34.02, 35.03, 34.03))
    holed = painted(AOI(name="a", geometry=AREA, zones=(zone("ring", ring, "other"),)))
    whole = painted(AOI(name="a", geometry=AREA, zones=(zone("ring", box(35.01, 34.01, 35.04, 34.04), "other"),)))
    fill = "#6fab80"
    assert len(where(whole, fill)) * 8 / 9 == pytest.approx(len(where(holed, fill)), rel=0.02)


def test_two_maps_of_an_area_are_the_same() -> None:
    aoi = AOI(name="a", geometry=AREA, zones=(zone("a", box(35.01, 34.01, 35.02, 34.02), accuracy_m=None),))
    assert area_map(aoi).tobytes() == area_map(aoi).tobytes()


@pytest.mark.parametrize(
    "aoi",
    [
        AOI(name="tall", geometry=box(35, 34, 35.001, 34.5)),
        AOI(name="wide", geometry=box(35, 34, 35.5, 34.0005)),
        AOI(name="مرفأ\u202e" + "x" * 70, geometry=AREA, zones=(zone("اسم", AREA, accuracy_m=None),)),
        AOI(name="parts", geometry=MultiPolygon([AREA, box(35.2, 34.2, 35.3, 34.3)])),
        AOI(name="house", geometry=AREA, buildings=(Building(name="h", geometry=box(35.01, 34.01, 35.02, 34.02)),)),
        AOI(name="south", geometry=box(-58.5, -34.6, -58.4, -34.5)),
        AOI(name="many", geometry=AREA, zones=tuple(zone(f"z{i}", AREA) for i in range(120))),
    ],
    ids=lambda aoi: aoi.name[:5],
)
def test_any_area_has_a_map_of_a_readable_size(aoi: AOI) -> None:
    picture = area_map(aoi)
    assert picture.width <= 1400
    assert 500 <= picture.height <= 1000
