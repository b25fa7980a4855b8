"""`revisit sites`, `revisit area define` and `revisit area show`, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aoi.formats import load_area
from aoi.geojson import area_as_geojson
from aoi.geometry import area_km2, centre
from revisit.areamap import KIND_COLOURS
from revisit.cli.main import call

WKT = "POLYGON ((15.9 29.2, 15.95 29.2, 15.95 29.25, 15.9 29.25, 15.9 29.2))"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_sites_are_listed_with_their_zones(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["sites"]) == 0
    out = capsys.readouterr().out
    assert "khmeimim  35.4011 N 35.9487 E  5.0 x 5.0 km" in out
    assert "  runway             runway      0.126 km2, good to 15 m" in out


def test_sites_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["sites", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [site["name"] for site in listed] == ["benghazi", "khmeimim", "tartus"]
    assert {zone["kind"] for zone in listed[2]["zones"]} == {"anchorage", "basin", "berth", "quay"}


@pytest.mark.parametrize(
    ("arguments", "place", "km2"),
    [
        (["--bbox", "-73.6", "45.45", "-73.5", "45.55"], (-73.55, 45.5), 86.87),
        (["--point", "-73.5", "45.5", "--radius", "2km"], (-73.5, 45.5), 12.56),
        (["--point", "-58.4", "-34.6", "--radius", "500m"], (-58.4, -34.6), 0.785),
        (["--wkt", WKT], (15.925, 29.225), 26.93),
        (["--file", "plan.wkt"], (15.925, 29.225), 26.93),
    ],
)
def test_an_area_is_defined(
    arguments: list[str], place: tuple[float, float], km2: float, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "plan.wkt").write_text(WKT)
    assert call(["area", "define", "My Place", *arguments]) == 0
    out, err = capsys.readouterr()
    assert out == "my-place.geojson\n"
    aoi = load_area("my-place.geojson")
    assert aoi.name == "My Place"
    assert centre(aoi.geometry) == pytest.approx(place, abs=1e-4)
    assert area_km2(aoi.geometry) == pytest.approx(km2, rel=1e-3)
    assert "My Place: centre" in err
    assert "tiles" in err


def test_where_it_is_is_said_on_stderr_so_that_a_swap_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["area", "define", "x", "--point", "15.96", "29.20", "--radius", "4km"]) == 0
    err = capsys.readouterr().err
    assert "centre 29.2000 N 15.9600 E, 8.00 x 8.00 km (east-west x north-south), 50.2" in err
    assert "UTM 33N (EPSG:32633), tiles 33RWN; 0 zones" in err


def test_zones_of_a_file_are_kept(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "in.geojson").write_text(area_as_geojson(load_area("tartus")))
    assert call(["area", "define", "tartus-2", "--file", "in.geojson"]) == 0
    assert "10 zones" in capsys.readouterr().err
    assert [zone.name for zone in load_area("tartus-2.geojson").zones] == [z.name for z in load_area("tartus").zones]


def test_a_file_is_not_overwritten_unasked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "x.geojson").write_text("mine")
    assert call(["area", "define", "x", "--wkt", WKT]) == 2
    assert "x.geojson exists; --force overwrites it" in capsys.readouterr().err
    assert (here / "x.geojson").read_text() == "mine"
    assert call(["area", "define", "x", "--wkt", WKT, "--force"]) == 0
    assert load_area("x.geojson").name == "x"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "exactly one of --bbox, --point, --file, --wkt; given: none"),
        (["--wkt", WKT, "--point", "1", "2", "--radius", "1km"], "given: --point and --wkt"),
        (["--point", "1", "2"], "--point LON LAT and --radius belong together"),
        (["--wkt", WKT, "--radius", "1km"], "--point LON LAT and --radius belong together"),
        (["--wkt", WKT, "--layer", "a"], "--layer 'a' belongs to --file"),
        (["--point", "35.40", "35.95", "--radius", "4km"], "Swapped? Khmeimim is 35.95 35.40"),
        (["--point", "35.40", "35.95", "--radius", "4"], "such as 4km or 500m"),
        (["--bbox", "1", "2", "0", "3"], "the order is W S E N"),
        (["--bbox", "1", "2", "3"], "--bbox"),
        (
            ["--wkt", "POLYGON ((0 0, 0.1 0.1, 0.1 0, 0 0.1, 0 0))"],
            "crosses or touches itself (Self-intersection[0.05 0.05]",
        ),
        (["--file", "none.kml"], "none.kml: no such file"),
    ],
)
def test_what_makes_no_area_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["area", "define", "x", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("revisit: ")
    assert message in err
    assert list(here.iterdir()) == []


def test_a_name_cannot_leave_the_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["area", "define", "../../etc/<b>passwd", "--wkt", WKT]) == 0
    assert capsys.readouterr().out == "etc-b-passwd.geojson\n"
    assert [path.name for path in here.iterdir()] == ["etc-b-passwd.geojson"]
    assert load_area("etc-b-passwd.geojson").name == "../../etc/<b>passwd"


def test_an_area_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["area", "show", "khmeimim"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        "khmeimim",
        "centre  35.4011 N 35.9487 E  (longitude 35.94870, latitude 35.40110)",
        "size    5.00 x 5.00 km (east-west x north-south), 25.00 km2",
        "UTM     36N, EPSG:32636",
        "tiles   36SYE 37SBV  (MGRS squares whose Sentinel-2 granules touch it)",
    ]
    assert lines[5].startswith("zones   11, 4.5")
    assert lines[8].startswith("runway             runway     0.126  15 m     rectangle of the published length")


def test_an_area_is_shown_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["area", "show", "tartus", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["utm_zone"], facts["epsg"], facts["tiles"]) == ("36N", 32636, ["36SYD", "37SBU"])
    assert facts["size_km"] == pytest.approx([5.0, 4.7], abs=0.01)
    assert facts["zones"][0] == {
        "name": "berths-naval",
        "kind": "berth",
        "km2": pytest.approx(0.125, abs=0.001),
        "accuracy_m": 30.0,
        "source": load_area("tartus").zones[0].source,
    }


def test_an_area_without_zones_says_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.wkt").write_text(WKT)
    assert call(["area", "show", "a.wkt"]) == 0
    assert "zones   none: the whole area is searched" in capsys.readouterr().out


def test_an_unknown_area_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["area", "show", "tartous"]) == 2
    assert (
        "neither a built-in site (benghazi, khmeimim, tartus) nor a file. Did you mean tartus?"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("site", ["khmeimim", "tartus", "benghazi"])
def test_the_map_shows_every_kind_in_its_colour(site: str, here: Path) -> None:
    assert call(["area", "show", site, "--png", "map.png"]) == 0
    with Image.open(here / "map.png") as picture:
        assert picture.format == "PNG"
        codes = np.asarray(picture.convert("RGB")).astype(int) @ [65536, 256, 1]
    kinds = {zone.kind for zone in load_area(site).zones}
    assert {int(KIND_COLOURS[kind][1:], 16) for kind in kinds} <= set(np.unique(codes).tolist())


def test_a_map_that_cannot_be_written_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["area", "show", "tartus", "--png", "missing/map.png"]) == 2
    assert "the map cannot be written to missing/map.png: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["sites"], ["area", "define"], ["area", "show"]])
def test_every_command_has_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call([*command, "--help"]) == 0
    assert f"Example: revisit {' '.join(command)}" in capsys.readouterr().out
