"""The built-in sites: that they are where they are said to be, and are drawn by the program that says so."""

from __future__ import annotations

import csv
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import shapely
from shapely.geometry import Point

from aoi import AOI, Zone
from aoi.builtin import FOLDER, load_site, site_names
from aoi.geometry import area_km2, centre, distance_m, extent_km, grid_for, to_crs, to_lonlat

ROOT = Path(__file__).parents[1]
NEEDED = {
    "khmeimim": {"apron", "runway", "taxiway", "hardstand", "revetment"},
    "tartus": {"berth", "basin", "anchorage", "quay"},
    "benghazi": {"berth", "basin", "anchorage", "quay"},
}
sites = pytest.mark.parametrize("site", [load_site(name) for name in NEEDED], ids=list(NEEDED))


def named(site: AOI, name: str) -> Zone:
    return next(zone for zone in site.zones if zone.name == name)


def test_there_are_three_sites() -> None:
    assert site_names() == ("benghazi", "khmeimim", "tartus")


def test_the_program_that_draws_them_reproduces_the_files(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "draw_sites.py"), str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env={"PYTHONPATH": str(ROOT)})
    drawn = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert drawn == {path.name: path.read_bytes() for path in FOLDER.iterdir()}


@sites
def test_sites_have_the_zones_that_are_asked_of_them(site: AOI) -> None:
    assert {zone.kind for zone in site.zones} >= NEEDED[site.name]
    across, along = extent_km(site.geometry)
    assert 4 <= across <= 6
    assert 4 <= along <= 6


@sites
def test_every_outline_says_where_it_comes_from_and_how_good_it_is(site: AOI) -> None:
    for zone in site.zones:
        assert zone.accuracy_m is not None
        assert zone.accuracy_m >= (100 if zone.source.startswith("estimated") else 10), zone.name
        assert zone.source.startswith("estimated") or "OpenStreetMap" in zone.source or "OurAirports" in zone.source


@sites
def test_zones_do_not_overlap(site: AOI) -> None:
    """But for the centimetre to which written degrees are rounded, along a shared side."""
    crs = grid_for(site, 10.0).crs
    shapes = [(zone.name, to_crs(zone.geometry, crs).buffer(-0.05)) for zone in site.zones]
    assert [(a, b) for (a, one), (b, other) in itertools.combinations(shapes, 2) if one.intersects(other)] == []


@sites
def test_sites_are_valid_rfc_7946(site: AOI) -> None:
    document = json.loads((FOLDER / f"{site.name}.geojson").read_text())
    rings = [ring for feature in document["features"] for ring in feature["geometry"]["coordinates"]]
    assert all(shapely.LinearRing(ring).is_ccw for ring in rings)
    assert [feature["properties"]["type"] for feature in document["features"]].count("area") == 1
    assert all(round(number, 7) == number for ring in rings for point in ring for number in point)


def test_the_runway_is_a_rectangle_of_its_published_size_on_its_axis() -> None:
    corners = [
        (float(x), float(y)) for x, y in shapely.get_coordinates(named(load_site("khmeimim"), "runway").geometry)
    ]
    sides = sorted(distance_m(a, b) for a, b in itertools.pairwise(corners))
    assert sides == pytest.approx([45, 45, 2797, 2797], abs=0.05)
    assert distance_m(corners[0], corners[2]) == pytest.approx((45**2 + 2797**2) ** 0.5, abs=0.05)


def test_the_runway_ends_where_two_sources_say(real_data: Path) -> None:
    """OurAirports, from which it is drawn, and FlightGear, which is independent."""
    runway = to_crs(named(load_site("khmeimim"), "runway").geometry, "EPSG:32636")
    with (real_data / "ground" / "flightgear_oslk_threshold.csv").open() as file:
        other = [(float(row["lon"]), float(row["lat"])) for row in csv.DictReader(file)]
    with (real_data / "ground" / "ourairports_runways_syria.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["airport_ident"] == "OSLK")
    own = [(float(row[f"{end}_longitude_deg"]), float(row[f"{end}_latitude_deg"])) for end in ("le", "he")]
    assert [to_crs(Point(end), "EPSG:32636").distance(runway) for end in own] == pytest.approx([2.1, 2.1], abs=0.1)
    assert max(to_crs(Point(end), "EPSG:32636").distance(runway) for end in other) < 5


def test_khmeimim_is_searched_over_the_field_alone() -> None:
    site = load_site("khmeimim")
    assert 4 <= area_km2(site.searched) <= 8
    runway = centre(named(site, "runway").geometry)
    assert all(distance_m(centre(zone.geometry), runway) < 2500 for zone in site.zones)
    assert {"helicopter-stands", "air-defence", "apron-north"} <= {zone.name for zone in site.zones}


def test_the_docks_of_tartus_lie_in_the_harbour_of_openstreetmap(real_data: Path) -> None:
    """Its outline of the port runs along the water's edge: docks lie outside, quays inside, but for the stated 30 m."""
    features = json.loads((real_data / "ground" / "tartus_osm.geojson").read_text())["features"]
    port = next(f["geometry"] for f in features if f["properties"]["role"] == "port_boundary")
    land = to_crs(shapely.geometry.shape(port), "EPSG:32636")
    for zone in load_site("tartus").zones:
        ground = to_crs(zone.geometry, "EPSG:32636")
        inside = ground.intersection(land.buffer(0)).area / ground.area
        if zone.name in ("quay-centre", "quay-south"):
            assert inside > 0.9, zone.name
        elif zone.kind in ("berth", "basin", "anchorage") and "naval" not in zone.name:
            assert inside < 0.1, zone.name


@pytest.mark.parametrize(
    ("site", "lon", "lat", "zone"),
    [
        ("tartus", 35.8698, 34.9102, None),
        ("benghazi", 20.05, 32.11, "basin-outer"),
        ("khmeimim", 35.954038, 35.403243, "equipment-yard"),
    ],
)
def test_published_places_lie_in_the_sites(site: str, lon: float, lat: float, zone: str | None) -> None:
    aoi = load_site(site)
    assert aoi.geometry.contains(Point(lon, lat))
    assert zone is None or named(aoi, zone).geometry.contains(Point(lon, lat))


def test_sites_survive_the_way_there_and_back() -> None:
    shape = load_site("tartus").searched
    assert shapely.hausdorff_distance(to_lonlat(to_crs(shape, "EPSG:32636"), "EPSG:32636"), shape) < 1e-9
