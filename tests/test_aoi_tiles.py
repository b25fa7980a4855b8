"""The Sentinel-2 tiles that an area touches."""

from __future__ import annotations

import mgrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point, box

from aoi import AOIError
from aoi.builtin import load_site
from aoi.tiles import mgrs_tiles


@pytest.mark.parametrize(
    ("site", "tiles"),
    [("khmeimim", ("36SYE", "37SBV")), ("tartus", ("36SYD", "37SBU")), ("benghazi", ("34SCA", "34SDA"))],
)
def test_the_sites_lie_in_the_tiles_of_their_products(site: str, tiles: tuple[str, ...]) -> None:
    assert mgrs_tiles(load_site(site).geometry) == tiles


@pytest.mark.parametrize(
    ("lon", "lat", "tile"),
    [
        (-3.7, 40.41, "30TVK"),
        (151.2, -33.9, "56HLH"),
        (36.8, -1.3, "37MBU"),
        (-73.57, 45.5, "18TXR"),
        (2.35, 48.85, "31UDQ"),
    ],
)
def test_well_known_places_lie_in_their_tiles(lon: float, lat: float, tile: str) -> None:
    assert tile in mgrs_tiles(Point(lon, lat))


@given(lon=st.floats(-179.9, 179.9), lat=st.floats(-79, 71))
def test_the_square_of_a_point_is_among_its_tiles(lon: float, lat: float) -> None:
    """Excepted: Norway and Svalbard, where zones are wider, and slivers at a zone's border, which have no granule."""
    name = mgrs.MGRS().toMGRS(lat, lon, MGRSPrecision=0)
    square = name if len(name) == 5 else f"0{name}"
    tiles = mgrs_tiles(Point(lon, lat))
    shifted = int(square[:2]) != int((lon + 180) // 6) + 1
    # A square over the border of two bands has its granule under the name of its middle.
    plain = {tile[:2] + tile[3:] for tile in tiles}
    assert tiles
    assert shifted or square[:2] + square[3:] in plain or _may_be_dropped(square)


def _may_be_dropped(square: str) -> bool:
    """Whether the square lies on the side of its zone where slivers have no granule."""
    zone = int(square[:2])
    column = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")[(zone - 1) % 3].index(square[3])
    return column < 4 or zone == 60


def test_tiles_overlap_by_ten_kilometres() -> None:
    """36SYD ends at northing 3 900 000, 36SYE begins at 3 890 220 (the extents of their products)."""
    assert mgrs_tiles(Point(35.5, 35.15)) == ("36SYD", "36SYE")
    assert mgrs_tiles(Point(35.5, 35.0)) == ("36SYD",)


def test_an_area_over_the_equator_has_tiles_on_both_sides() -> None:
    assert {tile[2] for tile in mgrs_tiles(box(33.0, -0.3, 33.1, 0.3))} == {"M", "N"}


def test_the_zones_meet_across_the_antimeridian() -> None:
    assert {tile[:2] for tile in mgrs_tiles(box(179.9, -16.9, 179.99, -16.8))} == {"01", "60"}


def test_beyond_utm_there_are_no_tiles() -> None:
    with pytest.raises(AOIError, match="no UTM zone"):
        mgrs_tiles(Point(0, 85))
