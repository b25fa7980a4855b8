"""One look at each real source: `pytest -m live`. Skipped by default, since what is live changes and needs a network.

They show that the sources still speak as the stand-ins in `tests/servers` do. Sentinel Hub needs SH_CLIENT_ID and
SH_CLIENT_SECRET, and spends about 0.05 processing units.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aoi import Grid
from aoi.builtin import load_site
from imagery.datatake import one_per_pass
from imagery.http import Client
from imagery.scene import Period
from imagery.sources.cdse import Cdse
from revisit.cli.main import call
from revisit.doctor import examine
from revisit.settings import load_settings
from revisit.sources import Access, open_source

pytestmark = [pytest.mark.live, pytest.mark.timeout(280)]

SITE = load_site("khmeimim")
WEEK = Period(start=datetime(2024, 12, 1, tzinfo=UTC), end=datetime(2024, 12, 11, tzinfo=UTC))
GRID = Grid.from_bounds((767_000, 3_921_000, 768_000, 3_922_000), crs="EPSG:32636", gsd=10)
BANDS = {"s2": ("B02", "B03", "B04", "B08"), "s1": ("VV", "VH")}


def access_to(folder: Path) -> Access:
    return Access(environment={**os.environ, "REVISIT_CACHE_DIR": str(folder)})


@pytest.mark.parametrize(
    ("name", "sensor"),
    [
        ("earth-search", "s2"),
        ("planetary-computer", "s2"),
        ("planetary-computer", "s1"),
        ("sentinel-hub", "s2"),
        ("sentinel-hub", "s1"),
    ],
)
def test_a_source_finds_and_reads_a_week_of_khmeimim(name: str, sensor: str, tmp_path: Path) -> None:
    if name == "sentinel-hub" and load_settings(os.environ).credentials is None:
        pytest.skip("no credentials of Sentinel Hub: set SH_CLIENT_ID and SH_CLIENT_SECRET")
    with open_source(name, access_to(tmp_path)) as opened:
        found = opened.source.search(SITE, [WEEK], sensor=sensor)
        assert found.complete, found.warnings
        assert found.scenes
        # Both sensors pass over the site on a fixed set of relative orbits.
        assert {scene.relative_orbit for scene in found.scenes} <= {None, 121, 14, 21, 87, 94}
        passes, _ = one_per_pass(found.scenes, aoi=SITE, crs=GRID.crs)
        raster = opened.source.read(passes[0], GRID, BANDS[sensor])
    assert raster.grid == GRID
    assert raster.bands == BANDS[sensor]


def test_the_witness_knows_the_passes() -> None:
    found = Cdse(Client(), root=load_settings(os.environ).cdse_stac_url).search(SITE, [WEEK], sensor="s2")
    assert found.complete, found.warnings
    assert {scene.tile for scene in found.scenes} >= {"36SYE", "37SBV"}


def test_the_doctor_reaches_every_source(tmp_path: Path) -> None:
    findings = examine(load_settings({**os.environ, "REVISIT_CACHE_DIR": str(tmp_path)}))
    names = ("earth-search", "planetary-computer", "cdse", "sentinel-hub")
    assert {f.name: f.found for f in findings if f.name in names and f.outcome != "ok"} == {}


@pytest.mark.timeout(7200)
def test_the_built_in_claims_are_checked_by_one_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVISIT_CACHE_DIR", str(tmp_path / "cache"))
    assert call(["check", "syria-2024-12", "-o", str(tmp_path / "dossier")]) == 0
    told = {one["id"]: one["verdict"] for one in json.loads((tmp_path / "dossier" / "verdicts.json").read_text())}
    assert len(told) == 12
    assert {told[name] for name in ("C5", "C6", "C8", "C12")} == {"not observable"}
    record = json.loads((tmp_path / "dossier" / "check.json").read_text())
    assert {area["where"]: area["radar"] for area in record["areas"]} == dict.fromkeys(
        ("khmeimim", "tartus", "benghazi"), "looked at"
    )
    assert call(["replay", str(tmp_path / "dossier" / "evidence.zip")]) == 0
