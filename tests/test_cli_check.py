"""`revisit check` against the stand-ins of the sources: one command from claims to report, cold and warm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aoi.builtin import load_site
from aoi.geojson import write_area
from aoi.geometry import to_crs, to_lonlat
from revisit.cli.main import call
from tests.servers import Server, start

pytestmark = pytest.mark.timeout(900)

CLAIMS = """
[source]
title = "What stands on the northern apron"
publisher = "A test"
published = 2024-12-17

[[claim]]
id = "C1"
statement = "A large transport has come."
geometry = "north.geojson#apron-north"
kind = "appeared"
object = "An-124"
from = 2024-12-11
to = 2024-12-15

[[claim]]
id = "C2"
statement = "It is being loaded."
geometry = "north.geojson#apron-north"
kind = "state"
from = 2024-12-11
to = 2024-12-15
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with start("world") as server:
        yield server


def write_north(folder: Path) -> Path:
    """Write an area around two of the site's aprons, and claims about it."""
    site = load_site("khmeimim")
    zones = tuple(zone for zone in site.zones if zone.name in {"apron-north", "apron-centre"})
    ground = to_crs(replace(site, zones=zones).searched, "EPSG:32636").convex_hull.buffer(200)
    write_area(replace(site, name="north", geometry=to_lonlat(ground, "EPSG:32636"), zones=zones, buildings=()),
               folder / "north.geojson")  # fmt: skip
    (folder / "claims.toml").write_text(CLAIMS)
    return folder / "claims.toml"


@pytest.fixture
def world(running: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return the running server, as new, with nothing configured but its addresses, and no browser."""
    running.reset()
    (tmp_path / "config.toml").touch()
    own = {"REVISIT_CONFIG": str(tmp_path / "config.toml"), "REVISIT_CACHE_DIR": str(tmp_path / "cache")}
    for name, value in {**running.environment(), **own}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("revisit.export.pdf.BROWSERS", ())
    return running


@pytest.mark.usefixtures("world")
def test_one_command_from_claims_to_report_cold_and_warm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["check", str(write_north(tmp_path)), "--source", "earth-search"]
    assert call([*asked, "-o", str(tmp_path / "cold")]) == 0
    assert "sha256" in capsys.readouterr().out
    told = {one["id"]: one for one in json.loads((tmp_path / "cold" / "verdicts.json").read_text())}
    assert told["C2"]["verdict"] == "not observable"
    # The invented ground of the stand-ins does not promise that thresholds hold; without that it stays open.
    record = json.loads((tmp_path / "cold" / "runs" / "north_2024-12-10_2024-12-15" / "run.json").read_text())
    assert told["C1"]["verdict"] == ("supported" if record["calibrated"] else "inconclusive")
    assert told["C1"]["pd"] >= 0.95
    assert record["baseline"] >= 4
    told_of = json.loads((tmp_path / "cold" / "check.json").read_text())
    assert ["no radar: earth-search has no radar images" in area["radar"] for area in told_of["areas"]] == [True]
    assert call([*asked, "--offline", "-o", str(tmp_path / "warm")]) == 0
    for name in ("verdicts.json", "report.html", "claims.toml"):
        assert (tmp_path / "warm" / name).read_bytes() == (tmp_path / "cold" / name).read_bytes()


def test_radar_decides_where_no_optical_pass_falls_into_the_window(world: Server, tmp_path: Path) -> None:
    file = write_north(tmp_path)
    file.write_text(CLAIMS.replace("to = 2024-12-15", "to = 2024-12-13"))
    asked = ["check", str(file), "--source", "planetary-computer"]
    assert call([*asked, "-o", str(tmp_path / "cold")]) == 0
    record = json.loads((tmp_path / "cold" / "check.json").read_text())
    assert [area["radar"] for area in record["areas"]] == ["looked at"]
    (run,) = (tmp_path / "cold" / "runs").iterdir()
    assert run.name.startswith("north_s1-14_")
    assert run.name.endswith("_2024-12-12")
    assert json.loads((run / "run.json").read_text())["sensor"] == "s1"
    told = {one["id"]: one for one in json.loads((tmp_path / "cold" / "verdicts.json").read_text())}
    assert "1 of 1 radar" in " ".join(told["C1"]["reasons"])
    assert told["C1"]["verdict"] in {"supported", "inconclusive"}
    asked_before = len(world.log())
    assert call([*asked, "--offline", "-o", str(tmp_path / "warm")]) == 0
    assert len(world.log()) == asked_before
    assert (tmp_path / "warm" / "verdicts.json").read_bytes() == (tmp_path / "cold" / "verdicts.json").read_bytes()
