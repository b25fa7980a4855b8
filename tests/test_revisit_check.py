"""Claims held against imagery, end to end: real and simulated scenes, the dossier, the pack and its replay."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aoi import AOI, Grid
from benchmarks.claims import RIGHT, World, check_world, outcomes
from imagery.errors import BudgetError, NoSceneError, SourceError
from imagery.raster import Raster
from imagery.scene import Period, Scene
from imagery.sources.base import Found, Survey
from imagery.sources.folder import FolderSource
from revisit.check import Dossier, check_claims
from revisit.claims import load_claims
from revisit.cli.main import call
from revisit.dossier import write_dossier
from revisit.recording import RecordingSource
from tests.scenery import Pass, feature, write_area, write_scenes

pytestmark = pytest.mark.timeout(900)

EXAMPLES = Path(__file__).parents[1] / "examples"
SOURCE = '[source]\ntitle = "T"\npublisher = "A test"\npublished = 2017-10-05\n'


def claims_text(area: str, start: str, end: str, told: Sequence[tuple[str, str, str, str, str]]) -> str:
    claims = (
        f'[[claim]]\nid = "{i}"\nstatement = "{s}"\ngeometry = "{area}#{z}"\nkind = "{k}"\n{more}\n'
        f"from = {start}\nto = {end}\n"
        for i, s, z, k, more in told
    )
    return SOURCE + "".join(claims)


@pytest.fixture(scope="module")
def beirut(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with real scenes and the example's claims, already checked into "dossier"."""
    folder = tmp_path_factory.mktemp("beirut")
    for day in ("20150820", "20171003"):
        file = real_data / "crops_utm" / f"beirut_airport_S2L1C_{day}.tif"
        when = f"{day[:4]}-{day[4:6]}-{day[6:]}"
        asked = ["import", str(file), "--sensor", "s2", "--date", when, "--bands", "B02,B03,B04,B08,B11,B12"]
        assert call([*asked, "--scale", "0.0001", "--offset", "0", "-o", str(folder / "scenes")]) == 0
    shutil.copy(EXAMPLES / "beirut.geojson", folder)
    text = (EXAMPLES / "beirut.toml").read_text().replace('title = "The airport of Beirut', 'title = "<b>Beirut</b>')
    (folder / "claims.toml").write_text(text)
    asked = ["check", str(folder / "claims.toml"), "--source", f"folder:{folder / 'scenes'}"]
    assert call([*asked, "-o", str(folder / "dossier")]) == 0
    return folder


def test_beirut(beirut: Path) -> None:
    told = {one["id"]: one for one in json.loads((beirut / "dossier" / "verdicts.json").read_text())}
    assert {name: one["verdict"] for name, one in told.items()} == {
        "B1": "supported",
        "B2": "contradicted",
        "B3": "not observable",
    }
    keys = ["id", "verdict", "reasons", "pd", "likelihood_ratio", "scenes", "flags", "would_change_it"]
    assert all(list(one) == keys for one in told.values())
    assert told["B2"]["pd"] >= 0.95
    assert told["B3"]["pd"] < 0.5
    assert all(len(one["scenes"]) == 2 and one["would_change_it"] for one in told.values())


def test_the_report_holds_what_a_reader_needs(beirut: Path) -> None:
    page = (beirut / "dossier" / "report.html").read_text()
    assert "&lt;b&gt;Beirut&lt;/b&gt;" in page
    assert "<b>Beirut" not in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.index("Read this first") < page.index("Of 3 statements") < page.index("Claim by claim")
    assert page.count('<article class="claim"') == 3
    assert page.count("data:image/png;base64,") == 6
    assert page.count('<circle class="usable"') == 3


def test_a_pack_is_verified_replayed_and_guarded(
    beirut: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = tmp_path / "evidence.zip"
    shutil.copy(beirut / "dossier" / "evidence.zip", pack)
    assert call(["verify", str(pack)]) == 0
    assert "is as it was recorded" in capsys.readouterr().out
    assert call(["replay", str(pack), "-o", str(tmp_path / "again")]) == 0
    assert capsys.readouterr().out.startswith("The same again: every byte of")
    assert (tmp_path / "again" / "verdicts.json").read_bytes() == (beirut / "dossier" / "verdicts.json").read_bytes()
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.write_bytes(content)
    assert call(["verify", str(pack)]) == 2
    assert call(["replay", str(pack)]) == 2


def test_foreign_folders_stay_as_they_are(beirut: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    asked = ["check", str(beirut / "claims.toml"), "--source", f"folder:{beirut / 'scenes'}", "-o", str(tmp_path)]
    assert call(asked) == 2
    assert "holds mine.txt, which no check wrote" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_world_in_which_the_statements_are_false() -> None:
    found = list(outcomes("false", 0))
    assert {outcome.claim: outcome.verdict for outcome in found} == RIGHT["false"]


def test_radar_sees_under_cloud_what_came(tmp_path: Path) -> None:
    dossier = check_world(tmp_path, "clouded, radar, true", 0)
    told = {verdict.id: verdict for verdict in dossier.verdicts}
    assert told["came"].verdict == "supported"
    assert "(radar, held against 2024-12-07)" in told["came"].reasons[0]
    assert "0 of 1 optical, 1 of 1 radar" in told["came"].reasons[-1]
    assert told["state"].verdict == "not observable"
    assert all(verdict.verdict != "contradicted" for verdict in told.values())
    runs = sorted(path.name for path in (tmp_path / "check" / "runs").iterdir())
    assert runs == ["world_s1-14_2024-12-07_2024-12-13", "world_s1-14_2024-12-07_2024-12-19"]
    manifest = json.loads((tmp_path / "check" / "runs" / runs[0] / "run.json").read_text())
    assert (manifest["sensor"], manifest["calibrated"]) == ("s1", True)


@pytest.mark.parametrize("world", ["clouded", "no acquisition"])
def test_worlds_without_a_look(world: World, tmp_path: Path) -> None:
    dossier = check_world(tmp_path, world, 0)
    assert {verdict.id: verdict.verdict for verdict in dossier.verdicts} == RIGHT[world]
    assert not (tmp_path / "check" / "runs").exists()


@dataclass(kw_only=True)
class Failing:
    """A folder of scenes whose server goes down at one scene, or when radar is asked for."""

    folder: Path
    down_at: str = ""
    radar: str = ""
    name: str = "folder"

    def search(self, aoi: AOI, periods: Sequence[Period], *, sensor: str) -> Found:
        if sensor == "s1" and self.radar == "down":
            raise SourceError("the radar server is down")
        if sensor == "s1" and self.radar == "dear":
            raise BudgetError("3 processing units asked for, 1 allowed")
        if sensor == "s1" and self.radar == "none":
            raise NoSceneError("folder has no radar images; take another source")
        return FolderSource(self.folder).search(aoi, periods, sensor=sensor)

    def survey(self, scene: Scene, grid: Grid) -> Survey | None:
        return FolderSource(self.folder).survey(scene, grid)

    def read(self, scene: Scene, grid: Grid, bands: Sequence[str]) -> Raster:
        if scene.id == self.down_at:
            raise SourceError("the server is down")
        return FolderSource(self.folder).read(scene, grid, bands)


def test_what_was_decided_before_a_source_failed_is_kept(tmp_path: Path) -> None:
    write_scenes(tmp_path / "s", Pass(day="2024-12-07"), Pass(day="2024-12-12"), Pass(day="2024-12-17", block=True))
    zone = feature("zone", "apron", (20.4, 20.4, 139.6, 139.6), kind="apron", source="survey", accuracy_m=5)
    write_area(tmp_path / "a.geojson", zone)
    told = (
        ("C1", "It is being loaded.", "apron", "state", ""),
        ("C2", "It was paved.", "apron", "surface", ""),
    )
    (tmp_path / "c.toml").write_text(claims_text("a.geojson", "2024-12-13", "2024-12-17", told))
    failing = Failing(folder=tmp_path / "s", down_at="S2B_L2A_20241217T082000")
    dossier = check_claims(
        load_claims(str(tmp_path / "c.toml")),
        spec="folder:s",
        folder=tmp_path / "out",
        source_of=lambda place: RecordingSource(source=failing, folder=place),
        tell=lambda _: None,
    )
    assert (dossier.complete, dossier.undecided) == (False, ("C2",))
    assert write_dossier(dossier, tmp_path / "out") is None
    record = json.loads((tmp_path / "out" / "check.json").read_text())
    assert "the server is down" in record["failure"]
    assert [one["id"] for one in json.loads((tmp_path / "out" / "verdicts.json").read_text())] == ["C1"]
    assert "The check did not end." in (tmp_path / "out" / "report.html").read_text()


def small_check(folder: Path, **changes: str) -> Dossier:
    """Check two claims about two small dates into "out", by a source that changes may hamper."""
    write_scenes(folder / "s", Pass(day="2024-12-07"), Pass(day="2024-12-12"))
    zone = feature("zone", "apron", (20.4, 20.4, 139.6, 139.6), kind="apron", source="survey", accuracy_m=5)
    write_area(folder / "a.geojson", zone)
    claims = (("C1", "It was paved.", "apron", "surface", ""), ("C2", "It is being loaded.", "apron", "state", ""))
    (folder / "c.toml").write_text(claims_text("a.geojson", "2024-12-08", "2024-12-13", claims))
    dossier = check_claims(
        load_claims(str(folder / "c.toml")),
        spec="folder:s",
        folder=folder / "out",
        source_of=lambda place: RecordingSource(source=Failing(folder=folder / "s", **changes), folder=place),
        tell=lambda _: None,
    )
    assert write_dossier(dossier, folder / "out") is not None
    return dossier


def test_another_checkout_gives_the_same_bytes(tmp_path: Path) -> None:
    small_check(tmp_path)
    root, other = Path(__file__).parents[1], tmp_path / "elsewhere" / "checkout"
    for package in ("aoi", "imagery", "detect", "revisit"):
        shutil.copytree(root / package, other / package, ignore=shutil.ignore_patterns("__pycache__"))
    told = "import revisit; print(revisit.__file__); from revisit.cli.main import main; main()"
    asked = [sys.executable, "-c", told, "replay", str(tmp_path / "out" / "evidence.zip")]
    done = subprocess.run(asked, cwd=other, env=os.environ | {"PYTHONPATH": str(other)}, capture_output=True, text=True,
                          timeout=240, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{other}/revisit/__init__.py\nThe same again")


@pytest.mark.parametrize(
    ("radar", "complete", "told"),
    [
        ("down", False, "radar failed: the radar server"),
        ("dear", False, "radar failed: 3"),
        ("none", True, "no radar: f"),
    ],
)
def test_radar_that_fails_is_partial_and_radar_that_is_not_there_is_said_once(
    radar: str, complete: bool, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dossier = small_check(tmp_path, radar=radar)
    assert (dossier.complete, dossier.failure, dossier.undecided) == (complete, None, ())
    assert "the source answered in part" in " ".join(dossier.verdicts[0].reasons) or complete
    # What was not answered is kept, so that even a check in part can be repeated.
    pack = tmp_path / "out" / "evidence.zip"
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("Optical imagery alone at a.geojson.") == 1
    assert told in page.replace("Radar failed", "radar failed").replace("No radar", "no radar")
    assert call(["replay", str(pack)]) == 0
    assert capsys.readouterr().out.startswith("The same again")


def test_windows_in_the_future_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_area(tmp_path / "a.geojson")
    year = datetime.now(UTC).year + 2
    told = (("C1", "It is being loaded.", "", "state", ""),)
    text = claims_text("a.geojson", f"{year}-01-01", f"{year}-01-05", told).replace("#", "")
    (tmp_path / "c.toml").write_text(text)
    (tmp_path / "s").mkdir()
    asked = ["check", str(tmp_path / "c.toml"), "--source", f"folder:{tmp_path / 's'}", "-o", str(tmp_path / "out")]
    assert call(asked) == 2
    assert "C1: the window begins in the future" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
