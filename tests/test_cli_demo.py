"""`revisit demo`, once, whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from revisit.cli.demo import scenes_folder
from revisit.cli.main import call


def test_the_demo_runs_and_says_everywhere_that_it_is_simulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["demo", "-o", str(tmp_path / "demo")]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("SIMULATED")
    manifest = json.loads((tmp_path / "demo" / "run.json").read_text())
    assert manifest["simulated"]
    assert manifest["warnings"][0].startswith("SIMULATED")
    assert (manifest["before"][:10], manifest["after"][:10]) == ("2024-12-07", "2024-12-17")
    assert manifest["calibrated"]
    assert manifest["baseline"] == 12
    assert any("20241023" in line and "of the searched ground is valid" in line for line in manifest["warnings"])
    assert any("20241112" in line and "haze" in line for line in manifest["warnings"])
    assert shown.index("chance alone would give about 4.5") < shown.index("F1 ")
    assert "What could have been seen here: An-124" in shown
    flags = json.loads((tmp_path / "demo" / "flags.geojson").read_text())["features"]
    assert flags
    assert all(flag["properties"]["notes"][0].startswith("SIMULATED") for flag in flags)
    assert {path.name for path in tmp_path.iterdir()} == {"demo", "demo-scenes"}


def test_foreign_files_beside_the_run_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "demo-scenes").mkdir()
    (tmp_path / "demo-scenes" / "mine.json").write_text("{}")
    assert call(["demo", "-o", str(tmp_path / "demo")]) == 2
    assert "demo-scenes is there and does not hold the demo's scenes" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "demo-scenes").iterdir()] == ["mine.json"]


def test_the_scenes_lie_beside_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert scenes_folder(Path("runs/demo")) == tmp_path / "runs" / "demo-scenes"
